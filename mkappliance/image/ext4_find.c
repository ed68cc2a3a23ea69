/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <ext2fs/ext2fs.h>
#include <inttypes.h>
#include <stdio.h>

#include "image/ext4.h"

static void cleanup_fsp(ext2_filsys *fs)
{
	if (*fs)
		ext2fs_free(*fs);
}

int ext4_first_block(int fd, uint64_t offset, const char *path, uint64_t *ret, struct error *err)
{
	__attribute__((cleanup(cleanup_fsp))) ext2_filsys fs = NULL;
	char name[64], options[64];
	blk64_t block = 0;
	ext2_ino_t ino;
	errcode_t e;

	initialize_ext2_error_table(); /* or error_message() knows no text of libext2fs */
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	snprintf(options, sizeof(options), "offset=%" PRIu64, offset);
	e = ext2fs_open2(name, options, EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &fs);
	if (e)
		return error_set(err, -EINVAL, "root file system: %s", error_message(e));
	e = ext2fs_namei_follow(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, path, &ino);
	if (!e)
		e = ext2fs_bmap2(fs, ino, NULL, NULL, 0, 0, NULL, &block);
	if (e)
		return error_set(err, -ENOENT, "%s in the root: %s", path, error_message(e));
	if (block == 0)
		return error_set(err, -ENOENT, "%s in the root: has no data", path);
	*ret = block;
	return 0;
}
