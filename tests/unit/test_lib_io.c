/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char *below(void **state, const char *name)
{
	return xasprintf("%s/%s", (char *)*state, name);
}

static void write_text(const char *path, const char *text)
{
	struct error err = ERROR_INIT;

	if (output_write_file(path, text, strlen(text), &err) < 0)
		fail_msg("%s", err.text);
}

static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

/* ---- reading and writing ---- */

static void test_read_at(void **state)
{
	_cleanup_free_ char *path = below(state, "f");
	_cleanup_close_ int fd = -EBADF;
	struct error err = ERROR_INIT;
	char buf[8] = {0};

	write_text(path, "0123456789");
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(io_pread_full(fd, "f", buf, 4, 3, &err), 0);
	assert_string_equal(buf, "3456");
	assert_int_equal(io_pread_full(fd, "f", buf, 0, 99, &err), 0);
	assert_int_equal(io_pread_full(fd, "f", buf, 4, 8, &err), -ENODATA);
	assert_string_equal(err.text, "f: ends at byte 10, 2 more bytes expected");
	assert_int_equal(io_pread_full(-1, "f", buf, 4, 8, &err), -EBADF);
	assert_string_equal(err.text, "f: reading at byte 8: Bad file descriptor");
	assert_int_equal(io_pread_full(fd, "f", buf, 4, UINT64_MAX, &err), -EINVAL);
}

static void test_write_at(void **state)
{
	_cleanup_free_ char *path = below(state, "f");
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;

	assert_int_equal(io_pwrite_full(fd, "f", "xyz", 3, 2, &err), 0);
	assert_int_equal(io_write_full(fd, "f", "ab", 2, &err), 0);
	assert_int_equal(io_read_file(AT_FDCWD, path, 100, &b, &err), 0);
	assert_string_equal(b.ptr, "abxyz");
}

static void test_full_disk(void **state)
{
	_cleanup_close_ int fd = open("/dev/full", O_RDWR | O_CLOEXEC);
	struct error err = ERROR_INIT;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(io_write_full(fd, "out.raw", "x", 1, &err), -ENOSPC);
	assert_string_equal(err.text,
			    "out.raw: no space left on the disk; free some or choose another directory");
	assert_int_equal(io_pwrite_full(fd, "out.raw", "x", 1, 5, &err), -ENOSPC);
	assert_string_equal(err.text,
			    "out.raw: no space left on the disk; free some or choose another directory");
}

static void test_read_file(void **state)
{
	_cleanup_free_ char *path = below(state, "f"), *none = below(state, "none");
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;

	write_text(path, "12345");
	buf_add(&b, "old", 3);
	assert_int_equal(io_read_file(AT_FDCWD, path, 5, &b, &err), 0);
	assert_string_equal(b.ptr, "12345");
	assert_int_equal(io_read_file(AT_FDCWD, path, 4, &b, &err), -EFBIG);
	assert_contains(err.text, "/f: larger than 4 bytes");
	assert_int_equal(io_read_file(AT_FDCWD, none, 4, &b, &err), -ENOENT);
	assert_contains(err.text, "/none: No such file or directory");
	assert_int_equal(io_read_file(AT_FDCWD, *state, 4, &b, &err), -EISDIR);
	assert_string_equal(b.ptr, "12345"); /* untouched by the failures */
	write_text(path, "");
	assert_int_equal(io_read_file(AT_FDCWD, path, 0, &b, &err), 0);
	assert_int_equal(b.len, 0);
}

static void test_read_file_in_pieces(void **state)
{
	_cleanup_free_ char *path = below(state, "f"), *text = xcalloc(1, 100001);
	_cleanup_close_ int dir = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < 100000; i++)
		text[i] = (char)('a' + i % 23);
	write_text(path, text);
	assert_int_equal(io_read_file(dir, "f", 100000, &b, &err), 0);
	assert_int_equal(b.len, 100000);
	assert_string_equal(b.ptr, text);
}

/* ---- directories ---- */

static void test_make_dirs(void **state)
{
	_cleanup_free_ char *deep = below(state, "a/b//c/"), *file = below(state, "a/f"),
			    *under = below(state, "a/f/x");
	_cleanup_free_ char *link = below(state, "link"), *through = below(state, "link/y");
	struct error err = ERROR_INIT;
	struct stat st;

	assert_int_equal(io_make_dirs(deep, 0755, &err), 0);
	assert_int_equal(io_make_dirs(deep, 0755, &err), 0);
	assert_int_equal(stat(deep, &st), 0);
	assert_int_equal(io_make_dirs("/", 0755, &err), 0);
	assert_int_equal(io_make_dirs(".", 0755, &err), 0);
	assert_int_equal(symlink("a", link), 0);
	assert_int_equal(io_make_dirs(through, 0755, &err), 0);
	write_text(file, "");
	assert_int_equal(io_make_dirs(file, 0755, &err), -ENOTDIR);
	assert_contains(err.text, "/a/f: a file is in the way, a directory is needed there");
	assert_int_equal(io_make_dirs(under, 0755, &err), -ENOTDIR);
}

static void test_remove_tree(void **state)
{
	_cleanup_free_ char *tree = below(state, "t"), *deep = below(state, "t/a/b/c"),
			    *file = below(state, "t/a/f");
	_cleanup_free_ char *kept_dir = below(state, "kept"), *kept = below(state, "kept/f");
	_cleanup_free_ char *to_dir = below(state, "t/link"), *to_file = below(state, "t/a/link"),
			    *dangling = below(state, "t/x");
	struct error err = ERROR_INIT;

	assert_int_equal(io_make_dirs(deep, 0755, &err), 0);
	assert_int_equal(io_make_dirs(kept_dir, 0755, &err), 0);
	write_text(file, "x");
	write_text(kept, "x");
	assert_int_equal(symlink("../kept", to_dir), 0);
	assert_int_equal(symlink("../../kept/f", to_file), 0);
	assert_int_equal(symlink("/nowhere", dangling), 0);
	assert_int_equal(io_remove_tree(tree, &err), 0);
	assert_false(exists(tree));
	assert_true(exists(kept));

	/* What is itself a link is removed as a link; what is not there is fine. */
	assert_int_equal(symlink("kept", tree), 0);
	assert_int_equal(io_remove_tree(tree, &err), 0);
	assert_false(exists(tree));
	assert_true(exists(kept));
	assert_int_equal(io_remove_tree(tree, &err), 0);
	assert_int_equal(io_remove_tree(kept, &err), 0);
	assert_false(exists(kept));
}

/* Deeper than PATH_MAX and than there are descriptors by default would be no tree of ours; 500 levels are. */
static void test_remove_deep_tree(void **state)
{
	_cleanup_free_ char *tree = below(state, "t");
	_cleanup_close_ int fd = -EBADF;
	struct error err = ERROR_INIT;

	assert_int_equal(mkdir(tree, 0755), 0);
	fd = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 500; i++) {
		int next;

		assert_int_equal(mkdirat(fd, "a-name-of-twenty-chars", 0755), 0);
		next = openat(fd, "a-name-of-twenty-chars", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		assert_int_equal(close(fd), 0);
		fd = next;
	}
	assert_int_equal(io_remove_tree(tree, &err), 0);
	assert_false(exists(tree));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_dir(test_read_at),
		unit_test_in_dir(test_write_at),
		cmocka_unit_test(test_full_disk),
		unit_test_in_dir(test_read_file),
		unit_test_in_dir(test_read_file_in_pieces),
		unit_test_in_dir(test_make_dirs),
		unit_test_in_dir(test_remove_tree),
		unit_test_in_dir(test_remove_deep_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
