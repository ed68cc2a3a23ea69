/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NAME-VERSION.manifest.json: the contract between build and everything after it (JSON Schema in image/manifest.schema.json),
 * and NAME-VERSION.blocks: the raw 32-byte SHA-256 of every 512 KiB block of the disk, in order, behind a 64-byte header.
 */
#ifndef MKAPPLIANCE_IMAGE_MANIFEST_H
#define MKAPPLIANCE_IMAGE_MANIFEST_H

#include "compose/compose.h"
#include "image/layout.h"
#include "image/verity.h"
#include "image/writer.h"

#define MANIFEST_FORMAT 1

struct byte_range {
	uint64_t offset;
	uint64_t length;
};

struct manifest {
	char *name;
	char *version;
	char *arch;
	char *tool_version;
	int64_t epoch;
	char *init_mode;
	char *command_line;
	char *kernel_release;
	struct layout layout;
	uint64_t data_blocks;
	uint64_t hash_blocks;           /* with the superblock */
	uint8_t salt[VERITY_SALT_SIZE];
	struct guid verity_uuid;        /* of the superblock */
	struct guid fs_uuid;
	struct sha256 root_hash;
	struct sha256 uki_digest;       /* SHA-256 of the UKI's bytes */
	uint64_t uki_size;
	struct sha256 initrd_digest;
	uint64_t initrd_size;
	struct sha256 blocks_digest;    /* SHA-256 over the concatenated block digests: commits to every byte of the image */
	uint64_t block_count;
	uint64_t nonzero_bytes;         /* of blocks of 4096 bytes that were written */
	struct byte_range *dont_care;   /* whole range may hold anything: free FAT clusters, gaps, tail */
	size_t dont_care_count;
	struct compose_input *inputs;   /* owned */
	size_t input_count;
	struct strlist packages;        /* "name version arch" */
};

int manifest_write(const struct manifest *m, const char *path, struct error *err);
/* Reads and checks every field and their consistency. Parser of untrusted bytes. Freed by manifest_free(). */
int manifest_read(const char *path, struct manifest **ret, struct error *err);
int manifest_parse(const char *text, size_t len, const char *name, struct manifest **ret, struct error *err);
void manifest_free(struct manifest *m);
void manifest_freep(struct manifest **m);
#define _cleanup_manifest_ __attribute__((cleanup(manifest_freep)))

/* IMAGE.raw gives IMAGE.manifest.json, IMAGE.blocks; to be freed. */
char *manifest_path_for(const char *image_path);
char *blocks_path_for(const char *image_path);

int blocks_write(const struct block_digests *d, uint64_t image_size, const char *path, struct error *err);
int blocks_read(const char *path, struct block_digests *ret, struct error *err);

#endif
