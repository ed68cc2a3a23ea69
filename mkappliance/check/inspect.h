/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is inside an image, read by libguestfs: not our readers and not our kernel, so an independent witness of what
 * was built. The image is opened read only; nothing of it runs.
 */
#ifndef MKAPPLIANCE_CHECK_INSPECT_H
#define MKAPPLIANCE_CHECK_INSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

struct inspect_partition {
	int number;
	char *name;
	char *uuid;
	char *type;	  /* GPT type GUID */
	char *filesystem; /* "ext4", "vfat", "" */
	uint64_t offset;  /* bytes */
	uint64_t size;
};

struct inspect_file {
	char *path; /* "/usr/bin/hello" */
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	uint64_t size;
	char *sha256; /* regular files when asked for; NULL */
};

struct inspect_package {
	char *name;
	char *version;
	char *arch;
};

struct inspection {
	char *os; /* "debian 12.15"; NULL when the root is no distribution */
	struct inspect_partition *partitions;
	size_t partition_count;
	struct inspect_file *files; /* sorted by path bytes */
	size_t file_count;
	size_t file_cap;
	struct inspect_package *packages;
	size_t package_count;
};

struct inspect_options {
	bool files;
	bool checksums; /* of every regular file */
	bool packages;
};

/* @ret is freed by inspection_free(), which accepts a zeroed one. */
int inspect_image(const char *image, const struct inspect_options *options, struct inspection *ret,
		  struct error *err);
void inspection_free(struct inspection *i);
#define _cleanup_inspection_ __attribute__((cleanup(inspection_free)))

#endif
