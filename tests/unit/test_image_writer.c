/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "image/layout.h"
#include "image/writer.h"
#include "lib/io.h"
#include "lib/mem.h"
#include "lib/spawn.h"
#include "lib/zero.h"

#define MIB	  (1024ull * 1024)
#define DISK_SIZE (8 * MIB)
#define ROOT_AT	  MIB
#define ROOT_SIZE (3 * MIB + 5 * VERITY_BLOCK)
#define VERITY_AT (5 * MIB)

static char dir[] = "/tmp/mkappliance-test-XXXXXX";

/* A disk with two files of a tree, one of them in memory, and the bytes that are expected on it. */
struct fixture {
	struct tree *tree;
	struct tree_entry memory, unreadable;
	struct extent_list extents;
	uint8_t *expected;
	uint8_t metadata[10000];
	struct block_digests digests;
	uint64_t nonzero;
	char *path;
	struct writer w;
};

static void fill(uint8_t *p, size_t len, uint32_t seed)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
}

static void add_expected(struct fixture *f, uint64_t offset, const void *data, size_t len)
{
	memcpy(f->expected + ROOT_AT + offset, data, len);
}

static void setup(struct fixture *f)
{
	uint8_t *content = f->memory.memory = xmalloc(MIB + 777);

	f->tree = tree_new();
	f->expected = xcalloc(1, DISK_SIZE);
	fill(f->metadata, sizeof(f->metadata), 1);
	fill(content, MIB + 777, 2);
	memset(content + 100000, 0, 300000); /* zeros in the middle of a file are not written either */
	f->memory.path = xstrdup("usr/bin/hello");
	f->memory.mode = S_IFREG | 0755;
	f->memory.size = MIB + 777;
	f->memory.origin = ORIGIN_MEMORY;

	/* Behind a hole, over the border of two pieces, and one byte before the end of the root. */
	extent_add_memory(&f->extents, 0, 10, f->metadata);
	extent_add_file(&f->extents, 600 * 1024, MIB + 777, &f->memory, 0);
	extent_add_file(&f->extents, ROOT_SIZE - 501, 500, &f->memory, 50000);
	extent_add_memory(&f->extents, 512 * 1024 - 5000, sizeof(f->metadata), f->metadata);
	extent_sort(&f->extents);
	add_expected(f, 0, f->metadata, 10);
	add_expected(f, 600 * 1024, content, MIB + 777);
	add_expected(f, ROOT_SIZE - 501, content + 50000, 500);
	add_expected(f, 512 * 1024 - 5000, f->metadata, sizeof(f->metadata));

	f->path = xasprintf("%s/disk", dir);
	block_digests_init(&f->digests, DISK_SIZE);
	f->w = (struct writer){
		.fd = open(f->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600),
		.name = "disk",
		.tree = f->tree,
		.blocks = &f->digests,
		.nonzero = &f->nonzero,
	};
	assert_true(f->w.fd >= 0);
	assert_int_equal(ftruncate(f->w.fd, DISK_SIZE), 0);
}

static void teardown(struct fixture *f)
{
	close(f->w.fd);
	unlink(f->path);
	free(f->path);
	free(f->memory.path);
	free(f->memory.memory);
	free(f->expected);
	extent_free(&f->extents);
	block_digests_free(&f->digests);
	tree_free(f->tree);
}

/* The disk up to @end is as expected, and every block digest is that of the bytes on the disk. */
static void check_disk(struct fixture *f, uint64_t end)
{
	uint8_t *disk = xmalloc(DISK_SIZE);
	struct error err = ERROR_INIT;
	struct sha256 digest;

	assert_int_equal(io_pread_full(f->w.fd, "disk", disk, DISK_SIZE, 0, &err), 0);
	assert_memory_equal(disk, f->expected, end);
	assert_int_equal(f->digests.count, DISK_SIZE / LAYOUT_BLOCK);
	for (size_t i = 0; i < f->digests.count; i++) {
		sha256_of(disk + i * LAYOUT_BLOCK, LAYOUT_BLOCK, &digest);
		assert_memory_equal(&digest, &f->digests.ptr[i], sizeof(digest));
	}
	free(disk);
}

static void test_put(void **state)
{
	struct fixture f = {0};
	struct error err = ERROR_INIT;
	uint64_t nonzero = 0;
	struct stat st;

	(void)state;
	setup(&f);
	assert_int_equal(writer_put(&f.w, ROOT_AT, ROOT_SIZE, &f.extents, &err), 0);
	check_disk(&f, DISK_SIZE);
	for (size_t at = 0; at < DISK_SIZE; at += VERITY_BLOCK)
		nonzero += is_zero(f.expected + at, VERITY_BLOCK) ? 0 : VERITY_BLOCK;
	assert_int_equal(f.nonzero, nonzero);
	/* Nothing else takes room; the file system may need a block for its own map of the file. */
	assert_int_equal(fstat(f.w.fd, &st), 0);
	assert_in_range((uint64_t)st.st_blocks * 512, 0, nonzero + 64 * 1024);
	teardown(&f);
}

static void test_put_verity(void **state)
{
	struct verity_superblock sb = {.data_blocks = ROOT_SIZE / VERITY_BLOCK};
	struct sha256 root, again;
	uint64_t nonzero = 0;

	(void)state;
	fill(sb.salt, sizeof(sb.salt), 3);
	fill(sb.uuid.b, sizeof(sb.uuid.b), 4);
	for (unsigned threads = 1; threads <= 7; threads += 3) {
		struct fixture f = {0};
		struct error err = ERROR_INIT;

		setup(&f);
		f.w.threads = threads;
		assert_int_equal(
			writer_put_verity(&f.w, ROOT_AT, ROOT_SIZE, &f.extents, VERITY_AT, &sb, &root, &err),
			0);
		check_disk(&f, VERITY_AT);
		if (threads > 1) {
			assert_memory_equal(&root, &again, sizeof(root));
			assert_int_equal(nonzero, f.nonzero);
		}
		again = root;
		nonzero = f.nonzero;
		teardown(&f);
	}
}

/* What veritysetup says of it, before and after one byte is changed. */
static void test_veritysetup(void **state)
{
	struct fixture f = {0};
	struct verity_superblock sb = {.data_blocks = ROOT_SIZE / VERITY_BLOCK};
	struct sha256 root;
	struct error err = ERROR_INIT;
	char hex[SHA256_HEX_SIZE], *data = xasprintf("%s/data", dir), *hash = xasprintf("%s/hash", dir);
	const char *const argv[] = {"veritysetup", "verify", data, hash, hex, NULL};
	struct spawn s = {.argv = argv};
	uint8_t *copy = xmalloc(DISK_SIZE);

	(void)state;
	if (!spawn_available("veritysetup"))
		skip();
	fill(sb.salt, sizeof(sb.salt), 5);
	setup(&f);
	assert_int_equal(writer_put_verity(&f.w, ROOT_AT, ROOT_SIZE, &f.extents, VERITY_AT, &sb, &root, &err),
			 0);
	hex_encode(&root, sizeof(root), hex);
	assert_int_equal(io_pread_full(f.w.fd, "disk", copy, DISK_SIZE, 0, &err), 0);
	assert_int_equal(output_write_file(data, copy + ROOT_AT, ROOT_SIZE, &err), 0);
	assert_int_equal(output_write_file(hash, copy + VERITY_AT, DISK_SIZE - VERITY_AT, &err), 0);
	if (spawn_run(&s, &err) < 0)
		fail_msg("%s", err.text);
	copy[ROOT_AT + 700 * 1024] ^= 1;
	assert_int_equal(output_write_file(data, copy + ROOT_AT, ROOT_SIZE, &err), 0);
	assert_true(spawn_run(&s, &err) < 0);
	unlink(data);
	unlink(hash);
	free(data);
	free(hash);
	free(copy);
	teardown(&f);
}

static void test_rehash(void **state)
{
	struct fixture f = {0};
	struct error err = ERROR_INIT;

	(void)state;
	setup(&f);
	f.expected[3] = 1;
	assert_int_equal(io_pwrite_full(f.w.fd, "disk", f.expected, 10, 0, &err), 0);
	assert_int_equal(writer_rehash(&f.w, 0, &err), 0);
	assert_int_equal(writer_put(&f.w, ROOT_AT, ROOT_SIZE, &f.extents, &err), 0);
	check_disk(&f, DISK_SIZE);
	assert_int_equal(writer_rehash(&f.w, 15, &err), 0);
	check_disk(&f, DISK_SIZE);
	teardown(&f);
}

/* A source that cannot be read and a disk that is full end in the message of the first failure. */
static void test_failures(void **state)
{
	struct fixture f = {0};
	struct error err = ERROR_INIT;
	struct verity_superblock sb = {.data_blocks = ROOT_SIZE / VERITY_BLOCK};
	struct sha256 root = {{0x77}};
	char *missing = xstrdup("no-such-file");

	(void)state;
	setup(&f);
	f.tree->sources = xcalloc(1, sizeof(*f.tree->sources));
	f.tree->sources[0] = (struct tree_source){.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
						  .name = xstrdup("source")};
	f.tree->source_count = f.tree->source_cap = 1;
	f.unreadable = (struct tree_entry){
		.path = missing,
		.mode = S_IFREG | 0644,
		.size = 100,
		.origin = ORIGIN_PATH,
		.host = missing,
	};
	extent_add_file(&f.extents, 2 * MIB, 100, &f.unreadable, 0);
	extent_sort(&f.extents);
	assert_true(writer_put_verity(&f.w, ROOT_AT, ROOT_SIZE, &f.extents, VERITY_AT, &sb, &root, &err) < 0);
	assert_non_null(strstr(err.text, "no-such-file"));
	assert_int_equal(root.b[0], 0x77);
	f.extents.len = 0;

	close(f.w.fd);
	f.w.fd = open("/dev/full", O_RDWR | O_CLOEXEC);
	extent_add_memory(&f.extents, 0, sizeof(f.metadata), f.metadata);
	assert_true(writer_put(&f.w, ROOT_AT, ROOT_SIZE, &f.extents, &err) < 0);
	assert_int_equal(err.code, -ENOSPC);
	assert_non_null(strstr(err.text, "no space left"));

	sb.data_blocks++;
	assert_true(writer_put_verity(&f.w, ROOT_AT, ROOT_SIZE, &f.extents, VERITY_AT, &sb, &root, &err) < 0);
	free(missing);
	teardown(&f);
}

static int group_setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int group_teardown(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	return io_remove_tree(dir, &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put),	    cmocka_unit_test(test_put_verity),
		cmocka_unit_test(test_veritysetup), cmocka_unit_test(test_rehash),
		cmocka_unit_test(test_failures),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
