/* SPDX-License-Identifier: Apache-2.0 */
/* What was asked for, as far as it can be judged before a byte is sent: what AWS would say only when all of it is there. */
#include <string.h>

#include "cloud/aws_upload.h"
#include "lib/cleanup.h"

#define NAME_MIN	3u /* RegisterImage, EC2 API Reference */
#define NAME_MAX_LEN	128u
#define DESCRIPTION_MAX 255u
#define DAYS_MAX	3650u /* EnableImageDeprecation takes ten years */
#define IOPS_MIN	3000u /* gp3: "General Purpose SSD volumes", Amazon EBS User Guide */
#define THROUGHPUT_MIN	125u
#define GIB		(UINT64_C(1) << 30)
#define LETTERS		"abcdefghijklmnopqrstuvwxyz"
#define CAPITALS	"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS		"0123456789"

/* Looked for in each further region, where nobody may be: that is said soon. */
static const struct retry_policy region_policy = {
	.attempts = 3, .throttled = 30, .base_ms = 500, .cap_ms = 2000};

static int check_texts(const struct aws_upload *s, struct error *err)
{
	const char *name = s->u->result.name, *text = s->u->settings.description;
	size_t len = strlen(name);

	if (len < NAME_MIN || len > NAME_MAX_LEN || name[strspn(name, LETTERS CAPITALS DIGITS "()[] ./-'@_")])
		return error_usage(
			err,
			"the image's name '%s': AWS takes %u to %u letters, digits and ()[] ./-'@_; choose "
			"another --name",
			name, NAME_MIN, NAME_MAX_LEN);
	if (text && (!*text || strlen(text) > DESCRIPTION_MAX))
		return error_usage(err, "--description: AWS takes 1 to %u characters", DESCRIPTION_MAX);
	for (const unsigned char *p = (const unsigned char *)text; p && *p; p++)
		if (*p < ' ' || *p == 0x7f)
			return error_usage(err, "--description: holds a control character");
	return 0;
}

static int check_volume(const struct aws_upload *s, struct error *err)
{
	const struct upload_settings *set = &s->u->settings;
	uint64_t least = (s->u->image.m->layout.size + GIB - 1) / GIB;

	if (set->volume_gib && set->volume_gib < least)
		return error_usage(err, "--volume-size=%u: the image has %ju GiB", set->volume_gib,
				   (uintmax_t)least);
	if (set->iops && set->iops < IOPS_MIN)
		return error_usage(err, "--iops=%u: a gp3 volume has %u and more", set->iops, IOPS_MIN);
	if (set->throughput && set->throughput < THROUGHPUT_MIN)
		return error_usage(err, "--throughput=%u: a gp3 volume has %u MiB/s and more",
				   set->throughput, THROUGHPUT_MIN);
	if (set->deprecate_days > DAYS_MAX)
		return error_usage(err, "--deprecate-after=%u: at most %u days", set->deprecate_days,
				   DAYS_MAX);
	return 0;
}

/* The first region may be a configured one, which no option names. */
static const char *region_at(const struct aws_upload *s, size_t i)
{
	return i == 0 ? s->region : s->u->settings.regions->ptr[i];
}

static size_t region_count(const struct aws_upload *s)
{
	return s->u->settings.regions->len ? s->u->settings.regions->len : 1;
}

static int check_regions(const struct aws_upload *s, struct error *err)
{
	for (size_t i = 1; i < region_count(s); i++) {
		const char *region = region_at(s, i);

		if (!aws_is_region(region))
			return error_usage(err, "--region: '%s' is not the name of an AWS region", region);
		for (size_t k = 0; k < i; k++)
			if (strcmp(region, region_at(s, k)) == 0)
				return error_usage(err, "--region: '%s' is there twice", region);
	}
	return 0;
}

/* Of REGION=KEY: its region is one of ours. */
static int check_key(const struct aws_upload *s, const char *key, size_t *plain, struct error *err)
{
	const char *equals = strchr(key, '=');
	size_t len = equals ? (size_t)(equals - key) : 0;

	if (!*key || (equals && (len == 0 || !equals[1])))
		return error_usage(err, "--kms-key: '%s' is neither KEY nor REGION=KEY", key);
	if (!equals)
		return ++*plain > 1 ? error_usage(err, "--kms-key: more than one without a region") : 0;
	for (size_t i = 0; i < region_count(s); i++)
		if (strlen(region_at(s, i)) == len && strncmp(region_at(s, i), key, len) == 0)
			return 0;
	return error_usage(err, "--kms-key: '%s' is for a region that the image does not go to", key);
}

/* "arn:aws:kms:REGION:ACCOUNT:key/ID": a key encrypts in its own region only. */
static int check_place_of_key(const char *key, const char *region, struct error *err)
{
	const char *at = key;
	size_t len;

	if (!key || strncmp(key, "arn:", 4) != 0)
		return 0;
	for (unsigned i = 0; at && i < 3; i++) {
		at = strchr(at, ':');
		at = at ? at + 1 : NULL;
	}
	len = at ? strcspn(at, ":") : 0;
	if (len == strlen(region) && strncmp(at, region, len) == 0)
		return 0;
	return error_usage(err,
			   "--kms-key: %s is no key of region %s; name one of that region: --kms-key=%s=KEY",
			   key, region, region);
}

static int check_keys(const struct aws_upload *s, struct error *err)
{
	const struct strlist *keys = s->u->settings.kms_keys;
	size_t plain = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < keys->len; i++)
		r = check_key(s, keys->ptr[i], &plain, err);
	for (size_t i = 0; r == 0 && i < region_count(s); i++)
		r = check_place_of_key(aws_kms_key(keys, region_at(s, i)), region_at(s, i), err);
	return r;
}

int aws_settings_check(const struct aws_upload *s, struct error *err)
{
	int r;

	if ((r = check_texts(s, err)) < 0 || (r = check_volume(s, err)) < 0 ||
	    (r = check_regions(s, err)) < 0)
		return r;
	return check_keys(s, err);
}

int aws_public_check(const struct aws_upload *s, struct error *err)
{
	const struct upload_settings *set = &s->u->settings;
	bool encrypted = set->encrypt || set->kms_keys->len || s->encrypts;

	for (size_t i = 0; encrypted && i < set->share->len; i++)
		if (strcmp(set->share->ptr[i], "all") == 0)
			return error_usage(err, "--share=all: an encrypted image cannot be public%s",
					   s->encrypts ? ", and this account encrypts unasked" : "");
	return 0;
}

int aws_regions_check(struct aws_upload *s, struct error *err)
{
	const struct ec2_filter filters[] = {{"name", s->u->result.name}};
	int r = 0;

	aws_set_policy(s->aws, &region_policy);
	for (size_t i = 1; r == 0 && i < region_count(s); i++) {
		struct ec2_search search = {.region = region_at(s, i), .filters = filters, .filter_count = 1};
		_cleanup_images_ struct ec2_images found = {0};

		r = ec2_describe_images(s->aws, &search, &found, err);
		if (r < 0)
			r = error_prefix(err, "--region=%s", region_at(s, i));
	}
	aws_set_policy(s->aws, NULL);
	return r;
}
