/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The groups of AWS that one name stands for. It is one group, of that name, until a blue-green deployment puts a second one beside it; when
 * that is over it is one again, called NAME-green or NAME-blue. Which is which stands in their tags, and each step is one write of tags, so
 * that whoever comes after a kill sees where it stood:
 *
 *   mkappliance:group        the name
 *   mkappliance:role         "next": made, to be live once it is healthy; "failed": to be removed; "live" or no tag: served
 *   mkappliance:since        when it became live (milliseconds since 1970): of two the later one is live, the other is old
 *   mkappliance:replaces     the old one's name, until that is gone
 *   mkappliance:keep-until   how long the old one stays (milliseconds since 1970), or "return" on the way back to it
 */
#ifndef MKAPPLIANCE_CMD_AWS_SET_H
#define MKAPPLIANCE_CMD_AWS_SET_H

#include "cloud/aws_asg.h"
#include "lib/json.h"

#define GROUP_TAG_GROUP	   "mkappliance:group"
#define GROUP_TAG_ROLE	   "mkappliance:role"
#define GROUP_TAG_SINCE	   "mkappliance:since"
#define GROUP_TAG_REPLACES "mkappliance:replaces"
#define GROUP_TAG_KEEP	   "mkappliance:keep-until"
#define ROLE_NEXT	   "next"
#define ROLE_FAILED	   "failed"
#define ROLE_LIVE	   "live"
#define KEEP_RETURN	   "return"

struct aws_set {
	const char *name; /* borrowed */
	struct asg_groups all;
	struct asg_group *live; /* borrowed from @all, like the next two */
	struct asg_group *next; /* made or being removed, never served; NULL: none */
	struct asg_group *old;	/* was live before; NULL: none, or gone */
};

/* -ENOENT: none; -EEXIST: it cannot be told which is which. */
int aws_set_read(struct aws *a, const char *name, struct aws_set *ret, struct error *err);
void aws_set_free(struct aws_set *s);
#define _cleanup_set_ __attribute__((cleanup(aws_set_free)))

/* The name of the live one, to be freed; and an array of what is beside it: group, role, image, instances, kept_for (seconds). */
int aws_set_live(struct aws *a, const char *name, char **ret, struct json **ret_beside, struct error *err);
/* A number of a tag; 0: none. */
uint64_t aws_set_number(const struct asg_group *g, const char *key);
/* Milliseconds since 1970. */
uint64_t aws_set_now(void);
/* What the group beside the live one is called. */
void aws_set_next_name(const struct aws_set *s, char *ret, size_t size);

/* The one write that makes @g the live one and @before the old one, to be kept for @keep_s seconds. */
int aws_set_make_live(struct aws *a, const struct asg_group *g, const struct asg_group *before,
		      unsigned keep_s, struct error *err);
/* The old one is to be live again: written before it is attached. */
int aws_set_return(struct aws *a, const struct asg_group *live, struct error *err);
bool aws_set_returns(const struct aws_set *s);
/* The old one is gone. */
int aws_set_forget(struct aws *a, const struct asg_group *live, struct error *err);

#endif
