/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a group is made of, and making it: launch template and instance type (EC2), subnets, target groups (Elastic Load Balancing v2), the
 * group itself. What is made has a name that only one thing can have, and says in its tags what it was made for: whoever was killed in
 * the middle finds it again. All in the session's region.
 */
#ifndef MKAPPLIANCE_CLOUD_AWS_ASG_MAKE_H
#define MKAPPLIANCE_CLOUD_AWS_ASG_MAKE_H

#include "cloud/aws_asg.h"

/* ---- what is there ---- */

struct ec2_type {
	char name[32];
	struct strlist architectures; /* "x86_64", "arm64" */
	struct strlist boot_modes;    /* "legacy-bios", "uefi"; empty: not said */
	bool tpm;		      /* NitroTPM */
};

/* -EINVAL: no such type. */
int ec2_describe_type(struct aws *a, const char *name, struct ec2_type *ret, struct error *err);
void ec2_type_free(struct ec2_type *t);
#define _cleanup_type_ __attribute__((cleanup(ec2_type_free)))

/* The network that all of @ids are in; an error names two that are in different ones. */
int ec2_subnets_vpc(struct aws *a, const struct strlist *ids, char ret_vpc[EC2_ID_SIZE], struct error *err);

struct elb_target_group {
	char *arn, *name;
	char vpc[EC2_ID_SIZE];
	char type[16]; /* "instance", "ip", "lambda" */
	bool checked;  /* its health check is on */
	bool used;     /* by a balancer */
};

/* By name or ARN. -ENOENT. */
int elb_find_target_group(struct aws *a, const char *which, struct elb_target_group *ret, struct error *err);
void elb_target_group_free(struct elb_target_group *t);
#define _cleanup_target_group_ __attribute__((cleanup(elb_target_group_free)))

/* How many of the group's target groups still have one of its instances, draining ones too. */
int asg_count_targets(struct aws *a, const struct strlist *target_groups, const struct asg_group *g,
		      size_t *ret, struct error *err);

/* ---- launch templates ---- */

struct asg_template_make {
	const char *name; /* 3 to 128 of a-zA-Z0-9().-/_ */
	const char *image, *type;
	const struct strlist *security_groups; /* ids; may be empty */
	const char *profile;		       /* of an instance: name or ARN; NULL: none */
	const char *token;		       /* the same token: the same template */
	const struct aws_tag *tags;	       /* of the template */
	size_t tag_count;
};

/* Of a version: instances get IMDSv2 only, one hop, and the tag mkappliance=1. -EEXIST: the name is taken. */
int asg_template_make(struct aws *a, const struct asg_template_make *t, char ret_id[EC2_ID_SIZE],
		      struct error *err);
/* By name; ret_id is "" when there is none. */
int asg_template_find(struct aws *a, const char *name, char ret_id[EC2_ID_SIZE], struct aws_tags *ret_tags,
		      struct error *err);
/* What is not there any more is no error. */
int asg_template_remove(struct aws *a, const char *id, struct error *err);
/* The form, for tests. */
void asg_template_form(const struct asg_template_make *t, struct buf *form);

/* ---- groups ---- */

struct asg_make_tag {
	const char *key, *value;
	bool propagate; /* to instances */
};

struct asg_make {
	const char *name; /* 1 to 255 */
	const char *template_id, *version;
	unsigned min, max, desired;
	const char *subnets;		     /* ids with commas between them */
	const struct strlist *target_groups; /* ARNs */
	unsigned grace;	 /* seconds that a new instance is not judged by its health check */
	unsigned warmup; /* seconds; with @warms_up */
	bool warms_up;
	unsigned lifetime;		/* seconds; 0: for ever */
	const struct strlist *policies; /* of termination; may be NULL */
	const struct asg_make_tag *tags;
	size_t tag_count;
};

/* HealthCheckType=ELB always. -EEXIST: the name is taken. */
int asg_make(struct aws *a, const struct asg_make *g, struct error *err);
void asg_make_form(const struct asg_make *g, struct buf *form);
/* With all its instances; returns before they are gone. What is not there any more is no error. */
int asg_remove(struct aws *a, const char *name, struct error *err);
/* Instances of the group are registered with the target groups, or drained and taken out of them. */
int asg_attach(struct aws *a, const char *name, const struct strlist *target_groups, bool attach,
	       struct error *err);

/*
 * What hangs on a group beside itself and would not come along to a copy: "the scaling policy x", a lifecycle hook, a scheduled action;
 * the first of them. "" when there is none.
 */
int asg_read_hanging(struct aws *a, const char *name, char ret[ASG_REASON_SIZE], struct error *err);

#endif
