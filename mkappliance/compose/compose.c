/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/compose.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compose/apt.h"
#include "compose/cache.h"
#include "compose/compose_internal.h"
#include "compose/debian.h"
#include "compose/directory.h"
#include "compose/disk.h"
#include "compose/dpkg.h"
#include "compose/files.h"
#include "compose/kernel.h"
#include "compose/merge.h"
#include "compose/oci.h"
#include "compose/oci_start.h"
#include "compose/os_release.h"
#include "compose/package.h"
#include "compose/packages.h"
#include "compose/presets.h"
#include "compose/rpm.h"
#include "compose/tar.h"
#include "compose/unit_start.h"
#include "lib/cleanup.h"
#include "lib/log.h"

/* Number of the lowest layer. The numbers are the order of content in the image: what changes least lies first. */
#define LAYER_BASE 0

struct compose {
	struct template *t;
	const struct compose_options *o;
	struct cache cache;
	struct merge *m;
	struct cached base; /* Source=debian and rpm: what packages are installed on */
	unsigned number;    /* of the layer that comes next */
	struct kernel_source kernel;
	struct oci_config start; /* of the last container image */
	char *start_name;	 /* NULL: there is none */
	struct compose_result result;
};

static void compose_free(struct compose *c)
{
	cache_close(&c->cache);
	cached_free(&c->base);
	merge_free(c->m);
	kernel_source_free(&c->kernel);
	compose_result_free(&c->result);
	oci_config_free(&c->start);
	free(c->start_name);
}

struct compose_input *compose_add_input(struct compose_result *r, const char *kind, const char *name,
					const struct sha256 *digest, uint64_t size)
{
	array_grow(r->inputs, r->input_count, r->input_cap);
	r->inputs[r->input_count] = (struct compose_input){
		.kind = xstrdup(kind), .name = xstrdup(name), .digest = *digest, .size = size};
	return &r->inputs[r->input_count++];
}

void compose_take_input(struct compose_result *r, struct compose_input *in)
{
	array_grow(r->inputs, r->input_count, r->input_cap);
	r->inputs[r->input_count++] = *in;
	*in = (struct compose_input){0};
}

int compose_take_note(struct compose_result *r, const struct cached *c, struct error *err)
{
	return c->note ? installed_parse(c->note, c->path, &r->notes, err) : 0;
}

void compose_input_free(struct compose_input *i)
{
	free(i->kind);
	free(i->name);
	free(i->package);
	free(i->version);
	free(i->arch);
	free(i->repository);
	free(i->license);
	free(i->vendor);
}

void compose_result_free(struct compose_result *r)
{
	tree_free(r->tree);
	free(r->os_id);
	free(r->os_version);
	kernel_free(&r->kernel);
	for (size_t i = 0; i < r->input_count; i++)
		compose_input_free(&r->inputs[i]);
	free(r->inputs);
	installed_free(&r->packages);
	installed_free(&r->notes);
	oci_labels_free(&r->labels);
	*r = (struct compose_result){0};
}

/* A layer that a package manager made. Takes over what it noted. */
static int add_cached(struct compose *c, const struct cached *cached, const char *name, unsigned number,
		      unsigned flags, struct error *err)
{
	_cleanup_layer_ struct layer l = LAYER_INIT;
	int r;

	l.name = xstrdup(name);
	l.fd = fcntl(cached->fd, F_DUPFD_CLOEXEC, 3);
	if (l.fd < 0)
		return error_errno(err, -errno, "%s", cached->path);
	r = tar_index(l.fd, l.name, &l, err);
	if (r < 0)
		return error_prefix(err, "%s", cached->path);
	r = compose_take_note(&c->result, cached, err);
	return r < 0 ? r : merge_layer(c->m, &l, number, flags, err);
}

static int add_debian(struct compose *c, struct error *err)
{
	_cleanup_free_ char *name = xasprintf("base %s", c->t->base.suite);
	int r = debian_base(c->t, &c->cache, &c->base, err);

	if (r < 0)
		return r;
	compose_add_input(&c->result, "base", c->t->base.suite, &c->base.digest, c->base.size);
	return add_cached(c, &c->base, name, LAYER_BASE, MERGE_NO_WHITEOUTS, err);
}

static int add_rpm_base(struct compose *c, struct error *err)
{
	const char *name = c->t->base.release ? c->t->base.release : c->t->base.repositories.ptr[0].name;
	int r = rpm_base(c->t, &c->cache, &c->base, err);

	if (r < 0)
		return r;
	compose_add_input(&c->result, "base", name, &c->base.digest, c->base.size);
	return add_cached(c, &c->base, "base", LAYER_BASE, MERGE_NO_WHITEOUTS, err);
}

int compose_check_base(const struct template *t, const char *path, const struct sha256 *digest,
		       struct error *err)
{
	static const char prefix[] = "sha256:";
	char hex[SHA256_HEX_SIZE];

	hex_encode(digest->b, sizeof(digest->b), hex);
	if (!t->base.checksum || (strncmp(t->base.checksum, prefix, strlen(prefix)) == 0 &&
				  strcasecmp(t->base.checksum + strlen(prefix), hex) == 0))
		return 0;
	return error_refuse(err, "%s: its SHA-256 is %s, [Base] Checksum= says %s", path, hex,
			    t->base.checksum);
}

/* Source=tar and Source=directory. */
static int add_file_base(struct compose *c, struct error *err)
{
	_cleanup_package_ struct package p = PACKAGE_INIT;
	int r;

	r = package_open(c->t->base.path, &c->cache, &p, err);
	if (r < 0)
		return r;
	if (p.kind == ARCHIVE_DEB)
		return error_usage(
			err, "%s: is a package, not a base; put it into [Package] Path=", c->t->base.path);
	if (p.kind != ARCHIVE_NOT) {
		r = compose_check_base(c->t, c->t->base.path, &p.digest, err);
		if (r < 0)
			return r;
	}
	compose_add_input(&c->result, "base", c->t->base.path, &p.digest, p.size);
	return merge_layer(c->m, &p.layer, LAYER_BASE, 0, err);
}

/* What is to be run is known when all files are there: see add_start(). */
static void take_start(struct compose *c, struct oci_image *image, const char *name)
{
	oci_config_free(&c->start);
	free(c->start_name);
	c->start = image->config;
	image->config = (struct oci_config){0};
	c->start_name = xstrdup(name);
}

static int add_image_base(struct compose *c, struct error *err)
{
	_cleanup_oci_image_ struct oci_image image = OCI_IMAGE_INIT;
	const char *name = c->t->base.image;
	int r;

	r = oci_open_base(c->t, &c->cache, &image, err);
	if (r == 0)
		r = oci_merge(&image, "base", name, &c->cache, c->m, &c->number, MERGE_SETS_ROOT, &c->result,
			      err);
	if (r < 0)
		return r;
	take_start(c, &image, name);
	oci_default_kernel(c->t, c->m);
	return 0;
}

static int add_disk(struct compose *c, struct error *err)
{
	_cleanup_cached_ struct cached cached = CACHED_INIT;
	_cleanup_layer_ struct layer l = LAYER_INIT;
	int r;

	r = disk_base(c->t, &c->cache, &c->result, &cached, err);
	if (r < 0)
		return r;
	l.name = xasprintf("base %s", c->t->base.image);
	l.fd = steal_fd(&cached.fd);
	r = tar_index(l.fd, l.name, &l, err);
	if (r < 0)
		return error_prefix(err, "%s", cached.path);
	return merge_layer(c->m, &l, LAYER_BASE, MERGE_NO_WHITEOUTS, err);
}

static int add_base(struct compose *c, struct error *err)
{
	c->number = LAYER_BASE + 1;
	switch (c->t->base.source) {
	case BASE_NONE:
		return 0;
	case BASE_DEBIAN:
		return add_debian(c, err);
	case BASE_RPM:
		return add_rpm_base(c, err);
	case BASE_DIRECTORY:
	case BASE_TAR:
		return add_file_base(c, err);
	case BASE_OCI:
		c->number = LAYER_BASE;
		return add_image_base(c, err);
	case BASE_DISK:
		return add_disk(c, err);
	}
	return error_usage(err, "[Base] Source= is of a kind that cannot be built");
}

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
		take_start(c, &image, path);
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
	bool done = false;
	int r = 0;

	if (c->t->base.source == BASE_DISK)
		r = disk_installs(path, &done, err);
	if (r < 0 || done)
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

	if (c->t->base.source != BASE_RPM)
		return error_usage(err,
				   "%s: an .rpm is installed, with its scripts, on a base of RPMs: it needs "
				   "[Base] Source=rpm",
				   files[0].path);
	r = rpm_packages(c->t, &c->cache, &c->base, files, count, &cached, err);
	return r < 0 ? r : add_cached(c, &cached, "packages", c->number++, 0, err);
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
		job->paths[job->count++] = paths->ptr[i];
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
	return r < 0 ? r : add_cached(c, &cached, "packages on the base", c->number++, 0, err);
}

/*
 * On Source=debian .debs are installed by apt, .rpms by dnf, all at once, and before the others: they may need one
 * another.
 */
static int add_packages(struct compose *c, struct error *err)
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

static void add_missing(const struct merge *m, struct layer *l, const char *path, mode_t mode,
			const char *text)
{
	if (merge_has(m, path))
		return;
	layer_add(l, S_ISDIR(mode) ? entry_new(path, mode) : entry_new_file(path, mode, text, strlen(text)),
		  NULL);
}

/*
 * What a read-only root must have because nobody can make it later: mount points, and files that others are
 * mounted over. Only what is not there.
 */
static int add_skeleton(struct compose *c, struct error *err)
{
	static const char *const dirs[] = {"dev", "etc", "proc", "run", "sys", "var"};
	const struct template *t = c->t;
	_cleanup_free_ char *hostname = xasprintf("%s\n", t->init.hostname);
	_cleanup_free_ char *hosts = xasprintf(
		"127.0.0.1\tlocalhost\n127.0.1.1\t%s\n::1\tlocalhost ip6-localhost\n", t->init.hostname);
	_cleanup_layer_ struct layer l = LAYER_INIT;

	l.name = xstrdup("the directories that every root has");
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		add_missing(c->m, &l, dirs[i], S_IFDIR | 0755, NULL);
	add_missing(c->m, &l, "tmp", S_IFDIR | 01777, NULL);
	add_missing(c->m, &l, "var/tmp", S_IFDIR | 01777, NULL);
	add_missing(c->m, &l, "var/log", S_IFDIR | 0755, NULL);
	add_missing(c->m, &l, "etc/hostname", 0644, hostname);
	add_missing(c->m, &l, "etc/hosts", 0644, hosts);
	if (t->init.mode == INIT_APPLIANCE) {
		/*
		 * The init mounts what DHCP said over a file, not over a link to where systemd would write
		 * one.
		 */
		if (!merge_find(c->m, "etc/resolv.conf"))
			layer_add(&l, entry_new_file("etc/resolv.conf", 0644, "", 0), NULL);
		for (size_t i = 0; i < t->init.writable.len; i++) {
			const char *path = t->init.writable.ptr[i];

			add_missing(c->m, &l, path + strspn(path, "/"), S_IFDIR | 0755, NULL);
		}
		/* A runtime makes what WorkingDir of an image names. */
		if (c->start_name && !template_has(t, "Init.WorkingDirectory") &&
		    t->init.app.working_directory[1])
			add_missing(c->m, &l, t->init.app.working_directory + 1, S_IFDIR | 0755, NULL);
	}
	return merge_layer(c->m, &l, c->number, MERGE_KEEP_LINKS | MERGE_KEEP_DIRECTORIES, err);
}

static int find_kernel(struct compose *c, struct error *err)
{
	bool found = false;
	int r = kernel_source_open(c->t, &c->cache, &c->kernel, &c->result.kernel, &found, err);

	if (r == 0 && found && c->o->kernel_found)
		c->o->kernel_found(c->o->user, &c->result.kernel);
	return r;
}

static int add_kernel(struct compose *c, struct error *err)
{
	int r = kernel_compose(c->t, &c->kernel, c->m, c->number++, &c->result, err);

	if (r == 0 && !c->kernel.own && c->o->kernel_found)
		c->o->kernel_found(c->o->user, &c->result.kernel);
	return r;
}

static int run(struct compose *c, struct error *err)
{
	int r;

	/* A kernel that is not the base's first: whoever measures it has the time that the base takes. */
	r = find_kernel(c, err);
	if (r == 0)
		r = add_base(c, err);
	if (r == 0 && !c->kernel.m)
		r = find_kernel(c, err); /* what a base asks for by default */
	if (r == 0)
		r = add_kernel(c, err);
	if (r == 0)
		r = add_packages(c, err);
	if (r == 0)
		r = files_compose(c->t, c->m, c->number, &c->result, err);
	if (r == 0 && c->start_name)
		r = oci_start(c->t, &c->start, c->start_name, c->m, err);
	if (r == 0)
		r = unit_start(c->t, c->m, c->number, err);
	if (r == 0 && c->t->init.mode == INIT_SYSTEM)
		r = presets_apply(c->m, c->number, err);
	if (r == 0)
		r = add_skeleton(c, err);
	if (r == 0)
		r = packages_list(c->m, &c->result.notes, &c->result.packages, err);
	os_release_find(c->m, &c->result.os_id, &c->result.os_version);
	return r < 0 ? r : template_check_start(c->t, err);
}

int compose_run(struct template *t, const struct compose_options *options, struct compose_result *ret,
		struct error *err)
{
	_cleanup_(compose_free) struct compose c = {
		.t = t, .o = options, .base = CACHED_INIT, .kernel = KERNEL_SOURCE_INIT};
	int r;

	r = cache_open(options, &c.cache, err);
	if (r < 0)
		return r;
	c.m = merge_new();
	r = run(&c, err);
	if (r < 0) {
		if (options->kernel_found)
			options->kernel_found(options->user, NULL);
		return r;
	}
	c.result.tree = merge_finish(c.m, t->appliance.epoch);
	log_debug("tree: %zu names, %ju bytes", c.result.tree->len, (uintmax_t)c.result.tree->bytes);
	kernel_fit(&c.result.kernel, &t->kernel.initrd_modules, c.result.tree->bytes);
	*ret = c.result;
	c.result = (struct compose_result){0};
	return 0;
}
