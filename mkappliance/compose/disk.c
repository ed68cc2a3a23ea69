/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "compose/apk.h"
#include "compose/compose_internal.h"
#include "compose/disk_clean.h"
#include "compose/disk_format.h"
#include "compose/disk_install.h"
#include "compose/disk_work.h"
#include "compose/packages.h"
#include "compose/tar.h"
#include "lib/cleanup.h"
#include "lib/log.h"

/* A file of the host as it was when its digest was taken, which names the layer in the cache. */
struct hashed {
	const char *path; /* borrowed */
	struct tree_stamp stamp;
};

/* Everything that one build of the layer needs. */
struct disk {
	const struct template *t;
	const struct cache *cache;
	struct hashed *files; /* the image, packages, scripts */
	size_t file_count;
	size_t file_cap;
	struct strlist packages; /* files of [Package] to install */
	enum package_kind kind;	 /* of all of them */
	char *what;		 /* "base debian-12.qcow2", for messages */
	struct scratch work;
	struct guest *guest;
	char *dir;	     /* in the guest */
	const char *manager; /* of its packages */
};

static void disk_free(struct disk *d)
{
#ifdef WITH_GUESTFS
	guest_free(d->guest); /* before its overlay goes */
#endif
	scratch_close(&d->work);
	strlist_free(&d->packages);
	free(d->files);
	free(d->what);
	free(d->dir);
}

/* The last part of a path; borrowed. */
static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int disk_package_kind_of(const char *path, enum package_kind *ret, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char head[APK_HEAD];
	struct stat st;
	ssize_t n = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, -errno, "%s", path);
	if (S_ISREG(st.st_mode))
		n = pread(fd, head, sizeof(head), 0);
	if (n < 0)
		return error_errno(err, -errno, "%s", path);
	*ret = disk_package_kind(head, (size_t)n);
	return 0;
}

static int take_packages(struct disk *d, struct error *err)
{
	for (size_t i = 0; i < d->t->package_paths.len; i++) {
		const char *path = d->t->package_paths.ptr[i];
		enum package_kind kind;
		int r = disk_package_kind_of(path, &kind, err);

		if (r < 0)
			return r;
		if (kind == PACKAGE_OTHER)
			continue;
		if (d->packages.len && kind != d->kind)
			return error_usage(err, "%s: a .%s and a .%s cannot both be installed on one base",
					   path, disk_package_suffix(d->kind), disk_package_suffix(kind));
		d->kind = kind;
		strlist_add(&d->packages, path);
	}
	return 0;
}

/* As libguestfs and uname(2) call it. */
static const char *guest_architecture(enum architecture arch)
{
	return arch == ARCH_ARM64 ? "aarch64" : "x86_64";
}

#ifdef WITH_GUESTFS

/* ---- making it ---- */

static int start(struct disk *d, struct error *err)
{
	const struct template *t = d->t;
	struct guest_options o = {.image = t->base.image, .network = t->base.network || t->scripts.network};
	int r = disk_work_open(d->cache, &d->work, err);

	o.dir = d->work.path;
	if (r == 0)
		r = disk_work_look(&d->work, t->base.image, &o.format, err);
	return r < 0 ? r : guest_start(&o, &d->guest, err);
}

/* The base must be what the template says, and what is to run in it must be able to run here. */
static int check_architecture(const struct disk *d, const struct guest_system *s, struct error *err)
{
	const char *wanted = guest_architecture(d->t->appliance.arch);
	bool runs = d->packages.len || d->t->base.packages.len || d->t->scripts.run.len;
	struct utsname host;

	if (strcmp(s->arch, wanted) != 0)
		return error_usage(err, "%s: is for %s, the appliance is for %s ([Appliance] Architecture=)",
				   d->t->base.image, s->arch, wanted);
	if (runs && uname(&host) == 0 && strcmp(host.machine, wanted) != 0)
		return error_usage(
			err,
			"%s: is for %s, and nothing of it can run on this machine (%s): build there, "
			"or leave out Packages=, package files and [Scripts]",
			d->t->base.image, s->arch, host.machine);
	return 0;
}

static int open_system(struct disk *d, struct guest_system *s, struct error *err)
{
	_cleanup_free_ char *found = NULL;
	struct progress p;
	int r;

	progress_start(&p, "finding the system", NULL, 0);
	r = guest_open_system(d->guest, s, err);
	if (r < 0)
		return error_prefix(err, "%s", d->t->base.image);
	found = xasprintf("%s: %s, %s", s->name, s->product, s->arch);
	progress_end(&p, found);
	r = check_architecture(d, s, err);
	return r < 0 ? r : guest_make_dir(d->guest, &d->dir, err);
}

/* Copies them in under names that mean nothing to a shell. */
static int upload_packages(struct disk *d, struct strlist *ret, struct error *err)
{
	for (size_t i = 0; i < d->packages.len; i++) {
		_cleanup_free_ char *path = xasprintf("%s/%zu.%s", d->dir, i, disk_package_suffix(d->kind));
		int r = guest_upload(d->guest, d->packages.ptr[i], path, 0644, err);

		if (r < 0)
			return r;
		strlist_add(ret, path);
	}
	return 0;
}

#define POLICY "/usr/sbin/policy-rc.d" /* invoke-rc.d(8): 101 forbids to start services */

/* For disk_manager(). */
static bool exists(void *data, const char *path)
{
	return guest_exists(data, path);
}

static int install_all(struct disk *d, struct error *err)
{
	const struct template *t = d->t;
	_cleanup_strlist_ struct strlist files = {0}, lines = {0};
	bool policy = strcmp(d->manager, "apt") == 0 && !guest_exists(d->guest, POLICY);
	int r;

	r = upload_packages(d, &files, err);
	if (r == 0)
		r = disk_install_commands(d->manager, &t->base.packages, &files, d->kind, t->base.network,
					  d->cache->locked, &lines, err);
	if (r == 0 && policy)
		r = guest_write(d->guest, POLICY, 0755, "#!/bin/sh\nexit 101\n", err);
	for (size_t i = 0; r == 0 && i < lines.len; i++)
		r = guest_run(d->guest, "installing the packages", lines.ptr[i], t->base.network,
			      strcmp(d->manager, "apk") == 0 ? disk_reason_apk : disk_reason_any, err);
	if (r == -EPIPE && !t->base.network)
		return error_prefix(err, "without network ([Base] Network=no)");
	if (r == 0 && policy)
		r = guest_remove(d->guest, POLICY, err);
	return r;
}

static int install(struct disk *d, const struct guest_system *s, struct error *err)
{
	_cleanup_free_ char *detail = NULL;
	size_t count = d->t->base.packages.len + d->packages.len;
	struct progress p;
	int r;

	if (count == 0)
		return 0;
	progress_start(&p, "installing packages", NULL, 0);
	d->manager = disk_manager(s->manager, exists, d->guest);
	r = install_all(d, err);
	if (r < 0)
		return error_prefix(err, "%s", d->what);
	detail = xasprintf("%zu by %s", count, d->manager);
	progress_end(&p, detail);
	return 0;
}

static int run_script(struct disk *d, const char *script, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/script", d->dir);
	_cleanup_free_ char *name = xasprintf("script %s", name_of(script));
	struct progress p;
	int r;

	progress_start(&p, name, NULL, 0);
	r = guest_upload(d->guest, script, path, 0755, err);
	if (r == 0)
		r = guest_run(d->guest, script, path, d->t->scripts.network, NULL, err);
	if (r < 0)
		return r;
	progress_end(&p, NULL);
	return 0;
}

static int clean(struct disk *d, struct error *err)
{
	struct progress p;
	int r;

	progress_start(&p, "removing the identity", NULL, 0);
	r = guest_remove(d->guest, d->dir, err);
	if (r == 0)
		r = disk_clean(d->guest, err);
	if (r < 0)
		return error_prefix(err, "cleaning the base");
	progress_end(&p, NULL);
	return 0;
}

/* The packages in it, for builds that ask for those of a manifest. */
static int note_packages(const struct disk *d, struct layer *l, struct buf *note, struct error *err)
{
	_cleanup_merge_ struct merge *m = merge_new();
	_cleanup_installed_ struct installed none = {0}, list = {0};
	int r = merge_layer(m, l, 0, MERGE_NO_WHITEOUTS, err);

	if (r == 0)
		r = packages_list(m, &none, &list, err);
	if (r < 0)
		return error_prefix(err, "%s", d->what);
	installed_note(&list, note);
	return 0;
}

/* What comes out is looked through at once, so that the cache never keeps what no build can use. */
static int take_tree(struct disk *d, int fd, struct buf *note, struct error *err)
{
	_cleanup_layer_ struct layer look = LAYER_INIT;
	struct progress p;
	struct stat st;
	int r;

	progress_start(&p, "taking the tree out", "B", 0);
	r = guest_take_tree(d->guest, disk_excludes, fd, err);
	look.name = xstrdup(d->what);
	look.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (r == 0 && look.fd < 0)
		r = error_errno(err, -errno, "%s", d->what);
	if (r == 0)
		r = tar_index(look.fd, d->what, &look, err);
	if (r == 0)
		r = note_packages(d, &look, note, err);
	if (r < 0)
		return r;
	if (fstat(fd, &st) == 0)
		progress_add(&p, (uint64_t)st.st_size);
	progress_end(&p, NULL);
	return 0;
}

/* That guest_upload() and libguestfs read what was hashed: starting takes seconds, in which a new package may have been built. */
static int check_files(const struct disk *d, struct error *err)
{
	for (size_t i = 0; i < d->file_count; i++) {
		const struct hashed *f = &d->files[i];
		_cleanup_close_ int fd = open(f->path, O_RDONLY | O_CLOEXEC);
		int r = fd < 0 ? error_errno(err, -errno, "%s", f->path)
			       : tree_stamp_check(fd, f->path, &f->stamp, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int make_open(struct disk *d, int fd, struct buf *note, struct error *err)
{
	_cleanup_guest_system_ struct guest_system system = {0};
	int r;

	r = start(d, err);
	if (r == 0)
		r = check_files(d, err); /* before the work, and for good when it is done */
	if (r == 0)
		r = open_system(d, &system, err);
	if (r == 0)
		r = install(d, &system, err);
	for (size_t i = 0; r == 0 && i < d->t->scripts.run.len; i++)
		r = run_script(d, d->t->scripts.run.ptr[i], err);
	if (r == 0)
		r = clean(d, err);
	if (r == 0)
		r = take_tree(d, fd, note, err);
	return r < 0 ? r : check_files(d, err);
}

/* For cache_get(). */
static int make(int fd, struct buf *note, void *data, struct error *err)
{
	return make_open(data, fd, note, err);
}

#else

static int make(int fd, struct buf *note, void *data, struct error *err)
{
	(void)fd, (void)note, (void)data;
	return error_set(err, -ENOSYS,
			 "[Base] Source=disk: this mkappliance was built without libguestfs; install it "
			 "(apt-get install libguestfs-dev) and run make without WITH_GUESTFS=0");
}

#endif

/* ---- finding it ---- */

/* Digest of the file @path, as an input of @kind and as a part of the key. */
static int add_file(struct disk *d, const char *kind, const char *path, struct compose_result *result,
		    struct buf *key, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct hashed f = {.path = path};
	char hex[SHA256_HEX_SIZE];
	struct sha256 digest;
	uint64_t size;
	int r;

	if (fd < 0)
		return error_errno(err, -errno, "%s", path);
	r = tree_stamp_take(fd, path, &f.stamp, err);
	if (r == 0)
		r = sha256_of_fd(fd, path, &digest, &size, err);
	if (r < 0)
		return r;
	array_grow(d->files, d->file_count, d->file_cap);
	d->files[d->file_count++] = f;
	hex_encode(digest.b, sizeof(digest.b), hex);
	cache_key_add(key, kind, hex);
	compose_add_input(result, kind, path, &digest, size);
	return 0;
}

static int hash_image(struct disk *d, struct compose_result *result, struct buf *key, struct error *err)
{
	const struct template *t = d->t;
	const struct compose_input *base;
	struct progress p;
	int r;

	progress_start(&p, "reading the image", "B", 0);
	r = add_file(d, "base", t->base.image, result, key, err);
	if (r < 0)
		return r;
	base = &result->inputs[result->input_count - 1];
	progress_add(&p, base->size);
	progress_end(&p, NULL);
	return compose_check_base(t, t->base.image, &base->digest, err);
}

/* Everything that decides what comes out. */
static int key_of(struct disk *d, struct compose_result *result, struct buf *key, struct error *err)
{
	const struct template *t = d->t;
	int r;

	cache_key_add(key, "format", CACHE_FORMAT);
	cache_key_add(key, "kind", "disk-base");
	cache_key_add(key, "architecture", guest_architecture(t->appliance.arch));
	r = hash_image(d, result, key, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < t->base.packages.len; i++)
		cache_key_add(key, "name", t->base.packages.ptr[i]);
	cache_key_add(key, "network", t->base.network ? "yes" : "no");
	for (size_t i = 0; r == 0 && i < d->packages.len; i++)
		r = add_file(d, "package", d->packages.ptr[i], result, key, err);
	for (size_t i = 0; r == 0 && i < t->scripts.run.len; i++)
		r = add_file(d, "script", t->scripts.run.ptr[i], result, key, err);
	cache_key_add(key, "scripts-network", t->scripts.network ? "yes" : "no");
	return r;
}

int disk_base(const struct template *t, const struct cache *cache, struct compose_result *result,
	      struct cached *ret, struct error *err)
{
	_cleanup_(disk_free) struct disk d = {.t = t, .cache = cache, .work = SCRATCH_INIT};
	_cleanup_buf_ struct buf key = {0};
	bool network = t->base.network || t->scripts.network;
	int r;

	d.what = xasprintf("base %s", name_of(t->base.image));
	r = take_packages(&d, err);
	if (r == 0)
		r = key_of(&d, result, &key, err);
	return r < 0 ? r : cache_get(cache, &key, d.what, network, make, &d, ret, err);
}
