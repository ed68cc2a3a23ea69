/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a blue-green deployment: the old group leaves, or comes back; declared in cmd_aws_internal.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cloud/aws_asg_make.h"
#include "cmd_aws_internal.h"
#include "cmd_aws_set.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/log.h"

static int interrupted(const struct pursuit *p, int r, struct error *err)
{
	return r != -EINTR
		       ? r
		       : error_set(err, r,
				   "interrupted; nobody moves group '%s' on now: the same command again does",
				   p->o->group);
}

/* Until the cloud has taken it away, its instances with it. */
static int await_gone(const struct pursuit *p, const char *name, struct error *err)
{
	uint64_t start = clock_ns();

	for (;;) {
		_cleanup_asg_ struct asg_group g = {0};
		struct error now = ERROR_INIT;
		int r = asg_read(p->a, name, &g, &now);

		if (r == -ENOENT)
			return 0;
		if (r < 0)
			*err = now;
		else if (clock_ns() - start > p->o->plan.deadline * 1000000000ull)
			r = error_set(err, -ETIMEDOUT, "group '%s' is still there after %u s", name,
				      p->o->plan.deadline);
		else
			r = aws_wait_a_turn(p->o->interval, err);
		if (r < 0)
			return interrupted(p, r, err);
	}
}

int aws_remove_group(const struct pursuit *p, const struct asg_group *g, struct error *err)
{
	int r = g->deleting ? 0 : asg_remove(p->a, g->name, err);

	return r < 0 ? r : await_gone(p, g->name, err);
}

int aws_swap_remove_next(struct pursuit *p, struct aws_set *s, struct error *err)
{
	const struct aws_tag failed = {GROUP_TAG_ROLE, ROLE_FAILED};
	int r = s->next->deleting ? 0 : asg_set_tags(p->a, s->next->name, &failed, 1, err);

	if (r == 0)
		r = aws_remove_group(p, s->next, err);
	if (r == 0)
		s->next = NULL;
	return r;
}

/* Its instances get nothing new, and end what they have; what is already out stays out. */
static int take_out(const struct pursuit *p, struct asg_group *g, const struct strlist *all,
		    struct error *err)
{
	uint64_t start = clock_ns();
	int r = g->target_groups.len && !g->deleting
			? asg_attach(p->a, g->name, &g->target_groups, false, err)
			: 0;

	while (r == 0) {
		size_t count = 0;

		r = asg_count_targets(p->a, all, g, &count, err);
		if (r == 0 && count == 0) {
			strlist_free(&g->target_groups); /* it has none now */
			return 0;
		}
		if (r == 0 && clock_ns() - start > p->o->plan.deadline * 1000000000ull)
			return error_set(err, -ETIMEDOUT, "group '%s': %zu instances still drain after %u s",
					 g->name, count, p->o->plan.deadline);
		if (r == 0)
			r = aws_wait_a_turn(p->o->interval, err);
	}
	return interrupted(p, r, err);
}

/* One of the two may be out of them already. */
static const struct strlist *target_groups(const struct aws_set *s)
{
	return s->old->target_groups.len > s->live->target_groups.len ? &s->old->target_groups
								      : &s->live->target_groups;
}

int aws_swap_drop_old(struct pursuit *p, struct aws_set *s, struct error *err)
{
	int r;

	log_note("removing group %s", s->old->name);
	if ((r = take_out(p, s->old, target_groups(s), err)) < 0 ||
	    (r = aws_remove_group(p, s->old, err)) < 0 || (r = aws_set_forget(p->a, s->live, err)) < 0)
		return r;
	s->old = NULL;
	return 0;
}

/* The new one is looked at for as long as the old one is kept; *ret_good: it went well. */
static int keep_old(struct pursuit *p, const struct aws_set *s, bool *ret_good, struct error *err)
{
	uint64_t until = aws_set_number(s->live, GROUP_TAG_KEEP), now = aws_set_now();

	*ret_good = true;
	if (now >= until || s->old->deleting)
		return 0;
	log_note("group %s is kept for another %" PRIu64 " s ('mkappliance rollback' goes back to it)",
		 s->old->name, (until - now + 999) / 1000);
	/* Its own time, not the deployment's. */
	p->start_ns = clock_ns() + (until - now) * 1000000;
	return aws_swap_watch(p, (until - now) * 1000000, ret_good, err);
}

int aws_swap_end(struct pursuit *p, bool *ret_there, struct error *err)
{
	_cleanup_set_ struct aws_set s = {0};
	uint64_t began = p->start_ns;
	bool good = false;
	int r = aws_set_read(p->a, p->o->group, &s, err);

	if (r < 0)
		return r;
	*ret_there = true;
	if (!s.old)
		return 0;
	p->group = s.live->name;
	if (aws_set_returns(&s)) {
		*ret_there = false;
		snprintf(p->reason, sizeof(p->reason), "the way back had begun");
		return aws_swap_back(p, &s, err);
	}
	if ((r = take_out(p, s.old, &s.live->target_groups, err)) < 0 ||
	    (r = keep_old(p, &s, &good, err)) < 0)
		return r;
	p->start_ns = began;
	if (good)
		return aws_swap_drop_old(p, &s, err);
	*ret_there = false;
	return aws_swap_back(p, &s, err);
}

/* Until all of the old one's instances serve again. */
static int await_serving(const struct pursuit *p, const struct asg_group *g, const struct strlist *all,
			 struct error *err)
{
	uint64_t start = clock_ns();

	for (;;) {
		_cleanup_asg_ struct asg_group now = {0};
		unsigned serving;
		int r;

		if ((r = asg_read(p->a, g->name, &now, err)) < 0 ||
		    (r = asg_read_targets(p->a, &now, err)) < 0)
			return interrupted(p, r, err);
		serving = aws_count_behind(&now);
		if (now.target_groups.len >= all->len && serving >= now.desired)
			return 0;
		if (clock_ns() - start > p->o->plan.deadline * 1000000000ull)
			return error_set(err, -ETIMEDOUT,
					 "group '%s': %u of %u serve after %u s; group '%s' stays live",
					 g->name, serving, now.desired, p->o->plan.deadline, p->group);
		if ((r = aws_wait_a_turn(p->o->interval, err)) < 0)
			return interrupted(p, r, err);
	}
}

int aws_swap_back(struct pursuit *p, struct aws_set *s, struct error *err)
{
	const struct strlist *all = target_groups(s);
	struct asg_group *back = s->old;
	struct asg_template was;
	int r;

	p->going_back = true;
	if (back->deleting)
		return error_set(
			err, -ENOENT,
			"group '%s' is being removed already; 'mkappliance rollback' rolls '%s' back to its "
			"image",
			back->name, s->live->name);
	log_note("back to group %s%s%s", back->name, p->reason[0] ? ": " : "", p->reason);
	if ((r = asg_template_describe(p->a, back->template_id, back->version, &was, err)) < 0 ||
	    (r = aws_set_return(p->a, s->live, err)) < 0 ||
	    (r = asg_attach(p->a, back->name, all, true, err)) < 0 ||
	    (r = await_serving(p, back, all, err)) < 0 ||
	    (r = aws_set_make_live(p->a, back, s->live, 0, err)) < 0)
		return r;
	memcpy(p->current, was.image, sizeof(p->current));
	memcpy(p->source, was.number, sizeof(p->source));
	s->old = s->live;
	s->live = back;
	return aws_swap_drop_old(p, s, err);
}
