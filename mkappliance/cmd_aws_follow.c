/* SPDX-License-Identifier: Apache-2.0 */
/* A refresh is followed, judged, and brought back when it must be; declared in cmd_aws_internal.h. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cmd_aws_internal.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/log.h"

#define TURN_MS 200

int aws_wait_a_turn(unsigned interval, struct error *err)
{
	uint64_t ms = interval ? interval * 1000ull : TURN_MS;

	return interrupt_sleep(ms * 1000000, err);
}

static struct followed *follow_instance(struct pursuit *p, const char *id)
{
	for (size_t i = 0; i < p->len; i++)
		if (strcmp(p->list[i].id, id) == 0)
			return &p->list[i];
	array_grow(p->list, p->len, p->cap);
	p->list[p->len] = (struct followed){.first_ns = clock_ns()};
	snprintf(p->list[p->len].id, EC2_ID_SIZE, "%s", id);
	return &p->list[p->len++];
}

static void fail(struct pursuit *p, struct followed *f, const char *why, const char *what)
{
	f->failed = true;
	p->failures++;
	snprintf(p->reason, sizeof(p->reason), "%s %s%s%.100s", f->id, what, why[0] ? ": " : "", why);
	log_note("%s", p->reason);
}

/* One of the new ones: a line when it is not as it was, and whether it has failed. */
static void judge_instance(struct pursuit *p, const struct asg_instance *i)
{
	struct followed *f = follow_instance(p, i->id);
	bool is_new = strcmp(i->version, p->target) == 0;
	bool healthy = strcmp(i->target, "healthy") == 0 && strcmp(i->health, "Healthy") == 0;
	char now[sizeof(f->said)];

	snprintf(now, sizeof(now), "%.30s %.20s", i->lifecycle, i->target);
	if (strcmp(now, f->said) != 0)
		log_note("%s  %s  version %s  %-11s  %-9s  %6.1f s  %s", i->id,
			 is_new ? p->image : p->current, i->version, i->lifecycle, i->target,
			 (double)(clock_ns() - f->first_ns) / 1e9, i->reason);
	memcpy(f->said, now, sizeof(now));
	f->is_new = is_new;
	f->seen = true;
	if (!is_new || f->failed || p->going_back)
		return;
	if (strncmp(i->lifecycle, "Terminat", 8) == 0)
		fail(p, f, i->reason, "was ended by the group");
	else if (f->healthy && strcmp(i->target, "unhealthy") == 0)
		fail(p, f, i->reason, "is not healthy any more");
	else if (!f->healthy && !healthy && clock_ns() - f->first_ns > p->o->plan.warmup * 1000000000ull)
		fail(p, f, i->reason, "did not become healthy in time");
	f->healthy |= healthy;
}

/* One that was there and is not any more has failed, if it was new. */
void aws_judge_all(struct pursuit *p, const struct asg_group *g)
{
	for (size_t i = 0; i < p->len; i++)
		p->list[i].seen = false;
	for (size_t i = 0; i < g->len; i++)
		judge_instance(p, &g->list[i]);
	for (size_t i = 0; i < p->len && !p->going_back; i++)
		if (p->list[i].is_new && !p->list[i].seen && !p->list[i].failed)
			fail(p, &p->list[i], "", "is gone");
}

/* More than are wanted: what had to be launched was. */
int aws_look_for_launches(struct pursuit *p, const struct asg_group *g, const char *since, struct error *err)
{
	char failure[ASG_REASON_SIZE];
	int r;

	if (p->going_back || g->len > g->desired)
		return 0;
	r = asg_last_failure(p->a, g->name, since, failure, err);
	if (r == 0 && failure[0] && p->failures <= p->o->plan.failures) {
		p->failures = p->o->plan.failures + 1;
		snprintf(p->reason, sizeof(p->reason), "launch failed: %.150s", failure);
	}
	return r;
}

/* The refresh that is followed, and no other one. */
static int read_refresh(struct pursuit *p, struct asg_refresh *ret, struct error *err)
{
	int r = asg_refresh_read(p->a, p->group, ret, err);

	if (r < 0)
		return r;
	if (!p->refresh[0])
		memcpy(p->refresh, ret->id, sizeof(p->refresh));
	if (strcmp(ret->id, p->refresh) == 0)
		return 0;
	if (strcmp(ret->id, p->earlier) != 0)
		return error_set(
			err, -ESTALE,
			"group '%s': somebody began refresh %s after %s, which is not followed any more (mkappliance "
			"status --group %s --to aws)",
			p->group, ret->id, p->refresh, p->o->group);
	/* It is not to be seen yet. */
	*ret = (struct asg_refresh){.status = "Pending", .started = "9"}; /* no activity is of it */
	memcpy(ret->id, p->refresh, sizeof(ret->id));
	return 0;
}

/* One look at group, targets and refresh. */
static int look(struct pursuit *p, struct asg_refresh *refresh, struct error *err)
{
	_cleanup_asg_ struct asg_group g = {0};
	int r;

	if ((r = read_refresh(p, refresh, err)) < 0 || (r = asg_read(p->a, p->group, &g, err)) < 0 ||
	    (r = asg_read_targets(p->a, &g, err)) < 0)
		return r;
	if (strcmp(refresh->status, p->phase) != 0)
		log_note("refresh %s: %s, %u %%%s%s", refresh->id, refresh->status, refresh->percent,
			 refresh->reason[0] ? ": " : "", refresh->reason);
	memcpy(p->phase, refresh->status, sizeof(p->phase));
	if (p->o->watcher)
		p->o->watcher(p->o->watcher_data, &g, refresh);
	if (strncmp(refresh->status, "Rollback", 8) == 0 && !p->going_back) {
		p->going_back = true;
		snprintf(p->reason, sizeof(p->reason), "%s", refresh->reason);
	}
	aws_judge_all(p, &g);
	return aws_look_for_launches(p, &g, refresh->started, err);
}

/* A refresh that is neither here nor there: to what the group's own template still says. */
static int start_back(struct pursuit *p, struct error *err)
{
	const struct asg_preferences prefs = {.min_healthy = p->o->plan.min_healthy,
					      .max_healthy = p->o->plan.max_healthy};
	struct asg_refresh now = {0};
	struct error ignored = ERROR_INIT;
	int r;

	p->going_back = true;
	memcpy(p->earlier, p->refresh, sizeof(p->earlier));
	p->refresh[0] = 0;
	log_note("back to %s (version %s): %s", p->current, p->source, p->reason);
	r = asg_refresh_start(p->a, p->group, NULL, NULL, &prefs, p->refresh, err);
	/* Somebody else who follows it, or an answer that got lost, may have begun it. */
	if (r < 0 && r != -EINTR && asg_refresh_read(p->a, p->group, &now, &ignored) == 0 &&
	    asg_refresh_runs(&now) && !now.version[0])
		return 0;
	return r;
}

static int turn_back(struct pursuit *p, struct error *err)
{
	struct asg_refresh now = {0};
	struct error ignored = ERROR_INIT;
	int r;

	log_note("rolling back to %s: %s", p->current, p->reason);
	p->going_back = true;
	r = asg_refresh_rollback(p->a, p->group, err);
	if (r == 0 || r == -EINTR)
		return r;
	/* An alarm, or somebody else who follows it, was sooner; or the answer got lost. */
	if (asg_refresh_read(p->a, p->group, &now, &ignored) == 0 && strncmp(now.status, "Rollback", 8) == 0)
		return 0;
	return error_prefix(err, "%s; the way back cannot be begun, the refresh %s", p->reason,
			    asg_refresh_runs(&now) || !now.id[0] ? "goes on" : "is over");
}

bool aws_wants_back(const struct pursuit *p)
{
	char answer[16] = "";

	if (p->going_back || p->o->watcher || interrupt_signal() != SIGINT || !isatty(STDIN_FILENO) ||
	    !isatty(STDERR_FILENO))
		return false;
	(void)tcflush(STDIN_FILENO, TCIFLUSH);
	fprintf(stderr, "\n%s%s? [y/N, or Ctrl-C again to leave it as it is] ",
		p->current[0] ? "Roll back to " : "Remove the group again", p->current);
	if (!fgets(answer, sizeof(answer), stdin) || (answer[0] != 'y' && answer[0] != 'Y'))
		return false;
	interrupt_clear();
	return true;
}

/* The refresh is the cloud's: without us it goes on. */
static int interrupted(struct pursuit *p, struct error *err)
{
	if (aws_wants_back(p)) {
		snprintf(p->reason, sizeof(p->reason), "asked for by Ctrl-C");
		return turn_back(p, err);
	}
	return error_set(
		err, -EINTR,
		"interrupted; the %s goes on: the same command again follows it, 'mkappliance status' shows "
		"it, 'mkappliance rollback --group %s --to aws' brings it back",
		p->going_back ? "way back" : "refresh", p->o->group);
}

/* What follows from a refresh that still runs, or ended where it should not. */
static int steer(struct pursuit *p, const struct asg_refresh *now, bool late, struct error *err)
{
	if (!asg_refresh_runs(now)) {
		if (p->going_back)
			return error_set(err, -EIO, "group '%s': refresh %s: %s: %s", p->group, now->id,
					 now->status, now->reason);
		if (!p->reason[0])
			snprintf(p->reason, sizeof(p->reason), "refresh %s: %.100s", now->status,
				 now->reason);
		return start_back(p, err);
	}
	if (!p->going_back && (late || p->failures > p->o->plan.failures)) {
		if (late)
			snprintf(p->reason, sizeof(p->reason), "not done within %u s", p->o->plan.deadline);
		return turn_back(p, err);
	}
	if (late && p->going_back)
		return error_set(err, -ETIMEDOUT, "group '%s': not back within %u s: %s", p->group,
				 2 * p->o->plan.deadline, p->reason);
	return 0;
}

int aws_follow(struct pursuit *p, bool *ret_there, struct error *err)
{
	for (;;) {
		struct asg_refresh now = {0};
		bool late = clock_ns() - p->start_ns >
			    p->o->plan.deadline * (p->going_back ? 2 : 1) * 1000000000ull;
		int r = look(p, &now, err);

		if (r == 0 && (strcmp(now.status, "Successful") == 0 ||
			       strcmp(now.status, "RollbackSuccessful") == 0)) {
			*ret_there = !p->going_back && strcmp(now.status, "Successful") == 0;
			if (!*ret_there && !p->reason[0])
				snprintf(p->reason, sizeof(p->reason), "%s",
					 now.reason[0] ? now.reason : "the group went back by itself");
			return 0;
		}
		if (r == 0)
			r = steer(p, &now, late, err);
		if (r == 0)
			r = aws_wait_a_turn(p->o->interval, err);
		if (r == -EINTR)
			r = interrupted(p, err);
		if (r < 0)
			return r;
	}
}
