/* SPDX-License-Identifier: Apache-2.0 */
/* mkappliance gc: what uploads left, and images that nothing needs any more. */
#include <stdio.h>
#include <string.h>

#include "cloud/gc.h"
#include "cmd.h"
#include "lib/cleanup.h"

struct gc_arguments {
	struct gc_options o;
	struct strlist regions;
	const char *profile, *endpoint;
	bool yes, dry_run;
};

static void free_arguments(struct gc_arguments *g)
{
	strlist_free(&g->regions);
}

static struct json *item_json(const struct gc_item *it)
{
	struct json *j = js_object_new(), *snapshots = js_array_new();

	js_set_string(j, "kind", it->image ? "image" : "snapshot");
	js_set_string(j, "region", it->region);
	js_set_string(j, "id", it->id);
	js_set_string(j, "name", it->name);
	js_set_string(j, "version", it->version);
	js_set_string(j, "created", it->created);
	js_set_int(j, "gib", it->gib);
	for (size_t i = 0; i < it->snapshots.len; i++)
		js_append_string(snapshots, it->snapshots.ptr[i]);
	js_set(j, "snapshots", snapshots);
	js_set_string(j, "verdict", gc_verdict_name(it->verdict));
	js_set_string(j, "why", it->why);
	return j;
}

static int print_json(const struct gc_plan *p, bool yes, struct error *err)
{
	_cleanup_json_ struct json *j = js_object_new();
	struct json *list = js_array_new();

	js_set_bool(j, "dry_run", !yes);
	js_set_int(j, "kept", (int64_t)gc_count(p, GC_KEEP));
	js_set_int(j, "to_remove", (int64_t)gc_count(p, GC_REMOVE));
	js_set_int(j, "removed", (int64_t)gc_count(p, GC_REMOVED));
	js_set_int(j, "failed", (int64_t)gc_count(p, GC_FAILED));
	for (size_t i = 0; i < p->len; i++)
		js_append(list, item_json(&p->items[i]));
	js_set(j, "items", list);
	return cmd_print_json(j, err);
}

static void print_plan(const struct gc_plan *p, bool yes)
{
	for (size_t i = 0; i < p->len; i++) {
		const struct gc_item *it = &p->items[i];

		printf("%-8s %-12s %-22s %s%s%s  %s\n", gc_verdict_name(it->verdict), it->region, it->id,
		       it->name, *it->version ? " " : "", it->version, it->why);
	}
	if (!yes && gc_count(p, GC_REMOVE) > 0)
		printf("nothing was removed; --yes removes %zu\n", gc_count(p, GC_REMOVE));
	else if (gc_count(p, GC_REMOVED) + gc_count(p, GC_REMOVE) + gc_count(p, GC_FAILED) == 0)
		printf("nothing to remove\n");
}

/* The plan of all regions; each is asked before the first thing is removed. */
static int make_plan(struct aws *a, const struct gc_arguments *g, struct gc_plan *ret, struct error *err)
{
	int r = 0;

	if (g->regions.len == 0)
		return gc_region(a, NULL, &g->o, ret, err);
	for (size_t i = 0; i < g->regions.len; i++)
		for (size_t k = 0; k < i; k++)
			if (strcmp(g->regions.ptr[i], g->regions.ptr[k]) == 0)
				return error_usage(err, "--region: '%s' is there twice", g->regions.ptr[i]);
	for (size_t i = 0; r == 0 && i < g->regions.len; i++)
		r = gc_region(a, g->regions.ptr[i], &g->o, ret, err);
	return r;
}

static int collect(const struct gc_arguments *g, const struct common_options *common, struct error *err)
{
	_cleanup_gc_plan_ struct gc_plan plan = {0};
	_cleanup_aws_ struct aws *a = NULL;
	struct error failure = ERROR_INIT;
	int r = aws_open(&(struct aws_options){.config = {.profile = g->profile,
							  .region = g->regions.len ? g->regions.ptr[0] : NULL,
							  .endpoint_url = g->endpoint}},
			 &a, err),
	    removed = 0;

	if (r == 0)
		r = make_plan(a, g, &plan, err);
	if (r < 0)
		return r;
	if (g->yes)
		removed = gc_carry_out(a, &plan, &failure);
	if (common->json)
		r = print_json(&plan, g->yes, err);
	else if (!common->quiet)
		print_plan(&plan, g->yes);
	if (removed < 0) {
		*err = failure;
		return removed;
	}
	return r;
}

static int run_gc(const struct command *self, int argc, char **argv, struct error *err)
{
	_cleanup_(free_arguments) struct gc_arguments g = {.o = {.keep = 3, .older_h = 24}};
	const struct option_spec options[] = {
		{"keep", 0, OPTION_NUMBER, "N", "the newest N images of each appliance stay (default: 3)",
		 &g.o.keep},
		{"older", 0, OPTION_NUMBER, "HOURS",
		 "only what is older, of uploads without an image (default: 24)", &g.o.older_h},
		{"name", 0, OPTION_STRING, "NAME", "only of this appliance", &g.o.name},
		{"region", 0, OPTION_LIST, "REGION", "where (default: as configured)", &g.regions},
		{"shared", 0, OPTION_FLAG, NULL, "also what other accounts may launch, used there or not",
		 &g.o.shared},
		{"yes", 'y', OPTION_FLAG, NULL, "remove; without it only say what would be removed", &g.yes},
		{"dry-run", 'n', OPTION_FLAG, NULL, "remove nothing (the default)", &g.dry_run},
		{"profile", 0, OPTION_STRING, "NAME", "of the AWS CLI's configuration", &g.profile},
		{"endpoint-url", 0, OPTION_STRING, "URL", "another service than AWS's own", &g.endpoint},
		{0},
	};
	struct common_options common;
	const char *none[1];
	size_t count;
	int r = cmd_parse(self, options, argc, argv, 0, 0, none, &count, &common, err);

	if (r != 0)
		return r;
	if (g.yes && g.dry_run)
		return error_usage(err, "--yes or --dry-run, not both");
	return collect(&g, &common, err);
}

const struct command cmd_gc = {
	.name = "gc",
	.arguments = "",
	.summary = "Remove what uploads left behind, and images that nothing refers to",
	.run = run_gc,
};
