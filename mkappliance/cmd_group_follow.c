/* SPDX-License-Identifier: Apache-2.0 */
/* Watching a deployment of a local group, and what is printed of a group; declared in cmd_group.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd_group.h"
#include "lib/cleanup.h"
#include "lib/log.h"

char *group_age(int64_t since, int64_t now)
{
	int64_t ms = now > since ? now - since : 0;

	if (ms < 60000)
		return xasprintf("%.1f s", (double)ms / 1000);
	if (ms < 3600000)
		return xasprintf("%d min", (int)(ms / 60000));
	if (ms < 48 * 3600000ll)
		return xasprintf("%d h", (int)(ms / 3600000));
	return xasprintf("%d d", (int)(ms / 86400000));
}

static void tell_instance(const struct group_dir *d, const struct instance *i, const char *word)
{
	_cleanup_free_ char *age = group_age(i->born, group_now());
	_cleanup_free_ char *name = group_dir_image_name(d, i->image);

	log_note("%-6s %-20s %-9s %-9s %7s  %s", i->id, name, word, health_name(i->health), age, i->reason);
}

/* A line for each instance that is not as it was. */
static void tell_changes(const struct group_dir *d, const struct group *was, const struct group *is)
{
	if (is->deployment.phase != was->deployment.phase && is->deployment.phase != PHASE_NONE)
		log_note("deployment %u: %s%s%s", is->deployment.number, phase_name(is->deployment.phase),
			 is->deployment.reason[0] ? ": " : "", is->deployment.reason);
	for (size_t k = 0; k < is->count; k++) {
		const struct instance *i = &is->instances[k], *before = group_find(was, i->id);

		if (!before || before->lifecycle != i->lifecycle)
			tell_instance(d, i, lifecycle_name(i->lifecycle));
	}
	for (size_t k = 0; k < was->count; k++)
		if (!group_find(is, was->instances[k].id))
			tell_instance(d, &was->instances[k], "gone");
}

int group_follow(const struct group_dir *d, unsigned number, struct group *ret, struct error *err)
{
	_cleanup_group_ struct group was = {0};

	for (;;) {
		struct group g = {0};
		int r = group_dir_read_state(d, &g, err);

		if (r < 0)
			return r;
		tell_changes(d, &was, &g);
		if (g.deployment.number > number ||
		    (g.deployment.number == number && g.deployment.phase == PHASE_NONE)) {
			*ret = g;
			return 0;
		}
		group_free(&was);
		was = g;
		r = group_wait(d, err);
		if (r < 0)
			return r;
	}
}

int group_judge(const struct group *g, struct error *err)
{
	const struct deployment *d = &g->deployment;
	int r;

	switch (d->outcome) {
	case OUTCOME_DEPLOYED:
		return 0;
	case OUTCOME_ROLLED_BACK:
		r = error_set(err, -EIO, "group '%s': rolled back: %s", g->name, d->reason);
		err->exit = EXIT_ROLLED_BACK;
		return r;
	case OUTCOME_NONE:
	case OUTCOME_GAVE_UP:
		break;
	}
	return error_set(err, -EIO, "group '%s': deployment %u failed: %s", g->name, d->number, d->reason);
}

static struct json *instances_json(const struct group_dir *d, const struct group *g)
{
	struct json *list = js_array_new();
	int64_t now = group_now();

	for (size_t k = 0; k < g->count; k++) {
		const struct instance *i = &g->instances[k];
		_cleanup_free_ char *name = group_dir_image_name(d, i->image);
		struct json *j = js_object_new();

		js_set_string(j, "id", i->id);
		js_set_string(j, "image", i->image);
		js_set_string(j, "name", name);
		js_set_string(j, "lifecycle", lifecycle_name(i->lifecycle));
		js_set_string(j, "health", health_name(i->health));
		js_set_string(j, "reason", i->reason);
		js_set_bool(j, "serves", instance_serves(i));
		js_set_bool(j, "drift", strcmp(i->image, group_wanted(g)) != 0);
		js_set_real(j, "age", (double)(now - i->born) / 1000);
		js_set_int(j, "served", (int64_t)i->served);
		js_append(list, j);
	}
	return list;
}

static struct json *last_json(const struct group_dir *dir, const struct deployment *d)
{
	_cleanup_free_ char *from = group_dir_image_name(dir, d->from);
	_cleanup_free_ char *to = group_dir_image_name(dir, d->to);
	struct json *j = js_object_new();

	js_set_int(j, "number", d->number);
	js_set_string(j, "phase", phase_name(d->phase));
	js_set_string(j, "outcome", outcome_name(d->outcome));
	js_set_string(j, "from", d->from);
	js_set_string(j, "from_name", from);
	js_set_string(j, "to", d->to);
	js_set_string(j, "to_name", to);
	js_set_string(j, "reason", d->reason);
	js_set_int(j, "failures", d->failures);
	js_set_int(j, "lowest_serving", d->lowest);
	if (d->ended)
		js_set_real(j, "seconds", (double)(d->ended - d->started) / 1000);
	return j;
}

struct json *group_status_json(const struct group_dir *d, const struct group *g)
{
	_cleanup_free_ char *current = group_dir_image_name(d, g->current);
	_cleanup_free_ char *previous = group_dir_image_name(d, g->previous);
	_cleanup_free_ char *trouble = group_trouble(d);
	_cleanup_free_ char *url = xasprintf("http://%s:%u/", d->settings.address, d->settings.listen);
	struct json *j = js_object_new();

	js_set_string(j, "group", g->name);
	js_set_string(j, "provider", "libvirt");
	js_set_string(j, "url", url);
	js_set_bool(j, "keeper", group_keeper_runs(d));
	js_set_string(j, "trouble", trouble);
	js_set_int(j, "desired", g->size);
	js_set_int(j, "serving", group_serving(g));
	js_set_bool(j, "well", group_is_well(g));
	js_set_bool(j, "drill_allowed", g->drill);
	js_set_string(j, "image", g->current);
	js_set_string(j, "image_name", g->current[0] ? current : NULL);
	js_set_string(j, "previous", g->previous);
	js_set_string(j, "previous_name", g->previous[0] ? previous : NULL);
	if (g->deployment.number)
		js_set(j, "deployment", last_json(d, &g->deployment));
	else
		js_set_string(j, "deployment", NULL);
	js_set(j, "instances", instances_json(d, g));
	return j;
}
