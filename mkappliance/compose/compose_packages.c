/* SPDX-License-Identifier: Apache-2.0 */
/* [Package] is put on the base; declared in compose_steps.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "compose/apt.h"
#include "compose/compose_steps.h"
#include "compose/debian.h"
#include "compose/disk.h"
#include "compose/dpkg.h"
#include "compose/oci.h"
#include "compose/package.h"
#include "compose/packages.h"
#include "compose/rpm.h"
#include "lib/cleanup.h"

static int check_deb(struct compose *c, const struct package *p, const char *path, struct error *err)
{
	_cleanup_dpkg_ struct dpkg d = {0};
	int r;

	r = packages_read_dpkg(c->m, &d, err);
	if (r < 0 && r != -ENOENT)
		return r;
	packages_add_deb(&p->control.list[0], &c->result.packages);
	return package_check_deb(p, path, debian_architecture(c->t->appliance.arch), r == 0 ? &d : NULL, err);
}

/* A package that is a directory or an archive of container images. *@ret_done: it was one. */
static int add_image_package(struct compose *c, struct package *p, const char *path, bool *ret_done,
			     struct error *err)
{
	/* A directory over a link to one goes through it where the link is a base's, not between the image's own layers. */
	unsigned flags = c->t->base.source == BASE_NONE ? 0 : MERGE_KEEP_LINKS;
	_cleanup_oci_store_ struct oci_store store = OCI_STORE_INIT;
	_cleanup_oci_image_ struct oci_image image = OCI_IMAGE_INIT;
	int r = 0;

	if (p->kind != ARCHIVE_NOT)
		r = oci_store_of_layer(&p->layer, &store, err);
	else if (oci_is_layout(&p->layer))
		r = oci_store_open(path, &c->cache, &store, err);
	if (r < 0 || store.kind == STORE_NOT)
		return r;
	*ret_done = true;
	r = oci_open_package(c->t, &store, &image, err);
	if (r == 0)
		r = oci_merge(&image, "package", path, &c->cache, c->m, &c->number, flags, &c->result, err);
	if (r == 0)
		compose_take_start(c, &image, path);
	return r;
}

static void describe_deb(struct compose_input *in, const struct package *p)
{
	in->package = xstrdup(p->control.list[0].name);
	in->version = xstrdup(p->control.list[0].version);
	in->arch = p->control.list[0].architecture ? xstrdup(p->control.list[0].architecture) : NULL;
}

static int add_package(struct compose *c, const char *path, struct error *err)
{
	_cleanup_package_ struct package p = PACKAGE_INIT;
	unsigned flags = MERGE_KEEP_LINKS;
	struct compose_input *in;
	enum package_kind kind;
	bool done = false;
	int r;

	r = disk_package_kind_of(path, &kind, err);
	if (r < 0 || (c->t->base.source == BASE_DISK && kind != PACKAGE_OTHER))
		return r;
	r = package_open(path, &c->cache, &p, err);
	if (r == 0 && p.kind == ARCHIVE_DEB) {
		flags |= MERGE_KEEP_DIRECTORIES | MERGE_NO_WHITEOUTS;
		r = check_deb(c, &p, path, err);
	} else if (r == 0) {
		r = add_image_package(c, &p, path, &done, err);
	}
	if (r < 0 || done)
		return r;
	in = compose_add_input(&c->result, "package", path, &p.digest, p.size);
	if (p.kind == ARCHIVE_DEB)
		describe_deb(in, &p);
	return merge_layer(c->m, &p.layer, c->number++, flags, err);
}

/* All .rpms are one transaction: they may need each other. */
static int add_rpms(struct compose *c, const struct rpm_file *files, size_t count, struct error *err)
{
	_cleanup_cached_ struct cached cached = CACHED_INIT;
	int r;

	r = rpm_packages(c->t, &c->cache, &c->base, files, count, &cached, err);
	return r < 0 ? r : compose_add_cached(c, &cached, "packages", c->number++, 0, err);
}

/* Whether the file at @path is an RPM; then *@ret is it. */
static int take_rpm(struct compose *c, const char *path, struct rpm_file *ret, bool *ret_is,
		    struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char head[4];
	uint64_t size;
	int r;

	*ret_is = false;
	if (fd < 0 || pread(fd, head, sizeof(head), 0) != sizeof(head) || !rpm_begins(head, sizeof(head))) {
		size_t len = strlen(path);

		if (fd < 0 || len < 4 || strcmp(path + len - 4, ".rpm") != 0)
			return 0;
		return error_usage(err, "%s: is not an RPM: its first bytes are not those of one", path);
	}
	r = sha256_of_fd(fd, path, &ret->digest, &size, err);
	if (r < 0)
		return r;
	ret->path = path;
	*ret_is = true;
	compose_add_input(&c->result, "package", path, &ret->digest, size);
	return 0;
}

/* apt takes the newer of two versions of a package and says nothing of the other. */
static int check_once(const struct apt_job *job, const struct package *p, const char *path, struct error *err)
{
	for (size_t i = 0; i < job->count; i++)
		if (strcmp(job->debs[i].control.list[0].name, p->control.list[0].name) == 0)
			return error_usage(err, "%s: is the package %s, as %s is", path,
					   p->control.list[0].name, job->paths[i]);
	return 0;
}

/* The .debs among the packages, for apt. @is_deb has an element for each package. */
static int collect_debs(struct compose *c, struct apt_job *job, bool *is_deb, struct error *err)
{
	const struct strlist *paths = &c->t->package_paths;

	job->debs = xcalloc(paths->len + 1, sizeof(*job->debs));
	job->paths = xcalloc(paths->len + 1, sizeof(*job->paths));
	for (size_t i = 0; i < paths->len; i++) {
		struct package *p = &job->debs[job->count];
		int r = package_read_deb(paths->ptr[i], p, err);

		if (r < 0)
			return r;
		is_deb[i] = p->kind == ARCHIVE_DEB;
		if (!is_deb[i]) {
			package_free(p);
			*p = (struct package){0};
			continue;
		}
		r = check_once(job, p, paths->ptr[i], err);
		job->paths[job->count++] = paths->ptr[i];
		if (r < 0)
			return r;
		r = package_check_architecture(p, paths->ptr[i], debian_architecture(c->t->appliance.arch),
					       err);
		if (r < 0)
			return r;
		describe_deb(compose_add_input(&c->result, "package", paths->ptr[i], &p->digest, p->size), p);
	}
	return 0;
}

static int install_debs(struct compose *c, struct apt_job *job, struct error *err)
{
	_cleanup_cached_ struct cached cached = CACHED_INIT;
	int r = apt_job_read(job, c->m, err);

	if (r == 0)
		r = apt_install(job, &cached, err);
	return r < 0 ? r : compose_add_cached(c, &cached, "packages on the base", c->number++, 0, err);
}

int compose_check_packages(const struct compose *c, struct error *err)
{
	const struct strlist *paths = &c->t->package_paths;
	enum base_source source = c->t->base.source;

	for (size_t i = 0; i < paths->len && source != BASE_DISK; i++) {
		enum package_kind kind;
		int r = disk_package_kind_of(paths->ptr[i], &kind, err);

		if (r < 0)
			return r;
		if (kind == PACKAGE_RPM && source != BASE_RPM)
			return error_usage(
				err,
				"%s: an .rpm is installed, with its scripts, on a base of RPMs: it needs "
				"[Base] Source=rpm",
				paths->ptr[i]);
		if (kind == PACKAGE_APK)
			return error_usage(
				err,
				"%s: an .apk is installed by a base's own apk: it needs [Base] Source=disk "
				"with the image of an Alpine",
				paths->ptr[i]);
	}
	return 0;
}

int compose_add_packages(struct compose *c, struct error *err)
{
	const struct strlist *paths = &c->t->package_paths;
	_cleanup_free_ struct rpm_file *rpms = xcalloc(paths->len + 1, sizeof(*rpms));
	_cleanup_free_ bool *done = xcalloc(paths->len + 1, sizeof(*done));
	_cleanup_(apt_job_free) struct apt_job job = {.t = c->t, .cache = &c->cache, .base = &c->base};
	size_t count = 0;
	int r = 0;

	if (c->t->base.source == BASE_DEBIAN)
		r = collect_debs(c, &job, done, err);
	if (r == 0 && job.count)
		r = install_debs(c, &job, err);
	/* A disk image's own package manager takes them itself. */
	for (size_t i = 0; r == 0 && c->t->base.source != BASE_DISK && i < paths->len; i++) {
		bool is = false;

		r = take_rpm(c, paths->ptr[i], &rpms[count], &is, err);
		done[i] |= is;
		count += is;
	}
	if (r == 0 && count)
		r = add_rpms(c, rpms, count, err);
	for (size_t i = 0; r == 0 && i < paths->len; i++)
		if (!done[i])
			r = add_package(c, paths->ptr[i], err);
	return r;
}
