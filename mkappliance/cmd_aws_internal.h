/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a deployment to a group of AWS; for cmd_aws_*.c only. */
#ifndef MKAPPLIANCE_CMD_AWS_INTERNAL_H
#define MKAPPLIANCE_CMD_AWS_INTERNAL_H

#include "cmd_aws_fleet.h"
#include "cmd_aws_group.h"

/* A new instance as we have followed it. */
struct followed {
	char id[EC2_ID_SIZE];
	uint64_t first_ns;
	bool is_new;
	bool seen;    /* at the last look */
	bool healthy; /* was, once */
	bool failed;  /* counted */
	char said[80];
};

/* A deployment as it goes. */
struct pursuit {
	const struct aws_group_options *o;
	struct aws *a;
	const char *group;	       /* its name; borrowed */
	char image[EC2_ID_SIZE];       /* that it goes to */
	char current[EC2_ID_SIZE];     /* image of the group before */
	char before[EC2_ID_SIZE];      /* the previous one before that; "": none */
	char source[ASG_VERSION_SIZE]; /* version of the template before, a number */
	char target[ASG_VERSION_SIZE];
	struct followed *list;
	size_t len, cap;
	unsigned failures;
	bool going_back;
	bool asked_back; /* by 'rollback', of a deployment that was under way */
	uint64_t start_ns;
	char phase[32];
	char refresh[ASG_REFRESH_SIZE]; /* that is followed; "": the newest one will be */
	char earlier[ASG_REFRESH_SIZE]; /* the newest before that */
	bool was_there;			/* it ran the image already: there was nothing to do */
	char reason[ASG_REASON_SIZE];
};

/* cmd_aws_group.c: image and version of @g into @p, and the previous image; its template. */
int aws_read_current(struct pursuit *p, const struct asg_group *g, struct asg_template *ret,
		     struct error *err);
/* The types that instances have and get, each once; appends. */
void aws_list_types(const struct asg_group *g, const char *type, struct strlist *ret);
/* What following needs is read once before anything is changed: a right that is missing is noticed now. */
int aws_look_ahead(const struct pursuit *p, struct asg_group *g, struct error *err);
/* The version of the template with the new image into @p->target; the same one when it is there. */
int aws_add_version(struct pursuit *p, const struct asg_group *g, struct error *err);

/* cmd_aws_image.c: the id of the AMI that @text names: itself, or what 'upload' made of the image of a manifest. */
int aws_group_image(struct aws *a, const char *text, char ret[EC2_ID_SIZE], struct error *err);

/* cmd_aws_check.c: what cannot be brought back, or cannot be judged, is not begun. */
int aws_check_group(const struct asg_group *g, const struct asg_refresh *running, struct error *err);
/*
 * An image that is there, proved, and fit for instances of @types; where none is known, for those that run @current (NULL: there are none).
 */
int aws_check_image(struct aws *a, const char *image, bool unverified, const struct strlist *types,
		    const char *current, struct error *err);
/* @current, the image that the group would be brought back to, is there. */
int aws_check_way_back(struct aws *a, const struct asg_group *g, const char *current, struct error *err);
/* As many serve as must serve at any time; asg_read_targets() was called. */
int aws_check_healthy(const struct asg_group *g, const struct rollout_plan *p, struct error *err);
/* How many serve and are in a target group; asg_read_targets() was called. */
unsigned aws_count_behind(const struct asg_group *g);
/* Bounds that AWS takes. */
int aws_check_plan(const struct rollout_plan *p, struct error *err);

/* cmd_aws_follow.c: follows the refresh to its end; @ret_there: at the new image, else back. */
int aws_follow(struct pursuit *p, bool *ret_there, struct error *err);
/* One line for each instance that is not as it was, and whether new ones have failed. */
void aws_judge_all(struct pursuit *p, const struct asg_group *g);
/* No more than are wanted are there: perhaps none can be launched. */
int aws_look_for_launches(struct pursuit *p, const struct asg_group *g, const char *since, struct error *err);
/*
 * After -EINTR: whether somebody at a terminal wants it brought back. Nothing but "y" is a yes; Ctrl-C again ends the process at once,
 * as it does everywhere.
 */
bool aws_wants_back(const struct pursuit *p);

struct aws_set;

/* cmd_aws_swap.c: the whole of a blue-green deployment, or what is left of one that was killed. @ret_there: at the new image. */
int aws_swap_deploy(struct pursuit *p, struct aws_set *s, bool *ret_there, struct error *err);
/*
 * Looks at @p->group until all of it has served for @good_ns, *ret_good; without that it ends where instances fail, the deadline is past
 * or Ctrl-C was answered with yes, and @p->reason says so.
 */
int aws_swap_watch(struct pursuit *p, uint64_t good_ns, bool *ret_good, struct error *err);

/* cmd_aws_swap_end.c: the old group leaves, is kept, and goes; or it comes back. */
int aws_swap_end(struct pursuit *p, bool *ret_there, struct error *err);
/* To @s->old, for which @p->reason is told; the other one is removed. */
int aws_swap_back(struct pursuit *p, struct aws_set *s, struct error *err);
int aws_swap_drop_old(struct pursuit *p, struct aws_set *s, struct error *err);
int aws_swap_remove_next(struct pursuit *p, struct aws_set *s, struct error *err);
/* Returns when the cloud has taken it away with all its instances. */
int aws_remove_group(const struct pursuit *p, const struct asg_group *g, struct error *err);

/* cmd_aws_create.c: a group from nothing, or the same one again. */
int aws_create(struct pursuit *p, struct error *err);

#endif
