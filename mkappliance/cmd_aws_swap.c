/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blue-green: a second group beside the first on the same target groups; declared in cmd_aws_internal.h. Until the second one is live the
 * first is not touched. How it goes on from there is in cmd_aws_swap_end.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cloud/aws_asg_make.h"
#include "cmd_aws_internal.h"
#include "cmd_aws_set.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define NAME_MAX_SIZE 300
#define TAGS_MAX      60

/* The first group's own tags, and what says that this is the second. */
static size_t collect_tags(const struct aws_set *s, const struct pursuit *p,
			   struct asg_make_tag tags[TAGS_MAX])
{
	const struct asg_make_tag ours[] = {
		{GROUP_TAG_GROUP, s->name, false},	   {GROUP_TAG_ROLE, ROLE_NEXT, false},
		{GROUP_TAG_PREVIOUS, p->current, false},   {GROUP_TAG_BEFORE, p->before, false},
		{ASG_TAG_DRILL, ASG_DRILL_ALLOWED, false},
	};
	const struct aws_tags *t = &s->live->tags;
	size_t count = 0;

	for (size_t i = 0; i < t->keys.len && count < TAGS_MAX - 5; i++)
		if (strncmp(t->keys.ptr[i], "aws:", 4) != 0 &&
		    (strncmp(t->keys.ptr[i], "mkappliance:", 12) != 0 ||
		     (strcmp(t->keys.ptr[i], ASG_TAG_DRILL) == 0 && !p->o->allow_drill)))
			tags[count++] = (struct asg_make_tag){t->keys.ptr[i], t->values.ptr[i],
							      s->live->propagates[i]};
	for (size_t i = 0; i < 4u + p->o->allow_drill; i++)
		tags[count++] = ours[i];
	return count;
}

static int make_next(struct pursuit *p, const struct aws_set *s, struct error *err)
{
	const struct asg_group *g = s->live;
	struct asg_make_tag tags[TAGS_MAX];
	char name[NAME_MAX_SIZE];
	const struct asg_make make = {
		.name = name,
		.template_id = g->template_id,
		.version = p->target,
		.min = g->min,
		.max = g->max,
		.desired = g->desired,
		.subnets = g->subnets,
		.target_groups = &g->target_groups,
		.grace = g->grace,
		.warmup = g->warmup,
		.warms_up = g->warms_up,
		.lifetime = g->lifetime,
		.policies = &g->policies,
		.tags = tags,
		.tag_count = collect_tags(s, p, tags),
	};

	aws_set_next_name(s, name, sizeof(name));
	log_note("making group %s of %s beside %s", name, p->image, g->name);
	return asg_make(p->a, &make, err);
}

/* A second group would silently lack what hangs on the first. */
static int check_copy(const struct pursuit *p, const struct asg_group *g, struct error *err)
{
	char hanging[ASG_REASON_SIZE];
	int r = asg_read_hanging(p->a, g->name, hanging, err);

	if (r == 0 && g->special)
		snprintf(hanging, sizeof(hanging), "%s", g->special);
	if (r == 0 && hanging[0])
		r = error_set(
			err, -ENOTSUP,
			"group '%s' has %s, which a second group would not have: use --strategy rolling",
			g->name, hanging);
	if (r == 0 && !g->subnets[0])
		r = error_set(err, -ENOTSUP, "group '%s' names no subnets: use --strategy rolling", g->name);
	return r;
}

static int begin(struct pursuit *p, struct aws_set *s, const struct asg_template *now, struct error *err)
{
	_cleanup_strlist_ struct strlist types = {0};
	struct asg_refresh running = {0};
	int r;

	aws_list_types(s->live, now->type, &types);
	if ((r = asg_refresh_read(p->a, s->live->name, &running, err)) < 0 ||
	    (r = aws_check_group(s->live, &running, err)) < 0 || (r = check_copy(p, s->live, err)) < 0 ||
	    (!p->o->unverified && (r = aws_check_way_back(p->a, s->live, p->current, err)) < 0) ||
	    (r = aws_check_image(p->a, p->image, p->o->unverified, &types, p->current, err)) < 0 ||
	    (r = aws_look_ahead(p, s->live, err)) < 0 || (r = aws_add_version(p, s->live, err)) < 0)
		return r;
	return make_next(p, s, err);
}

/* The second group as it is; *ret_well: all of its instances serve. */
static int look(struct pursuit *p, bool *ret_well, struct error *err)
{
	_cleanup_asg_ struct asg_group g = {0};
	int r;

	if ((r = asg_read(p->a, p->group, &g, err)) < 0 || (r = asg_read_targets(p->a, &g, err)) < 0)
		return r;
	aws_judge_all(p, &g);
	*ret_well = g.desired && aws_count_behind(&g) >= g.desired;
	return *ret_well ? 0 : aws_look_for_launches(p, &g, "", err);
}

int aws_swap_watch(struct pursuit *p, uint64_t good_ns, bool *ret_good, struct error *err)
{
	uint64_t good_since = 0;

	for (;;) {
		bool well = false;
		int r = look(p, &well, err);

		good_since = !well ? 0 : good_since ? good_since : clock_ns();
		*ret_good = well && clock_ns() - good_since >= good_ns;
		if (r == 0 && *ret_good)
			return 0;
		if (r == 0 && p->failures > p->o->plan.failures)
			return 0;
		if (r == 0 && clock_ns() > p->start_ns + p->o->plan.deadline * 1000000000ull) {
			snprintf(p->reason, sizeof(p->reason), "not done within %u s", p->o->plan.deadline);
			return 0;
		}
		if (r == 0)
			r = aws_wait_a_turn(p->o->interval, err);
		if (r == -EINTR && aws_wants_back(p)) {
			snprintf(p->reason, sizeof(p->reason), "asked for by Ctrl-C");
			return 0;
		}
		if (r == -EINTR)
			return error_set(
				err, r,
				"interrupted; nobody moves group '%s' on now: the same command again does, "
				"'mkappliance rollback --group %s --to aws' brings it back",
				p->o->group, p->o->group);
		if (r < 0)
			return r;
	}
}

/* The second group is there, whoever made it: to its end. */
static int bring_up(struct pursuit *p, bool *ret_there, struct error *err)
{
	_cleanup_set_ struct aws_set s = {0};
	bool good = false;
	int r;

	if ((r = aws_set_read(p->a, p->o->group, &s, err)) < 0)
		return r;
	if (!s.next)
		return error_set(err, -ESTALE, "somebody removed the second group of '%s'", p->o->group);
	p->group = s.next->name;
	r = aws_swap_watch(p, p->o->plan.bake * 1000000000ull, &good, err);
	if (r < 0)
		return r;
	if (!good) {
		log_note("removing group %s: %s", s.next->name, p->reason);
		*ret_there = false;
		return aws_swap_remove_next(p, &s, err);
	}
	log_note("group %s is live, %s leaves", s.next->name, s.live->name);
	r = aws_set_make_live(p->a, s.next, s.live, p->o->keep_old, err);
	return r < 0 ? r : aws_swap_end(p, ret_there, err);
}

/* What an earlier run left: goes on with it, or clears it away. *ret_on: there is something to go on with. */
static int take_up(struct pursuit *p, struct aws_set *s, const struct asg_template *now, bool *ret_on,
		   struct error *err)
{
	struct asg_template next;
	const char *replaces;
	int r;

	*ret_on = false;
	if (s->next && strcmp(aws_tags_get(&s->next->tags, GROUP_TAG_ROLE), ROLE_NEXT) == 0 &&
	    !s->next->deleting) {
		r = asg_template_describe(p->a, s->next->template_id, s->next->version, &next, err);
		if (r < 0)
			return r;
		if (strcmp(next.image, p->image) != 0)
			return error_set(
				err, -EBUSY,
				"group '%s': a deployment of %s is under way (group %s); 'mkappliance rollback "
				"--group %s --to aws' ends it",
				s->name, next.image, s->next->name, s->name);
		memcpy(p->target, next.number, sizeof(p->target));
		log_note("going on with group %s", s->next->name);
		*ret_on = true;
		return 0;
	}
	if (s->next && (r = aws_swap_remove_next(p, s, err)) < 0)
		return r;
	if (strcmp(now->image, p->image) != 0)
		return s->old ? aws_swap_drop_old(p, s, err) : 0;
	replaces = aws_tags_get(&s->live->tags, GROUP_TAG_REPLACES);
	if (!s->old && (!replaces || !*replaces)) {
		log_note("group '%s' runs %s already", s->name, p->image);
		p->was_there = true;
		return 0;
	}
	return s->old ? 0 : aws_set_forget(p->a, s->live, err);
}

int aws_swap_deploy(struct pursuit *p, struct aws_set *s, bool *ret_there, struct error *err)
{
	struct asg_template now;
	bool on = false;
	int r;

	if ((r = aws_read_current(p, s->live, &now, err)) < 0 || (r = take_up(p, s, &now, &on, err)) < 0)
		return r;
	if (p->was_there) {
		memcpy(p->target, now.number, sizeof(p->target));
		*ret_there = true;
		return 0;
	}
	if (!on && strcmp(now.image, p->image) == 0) {
		log_note("group %s is live, going on with the end of the one before", s->live->name);
		memcpy(p->target, now.number, sizeof(p->target));
		snprintf(p->current, sizeof(p->current), "%s", p->before);
		return aws_swap_end(p, ret_there, err);
	}
	if (!on && (r = begin(p, s, &now, err)) < 0)
		return r;
	return bring_up(p, ret_there, err);
}
