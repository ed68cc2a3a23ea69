/* SPDX-License-Identifier: Apache-2.0 */
/* mkappliance rollback: a group back to its previous image, or to a named one that it has. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "cmd_aws_group.h"
#include "cmd_group.h"
#include "lib/cleanup.h"
#include "vm/domain.h"

static int print_result(const struct group_dir *d, const struct group *g, const struct common_options *c,
			struct error *err)
{
	_cleanup_free_ char *name = group_dir_image_name(d, g->current);
	_cleanup_json_ struct json *j = NULL;

	if (c->json) {
		j = group_status_json(d, g);
		return cmd_print_json(j, err);
	}
	if (!c->quiet)
		printf("%s: %s (%.12s), %u of %u serve\n", g->name, name, g->current, group_serving(g),
		       g->size);
	return 0;
}

static int ask(const struct group_dir *d, const char *image, struct error *err)
{
	_cleanup_close_ int lock = -1;
	char id[ROLLOUT_IMAGE_SIZE];
	struct json *more;
	int r = group_dir_lock(d, true, &lock, err);

	if (r == 0 && image)
		r = group_dir_find_image(d, image, id, err);
	if (r == 0)
		r = group_keeper_start(d, err);
	if (r < 0)
		return r;
	more = js_object_new();
	if (image)
		js_set_string(more, "image", id);
	return group_request(d, "rollback", more, err);
}

static int rollback(const struct group_dir *d, const char *image, const struct common_options *c,
		    struct error *err)
{
	_cleanup_group_ struct group now = {0}, end = {0};
	int r;

	if ((r = ask(d, image, err)) < 0 || (r = group_dir_read_state(d, &now, err)) < 0 ||
	    (r = group_follow(d, now.deployment.number, &end, err)) < 0 ||
	    (r = print_result(d, &end, c, err)) < 0)
		return r;
	/* Of a deployment that was under way, the way back is what was asked for. */
	if (end.deployment.outcome == OUTCOME_ROLLED_BACK && now.deployment.phase == PHASE_BACK)
		return 0;
	return group_judge(&end, err);
}

static int run(const struct command *self, int argc, char **argv, struct error *err)
{
	struct aws_group_options aws = {
		.interval = AWS_GROUP_INTERVAL, .plan = ROLLOUT_PLAN_DEFAULT, .unverified = true};
	const char *group = NULL, *image = NULL, *to = NULL;
	const struct option_spec options[] = {
		{"group", 0, OPTION_STRING, "NAME", "the group", &group},
		{"to", 0, OPTION_STRING, "PROVIDER", "libvirt (default) or aws", &to},
		{"region", 0, OPTION_STRING, "REGION", "aws: where the group is", &aws.region},
		{"profile", 0, OPTION_STRING, "NAME", "aws: of the configuration", &aws.profile},
		{"endpoint-url", 0, OPTION_STRING, "URL", "aws: another endpoint", &aws.endpoint_url},
		{"interval", 0, OPTION_NUMBER, "SECONDS", "aws: between two looks at the group (5)",
		 &aws.interval},
		{"image", 0, OPTION_STRING, "IMAGE",
		 "id or version of an image that the group has (default: the previous one)", &image},
		{0},
	};
	_cleanup_group_dir_ struct group_dir d = {0};
	struct common_options common;
	const char *args[1];
	size_t count;
	int r;

	hypervisor_silence();
	r = cmd_parse(self, options, argc, argv, 0, 0, args, &count, &common, err);
	if (r != 0)
		return r;
	aws.group = group;
	aws.json = common.json;
	aws.quiet = common.quiet;
	if ((r = aws_group_choose(&aws, to, err)) < 0)
		return r;
	if (r > 0)
		return aws_group_deploy(&aws, image, err);
	if ((r = group_dir_open(group, &d, err)) < 0 || (r = group_dir_need(&d, err)) < 0 ||
	    (r = group_dir_read_settings(&d, err)) < 0)
		return r;
	return rollback(&d, image, &common, err);
}

const struct command cmd_rollback = {
	.name = "rollback",
	.arguments = "",
	.summary = "Move a group back to its previous image",
	.run = run,
};
