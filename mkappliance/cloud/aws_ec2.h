/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EC2, version 2016-11-15 (Amazon EC2 API Reference): snapshots and images. Every function takes the region, NULL being the session's, and is
 * safe to be made twice, but for ec2_register(): the name of an image is its only key.
 */
#ifndef MKAPPLIANCE_CLOUD_AWS_EC2_H
#define MKAPPLIANCE_CLOUD_AWS_EC2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cloud/aws.h"

#define EC2_ID_SIZE 64

/* Tags of something that is there; owned. */
struct aws_tags {
	struct strlist keys, values;
};

/* NULL: not there. */
const char *aws_tags_get(const struct aws_tags *tags, const char *key);

struct ec2_snapshot {
	char id[EC2_ID_SIZE];
	char state[24];	   /* "pending", "completed", "error", "recoverable", "recovering" */
	char *message;	   /* why it is in "error"; may be NULL */
	char progress[16]; /* "35%" */
	uint32_t volume_gib;
	bool encrypted;
	char *kms_key; /* ARN; may be NULL */
	char owner[32];
	char started[40]; /* ISO 8601, UTC: sorts by time */
	char *description;
	struct aws_tags tags;
};

struct ec2_snapshots {
	struct ec2_snapshot *list; /* newest first */
	size_t len, cap;
};

struct ec2_image {
	char id[EC2_ID_SIZE];
	char *name;
	char state
		[24]; /* "pending", "available", "invalid", "deregistered", "transient", "failed", "error", "disabled" */
	char *reason; /* of the state; may be NULL */
	char owner[32];
	char created[40]; /* ISO 8601, UTC: sorts by time */
	char architecture[16];
	char virtualization[16];
	char boot_mode[24]; /* "" when it is not said, also the next two */
	char tpm[16];
	char imds[16];
	bool ena;
	bool is_public;
	char root_device[64];
	char snapshot[EC2_ID_SIZE]; /* of the root device; "" before it is known */
	uint32_t volume_gib;
	char volume_type[16];
	bool encrypted;
	char deprecation[40];	  /* "" none */
	bool protected;		  /* from deregistration */
	struct strlist snapshots; /* of all its devices */
	struct aws_tags tags;
};

struct ec2_images {
	struct ec2_image *list; /* newest first */
	size_t len, cap;
};

void ec2_snapshots_free(struct ec2_snapshots *s);
void ec2_images_free(struct ec2_images *i);
#define _cleanup_snapshots_ __attribute__((cleanup(ec2_snapshots_free)))
#define _cleanup_images_    __attribute__((cleanup(ec2_images_free)))

/* "tag:mkappliance:image" and the like; all must hold. */
struct ec2_filter {
	const char *name, *value;
};

/* What is looked for: one id, or our own by filters. */
struct ec2_search {
	const char *region;
	const char *id; /* NULL: all of our own that the filters leave */
	const struct ec2_filter *filters;
	size_t filter_count;
	uint64_t lag_until_ns; /* an id that is not known yet is asked for again until then */
};

/* All pages. An @id that is not there is -ENOENT, filters that leave nothing are no error. Images that are deprecated or disabled count too. */
int ec2_describe_snapshots(struct aws *a, const struct ec2_search *s, struct ec2_snapshots *ret,
			   struct error *err);
int ec2_describe_images(struct aws *a, const struct ec2_search *s, struct ec2_images *ret, struct error *err);

struct ec2_register {
	const char *name;	  /* 3 to 128 of A-Za-z0-9()[] ./-'@_ ; unique */
	const char *description;  /* may be NULL */
	const char *architecture; /* "x86_64", "arm64" */
	const char *boot_mode;	  /* "uefi", "uefi-preferred", "legacy-bios" */
	bool tpm;		  /* TpmSupport=v2.0; with uefi only */
	bool imds_v2;		  /* ImdsSupport=v2.0 */
	const char *uefi_data;	  /* base64, at most 64000 bytes; may be NULL */
	const char *root_device;  /* "/dev/xvda" */
	const char *snapshot;
	uint32_t volume_gib;	    /* 0: the snapshot's */
	const char *volume_type;    /* "gp3" */
	uint32_t iops;		    /* 0: the type's own, also the next */
	uint32_t throughput;	    /* MiB/s */
	const struct aws_tag *tags; /* of the image, in the same call */
	size_t tag_count;
};

/* Virtualization hvm, EnaSupport, SriovNetSupport=simple always. @ret has room for EC2_ID_SIZE. -EEXIST: the name is taken. */
int ec2_register(struct aws *a, const char *region, const struct ec2_register *r, char *ret,
		 struct error *err);
/* Asks only whether it would be allowed: 0 or the refusal. */
int ec2_register_dry_run(struct aws *a, const char *region, const struct ec2_register *r, struct error *err);

struct ec2_copy {
	const char *from_region, *image;
	const char *to_region;
	const char *name, *description; /* the latter may be NULL */
	const char *token;		/* the same token: the same copy; at most 128 characters */
	const char *kms_key;		/* NULL: not encrypted unless the source is, or the account says so */
	const struct aws_tag *tags;	/* of the image and of its snapshot, in the same call */
	size_t tag_count;
};

int ec2_copy_image(struct aws *a, const struct ec2_copy *c, char *ret, struct error *err);

/* Who may use an image or a snapshot. Lists may be NULL. */
struct ec2_share {
	const struct strlist *accounts;	     /* 12 digits each */
	const struct strlist *organizations; /* ARNs; images only */
	const struct strlist *units;	     /* ARNs; images only */
	bool everyone;
};

int ec2_share_image(struct aws *a, const char *region, const char *image, const struct ec2_share *share,
		    struct error *err);
int ec2_share_snapshot(struct aws *a, const char *region, const char *snapshot, const struct ec2_share *share,
		       struct error *err);
/* The UefiData that it was registered with, to be freed; "": none. */
int ec2_image_uefi_data(struct aws *a, const char *region, const char *image, char **ret, struct error *err);
/* Who may launch it now, as "account", "org ARN", "all"; appends. */
int ec2_image_shares(struct aws *a, const char *region, const char *image, struct strlist *ret,
		     struct error *err);

/* Up to 1000 resources. What was just made may not be known yet: asked again until @lag_until_ns. */
int ec2_create_tags(struct aws *a, const char *region, const char *const *ids, size_t id_count,
		    const struct aws_tag *tags, size_t tag_count, uint64_t lag_until_ns, struct error *err);

/* What is not there any more is no error. A snapshot that an image uses is one. */
int ec2_delete_snapshot(struct aws *a, const char *region, const char *snapshot, struct error *err);
int ec2_deregister(struct aws *a, const char *region, const char *image, struct error *err);

/* @when in ISO 8601 ("2027-01-01T00:00:00Z"), in the future. */
int ec2_deprecate(struct aws *a, const char *region, const char *image, const char *when, struct error *err);
/* Nobody can deregister it until the protection is lifted, @cooldown: and a day longer. */
int ec2_protect(struct aws *a, const char *region, const char *image, bool cooldown, struct error *err);

/* Whether the account encrypts every new volume and snapshot in the region. */
int ec2_encryption_by_default(struct aws *a, const char *region, bool *ret, struct error *err);

/* The regions that are enabled for the account. */
int ec2_regions(struct aws *a, struct strlist *ret, struct error *err);

/* Ids of images, and at the same place what refers to each: "instance i-...", "launch template NAME". An image may be there more than once. */
struct ec2_uses {
	struct strlist images, by;
};

void ec2_uses_free(struct ec2_uses *u);
#define _cleanup_uses_ __attribute__((cleanup(ec2_uses_free)))

/*
 * What in the region refers to images: instances that are not terminated, every version of every launch template (an SSM parameter in one is resolved),
 * launch configurations, and what groups name beside their template.
 */
int ec2_images_in_use(struct aws *a, const char *region, struct ec2_uses *ret, struct error *err);

#endif
