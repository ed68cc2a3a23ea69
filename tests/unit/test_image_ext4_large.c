/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where numbers get large: directories with hash trees, extent trees, block groups; and what a change
 * moves.
 */
#include "ext4_fixture.h"

#include <ext2fs/ext2fs.h>

#include "image/ext4_internal.h"

/* ---- directories ---- */

static void add_many(struct tree *t, const char *dir, unsigned count, unsigned name_len)
{
	char path[400];

	add_dir(t, dir);
	for (unsigned i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/%0*u", dir, (int)name_len, i);
		add_entry(t, path, S_IFREG | 0644);
	}
}

/* Lookups by the kernel are tried by hand; e2fsck compares the hash of each name with its place. */
static void test_one_block(void **state)
{
	_cleanup_tree_ struct tree *t = tree_new();
	_cleanup_free_ char *image = NULL;

	/* (4096 - 24) / 16 = 254.5 */
	add_many(t, "full", 254, 8);
	add_many(t, "more", 255, 8);
	image = make_image(*state, t);
	assert_debugfs(image, "stat /full", "Flags: 0x80000");
	assert_debugfs(image, "stat /full", "Size: 4096");
	assert_debugfs(image, "stat /more", "Flags: 0x81000");
	assert_debugfs(image, "stat /more", "Size: 8192");
	assert_debugfs(image, "htree_dump /more", "Indirect levels: 0");
	assert_debugfs(image, "htree_dump /more", "Number of entries (count): 1\n");
}

static void test_5000_names(void **state)
{
	_cleanup_tree_ struct tree *t = tree_new();
	_cleanup_free_ char *image = NULL;

	add_many(t, "dir", 5000, 30);
	image = make_image(*state, t);
	assert_debugfs(image, "htree_dump /dir", "Indirect levels: 0");
	assert_debugfs(image, "htree_dump /dir", "Number of entries (limit): 508");
	assert_debugfs(image, "stat /dir/000000000000000000000000004999", "Type: regular");
}

static void test_70000_names(void **state)
{
	_cleanup_tree_ struct tree *t = tree_new();
	_cleanup_free_ char *image = NULL;

	add_many(t, "dir", 70000, 24);
	image = make_image(*state, t);
	assert_debugfs(image, "htree_dump /dir", "Indirect levels: 1");
	assert_debugfs(image, "htree_dump /dir", "Number of entries (limit): 511");
}

/* 8,000 names of 255 bytes: 15 a leaf, so more leaves than the root can point to. */
static void test_long_names(void **state)
{
	_cleanup_tree_ struct tree *t = tree_new();
	_cleanup_free_ char *image = NULL;

	add_many(t, "dir", 8000, 255);
	image = make_image(*state, t);
	assert_debugfs(image, "htree_dump /dir", "Indirect levels: 1");
}

static void test_many_subdirectories(void **state)
{
	_cleanup_tree_ struct tree *t = tree_new();
	_cleanup_free_ char *image = NULL;
	char path[32];

	add_dir(t, "most");
	add_dir(t, "over");
	for (unsigned i = 0; i < 64998 + 64999; i++) {
		snprintf(path, sizeof(path), "%s/%u", i < 64998 ? "most" : "over", i);
		add_dir(t, path);
	}
	image = make_image(*state, t);
	assert_debugfs(image, "stat /most", "Links: 65000");
	assert_debugfs(image, "stat /over", "Links: 1 ");
}

/* ---- two names of one hash on the two sides of a leaf's end ---- */

struct hashed_name {
	uint32_t hash;
	uint32_t number;
};

static int by_hash(const void *a, const void *b)
{
	const struct hashed_name *x = a, *y = b;

	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static void test_collision(void **state)
{
	enum { POOL = 400000, PER_LEAF = 256 };
	_cleanup_free_ struct hashed_name *pool = xcalloc(POOL, sizeof(*pool));
	_cleanup_tree_ struct tree *t = tree_new();
	_cleanup_free_ char *image = NULL, *want = NULL;
	struct ext4_params params = fixture_params();
	uint32_t seed[4], pair = PER_LEAF;
	char name[16];

	memcpy(seed, params.hash_seed.b, sizeof(seed));
	for (uint32_t i = 0; i < POOL; i++) {
		snprintf(name, sizeof(name), "%08x", i);
		pool[i].number = i;
		ext2fs_dirhash2(EXT4_HASH_VERSION, name, 8, NULL, 0, seed, &pool[i].hash, NULL);
	}
	qsort(pool, POOL, sizeof(*pool), by_hash);
	while (pair < POOL - 1 && pool[pair].hash != pool[pair + 1].hash)
		pair++;
	assert_true(pair < POOL - 1);
	/* 255 names below the pair, so that its first is the last of a leaf. */
	for (uint32_t i = pair - (PER_LEAF - 1); i <= pair + 1; i++) {
		snprintf(name, sizeof(name), "d/%08x", pool[i].number);
		add_entry(t, name, S_IFREG | 0644);
	}
	add_dir(t, "d");
	image = make_image(*state, t);
	want = xasprintf("Entry #1: Hash 0x%08x, block 2", pool[pair].hash | 1);
	assert_debugfs(image, "htree_dump /d", want);
}

/* ---- extents ---- */

static void test_contiguous(void **state)
{
	static const struct tree_run whole = {.length = 700u << 20};
	_cleanup_tree_ struct tree *t = tree_new();
	_cleanup_free_ char *image = NULL;

	/* 128 MiB an extent: six, more than the inode holds. */
	add_sparse(t, "large", 700u << 20, 1, &whole);
	add_text(t, "small", "behind it\n");
	image = make_image(*state, t);
	assert_debugfs(image, "ex /large", " 1/  6      0 -  32767");
	assert_debugfs(image, "stat /large", "Blockcount: 1433608");
	assert_debugfs(image, "cat /small", "behind it\n");
}

/* Holes make one extent each: 3 are in the inode, 1,000 in three leaves, 100,000 in two levels. */
static void test_holes(void **state)
{
	enum { MANY = 100000 };
	_cleanup_free_ struct tree_run *runs = xcalloc(MANY, sizeof(*runs));
	_cleanup_tree_ struct tree *t = tree_new();
	_cleanup_free_ char *image = NULL;

	for (size_t i = 0; i < MANY; i++)
		runs[i] = (struct tree_run){.offset = i * 1000000, .length = 1};
	add_sparse(t, "3", 4000000, 3, runs);
	add_sparse(t, "1000", 1000000000, 1000, runs);
	add_sparse(t, "100000", MANY * 1000000ull, MANY, runs);
	image = make_image(*state, t);
	assert_debugfs(image, "stat /3", "Blockcount: 24");
	assert_debugfs(image, "ex /1000", " 1/ 1");
	assert_debugfs(image, "stat /1000", "Blockcount: 8024");
	assert_debugfs(image, "ex /100000", " 2/ 2");
	assert_debugfs(image, "stat /100000", "Size: 100000000000");
}

/* ---- groups ---- */

static void test_groups(void **state)
{
	static const struct tree_run whole = {.length = 2304ull << 20};
	_cleanup_tree_ struct tree *t = tree_new();
	_cleanup_free_ char *image = NULL, *out = NULL;

	/* Over 16 groups of 128 MiB. */
	add_many(t, "dir", 1000, 10);
	add_sparse(t, "a", 2304ull << 20, 1, &whole);
	add_text(t, "z", "the end\n");
	image = make_image(*state, t);
	out = RUN("dumpe2fs", image);
	assert_contains(out, "Group 18: ");
	assert_null(strstr(out, "Group 19: "));
	assert_null(strstr(out, "Backup superblock"));
	assert_debugfs(image, "cat /z", "the end\n");
}

/* More inodes than one group may have, for little content: groups of fewer blocks. */
static void test_inodes_need_groups(void **state)
{
	_cleanup_tree_ struct tree *t = tree_new();
	_cleanup_free_ char *image = NULL;

	add_many(t, "dir", 66000, 5);
	image = make_image(*state, t);
	assert_debugfs(image, "stat /dir/65999", "Type: regular");
}

/*
 * libext2fs checks sizes of its own and drops a last group that it finds too small; ext4_plan() fails when
 * it does, so try all sizes around the end of a group.
 */
static void test_every_size(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	for (uint64_t blocks = 32000; blocks < 33500; blocks++) {
		_cleanup_tree_ struct tree *t = tree_new();
		_cleanup_ext4_ struct ext4 *fs = NULL;

		/* Never read, so it needs no bytes. */
		struct tree_entry *e = add_entry(t, "a", S_IFREG | 0644);

		e->origin = ORIGIN_FD;
		e->size = blocks * 4096;
		fs = plan(t);
		assert_true(ext4_size(fs) / 4096 >= blocks + 70);
		assert_true(ext4_size(fs) / 4096 <= blocks + 330);
	}
	for (unsigned files = 0; files < 3000; files += 13) {
		_cleanup_tree_ struct tree *t = tree_new();
		_cleanup_ext4_ struct ext4 *fs = NULL;

		add_many(t, "dir", files, 6);
		fs = plan(t);
	}
	for (uint32_t inodes = 11; inodes < 200000; inodes += inodes / 50 + 1) {
		struct ext4_geometry g;

		assert_int_equal(ext4_geometry(inodes, inodes / 9, inodes / 7, &g, &err), 0);
		assert_true(g.groups * g.inodes_per_group >= inodes);
		assert_true(g.blocks >= (g.groups - 1) * g.blocks_per_group + g.inodes_per_group / 16 + 52);
		assert_true(g.blocks <= g.groups * g.blocks_per_group);
	}
}

static void test_too_large(void **state)
{
	_cleanup_tree_ struct tree *t = tree_new();
	char name[2] = "a";

	(void)state;
	for (int i = 0; i < 3; i++, name[0]++) {
		struct tree_entry *e = add_entry(t, name, S_IFREG | 0644);

		e->origin = ORIGIN_FD;
		e->size = 6ull << 40;
	}
	assert_plan_fails(t, -EFBIG, "16 TiB is the most");
}

/* ---- what a new version of the application moves ---- */

static struct tree *make_version(unsigned files, size_t size)
{
	struct tree *t = tree_new();
	char path[64];

	add_dir(t, "usr");
	add_dir(t, "usr/lib");
	for (unsigned i = 0; i < 900; i++) {
		snprintf(path, sizeof(path), "usr/lib/base-%u", i);
		add_file(t, path, path, 5000 + i);
	}
	/* In the middle of the base by name, behind it by place. */
	for (unsigned i = 0; i < files; i++) {
		snprintf(path, sizeof(path), "usr/lib/base-5-app-%u", i);
		add_file(t, path, path, size)->layer = 1;
	}
	sort_tree(t);
	return t;
}

static unsigned count_different_blocks(const char *a, const char *b)
{
	_cleanup_buf_ struct buf x = {0}, y = {0};
	struct error err = ERROR_INIT;
	unsigned n = 0;

	assert_int_equal(io_read_file(AT_FDCWD, a, 1 << 30, &x, &err), 0);
	assert_int_equal(io_read_file(AT_FDCWD, b, 1 << 30, &y, &err), 0);
	for (size_t at = 0; at < x.len || at < y.len; at += 4096)
		n += at >= x.len || at >= y.len || memcmp(x.ptr + at, y.ptr + at, 4096) != 0;
	return n;
}

static void test_application_changes(void **state)
{
	_cleanup_tree_ struct tree *one = make_version(10, 10000), *two = make_version(14, 12000);
	_cleanup_ext4_ struct ext4 *a = plan(one), *b = plan(two);
	_cleanup_free_ char *first = write_image(*state, one, a), *second = xasprintf("%s.1", first),
			    *again = NULL;
	unsigned different;

	assert_int_equal(rename(first, second), 0);
	again = write_image(*state, two, b);
	different = count_different_blocks(second, again);
	/*
	 * 14 files of 3 blocks; superblock, descriptors, two bitmaps, two blocks of inodes; the directory's
	 * 8 blocks.
	 */
	if (different > 14 * 3 + 6 + 8)
		fail_msg("%u blocks differ", different);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_dir(test_one_block),
		unit_test_in_dir(test_5000_names),
		unit_test_in_dir(test_70000_names),
		unit_test_in_dir(test_long_names),
		unit_test_in_dir(test_many_subdirectories),
		unit_test_in_dir(test_collision),
		unit_test_in_dir(test_contiguous),
		unit_test_in_dir(test_holes),
		unit_test_in_dir(test_groups),
		unit_test_in_dir(test_inodes_need_groups),
		cmocka_unit_test(test_every_size),
		cmocka_unit_test(test_too_large),
		unit_test_in_dir(test_application_changes),
	};

	return cmocka_run_group_tests(tests, set_environment, NULL);
}
