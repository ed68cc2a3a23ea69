/* SPDX-License-Identifier: Apache-2.0 */
/* Small file systems, one kind of thing each; e2fsck and debugfs say what is in them. */
#include "ext4_fixture.h"

#include <sys/sysmacros.h>

static void test_empty(void **state)
{
	_cleanup_tree_ struct tree *t = tree_new();
	_cleanup_free_ char *image = make_image(*state, t);

	assert_debugfs(image, "stat /", "Mode:  0755");
	assert_debugfs(image, "stat /", "Links: 3");
	assert_debugfs(image, "stat /lost+found", "Inode: 11 ");
	assert_debugfs(image, "stat /lost+found", "Mode:  0700");
}

static void test_superblock(void **state)
{
	_cleanup_tree_ struct tree *t = tree_new();
	_cleanup_free_ char *image = NULL, *out = NULL, *uuid = xmalloc(GUID_TEXT_SIZE);
	struct ext4_params params = fixture_params();

	add_text(t, "hello", "hello\n");
	image = make_image(*state, t);
	out = RUN("dumpe2fs", image);
	guid_format(&params.uuid, uuid);
	if (!strstr(out, uuid))
		fail_msg("no %s", uuid);
	assert_contains(out, "Filesystem volume name:   root\n");
	assert_contains(out, "Filesystem created:       Tue Nov 14 ");
	assert_contains(out, "Last write time:          Tue Nov 14 ");
	assert_contains(out, "Last checked:             Tue Nov 14 ");
	assert_contains(out, "Last mount time:          n/a\n");
	assert_contains(out, "Reserved block count:     0\n");
	assert_contains(out, "Default directory hash:   half_md4\n");
	assert_contains(out, "unsigned_directory_hash");
	assert_contains(out, "ext_attr dir_index sparse_super2 filetype extent flex_bg large_file huge_file "
			     "dir_nlink extra_isize read-only\n");
	assert_null(strstr(out, "Journal"));
}

static void test_root_of_tree(void **state)
{
	_cleanup_tree_ struct tree *t = tree_new();
	_cleanup_free_ char *image = NULL;
	struct tree_entry *root = add_dir(t, "");
	struct tree_entry *lost = add_dir(t, "lost+found");

	root->mode = S_IFDIR | 01770;
	root->uid = 70000;
	root->gid = 80000;
	lost->mode = S_IFDIR | 0711;
	add_text(t, "lost+found/x", "x");
	image = make_image(*state, t);
	assert_debugfs(image, "stat /", "Mode:  01770");
	assert_debugfs(image, "stat /", "User: 70000   Group: 80000");
	assert_debugfs(image, "stat /lost+found", "Mode:  0711");
	assert_debugfs(image, "stat /lost+found", "Inode: 11 ");
	assert_debugfs(image, "cat /lost+found/x", "x");
}

/* Where a file begins; libext2fs says in words why it is nowhere. */
static void test_first_block(void **state)
{
	_cleanup_tree_ struct tree *t = tree_new();
	_cleanup_free_ char *image = NULL, *text = NULL;
	_cleanup_close_ int fd = -1;
	struct error err = ERROR_INIT;
	uint64_t block = 0;

	add_text(t, "hello", "hello\n");
	add_symlink(t, "link", "hello");
	add_text(t, "nothing", "");
	image = make_image(*state, t);
	fd = open(image, O_RDONLY | O_CLOEXEC);
	assert_int_equal(ext4_first_block(fd, 0, "/link", &block, &err), 0);
	text = xasprintf("%ju ", (uintmax_t)block);
	assert_debugfs(image, "blocks /hello", text);
	assert_int_equal(ext4_first_block(fd, 0, "/none", &block, &err), -ENOENT);
	assert_string_equal(err.text, "/none in the root: File not found by ext2_lookup");
	assert_int_equal(ext4_first_block(fd, 0, "/nothing", &block, &err), -ENOENT);
	assert_int_equal(ext4_first_block(fd, 4096, "/hello", &block, &err), -EINVAL);
	assert_contains(err.text, "Bad magic number in super-block");
}

/* The name that e2fsck wants for a directory, taken by something else. */
static void test_lost_found_taken(void **state)
{
	for (int kind = 0; kind < 3; kind++) {
		_cleanup_tree_ struct tree *t = tree_new();
		_cleanup_free_ char *image = NULL;
		struct tree_entry *a = add_text(t, "a", "a");

		if (kind == 0)
			add_hardlink(t, "lost+found", a);
		else if (kind == 1)
			add_symlink(t, "lost+found", "a");
		else
			add_text(t, "lost+found", "a");
		image = make_image(*state, t);
		assert_debugfs(image, "stat /a", kind == 0 ? "Links: 2" : "Links: 1");
	}
}

/* Content comes back byte by byte, the sizes around a block. */
static void test_sizes(void **state)
{
	static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 70001};
	const size_t count = sizeof(sizes) / sizeof(sizes[0]);
	_cleanup_tree_ struct tree *t = tree_new();
	_cleanup_free_ char *image = NULL;

	for (size_t i = 0; i < count; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%zu", sizes[i]);
		add_file(t, name, "mkappliance ", sizes[i]);
	}
	image = make_image(*state, t);
	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *command = xasprintf("dump /f%zu %s/out", sizes[i], (char *)*state);
		_cleanup_free_ char *path = xasprintf("%s/out", (char *)*state);
		_cleanup_free_ char *out = DEBUGFS(image, command);
		_cleanup_buf_ struct buf b = {0};
		struct error err = ERROR_INIT;

		assert_int_equal(io_read_file(AT_FDCWD, path, 1 << 20, &b, &err), 0);
		assert_int_equal(b.len, sizes[i]);
		for (size_t at = 0; at < b.len; at++)
			if (b.ptr[at] != "mkappliance "[at % 12])
				fail_msg("f%zu differs at byte %zu", sizes[i], at);
	}
}

static void test_metadata(void **state)
{
	_cleanup_tree_ struct tree *t = tree_new();
	_cleanup_free_ char *image = NULL;
	struct tree_entry *e = add_text(t, "setuid", "x");

	e->mode = S_IFREG | 06755;
	e->uid = 1000;
	e->gid = 0x12345;
	e->mtime = 0x100000000 + 5;
	e = add_text(t, "old", "x");
	e->mtime = -5;
	e = add_text(t, "new", "x");
	e->mtime = INT64_MAX;
	image = make_image(*state, t);
	assert_debugfs(image, "stat /setuid", "Mode:  06755");
	assert_debugfs(image, "stat /setuid", "User:  1000   Group: 74565");
	assert_debugfs(image, "stat /setuid", "mtime: 0x00000005:00000001");
	assert_debugfs(image, "stat /setuid", "crtime: 0x00000005:00000001");
	assert_debugfs(image, "stat /old", "mtime: 0x00000000:00000000");
	assert_debugfs(image, "stat /new", "mtime: 0x7fffffff:00000003");
}

static void test_hardlinks(void **state)
{
	_cleanup_tree_ struct tree *t = tree_new();
	_cleanup_free_ char *image = NULL;
	struct tree_entry *file, *link;

	add_dir(t, "a");
	add_dir(t, "b");
	file = add_text(t, "a/file", "shared\n");
	add_hardlink(t, "a/second", file);
	add_hardlink(t, "b/third", file);
	link = add_symlink(t, "a/link", "file");
	add_hardlink(t, "b/link", link);
	image = make_image(*state, t);
	assert_debugfs(image, "stat /b/third", "Links: 3");
	assert_debugfs(image, "cat /b/third", "shared\n");
	assert_debugfs(image, "stat /b/link", "Links: 2");
	assert_debugfs(image, "stat /b/link", "Type: symlink");
}

static void test_special(void **state)
{
	_cleanup_tree_ struct tree *t = tree_new();
	_cleanup_free_ char *image = NULL;

	add_entry(t, "null", S_IFCHR | 0666)->rdev = makedev(1, 3);
	add_entry(t, "wide", S_IFBLK | 0660)->rdev = makedev(259, 0x12345);
	add_entry(t, "fifo", S_IFIFO | 0600);
	add_entry(t, "socket", S_IFSOCK | 0600);
	image = make_image(*state, t);
	assert_debugfs(image, "stat /null", "Device major/minor number: 01:03");
	assert_debugfs(image, "stat /wide", "Type: block special");
	assert_debugfs(image, "stat /wide", "259:74565");
	assert_debugfs(image, "stat /fifo", "Type: FIFO");
	assert_debugfs(image, "stat /socket", "Type: socket");
}

static void test_symlinks(void **state)
{
	static const size_t sizes[] = {1, 59, 60, 4095};
	_cleanup_tree_ struct tree *t = tree_new();
	_cleanup_free_ char *image = NULL;
	char target[4097];

	for (size_t i = 0; i < 4; i++) {
		char name[16];

		memset(target, 'a' + (int)i, sizes[i]);
		target[sizes[i]] = 0;
		snprintf(name, sizeof(name), "l%zu", sizes[i]);
		add_symlink(t, name, target);
	}
	image = make_image(*state, t);
	assert_debugfs(image, "stat /l59", "Fast link dest: \"bbbbbb");
	assert_debugfs(image, "stat /l59", "Blockcount: 0");
	assert_debugfs(image, "stat /l60", "Blockcount: 8");
	assert_debugfs(image, "cat /l60", "ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc");
	assert_debugfs(image, "stat /l4095", "Size: 4095");
	assert_debugfs(image, "cat /l4095", target);
}

static void test_names(void **state)
{
	_cleanup_tree_ struct tree *t = tree_new();
	_cleanup_free_ char *image = NULL, *out = NULL;
	char name[256];

	memset(name, 'n', 255);
	name[255] = 0;
	add_text(t, name, "long");
	add_text(t, "\xff\xfe latin-\xe4\n", "bytes");
	image = make_image(*state, t);
	out = xasprintf("cat /%s", name);
	assert_debugfs(image, out, "long");
	assert_debugfs(image, "ls -p /", "/\xff\xfe latin-\xe4\n/5/");
}

/* e2fsck is also content with holes: blocks are counted, content is where it should be. */
static void test_sparse(void **state)
{
	static const struct tree_run runs[] = {
		{.offset = 4096, .length = 4096}, {.offset = 8192, .length = 100}, /* continues the first */
		{.offset = 8400, .length = 100},				   /* same block */
		{.offset = 40960, .length = 0},	  {.offset = 81920, .length = 8192},
		{.offset = 409600, .length = 1}};
	_cleanup_tree_ struct tree *t = tree_new();
	_cleanup_free_ char *image = NULL, *path = xasprintf("%s/out", (char *)*state);
	_cleanup_free_ char *command = xasprintf("dump /sparse %s", path), *out = NULL;
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;

	add_sparse(t, "sparse", 1000000, 6, runs);
	add_entry(t, "hole", S_IFREG | 0644)->size = 1000000;
	image = make_image(*state, t);
	assert_debugfs(image, "stat /sparse", "Blockcount: 40");
	assert_debugfs(image, "stat /hole", "Blockcount: 0");
	assert_debugfs(image, "stat /hole", "Size: 1000000");
	out = DEBUGFS(image, command);
	assert_int_equal(io_read_file(AT_FDCWD, path, 1 << 20, &b, &err), 0);
	assert_int_equal(b.len, 1000000);
	for (size_t at = 0; at < b.len; at++) {
		char want = 0;

		for (size_t i = 0; i < 6; i++)
			if (runs[i].length && at == runs[i].offset)
				want = (char)(i + 1);
		if (b.ptr[at] != want)
			fail_msg("byte %zu is %d, not %d", at, b.ptr[at], want);
	}
}

static void test_xattrs(void **state)
{
	static const uint8_t capability[20] = {1, 0, 0, 2, 0, 4};
	static const char *const names[] = {"user.zz", "user.a", "security.selinux",
					    "trusted.overlay.opaque"};
	_cleanup_tree_ struct tree *t = tree_new();
	_cleanup_free_ char *image = NULL;
	char large[3000];
	struct tree_entry *e;

	e = add_text(t, "ping", "x");
	add_xattr(e, "security.capability", capability, sizeof(capability));
	e = add_text(t, "many", "x");
	for (size_t i = 0; i < 4; i++)
		add_xattr(e, names[i], "system_u:object_r:etc_t:s0", 26);
	add_xattr(e, "user.empty", "", 0);
	e = add_dir(t, "large");
	memset(large, 'v', sizeof(large));
	add_xattr(e, "user.large", large, sizeof(large));
	add_xattr(e, "user.small", "s", 1);
	image = make_image(*state, t);
	assert_debugfs(image, "ea_list /ping", "security.capability (20) = 01 00 00 02 00 04");
	assert_debugfs(image, "stat /ping", "File ACL: 0");
	for (size_t i = 0; i < 4; i++) {
		_cleanup_free_ char *want = xasprintf("%s (26) = \"system_u:object_r:etc_t:s0\"", names[i]);

		assert_debugfs(image, "ea_list /many", want);
	}
	assert_debugfs(image, "ea_list /many", "user.empty (0)");
	assert_debugfs(image, "stat /many", "Blockcount: 16");
	assert_debugfs(image, "ea_get /large user.large", "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv");
	assert_debugfs(image, "ea_list /large", "user.small (1) = \"s\"");
}

/* debugfs translates ext4's form of a list back to that of getxattr(2), where ids that mean nothing are 0. */
static void test_acl(void **state)
{
	static const uint8_t acl[] = {2,  0, 0, 0,			 /* version */
				      1,  0, 6, 0, 255,	 255, 255, 255,	 /* the owner: rw */
				      2,  0, 4, 0, 0xe8, 3,   0,   0,	 /* user 1000: r */
				      4,  0, 4, 0, 255,	 255, 255, 255,	 /* the group: r */
				      16, 0, 4, 0, 255,	 255, 255, 255,	 /* mask: r */
				      32, 0, 0, 0, 255,	 255, 255, 255}; /* others */
	_cleanup_tree_ struct tree *t = tree_new();
	_cleanup_free_ char *image = NULL;

	add_xattr(add_text(t, "file", "x"), "system.posix_acl_access", acl, sizeof(acl));
	add_xattr(add_dir(t, "dir"), "system.posix_acl_default", acl, sizeof(acl));
	image = make_image(*state, t);
	assert_debugfs(image, "ea_list /file", "system.posix_acl_access (28)");
	assert_debugfs(image, "ea_get -x /file system.posix_acl_access",
		       "02 00 00 00 01 00 06 00 00 00 00 00 02 00 04 00 e8 03 00 00 04 00 04 00 00 00 00 00 "
		       "10 00 04 00 00 00 00 00 20 00 00 00 00 00 00 00");
	assert_debugfs(image, "ea_list /dir", "system.posix_acl_default (28)");
}

/* The same tree gives the same bytes: on this day, on the next, everywhere. */
static void test_golden(void **state)
{
	_cleanup_tree_ struct tree *t = tree_new();
	_cleanup_free_ char *image = NULL;
	char hex[SHA256_HEX_SIZE];
	struct sha256 digest;
	struct error err = ERROR_INIT;
	_cleanup_close_ int fd = -EBADF;

	add_dir(t, "");
	add_dir(t, "usr");
	add_dir(t, "usr/bin");
	add_file(t, "usr/bin/hello", "hello ", 10000);
	add_symlink(t, "bin", "usr/bin");
	add_xattr(add_text(t, "usr/bin/ping", "ping"), "user.note", "here", 4);
	image = make_image(*state, t);
	fd = open(image, O_RDONLY | O_CLOEXEC);
	assert_int_equal(sha256_of_fd(fd, image, &digest, NULL, &err), 0);
	hex_encode(digest.b, sizeof(digest.b), hex);
	assert_string_equal(hex, "b6f79031957bc6343806517ed54690ada434f028ad3fce5388271023455670dd");
}

/* ---- what is refused ---- */

static void test_refusals(void **state)
{
	(void)state;
#define REFUSE(code, part, ...)                             \
	do {                                                \
		_cleanup_tree_ struct tree *t = tree_new(); \
		struct tree_entry *e = NULL;                \
		(void)e;                                    \
		__VA_ARGS__;                                \
		assert_plan_fails(t, code, part);           \
	} while (0)
	char long_name[300], huge[5000];
	struct tree_run runs[] = {{.offset = 8192, .length = 10}, {.offset = 0, .length = 10}};

	memset(long_name, 'x', sizeof(long_name));
	long_name[256] = 0;
	memset(huge, 'x', sizeof(huge));
	huge[4096] = 0;
	REFUSE(-EINVAL, "/a/b: the tree does not have the directory", add_text(t, "a/b", "x"));
	REFUSE(-EINVAL, "does not have the directory", add_text(t, "a", "x"); add_text(t, "a/b", "x"));
	REFUSE(-EINVAL, "/a: twice", add_text(t, "a", "x"); add_text(t, "a", "y"));
	REFUSE(-EINVAL, "/..: not a name", add_text(t, "..", "x"));
	REFUSE(-EINVAL, "/.: not a name", add_text(t, ".", "x"));
	REFUSE(-EINVAL, "not a name", add_dir(t, "a"); add_text(t, "a/", "x"));
	REFUSE(-ENAMETOOLONG, "256 bytes, at most 255 fit", add_text(t, long_name, "x"));
	REFUSE(-EINVAL, "file type 0", add_entry(t, "a", 0644));
	REFUSE(-EINVAL, "root of the tree is not a directory", add_entry(t, "", S_IFREG));
	REFUSE(-EINVAL, "symbolic link has 0 bytes", add_symlink(t, "a", ""));
	REFUSE(-EINVAL, "symbolic link has 4096 bytes", add_symlink(t, "a", huge));
	REFUSE(-EINVAL, "hard link to something that is not a file", add_hardlink(t, "b", add_dir(t, "a")));
	REFUSE(-EINVAL, "/a: sparse map", add_sparse(t, "a", 10000, 2, runs));
	REFUSE(-EINVAL, "/a: sparse map", add_sparse(t, "a", 8201, 1, runs));
	REFUSE(-EFBIG, "/a: larger than", add_entry(t, "a", S_IFREG)->size = 1ull << 44);
	REFUSE(-EINVAL, "attribute foo.bar", add_xattr(add_text(t, "a", "x"), "foo.bar", "x", 1));
	REFUSE(-EINVAL, "attribute system.data", add_xattr(add_text(t, "a", "x"), "system.data", "x", 1));
	REFUSE(-EINVAL, "not an access control list",
	       add_xattr(add_text(t, "a", "x"), "system.posix_acl_access", "xxxxx", 5));
	REFUSE(-EINVAL, "not an access control list",
	       add_xattr(add_text(t, "a", "x"), "system.posix_acl_access", "\2\0\0\0xxx", 7));
	REFUSE(-E2BIG, "/a: its attributes are too large",
	       add_xattr(add_text(t, "a", "x"), "user.a", huge, sizeof(huge)));
	long_name[256] = 'x';
	memcpy(long_name, "user.", 5);
	long_name[261] = 0;
	REFUSE(-ENAMETOOLONG, "longer than 255", add_xattr(add_text(t, "a", "x"), long_name, "x", 1));
}

static void test_label(void **state)
{
	_cleanup_tree_ struct tree *t = tree_new();
	struct ext4_params params = fixture_params();
	struct error err = ERROR_INIT;
	struct ext4 *fs = NULL;

	(void)state;
	params.label = "12345678901234567";
	assert_int_equal(ext4_plan(t, &params, &fs, &err), -EINVAL);
	assert_contains(err.text, "17 bytes, at most 16");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_dir(test_empty),
		unit_test_in_dir(test_superblock),
		unit_test_in_dir(test_first_block),
		unit_test_in_dir(test_root_of_tree),
		unit_test_in_dir(test_lost_found_taken),
		unit_test_in_dir(test_sizes),
		unit_test_in_dir(test_metadata),
		unit_test_in_dir(test_hardlinks),
		unit_test_in_dir(test_special),
		unit_test_in_dir(test_symlinks),
		unit_test_in_dir(test_names),
		unit_test_in_dir(test_sparse),
		unit_test_in_dir(test_xattrs),
		unit_test_in_dir(test_acl),
		unit_test_in_dir(test_golden),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_label),
	};

	return cmocka_run_group_tests(tests, set_environment, NULL);
}
