/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Auto Scaling, version 2011-01-01 (Amazon EC2 Auto Scaling API Reference), and what belongs to a group of it: its launch template and
 * instances (EC2), the health of its targets (Elastic Load Balancing v2, 2015-12-01). All in the session's region.
 */
#ifndef MKAPPLIANCE_CLOUD_AWS_ASG_H
#define MKAPPLIANCE_CLOUD_AWS_ASG_H

#include "cloud/aws_ec2.h"

#define ASG_VERSION_SIZE 32
#define ASG_REASON_SIZE	 200
#define ASG_TAGS_MAX	 50 /* of a group */

#define ASG_TAG_DRILL	  "mkappliance:drill" /* of a group in which drills are ASG_DRILL_ALLOWED */
#define ASG_DRILL_ALLOWED "allowed"

struct asg_instance {
	char id[EC2_ID_SIZE];
	char type[32];
	char zone[32];
	char lifecycle[40]; /* "Pending", "InService", "Terminating", ... */
	char health[16];    /* "Healthy", "Unhealthy": the group's verdict */
	char template_id[EC2_ID_SIZE];
	char version[ASG_VERSION_SIZE]; /* of the launch template */
	bool protected;			/* from scale-in, and so from a refresh */
	bool listed;			/* by asg_read_targets(): in the target group that was read last */
	/* Worst state among the target groups: "healthy", "initial", "unhealthy", "draining", ..., ASG_MISSING; "": not read, or none. */
	char target[16];
	char reason[ASG_REASON_SIZE]; /* of that */
	char image[EC2_ID_SIZE];      /* the next two by asg_read_instances() */
	char launched[40];	      /* ISO 8601, UTC */
};

struct asg_group {
	char *name;
	unsigned min, max, desired;
	char template_id[EC2_ID_SIZE];	/* with @mixed that of the policy; "": none */
	char version[ASG_VERSION_SIZE]; /* a number, "$Latest", "$Default" */
	bool mixed;			/* a mixed-instances policy */
	bool deleting;
	bool protects_new;    /* new instances are protected from scale-in */
	char health_type[32]; /* "EC2", "ELB", "EC2,ELB" */
	unsigned grace;	      /* seconds in which a new instance is not judged by its health check */
	unsigned warmup;      /* seconds, with @warms_up; else nothing was said */
	bool warms_up;
	unsigned lifetime;	      /* seconds that an instance may live; 0: for ever */
	char *subnets;		      /* ids with commas between them */
	const char *special;	      /* what another group made of all this would not have; NULL: nothing */
	struct strlist policies;      /* of termination */
	struct strlist target_groups; /* ARNs */
	struct strlist suspended;     /* processes */
	struct aws_tags tags;
	bool propagates[ASG_TAGS_MAX]; /* of each tag: instances get it too */
	struct asg_instance *list;
	size_t len, cap;
};

#define ASG_MISSING "missing" /* in service, and not registered in one of the group's target groups */

/* In service, healthy, and so for each of its target groups where they were read. */
bool asg_serves(const struct asg_instance *i);
unsigned asg_count_serving(const struct asg_group *g);
struct asg_instance *asg_find(const struct asg_group *g, const char *id);
/* By its tag. */
bool asg_allows_drills(const struct asg_group *g);

/* -ENOENT: there is none of that name. Emptied by asg_group_free(). */
int asg_read(struct aws *a, const char *name, struct asg_group *ret, struct error *err);
void asg_group_free(struct asg_group *g);
#define _cleanup_asg_ __attribute__((cleanup(asg_group_free)))

/* One that does not serve, where there is one: "i-... is InService, unhealthy: Health checks failed"; to be freed. NULL: all do. */
char *asg_describe_lame(const struct asg_group *g);

/* One call for each target group: fills in target and reason. */
int asg_read_targets(struct aws *a, struct asg_group *g, struct error *err);
/* One call for 100 instances: fills in image and launched of those that have none yet. */
int asg_read_instances(struct aws *a, struct asg_group *g, struct error *err);
/* What never changes, from an earlier look at the same group: then asg_read_instances() asks for new ones only. */
void asg_carry(const struct asg_group *before, struct asg_group *g);

/* Those that have the tag; all pages. Emptied by asg_groups_free(). */
struct asg_groups {
	struct asg_group *list;
	size_t len, cap;
};

int asg_read_tagged(struct aws *a, const char *key, const char *value, struct asg_groups *ret,
		    struct error *err);
void asg_groups_free(struct asg_groups *g);
#define _cleanup_asg_groups_ __attribute__((cleanup(asg_groups_free)))

int asg_set_tags(struct aws *a, const char *group, const struct aws_tag *tags, size_t count,
		 struct error *err);

/* The last activity that failed and began after @since (ISO 8601, UTC); "" when there is none. */
int asg_last_failure(struct aws *a, const char *group, const char *since, char ret[ASG_REASON_SIZE],
		     struct error *err);

/* Planned failures. The power is taken from an instance, the group is not told (EC2 TerminateInstances). */
int asg_strike(struct aws *a, const char *instance, struct error *err);
/* It is said to be unhealthy, whatever its grace period (SetInstanceHealth). */
int asg_condemn(struct aws *a, const char *instance, struct error *err);
/* The group ends it, drained, and starts another (TerminateInstanceInAutoScalingGroup). */
int asg_replace(struct aws *a, const char *instance, struct error *err);

#define ASG_REFRESH_SIZE 64 /* of an id */

struct asg_refresh {
	char id[ASG_REFRESH_SIZE]; /* "": there never was one */
	char status[32]; /* "Pending", "InProgress", "Baking", "Successful", "RollbackSuccessful", ... */
	char reason[ASG_REASON_SIZE];
	char version[ASG_VERSION_SIZE]; /* of the template that it goes to; "": the group's own */
	char started[40];
	char ended[40]; /* "" while it runs */
	unsigned percent;
};

struct asg_preferences {
	unsigned min_healthy, max_healthy; /* per cent */
	unsigned checkpoint;		   /* seconds after the first instance; 0: no checkpoint */
	unsigned first_percent;		   /* where that is */
	unsigned bake;			   /* seconds */
	unsigned warmup;		   /* seconds, with @warms_up; else the group's own */
	bool warms_up;
	const struct strlist *alarms; /* of CloudWatch; one that rings brings it back; may be NULL */
	bool auto_rollback;
};

/* The newest. */
int asg_refresh_read(struct aws *a, const char *group, struct asg_refresh *ret, struct error *err);
/*
 * To @version of @template_id, NULL: to the group's own template; what matches stays. @ret_id: of the new one, which asg_refresh_read() may not
 * see at once.
 */
int asg_refresh_start(struct aws *a, const char *group, const char *template_id, const char *version,
		      const struct asg_preferences *p, char ret_id[ASG_REFRESH_SIZE], struct error *err);
int asg_refresh_rollback(struct aws *a, const char *group, struct error *err);
bool asg_refresh_runs(const struct asg_refresh *r);
/* The form of asg_refresh_start(), for tests. */
void asg_refresh_form(const char *group, const char *template_id, const char *version,
		      const struct asg_preferences *p, struct buf *form);

/* A version of a launch template. */
struct asg_template {
	char id[EC2_ID_SIZE];
	char number[ASG_VERSION_SIZE];
	char image[EC2_ID_SIZE];
	char type[32]; /* of instances; "": by requirements, or the group's matter */
};

/* @version: a number, "$Latest", "$Default". */
int asg_template_describe(struct aws *a, const char *template_id, const char *version,
			  struct asg_template *ret, struct error *err);
/* The image of a version ("$Latest" too), and its number. */
int asg_template_read(struct aws *a, const char *template_id, const char *version,
		      char ret_image[EC2_ID_SIZE], char ret_number[ASG_VERSION_SIZE], struct error *err);
/* @source with another image. The same @token: the same version. */
int asg_template_add(struct aws *a, const char *template_id, const char *source, const char *image,
		     const char *token, char ret_number[ASG_VERSION_SIZE], struct error *err);

#endif
