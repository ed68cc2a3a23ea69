/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/compose.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "compose/compose_steps.h"
#include "compose/files.h"
#include "compose/kernel.h"
#include "compose/oci_start.h"
#include "compose/os_release.h"
#include "compose/packages.h"
#include "compose/presets.h"
#include "compose/tar.h"
#include "compose/unit_start.h"
#include "lib/cleanup.h"
#include "lib/log.h"

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

int compose_add_cached(struct compose *c, const struct cached *cached, const char *name, unsigned number,
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

void compose_take_start(struct compose *c, struct oci_image *image, const char *name)
{
	oci_config_free(&c->start);
	free(c->start_name);
	c->start = image->config;
	image->config = (struct oci_config){0};
	c->start_name = xstrdup(name);
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
	int r = compose_check_packages(c, err);

	/* A kernel that is not the base's first: whoever measures it has the time that the base takes. */
	if (r == 0)
		r = find_kernel(c, err);
	if (r == 0)
		r = compose_add_base(c, err);
	if (r == 0 && !c->kernel.m)
		r = find_kernel(c, err); /* what a base asks for by default */
	if (r == 0)
		r = add_kernel(c, err);
	if (r == 0)
		r = compose_add_packages(c, err);
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
