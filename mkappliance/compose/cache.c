/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "compose/installed.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/io.h"
#include "lib/json.h"
#include "lib/log.h"

#define RECORD_MAX ((size_t)16 << 20)

int cache_open(const struct compose_options *options, struct cache *ret, struct error *err)
{
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	_cleanup_free_ char *dir = NULL;
	_cleanup_free_ char *layers = NULL;
	int r;

	if (options->cache_dir)
		dir = xstrdup(options->cache_dir);
	else if (xdg && xdg[0] == '/')
		dir = xasprintf("%s/mkappliance", xdg);
	else if (home && home[0] == '/')
		dir = xasprintf("%s/.cache/mkappliance", home);
	else
		return error_set(err, -ENOENT, "no place for the cache: set XDG_CACHE_HOME or HOME");
	layers = xasprintf("%s/layers", dir);
	r = io_make_dirs(layers, 0755, err);
	if (r < 0)
		return error_prefix(err, "cache");
	/* A sandbox works in the root directory, and gives other programs paths of files in here. */
	ret->dir = *dir == '/' ? steal_pointer(&dir) : realpath(dir, NULL);
	if (!ret->dir)
		return error_errno(err, -errno, "cache: %s", dir);
	ret->refresh = options->refresh;
	ret->offline = options->offline;
	ret->locked = options->locked;
	ret->locked_inputs = options->locked_inputs;
	ret->locked_input_count = options->locked_input_count;
	return 0;
}

void cache_close(struct cache *c)
{
	free(c->dir);
	*c = (struct cache){0};
}

void cached_free(struct cached *c)
{
	cleanup_closep(&c->fd);
	free(c->path);
	free(c->note);
	*c = CACHED_INIT;
}

void cache_key_add(struct buf *key, const char *name, const char *value)
{
	if (value)
		buf_printf(key, "%s=%zu:%s\n", name, strlen(value), value);
	else
		buf_printf(key, "%s\n", name);
}

static char *file_of(const struct cache *c, const char *hex, const char *suffix)
{
	return xasprintf("%s/layers/%s.%s", c->dir, hex, suffix);
}

/* Waits while another build makes the same layer. */
static int wait_for_lock(int fd, const char *path, const char *what, struct error *err)
{
	bool told = false;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return error_errno(err, -errno, "%s: locking", path);
		if (!told)
			log_note("%s: another build is making it; waiting", what);
		told = true;
		if (interrupt_check(err) < 0)
			return err->code;
		(void)nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
	}
	return 0;
}

/* *@ret stays as it is in a cache that may not be written to. */
static int lock_key(const char *path, const char *what, int *ret, struct error *err)
{
	for (;;) {
		_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
		struct stat st;
		int r;

		/* Of somebody else: good to read, and nobody makes a layer there that we could wait for. */
		if (fd < 0 && (errno == EACCES || errno == EROFS))
			return 0;
		if (fd < 0)
			return error_errno(err, -errno, "%s", path);
		r = wait_for_lock(fd, path, what, err);
		if (r < 0)
			return r;
		/*
		 * Who held it may have failed and removed it: then this is no longer the lock that others
		 * see.
		 */
		if (fstat(fd, &st) == 0 && st.st_nlink > 0) {
			*ret = steal_fd(&fd);
			return 0;
		}
	}
}

static int64_t time_ns(struct timespec t)
{
	return (int64_t)t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Writes down what the layer is and when it was written. */
static int record_write(const char *path, const char *what, const struct cached *c, struct error *err)
{
	_cleanup_json_ struct json *j = js_object_new();
	_cleanup_output_ struct output out = OUTPUT_INIT;
	_cleanup_free_ char *text = NULL;
	struct stat st;
	int r;

	if (fstat(c->fd, &st) < 0)
		return error_errno(err, -errno, "%s", c->path);
	js_set_string(j, "format", CACHE_FORMAT);
	js_set_string(j, "what", what);
	js_set_bytes(j, "sha256", c->digest.b, sizeof(c->digest.b));
	js_set_int(j, "size", (int64_t)c->size);
	js_set_int(j, "inode", (int64_t)st.st_ino);
	js_set_int(j, "mtime_ns", time_ns(st.st_mtim));
	js_set_int(j, "ctime_ns", time_ns(st.st_ctim));
	js_set_string(j, "note", c->note);
	text = js_text(j, false);
	r = output_open(path, &out, err);
	if (r == 0)
		r = io_write_full(out.fd, path, text, strlen(text), err);
	return r < 0 ? r : output_commit(&out, false, err);
}

struct record {
	struct sha256 digest;
	int64_t size, inode, mtime_ns, ctime_ns;
	char *note; /* owned */
};

static int record_read(const char *path, struct record *ret, struct error *err)
{
	_cleanup_json_ struct json *j = NULL;
	_cleanup_buf_ struct buf b = {0};
	int r;

	r = io_read_file(AT_FDCWD, path, RECORD_MAX, &b, err);
	if (r == 0)
		r = js_parse(b.ptr ? b.ptr : "", b.len, path, &j, err);
	if (r == 0)
		r = js_need_bytes(j, "sha256", ret->digest.b, sizeof(ret->digest.b), err);
	if (r == 0)
		r = js_need_int(j, "size", 0, INT64_MAX, &ret->size, err);
	if (r == 0)
		r = js_need_int(j, "inode", INT64_MIN, INT64_MAX, &ret->inode, err);
	if (r == 0)
		r = js_need_int(j, "mtime_ns", INT64_MIN, INT64_MAX, &ret->mtime_ns, err);
	if (r == 0)
		r = js_need_int(j, "ctime_ns", INT64_MIN, INT64_MAX, &ret->ctime_ns, err);
	if (r == 0 && js_string(js_get(j, "note")))
		ret->note = xstrdup(js_string(js_get(j, "note")));
	return r;
}

/* The layer as it lies there: 1 when it is good, 0 when it has to be made. */
static int look_up(const char *record_path, const char *what, struct cached *c, struct error *err)
{
	struct error ignored = ERROR_INIT;
	struct record rec = {0};
	struct stat st;
	int r;

	c->fd = open(c->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (c->fd < 0 && errno == ENOENT)
		return 0;
	if (c->fd < 0 || fstat(c->fd, &st) < 0)
		return error_errno(err, -errno, "%s", c->path);
	if (access(record_path, F_OK) < 0)
		return 0; /* interrupted between the two */
	r = record_read(record_path, &rec, &ignored);
	if (r < 0) {
		log_warning("%s: damaged in the cache (%s); making it again", what, ignored.text);
		return 0;
	}
	c->digest = rec.digest;
	free(c->note);
	c->note = rec.note;
	c->size = (uint64_t)st.st_size;
	if (rec.size == st.st_size && rec.inode == (int64_t)st.st_ino &&
	    rec.mtime_ns == time_ns(st.st_mtim) && rec.ctime_ns == time_ns(st.st_ctim))
		return 1;
	r = sha256_of_fd(c->fd, c->path, &c->digest, NULL, err);
	if (r < 0)
		return r;
	if (rec.size != st.st_size || memcmp(&c->digest, &rec.digest, sizeof(rec.digest)) != 0) {
		log_warning("%s: damaged in the cache (%s is not as it was written); making it again", what,
			    c->path);
		return 0;
	}
	/* Copied or moved with its bytes intact. A cache that cannot be written to is still good to read. */
	(void)record_write(record_path, what, c, &ignored);
	return 1;
}

static int make_layer(const char *record_path, const char *what,
		      int (*make)(int fd, struct buf *note, void *data, struct error *err), void *data,
		      struct cached *c, struct error *err)
{
	_cleanup_output_ struct output out = OUTPUT_INIT;
	_cleanup_buf_ struct buf note = {0};
	int r;

	/*
	 * Without the record the layer does not count: a crash from here on leaves nothing that looks
	 * whole.
	 */
	if (unlink(record_path) < 0 && errno != ENOENT)
		return error_errno(err, -errno, "%s", record_path);
	r = output_open(c->path, &out, err);
	if (r < 0)
		return r;
	r = make(out.fd, &note, data, err);
	if (r < 0)
		return r;
	r = sha256_of_fd(out.fd, c->path, &c->digest, &c->size, err);
	if (r == 0)
		r = output_commit(&out, false, err);
	if (r < 0)
		return r;
	cleanup_closep(&c->fd);
	c->fd = open(c->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (c->fd < 0)
		return error_errno(err, -errno, "%s", c->path);
	c->made = true;
	free(c->note);
	c->note = note.len ? buf_steal(&note) : NULL;
	return record_write(record_path, what, c, err);
}

/* @make NULL: only looks, -ENOENT. */
static int get(const struct cache *c, const struct buf *key, const char *what, bool needs_network,
	       int (*make)(int fd, struct buf *note, void *data, struct error *err), void *data,
	       struct cached *ret, struct error *err)
{
	_cleanup_free_ char *lock_path = NULL, *record_path = NULL;
	_cleanup_cached_ struct cached found = CACHED_INIT;
	_cleanup_close_ int lock = -EBADF;
	char hex[SHA256_HEX_SIZE];
	struct sha256 digest;
	int r;

	sha256_of(key->ptr, key->len, &digest);
	hex_encode(digest.b, sizeof(digest.b), hex);
	found.path = file_of(c, hex, "tar");
	record_path = file_of(c, hex, "json");
	lock_path = file_of(c, hex, "lock");
	r = lock_key(lock_path, what, &lock, err);
	if (r < 0)
		return r;
	r = c->refresh && !(needs_network && c->offline) ? 0 : look_up(record_path, what, &found, err);
	if (r == 0 && !make)
		r = error_set(err, -ENOENT, "%s: is not in the cache", what);
	if (r == 0 && needs_network && c->offline)
		r = error_set(err, -ENOENT,
			      "%s: is not in the cache, and fetching it was forbidden (--offline)", what);
	if (r == 0)
		r = make_layer(record_path, what, make, data, &found, err);
	if (r < 0) {
		if (lock >= 0) /* else it is somebody else's */
			(void)unlink(lock_path);
		return r;
	}
	log_debug("%s: %s %s", what, found.made ? "made" : "from the cache,", found.path);
	*ret = found;
	found = CACHED_INIT;
	return 0;
}

int cache_find(const struct cache *c, const struct buf *key, const char *what, struct cached *ret,
	       struct error *err)
{
	return get(c, key, what, false, NULL, NULL, ret, err);
}

static bool is_in(const struct installed *l, const struct installed_package *p)
{
	for (size_t i = 0; i < l->len; i++) {
		const struct installed_package *q = &l->list[i];

		if (strcmp(p->name, q->name) == 0 && strcmp(p->version, q->version) == 0 &&
		    strcmp(p->arch, q->arch) == 0 && strcmp(p->type, q->type) == 0)
			return !p->sha256 || !q->sha256 || strcmp(p->sha256, q->sha256) == 0;
	}
	return false;
}

/* Whether the layer is an input of the earlier build, or all packages that its note names are what they are to be. */
static bool agrees(const struct cache *cache, const struct cached *c)
{
	_cleanup_installed_ struct installed list = {0};
	struct error ignored = ERROR_INIT;

	for (size_t i = 0; i < cache->locked_input_count; i++)
		if (memcmp(&cache->locked_inputs[i].digest, &c->digest, sizeof(c->digest)) == 0)
			return true;
	if (!c->note || installed_parse(c->note, c->path, &list, &ignored) < 0)
		return true;
	for (size_t i = 0; i < list.len; i++)
		if (!is_in(cache->locked, &list.list[i]))
			return false;
	return true;
}

int cache_get(const struct cache *c, const struct buf *key, const char *what, bool needs_network,
	      int (*make)(int fd, struct buf *note, void *data, struct error *err), void *data,
	      struct cached *ret, struct error *err)
{
	_cleanup_cached_ struct cached found = CACHED_INIT;
	_cleanup_buf_ struct buf locked_key = {0}, note = {0};
	struct error ignored = ERROR_INIT;

	if (!c->locked)
		return get(c, key, what, needs_network, make, data, ret, err);
	/* The layer that builds share may be of other versions than the manifest's; then there is one of its own. */
	if (!c->refresh && cache_find(c, key, what, &found, &ignored) == 0 && agrees(c, &found)) {
		*ret = found;
		found = CACHED_INIT;
		return 0;
	}
	installed_note(c->locked, &note);
	buf_add(&locked_key, key->ptr, key->len);
	cache_key_add(&locked_key, "locked", note.ptr);
	return get(c, &locked_key, what, needs_network, make, data, ret, err);
}
