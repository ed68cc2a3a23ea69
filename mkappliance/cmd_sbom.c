/* SPDX-License-Identifier: Apache-2.0 */
/* mkappliance sbom A [B]: the packages of an image, and what changed between two. */
#include <stdio.h>

#include "cmd.h"
#include "image/sbom.h"
#include "lib/cleanup.h"

static struct json *head_json(const struct sbom *s)
{
	struct json *j = js_object_new();

	js_set_string(j, "document", s->path);
	js_set_string(j, "name", s->name);
	js_set_string(j, "version", s->version);
	return j;
}

static int print_packages(const struct sbom *s, const struct common_options *common, struct error *err)
{
	if (common->json) {
		_cleanup_json_ struct json *j = head_json(s);

		js_set(j, "packages", installed_json(&s->packages));
		return cmd_print_json(j, err);
	}
	for (size_t i = 0; i < s->packages.len; i++) {
		const struct installed_package *p = &s->packages.list[i];

		printf("%s %s %s %s\n", p->type, p->name, p->version, p->arch);
	}
	return 0;
}

static const char *kind_of(const struct sbom_change *c)
{
	return !c->from ? "added" : !c->to ? "removed" : "changed";
}

static int print_changes_json(const struct sbom *a, const struct sbom *b, const struct sbom_changes *changes,
			      struct error *err)
{
	_cleanup_json_ struct json *j = js_object_new();
	struct json *list = js_array_new();

	js_set(j, "from", head_json(a));
	js_set(j, "to", head_json(b));
	for (size_t i = 0; i < changes->len; i++) {
		const struct sbom_change *c = &changes->list[i];
		const struct installed_package *p = c->from ? c->from : c->to;
		struct json *change = js_object_new();

		js_set_string(change, "change", kind_of(c));
		js_set_string(change, "type", p->type);
		js_set_string(change, "name", p->name);
		js_set_string(change, "arch", p->arch);
		js_set_string(change, "from", c->from ? c->from->version : NULL);
		js_set_string(change, "to", c->to ? c->to->version : NULL);
		js_append(list, change);
	}
	js_set(j, "changes", list);
	return cmd_print_json(j, err);
}

static int print_changes(const struct sbom *a, const struct sbom *b, const struct common_options *common,
			 struct error *err)
{
	_cleanup_sbom_changes_ struct sbom_changes changes = {0};

	sbom_compare(&a->packages, &b->packages, &changes);
	if (common->json)
		return print_changes_json(a, b, &changes, err);
	for (size_t i = 0; i < changes.len; i++) {
		const struct sbom_change *c = &changes.list[i];
		const struct installed_package *p = c->from ? c->from : c->to;

		printf("%-8s %s %s %s %s%s%s\n", kind_of(c), p->type, p->name, p->arch, p->version,
		       c->from && c->to ? " -> " : "", c->from && c->to ? c->to->version : "");
	}
	if (!changes.len && !common->quiet)
		printf("the same %zu packages\n", a->packages.len);
	return 0;
}

static int run_sbom(const struct command *self, int argc, char **argv, struct error *err)
{
	const struct option_spec options[] = {{0}};
	_cleanup_sbom_ struct sbom a = {0}, b = {0};
	struct common_options common;
	const char *paths[2];
	size_t count;
	int r;

	r = cmd_parse(self, options, argc, argv, 1, 2, paths, &count, &common, err);
	if (r != 0)
		return r;
	r = sbom_read(paths[0], &a, err);
	if (r == 0 && count == 2)
		r = sbom_read(paths[1], &b, err);
	if (r < 0)
		return r;
	return count == 2 ? print_changes(&a, &b, &common, err) : print_packages(&a, &common, err);
}

const struct command cmd_sbom = {
	.name = "sbom",
	.arguments = "A [B]",
	.summary = "List the packages of an image, or what changed from A to B",
	.run = run_sbom,
};
