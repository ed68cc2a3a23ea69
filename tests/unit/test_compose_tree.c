/* SPDX-License-Identifier: Apache-2.0 */
/* Order, look-up and reading of the merged tree. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "compose/tree.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/mem.h"

static struct tree_entry *add(struct tree *t, const char *path, mode_t mode, const char *target)
{
	struct tree_entry *e = xcalloc(1, sizeof(*e));

	e->path = xstrdup(path);
	e->mode = mode;
	e->nlink = 1;
	e->target = target ? xstrdup(target) : NULL;
	array_grow(t->entries, t->len, t->cap);
	t->entries[t->len++] = e;
	return e;
}

static void add_source(struct tree *t, int fd, const char *name)
{
	array_grow(t->sources, t->source_count, t->source_cap);
	t->sources[t->source_count++] = (struct tree_source){.fd = fd, .name = xstrdup(name)};
}

static void test_order(void **state)
{
	/* Each before the next: what a directory holds comes directly behind it, bytes are unsigned. */
	static const char *const sorted[] = {"",   "a",	  "a/b", "a/b/c", "a/c", "a\x01",
					     "a!", "a-b", "ab",	 "b",	  "\xff"};

	(void)state;
	for (size_t i = 0; i < sizeof(sorted) / sizeof(sorted[0]); i++)
		for (size_t j = 0; j < sizeof(sorted) / sizeof(sorted[0]); j++) {
			int c = tree_path_compare(sorted[i], sorted[j]);

			assert_int_equal((c > 0) - (c < 0), (i > j) - (i < j));
		}
}

/* A usr-merged tree with the links that trouble a resolver. */
static struct tree *make_links(void)
{
	struct tree *t = tree_new();

	add(t, "", S_IFDIR | 0755, NULL);
	add(t, "abs", S_IFLNK | 0777, "/usr/lib");
	add(t, "dangling", S_IFLNK | 0777, "nowhere");
	add(t, "lib", S_IFLNK | 0777, "usr/lib");
	add(t, "loop", S_IFLNK | 0777, "loop");
	add(t, "usr", S_IFDIR | 0755, NULL);
	add(t, "usr/lib", S_IFDIR | 0755, NULL);
	add(t, "usr/lib/modules", S_IFDIR | 0755, NULL);
	add(t, "usr/lib/out", S_IFLNK | 0777, "../../../../../usr/lib/modules");
	add(t, "usr/lib/x", S_IFREG | 0644, NULL);
	return t;
}

static void assert_resolves(const struct tree *t, const char *path, const char *expected)
{
	const struct tree_entry *e = tree_resolve(t, path);

	if (!expected) {
		assert_null(e);
		return;
	}
	assert_non_null(e);
	assert_string_equal(e->path, expected);
}

static void test_find_and_resolve(void **state)
{
	_cleanup_tree_ struct tree *t = make_links();

	(void)state;
	assert_string_equal(tree_find(t, "usr/lib/x")->path, "usr/lib/x");
	assert_null(tree_find(t, "lib/x"));
	assert_resolves(t, "/", "");
	assert_resolves(t, "lib/modules", "usr/lib/modules");
	assert_resolves(t, "/lib//./modules/", "usr/lib/modules");
	assert_resolves(t, "abs/x", "usr/lib/x");
	assert_resolves(t, "usr/lib/../lib/x", "usr/lib/x");
	assert_resolves(t, "../..", "");
	assert_resolves(t, "lib/out", "usr/lib/modules");
	assert_resolves(t, "loop", NULL);
	assert_resolves(t, "dangling", NULL);
	assert_resolves(t, "lib/x/y", NULL);
	assert_resolves(t, "lib/x/..", NULL);
}

static void assert_reads(const struct tree *t, const struct tree_entry *e, const char *expected, size_t len)
{
	struct error err = ERROR_INIT;
	char buf[64];

	/* Every range, so that each edge of each run is crossed. */
	for (size_t from = 0; from <= len; from++)
		for (size_t to = from; to <= len; to++) {
			memset(buf, 0x55, sizeof(buf));
			assert_int_equal(tree_read(t, e, from, buf, to - from, &err), 0);
			assert_memory_equal(buf, expected + from, to - from);
			assert_int_equal(buf[to - from], 0x55);
		}
}

static void test_read_origins(void **state)
{
	char dir[] = "/tmp/mkappliance-test-XXXXXX";
	_cleanup_free_ char *path = NULL;
	_cleanup_tree_ struct tree *t = tree_new();
	struct error err = ERROR_INIT;
	struct tree_entry *e;
	struct stat st;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	path = xasprintf("%s/data", dir);
	assert_int_equal(output_write_file(path, "0123456789", 10, &err), 0);
	add_source(t, open(path, O_RDONLY | O_CLOEXEC), "data");
	add_source(t, open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), dir);

	e = add(t, "a", S_IFREG | 0644, NULL);
	e->origin = ORIGIN_FD;
	e->stored = 2;
	e->size = 5;
	assert_reads(t, e, "23456", 5);
	e = add(t, "b", S_IFREG | 0644, NULL);
	e->hardlink = t->entries[0];
	e->size = 5;
	assert_reads(t, e, "23456", 5);
	e = add(t, "c", S_IFREG | 0644, NULL);
	e->origin = ORIGIN_FD;
	e->size = 12;
	e->stored = 1;
	e->run_count = 2;
	e->runs = xcalloc(2, sizeof(*e->runs));
	e->runs[0] = (struct tree_run){.offset = 2, .length = 3, .stored = 0};
	e->runs[1] = (struct tree_run){.offset = 7, .length = 2, .stored = 3};
	assert_reads(t, e,
		     "\0\0"
		     "123\0\0"
		     "45\0\0\0",
		     12);
	e = add(t, "d", S_IFREG | 0644, NULL);
	e->origin = ORIGIN_PATH;
	e->source = 1;
	e->host = xstrdup("data");
	e->size = 10;
	assert_int_equal(stat(path, &st), 0);
	e->host_mtime_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
	assert_reads(t, e, "0123456789", 10);

	/* The same size, another time: an error, not other bytes. */
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(futimens(fd, (struct timespec[2]){{.tv_sec = 5}, {.tv_sec = 5}}), 0);
	close(fd);
	{
		char buf[10];

		assert_int_equal(tree_read(t, e, 0, buf, 10, &err), -ESTALE);
		assert_non_null(strstr(err.text, "changed while building"));
		assert_int_equal(unlink(path), 0);
		assert_int_equal(symlink("/etc/passwd", path), 0);
		assert_int_equal(tree_read(t, e, 0, buf, 10, &err), -ESTALE);
	}
	assert_int_equal(io_remove_tree(dir, &err), 0);
}

static void test_read_all(void **state)
{
	_cleanup_tree_ struct tree *t = tree_new();
	struct tree_entry *e = add(t, "a", S_IFREG | 0644, NULL);
	_cleanup_free_ void *data = NULL;
	struct error err = ERROR_INIT;
	size_t len = 0;

	(void)state;
	e->origin = ORIGIN_MEMORY;
	e->memory = xmemdup("hello", 5);
	e->size = 5;
	assert_int_equal(tree_read_all(t, e, 4, &data, &len, &err), -EFBIG);
	assert_null(data);
	assert_int_equal(tree_read_all(t, e, 5, &data, &len, &err), 0);
	assert_int_equal(len, 5);
	assert_string_equal(data, "hello");
	assert_int_equal(tree_read_all(t, add(t, "b", S_IFDIR | 0755, NULL), 5, &data, &len, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_find_and_resolve),
		cmocka_unit_test(test_read_origins),
		cmocka_unit_test(test_read_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
