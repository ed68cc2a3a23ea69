/* SPDX-License-Identifier: Apache-2.0 */
/* From a template to a tree: everything but package managers. */
#include "compose_fixture.h"

#include "compose/compose.h"

static void write_file(const void *dir, const char *name, const char *text)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", (const char *)dir, name);
	_cleanup_free_ char *parent = xstrdup(path);
	struct error err = ERROR_INIT;

	*strrchr(parent, '/') = 0;
	if (io_make_dirs(parent, 0755, &err) < 0 || output_write_file(path, text, strlen(text), &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(chmod(path, 0644), 0);
}

/* A base as small as can be, with a kernel. */
static void write_base(const void *dir)
{
	write_file(dir, "base/boot/vmlinuz-1.0", "kernel");
	write_file(dir, "base/usr/lib/modules/1.0/modules.dep", "");
	write_file(dir, "base/etc/passwd",
		   "root:x:0:0::/:/bin/sh\napp:x:1001:1002::/:/bin/sh\nappendix:x:7:7::/:\n");
	write_file(dir, "base/etc/group", "root:x:0:\nstaff:x:50:app\n");
	write_file(dir, "base/usr/bin/app", "#!");
}

static const char head[] =
	"[Appliance]\nName=test\nVersion=1\nEpoch=5000\n[Base]\nSource=directory\nPath=base\n"
	"[Init]\nMode=appliance\nExec=/usr/bin/app\nHostname=thehost\n";

static int compose(const void *dir, const char *more, struct compose_result *ret, struct error *err)
{
	_cleanup_template_ struct template *t = NULL;
	_cleanup_free_ char *text = xasprintf("%s%s", head, more);
	_cleanup_free_ char *cache = xasprintf("%s/cache", (const char *)dir);
	struct compose_options options = {.cache_dir = cache};
	_cleanup_free_ char *conf = xasprintf("%s/appliance.conf", (const char *)dir);
	int r;

	write_file(dir, "appliance.conf", text);
	r = template_load(conf, NULL, &t, err);
	return r < 0 ? r : compose_run(t, &options, ret, err);
}

static struct compose_result compose_good(const void *dir, const char *more)
{
	struct compose_result result = {0};
	struct error err = ERROR_INIT;

	if (compose(dir, more, &result, &err) < 0)
		fail_msg("%s", err.text);
	return result;
}

static void assert_compose_fails(const void *dir, const char *more, enum exit_code code, const char *message)
{
	_cleanup_compose_ struct compose_result result = {0};
	struct error err = ERROR_INIT;

	assert_true(compose(dir, more, &result, &err) < 0);
	assert_contains(err.text, message);
	assert_int_equal(err.exit, code);
	assert_null(result.tree);
}

static void assert_entry(const struct compose_result *c, const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	const struct tree_entry *e = tree_find(c->tree, path);

	assert_non_null(e);
	assert_int_equal(e->mode, mode);
	assert_int_equal(e->uid, uid);
	assert_int_equal(e->gid, gid);
}

static void test_skeleton(void **state)
{
	_cleanup_compose_ struct compose_result c = {0};
	_cleanup_free_ void *text = NULL;
	struct error err = ERROR_INIT;
	size_t len;

	write_base(*state);
	c = compose_good(*state, "Writable=/var/lib/app\n");
	assert_entry(&c, "proc", S_IFDIR | 0755, 0, 0);
	assert_entry(&c, "tmp", S_IFDIR | 01777, 0, 0);
	assert_entry(&c, "var/tmp", S_IFDIR | 01777, 0, 0);
	assert_entry(&c, "var/lib/app", S_IFDIR | 0755, 0, 0);
	assert_entry(&c, "etc/resolv.conf", S_IFREG | 0644, 0, 0);
	assert_int_equal(tree_read_all(c.tree, tree_find(c.tree, "etc/hostname"), 100, &text, &len, &err), 0);
	assert_string_equal(text, "thehost\n");
	assert_int_equal(tree_find(c.tree, "proc")->mtime, 0);
	/* Nothing is newer than the appliance. */
	assert_int_equal(tree_find(c.tree, "usr/bin/app")->mtime, 5000);
	assert_null(tree_find(c.tree, "boot/vmlinuz-1.0"));
	assert_string_equal(c.kernel.release, "1.0");
	assert_int_equal(c.packages.len, 0);
}

static void test_files(void **state)
{
	_cleanup_compose_ struct compose_result c = {0};

	write_base(*state);
	write_file(*state, "one", "1");
	write_file(*state, "many/a", "a");
	write_file(*state, "many/sub/b", "b");
	c = compose_good(*state, "[Files]\n"
				 "Copy=one:/opt/new/one mode=4750 owner=app group=staff\n"
				 "Copy=one:/etc/one\n"
				 "Copy=one:/opt/number owner=1234 group=4321\n"
				 "Copy=many:/srv/many mode=0600 owner=app\n");
	assert_entry(&c, "opt/new", S_IFDIR | 0755, 0, 0);
	assert_entry(&c, "opt/new/one", S_IFREG | 04750, 1001, 50);
	assert_entry(&c, "opt/number", S_IFREG | 0644, 1234, 4321);
	assert_entry(&c, "etc/one", S_IFREG | 0644, 0, 0);
	assert_entry(&c, "srv/many/sub", S_IFDIR | 0755, 1001, 0);
	assert_entry(&c, "srv/many/sub/b", S_IFREG | 0600, 1001, 0);
	/* base, and four times Copy= */
	assert_int_equal(c.input_count, 5);
	assert_string_equal(c.inputs[0].kind, "base");
	assert_string_equal(c.inputs[4].kind, "file");
}

/* An account that the template brings counts for the copies after it. */
static void test_copied_passwd(void **state)
{
	_cleanup_compose_ struct compose_result c = {0};

	write_base(*state);
	write_file(*state, "passwd", "late:x:77:77::/:\n");
	c = compose_good(*state, "[Files]\nCopy=passwd:/etc/passwd\nCopy=passwd:/opt/x owner=late\n");
	assert_entry(&c, "opt/x", S_IFREG | 0644, 77, 0);
}

static void test_refuses_files(void **state)
{
	write_base(*state);
	write_file(*state, "one", "1");
	write_file(*state, "many/a", "a");
	assert_compose_fails(*state, "[Files]\nCopy=one:/x owner=append\n", EXIT_USAGE,
			     "appliance.conf:13: Copy=: owner 'append': is not in /etc/passwd of the image");
	assert_compose_fails(*state, "[Files]\nCopy=one:/etc\n", EXIT_USAGE,
			     "'/etc' is a directory in the image");
	assert_compose_fails(*state, "[Files]\nCopy=many:/etc/passwd\n", EXIT_USAGE,
			     "'/etc/passwd' is not a directory in the image");
	assert_compose_fails(*state, "[Files]\nCopy=one:/etc/passwd/x\n", EXIT_FAILED, "not a directory");
}

static void test_packages(void **state)
{
	_cleanup_free_ char *tar = xasprintf("%s/app.tar", (char *)*state);
	_cleanup_compose_ struct compose_result c = {0};
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;

	write_base(*state);
	tar_add(&b, &(struct member){.path = "./", .type = '5', .mode = 0700});
	tar_add(&b, &(struct member){.path = "./etc/.wh.group"});
	tar_add(&b, &(struct member){.path = "./usr/bin/app", .data = "from the tar", .mode = 0755});
	tar_end(&b);
	assert_int_equal(output_write_file(tar, b.ptr, b.len, &err), 0);
	write_file(*state, "dir/usr/share/x", "from the directory");
	c = compose_good(*state, "[Package]\nPath=app.tar\nPath=dir\n");
	assert_int_equal(tree_find(c.tree, "")->mode & 07777, 0755);
	assert_null(tree_find(c.tree, "etc/group"));
	assert_int_equal(tree_find(c.tree, "usr/bin/app")->size, 12);
	assert_int_equal(tree_find(c.tree, "usr/bin/app")->layer, 2);
	assert_int_equal(tree_find(c.tree, "usr/share/x")->layer, 3);
	assert_int_equal(c.input_count, 3);
	assert_string_equal(c.inputs[2].kind, "package");
}

/* A tar is read where it lies, so one that is written to behind our back must be noticed. */
static void test_tar_that_changes(void **state)
{
	_cleanup_free_ char *tar = xasprintf("%s/app.tar", (char *)*state);
	_cleanup_compose_ struct compose_result c = {0};
	_cleanup_close_ int fd = -EBADF;
	struct error err = ERROR_INIT;
	_cleanup_buf_ struct buf b = {0};

	write_base(*state);
	tar_add(&b, &(struct member){.path = "app", .data = "one"});
	tar_end(&b);
	assert_int_equal(output_write_file(tar, b.ptr, b.len, &err), 0);
	c = compose_good(*state, "[Package]\nPath=app.tar\n");
	assert_int_equal(tree_check_sources(c.tree, &err), 0);
	fd = open(tar, O_WRONLY | O_CLOEXEC);
	assert_int_equal(io_pwrite_full(fd, tar, "two", 3, 512, &err), 0);
	assert_int_equal(futimens(fd, (const struct timespec[]){{.tv_sec = 1}, {.tv_sec = 1}}), 0);
	assert_int_equal(tree_check_sources(c.tree, &err), -ESTALE);
	assert_contains(err.text, "app.tar: changed while building; build again");
}

static void test_package_list(void **state)
{
	_cleanup_compose_ struct compose_result c = {0};

	write_base(*state);
	write_file(
		*state, "base/var/lib/dpkg/status",
		"Package: zlib\nStatus: install ok installed\nVersion: 1.2\nArchitecture: amd64\n\n"
		"Package: removed\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: all\n\n"
		"Package: bash\nStatus: install ok installed\nVersion: 5:5.2-1\nArchitecture: amd64\nDescription: a\n b\n");
	c = compose_good(*state, "");
	assert_int_equal(c.packages.len, 2);
	assert_string_equal(c.packages.list[0].name, "bash");
	assert_string_equal(c.packages.list[0].version, "5:5.2-1");
	assert_string_equal(c.packages.list[1].name, "zlib");
	assert_string_equal(c.packages.list[1].arch, "amd64");
	assert_string_equal(c.packages.list[1].type, "deb");
	write_file(*state, "base/var/lib/dpkg/status", "no control file at all\n");
	assert_compose_fails(*state, "", EXIT_FAILED,
			     "/var/lib/dpkg/status:1: is not a line of a control file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_dir(test_skeleton),	 unit_test_in_dir(test_files),
		unit_test_in_dir(test_copied_passwd),	 unit_test_in_dir(test_refuses_files),
		unit_test_in_dir(test_packages),	 unit_test_in_dir(test_package_list),
		unit_test_in_dir(test_tar_that_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
