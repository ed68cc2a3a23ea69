/* SPDX-License-Identifier: Apache-2.0 */
/* mkappliance rebuild --refresh: newer packages become another image, tested before anybody is told to deploy it. */
#include <stdio.h>

#include "cmd_rebuild.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#ifdef WITH_LIBVIRT
#include "vm/domain.h"
#endif

static void print_change(const struct sbom_change *c, const struct strlist *cves)
{
	const struct installed_package *p = c->from ? c->from : c->to;

	printf("%-8s %s %s %s %s%s%s",
	       !c->from ? "added"
	       : !c->to ? "removed"
			: "changed",
	       p->type, p->name, p->arch, p->version, c->from && c->to ? " -> " : "",
	       c->from && c->to ? c->to->version : "");
	for (size_t i = 0; i < cves->len; i++)
		printf("%s%s", i ? " " : "  fixes ", cves->ptr[i]);
	putchar('\n');
}

/* Before the build, which takes a while. */
static void print_changes(const struct refresh_result *r, void *user)
{
	const struct common_options *common = user;

	if (common->json || common->quiet)
		return;
	for (size_t i = 0; i < r->changes.len; i++)
		print_change(&r->changes.list[i], &r->cves[i]);
	(void)fflush(stdout);
}

static struct json *changes_json(const struct refresh_result *r)
{
	struct json *list = js_array_new();

	for (size_t i = 0; i < r->changes.len; i++) {
		const struct sbom_change *c = &r->changes.list[i];
		const struct installed_package *p = c->from ? c->from : c->to;
		struct json *j = js_object_new(), *cves = js_array_new();

		js_set_string(j, "type", p->type);
		js_set_string(j, "name", p->name);
		js_set_string(j, "arch", p->arch);
		js_set_string(j, "from", c->from ? c->from->version : NULL);
		js_set_string(j, "to", c->to ? c->to->version : NULL);
		for (size_t n = 0; n < r->cves[i].len; n++)
			js_append_string(cves, r->cves[i].ptr[n]);
		js_set(j, "cves", cves);
		js_append(list, j);
	}
	return list;
}

static int print_json(const struct refresh_result *r, bool tested, struct error *err)
{
	_cleanup_json_ struct json *j = js_object_new();
	const struct manifest *m = r->image.manifest;

	js_set_string(j, "name", r->old->name);
	js_set_string(j, "from", r->old->version);
	js_set_string(j, "to", m ? m->version : NULL);
	js_set_bool(j, "newer", m != NULL);
	js_set(j, "changes", changes_json(r));
	js_set_string(j, "image", r->image.image_path);
	js_set_string(j, "manifest", r->image.manifest_path);
	js_set_bool(j, "tested", tested);
	return cmd_print_json(j, err);
}

/* What the test would do at its start, which is too late here: everything before would be done once more. */
static void prepare_test(void)
{
#ifdef WITH_LIBVIRT
	hypervisor_silence();
#endif
}

/* As 'mkappliance test IMAGE' does it. */
static int test_image(const char *image, struct error *err)
{
#ifdef WITH_LIBVIRT
	char name[] = "test", quiet[] = "--quiet", dashes[] = "--";
	_cleanup_free_ char *path = xstrdup(image);
	char *argv[] = {name, quiet, dashes, path, NULL};
	int r = cmd_test.run(&cmd_test, 4, argv, err);

	return r < 0 ? error_prefix(err, "%s: built, but not to be deployed", image) : 0;
#else
	return error_usage(err, "%s: built, but this mkappliance has no libvirt to test it with (--no-test)",
			   image);
#endif
}

int rebuild_refresh(const struct refresh_options *o, bool test, const struct common_options *common,
		    struct error *err)
{
	_cleanup_refresh_ struct refresh_result result = {0};
	struct common_options shown = *common;
	int r;

	if (test)
		prepare_test();
	r = refresh(o, print_changes, &shown, &result, err);
	if (r == 0 && result.image.image_path && test)
		r = test_image(result.image.image_path, err);
	if (r < 0)
		return r;
	if (common->json)
		return print_json(&result, result.image.image_path && test, err);
	if (common->quiet)
		return 0;
	if (!result.image.image_path)
		printf("nothing is newer: the same %zu packages\n", result.old->packages.len);
	else
		printf("%s %s: %s, may be deployed: %s\n", result.image.manifest->name,
		       result.image.manifest->version, test ? "tested" : "not tested",
		       result.image.image_path);
	return 0;
}
