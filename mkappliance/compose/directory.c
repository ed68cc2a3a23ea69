/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/interrupt.h"

#define ENTRIES_MAX 4000000u
#define XATTR_MAX   65536 /* the kernel's limit for a list and for a value */
#define LEVELS_OPEN \
	200 /* below, the directory above is closed and found again as "..": descriptors are few */

/* The same number on every architecture; older C libraries do not know it. */
#define SYS_LISTXATTRAT 465

/* First name of a file that has several. */
struct inode {
	dev_t dev;
	ino_t ino;
	const char *path; /* of its entry; NULL: free slot */
};

struct walk {
	const char *root; /* for messages */
	const char *prefix;
	struct layer *out;
	struct inode *inodes; /* open addressing, a power of two */
	size_t inode_count;
	size_t inode_cap;
	unsigned depth; /* of the directory that is being listed */
};

static size_t slot_of(const struct walk *w, dev_t dev, ino_t ino)
{
	uint64_t h = ((uint64_t)ino ^ (uint64_t)dev << 32) * UINT64_C(0x9e3779b97f4a7c15);
	size_t i = (size_t)(h >> 20) & (w->inode_cap - 1);

	while (w->inodes[i].path && (w->inodes[i].dev != dev || w->inodes[i].ino != ino))
		i = (i + 1) & (w->inode_cap - 1);
	return i;
}

static void grow_inodes(struct walk *w)
{
	struct inode *old = w->inodes;
	size_t cap = w->inode_cap;

	w->inode_cap = cap ? cap * 2 : 256;
	w->inodes = xcalloc(w->inode_cap, sizeof(*w->inodes));
	for (size_t i = 0; i < cap; i++)
		if (old[i].path)
			w->inodes[slot_of(w, old[i].dev, old[i].ino)] = old[i];
	free(old);
}

/*
 * The path of an earlier name of this file, or NULL and it is remembered as @path (borrowed from the
 * entry).
 */
static const char *first_name(struct walk *w, const struct stat *st, const char *path)
{
	struct inode *slot;

	if (w->inode_count * 2 >= w->inode_cap)
		grow_inodes(w);
	slot = &w->inodes[slot_of(w, st->st_dev, st->st_ino)];
	if (slot->path)
		return slot->path;
	*slot = (struct inode){.dev = st->st_dev, .ino = st->st_ino, .path = path};
	w->inode_count++;
	return NULL;
}

/* Runs of data by SEEK_DATA and SEEK_HOLE. */
static int find_runs(int fd, struct tree_entry *e, struct error *err)
{
	size_t cap = 0;
	off_t at = 0, size = (off_t)e->size;

	while (at < size) {
		off_t data = lseek(fd, at, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO)
			break; /* a hole up to the end */
		if (data < 0 || (hole = lseek(fd, data, SEEK_HOLE)) < 0)
			return error_errno(err, -errno, "looking for holes");
		if (data >= size)
			break;
		array_grow(e->runs, e->run_count, cap);
		at = hole < size ? hole : size;
		e->runs[e->run_count++] = (struct tree_run){
			.offset = (uint64_t)data, .length = (uint64_t)(at - data), .stored = (uint64_t)data};
	}
	if (!e->runs)
		e->runs = xcalloc(1, sizeof(*e->runs));
	return 0;
}

static int read_xattr(const char *proc, const char *name, struct tree_entry *e, char *value,
		      struct error *err)
{
	ssize_t n = lgetxattr(proc, name, value, XATTR_MAX);

	if (n < 0 && errno == ENODATA)
		return 0;
	if (n < 0)
		return error_errno(err, -errno, "extended attribute '%s'", name);
	entry_set_xattr(e, xstrdup(name), xmemdup(value, (size_t)n), (size_t)n);
	return 0;
}

/*
 * The names of @name's attributes. listxattrat(2) came with Linux 6.13; before, the way to a name in a
 * directory that is open is @proc, its path through /proc, at twice the time.
 */
static ssize_t list_xattrs(int dirfd, const char *name, const char *proc, char *list, size_t size)
{
	static bool missing;

	if (!missing) {
		long n = syscall(SYS_LISTXATTRAT, dirfd, name[0] ? name : ".", AT_SYMLINK_NOFOLLOW, list,
				 size);

		/* A seccomp filter that does not know it says EPERM, which listing never does by itself. */
		if (n >= 0 || (errno != ENOSYS && errno != EPERM))
			return n;
		missing = true;
	}
	return llistxattr(proc, list, size);
}

/* Most files have none: one system call each. */
static int read_xattrs(int dirfd, const char *name, struct tree_entry *e, struct error *err)
{
	char proc[64 + LAYER_NAME_MAX + 1];
	char small[1024];
	_cleanup_free_ char *list = NULL, *value = NULL;
	char *names = small;
	ssize_t n;

	if (name[0])
		snprintf(proc, sizeof(proc), "/proc/self/fd/%d/%s", dirfd, name);
	else
		snprintf(proc, sizeof(proc), "/proc/self/fd/%d/.", dirfd);
	n = list_xattrs(dirfd, name, proc, small, sizeof(small));
	if (n < 0 && errno == ERANGE) {
		names = list = xmalloc(XATTR_MAX);
		n = list_xattrs(dirfd, name, proc, list, XATTR_MAX);
	}
	if (n < 0 && (errno == ENOTSUP || errno == ENOSYS))
		return 0;
	if (n < 0)
		return error_errno(err, -errno, "extended attributes");
	if (n > 0)
		value = xmalloc(XATTR_MAX);
	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(names + at) + 1) {
		int r;

		/* The host's security labels are not the image's. */
		if (strcmp(names + at, "security.selinux") == 0)
			continue;
		r = read_xattr(proc, names + at, e, value, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_target(int dirfd, const char *name, const struct stat *st, struct tree_entry *e,
		       struct error *err)
{
	size_t size = st->st_size > 0 && st->st_size <= LAYER_PATH_MAX ? (size_t)st->st_size : LAYER_PATH_MAX;
	ssize_t n;

	e->target = xmalloc(size + 2);
	n = readlinkat(dirfd, name, e->target, size + 1);
	if (n < 0)
		return error_errno(err, -errno, "reading the link");
	if ((size_t)n > size)
		return error_set(err, -ESTALE, "changed while building; build again");
	e->target[n] = 0;
	return 0;
}

static int read_regular(int dirfd, const char *name, const struct stat *st, const char *below,
			struct tree_entry *e, struct error *err)
{
	_cleanup_close_ int fd = -EBADF;

	e->size = (uint64_t)st->st_size;
	e->host_mtime_ns = st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec;
	if (!e->size)
		return 0;
	e->origin = ORIGIN_PATH;
	e->host = xstrdup(below);
	/*
	 * File systems count in 512 bytes here; inline and compressed files look sparse too, which does no
	 * harm.
	 */
	if ((uint64_t)st->st_blocks * 512 >= e->size)
		return 0;
	fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return error_errno(err, -errno, "opening");
	return find_runs(fd, e, err);
}

static int fill(int dirfd, const char *name, const char *below, const struct stat *st, struct tree_entry *e,
		struct error *err)
{
	int r = 0;

	e->mode = st->st_mode;
	e->uid = st->st_uid;
	e->gid = st->st_gid;
	e->mtime = st->st_mtim.tv_sec;
	if (S_ISSOCK(st->st_mode))
		return error_set(err, -EINVAL, "is a socket, which an image cannot hold; remove it");
	if (S_ISREG(st->st_mode))
		r = read_regular(dirfd, name, st, below, e, err);
	else if (S_ISLNK(st->st_mode))
		r = read_target(dirfd, name, st, e, err);
	else if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		e->rdev = st->st_rdev;
	return r < 0 ? r : read_xattrs(dirfd, name, e, err);
}

static char *join(const char *a, const char *b)
{
	return xasprintf("%s%s%s", a, *a && *b ? "/" : "", b);
}

/* Adds what @name in @dirfd is; @below is its path below the root. */
static int add(struct walk *w, int dirfd, const char *name, const char *below, const struct stat *st,
	       struct error *err)
{
	struct tree_entry *e = xcalloc(1, sizeof(*e));
	const char *first = NULL;
	int r;

	if (w->out->len >= ENTRIES_MAX)
		r = error_set(err, -EFBIG, "more than %u files", ENTRIES_MAX);
	else
		r = fill(dirfd, name, below, st, e, err);
	if (r < 0) {
		tree_entry_free(e);
		return error_prefix(err, "%s/%s", w->root, below);
	}
	e->path = join(w->prefix, below);
	if (!S_ISDIR(st->st_mode) && st->st_nlink > 1)
		first = first_name(w, st, e->path);
	layer_add(w->out, e, first ? xstrdup(first) : NULL);
	return 0;
}

static int list_names(int fd, struct strlist *ret, struct error *err)
{
	_cleanup_close_ int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	_cleanup_closedir_ DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *de;

	if (!dir)
		return error_errno(err, -errno, "listing");
	(void)steal_fd(&copy); /* the stream's now */
	while ((errno = 0, de = readdir(dir)))
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			strlist_add(ret, de->d_name);
	if (errno)
		return error_errno(err, -errno, "listing");
	strlist_sort(ret);
	return 0;
}

static int walk(struct walk *w, int *at, const char *name, const char *below, struct error *err);

static int visit(struct walk *w, int *at, const char *name, const char *parent, struct error *err)
{
	_cleanup_free_ char *below = join(parent, name);
	struct stat st;
	int r;

	if (strlen(w->prefix) + 1 + strlen(below) > LAYER_PATH_MAX)
		return error_set(err, -ENAMETOOLONG, "%s/%.200s...: path of more than %u bytes", w->root,
				 below, LAYER_PATH_MAX);
	if (fstatat(*at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, -errno, "%s/%s", w->root, below);
	r = add(w, *at, name, below, &st, err);
	if (r == 0 && S_ISDIR(st.st_mode))
		r = walk(w, at, name, below, err);
	return r;
}

/* The directory above @fd, which was closed, and must still be @was. */
static int go_up(int fd, const struct stat *was, int *ret, struct error *err)
{
	_cleanup_close_ int up = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (up < 0 || fstat(up, &st) < 0)
		return error_errno(err, -errno, "the directory above");
	if (st.st_dev != was->st_dev || st.st_ino != was->st_ino)
		return error_set(err, -ESTALE, "changed while building; build again");
	*ret = steal_fd(&up);
	return 0;
}

static int visit_all(struct walk *w, int *at, int *fd, const char *below, struct error *err)
{
	_cleanup_strlist_ struct strlist names = {0};
	struct stat above = {0};
	int r = list_names(*fd, &names, err);

	if (r == 0 && w->depth > LEVELS_OPEN) {
		if (fstat(*at, &above) < 0)
			r = error_errno(err, -errno, "the directory above");
		cleanup_closep(at);
		*at = -EBADF;
	}
	if (r < 0)
		return error_prefix(err, "%s/%s", w->root, below);
	for (size_t i = 0; r == 0 && i < names.len; i++)
		r = visit(w, fd, names.ptr[i], below, err);
	if (r == 0 && *at < 0 && (r = go_up(*fd, &above, at, err)) < 0)
		return error_prefix(err, "%s/%s", w->root, below);
	return r;
}

/* @at is closed for a while, and another descriptor afterwards, where the tree is deep. */
static int walk(struct walk *w, int *at, const char *name, const char *below, struct error *err)
{
	_cleanup_close_ int fd = openat(*at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r;

	if (fd < 0)
		return error_errno(err, -errno, "%s/%s", w->root, below);
	r = interrupt_check(err);
	if (r < 0)
		return r;
	w->depth++;
	r = visit_all(w, at, &fd, below, err);
	w->depth--;
	return r;
}

int directory_list(const char *path, const char *prefix, struct layer *ret, struct error *err)
{
	_cleanup_layer_ struct layer l = LAYER_INIT;
	struct walk w = {.root = path, .prefix = prefix, .out = &l};
	struct stat st;
	int r;

	l.name = xstrdup(path);
	l.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l.fd < 0 || fstat(l.fd, &st) < 0)
		return error_errno(err, -errno, "%s", path);
	r = add(&w, l.fd, "", "", &st, err);
	if (r == 0)
		r = walk(&w, &l.fd, ".", "", err);
	free(w.inodes);
	if (r < 0)
		return r;
	*ret = l;
	l = LAYER_INIT;
	return 0;
}

int directory_list_file(const char *path, const char *target, struct layer *ret, struct error *err)
{
	_cleanup_free_ char *real = realpath(path, NULL);
	_cleanup_layer_ struct layer l = LAYER_INIT;
	struct tree_entry *e;
	struct stat st;
	char *name;
	int r;

	if (!real)
		return error_errno(err, -errno, "%s", path);
	name = strrchr(real, '/'); /* there is one: the path is absolute */
	*name++ = 0;
	l.name = xstrdup(*real ? real : "/");
	l.fd = open(l.name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l.fd < 0 || fstatat(l.fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, -errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "%s: is neither a file nor a directory", path);
	e = entry_new(target, 0);
	layer_add(&l, e, NULL);
	r = fill(l.fd, name, name, &st, e, err);
	if (r < 0)
		return error_prefix(err, "%s", path);
	*ret = l;
	l = LAYER_INIT;
	return 0;
}
