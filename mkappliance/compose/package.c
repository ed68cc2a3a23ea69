/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/package.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compose/compose_internal.h"
#include "compose/directory.h"
#include "compose/tar.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/log.h"

#define CONTROL_MAX ((size_t)1 << 20)

/* For cache_get(): the file that is to be unpacked. */
struct unpack {
	int fd;
	const char *path;
	enum archive_kind kind;
	struct tree_stamp stamp; /* from before its digest was taken, which names it in the cache */
};

void package_free(struct package *p)
{
	layer_free(&p->layer);
	dpkg_free(&p->control);
	strlist_free(&p->scripts);
}

/* What comes out is looked through at once, so that the cache never keeps what no build can use. */
static int unpack(int fd, struct buf *note, void *data, struct error *err)
{
	_cleanup_layer_ struct layer look = LAYER_INIT;
	const struct unpack *u = data;
	int r;

	(void)note;
	if (u->kind == ARCHIVE_DEB)
		r = archive_split_deb(u->fd, u->path, fd, -1, err);
	else
		r = archive_decompress(u->fd, u->path, fd, err);
	if (r == 0)
		r = tree_stamp_check(u->fd, u->path, &u->stamp, err);
	return r < 0 ? r : tar_index(fd, u->path, &look, err);
}

/* The uncompressed tar of a compressed file or a .deb, by the digest of the file. */
static int open_unpacked(const struct unpack *u, const struct sha256 *digest, const struct cache *cache,
			 int *ret, struct error *err)
{
	_cleanup_cached_ struct cached c = CACHED_INIT;
	_cleanup_buf_ struct buf key = {0};
	char hex[SHA256_HEX_SIZE];
	int r;

	hex_encode(digest->b, sizeof(digest->b), hex);
	cache_key_add(&key, "format", CACHE_FORMAT);
	cache_key_add(&key, "kind", u->kind == ARCHIVE_DEB ? "deb" : "compressed-tar");
	cache_key_add(&key, "sha256", hex);
	r = cache_get(cache, &key, u->path, false, unpack, (void *)(uintptr_t)u, &c, err);
	if (r == 0)
		*ret = steal_fd(&c.fd);
	return r;
}

/* The files of control.tar that matter: control itself, and scripts. */
static int take_control(const struct layer *l, const char *path, struct package *ret, struct error *err)
{
	static const char *const scripts[] = {"preinst", "postinst", "config", "triggers"};
	struct tree_source source = {.fd = l->fd, .name = l->name};
	const struct tree t = {.sources = &source, .source_count = 1};

	for (size_t i = 0; i < l->len; i++) {
		const struct tree_entry *e = l->entries[i].entry;
		_cleanup_free_ void *text = NULL;
		size_t len = 0;
		int r;

		for (size_t s = 0; s < sizeof(scripts) / sizeof(scripts[0]); s++)
			if (strcmp(e->path, scripts[s]) == 0)
				strlist_add(&ret->scripts, e->path);
		if (strcmp(e->path, "control") != 0 || !S_ISREG(e->mode))
			continue;
		r = tree_read_all(&t, e, CONTROL_MAX, &text, &len, err);
		if (r == 0)
			r = dpkg_parse(text, len, path, &ret->control, err);
		if (r < 0)
			return r;
	}
	if (ret->control.len != 1)
		return error_set(err, -EINVAL, "%s: is not a Debian package: its control file is missing",
				 path);
	return 0;
}

static int read_control(const struct unpack *u, struct package *ret, struct error *err)
{
	_cleanup_layer_ struct layer l = LAYER_INIT;
	int r;

	l.name = xasprintf("%s: control.tar", u->path);
	l.fd = memfd_create("control.tar", MFD_CLOEXEC);
	if (l.fd < 0)
		return error_errno(err, -errno, "memfd_create");
	r = archive_split_deb(u->fd, u->path, -1, l.fd, err);
	if (r == 0)
		r = tar_index(l.fd, l.name, &l, err);
	return r < 0 ? r : take_control(&l, u->path, ret, err);
}

static int open_file(int fd, const char *path, const struct cache *cache, struct package *p,
		     struct error *err)
{
	struct unpack u = {.fd = fd, .path = path};
	char head[TAR_BLOCK];
	ssize_t n = pread(fd, head, sizeof(head), 0);
	int r;

	if (n < 0)
		return error_errno(err, -errno, "%s", path);
	p->kind = u.kind = archive_kind_of(head, (size_t)n);
	if (u.kind == ARCHIVE_NOT)
		return error_usage(
			err, "%s: is neither a tar (plain, gz, zst, xz, bz2) nor a .deb nor a directory",
			path);
	r = tree_stamp_take(fd, path, &u.stamp, err);
	if (r == 0)
		r = sha256_of_fd(fd, path, &p->digest, &p->size, err);
	if (r < 0)
		return r;
	if (u.kind == ARCHIVE_DEB)
		r = read_control(&u, p, err);
	if (r == 0 && u.kind != ARCHIVE_TAR)
		r = open_unpacked(&u, &p->digest, cache, &p->layer.fd, err);
	else if (r == 0) {
		p->layer.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		p->layer.stamp = u.stamp;
	}
	if (r < 0)
		return r;
	if (p->layer.fd < 0)
		return error_errno(err, -errno, "%s", path);
	p->layer.name = xstrdup(path);
	return tar_index(p->layer.fd, path, &p->layer, err);
}

int package_read_deb(const char *path, struct package *ret, struct error *err)
{
	_cleanup_package_ struct package p = PACKAGE_INIT;
	struct unpack u = {.path = path};
	char head[TAR_BLOCK];
	struct stat st;
	ssize_t n;
	int r;

	p.layer.fd = u.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (u.fd < 0 || fstat(u.fd, &st) < 0)
		return error_errno(err, -errno, "%s", path);
	n = S_ISREG(st.st_mode) ? pread(u.fd, head, sizeof(head), 0) : 0;
	if (n < 0)
		return error_errno(err, -errno, "%s", path);
	p.kind = archive_kind_of(head, (size_t)n);
	r = 0;
	if (p.kind == ARCHIVE_DEB) {
		r = tree_stamp_take(u.fd, path, &p.layer.stamp, err);
		if (r == 0)
			r = sha256_of_fd(u.fd, path, &p.digest, &p.size, err);
		if (r == 0)
			r = read_control(&u, &p, err);
	}
	if (r < 0)
		return r;
	p.layer.name = xstrdup(path);
	*ret = p;
	p = PACKAGE_INIT;
	return 0;
}

int package_open(const char *path, const struct cache *cache, struct package *ret, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_package_ struct package p = PACKAGE_INIT;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, -errno, "%s", path);
	if (S_ISDIR(st.st_mode)) {
		p.kind = ARCHIVE_NOT;
		r = directory_list(path, "", &p.layer, err);
		if (r == 0)
			r = layer_listing_digest(&p.layer, &p.digest, &p.size, err);
	} else if (S_ISREG(st.st_mode)) {
		r = open_file(fd, path, cache, &p, err);
	} else {
		r = error_usage(err, "%s: is neither a file nor a directory", path);
	}
	if (r < 0)
		return r;
	*ret = p;
	p = PACKAGE_INIT;
	return 0;
}

static int check_depends(const char *name, const struct dpkg *installed, const char *depends,
			 struct error *err)
{
	_cleanup_free_ char *unmet = dpkg_first_unmet(installed, depends);

	if (!unmet)
		return 0;
	return error_usage(
		err, "%s: needs '%s', which the base does not have; add it to [Base] Packages=", name, unmet);
}

int package_check_architecture(const struct package *p, const char *name, const char *architecture,
			       struct error *err)
{
	const char *own = p->control.list[0].architecture;

	if (own && strcmp(own, "all") != 0 && strcmp(own, architecture) != 0)
		return error_usage(err, "%s: is for %s, the appliance is %s", name, own, architecture);
	return 0;
}

int package_check_deb(const struct package *p, const char *name, const char *architecture,
		      const struct dpkg *installed, struct error *err)
{
	const struct dpkg_package *c = &p->control.list[0];
	int r = package_check_architecture(p, name, architecture, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < p->scripts.len; i++)
		if (strcmp(p->scripts.ptr[i], "triggers") != 0)
			log_warning("%s: its %s script is not run; do what it does through [Files]", name,
				    p->scripts.ptr[i]);
	if (!installed) {
		if (c->depends || c->pre_depends)
			log_warning(
				"%s: the base has no list of installed packages; its dependencies were not "
				"checked",
				name);
		return 0;
	}
	r = check_depends(name, installed, c->pre_depends, err);
	return r < 0 ? r : check_depends(name, installed, c->depends, err);
}
