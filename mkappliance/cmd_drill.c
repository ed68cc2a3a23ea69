/* SPDX-License-Identifier: Apache-2.0 */
/* mkappliance drill: planned failures of a group, and whether it recovers as it must. */
#include <errno.h>
#include <string.h>

#include "cmd.h"
#include "cmd_aws_group.h"
#include "cmd_drill.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/log.h"
#include "vm/domain.h"

struct plan {
	enum drill_kind kinds[DRILLS_MAX];
	size_t count;
};

/* "KIND=IMAGE"; -1: the text names no kind. @ret: what stands behind it. */
static int split_image(const char *text, const char **ret)
{
	for (int k = 0; k < DRILL_KINDS; k++) {
		const char *name = drill_name((enum drill_kind)k);
		size_t n = strlen(name);

		if (strncmp(text, name, n) == 0 && text[n] == '=') {
			*ret = text + n + 1;
			return k;
		}
	}
	*ret = text;
	return -1;
}

const char *drill_image_of(const struct drill_options *o, enum drill_kind kind)
{
	const char *general = NULL, *image;

	for (size_t i = 0; i < o->images->len; i++) {
		int k = split_image(o->images->ptr[i], &image);

		if (k == (int)kind)
			return image;
		if (k < 0)
			general = image;
	}
	return general;
}

static int hold(const struct drill_options *o, const struct drill_ground *ground, enum drill_kind kind,
		struct drill *ret, struct error *err)
{
	const struct drill_stage *s = &ground->stage;
	_cleanup_group_ struct group before = {0}, end = {0};
	char image[ROLLOUT_IMAGE_SIZE] = "";
	struct drill_order order = {.kind = kind,
				    .deadline = o->deadline,
				    .per_zone = o->per_zone && kind == DRILL_TERMINATE,
				    .lends = ground->lends};
	struct drill_client *client;
	struct drill d;
	int r;

	if ((r = s->look(s->data, &before, err)) < 0 || (r = drill_check(&before, err)) < 0 ||
	    (r = ground->prepare(s->data, kind, &before, image, err)) < 0)
		return r;
	order.image = image[0] ? image : NULL;
	if ((r = drill_begin(&d, &order, &before, s->now(s->data), err)) < 0 ||
	    (r = drill_client_start(ground->url, &client, err)) < 0)
		return r;
	log_note("%s: %s", drill_name(kind), drill_expectation(&d));
	r = drill_run(s, &d, &end, err);
	drill_client_stop(client, &d);
	if (r == -EINTR)
		return ground->interrupted(s->data, &d, err);
	if (r < 0)
		return r;
	drill_judge(&d, &end);
	*ret = d;
	return ground->keep(s->data, &d, err);
}

static int hold_all(const struct drill_options *o, const struct drill_ground *ground, const struct plan *p,
		    struct drill_list *l, struct error *err)
{
	for (size_t i = 0; i < p->count; i++) {
		int r = hold(o, ground, p->kinds[i], &l->list[i], err);

		if (r < 0) {
			l->unheld = drill_name(p->kinds[i]);
			return r;
		}
		l->count++;
		if (!o->json && !o->quiet)
			drill_print(&l->list[i]);
	}
	return 0;
}

/* Also when one could not be held, or Ctrl-C broke it off: what came of the others is written. */
static int finish(const struct drill_list *l, const char *report, const char *junit, bool json,
		  struct error *err)
{
	_cleanup_json_ struct json *j = NULL;
	unsigned failed = drill_count_failed(l);
	int r = report ? drill_report_write(l, report, false, err) : 0;

	if (r == 0 && junit)
		r = drill_report_write(l, junit, true, err);
	if (r == 0 && json) {
		j = drill_report_json(l);
		r = cmd_print_json(j, err);
	}
	if (r == 0 && failed)
		r = error_set(err, -EIO, "group '%s': %u of %zu drills did not end as they must", l->group,
			      failed, l->count);
	return r;
}

/* Without a kind: all that can be held; an AMI for those that deploy one has to be said. */
static int choose_kinds(const struct drill_options *o, const char **args, size_t count, bool aws,
			struct plan *p, struct error *err)
{
	int r;

	for (size_t i = 0; i < count; i++)
		if ((r = drill_parse(args[i], &p->kinds[p->count++], err)) < 0)
			return r;
	for (int k = 0; count == 0 && k < DRILL_KINDS; k++)
		if (!aws || (k != DRILL_BAD_IMAGE && k != DRILL_TAMPERED) ||
		    drill_image_of(o, (enum drill_kind)k))
			p->kinds[p->count++] = (enum drill_kind)k;
	for (size_t i = 0; aws && i < p->count; i++) {
		const char *image = drill_image_of(o, p->kinds[i]);

		if (image && !aws_group_is_image(image))
			return error_usage(err, "--image: '%s' is not the id of an AMI", image);
		if (!image && (p->kinds[i] == DRILL_BAD_IMAGE || p->kinds[i] == DRILL_TAMPERED))
			return error_usage(err, "%s: say which AMI (--image=%s=AMI)", drill_name(p->kinds[i]),
					   drill_name(p->kinds[i]));
	}
	return 0;
}

static int carry_out(const struct drill_options *o, const struct plan *p, bool aws, const char *report,
		     const char *junit, struct error *err)
{
	struct drill_ground ground = {0};
	struct drill_list l = {.group = o->group};
	struct error why;
	int r = drill_report_check(report, junit, err);

	if (r < 0)
		return r;
	r = aws ? drill_ground_aws(o, &ground, err) : drill_ground_local(o, &ground, err);

	if (r < 0)
		return r;
	r = hold_all(o, &ground, p, &l, err);
	free(ground.url);
	ground.close(ground.stage.data);
	if (r == 0 || !l.unheld)
		return r < 0 ? r : finish(&l, report, junit, o->json, err);
	why = *err;
	l.why = why.text;
	r = finish(&l, report, junit, o->json, err);
	if (r < 0)
		log_warning("%s", err->text);
	*err = why;
	return why.code;
}

static int run(const struct command *self, int argc, char **argv, struct error *err)
{
	_cleanup_strlist_ struct strlist images = {0};
	struct drill_options o = {.interval = AWS_GROUP_INTERVAL, .images = &images};
	const char *report = NULL, *junit = NULL, *args[DRILLS_MAX - DRILL_KINDS];
	const struct option_spec options[] = {
		{"group", 0, OPTION_STRING, "NAME", "the group", &o.group},
		{"to", 0, OPTION_STRING, "PROVIDER", "libvirt (default) or aws", &o.to},
		{"per-zone", 0, OPTION_FLAG, NULL, "aws: terminate ends one machine of each zone at once",
		 &o.per_zone},
		{"image", 0, OPTION_LIST, "[KIND=]IMAGE",
		 "what bad-image deploys (default: a copy that does not boot); aws: the AMI of bad-image, tampered-image, crash-loop",
		 &images},
		{"url", 0, OPTION_STRING, "URL",
		 "that a client asks all the time (default: the local group's balancer)", &o.url},
		{"deadline", 0, OPTION_NUMBER, "SECONDS", "for each (default: from the group's own)",
		 &o.deadline},
		{"report", 0, OPTION_STRING, "FILE",
		 "write what came of them as JSON; as JUnit when FILE ends in .xml", &report},
		{"junit", 0, OPTION_STRING, "FILE", "write a JUnit report", &junit},
		{"region", 0, OPTION_STRING, "REGION", "aws: where the group is", &o.region},
		{"profile", 0, OPTION_STRING, "NAME", "aws: of the configuration", &o.profile},
		{"endpoint-url", 0, OPTION_STRING, "URL", "aws: another endpoint", &o.endpoint_url},
		{"interval", 0, OPTION_NUMBER, "SECONDS", "aws: between two looks at the group (5)",
		 &o.interval},
		{0},
	};
	struct common_options common;
	struct plan plan = {0};
	size_t count;
	int r, aws;

	hypervisor_silence();
	r = cmd_parse(self, options, argc, argv, 0, DRILLS_MAX - DRILL_KINDS, args, &count, &common, err);
	if (r != 0)
		return r;
	if ((r = output_check(report, err)) < 0 || (r = output_check(junit, err)) < 0)
		return r;
	o.json = common.json;
	o.quiet = common.quiet;
	aws = aws_group_choose(&(const struct aws_group_options){.group = o.group,
								 .region = o.region,
								 .profile = o.profile,
								 .endpoint_url = o.endpoint_url},
			       o.to, err);
	if (aws < 0)
		return aws;
	r = choose_kinds(&o, args, count, aws > 0, &plan, err);
	return r < 0 ? r : carry_out(&o, &plan, aws > 0, report, junit, err);
}

const struct command cmd_drill = {
	.name = "drill",
	.arguments = "[KIND...]",
	.summary = "Make planned failures in a group, and see that it recovers",
	.run = run,
};
