/* SPDX-License-Identifier: Apache-2.0 */
/* Tars: what others write is read as it is on the disk, and nothing nasty gets in. */
#include "compose_fixture.h"

#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "compose/directory.h"
#include "compose/package.h"

/* A member that is wrong, and what the message says. */
static void assert_refused(const struct buf *tar, const char *message)
{
	_cleanup_layer_ struct layer l = LAYER_INIT;
	struct error err = ERROR_INIT;

	assert_true(layer_of(tar, &l, &err) < 0);
	assert_contains(err.text, "test.tar");
	assert_contains(err.text, message);
}

static void assert_member_refused(const struct member *m, const char *message)
{
	_cleanup_buf_ struct buf tar = {0};

	tar_add(&tar, m);
	tar_end(&tar);
	assert_refused(&tar, message);
}

static void test_refuses_members(void **state)
{
	char long_name[300];

	(void)state;
	assert_member_refused(&(struct member){.path = "/etc/passwd"}, "'/etc/passwd' has an absolute path");
	assert_member_refused(&(struct member){.path = "a/../../b"}, "'a/../../b' has '..' in its path");
	assert_member_refused(&(struct member){.path = ".."}, "has '..'");
	assert_member_refused(&(struct member){.path = "."}, "would replace the root");
	assert_member_refused(&(struct member){.path = "a", .type = '1', .link = "../b"},
			      "hard link to a path out");
	assert_member_refused(&(struct member){.path = "a", .type = '1', .link = "/b"},
			      "hard link to a path out");
	assert_member_refused(&(struct member){.path = "a", .type = '1', .link = "b", .data = "x"},
			      "content");
	assert_member_refused(&(struct member){.path = "a", .type = '2'}, "link to nothing");
	assert_member_refused(&(struct member){.path = "a", .type = '5', .data = "x"}, "content");
	assert_member_refused(&(struct member){.path = "a", .type = 'M'}, "type that is not supported");
	assert_member_refused(&(struct member){.path = "a", .type = '3', .major = 0x1000},
			      "Linux does not have");
	assert_member_refused(&(struct member){.path = "a", .size = "77777777777"}, "cut off");
	assert_member_refused(&(struct member){.path = "a", .size = "9"}, "size that is not a number");
	assert_member_refused(
		&(struct member){.path = "a", .size = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"},
		"size that is not a number");
	assert_member_refused(&(struct member){.path = "a", .uid = "\xff\xff\xff\xff\xff\xff\xff\xff"},
			      "owner that is not a number");
	assert_member_refused(&(struct member){.path = ""}, "no name");
	memset(long_name, 'x', sizeof(long_name));
	long_name[256] = 0;
	{
		_cleanup_buf_ struct buf tar = {0};

		tar_add(&tar, &(struct member){.path = "././@LongLink", .type = 'L', .data = long_name});
		tar_add(&tar, &(struct member){.path = "x"});
		tar_end(&tar);
		assert_refused(&tar, "more than 255 bytes");
	}
}

/* In a container image's layer '/' is the root of the image. */
static void test_rooted(void **state)
{
	_cleanup_buf_ struct buf tar = {0};
	struct layer l = {.fd = -1, .rooted = true};
	_cleanup_layer_ struct layer up = {.fd = -1, .rooted = true};
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	tar_add(&tar, &(struct member){.path = "/", .type = '5', .mode = 0711});
	tar_add(&tar, &(struct member){.path = "//app/run", .data = "x"});
	tar_add(&tar, &(struct member){.path = "app/link", .type = '1', .link = "/app/run"});
	tar_add_pax(&tar, 'x', "path", "/app/long");
	tar_add(&tar, &(struct member){.path = "short"});
	tar_end(&tar);
	assert_int_equal(layer_of(&tar, &l, &err), 0);
	text = layer_text(&l);
	assert_string_equal(text, "/ 40711 0:0 n1\n"
				  "/app 40755 0:0 n1\n"
				  "/app/link 100644 0:0 n2 1 bytes x\n"
				  "/app/long 100644 0:0 n1 0 bytes \n"
				  "/app/run 100644 0:0 n2 = /app/link\n");
	tar.len = 0;
	tar_add(&tar, &(struct member){.path = "/../etc/passwd"});
	assert_true(layer_of(&tar, &up, &err) < 0);
	assert_contains(err.text, "'/../etc/passwd' has '..' in its path");
}

static void test_refuses_archives(void **state)
{
	_cleanup_buf_ struct buf tar = {0};
	static const struct {
		const char *text;
		const char *message;
	} pax[] = {
		{"nonsense", "pax header is damaged"},
		{"5 a=b\n", "pax header is damaged"},
		{"999 path=x\n", "pax header is damaged"},
		{"99999999999999999999999 path=x\n", "pax header is damaged"},
		{"12 uid=huge\n", "'uid'"},
		{"23 GNU.sparse.map=1,2,3\n", "damaged"},
		{"24 GNU.sparse.map=1,2,3\n", "'GNU.sparse.map'"},
		{"26 GNU.sparse.numbytes=1\n", "damaged"},
		{"25 GNU.sparse.numbytes=1\n", "'GNU.sparse.numbytes'"},
	};

	(void)state;
	assert_refused(&tar, "truncated");
	tar_add(&tar, &(struct member){.path = "a", .data = "text"});
	assert_refused(&tar, "truncated");
	tar.len -= 512;
	assert_refused(&tar, "'a' is cut off");
	tar.ptr[0] = 'b';
	assert_refused(&tar, "no tar header at byte 0");
	for (size_t i = 0; i < sizeof(pax) / sizeof(pax[0]); i++) {
		_cleanup_buf_ struct buf t = {0};

		tar_add(&t, &(struct member){.path = "pax", .type = 'x', .data = pax[i].text});
		tar_add(&t, &(struct member){.path = "a"});
		tar_end(&t);
		assert_refused(&t, pax[i].message);
	}
	{
		_cleanup_buf_ struct buf t = {0};

		tar_add_pax(&t, 'g', "path", "x");
		tar_end(&t);
		assert_refused(&t, "global pax header");
	}
}

static void assert_map_refused(const char *map, const char *real_size, const char *data, const char *message)
{
	_cleanup_buf_ struct buf records = {0}, tar = {0};

	pax_add(&records, "GNU.sparse.map", map);
	pax_add(&records, "GNU.sparse.size", real_size);
	tar_add(&tar, &(struct member){.path = "pax", .type = 'x', .data = records.ptr});
	tar_add(&tar, &(struct member){.path = "a", .data = data});
	tar_end(&tar);
	assert_refused(&tar, message);
}

static void test_refuses_sparse_maps(void **state)
{
	(void)state;
	assert_map_refused("0,4", "3", "text", "does not fit its size");
	assert_map_refused("0,3,2,1", "10", "text", "does not fit its size");
	assert_map_refused("5,2,0,2", "10", "text", "does not fit its size");
	assert_map_refused("0,2", "10", "text", "does not match its content");
	assert_map_refused("9223372036854775807,4", "9223372036854775807", "text", "does not fit its size");
	assert_map_refused("0,4", "", "text", "has no size");
}

static void test_reads_fields(void **state)
{
	_cleanup_buf_ struct buf tar = {0}, records = {0};
	_cleanup_free_ char *text = NULL;
	struct layer l = LAYER_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	tar_add(&tar, &(struct member){.path = "./", .type = '5', .mode = 0700});
	tar_add(&tar, &(struct member){.path = ".//d/./", .type = '5'});
	pax_add(&records, "path", "d/r\xe9sum\xe9");
	pax_add(&records, "uid", "4000000000");
	pax_add(&records, "SCHILY.xattr.user.b", "two words\n");
	pax_add(&records, "LIBARCHIVE.xattr.user.%61", "aGVsbG8");
	pax_add(&records, "comment", "of no matter");
	tar_add(&tar, &(struct member){.path = "pax", .type = 'x', .data = records.ptr});
	tar_add(&tar, &(struct member){.path = "short", .data = "x", .mode = 04755});
	tar_add(&tar, &(struct member){.path = "d/link", .type = '1', .link = "./d/r\xe9sum\xe9"});
	tar_add(&tar, &(struct member){.path = "n", .type = '3', .major = 1, .minor = 3});
	tar_add_pax(&tar, 'g', "comment", "0123456789abcdef");
	tar_add(&tar, &(struct member){.path = "v7/", .type = 0});
	tar_add(&tar, &(struct member){.path = "w", .uid = "\x80\0\0\0\xee\x6b\x28\0"});
	tar_end(&tar);
	assert_int_equal(layer_of(&tar, &l, &err), 0);
	text = layer_text(&l);
	assert_string_equal(text, "/ 40700 0:0 n1\n"
				  "/d 40755 0:0 n1\n"
				  "/d/link 104755 4000000000:0 n2 user.a=hello user.b=two words\n 1 bytes x\n"
				  "/d/r\xe9sum\xe9 104755 4000000000:0 n2 = /d/link\n"
				  "/n 20644 0:0 n1 dev 103\n"
				  "/v7 40644 0:0 n1\n"
				  "/w 100644 4000000000:0 n1 0 bytes \n");
}

static void write_at(const char *dir, const char *name, const char *text, off_t offset)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
	struct error err = ERROR_INIT;
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(io_pwrite_full(fd, path, text, strlen(text), (uint64_t)offset, &err), 0);
	close(fd);
}

/* Everything that is hard to store, below @dir. */
static void make_hard_tree(const char *dir)
{
	_cleanup_free_ char *path = NULL, *at = NULL, *target = NULL;
	char name[256];

	memset(name, 'n', 255);
	name[255] = 0;
	write_at(dir, name, "long name", 0);
	write_at(dir, "\xff\xfe not text \n", "bytes", 0);
	write_at(dir, "empty", "", 0);
	write_at(dir, "sparse", "one", 1 << 20);
	write_at(dir, "sparse", "two", 5 << 20);
	write_at(dir, "file", "with two names", 0);
	path = xasprintf("%s/file", dir);
	at = xasprintf("%s/another", dir);
	assert_int_equal(link(path, at), 0);
	assert_int_equal(chmod(path, 04751), 0);
	(void)!setxattr(path, "user.test", "value", 5, 0);
	free(at);
	at = xasprintf("%s/hole", dir);
	write_at(dir, "hole", "", 0);
	assert_int_equal(truncate(at, 3 << 20), 0);
	for (unsigned i = 0; i < 12; i++) {
		free(at);
		at = xasprintf("%s/d%0*d", i ? target : dir, 40, i);
		free(target);
		target = xstrdup(at);
		assert_int_equal(mkdir(at, 0750), 0);
	}
	write_at(target, "deep", "down", 0);
	free(at);
	at = xasprintf("%s/to", target);
	assert_int_equal(symlink(name, at), 0);
	free(at);
	at = xasprintf("%s/fifo", dir);
	assert_int_equal(mkfifo(at, 0600), 0);
	free(at);
	at = xasprintf("%s/null", dir);
	if (geteuid() == 0)
		assert_int_equal(mknod(at, S_IFCHR | 0666, makedev(1, 3)), 0);
}

static char *directory_text(const char *dir)
{
	struct layer l = LAYER_INIT;
	struct error err = ERROR_INIT;

	if (directory_list(dir, "", &l, &err) < 0)
		fail_msg("%s", err.text);
	return layer_text(&l);
}

static char *file_text(const char *path, const char *cache_dir)
{
	_cleanup_package_ struct package p = PACKAGE_INIT;
	struct cache cache = {.dir = (char *)(uintptr_t)cache_dir};
	struct error err = ERROR_INIT;

	if (package_open(path, &cache, &p, &err) < 0)
		fail_msg("%s", err.text);
	return layer_text(&p.layer);
}

/*
 * GNU tar in each of its formats, with each of its sparse forms and compressions, against the directory
 * itself.
 */
static void test_gnu_tar(void **state)
{
	_cleanup_free_ char *dir = xasprintf("%s/in", (char *)*state),
			    *tar = xasprintf("%s/x.tar", (char *)*state);
	_cleanup_free_ char *layers = xasprintf("%s/layers", (char *)*state);
	_cleanup_free_ char *expected = NULL;
	static const char *const variants[][4] = {
		{"--format=gnu", "--sparse", "-c"},
		{"--format=gnu", "-c", "-c"},
		{"--format=pax", "--xattrs", "-c"},
		{"--format=pax", "--sparse", "--sparse-version=0.0"},
		{"--format=pax", "--sparse", "--sparse-version=0.1"},
		{"--format=pax", "--sparse", "--sparse-version=1.0"},
		{"--format=pax", "--gzip", "-c"},
		{"--format=pax", "--xz", "-c"},
		{"--format=pax", "--zstd", "-c"},
		{"--format=gnu", "--bzip2", "--sparse"},
	};

	if (!spawn_available("tar"))
		skip();
	assert_int_equal(mkdir(dir, 0755), 0);
	assert_int_equal(mkdir(layers, 0755), 0);
	make_hard_tree(dir);
	expected = directory_text(dir);
	assert_contains(expected, "user.test=value");
	for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
		const char *const *v = variants[i];
		_cleanup_free_ char *text = NULL;
		const char *const argv[] = {"tar",	"-c", v[0], v[1], v[2], "--xattrs-include=user.*",
					    "--xattrs", "-C", dir,  "-f", tar,	".",
					    NULL};
		/* Only pax has room for attributes. */
		const char *const plain[] = {"tar", "-c", v[0], v[1], v[2], "-C", dir, "-f", tar, ".", NULL};
		bool pax = strcmp(v[0], "--format=pax") == 0;

		run_program(pax ? argv : plain);
		text = file_text(tar, *state);
		if (!pax) {
			char *x = strstr(text, " user.test=value");

			assert_null(x);
			x = strstr(expected, " user.test=value");
			memmove(x, x + 16, strlen(x + 16) + 1);
			assert_string_equal(text, expected);
			free(expected);
			expected = directory_text(dir);
		} else {
			assert_string_equal(text, expected);
		}
	}
}

static void make_deb(const char *base, const char *control, const char *out, const char *compression)
{
	_cleanup_free_ char *dir = xasprintf("%s/deb", base), *debian = xasprintf("%s/deb/DEBIAN", base);
	_cleanup_free_ char *usr = xasprintf("%s/deb/usr", base);
	const char *const argv[] = {"dpkg-deb", "--root-owner-group", compression, "-b", dir, out, NULL};

	(void)mkdir(dir, 0755);
	(void)mkdir(debian, 0755);
	(void)mkdir(usr, 0755);
	write_at(debian, "control", control, 0);
	write_at(usr, "hello", "hello", 0);
	run_program(argv);
}

static void test_deb(void **state)
{
	static const char control[] =
		"Package: hello\nVersion: 1.0-1\nArchitecture: amd64\nMaintainer: nobody\n"
		"Depends: libc6 (>= 2.36), missing | absent\nDescription: test\n";
	static const char status[] = "Package: libc6\nStatus: install ok installed\nVersion: 2.36-9\n";
	static const char provided[] =
		"\nPackage: other\nStatus: install ok installed\nVersion: 1\nProvides: x, absent\n";
	static const char *const compressions[] = {"-Zxz", "-Zgzip", "-Zzstd", "-Znone"};
	_cleanup_free_ char *deb = xasprintf("%s/x.deb", (char *)*state);
	_cleanup_free_ char *layers = xasprintf("%s/layers", (char *)*state);
	struct cache cache = {.dir = *state};
	struct error err = ERROR_INIT;

	if (!spawn_available("dpkg-deb"))
		skip();
	assert_int_equal(mkdir(layers, 0755), 0);
	for (size_t i = 0; i < sizeof(compressions) / sizeof(compressions[0]); i++) {
		_cleanup_package_ struct package p = PACKAGE_INIT;
		_cleanup_free_ char *text = NULL, *both = xasprintf("%s%s", status, provided);
		_cleanup_dpkg_ struct dpkg some = {0}, all = {0};

		make_deb(*state, control, deb, compressions[i]);
		assert_int_equal(package_open(deb, &cache, &p, &err), 0);
		assert_int_equal(p.kind, ARCHIVE_DEB);
		assert_string_equal(p.control.list[0].name, "hello");
		assert_string_equal(p.control.list[0].version, "1.0-1");
		assert_int_equal(dpkg_parse(status, strlen(status), "status", &some, &err), 0);
		assert_int_equal(dpkg_parse(both, strlen(both), "status", &all, &err), 0);
		assert_true(package_check_deb(&p, "x.deb", "amd64", &some, &err) < 0);
		assert_contains(err.text, "needs 'missing | absent'");
		assert_int_equal(package_check_deb(&p, "x.deb", "amd64", &all, &err), 0);
		assert_true(package_check_deb(&p, "x.deb", "arm64", &all, &err) < 0);
		assert_contains(err.text, "is for amd64");
		text = layer_text(&p.layer);
		assert_contains(text, "/usr/hello 100644 0:0 n1 5 bytes hello");
	}
}

static void assert_file_refused(const char *dir, const char *path, const char *message)
{
	_cleanup_package_ struct package p = PACKAGE_INIT;
	struct cache cache = {.dir = (char *)(uintptr_t)dir};
	struct error err = ERROR_INIT;

	assert_true(package_open(path, &cache, &p, &err) < 0);
	assert_contains(err.text, path);
	assert_contains(err.text, message);
}

static void test_refuses_files(void **state)
{
	_cleanup_free_ char *path = xasprintf("%s/x", (char *)*state),
			    *layers = xasprintf("%s/layers", (char *)*state);
	struct error err = ERROR_INIT;

	assert_int_equal(mkdir(layers, 0755), 0);
	assert_file_refused(*state, path, "No such file");
	assert_int_equal(output_write_file(path, "", 0, &err), 0);
	assert_file_refused(*state, path, "neither a tar");
	assert_int_equal(output_write_file(path, "#!/bin/sh\n", 10, &err), 0);
	assert_file_refused(*state, path, "neither a tar");
	assert_int_equal(output_write_file(path, "\x1f\x8b\x08 not really", 14, &err), 0);
	assert_file_refused(*state, path, "decompressing");
	assert_int_equal(output_write_file(path, "!<arch>\n", 8, &err), 0);
	assert_file_refused(*state, path, "x: ");
	assert_file_refused(*state, "/dev/null", "neither a file nor a directory");
}

/* A compressed file that was cut off in the middle must not pass for a shorter one. */
/* Of which the digest was checked: it may end behind a member, and nowhere else. */
static void test_proven_needs_no_end_mark(void **state)
{
	_cleanup_buf_ struct buf tar = {0};
	_cleanup_close_ int fd = memfd_create("tar", MFD_CLOEXEC), cut = memfd_create("cut", MFD_CLOEXEC);
	_cleanup_layer_ struct layer whole = LAYER_INIT, broken = LAYER_INIT, unproven = LAYER_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	tar_add(&tar, &(struct member){.path = "/", .type = '5'});
	tar_add(&tar, &(struct member){.path = "a", .data = "x"});
	whole.proven = broken.proven = true;
	assert_int_equal(io_write_full(fd, "tar", tar.ptr, tar.len, &err), 0);
	assert_int_equal(io_write_full(cut, "cut", tar.ptr, tar.len - 512, &err), 0);
	assert_int_equal(tar_index(fd, "tar", &whole, &err), 0);
	assert_int_equal(whole.len, 2);
	assert_int_equal(tar_index(fd, "tar", &unproven, &err), -ENODATA);
	assert_true(tar_index(cut, "cut", &broken, &err) < 0);
}

static void test_refuses_truncated_compression(void **state)
{
	_cleanup_free_ char *in = xasprintf("%s/in", (char *)*state),
			    *tar = xasprintf("%s/x.tar", (char *)*state);
	_cleanup_free_ char *layers = xasprintf("%s/layers", (char *)*state);
	static const char *const compressions[] = {"--gzip", "--xz", "--zstd"};

	if (!spawn_available("tar"))
		skip();
	assert_int_equal(mkdir(in, 0755), 0);
	assert_int_equal(mkdir(layers, 0755), 0);
	make_hard_tree(in);
	for (size_t i = 0; i < 3; i++) {
		const char *const argv[] = {"tar", "-c", compressions[i], "-C", in, "-f", tar, ".", NULL};
		struct stat st;

		run_program(argv);
		assert_int_equal(stat(tar, &st), 0);
		assert_int_equal(truncate(tar, st.st_size * 2 / 3), 0);
		assert_file_refused(*state, tar, "x.tar");
	}
}

/* What archive_write_tar() makes is read back the same, by us and by GNU tar. */
static void test_write_tar(void **state)
{
	_cleanup_free_ char *tar = xasprintf("%s/x.tar", (char *)*state),
			    *layers = xasprintf("%s/layers", (char *)*state);
	_cleanup_free_ char *text = NULL, *deep = NULL;
	_cleanup_layer_ struct layer l = LAYER_INIT;
	const char *const argv[] = {"tar", "-t", "-f", tar, NULL};
	struct error err = ERROR_INIT;
	char name[200];
	int fd;

	assert_int_equal(mkdir(layers, 0755), 0);
	l.name = xstrdup("memory");
	memset(name, 'x', 199);
	name[199] = 0;
	deep = xasprintf("d/%s/%s", name, name);
	layer_add(&l, entry_new("d", S_IFDIR | 0755), NULL);
	layer_add(&l, entry_new_file("d/a", 0644, "text", 4), NULL);
	layer_add(&l, entry_new_file(deep, 0600, "", 0), NULL);
	fd = open(tar, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(archive_write_tar(&l, fd, tar, &err), 0);
	close(fd);
	text = file_text(tar, *state);
	assert_contains(text, "/d/a 100644 0:0 n1 4 bytes text\n");
	assert_contains(text, deep);
	if (spawn_available("tar"))
		run_program(argv);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refuses_members),
		cmocka_unit_test(test_rooted),
		cmocka_unit_test(test_refuses_archives),
		cmocka_unit_test(test_refuses_sparse_maps),
		cmocka_unit_test(test_reads_fields),
		unit_test_in_dir(test_gnu_tar),
		unit_test_in_dir(test_deb),
		unit_test_in_dir(test_refuses_files),
		cmocka_unit_test(test_proven_needs_no_end_mark),
		unit_test_in_dir(test_refuses_truncated_compression),
		unit_test_in_dir(test_write_tar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
