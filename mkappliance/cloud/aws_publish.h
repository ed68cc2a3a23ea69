/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes after an image is registered: copies in other regions, who may use it, when it is deprecated, that nobody deregisters it, and last
 * the SSM parameters that others follow. Each phase may be done again at any time and does only what is missing; no other image is touched.
 */
#ifndef MKAPPLIANCE_CLOUD_AWS_PUBLISH_H
#define MKAPPLIANCE_CLOUD_AWS_PUBLISH_H

#include "cloud/aws_ec2.h"

/* The tag that a copy has: the id of the image it was made of. */
#define PUBLISH_SOURCE_TAG "mkappliance:source"

struct publish_region {
	const char *region;
	const char *kms_key; /* NULL: as the source */
};

/* Where the image is: the session's region first, then its copies. */
struct publish_place {
	char *region;
	struct ec2_image image;
};

struct publish_places {
	struct publish_place *list;
	size_t len, cap;
};

void publish_places_free(struct publish_places *p);
#define _cleanup_places_ __attribute__((cleanup(publish_places_free)))

struct publish {
	const char *image; /* in the session's region */
	const char *name, *description;
	const struct publish_region *regions; /* the session's own one among them is passed over */
	size_t region_count;
	const struct aws_tag *tags; /* of the copies, beside PUBLISH_SOURCE_TAG */
	size_t tag_count;
	struct ec2_share share;
	const char *deprecate; /* ISO 8601; NULL: not */
	bool overdue; /* the day of @deprecate has passed: what has one keeps it, the rest is deprecated in a moment */
	bool protect, cooldown;
	const struct strlist
		*parameters; /* names of SSM parameters, as publish_parameter_name() made them; may be NULL */
	unsigned poll_ms;    /* 0: 5000 */
	unsigned lag_s;	     /* how long a new image may not be seen, 0: 60 */
	unsigned timeout_s;  /* for the copies to be available, 0: two hours */
	/* Called when something happened: phase "copy", "share", "deprecate", "protect", "parameter"; may be NULL. */
	void (*on_event)(const char *phase, const char *region, const char *what, void *user);
	void *user;
};

/*
 * Waits until an image is "available" and says what it is then. "failed", "error", "invalid" and "deregistered" are errors with AWS's reason,
 * past @timeout_s it is -ETIMEDOUT. The list has one image.
 */
int publish_wait(struct aws *a, const char *region, const char *image, unsigned poll_ms, unsigned timeout_s,
		 struct ec2_images *ret, struct error *err);

/* Starts a copy in each region that has none, and waits for all of them. */
int publish_copies(struct aws *a, const struct publish *p, struct publish_places *ret, struct error *err);
/* These with the images and snapshots of all places. */
int publish_share(struct aws *a, const struct publish *p, const struct publish_places *places,
		  struct error *err);
int publish_deprecate(struct aws *a, const struct publish *p, const struct publish_places *places,
		      struct error *err);
int publish_protect(struct aws *a, const struct publish *p, const struct publish_places *places,
		    struct error *err);
/* In each region its own image's id. One that holds it already is not written again. */
int publish_parameters(struct aws *a, const struct publish *p, const struct publish_places *places,
		       struct error *err);

/* All of it, in that order. */
int publish_all(struct aws *a, const struct publish *p, struct publish_places *ret, struct error *err);

/*
 * Puts name, arch and version where @pattern has {name}, {arch} and {version}: "/appliances/{name}/{arch}/latest". A usage error for
 * anything else in braces and for what SSM does not take. To be freed.
 */
int publish_parameter_name(const char *pattern, const char *name, const char *arch, const char *version,
			   char **ret, struct error *err);

#endif
