/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rpm database of the root, where and as its own rpm wants it, and traces of the installation; declared in
 * rpm_internal.h.
 *
 * We work with the host's rpm and sqlite. A root whose rpm keeps another format gets its database through
 * rpmdb --exportdb and --importdb, one side of which runs in the root.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compose/rpm_internal.h"
#include "compose/rpm_ndb.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/spawn.h"

/* No package has a link there, as some have at /var/lib/rpm. */
#define DEFAULT_PATH "/usr/lib/sysimage/rpm"
#define NDB_MAX	     ((size_t)1 << 30)
#define OWN_PATH     "/usr/lib/sysimage/rpm-sqlite" /* while we work on another format */

/* What the root's rpm says of itself; zeroed: it has none. */
struct own_rpm {
	char *path;
	char *backend;
};

static void own_rpm_free(struct own_rpm *o)
{
	free(o->path);
	free(o->backend);
}

/* Through the links of the root, never out of it. */
static int open_in_root(const char *root, const char *path, int flags)
{
	_cleanup_close_ int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct open_how how = {.flags = (uint64_t)(unsigned)flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};

	return fd < 0 ? -1 : (int)syscall(SYS_openat2, fd, path, &how, sizeof(how));
}

/* A directory of the root, made where it is not there. */
static int open_directory(const char *root, const char *path, struct error *err)
{
	_cleanup_close_ int at = open_in_root(root, "/", O_RDONLY | O_DIRECTORY);

	for (const char *p = path; at >= 0 && *p;) {
		_cleanup_free_ char *part = NULL;
		_cleanup_close_ int next = -EBADF;

		p += strspn(p, "/");
		part = xstrndup(path, (size_t)(p + strcspn(p, "/") - path));
		next = open_in_root(root, part, O_RDONLY | O_DIRECTORY);
		if (next < 0 && errno == ENOENT && mkdirat(at, strrchr(part, '/') + 1, 0755) == 0)
			next = open_in_root(root, part, O_RDONLY | O_DIRECTORY);
		cleanup_closep(&at);
		at = steal_fd(&next);
		p += strcspn(p, "/");
	}
	if (at < 0)
		return error_errno(err, -errno, "%s in the install root", path);
	return steal_fd(&at);
}

static bool root_has(const char *root, const char *path)
{
	_cleanup_close_ int fd = open_in_root(root, path, O_PATH);

	return fd >= 0;
}

/* "--eval" in the root: "PATH BACKEND". A rpm that does not run there is as good as none. */
static struct own_rpm ask_own_rpm(const struct rpm_job *job)
{
	static const char *const argv[] = {"/usr/bin/rpm", "--eval", "%{_dbpath} %{_db_backend}", NULL};
	_cleanup_buf_ struct buf out = {0};
	struct spawn s = {
		.argv = argv, .root = job->s->root, .output = &out, .timeout_ns = UINT64_C(60000000000)};
	struct error ignored = ERROR_INIT;
	struct own_rpm own = {0};
	char *space;

	if (!root_has(job->s->root, "/usr/bin/rpm") || spawn_run(&s, &ignored) < 0 || !out.ptr)
		return own;
	out.ptr[strcspn(out.ptr, "\n")] = 0;
	space = strchr(out.ptr, ' ');
	if (!space || out.ptr[0] != '/' || strstr(out.ptr, ".."))
		return own;
	*space = 0;
	own.path = xstrdup(out.ptr);
	/* Before rpm 4.16 there was only Berkeley DB, and no such macro. */
	own.backend = xstrdup(space[1] == '%' ? "bdb" : space + 1);
	return own;
}

static bool is_sqlite(const struct own_rpm *own)
{
	return !own->backend || strcmp(own->backend, "sqlite") == 0;
}

/* Where a base without a rpm of its own has it; NULL: nowhere. */
static const char *find_database(const char *root)
{
	static const char *const places[] = {DEFAULT_PATH, "/var/lib/rpm", "/usr/share/rpm"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		_cleanup_free_ char *path = xasprintf("%s/rpmdb.sqlite", places[i]);

		if (root_has(root, path))
			return places[i];
	}
	return NULL;
}

/* One half of a conversion: @root NULL: the host's rpm, which is told root and path. */
static int convert_half(const struct rpm_job *job, const char *how, const char *own_path, int in, int out,
			struct error *err)
{
	_cleanup_strlist_ struct strlist argv = {0};
	struct spawn s = {.package = "rpm", .stdin_fd = in, .stdout_fd = out};
	int r;

	strlist_add(&argv, own_path ? "rpmdb" : "/usr/bin/rpmdb");
	if (own_path) {
		strlist_addf(&argv, "--root=%s", job->s->root);
		strlist_addf(&argv, "--define=_dbpath %s", own_path);
		strlist_add(&argv, "--define=_db_backend sqlite");
	} else {
		s.root = job->s->root;
	}
	strlist_add(&argv, how);
	s.argv = (const char *const *)argv.ptr;
	r = spawn_run(&s, err);
	return r < 0 ? error_prefix(err, "converting the rpm database") : 0;
}

/* From the root's own format to sqlite in OWN_PATH, or back. */
static int convert(const struct rpm_job *job, bool to_sqlite, struct error *err)
{
	_cleanup_close_ int fd = open(job->s->scratch, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	_cleanup_close_ int dir = open_directory(job->s->root, OWN_PATH, err);
	int r;

	if (fd < 0)
		return error_errno(err, -errno, "%s", job->s->scratch);
	if (dir < 0)
		return dir;
	r = convert_half(job, "--exportdb", to_sqlite ? NULL : OWN_PATH, 0, fd, err);
	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = error_errno(err, -errno, "converting the rpm database");
	return r < 0 ? r : convert_half(job, "--importdb", to_sqlite ? OWN_PATH : NULL, fd, 0, err);
}

int rpm_database_open(struct rpm_job *job, struct error *err)
{
	_cleanup_(own_rpm_free) struct own_rpm own = ask_own_rpm(job);
	_cleanup_close_ int dir = -EBADF;
	const char *found = find_database(job->s->root);
	int r;

	if (!job->file_count) {
		job->dbpath = xstrdup(DEFAULT_PATH);
		dir = open_directory(job->s->root, DEFAULT_PATH, err);
		return dir < 0 ? dir : 0;
	}
	if (own.path && !is_sqlite(&own)) {
		r = convert(job, true, err);
		job->dbpath = xstrdup(OWN_PATH);
		return r;
	}
	if (!own.path && !found)
		return error_usage(err, "the base has no rpm database: its packages cannot be added to");
	job->dbpath = xstrdup(own.path ? own.path : found);
	return 0;
}

static void remove_empty(int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size == 0)
		(void)unlinkat(dir, name, 0);
}

/*
 * A database in WAL mode cannot be opened on a read-only file system. Without a journal beside it the two modes differ in two
 * bytes of the header (https://www.sqlite.org/fileformat.html, 1.3.3): 2 is WAL, 1 is a rollback journal.
 */
static void leave_wal_mode(int dir)
{
	static const char magic[16] = "SQLite format 3";
	_cleanup_close_ int fd = openat(dir, "rpmdb.sqlite", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	char head[20];

	if (fd >= 0 && pread(fd, head, sizeof(head), 0) == sizeof(head) &&
	    memcmp(head, magic, sizeof(magic)) == 0 && head[18] == 2 && head[19] == 2)
		(void)!pwrite(fd, "\1\1", 2, 18);
}

/* Only the database itself: what sqlite and rpm need while they have it open is made anew by each reader. */
static void strip_database(int dir)
{
	static const char *const of_bdb[] = {"__db.001", "__db.002", "__db.003", ".dbenv.lock"};

	for (size_t i = 0; i < sizeof(of_bdb) / sizeof(of_bdb[0]); i++)
		(void)unlinkat(dir, of_bdb[i], 0);
	remove_empty(dir, "rpmdb.sqlite-wal");
	if (faccessat(dir, "rpmdb.sqlite-wal", F_OK, 0) < 0) {
		(void)unlinkat(dir, "rpmdb.sqlite-shm", 0);
		leave_wal_mode(dir);
	}
	remove_empty(dir, ".rpm.lock");
}

static int move_database(const struct rpm_job *job, const char *to, struct error *err)
{
	_cleanup_close_ int from_dir = open_directory(job->s->root, job->dbpath, err);
	_cleanup_close_ int to_dir = from_dir < 0 ? -EBADF : open_directory(job->s->root, to, err);

	if (from_dir < 0 || to_dir < 0)
		return err->code;
	strip_database(from_dir);
	/* The same directory by another name? */
	if (faccessat(to_dir, "rpmdb.sqlite", F_OK, 0) == 0)
		return 0;
	if (renameat(from_dir, "rpmdb.sqlite", to_dir, "rpmdb.sqlite") < 0)
		return error_errno(err, -errno, "moving the rpm database to %s", to);
	return 0;
}

static void remove_directory(const char *root, const char *path)
{
	_cleanup_free_ char *parent = xstrndup(path, (size_t)(strrchr(path, '/') - path));
	_cleanup_close_ int dir = open_in_root(root, parent, O_RDONLY | O_DIRECTORY);

	if (dir >= 0)
		(void)unlinkat(dir, strrchr(path, '/') + 1, AT_REMOVEDIR);
}

/* What the root's rpm had before: --importdb adds to what is there. */
static int remove_database(const struct rpm_job *job, const char *path, struct error *err)
{
	int fd = open_directory(job->s->root, path, err);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;
	struct stat st;

	if (!dir)
		return fd < 0 ? fd : error_errno(err, -errno, "%s in the install root", path);
	while ((de = readdir(dir)))
		if (fstatat(fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
		    unlinkat(fd, de->d_name, 0) < 0)
			return error_errno(err, -errno, "%s/%s in the install root", path, de->d_name);
	return 0;
}

/* A database of the format ndb says of each package when it was written there. */
static int clamp_ndb(const struct rpm_job *job, const char *path, struct error *err)
{
	_cleanup_close_ int dir = open_directory(job->s->root, path, err);
	_cleanup_free_ char *name = xasprintf("%s/Packages.db in the install root", path);
	_cleanup_close_ int fd = -EBADF;
	_cleanup_buf_ struct buf b = {0};
	int r;

	if (dir < 0)
		return dir;
	r = io_read_file(dir, "Packages.db", NDB_MAX, &b, err);
	if (r == 0)
		r = rpm_ndb_set_time(b.ptr, b.len, name, (uint32_t)rpm_epoch(job->t), err);
	if (r < 0)
		return r;
	fd = openat(dir, "Packages.db", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return error_errno(err, -errno, "%s", name);
	return io_pwrite_full(fd, name, b.ptr, b.len, 0, err);
}

int rpm_database_close(struct rpm_job *job, struct error *err)
{
	_cleanup_(own_rpm_free) struct own_rpm own = ask_own_rpm(job);
	const char *to = own.path ? own.path : job->dbpath;
	_cleanup_close_ int dir = -EBADF;
	int r = 0;

	if (!is_sqlite(&own)) {
		if (strcmp(job->dbpath, OWN_PATH) != 0)
			r = move_database(job, OWN_PATH, err);
		if (r == 0)
			r = remove_database(job, to, err);
		if (r == 0)
			r = convert(job, false, err);
		if (r == 0 && strcmp(own.backend, "ndb") == 0)
			r = clamp_ndb(job, to, err);
		dir = r < 0 ? -EBADF : open_directory(job->s->root, OWN_PATH, err);
		if (dir >= 0 && unlinkat(dir, "rpmdb.sqlite", 0) < 0)
			r = error_errno(err, -errno, "removing the rpm database");
		if (dir >= 0)
			strip_database(dir);
		remove_directory(job->s->root, OWN_PATH);
	} else if (strcmp(to, job->dbpath) != 0) {
		r = move_database(job, to, err);
		remove_directory(job->s->root, job->dbpath);
	}
	if (r < 0)
		return r;
	cleanup_closep(&dir);
	dir = open_directory(job->s->root, to, err);
	if (dir < 0)
		return dir;
	strip_database(dir);
	free(job->dbpath);
	job->dbpath = xstrdup(to);
	return 0;
}

/* ---- traces ---- */

/* Logs that were written to since @started become empty; those that came with a package stay. */
static void empty_logs(int at, const char *name, time_t started)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;

	while (dir && (de = readdir(dir))) {
		_cleanup_close_ int file = -EBADF;
		struct stat st;

		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0 ||
		    fstatat(fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(st.st_mode))
			empty_logs(fd, de->d_name, started);
		if (!S_ISREG(st.st_mode) || st.st_mtime < started || st.st_size == 0)
			continue;
		file = openat(fd, de->d_name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
		if (file >= 0)
			(void)!ftruncate(file, 0);
	}
}

static int remove_trace(const char *root, const char *directory, const char *name, struct error *err)
{
	_cleanup_close_ int dir = open_in_root(root, directory, O_RDONLY | O_DIRECTORY);
	_cleanup_free_ char *path = NULL;

	if (dir < 0)
		return 0;
	path = xasprintf("/proc/self/fd/%d/%s", dir, name);
	return io_remove_tree(path, err);
}

int rpm_tidy(const struct rpm_job *job, time_t started, struct error *err)
{
	static const char *const traces[][2] = {
		{"/var/cache", "dnf"},	   {"/var/cache", "yum"},
		{"/var/cache", "libdnf5"}, {"/var/cache/ldconfig", "aux-cache"},
		{"/var/lib", "dnf"},	   {"/var/lib/systemd", "random-seed"},
		{"/root", ".rpmdb"}};
	_cleanup_close_ int log = open_in_root(job->s->root, "/var/log", O_RDONLY | O_DIRECTORY);
	_cleanup_close_ int id = open_in_root(job->s->root, "/etc/machine-id", O_WRONLY);
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(traces) / sizeof(traces[0]); i++)
		r = remove_trace(job->s->root, traces[i][0], traces[i][1], err);
	if (log >= 0)
		empty_logs(log, ".", started);
	/* systemd(1) makes one at each boot when it is empty. */
	if (id >= 0 && ftruncate(id, 0) < 0)
		r = error_errno(err, -errno, "/etc/machine-id in the install root");
	return r;
}
