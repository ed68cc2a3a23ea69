/* SPDX-License-Identifier: Apache-2.0 */
/* 'status' of a group of AWS; declared in cmd_aws_group.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "cmd_aws_group.h"
#include "lib/cleanup.h"

static bool serves(const struct asg_instance *i)
{
	return strcmp(i->lifecycle, "InService") == 0 && strcmp(i->health, "Healthy") == 0 &&
	       (!i->target[0] || strcmp(i->target, "healthy") == 0);
}

static unsigned count_serving(const struct asg_group *g)
{
	unsigned n = 0;

	for (size_t i = 0; i < g->len; i++)
		n += serves(&g->list[i]);
	return n;
}

/* Another image than the group's, or the same one by another version of the template. */
static bool drifts(const struct asg_group *g, const struct asg_instance *i, const char *image,
		   const char *version)
{
	return strcmp(i->template_id, g->template_id) != 0 || strcmp(i->version, version) != 0 ||
	       (i->image[0] && strcmp(i->image, image) != 0);
}

static void print_text(const struct asg_group *g, const struct asg_refresh *r, const char *image,
		       const char *version)
{
	const char *previous = aws_tags_get(&g->tags, GROUP_TAG_PREVIOUS);

	printf("%s: %u of %u serve; image %s, version %s of %s\n", g->name, count_serving(g), g->desired,
	       image, version, g->template_id);
	if (previous)
		printf("previous image: %s\n", previous);
	if (r->id[0])
		printf("last refresh: %s, begun %s: %s, %u %%%s%s\n", r->id, r->started, r->status,
		       r->percent, r->reason[0] ? ": " : "", r->reason);
	printf("\n%-20s  %-22s  %-7s  %-11s  %-9s  %-20s  %s\n", "ID", "IMAGE", "VERSION", "STATE", "HEALTH",
	       "SINCE", "WHY");
	for (size_t k = 0; k < g->len; k++) {
		const struct asg_instance *i = &g->list[k];

		printf("%-20s  %-22s  %-7s  %-11s  %-9s  %-20.20s  %s%s\n", i->id, i->image, i->version,
		       i->lifecycle, i->target[0] ? i->target : i->health, i->launched,
		       drifts(g, i, image, version) ? "DRIFT: not the group's; " : "", i->reason);
	}
}

static struct json *status_json(const struct asg_group *g, const struct asg_refresh *r, const char *image,
				const char *version)
{
	struct json *j = js_object_new(), *list = js_array_new(), *refresh = js_object_new();

	js_set_string(j, "group", g->name);
	js_set_string(j, "provider", "aws");
	js_set_int(j, "desired", g->desired);
	js_set_int(j, "serving", count_serving(g));
	js_set_string(j, "image", image);
	js_set_string(j, "template", g->template_id);
	js_set_string(j, "template_version", version);
	js_set_string(j, "previous", aws_tags_get(&g->tags, GROUP_TAG_PREVIOUS));
	js_set_string(refresh, "id", r->id);
	js_set_string(refresh, "status", r->status);
	js_set_string(refresh, "reason", r->reason);
	js_set_string(refresh, "started", r->started);
	js_set_int(refresh, "percent", r->percent);
	js_set(j, "refresh", refresh);
	for (size_t k = 0; k < g->len; k++) {
		const struct asg_instance *i = &g->list[k];
		struct json *n = js_object_new();

		js_set_string(n, "id", i->id);
		js_set_string(n, "image", i->image);
		js_set_string(n, "template_version", i->version);
		js_set_string(n, "type", i->type);
		js_set_string(n, "zone", i->zone);
		js_set_string(n, "lifecycle", i->lifecycle);
		js_set_string(n, "health", i->health);
		js_set_string(n, "target", i->target);
		js_set_string(n, "reason", i->reason);
		js_set_string(n, "launched", i->launched);
		js_set_bool(n, "serves", serves(i));
		js_set_bool(n, "drift", drifts(g, i, image, version));
		js_append(list, n);
	}
	js_set(j, "instances", list);
	return j;
}

int aws_group_status(const struct aws_group_options *o, struct error *err)
{
	const struct aws_options options = {
		.config = {o->profile, o->region, o->endpoint_url}, .connections = 4, .buffer = 65536};
	_cleanup_aws_ struct aws *a = NULL;
	_cleanup_asg_ struct asg_group g = {0};
	_cleanup_json_ struct json *j = NULL;
	char image[EC2_ID_SIZE] = "", version[ASG_VERSION_SIZE] = "";
	struct asg_refresh refresh = {0};
	int r;

	if ((r = aws_open(&options, &a, err)) < 0 || (r = asg_read(a, o->group, &g, err)) < 0 ||
	    (r = asg_read_targets(a, &g, err)) < 0 || (r = asg_read_instances(a, &g, err)) < 0 ||
	    (r = asg_refresh_read(a, o->group, &refresh, err)) < 0)
		return r;
	if (g.template_id[0] && (r = asg_template_read(a, g.template_id, g.version, image, version, err)) < 0)
		return r;
	if (!o->json) {
		print_text(&g, &refresh, image, version);
		return 0;
	}
	j = status_json(&g, &refresh, image, version);
	return cmd_print_json(j, err);
}
