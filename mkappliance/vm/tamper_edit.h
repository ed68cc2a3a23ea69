/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The alterations of the tamper test, each on an open copy of a disk image. Where things lie comes from the
 * manifest and from the image itself, read with the readers of image/.
 */
#ifndef MKAPPLIANCE_VM_TAMPER_EDIT_H
#define MKAPPLIANCE_VM_TAMPER_EDIT_H

#include <stddef.h>
#include <stdint.h>

#include "image/manifest.h"
#include "lib/error.h"

/* Places of an image that the alterations need, all in bytes from the start of the disk. */
struct tamper_places {
	const struct manifest *manifest;
	uint64_t program;      /* first block of the program that is started first, in the root */
	uint64_t command_line; /* .cmdline of the UKI */
	uint32_t command_line_len;
	uint64_t kernel; /* .linux */
	uint32_t kernel_len;
	uint64_t init;	    /* /init in the initrd */
	uint64_t root_hash; /* value of RootHash= in /appliance.conf in the initrd */
	char *program_path; /* owned */
};

/* Looks at an untouched image. A place that is not found is an error that names it. */
int tamper_find(int fd, const char *name, const struct manifest *m, struct tamper_places *ret,
		struct error *err);
void tamper_places_free(struct tamper_places *p);

/* Another value for one byte. */
int tamper_flip(int fd, uint64_t offset, struct error *err);

/* The alterations. Each leaves the file otherwise as it was. */
int tamper_program(int fd, const struct tamper_places *p, struct error *err);
int tamper_superblock_of_root(int fd, const struct tamper_places *p, struct error *err);
int tamper_hash_leaf(int fd, const struct tamper_places *p, struct error *err);
int tamper_hash_top(int fd, const struct tamper_places *p, struct error *err);
int tamper_verity_superblock(int fd, const struct tamper_places *p, struct error *err);
int tamper_swap_blocks(int fd, const struct tamper_places *p, struct error *err);
/* Of an image whose root hash is signed: a digit of the signature. */
int tamper_signature(int fd, const struct tamper_places *p, struct error *err);
int tamper_gap(int fd, const struct tamper_places *p, struct error *err);
int tamper_truncate(int fd, const struct tamper_places *p, struct error *err);
/*
 * Another root with its own valid hash tree, under the names (PARTUUIDs) of the right one, and under its
 * own.
 */
int tamper_foreign_root(int fd, const struct tamper_places *p, struct error *err);
int tamper_foreign_disk(int fd, const struct tamper_places *p, struct error *err);
int tamper_command_line(int fd, const struct tamper_places *p, struct error *err);
int tamper_root_hash(int fd, const struct tamper_places *p, struct error *err);
int tamper_init(int fd, const struct tamper_places *p, struct error *err);
int tamper_kernel(int fd, const struct tamper_places *p, struct error *err);

#endif
