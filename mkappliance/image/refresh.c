/* SPDX-License-Identifier: Apache-2.0 */
#include "image/refresh.h"

#include <string.h>

#include "compose/changelog.h"
#include "lib/cleanup.h"

/* An image never changes, so another one needs another name. */
static int check_version(const struct refresh_options *o, const struct template *t,
			 const struct manifest *old, struct error *err)
{
	if (strcmp(t->appliance.name, old->name) != 0)
		return error_usage(err, "%s: is of '%s', the template of '%s'", o->manifest, old->name,
				   t->appliance.name);
	if (strcmp(t->appliance.version, old->version) == 0)
		return error_usage(
			err,
			"version %s is the old image's; give the new one another (--version=%s+1, or a date)",
			old->version, old->version);
	return 0;
}

static void compare(const struct compose_result *c, struct refresh_result *r)
{
	sbom_compare(&r->old->packages, &c->packages, &r->changes);
	r->cves = xcalloc(r->changes.len + 1, sizeof(*r->cves));
	for (size_t i = 0; i < r->changes.len; i++)
		if (r->changes.list[i].from && r->changes.list[i].to)
			changelog_of_package(c->tree, r->changes.list[i].from, r->changes.list[i].to,
					     &r->cves[i]);
}

static int compose_and_build(const struct refresh_options *o,
			     void (*told)(const struct refresh_result *r, void *user), void *user,
			     struct refresh_result *r, struct error *err)
{
	_cleanup_compose_ struct compose_result composed = {0};
	_cleanup_template_ struct template *t = NULL;
	const struct compose_options compose_options = {.cache_dir = o->cache_dir, .refresh = true};
	const struct image_options image_options = {
		.output_dir = o->output_dir,
		.init_path = o->init_path,
		.threads = o->threads,
		.provenance_key = o->provenance_key,
	};
	int e = template_load(o->source, o->version, &t, err);

	if (e == 0)
		e = check_version(o, t, r->old, err);
	if (e == 0)
		e = compose_run(t, &compose_options, &composed, err);
	if (e < 0)
		return e;
	compare(&composed, r);
	if (told)
		told(r, user);
	/* The packages that the changes point to become the new manifest's. */
	if (r->changes.len)
		return image_build(t, &composed, &image_options, &r->image, err);
	return 0;
}

int refresh(const struct refresh_options *o, void (*told)(const struct refresh_result *r, void *user),
	    void *user, struct refresh_result *ret, struct error *err)
{
	_cleanup_refresh_ struct refresh_result r = {0};
	int e = manifest_read(o->manifest, &r.old, err);

	if (e == 0)
		e = compose_and_build(o, told, user, &r, err);
	if (e < 0)
		return e;
	*ret = r;
	r = (struct refresh_result){0};
	return 0;
}

void refresh_result_free(struct refresh_result *r)
{
	for (size_t i = 0; r->cves && i < r->changes.len; i++)
		strlist_free(&r->cves[i]);
	free(r->cves);
	sbom_changes_free(&r->changes);
	image_result_free(&r->image);
	manifest_free(r->old);
	*r = (struct refresh_result){0};
}
