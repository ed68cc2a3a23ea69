/* SPDX-License-Identifier: Apache-2.0 */
/* mkappliance status: a group as it is. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "cmd_aws_group.h"
#include "cmd_group.h"
#include "cmd_look.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "rollout/drill_history.h"

#define WATCH_S	     1
#define DRILLS_BYTES ((size_t)16 << 20)

static void add_deployment(const struct group_dir *dir, const struct deployment *d, int64_t now,
			   struct look *l)
{
	_cleanup_free_ char *from = group_dir_image_name(dir, d->from);
	_cleanup_free_ char *to = group_dir_image_name(dir, d->to);
	_cleanup_free_ char *age = group_age(d->ended ? d->ended : d->started, now);
	char *key = xasprintf("last deployment: %u, %s to %s: %s%s%s", d->number, from, to,
			      d->phase == PHASE_NONE ? outcome_name(d->outcome) : phase_name(d->phase),
			      d->reason[0] ? ": " : "", d->reason);

	look_head(l, xasprintf("%s, %s%s", key, age, d->ended ? " ago" : ""), key);
}

static void add_instance(const struct group_dir *d, const struct group *g, const struct instance *i,
			 int64_t now, struct look *l)
{
	_cleanup_free_ char *name = group_dir_image_name(d, i->image);
	_cleanup_free_ char *age = group_age(i->born, now);
	bool drift = strcmp(i->image, group_wanted(g)) != 0;
	const char *why = drift ? "DRIFT: not the image of the group; " : "";

	look_row(l, i->id,
		 xasprintf("%-6s  %-24s  %-9s  %-9s  %7s  %s%s", i->id, name, lifecycle_name(i->lifecycle),
			   health_name(i->health), age, why, i->reason),
		 xasprintf("%s %d %d %s%s", i->image, i->lifecycle, i->health, why, i->reason),
		 drift || !instance_serves(i));
}

static void fill(const struct group_dir *d, const struct group *g, struct look *l)
{
	_cleanup_free_ char *current = group_dir_image_name(d, g->current);
	_cleanup_free_ char *previous = group_dir_image_name(d, g->previous);
	_cleanup_free_ char *trouble = group_trouble(d);
	int64_t now = group_now();

	look_head(l,
		  xasprintf("%s: %u of %u serve %s (%.12s) at http://%s:%u/", g->name, group_serving(g),
			    g->size, current, g->current, d->settings.address, d->settings.listen),
		  NULL);
	if (g->previous[0])
		look_head(l, xasprintf("previous image: %s (%.12s)", previous, g->previous), NULL);
	if (g->deployment.number)
		add_deployment(d, &g->deployment, now, l);
	if (g->size && !group_keeper_runs(d))
		look_head(l, xasprintf("nobody keeps it: 'mkappliance deploy --group %s' goes on", g->name),
			  NULL);
	if (trouble)
		look_head(l, xasprintf("its keeper cannot work: %s", trouble), NULL);
	l->columns =
		xasprintf("%-6s  %-24s  %-9s  %-9s  %7s  %s", "ID", "IMAGE", "STATE", "HEALTH", "AGE", "WHY");
	for (size_t k = 0; k < g->count; k++)
		add_instance(d, g, &g->instances[k], now, l);
}

/* The last drill of each kind, from drills.json of the group (oldest first). */
static struct json *last_drills(const struct group_dir *d, struct look *l)
{
	_cleanup_free_ char *path = group_dir_file(d, "drills.json");
	_cleanup_json_ struct json *kept = NULL;
	_cleanup_buf_ struct buf b = {0};
	struct json *list = js_array_new();
	struct error ignored = ERROR_INIT;

	if (io_read_file(AT_FDCWD, path, DRILLS_BYTES, &b, &ignored) == 0)
		(void)js_parse(b.ptr ? b.ptr : "", b.len, path, &kept, &ignored);
	for (int k = 0; k < DRILL_KINDS; k++) {
		const char *name = drill_name((enum drill_kind)k);

		for (size_t i = js_array_len(kept); i > 0; i--) {
			const struct json *j = js_array_get(kept, i - 1);
			const char *kind = js_string(js_get(j, "drill"));
			struct drill_history h;

			if (!kind || strcmp(kind, name) != 0 || !drill_history_of_json(j, &h))
				continue;
			look_head(l, drill_history_line(name, &h), NULL);
			js_append(list, drill_history_json(name, &h));
			break;
		}
	}
	return list;
}

static int look(void *data, bool json, struct look *ret, struct error *err)
{
	const struct group_dir *d = data;
	_cleanup_group_ struct group g = {0};
	struct look l = {0};
	struct json *drills;
	int r = group_dir_read_state(d, &g, err);

	if (r < 0)
		return r;
	if (!json)
		fill(d, &g, &l);
	drills = last_drills(d, &l);
	if (json) {
		l.json = group_status_json(d, &g);
		js_set(l.json, "drills", drills);
	} else {
		js_free(drills);
	}
	*ret = l;
	return 0;
}

static int run(const struct command *self, int argc, char **argv, struct error *err)
{
	struct aws_group_options aws = {0};
	const char *group = NULL, *to = NULL;
	unsigned watch = LOOK_ONCE;
	const struct option_spec options[] = {
		{"group", 0, OPTION_STRING, "NAME", "the group", &group},
		{"to", 0, OPTION_STRING, "PROVIDER", "libvirt (default) or aws", &to},
		{"region", 0, OPTION_STRING, "REGION", "aws: where the group is", &aws.region},
		{"profile", 0, OPTION_STRING, "NAME", "aws: of the configuration", &aws.profile},
		{"endpoint-url", 0, OPTION_STRING, "URL", "aws: another endpoint", &aws.endpoint_url},
		{"watch", 'w', OPTION_MAYBE, "SECONDS",
		 "again and again until Ctrl-C (every second; aws: every 5); with --json a document a line",
		 &watch},
		{0},
	};
	_cleanup_group_dir_ struct group_dir d = {0};
	const struct look_source source = {look, &d};
	struct common_options common;
	const char *args[1];
	size_t count;
	int r = cmd_parse(self, options, argc, argv, 0, 0, args, &count, &common, err);

	if (r != 0)
		return r;
	aws.group = group;
	aws.json = common.json;
	if ((r = aws_group_choose(&aws, to, err)) < 0)
		return r;
	if (r > 0)
		return aws_group_status(&aws, watch, err);
	if ((r = group_dir_open(group, &d, err)) < 0 || (r = group_dir_need(&d, err)) < 0 ||
	    (r = group_dir_read_settings(&d, err)) < 0)
		return r;
	return look_show(&source, watch, WATCH_S, common.json, err);
}

const struct command cmd_status = {
	.name = "status",
	.arguments = "",
	.summary = "Show a group: machines, images, health, the last deployment, the last drills",
	.run = run,
};
