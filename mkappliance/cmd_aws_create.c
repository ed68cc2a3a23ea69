/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deploy --create: launch template, group, attachment to target groups. Both have the name of the group, which only one thing can have, and the
 * template says in a tag what it was made for; so the same command again, after a kill at any step, goes on, and another one is refused.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cloud/aws_asg_make.h"
#include "cloud/aws_upload.h"
#include "cmd_aws_internal.h"
#include "cmd_aws_set.h"
#include "lib/cleanup.h"
#include "lib/hash.h"
#include "lib/log.h"

#define TAG_MADE_FOR "mkappliance:made-for"
#define TAGS_MAX     40

/* What is to be there. */
struct wanted {
	struct strlist subnets; /* sorted */
	char *subnet_text;	/* the same with commas between them */
	struct strlist arns;	/* of the target groups, sorted */
	char made_for[SHA256_HEX_SIZE];
	char template_id[EC2_ID_SIZE];
};

static void wanted_free(struct wanted *w)
{
	strlist_free(&w->subnets);
	free(w->subnet_text);
	strlist_free(&w->arns);
}

static void split(const char *text, struct strlist *ret)
{
	for (size_t n; *text; text += n + (text[n] == ',')) {
		n = strcspn(text, ",");
		if (n)
			strlist_addf(ret, "%.*s", (int)n, text);
	}
}

static char *join(const struct strlist *l)
{
	struct buf b = {0};

	for (size_t i = 0; i < l->len; i++)
		buf_printf(&b, "%s%s", i ? "," : "", l->ptr[i]);
	return buf_steal(&b);
}

static int check_said(const struct aws_group_options *o, struct error *err)
{
	const char *missing = !o->type		      ? "--instance-type=TYPE"
			      : !o->subnets.len	      ? "--subnets=ID,..."
			      : !o->target_groups.len ? "--target-group=NAME|ARN"
						      : NULL;
	size_t n = strlen(o->group);

	if (missing)
		return error_usage(err, "--create: missing %s", missing);
	if (n < 3 || n > 128)
		return error_usage(err, "--create: the name '%s' is not 3 to 128 characters long", o->group);
	for (const char *c = o->group; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("().-/_", *c))
			return error_usage(
				err,
				"--create: '%c' in the name '%s': a launch template's has letters, digits "
				"and ().-/_",
				*c, o->group);
	if (o->min_size > o->size || o->size > o->max_size || !o->size)
		return error_usage(err, "--create: sizes %u to %u with %u wanted: that cannot be",
				   o->min_size, o->max_size, o->size);
	if (o->tags.len > TAGS_MAX - 5)
		return error_usage(err, "--tag: more than %d", TAGS_MAX - 5);
	for (size_t i = 0; i < o->tags.len; i++) {
		const char *t = o->tags.ptr[i];

		if (!strchr(t, '=') || *t == '=' || strncmp(t, "aws:", 4) == 0 ||
		    strncmp(t, "mkappliance", 11) == 0)
			return error_usage(err, "--tag: '%s' is not KEY=VALUE with a key of your own", t);
	}
	return 0;
}

/* Subnets and target groups of one network; what takes instances, and asks them for their health. */
static int find_places(const struct pursuit *p, struct wanted *w, struct error *err)
{
	char vpc[EC2_ID_SIZE];
	int r;

	for (size_t i = 0; i < p->o->subnets.len; i++)
		split(p->o->subnets.ptr[i], &w->subnets);
	if (!w->subnets.len)
		return error_usage(err, "--subnets: names none");
	strlist_sort(&w->subnets);
	w->subnet_text = join(&w->subnets);
	r = ec2_subnets_vpc(p->a, &w->subnets, vpc, err);
	for (size_t i = 0; i < p->o->target_groups.len && r == 0; i++) {
		_cleanup_target_group_ struct elb_target_group t = {0};

		r = elb_find_target_group(p->a, p->o->target_groups.ptr[i], &t, err);
		if (r < 0)
			return r;
		if (strcmp(t.vpc, vpc) != 0)
			return error_set(err, -EINVAL, "target group '%s' is in %s, the subnets are in %s",
					 t.name, t.vpc, vpc);
		if (strcmp(t.type, "instance") != 0 || !t.checked || !t.used)
			return error_set(err, -EINVAL,
					 "target group '%s' %s: a group's instances could not serve there",
					 t.name,
					 !t.used      ? "is used by no balancer"
					 : !t.checked ? "has no health check"
						      : "takes no instances");
		strlist_add(&w->arns, t.arn);
	}
	strlist_sort(&w->arns);
	return r;
}

static void digest_of(const struct pursuit *p, char ret[SHA256_HEX_SIZE])
{
	_cleanup_free_ char *groups = join(&p->o->security_groups);
	_cleanup_free_ char *text = xasprintf("%s %s %s %s", p->image, p->o->type, groups,
					      p->o->instance_profile ? p->o->instance_profile : "");
	struct sha256 digest;

	sha256_of(text, strlen(text), &digest);
	hex_encode(digest.b, SHA256_SIZE, ret);
}

/* The template of the group's name, @there: the group too. Whether it was made for the same. */
static int find_template(struct pursuit *p, struct wanted *w, bool there, struct error *err)
{
	_cleanup_(asg_group_free) struct asg_group tags = {0}; /* for its tags only */
	const char *made_for;
	struct asg_template t;
	int r = asg_template_find(p->a, p->o->group, w->template_id, &tags.tags, err);

	if (r < 0 || !w->template_id[0])
		return r;
	made_for = aws_tags_get(&tags.tags, TAG_MADE_FOR);
	if (made_for && strcmp(made_for, w->made_for) == 0)
		return 0;
	r = asg_template_describe(p->a, w->template_id, "1", &t, err);
	if (r < 0)
		return r;
	if (made_for && strcmp(t.image, p->image) != 0)
		return error_set(
			err, -EEXIST,
			"%s '%s' is there and was made for %s, not %s; without --create deploy moves a group",
			there ? "group" : "launch template", p->o->group, t.image, p->image);
	return error_set(
		err, -EEXIST,
		"launch template '%s' (%s, %s) is there %s; choose another name, or remove it (aws ec2 "
		"delete-launch-template --launch-template-id %s)",
		p->o->group, w->template_id, t.type,
		!made_for			  ? "and is not one of --create's"
		: strcmp(t.type, p->o->type) != 0 ? "with another instance type"
						  : "with other security groups or another profile",
		w->template_id);
}

static int make_template(const struct pursuit *p, struct wanted *w, struct error *err)
{
	const struct aws_tag tags[] = {{TAG_OURS, "1"}, {TAG_MADE_FOR, w->made_for}};
	uint8_t random[16];
	char token[2 * sizeof(random) + 1];
	const struct asg_template_make t = {.name = p->o->group,
					    .image = p->image,
					    .type = p->o->type,
					    .security_groups = &p->o->security_groups,
					    .profile = p->o->instance_profile,
					    .token = token,
					    .tags = tags,
					    .tag_count = 2};

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return error_errno(err, -errno, "getrandom");
	hex_encode(random, sizeof(random), token);
	log_note("making launch template %s", t.name);
	return asg_template_make(p->a, &t, w->template_id, err);
}

static int make_group(const struct pursuit *p, const struct wanted *w, struct error *err)
{
	const struct aws_group_options *o = p->o;
	struct asg_make_tag tags[TAGS_MAX] = {{TAG_OURS, "1", false},
					      {GROUP_TAG_GROUP, o->group, false},
					      {GROUP_TAG_ROLE, ROLE_NEXT, false}};
	_cleanup_strlist_ struct strlist keys = {0};
	struct asg_make make = {.name = o->group,
				.template_id = w->template_id,
				.version = "1",
				.min = o->min_size,
				.max = o->max_size,
				.desired = o->size,
				.subnets = w->subnet_text,
				.target_groups = &w->arns,
				.grace = o->plan.warmup,
				.warmup = o->instance_warmup,
				.warms_up = o->warms_up,
				.tags = tags,
				.tag_count = 3};

	if (o->allow_drill)
		tags[make.tag_count++] = (struct asg_make_tag){ASG_TAG_DRILL, ASG_DRILL_ALLOWED, false};
	for (size_t i = 0; i < o->tags.len; i++) {
		const char *equals = strchr(o->tags.ptr[i], '=');

		strlist_addf(&keys, "%.*s", (int)(equals - o->tags.ptr[i]), o->tags.ptr[i]);
		tags[make.tag_count++] = (struct asg_make_tag){keys.ptr[i], equals + 1, true};
	}
	log_note("making group %s of %u", o->group, o->size);
	return asg_make(p->a, &make, err);
}

static bool same_list(const struct strlist *a, struct strlist *b)
{
	strlist_sort(b);
	for (size_t i = 0; i < a->len && i < b->len; i++)
		if (strcmp(a->ptr[i], b->ptr[i]) != 0)
			return false;
	return a->len == b->len;
}

/* A group of that name is there: is it the one that would be made? */
static int check_same(const struct pursuit *p, const struct wanted *w, struct asg_group *g, struct error *err)
{
	const struct aws_group_options *o = p->o;
	_cleanup_strlist_ struct strlist subnets = {0};
	const char *other = NULL;

	split(g->subnets, &subnets);
	if (strcmp(g->template_id, w->template_id) != 0 || strcmp(g->version, "1") != 0)
		other = "another launch template or version";
	else if (!same_list(&w->subnets, &subnets))
		other = "other subnets";
	else if (!same_list(&w->arns, &g->target_groups))
		other = "other target groups";
	else if (g->min != o->min_size || g->max != o->max_size || g->desired != o->size)
		other = "other sizes";
	else if (g->grace != o->plan.warmup || strcmp(g->health_type, "ELB") != 0)
		other = "another health check or grace period";
	if (other)
		return error_set(
			err, -EEXIST,
			"group '%s' is there, with %s (%u, %u to %u); without --create deploy moves it to an image",
			g->name, other, g->desired, g->min, g->max);
	return 0;
}

/* It did not come up: nothing of it stays. */
static int remove_all(struct pursuit *p, const struct wanted *w, const struct asg_group *g, struct error *err)
{
	const struct aws_tag failed = {GROUP_TAG_ROLE, ROLE_FAILED};
	int r = g->deleting ? 0 : asg_set_tags(p->a, g->name, &failed, 1, err);

	log_note("removing group %s", g->name);
	if (r == 0)
		r = aws_remove_group(p, g, err);
	return r < 0 ? r : asg_template_remove(p->a, w->template_id, err);
}

static int bring_up(struct pursuit *p, const struct wanted *w, struct error *err)
{
	_cleanup_asg_ struct asg_group g = {0};
	_cleanup_free_ char *since = xasprintf("%ju", (uintmax_t)aws_set_now());
	const struct aws_tag live[] = {{GROUP_TAG_ROLE, ROLE_LIVE}, {GROUP_TAG_SINCE, since}};
	const char *role;
	bool good = false;
	int r = asg_read(p->a, p->o->group, &g, err);

	if (r < 0)
		return r;
	p->group = p->o->group;
	snprintf(p->target, sizeof(p->target), "1");
	role = aws_tags_get(&g.tags, GROUP_TAG_ROLE);
	r = aws_swap_watch(p, p->o->plan.bake * 1000000000ull, &good, err);
	if (r < 0)
		return r;
	if (good)
		return role && strcmp(role, ROLE_NEXT) == 0 ? asg_set_tags(p->a, g.name, live, 2, err) : 0;
	if (!role || strcmp(role, ROLE_NEXT) != 0)
		return error_set(err, -EIO, "group '%s': %s", g.name, p->reason);
	r = remove_all(p, w, &g, err);
	return r < 0 ? r
		     : error_set(err, -EIO, "group '%s' was not made: %s (it was removed again)", p->o->group,
				 p->reason);
}

/* What a run that was killed left behind is cleared away; *ret: one is there. */
static int clear_failed(struct pursuit *p, struct wanted *w, struct asg_group *g, bool *ret,
			struct error *err)
{
	struct error found = ERROR_INIT;
	const char *role;
	int r = asg_read(p->a, p->o->group, g, &found);

	*ret = r == 0;
	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		*err = found;
		return r;
	}
	role = aws_tags_get(&g->tags, GROUP_TAG_ROLE);
	if (!role || (strcmp(role, ROLE_FAILED) != 0 && !(g->deleting && strcmp(role, ROLE_NEXT) == 0)))
		return 0;
	*ret = false;
	snprintf(w->template_id, sizeof(w->template_id), "%s", g->template_id);
	r = remove_all(p, w, g, err);
	w->template_id[0] = 0;
	return r;
}

int aws_create(struct pursuit *p, struct error *err)
{
	_cleanup_(wanted_free) struct wanted w = {0};
	_cleanup_strlist_ struct strlist types = {0};
	_cleanup_asg_ struct asg_group g = {0};
	bool there = false;
	int r = check_said(p->o, err);

	if (r < 0)
		return r;
	strlist_add(&types, p->o->type);
	digest_of(p, w.made_for);
	if ((r = find_places(p, &w, err)) < 0 ||
	    (r = aws_check_image(p->a, p->image, p->o->unverified, &types, NULL, err)) < 0 ||
	    (r = clear_failed(p, &w, &g, &there, err)) < 0 || (r = find_template(p, &w, there, err)) < 0)
		return r;
	if (there && (r = check_same(p, &w, &g, err)) < 0)
		return r;
	if (!w.template_id[0] && (r = make_template(p, &w, err)) < 0)
		return r;
	if (!there && (r = make_group(p, &w, err)) < 0)
		return r;
	return bring_up(p, &w, err);
}
