/* SPDX-License-Identifier: Apache-2.0 */
/* mkappliance status: a group as it is. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "cmd_aws_group.h"
#include "cmd_group.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"

#define WATCH_MS 1000

static void print_deployment(const struct group_dir *dir, const struct deployment *d, int64_t now)
{
	_cleanup_free_ char *from = group_dir_image_name(dir, d->from);
	_cleanup_free_ char *to = group_dir_image_name(dir, d->to);
	_cleanup_free_ char *age = group_age(d->ended ? d->ended : d->started, now);

	printf("last deployment: %u, %s to %s: %s, %s%s%s%s\n", d->number, from, to,
	       d->phase == PHASE_NONE ? outcome_name(d->outcome) : phase_name(d->phase), age,
	       d->ended ? " ago" : "", d->reason[0] ? ": " : "", d->reason);
}

static void print_group(const struct group_dir *d, const struct group *g)
{
	_cleanup_free_ char *current = group_dir_image_name(d, g->current);
	_cleanup_free_ char *previous = group_dir_image_name(d, g->previous);
	int64_t now = group_now();

	printf("%s: %u of %u serve %s (%.12s) at http://%s:%u/\n", g->name, group_serving(g), g->size,
	       current, g->current, d->settings.address, d->settings.listen);
	if (g->previous[0])
		printf("previous image: %s (%.12s)\n", previous, g->previous);
	if (g->deployment.number)
		print_deployment(d, &g->deployment, now);
	if (g->size && !group_keeper_runs(d))
		printf("nobody keeps it: 'mkappliance deploy --group %s' goes on\n", g->name);
	if (g->count)
		printf("\n%-6s  %-24s  %-9s  %-9s  %7s  %s\n", "ID", "IMAGE", "STATE", "HEALTH", "AGE",
		       "WHY");
	for (size_t k = 0; k < g->count; k++) {
		const struct instance *i = &g->instances[k];
		_cleanup_free_ char *name = group_dir_image_name(d, i->image);
		_cleanup_free_ char *age = group_age(i->born, now);
		bool drift = strcmp(i->image, group_wanted(g)) != 0;

		printf("%-6s  %-24s  %-9s  %-9s  %7s  %s%s\n", i->id, name, lifecycle_name(i->lifecycle),
		       health_name(i->health), age, drift ? "DRIFT: not the image of the group; " : "",
		       i->reason);
	}
}

static int show(const struct group_dir *d, bool json, struct error *err)
{
	_cleanup_group_ struct group g = {0};
	_cleanup_json_ struct json *j = NULL;
	int r = group_dir_read_state(d, &g, err);

	if (r < 0)
		return r;
	if (!json) {
		print_group(d, &g);
		return 0;
	}
	j = group_status_json(d, &g);
	return cmd_print_json(j, err);
}

/* Until Ctrl-C. On a terminal the screen is written anew. */
static int watch(const struct group_dir *d, struct error *err)
{
	for (;;) {
		struct pollfd p = {.fd = interrupt_fd(), .events = POLLIN};
		int r;

		printf("%s", isatty(STDOUT_FILENO) ? "\033[H\033[J" : "");
		r = show(d, false, err);
		if (r == 0 && fflush(stdout) != 0)
			r = error_errno(err, -errno, "standard output");
		if (r < 0)
			return r;
		(void)poll(&p, 1, WATCH_MS);
		if (interrupt_pending()) {
			interrupt_clear();
			return 0;
		}
		printf("\n");
	}
}

static int run(const struct command *self, int argc, char **argv, struct error *err)
{
	struct aws_group_options aws = {0};
	const char *group = NULL, *to = NULL;
	bool watching = false;
	const struct option_spec options[] = {
		{"group", 0, OPTION_STRING, "NAME", "the group", &group},
		{"to", 0, OPTION_STRING, "PROVIDER", "libvirt (default) or aws", &to},
		{"region", 0, OPTION_STRING, "REGION", "aws: where the group is", &aws.region},
		{"profile", 0, OPTION_STRING, "NAME", "aws: of the configuration", &aws.profile},
		{"endpoint-url", 0, OPTION_STRING, "URL", "aws: another endpoint", &aws.endpoint_url},
		{"watch", 'w', OPTION_FLAG, NULL, "again every second, until Ctrl-C", &watching},
		{0},
	};
	_cleanup_group_dir_ struct group_dir d = {0};
	struct common_options common;
	const char *args[1];
	size_t count;
	int r = cmd_parse(self, options, argc, argv, 0, 0, args, &count, &common, err);

	if (r != 0)
		return r;
	if (watching && common.json)
		return error_usage(err, "--watch and --json: one document cannot be printed again and again");
	aws.group = group;
	aws.json = common.json;
	if ((r = aws_group_choose(&aws, to, err)) < 0)
		return r;
	if (r > 0 && watching)
		return error_usage(err, "--watch is for local groups");
	if (r > 0)
		return aws_group_status(&aws, err);
	if ((r = group_dir_open(group, &d, err)) < 0 || (r = group_dir_need(&d, err)) < 0 ||
	    (r = group_dir_read_settings(&d, err)) < 0)
		return r;
	return watching ? watch(&d, err) : show(&d, common.json, err);
}

const struct command cmd_status = {
	.name = "status",
	.arguments = "",
	.summary = "Show a group: machines, images, health, the last deployment",
	.run = run,
};
