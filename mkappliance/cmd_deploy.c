/* SPDX-License-Identifier: Apache-2.0 */
/* mkappliance deploy: moves a group of machines to an image, one after the other, and back when that fails. */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "cmd_aws_group.h"
#include "cmd_keeper.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/io.h"
#include "lib/log.h"
#include "vm/balancer.h"
#include "vm/domain.h"
#include "vm/host.h"
#include "vm/subject.h"

#define UNSET	    ROLLOUT_UNSET
#define SIZE	    2 /* of a group that is new */
#define MEMORY_MIN  128
#define PAUSE_MS    200
#define GONE_PAUSES 10

struct deploy_options {
	const char *group;
	const char *to;
	const char *listen;
	const char *health;
	const char *connect;
	struct aws_group_options aws; /* with what is said for aws only */
	const char *strategy;
	unsigned size;
	unsigned memory;
	unsigned cpus;
	struct rollout_plan plan; /* UNSET: as it is */
	bool allow_drill;
	bool unverified;
	bool destroy;
	bool foreground;
	struct common_options common;
};

static bool parse_port(const char *text, uint16_t *ret)
{
	unsigned long n = 0;

	for (const char *p = text; *p; p++) {
		if (!isdigit((unsigned char)*p) || p - text >= 5)
			return false;
		n = n * 10 + (unsigned long)(*p - '0');
	}
	*ret = (uint16_t)n;
	return n >= 1 && n <= 65535;
}

/* PORT or ADDRESS:PORT; without it a free port of 127.0.0.1. */
static int choose_listen(const char *text, struct group_settings *s, struct error *err)
{
	const char *colon = text ? strrchr(text, ':') : NULL;
	_cleanup_free_ char *address = xstrdup("127.0.0.1");

	if (!text) {
		s->address = steal_pointer(&address);
		return host_free_port(&s->listen, err);
	}
	if (colon) {
		free(address);
		address = xstrndup(text, (size_t)(colon - text));
	}
	if (!address[0] || address[strspn(address, "0123456789abcdefABCDEF.:*[]")] ||
	    !parse_port(colon ? colon + 1 : text, &s->listen))
		return error_usage(err, "--listen: '%s' is not PORT or ADDRESS:PORT", text);
	s->address = steal_pointer(&address);
	return 0;
}

/* ":PORT/PATH" for the check. Clients go to the first port that [Test] asks. */
static int choose_health(const char *text, const struct manifest *m, struct group_settings *s,
			 struct error *err)
{
	const struct template_probe *probe = NULL;
	_cleanup_free_ char *port = NULL;
	const char *slash;

	for (size_t i = 0; i < m->test.count && !probe; i++)
		if (m->test.probes[i].kind == PROBE_HTTP)
			probe = &m->test.probes[i];
	if (!probe)
		return error_usage(
			err,
			"%s %s: its template has no Get= in [Test]: no port for clients and nothing to check",
			m->name, m->version);
	s->port = s->health_port = probe->port;
	s->health_status = probe->status;
	s->health_path = xstrdup(probe->path);
	if (text) {
		slash = strchr(text, '/');
		port = xstrndup(text + (text[0] == ':'), slash ? (size_t)(slash - text - 1) : 0);
		if (text[0] != ':' || !slash || !parse_port(port, &s->health_port))
			return error_usage(err, "--health: '%s' is not :PORT/PATH", text);
		free(s->health_path);
		s->health_path = xstrdup(slash);
		s->health_status = 200;
	}
	if (!balancer_path_is_plain(s->health_path))
		return error_usage(err,
				   "the balancer cannot ask for '%s'; say another one (--health=:PORT/PATH)",
				   s->health_path);
	return 0;
}

/* The group's own settings, from its first image. */
static int create(struct group_dir *d, const struct deploy_options *o, const char *image, struct error *err)
{
	_cleanup_subject_ struct subject subject = {0};
	struct group_settings *s = &d->settings;
	int r = subject_open(image, &subject, err);

	if (r < 0)
		return r;
	s->arch = xstrdup(subject.manifest->arch);
	s->connect = o->connect ? xstrdup(o->connect) : NULL;
	if ((r = choose_listen(o->listen, s, err)) < 0 ||
	    (r = choose_health(o->health, subject.manifest, s, err)) < 0)
		return r;
	s->memory = o->memory;
	s->cpus = o->cpus;
	r = io_make_dirs(d->path, s->connect ? 0711 : 0700, err);
	return r < 0 ? r : group_dir_write_settings(d, err);
}

/* What a group keeps for its whole life cannot be said again. */
static int update(struct group_dir *d, const struct deploy_options *o, struct error *err)
{
	int r = group_dir_read_settings(d, err);

	if (r < 0)
		return r;
	if (o->listen || o->health || o->connect)
		return error_usage(
			err,
			"--listen, --health and --connect are of a group's first deployment; '%s' is there",
			d->name);
	if (!o->memory && !o->cpus)
		return 0;
	if (o->memory)
		d->settings.memory = o->memory;
	if (o->cpus)
		d->settings.cpus = o->cpus;
	return group_dir_write_settings(d, err);
}

static int check_options(const struct deploy_options *o, const char *image, struct error *err)
{
	if (o->to && strcmp(o->to, "libvirt") != 0 && strcmp(o->to, "aws") != 0)
		return error_usage(err, "--to: unknown provider '%s': libvirt, aws", o->to);
	if (!image && !o->group)
		return error_usage(err, "missing argument: mkappliance deploy IMAGE --group=NAME");
	if (o->destroy && image)
		return error_usage(err, "--destroy takes no image");
	if (o->memory && o->memory < MEMORY_MIN)
		return error_usage(err, "--memory: %u MiB are not enough for the firmware; %d at least",
				   o->memory, MEMORY_MIN);
	return 0;
}

/* An option that would be passed over in silence is an error. */
static int check_provider(const struct option_spec *options, bool aws, struct error *err)
{
	static const char *const of_libvirt[] = {"drain", "max-lifetime", "listen",  "health",	   "memory",
						 "cpus",  "connect",	  "destroy", "foreground", NULL};
	static const char *const of_aws[] = {"region",		 "profile",	 "endpoint-url",
					     "interval",	 "alarm",	 "instance-warmup",
					     "strategy",	 "keep-old",	 "create",
					     "subnets",		 "target-group", "instance-type",
					     "min-size",	 "max-size",	 "security-group",
					     "instance-profile", "tag",		 NULL};
	const char *const *foreign = aws ? of_libvirt : of_aws;

	for (const struct option_spec *o = options; o->name; o++) {
		bool set = o->kind == OPTION_FLAG   ? *(bool *)o->value
			   : o->kind == OPTION_LIST ? ((struct strlist *)o->value)->len > 0
			   : o->kind == OPTION_NUMBER
				   ? *(unsigned *)o->value != UNSET && *(unsigned *)o->value
				   : *(const char **)o->value != NULL;

		for (size_t i = 0; set && foreign[i]; i++)
			if (strcmp(foreign[i], o->name) == 0)
				return error_usage(err, "--%s means nothing for provider '%s'", o->name,
						   aws ? "aws" : "libvirt");
	}
	return 0;
}

/* What makes a group is said with --create, and nowhere else. */
static int check_create(const struct deploy_options *o, struct error *err)
{
	const struct aws_group_options *a = &o->aws;
	const char *alone = o->size != UNSET	     ? "size"
			    : a->subnets.len	     ? "subnets"
			    : a->target_groups.len   ? "target-group"
			    : a->security_groups.len ? "security-group"
			    : a->tags.len	     ? "tag"
			    : a->type		     ? "instance-type"
			    : a->instance_profile    ? "instance-profile"
			    : a->min_size != UNSET   ? "min-size"
			    : a->max_size != UNSET   ? "max-size"
						     : NULL;

	if (alone && !a->create)
		return error_usage(err, "--%s means nothing for provider 'aws' without --create", alone);
	if (o->strategy && strcmp(o->strategy, "rolling") != 0 && strcmp(o->strategy, "blue-green") != 0)
		return error_usage(err, "--strategy: '%s' is neither rolling nor blue-green", o->strategy);
	if (a->blue_green && a->create)
		return error_usage(err, "--create and --strategy blue-green: one after the other");
	if (a->blue_green && a->alarms.len)
		return error_usage(err, "--alarm is of a refresh: --strategy rolling");
	if (a->keep_old != UNSET && !a->blue_green)
		return error_usage(err, "--keep-old is for --strategy blue-green");
	return 0;
}

static void fill_aws(struct deploy_options *o)
{
	struct aws_group_options *a = &o->aws;

	a->group = o->group;
	a->interval = a->interval == UNSET ? AWS_GROUP_INTERVAL : a->interval;
	a->warms_up = a->instance_warmup != UNSET;
	a->keep_old = a->keep_old == UNSET ? AWS_GROUP_KEEP : a->keep_old;
	a->size = o->size == UNSET ? SIZE : o->size;
	a->min_size = a->min_size == UNSET ? a->size : a->min_size;
	a->max_size = a->max_size == UNSET ? 2 * a->size : a->max_size;
	a->plan = ROLLOUT_PLAN_DEFAULT;
	a->allow_drill = o->allow_drill;
	a->unverified = o->unverified;
	a->json = o->common.json;
	a->quiet = o->common.quiet;
}

static int deploy_aws(struct deploy_options *o, const char *image, struct error *err)
{
	_cleanup_json_ struct json *changes = rollout_plan_json(&o->plan);
	struct aws_group_options *a = &o->aws;
	int r;

	if (!o->group || !image)
		return error_usage(err,
				   "missing argument: mkappliance deploy AMI|MANIFEST --group=NAME --to=aws");
	a->blue_green = o->strategy && strcmp(o->strategy, "blue-green") == 0;
	r = check_create(o, err);
	if (r < 0)
		return r;
	fill_aws(o);
	r = rollout_plan_parse(changes, &a->plan, err);
	return r < 0 ? r : aws_group_deploy(a, image, err);
}

/* Ctrl-C on a terminal: is it to go on by itself, or to go back? */
static int ask_to_go_back(const struct group_dir *d, struct error *err)
{
	char answer[16] = "";

	interrupt_clear();
	if (isatty(STDIN_FILENO) && log_is_terminal()) {
		fprintf(stderr, "Roll back to the previous image? [y/N] ");
		if (fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
			return group_request(d, "rollback", NULL, err);
	}
	return error_set(err, -EINTR,
			 "interrupted; the deployment goes on (mkappliance status --group %s, or rollback)",
			 d->name);
}

static int print_result(const struct group_dir *d, const struct group *g, const struct deploy_options *o,
			struct error *err)
{
	_cleanup_free_ char *name = group_dir_image_name(d, g->current);
	_cleanup_json_ struct json *j = NULL;

	if (o->common.json) {
		j = group_status_json(d, g);
		return cmd_print_json(j, err);
	}
	if (!o->common.quiet)
		printf("%s: %s (%.12s), %u of %u serve at http://%s:%u/\n", g->name, name, g->current,
		       group_serving(g), g->size, d->settings.address, d->settings.listen);
	return 0;
}

/* Nothing is to be deployed: until the group is as it is to be, of another size perhaps. */
static int await_well(const struct group_dir *d, struct group *ret, struct error *err)
{
	uint64_t start = clock_ns();

	for (;;) {
		_cleanup_group_ struct group g = {0};
		int r = group_dir_read_state(d, &g, err);

		if (r == 0 && (group_is_well(&g) || !g.current[0])) {
			*ret = g;
			g = (struct group){0};
			return 0;
		}
		if (r == 0 && clock_ns() - start > g.plan.deadline * 1000000000ull)
			r = error_set(err, -ETIMEDOUT, "group '%s': %u of %u serve after %u s", g.name,
				      group_serving(&g), g.size, g.plan.deadline);
		if (r == 0)
			r = group_wait(d, err);
		if (r < 0)
			return r;
	}
}

/* Follows the deployment that is under way to its end, or the one that has begun since number @before. */
static int follow(const struct group_dir *d, const struct deploy_options *o, unsigned before,
		  struct error *err)
{
	_cleanup_group_ struct group now = {0}, end = {0};
	int r = group_dir_read_state(d, &now, err);

	if (r == 0 && now.deployment.phase == PHASE_NONE && now.deployment.number == before) {
		r = await_well(d, &end, err);
		return r < 0 ? r : print_result(d, &end, o, err);
	}
	while (r == 0) {
		r = group_follow(d, now.deployment.number, &end, err);
		if (r != -EINTR)
			break;
		r = ask_to_go_back(d, err);
	}
	if (r == 0)
		r = print_result(d, &end, o, err);
	return r < 0 ? r : group_judge(&end, err);
}

static int pause_a_while(struct error *err)
{
	struct pollfd p = {.fd = interrupt_fd(), .events = POLLIN};

	(void)poll(&p, 1, PAUSE_MS);
	return interrupt_check(err);
}

/* A group of no size has no keeper: it ends with the last machine. */
static int await_rest(const struct group_dir *d, struct error *err)
{
	int r = 0;

	while (r == 0 && group_keeper_runs(d))
		r = pause_a_while(err);
	return r;
}

static struct json *deploy_request(const struct deploy_options *o, const char *id)
{
	struct json *j = js_object_new();

	if (id)
		js_set_string(j, "image", id);
	if (o->size != UNSET)
		js_set_int(j, "size", o->size);
	if (o->allow_drill)
		js_set_bool(j, "drill", true);
	js_set(j, "plan", rollout_plan_json(&o->plan));
	return j;
}

static int check_plan(const struct group_dir *d, const struct deploy_options *o, struct error *err)
{
	_cleanup_json_ struct json *j = rollout_plan_json(&o->plan);
	_cleanup_group_ struct group g = {.size = SIZE, .plan = ROLLOUT_PLAN_DEFAULT};
	struct error ignored = ERROR_INIT;
	int r;

	if (group_dir_read_state(d, &g, &ignored) < 0)
		g = (struct group){.size = SIZE, .plan = ROLLOUT_PLAN_DEFAULT};
	r = rollout_plan_parse(j, &g.plan, err);
	return r < 0 ? r : rollout_plan_check(&g.plan, o->size == UNSET ? g.size : o->size, err);
}

static int deploy(struct group_dir *d, struct deploy_options *o, const char *image, struct error *err)
{
	bool is_new = !group_dir_exists(d);
	_cleanup_group_ struct group before = {0};
	_cleanup_close_ int lock = -1;
	struct error ignored = ERROR_INIT;
	char id[ROLLOUT_IMAGE_SIZE];
	int r = is_new && !image ? group_dir_need(d, err) : check_plan(d, o, err);

	if (r < 0)
		return r;
	if (is_new && o->size == UNSET)
		o->size = SIZE;
	if ((r = is_new ? create(d, o, image, err) : update(d, o, err)) < 0 ||
	    (r = group_dir_lock(d, true, &lock, err)) < 0)
		return r;
	r = image ? group_import(d, image, !o->unverified, id, err) : 0;
	if (r == 0)
		r = group_keeper_start(d, err);
	if (r < 0 && is_new)
		(void)io_remove_tree(d->path, &ignored);
	if (r == 0 && !is_new)
		(void)group_dir_read_state(d, &before, &ignored);
	if (r == 0)
		r = group_request(d, "deploy", deploy_request(o, image ? id : NULL), err);
	cleanup_closep(&lock);
	lock = -1;
	if (r < 0)
		return r;
	return o->size == 0 ? await_rest(d, err) : follow(d, o, before.deployment.number, err);
}

static int destroy(const struct group_dir *d, struct error *err)
{
	_cleanup_close_ int lock = -1;
	int r;

	if ((r = group_dir_need(d, err)) < 0 || (r = group_dir_lock(d, true, &lock, err)) < 0 ||
	    (r = group_keeper_start(d, err)) < 0 || (r = group_request(d, "destroy", NULL, err)) < 0)
		return r;
	/* Its files go with it, the lock too; one that was killed before that is started again. */
	for (unsigned gone = 0; r == 0 && access(d->path, F_OK) == 0; r = pause_a_while(err)) {
		gone = group_keeper_runs(d) ? 0 : gone + 1;
		if (gone > GONE_PAUSES && group_keeper_start(d, err) < 0)
			return err->code;
	}
	return r;
}

static int carry_out(struct deploy_options *o, const struct option_spec *options, const char *image,
		     struct error *err)
{
	bool is_aws = o->to && strcmp(o->to, "aws") == 0;
	_cleanup_group_dir_ struct group_dir d = {0};
	int r;

	if ((r = check_options(o, image, err)) < 0 || (r = check_provider(options, is_aws, err)) < 0)
		return r;
	if (is_aws)
		return deploy_aws(o, image, err);
	if ((r = group_dir_open(o->group, &d, err)) < 0)
		return r;
	if (o->foreground) {
		r = group_dir_need(&d, err);
		return r < 0 ? r : keeper_run(&d, err);
	}
	return o->destroy ? destroy(&d, err) : deploy(&d, o, image, err);
}

static void free_options(struct deploy_options *o)
{
	strlist_free(&o->aws.alarms);
	strlist_free(&o->aws.subnets);
	strlist_free(&o->aws.target_groups);
	strlist_free(&o->aws.security_groups);
	strlist_free(&o->aws.tags);
}

static int run(const struct command *self, int argc, char **argv, struct error *err)
{
	_cleanup_(free_options) struct deploy_options o = {.size = UNSET,
							   .aws = {.interval = UNSET,
								   .instance_warmup = UNSET,
								   .keep_old = UNSET,
								   .min_size = UNSET,
								   .max_size = UNSET}};
	struct rollout_plan *p = &o.plan;
	const struct option_spec options[] = {
		{"group", 0, OPTION_STRING, "NAME", "the group", &o.group},
		{"to", 0, OPTION_STRING, "PROVIDER",
		 "libvirt: virtual machines of this host (default); aws: an Auto Scaling group that is there",
		 &o.to},
		{"size", 0, OPTION_NUMBER, "N", "machines that are to serve (default: as it is; 2)", &o.size},
		{"min-healthy", 0, OPTION_NUMBER, "PERCENT", "of them that must serve at any time (100)",
		 &p->min_healthy},
		{"max-healthy", 0, OPTION_NUMBER, "PERCENT",
		 "of them that may exist; more than 100 is one more at least (110)", &p->max_healthy},
		{"checkpoint", 0, OPTION_NUMBER, "SECONDS",
		 "that the first new one must serve well before others follow (10)", &p->checkpoint},
		{"bake", 0, OPTION_NUMBER, "SECONDS", "that all must serve well at the end (10)", &p->bake},
		{"warmup", 0, OPTION_NUMBER, "SECONDS", "in which a new one must be healthy (180)",
		 &p->warmup},
		{"deadline", 0, OPTION_NUMBER, "SECONDS", "for the whole (1800)", &p->deadline},
		{"drain", 0, OPTION_NUMBER, "SECONDS", "that open connections may take to end (30)",
		 &p->drain},
		{"failures", 0, OPTION_NUMBER, "N", "new ones that may fail before it goes back (0)",
		 &p->failures},
		{"max-lifetime", 0, OPTION_NUMBER, "SECONDS",
		 "of a machine; then it is replaced (0: for ever)", &p->max_lifetime},
		{"listen", 0, OPTION_STRING, "[ADDRESS:]PORT",
		 "where the balancer serves (default: a free port of 127.0.0.1)", &o.listen},
		{"health", 0, OPTION_STRING, ":PORT/PATH",
		 "what the balancer asks (default: the first Get= of [Test])", &o.health},
		{"memory", 0, OPTION_NUMBER, "MIB", "memory of a machine (default: the template's)",
		 &o.memory},
		{"cpus", 0, OPTION_NUMBER, "N", "processors of a machine (default: the template's)", &o.cpus},
		{"connect", 0, OPTION_STRING, "URI",
		 "libvirt to run them (default: one of our own, without a daemon)", &o.connect},
		{"region", 0, OPTION_STRING, "REGION", "aws: where the group is", &o.aws.region},
		{"profile", 0, OPTION_STRING, "NAME", "aws: of the configuration", &o.aws.profile},
		{"endpoint-url", 0, OPTION_STRING, "URL", "aws: another endpoint", &o.aws.endpoint_url},
		{"interval", 0, OPTION_NUMBER, "SECONDS", "aws: between two looks at the group (5)",
		 &o.aws.interval},
		{"instance-warmup", 0, OPTION_NUMBER, "SECONDS",
		 "aws: that a new instance is given before it counts (default: the group's)",
		 &o.aws.instance_warmup},
		{"alarm", 0, OPTION_LIST, "NAME",
		 "aws: CloudWatch's, that brings the group back when it rings", &o.aws.alarms},
		{"strategy", 0, OPTION_STRING, "NAME",
		 "aws: rolling (default), or blue-green: a second group beside the first", &o.strategy},
		{"keep-old", 0, OPTION_NUMBER, "SECONDS", "aws: that the first group stays then (300)",
		 &o.aws.keep_old},
		{"create", 0, OPTION_FLAG, NULL, "aws: make the group, with what follows up to --tag",
		 &o.aws.create},
		{"subnets", 0, OPTION_LIST, "ID,...", "aws: where its instances are", &o.aws.subnets},
		{"target-group", 0, OPTION_LIST, "NAME|ARN",
		 "aws: that gives them requests, and asks for their health", &o.aws.target_groups},
		{"instance-type", 0, OPTION_STRING, "TYPE", "aws: of its instances", &o.aws.type},
		{"security-group", 0, OPTION_LIST, "ID", "aws: of its instances (default: the network's own)",
		 &o.aws.security_groups},
		{"instance-profile", 0, OPTION_STRING, "NAME|ARN", "aws: of its instances (default: none)",
		 &o.aws.instance_profile},
		{"min-size", 0, OPTION_NUMBER, "N", "aws: fewest instances (default: --size)",
		 &o.aws.min_size},
		{"max-size", 0, OPTION_NUMBER, "N", "aws: most instances (default: twice --size)",
		 &o.aws.max_size},
		{"tag", 0, OPTION_LIST, "KEY=VALUE", "aws: of the group and its instances", &o.aws.tags},
		{"allow-drill", 0, OPTION_FLAG, NULL, "planned failures are allowed in this group",
		 &o.allow_drill},
		{"unverified", 0, OPTION_FLAG, NULL, "do not prove the image first", &o.unverified},
		{"destroy", 0, OPTION_FLAG, NULL, "end the group and remove all it had", &o.destroy},
		{"foreground", 0, OPTION_FLAG, NULL, "be the keeper of the group instead of starting one",
		 &o.foreground},
		{0},
	};
	const char *image = NULL;
	size_t count;
	int r;

	*p = (struct rollout_plan){UNSET, UNSET, UNSET, UNSET, UNSET, UNSET, UNSET, UNSET, UNSET};
	hypervisor_silence();
	r = cmd_parse(self, options, argc, argv, 0, 1, &image, &count, &o.common, err);
	if (r != 0)
		return r;
	return carry_out(&o, options, image, err);
}

const struct command cmd_deploy = {
	.name = "deploy",
	.arguments = "[IMAGE]",
	.summary = "Move a group of machines to an image, and back when that fails",
	.run = run,
};
