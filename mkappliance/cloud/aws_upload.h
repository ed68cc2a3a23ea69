/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The provider "aws": an EBS snapshot through the EBS direct APIs, registered as an AMI. Its parts:
 *
 *   aws_upload.c    open and preflight, and the order of the rest
 *   aws_settings.c  whether the settings can be what is meant
 *   aws_parent.c    whether a delta can be trusted, and the plan
 *   aws_transfer.c  start, put, complete, wait, read back
 *   aws_register.c  register, wait, compare
 *   aws_finish.c    copies, shares, protection, parameters: by aws_publish.h
 */
#ifndef MKAPPLIANCE_CLOUD_AWS_UPLOAD_H
#define MKAPPLIANCE_CLOUD_AWS_UPLOAD_H

#include "cloud/aws.h"
#include "cloud/aws_ec2.h"
#include "cloud/journal.h"
#include "cloud/provider.h"

extern const struct provider provider_aws;

/* Tags of snapshots and images. */
#define TAG_OURS	"mkappliance"	      /* "1": for IAM conditions */
#define TAG_NAME	"mkappliance:name"    /* of the appliance */
#define TAG_VERSION	"mkappliance:version" /* of the appliance */
#define TAG_BLOCKS	"mkappliance:blocks"  /* SHA-256 over all block digests: the content */
#define TAG_STATE	"mkappliance:state"   /* "uploading", then "ready" */
#define STATE_UPLOADING "uploading"
#define STATE_READY	"ready"

#define AWS_TAG_COUNT 6

struct aws_upload {
	struct upload *u;
	struct aws *aws;
	char *account;
	const char *region;
	struct journal *journal; /* NULL in a dry run and when the image is there already */
	bool encrypts;		 /* the account encrypts unasked */
	const char *kms_key;	 /* of the first region, NULL: none was named; borrowed */
	char *uefi_data;	 /* NULL: none */
	char *snapshot;
	char *image;
	uint64_t lag_until_ns; /* until when the data plane may not know the snapshot */
	struct aws_tag tags[AWS_TAG_COUNT];
};

/* The key of --kms-key for a region: the one of REGION=KEY, else one without a region; NULL: none. Borrowed. */
const char *aws_kms_key(const struct strlist *keys, const char *region);

/* aws_settings.c: what can be said of the settings alone, once the first region and the name are known. */
int aws_settings_check(const struct aws_upload *s, struct error *err);
/* That nobody wants to make public what is encrypted; s->encrypts is known. */
int aws_public_check(const struct aws_upload *s, struct error *err);
/* And that somebody answers us in each further region. */
int aws_regions_check(struct aws_upload *s, struct error *err);
/* aws_transfer.c: the snapshot is complete, and what it holds is what was built. */
int aws_transfer(struct aws_upload *s, struct error *err);
/* aws_register.c: s->image is available and is what was asked for. */
int aws_register(struct aws_upload *s, struct error *err);
/* aws_finish.c: everything behind it; and whether the settings for that can be understood. */
int aws_finish(struct aws_upload *s, struct error *err);
int aws_finish_check(const struct upload *u, struct error *err);
/* What RegisterImage is asked for; borrows from @s. @snapshot: the one to register. */
void aws_register_fill(const struct aws_upload *s, const char *snapshot, struct ec2_register *ret);

#endif
