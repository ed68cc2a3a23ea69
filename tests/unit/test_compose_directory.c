/* SPDX-License-Identifier: Apache-2.0 */
/* Directories of the host as layers. */
#include "compose_fixture.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "compose/compose_internal.h"
#include "compose/directory.h"

static char *join(const void *dir, const char *name)
{
	return xasprintf("%s/%s", (const char *)dir, name);
}

static void write_text(const void *dir, const char *name, const char *text)
{
	_cleanup_free_ char *path = join(dir, name);
	struct error err = ERROR_INIT;

	if (output_write_file(path, text, strlen(text), &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(chmod(path, 0640), 0);
}

static struct layer list(const void *dir, const char *prefix)
{
	struct layer l = LAYER_INIT;
	struct error err = ERROR_INIT;

	if (directory_list(dir, prefix, &l, &err) < 0)
		fail_msg("%s", err.text);
	return l;
}

static void test_order_and_links(void **state)
{
	static const char *const expected[] = {"p/q",	 "p/q/\x01", "p/q/a", "p/q/a/deep",
					       "p/q/a-", "p/q/b",    "p/q/l", "p/q/\xff"};
	_cleanup_layer_ struct layer l = LAYER_INIT;
	_cleanup_free_ char *a = join(*state, "a"), *b = join(*state, "b"), *deep = join(*state, "a/deep");
	_cleanup_free_ char *link_path = join(*state, "l");

	assert_int_equal(mkdir(a, 0700), 0);
	write_text(*state, "\xff", "x");
	write_text(*state, "\x01", "x");
	write_text(*state, "a-", "x");
	write_text(*state, "a/deep", "two names");
	assert_int_equal(link(deep, b), 0);
	/* Never followed: neither to /etc nor in a circle. */
	assert_int_equal(symlink("/etc", link_path), 0);
	l = list(*state, "p/q");
	assert_int_equal(l.len, sizeof(expected) / sizeof(expected[0]));
	for (size_t i = 0; i < l.len; i++)
		assert_string_equal(l.entries[i].entry->path, expected[i]);
	assert_int_equal(l.entries[2].entry->mode, S_IFDIR | 0700);
	assert_null(l.entries[3].link);
	assert_string_equal(l.entries[5].link, "p/q/a/deep");
	assert_string_equal(l.entries[6].entry->target, "/etc");
	assert_int_equal(l.entries[3].entry->uid, geteuid());
}

static void test_sparse(void **state)
{
	_cleanup_free_ char *path = join(*state, "sparse");
	_cleanup_layer_ struct layer l = LAYER_INIT;
	struct error err = ERROR_INIT;
	struct tree_source source;
	struct tree t = {.sources = &source, .source_count = 1};
	const struct tree_entry *e;
	_cleanup_free_ void *data = NULL;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	size_t len = 0;

	assert_int_equal(io_pwrite_full(fd, path, "middle", 6, 4 << 20, &err), 0);
	assert_int_equal(ftruncate(fd, 8 << 20), 0);
	close(fd);
	l = list(*state, "");
	e = l.entries[1].entry;
	if (!e->runs)
		skip(); /* a file system that does not keep holes */
	assert_int_equal(e->run_count, 1);
	assert_true(e->runs[0].offset <= 4 << 20 && e->runs[0].length < 1 << 20);
	source = (struct tree_source){.fd = l.fd, .name = l.name};
	assert_int_equal(tree_read_all(&t, e, 8 << 20, &data, &len, &err), 0);
	assert_int_equal(len, 8 << 20);
	assert_memory_equal((char *)data + (4 << 20) - 2, "\0\0middle\0", 9);
}

static void test_attributes(void **state)
{
	/* VFS_CAP_REVISION_2 with cap_net_bind_service. */
	static const char capability[20] = {1, 0, 0, 2, 0, 4};
	_cleanup_free_ char *path = join(*state, "f");
	_cleanup_layer_ struct layer l = LAYER_INIT;
	const struct tree_entry *e;

	write_text(*state, "f", "x");
	if (geteuid() != 0 || setxattr(path, "security.capability", capability, 20, 0) < 0 ||
	    setxattr(path, "user.empty", "", 0, 0) < 0)
		skip();
	l = list(*state, "");
	e = l.entries[1].entry;
	assert_int_equal(e->xattr_count, 2);
	assert_string_equal(e->xattrs[0].name, "security.capability");
	assert_int_equal(e->xattrs[0].len, 20);
	assert_memory_equal(e->xattrs[0].value, capability, 20);
	assert_string_equal(e->xattrs[1].name, "user.empty");
	assert_int_equal(e->xattrs[1].len, 0);
}

static void test_refuses_socket(void **state)
{
	_cleanup_layer_ struct layer l = LAYER_INIT;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct error err = ERROR_INIT;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", (char *)*state);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_true(directory_list(*state, "", &l, &err) < 0);
	assert_contains(err.text, "/s: is a socket");
	close(fd);
}

/* Deeper than descriptors may be open. */
static void test_deep(void **state)
{
	enum { LEVELS = 1500 };
	_cleanup_layer_ struct layer l = LAYER_INIT;
	_cleanup_close_ int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct rlimit before, few;

	assert_int_equal(chdir(*state), 0);
	for (int i = 0; i < LEVELS; i++)
		if (mkdir("d", 0755) < 0 || mkdir("e", 0755) < 0 || chdir("d") < 0)
			fail_msg("level %d: %s", i, strerror(errno));
	assert_int_equal(fchdir(here), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = 256;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	l = list(*state, "");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(l.len, 1 + 2 * LEVELS);
	assert_string_equal(l.entries[LEVELS + 1].entry->path + 2 * (LEVELS - 1), "e");
	assert_string_equal(l.entries[2 * LEVELS].entry->path, "e");
}

static void test_refuses_missing(void **state)
{
	_cleanup_free_ char *path = join(*state, "none");
	_cleanup_layer_ struct layer l = LAYER_INIT;
	struct error err = ERROR_INIT;

	assert_true(directory_list(path, "", &l, &err) < 0);
	assert_contains(err.text, "none: No such file");
	assert_true(directory_list_file(path, "x", &l, &err) < 0);
	assert_contains(err.text, "none: No such file");
	assert_true(directory_list_file("/dev/null", "x", &l, &err) < 0);
	assert_contains(err.text, "neither a file nor a directory");
}

static void test_one_file(void **state)
{
	_cleanup_free_ char *link_path = join(*state, "link");
	_cleanup_layer_ struct layer l = LAYER_INIT;
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_INIT;

	write_text(*state, "f", "content");
	assert_int_equal(symlink("f", link_path), 0);
	assert_int_equal(directory_list_file(link_path, "etc/x", &l, &err), 0);
	l.entries[0].entry->uid = l.entries[0].entry->gid = 0;
	text = layer_text(&l);
	assert_string_equal(text,
			    "/ 40755 0:0 n1\n/etc 40755 0:0 n1\n/etc/x 100640 0:0 n1 7 bytes content\n");
}

/* Content, names, modes and links count, times do not. */
static void test_digest(void **state)
{
	_cleanup_free_ char *path = join(*state, "f");
	struct sha256 d[5];
	uint64_t size;
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < 5; i++) {
		_cleanup_layer_ struct layer l = LAYER_INIT;
		struct timespec times[2] = {{.tv_sec = (time_t)i}, {.tv_sec = (time_t)i}};

		if (i == 2)
			write_text(*state, "f", "other..");
		else if (i != 1)
			write_text(*state, "f", "content");
		if (i == 3)
			assert_int_equal(chmod(path, 0600), 0);
		assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
		l = list(*state, "");
		assert_int_equal(layer_digest(&l, &d[i], &size, &err), 0);
		assert_int_equal(size, 7);
	}
	assert_memory_equal(&d[0], &d[1], sizeof(d[0]));
	assert_memory_equal(&d[0], &d[4], sizeof(d[0]));
	assert_memory_not_equal(&d[0], &d[2], sizeof(d[0]));
	assert_memory_not_equal(&d[0], &d[3], sizeof(d[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_dir(test_order_and_links), unit_test_in_dir(test_sparse),
		unit_test_in_dir(test_attributes),	unit_test_in_dir(test_refuses_socket),
		unit_test_in_dir(test_refuses_missing), unit_test_in_dir(test_one_file),
		unit_test_in_dir(test_digest),		unit_test_in_dir(test_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
