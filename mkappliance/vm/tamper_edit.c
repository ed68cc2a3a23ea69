/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/tamper_edit.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "image/gpt.h"
#include "lib/cleanup.h"
#include "lib/io.h"

#define NAME "copy of the image" /* for messages */

#define ELF_PADDING	 15 /* of e_ident: nobody looks at it */
#define PE_OFFSET	 0x3c
#define PE_TIME_STAMP	 8 /* of the COFF header, behind "PE\0\0": the same */
#define EXT4_SUPER	 1024
#define EXT4_LABEL	 0x78 /* in the superblock; read by nobody here */
#define SIGNATURE_OFFSET 512u
#define SALT_OFFSET	 88 /* in the verity superblock */

static const struct partition *part(const struct tamper_places *p, enum layout_index i)
{
	return &p->manifest->layout.part[i];
}

int tamper_flip(int fd, uint64_t offset, struct error *err)
{
	uint8_t b;
	int r = io_pread_full(fd, NAME, &b, 1, offset, err);

	b ^= 0x55;
	return r < 0 ? r : io_pwrite_full(fd, NAME, &b, 1, offset, err);
}

int tamper_program(int fd, const struct tamper_places *p, struct error *err)
{
	return tamper_flip(fd, p->program + 100, err);
}

int tamper_superblock_of_root(int fd, const struct tamper_places *p, struct error *err)
{
	return tamper_flip(fd, part(p, PART_ROOT)->offset + EXT4_SUPER + EXT4_LABEL, err);
}

/* Where the digest of the first program's block stands in level 0 of the tree. */
static int leaf_offset(const struct tamper_places *p, uint64_t *ret, struct error *err)
{
	uint64_t block = (p->program - part(p, PART_ROOT)->offset) / VERITY_BLOCK;
	struct verity_geometry g;
	int r = verity_geometry(p->manifest->data_blocks, &g, err);

	if (r < 0)
		return r;
	*ret = part(p, PART_VERITY)->offset + g.level_start[0] * VERITY_BLOCK + block * SHA256_SIZE;
	return 0;
}

int tamper_hash_leaf(int fd, const struct tamper_places *p, struct error *err)
{
	uint64_t offset = 0;
	int r = leaf_offset(p, &offset, err);

	return r < 0 ? r : tamper_flip(fd, offset, err);
}

/* The block whose digest is the root hash: the first behind the superblock. */
int tamper_hash_top(int fd, const struct tamper_places *p, struct error *err)
{
	return tamper_flip(fd, part(p, PART_VERITY)->offset + VERITY_BLOCK + VERITY_BLOCK / 2, err);
}

int tamper_verity_superblock(int fd, const struct tamper_places *p, struct error *err)
{
	return tamper_flip(fd, part(p, PART_VERITY)->offset + SALT_OFFSET, err);
}

int tamper_swap_blocks(int fd, const struct tamper_places *p, struct error *err)
{
	uint64_t end = part(p, PART_ROOT)->offset + part(p, PART_ROOT)->used;
	uint8_t a[VERITY_BLOCK], b[VERITY_BLOCK];
	int r = io_pread_full(fd, NAME, a, sizeof(a), p->program, err);

	for (uint64_t other = p->program + VERITY_BLOCK; r >= 0 && other < end; other += VERITY_BLOCK) {
		r = io_pread_full(fd, NAME, b, sizeof(b), other, err);
		if (r < 0 || memcmp(a, b, sizeof(a)) == 0)
			continue;
		r = io_pwrite_full(fd, NAME, b, sizeof(b), p->program, err);
		return r < 0 ? r : io_pwrite_full(fd, NAME, a, sizeof(a), other, err);
	}
	return r < 0 ? r : error_set(err, -ENOENT, "no second block with other content in the root");
}

/* A byte that nothing reads: the last one of the alignment before the first partition. */
int tamper_signature(int fd, const struct tamper_places *p, struct error *err)
{
	/* Root hash and fingerprint stand before it, more than half a kilobyte of base64 is in it: image/root_signature.h. */
	return tamper_flip(fd, part(p, PART_SIGNATURE)->offset + SIGNATURE_OFFSET, err);
}

int tamper_gap(int fd, const struct tamper_places *p, struct error *err)
{
	return tamper_flip(fd, part(p, PART_ESP)->offset - 1, err);
}

/*
 * As an upload that broke off: the file ends inside the root, and with it the backup partition table is
 * gone.
 */
int tamper_truncate(int fd, const struct tamper_places *p, struct error *err)
{
	const struct partition *root = part(p, PART_ROOT);
	uint64_t end = (root->offset + root->used / 2) / LAYOUT_ALIGN * LAYOUT_ALIGN;

	return ftruncate(fd, (off_t)end) < 0 ? error_errno(err, -errno, NAME) : 0;
}

/* Brings the tree up to date with one data block and gives the new root hash. */
static int rehash_block(int fd, const struct tamper_places *p, uint64_t block, struct sha256 *ret,
			struct error *err)
{
	_cleanup_verity_hasher_ struct verity_hasher *h = verity_hasher_new(p->manifest->salt);
	uint64_t tree = part(p, PART_VERITY)->offset;
	uint8_t data[VERITY_BLOCK];
	struct verity_geometry g;
	int r;

	if ((r = verity_geometry(p->manifest->data_blocks, &g, err)) < 0 ||
	    (r = io_pread_full(fd, NAME, data, sizeof(data),
			       part(p, PART_ROOT)->offset + block * VERITY_BLOCK, err)) < 0)
		return r;
	verity_hash_blocks(h, data, 1, ret, NULL);
	for (unsigned level = 0; level < g.levels; level++) {
		uint64_t at = tree + (g.level_start[level] + block / VERITY_HASHES_PER_BLOCK) * VERITY_BLOCK;

		r = io_pread_full(fd, NAME, data, sizeof(data), at, err);
		if (r < 0)
			return r;
		memcpy(data + block % VERITY_HASHES_PER_BLOCK * SHA256_SIZE, ret->b, SHA256_SIZE);
		r = io_pwrite_full(fd, NAME, data, sizeof(data), at, err);
		if (r < 0)
			return r;
		verity_hash_blocks(h, data, 1, ret, NULL);
		block /= VERITY_HASHES_PER_BLOCK;
	}
	return 0;
}

static int make_foreign(int fd, const struct tamper_places *p, struct sha256 *ret, struct error *err)
{
	int r = tamper_program(fd, p, err);

	if (r < 0)
		return r;
	return rehash_block(fd, p, (p->program - part(p, PART_ROOT)->offset) / VERITY_BLOCK, ret, err);
}

int tamper_foreign_root(int fd, const struct tamper_places *p, struct error *err)
{
	struct sha256 root_hash;

	return make_foreign(fd, p, &root_hash, err);
}

int tamper_foreign_disk(int fd, const struct tamper_places *p, struct error *err)
{
	uint8_t primary[GPT_PRIMARY_SECTORS * LAYOUT_SECTOR], backup[GPT_BACKUP_SECTORS * LAYOUT_SECTOR];
	struct layout layout = p->manifest->layout;
	struct sha256 root_hash;
	int r = make_foreign(fd, p, &root_hash, err);

	if (r < 0)
		return r;
	layout_set_root_hash(&layout, &root_hash);
	if ((r = gpt_build(&layout, primary, backup, err)) < 0 ||
	    (r = io_pwrite_full(fd, NAME, primary, sizeof(primary), 0, err)) < 0)
		return r;
	return io_pwrite_full(fd, NAME, backup, sizeof(backup), layout.size - sizeof(backup), err);
}

/* A character of it becomes another one that keeps the console: the last. */
int tamper_command_line(int fd, const struct tamper_places *p, struct error *err)
{
	char last;
	uint64_t at = p->command_line + p->command_line_len - 1;
	int r = io_pread_full(fd, NAME, &last, 1, at, err);

	last = last == '0' ? '1' : '0';
	return r < 0 ? r : io_pwrite_full(fd, NAME, &last, 1, at, err);
}

/* Another digit, so that the file still says what the init understands. */
int tamper_root_hash(int fd, const struct tamper_places *p, struct error *err)
{
	char digit;
	int r = io_pread_full(fd, NAME, &digit, 1, p->root_hash, err);

	digit = digit == '0' ? '1' : '0';
	return r < 0 ? r : io_pwrite_full(fd, NAME, &digit, 1, p->root_hash, err);
}

int tamper_init(int fd, const struct tamper_places *p, struct error *err)
{
	return tamper_flip(fd, p->init + ELF_PADDING, err);
}

int tamper_kernel(int fd, const struct tamper_places *p, struct error *err)
{
	uint8_t raw[4];
	uint32_t header;
	int r = io_pread_full(fd, NAME, raw, sizeof(raw), p->kernel + PE_OFFSET, err);

	if (r < 0)
		return r;
	header = (uint32_t)raw[0] | (uint32_t)raw[1] << 8 | (uint32_t)raw[2] << 16 | (uint32_t)raw[3] << 24;
	if (header > p->kernel_len - PE_TIME_STAMP - 4)
		return error_set(err, -EINVAL, "the kernel in the UKI is no PE file");
	return tamper_flip(fd, p->kernel + header + PE_TIME_STAMP, err);
}
