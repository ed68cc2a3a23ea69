/* SPDX-License-Identifier: Apache-2.0 */
/* Every block of a file system is named, and a damaged one does no harm. */
#include "ext4_fixture.h"

#define PARTITION (1024 * 1024) /* the file system does not begin at byte 0 of the image */

struct image {
	int fd;
	uint64_t blocks;
};

static struct image make(const char *dir, struct tree *t)
{
	_cleanup_ext4_ struct ext4 *fs = plan(t);
	_cleanup_free_ char *path = write_image(dir, t, fs);
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;
	struct image image = {.fd = open(path, O_RDWR | O_CLOEXEC), .blocks = ext4_size(fs) / 4096};

	assert_int_equal(io_read_file(AT_FDCWD, path, 1 << 30, &b, &err), 0);
	assert_int_equal(io_pwrite_full(image.fd, path, b.ptr, b.len, PARTITION, &err), 0);
	return image;
}

/* Names of all blocks, each once where it repeats, joined by newlines. */
static char *names(const struct image *image)
{
	_cleanup_free_ char *last = NULL;
	struct buf all = {0};

	for (uint64_t i = 0; i < image->blocks; i++) {
		char *owner = ext4_block_owner(image->fd, PARTITION, i);

		if (!last || strcmp(last, owner) != 0)
			buf_printf(&all, "%s\n", owner);
		free(last);
		last = owner;
	}
	return buf_steal(&all);
}

static void test_all_blocks(void **state)
{
	static const struct tree_run runs[] = {
		{0, 1, 0}, {20000, 1, 0}, {40000, 1, 0}, {60000, 1, 0}, {80000, 1, 0}};
	_cleanup_tree_ struct tree *t = tree_new();
	_cleanup_free_ char *got = NULL;
	char large[3000] = "x", target[100];
	struct image image;

	memset(target, 't', sizeof(target) - 1);
	target[sizeof(target) - 1] = 0;
	add_dir(t, "usr");
	add_dir(t, "usr/bin");
	add_file(t, "usr/bin/hello", "hello", 9000);
	add_sparse(t, "usr/sparse", 100000, 5, runs);
	add_symlink(t, "usr/link", target);
	add_xattr(add_dir(t, "var"), "user.large", large, sizeof(large));
	image = make(*state, t);
	got = names(&image);
	assert_string_equal(got, "superblock\ngroup descriptors\ninode table\nfree\n"
				 "directory /\ndirectory /usr\ndirectory /usr/bin\n/usr/link\n"
				 "extent tree of /usr/sparse\ndirectory /var\nattributes of /var\n"
				 "directory /lost+found\nblock bitmap\ninode bitmap\nfree\n"
				 "/usr/bin/hello\n/usr/sparse\n");
	close(image.fd);
}

static void assert_owner(const struct image *image, uint64_t block, const char *want)
{
	_cleanup_free_ char *owner = ext4_block_owner(image->fd, PARTITION, block);

	assert_string_equal(owner, want);
}

static void test_unreadable(void **state)
{
	_cleanup_tree_ struct tree *t = tree_new();
	struct error err = ERROR_INIT;
	struct image image;

	add_text(t, "file", "x");
	image = make(*state, t);
	assert_owner(&image, image.blocks - 1, "/file");
	assert_owner(&image, image.blocks, "unknown");
	assert_owner(&image, UINT64_MAX, "unknown");
	/* Without names a number is left; without a superblock nothing. */
	assert_int_equal(
		io_pwrite_full(image.fd, "image", "\xff\xff\xff\xff\xff\xff", 6, PARTITION + 64 * 4096, &err),
		0);
	assert_owner(&image, image.blocks - 1, "inode 12");
	assert_int_equal(io_pwrite_full(image.fd, "image", "\0\0", 2, PARTITION + 1024 + 56, &err), 0);
	assert_owner(&image, image.blocks - 1, "unknown");
	assert_owner(&image, 0, "superblock");
	close(image.fd);
	assert_owner(&image, 5, "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_dir(test_all_blocks),
		unit_test_in_dir(test_unreadable),
	};

	return cmocka_run_group_tests(tests, set_environment, NULL);
}
