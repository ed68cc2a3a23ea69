/* SPDX-License-Identifier: Apache-2.0 */
#include "compose_fixture.h"

#include <limits.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "compose/cache.h"
#include "compose/sandbox.h"
#include "compose/sandbox_ids.h"
#include "lib/background.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/io.h"

static struct cache cache;
static bool unavailable;
static char dir[] = "/tmp/mkappliance-sandbox-XXXXXX";

/* ---- subordinate ids ---- */

static void ids_of_a_name(void **state)
{
	const char *text = "other:1:2\nann:100000:65536\nann:9:9\n1000:5:6";
	struct id_range r = {0};

	(void)state;
	assert_true(sandbox_ids_parse(text, "ann", 7, &r));
	assert_int_equal(r.start, 100000);
	assert_int_equal(r.count, 65536);
	assert_true(sandbox_ids_parse(text, NULL, 1000, &r)); /* no newline at its end */
	assert_int_equal(r.start, 5);
	assert_false(sandbox_ids_parse(text, "an", 7, &r));
	assert_false(sandbox_ids_parse("", "ann", 7, &r));
}

static void ids_that_are_none(void **state)
{
	static const char *const bad[] = {
		"ann:",	    "ann:1", "ann:1:", "ann:1:0",  "ann:x:1",	       "ann:1:2:3",	   "ann: 1:2",
		"ann:-1:2", "ann",   ":1:2",   "ann:1:2 ", "ann:4294967295:1", "ann:4294967294:2", NULL};
	struct id_range r;

	(void)state;
	for (size_t i = 0; bad[i]; i++)
		assert_false(sandbox_ids_parse(bad[i], "ann", 7, &r));
}

/* ---- the sandbox ---- */

/* The layer that @work leaves, or its error. */
static int make(const struct cached *base, size_t base_count, bool whole,
		int (*work)(const struct sandbox *, struct buf *, void *, struct error *), void *data,
		struct buf *note, struct cached *ret, struct error *err)
{
	const struct sandbox_options o = {.cache = &cache,
					  .what = "test",
					  .base = base,
					  .base_count = base_count,
					  .epoch = 1000000000,
					  .whole = whole,
					  .work = work,
					  .data = data};
	int fd = memfd_create("layer", MFD_CLOEXEC);
	int r = sandbox_make(&o, fd, note, err);

	if (r < 0) {
		close(fd);
		return r;
	}
	*ret = CACHED_INIT;
	ret->fd = fd;
	ret->path = xstrdup("layer");
	r = sha256_of_fd(fd, "layer", &ret->digest, &ret->size, err);
	assert_int_equal(r, 0);
	return 0;
}

static struct tree *tree_of(const struct cached *layers, size_t count)
{
	struct merge *m = merge_new();
	struct tree *t;

	for (size_t i = 0; i < count; i++) {
		_cleanup_layer_ struct layer l = LAYER_INIT;
		struct error err = ERROR_INIT;

		l.name = xstrdup("layer");
		l.fd = fcntl(layers[i].fd, F_DUPFD_CLOEXEC, 3);
		assert_int_equal(tar_index(l.fd, "layer", &l, &err), 0);
		assert_int_equal(merge_layer(m, &l, (unsigned)i, i ? 0 : MERGE_NO_WHITEOUTS, &err), 0);
	}
	t = merge_finish(m, INT64_MAX);
	merge_free(m);
	return t;
}

static void put(const struct sandbox *s, const char *path, const char *text, mode_t mode)
{
	_cleanup_free_ char *full = xasprintf("%s/%s", s->root, path);
	int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fchmod(fd, mode) < 0)
		_exit(9);
	close(fd);
}

static char *path_in(const struct sandbox *s, const char *path)
{
	return xasprintf("%s/%s", s->root, path);
}

static int fill_base(const struct sandbox *s, struct buf *note, void *data, struct error *err)
{
	static const char *const dirs[] = {"usr", "usr/bin", "etc", "gone", "gone/below", "opaque", "tmp"};
	struct vfs_cap_data cap = {.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
				   .data = {{.permitted = 1u << CAP_NET_BIND_SERVICE}}};
	_cleanup_free_ char *a = path_in(s, "usr/bin/app"), *b = path_in(s, "usr/bin/app2"),
			    *l = path_in(s, "usr/bin/link");

	(void)data;
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		_cleanup_free_ char *d = path_in(s, dirs[i]);

		if (mkdir(d, 0755) < 0 && errno != EEXIST)
			return error_errno(err, -errno, "%s", d);
	}
	put(s, "usr/bin/app", "app", 0755);
	put(s, "etc/config", "one", 0640);
	put(s, "gone/below/file", "x", 0644);
	put(s, "opaque/old", "x", 0644);
	put(s, "tmp/lost", "x", 0644);
	if (chown(a, 7, 8) < 0 || chmod(a, 04755) < 0 ||
	    setxattr(a, "security.capability", &cap, XATTR_CAPS_SZ_2, 0) < 0 || link(a, b) < 0 ||
	    symlink("app", l) < 0)
		return error_errno(err, -errno, "making the base");
	buf_printf(note, "\"note\"");
	return 0;
}

static void check_base(const struct tree *t)
{
	const struct tree_entry *e = tree_find(t, "usr/bin/app");

	assert_non_null(e);
	assert_int_equal(e->mode, S_IFREG | 04755);
	assert_int_equal(e->uid, 7);
	assert_int_equal(e->gid, 8);
	assert_int_equal(e->nlink, 2);
	assert_int_equal(e->mtime, 1000000000);
	assert_int_equal(e->xattr_count, 1);
	assert_string_equal(e->xattrs[0].name, "security.capability");
	assert_int_equal(e->xattrs[0].len, XATTR_CAPS_SZ_2); /* not the form that names a name space */
	assert_ptr_equal(tree_find(t, "usr/bin/app2")->hardlink, e);
	assert_string_equal(tree_find(t, "usr/bin/link")->target, "app");
	assert_null(tree_find(t, "tmp/lost"));
	assert_null(tree_find(t, "proc/self"));
	assert_null(tree_find(t, "dev/null"));
}

static int change(const struct sandbox *s, struct buf *note, void *data, struct error *err)
{
	_cleanup_free_ char *gone = path_in(s, "gone"), *opaque = path_in(s, "opaque");

	(void)note;
	(void)data;
	put(s, "etc/config", "two", 0640);
	put(s, "etc/new", "new", 0644);
	if (io_remove_tree(gone, err) < 0 || io_remove_tree(opaque, err) < 0)
		return err->code;
	if (mkdir(opaque, 0700) < 0)
		return error_errno(err, -errno, "%s", opaque);
	put(s, "opaque/young", "x", 0644);
	return 0;
}

static void check_changed(const struct tree *t)
{
	const struct tree_entry *e = tree_find(t, "etc/config");
	struct error err = ERROR_INIT;
	char text[4] = "";

	assert_int_equal(tree_read(t, e, 0, text, 3, &err), 0);
	assert_string_equal(text, "two");
	assert_non_null(tree_find(t, "etc/new"));
	assert_null(tree_find(t, "gone"));
	assert_null(tree_find(t, "opaque/old"));
	assert_non_null(tree_find(t, "opaque/young"));
	assert_int_equal(tree_find(t, "opaque")->mode, S_IFDIR | 0700);
	check_base(t);
}

/* Nothing of a run stays in the cache but the base. */
static void check_clean(void)
{
	_cleanup_free_ char *path = xasprintf("%s/work", dir);
	DIR *d = opendir(path);
	struct dirent *de;

	assert_non_null(d);
	while ((de = readdir(d)))
		assert_int_equal(de->d_name[0], '.');
	closedir(d);
}

static void base_and_difference(void **state)
{
	struct cached layers[2] = {CACHED_INIT, CACHED_INIT};
	struct cached again = CACHED_INIT;
	struct error err = ERROR_INIT;
	_cleanup_buf_ struct buf note = {0};
	struct tree *t;

	(void)state;
	if (unavailable)
		skip();
	assert_int_equal(make(NULL, 0, true, fill_base, NULL, &note, &layers[0], &err), 0);
	assert_string_equal(note.ptr, "\"note\"");
	t = tree_of(layers, 1);
	check_base(t);
	tree_free(t);
	for (int i = 0; i < 2; i++) { /* the second time on the base that is there */
		assert_int_equal(make(layers, 1, false, change, NULL, NULL, &layers[1], &err), 0);
		t = tree_of(layers, 2);
		check_changed(t);
		tree_free(t);
		if (i == 0)
			again = layers[1];
	}
	/* Only what changed, and the same bytes each time. */
	t = tree_of(&layers[1], 1);
	assert_null(tree_find(t, "usr/bin/app"));
	tree_free(t);
	assert_memory_equal(&again.digest, &layers[1].digest, sizeof(again.digest));
	cached_free(&again);
	cached_free(&layers[0]);
	cached_free(&layers[1]);
	check_clean();
}

/* A path that overlayfs' options cannot hold: the base is extracted, the difference found by looking. */
static void without_overlay(void **state)
{
	struct cached layers[2] = {CACHED_INIT, CACHED_INIT};
	_cleanup_free_ char *saved = cache.dir;
	struct error err = ERROR_INIT;
	struct tree *t;

	(void)state;
	if (unavailable)
		skip();
	cache.dir = xasprintf("%s/a:b", saved);
	assert_int_equal(io_make_dirs(cache.dir, 0755, &err), 0);
	assert_int_equal(make(NULL, 0, true, fill_base, NULL, NULL, &layers[0], &err), 0);
	assert_int_equal(make(layers, 1, false, change, NULL, NULL, &layers[1], &err), 0);
	t = tree_of(layers, 2);
	check_changed(t);
	tree_free(t);
	t = tree_of(&layers[1], 1);
	assert_null(tree_find(t, "usr/bin/app"));
	tree_free(t);
	for (size_t i = 0; i < 2; i++)
		cached_free(&layers[i]);
	free(cache.dir);
	cache.dir = steal_pointer(&saved);
}

static int give_up(const struct sandbox *s, struct buf *note, void *data, struct error *err)
{
	(void)note;
	(void)data;
	put(s, "file", "x", 0644);
	return error_usage(err, "not this way");
}

static void what_fails(void **state)
{
	struct error err = ERROR_INIT;
	struct cached c;

	(void)state;
	if (unavailable)
		skip();
	assert_int_equal(make(NULL, 0, true, give_up, NULL, NULL, &c, &err), -EINVAL);
	assert_string_equal(err.text, "not this way");
	assert_int_equal(err.exit, EXIT_USAGE);
	check_clean();
}

static int die(const struct sandbox *s, struct buf *note, void *data, struct error *err)
{
	(void)note;
	(void)data;
	(void)err;
	put(s, "file", "x", 0644);
	_exit(9);
}

static void what_dies(void **state)
{
	struct error err = ERROR_INIT;
	struct cached c;

	(void)state;
	if (unavailable)
		skip();
	assert_int_equal(make(NULL, 0, true, die, NULL, NULL, &c, &err), -EPIPE);
	assert_non_null(strstr(err.text, "ended without a word (exit code 9)"));
	check_clean();
}

/* A node of a device of the host, made at @path of the root. */
static int open_device(const struct sandbox *s, const char *path, struct error *err)
{
	_cleanup_free_ char *node = path_in(s, path);
	int fd;

	if (s->mapped)
		return 0; /* there none can be made */
	if (mknod(node, S_IFCHR | 0666, makedev(1, 5)) < 0)
		return error_errno(err, -errno, "%s", node);
	fd = open(node, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	(void)unlink(node);
	return fd < 0 && errno == EACCES ? 0 : error_set(err, -EINVAL, "%s can be opened", node);
}

/* What is the whole machine's: its name, its settings, its devices. */
static int reach_for_host(const struct sandbox *s, struct error *err)
{
	static const char *const files[] = {"proc/sys/vm/swappiness", "proc/sysrq-trigger"};
	char name[HOST_NAME_MAX + 1] = "";
	int r = 0;

	if (gethostname(name, sizeof(name)) < 0 || strcmp(name, "localhost") != 0)
		return error_set(err, -EINVAL, "the host name is '%s'", name);
	if (sethostname("changed", 7) < 0)
		return error_errno(err, -errno, "sethostname");
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		_cleanup_free_ char *path = path_in(s, files[i]);

		if (open(path, O_WRONLY | O_CLOEXEC) >= 0)
			return error_set(err, -EINVAL, "%s can be written", path);
	}
	r = open_device(s, "zero", err);
	return r < 0 ? r : open_device(s, "dev/other", err);
}

/* Programs: with the host's files but unable to write them; no network; not our processes. */
static int look_around(const struct sandbox *s, struct buf *note, void *data, struct error *err)
{
	const char *touch[] = {"touch", data, NULL}, *sleeper[] = {"sleep", "1000", NULL};
	struct spawn outside = {.argv = touch};
	struct spawn long_one = {.argv = sleeper, .timeout_ns = 50000000};
	struct error ignored = ERROR_INIT;
	_cleanup_buf_ struct buf routes = {0};
	int r;

	(void)note;
	if (spawn_run(&outside, &ignored) == 0)
		return error_set(err, -EINVAL, "the host can be written");
	if (spawn_run(&long_one, &ignored) != -ETIMEDOUT)
		return error_set(err, -EINVAL, "sleep: %s", ignored.text);
	if (getpid() != 1 || getuid() != 0)
		return error_set(err, -EINVAL, "not process 1 and root");
	r = reach_for_host(s, err);
	if (r < 0)
		return r;
	r = sandbox_no_network(err);
	if (r == 0)
		r = io_read_file(AT_FDCWD, "/proc/thread-self/net/route", 65536, &routes, err);
	if (r == 0 && routes.ptr && strchr(routes.ptr, '\n') && strchr(routes.ptr, '\n')[1])
		return error_set(err, -EINVAL, "there is a route: %s", routes.ptr);
	put(s, "done", "x", 0644);
	return r;
}

static void walls(void **state)
{
	_cleanup_free_ char *outside = xasprintf("/var%s-outside", dir);
	struct error err = ERROR_INIT;
	char before[HOST_NAME_MAX + 1] = "", after[HOST_NAME_MAX + 1] = "";
	struct cached c = CACHED_INIT;
	int r;

	(void)state;
	if (unavailable)
		skip();
	assert_int_equal(gethostname(before, sizeof(before)), 0);
	r = make(NULL, 0, true, look_around, outside, NULL, &c, &err);
	if (r < 0)
		print_error("%s\n", err.text);
	assert_int_equal(r, 0);
	assert_int_equal(gethostname(after, sizeof(after)), 0);
	assert_string_equal(before, after);
	assert_int_equal(access(outside, F_OK), -1);
	cached_free(&c);
}

static int hang(const struct sandbox *s, struct buf *note, void *data, struct error *err)
{
	const char *argv[] = {"sleep", "1000", NULL};
	struct spawn sleeper = {.argv = argv};
	int *ready = data;

	(void)s;
	(void)note;
	if (write(*ready, "x", 1) != 1)
		return -EIO;
	return spawn_run(&sleeper, err);
}

/* kill -9 in the middle: the next run removes what it left, and its processes are gone. */
static void killed(void **state)
{
	struct cached c = CACHED_INIT;
	struct error err = ERROR_INIT;
	int ready[2];
	pid_t pid;
	char x;

	(void)state;
	if (unavailable)
		skip();
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0)
		_exit(make(NULL, 0, true, hang, &ready[1], NULL, &c, &err) != 0);
	close(ready[1]);
	assert_int_equal(read(ready[0], &x, 1), 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	/* Whoever runs in there holds the pipe. */
	assert_int_equal(read(ready[0], &x, 1), 0);
	close(ready[0]);
	assert_int_equal(make(NULL, 0, true, fill_base, NULL, NULL, &c, &err), 0);
	cached_free(&c);
	check_clean();
}

/* Somebody wrote into the base that is kept: it is made again. */
static void changed_base(void **state)
{
	struct cached layers[2] = {CACHED_INIT, CACHED_INIT};
	struct error err = ERROR_INIT;
	_cleanup_free_ char *roots = xasprintf("%s/roots", dir);
	struct dirent *de;
	struct tree *t;
	DIR *d;

	(void)state;
	if (unavailable)
		skip();
	assert_int_equal(make(NULL, 0, true, fill_base, NULL, NULL, &layers[0], &err), 0);
	assert_int_equal(make(layers, 1, true, change, NULL, NULL, &layers[1], &err), 0);
	cached_free(&layers[1]);
	d = opendir(roots);
	while ((de = readdir(d))) {
		_cleanup_free_ char *path = xasprintf("%s/%s/usr/bin/app", roots, de->d_name);

		if (access(path, F_OK) == 0)
			assert_int_equal(unlink(path), 0);
	}
	closedir(d);
	assert_int_equal(make(layers, 1, true, change, NULL, NULL, &layers[1], &err), 0);
	t = tree_of(&layers[1], 1);
	check_changed(t); /* whole: the base is in it */
	tree_free(t);
	for (size_t i = 0; i < 2; i++)
		cached_free(&layers[i]);
}

static pthread_mutex_t library = PTHREAD_MUTEX_INITIALIZER; /* stands for a lock of malloc(3) or libcrypto */

static int hold_library(void *user, struct error *err)
{
	(void)err;
	pthread_mutex_lock(&library);
	__atomic_store_n((bool *)user, true, __ATOMIC_RELAXED);
	(void)nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
	pthread_mutex_unlock(&library);
	return 0;
}

static int use_library(const struct sandbox *s, struct buf *note, void *data, struct error *err)
{
	(void)note;
	(void)data;
	if (pthread_mutex_trylock(&library) != 0)
		return error_set(err, -EDEADLK, "it is locked, and here nobody is left to unlock it");
	put(s, "done", "x", 0644);
	return 0;
}

/* What another thread has locked when the sandbox starts would stay so in there. */
static void beside_a_thread(void **state)
{
	_cleanup_(background_end) struct background thread = {0};
	struct error err = ERROR_INIT;
	struct cached c = CACHED_INIT;
	bool held = false;

	(void)state;
	if (unavailable)
		skip();
	background_start(&thread, hold_library, &held);
	while (!__atomic_load_n(&held, __ATOMIC_RELAXED))
		(void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	assert_int_equal(make(NULL, 0, true, use_library, NULL, NULL, &c, &err), 0);
	cached_free(&c);
}

static int set_up(void **state)
{
	(void)state;
	interrupt_setup();
	if (!mkdtemp(dir))
		return -1;
	cache.dir = xstrdup(dir);
	return 0;
}

static int tear_down(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	free(cache.dir);
	return io_remove_tree(dir, &err);
}

/* In a chroot whose root is no mount point nobody can have mounts of his own. */
static bool root_is_mount_point(void)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0)
		_exit(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 &&
		      errno == EINVAL);
	return pid < 0 || waitpid(pid, &status, 0) < 0 || status == 0;
}

/* Each test, so that each is counted. */
static int need_sandbox(void **state)
{
	struct sandbox_ids mine;
	struct error err = ERROR_INIT;

	(void)state;
	unavailable = sandbox_ids_find(&mine, &err) < 0;
	if (!unavailable && geteuid() == 0 && !root_is_mount_point())
		unavailable = error_set(&err, -EINVAL, "the root directory is no mount point") < 0;
	if (unavailable)
		print_message("no sandbox here: %s\n", err.text);
	return 0;
}

#define sandbox_test(f) cmocka_unit_test_setup(f, need_sandbox)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_of_a_name),
		cmocka_unit_test(ids_that_are_none),
		sandbox_test(base_and_difference),
		sandbox_test(without_overlay),
		sandbox_test(what_fails),
		sandbox_test(what_dies),
		sandbox_test(walls),
		sandbox_test(killed),
		sandbox_test(changed_base),
		sandbox_test(beside_a_thread),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
