/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/aws_upload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cloud/aws_parent.h"
#include "cloud/aws_sts.h"
#include "cloud/credentials.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/io.h"
#include "lib/log.h"

#define CONNECTIONS   112u /* that are kept: those of pace.h and some for the control plane */
#define SEND_BUFFER   (128u * 1024)
#define UEFI_DATA_MAX 64000u
#define LAG_NS	      (UINT64_C(60) * 1000000000)
#define POLL_NS	      (UINT64_C(1) * 1000000000)

static const char *const options[] = {
	"parent",    "parent-blocks",	"connections", "encrypt",    "kms-key",	     "uefi-data",
	"no-tpm",    "volume-size",	"iops",	       "throughput", "share",	     "yes",
	"parameter", "deprecate-after", "protect",     "profile",    "endpoint-url", NULL};

const char *aws_kms_key(const struct strlist *keys, const char *region)
{
	size_t len = strlen(region);
	const char *any = NULL;

	for (size_t i = 0; i < keys->len; i++) {
		const char *key = keys->ptr[i];

		if (strncmp(key, region, len) == 0 && key[len] == '=')
			return key + len + 1;
		if (!strchr(key, '='))
			any = key;
	}
	return any;
}

static int aws_upload_open(struct upload *u, void **ret_session, struct error *err)
{
	const struct upload_settings *set = &u->settings;
	struct aws_options o = {
		.config = {.profile = set->profile,
			   .region = set->regions->len > 0 ? set->regions->ptr[0] : NULL,
			   .endpoint_url = set->endpoint_url},
		.connections = set->connections ? set->connections + 8 : CONNECTIONS,
		.buffer = SEND_BUFFER,
	};
	struct aws_upload *s = xcalloc(1, sizeof(*s));
	struct sts_identity who;
	int r;

	s->u = u;
	*ret_session = s;
	credentials_guard();
	r = aws_open(&o, &s->aws, err);
	if (r == 0)
		r = sts_caller_identity(s->aws, &who, err);
	if (r < 0)
		return r;
	s->region = aws_region(s->aws);
	s->account = xstrdup(who.account);
	s->kms_key = aws_kms_key(set->kms_keys, s->region);
	u->result.account = xstrdup(who.account);
	log_note("uploading to %s as %s", s->region, who.arn);
	return 0;
}

/* RegisterImage takes letters, digits and ()[] ./-'@_ only. */
static char *image_name(const struct upload *u)
{
	char *name = u->settings.name ? xstrdup(u->settings.name)
				      : xasprintf("%s-%s", u->image.m->name, u->image.m->version);

	for (char *p = name; !u->settings.name && *p; p++)
		if (strchr("~+:,=%", *p))
			*p = '_';
	return name;
}

static void set_tags(struct aws_upload *s)
{
	const struct manifest *m = s->u->image.m;
	const struct aws_tag tags[AWS_TAG_COUNT] = {
		{"Name", s->u->result.name},
		{TAG_OURS, "1"},
		{TAG_NAME, m->name},
		{TAG_VERSION, m->version},
		{TAG_BLOCKS, s->u->image.digest},
		{TAG_STATE, STATE_UPLOADING},
	};

	memcpy(s->tags, tags, sizeof(tags));
}

/* One line of base64, as 'mkappliance uefi-vars --format aws' writes it. */
static int read_uefi_data(struct aws_upload *s, struct error *err)
{
	const char *path = s->u->settings.uefi_data;
	_cleanup_buf_ struct buf b = {0};
	size_t len;
	int r;

	if (!path)
		return 0;
	r = io_read_file(AT_FDCWD, path, UEFI_DATA_MAX + 2, &b, err);
	if (r < 0)
		return r;
	len = b.ptr ? strspn(b.ptr, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") : 0;
	if (len == 0 || len > UEFI_DATA_MAX || (b.ptr[len] && strcmp(b.ptr + len, "\n") != 0))
		return error_usage(err,
				   "%s: one line of base64 of at most %u bytes is expected (mkappliance "
				   "uefi-vars --format aws)",
				   path, UEFI_DATA_MAX);
	s->uefi_data = xstrndup(b.ptr, len);
	return 0;
}

/* Whether an image of this name is there: ours, of the same content, or somebody's in the way. */
static int find_image(struct aws_upload *s, bool *ret_there, struct error *err)
{
	const struct ec2_filter filters[] = {{"name", s->u->result.name}};
	struct ec2_search search = {.filters = filters, .filter_count = 1};
	_cleanup_images_ struct ec2_images found = {0};
	const struct ec2_image *image;
	const char *digest;
	int r;

	r = ec2_describe_images(s->aws, &search, &found, err);
	if (r < 0 || found.len == 0)
		return r;
	image = &found.list[0];
	digest = aws_tags_get(&image->tags, TAG_BLOCKS);
	if (!digest || strcmp(digest, s->u->image.digest) != 0)
		return error_set(err, -EEXIST,
				 "the name '%s' is taken by %s, which is another image; raise the version or "
				 "choose another --name",
				 s->u->result.name, image->id);
	if (strcmp(image->state, "available") != 0 && strcmp(image->state, "pending") != 0)
		return error_set(err, -EEXIST, "the name '%s' is taken by %s in state '%s'; deregister it",
				 s->u->result.name, image->id, image->state);
	s->image = xstrdup(image->id);
	*ret_there = true;
	return 0;
}

/*
 * Asks whether it would be allowed. "The name is taken" by an image that is not listed: one that was registered a moment ago, perhaps by a
 * run of ours that was killed before it could note it.
 */
static int try_register(struct aws_upload *s, bool *ret_there, struct error *err)
{
	uint64_t end = clock_ns() + LAG_NS;
	struct ec2_register wanted;
	int r, n;

	aws_register_fill(s, "snap-00000000000000000", &wanted);
	r = ec2_register_dry_run(s->aws, NULL, &wanted, err);
	while (r == -EEXIST && clock_ns() < end) {
		struct error other = ERROR_INIT;

		n = find_image(s, ret_there, &other);
		if (n == 0 && !*ret_there)
			n = interrupt_sleep(POLL_NS, &other);
		if (n < 0)
			*err = other;
		if (n < 0 || *ret_there)
			return n;
	}
	return r;
}

static int open_journal(struct aws_upload *s, struct error *err)
{
	const struct upload_settings *set = &s->u->settings;
	_cleanup_free_ char *path = journal_path_for(s->u->image.path);
	_cleanup_free_ char *text =
		xasprintf("name=%s\nparent=%s\nencrypt=%d\nkms=%s\n", s->u->result.name,
			  set->parent ? set->parent : "auto", set->encrypt, s->kms_key ? s->kms_key : "");
	struct journal_identity id = {.provider = "aws",
				      .region = s->region,
				      .account = s->account,
				      .blocks = s->u->image.m->blocks_digest,
				      .block_count = s->u->image.blocks.count};

	sha256_of(text, strlen(text), &id.parameters);
	return journal_open(path, &id, &s->journal, err);
}

static void say_plan(const struct aws_upload *s)
{
	struct upload_result *r = &s->u->result;
	const struct plan *p = &r->plan;
	double mib = (double)LAYOUT_BLOCK / 1048576;

	r->cost = plan_cost(p->send, 32, 1 + p->count / 10000);
	log_note(
		"%s%s: %.1f MiB to send (%.1f of them zeros that matter), %.1f unchanged, %.1f don't-care; about "
		"$%.4f",
		p->delta ? "delta to " : "full upload", p->delta ? r->parent : "", (double)p->send * mib,
		(double)p->send_zero * mib, (double)p->unchanged * mib, (double)p->dont_care * mib, r->cost);
}

static int aws_upload_preflight(void *session, struct upload *u, bool *ret_there, struct error *err)
{
	struct aws_upload *s = session;
	int r;

	u->result.name = image_name(u);
	set_tags(s);
	if ((r = aws_settings_check(s, err)) < 0 || (r = aws_finish_check(u, err)) < 0 ||
	    (r = read_uefi_data(s, err)) < 0 || (r = find_image(s, ret_there, err)) < 0 ||
	    (r = aws_regions_check(s, err)) < 0)
		return r;
	if (!*ret_there)
		r = try_register(s, ret_there, err);
	if (r < 0)
		return r;
	if (*ret_there) {
		log_note("%s is there already, with the same content", s->image);
		return 0;
	}
	r = ec2_encryption_by_default(s->aws, NULL, &s->encrypts, err);
	if (r == 0)
		r = aws_public_check(s, err);
	if (r == 0 && !u->settings.dry_run)
		r = open_journal(s, err);
	if (r == 0)
		r = aws_plan(s, err);
	if (r == 0)
		say_plan(s);
	return r;
}

static int aws_upload_transfer(void *session, struct upload *u, struct error *err)
{
	(void)u;
	return aws_transfer(session, err);
}

static int aws_upload_publish(void *session, struct upload *u, struct error *err)
{
	struct aws_upload *s = session;
	int r;

	(void)u;
	r = aws_register(s, err);
	return r < 0 ? r : aws_finish(s, err);
}

static void aws_upload_close(void *session)
{
	struct aws_upload *s = session;

	if (s->aws)
		s->u->result.retries = *aws_retries(s->aws);
	journal_close(s->journal);
	aws_close(s->aws);
	free(s->account);
	free(s->uefi_data);
	free(s->snapshot);
	free(s->image);
	free(s);
}

const struct provider provider_aws = {
	.name = "aws",
	.summary = "an EBS snapshot through the EBS direct APIs, registered as an AMI",
	.options = options,
	.open = aws_upload_open,
	.preflight = aws_upload_preflight,
	.transfer = aws_upload_transfer,
	.publish = aws_upload_publish,
	.close = aws_upload_close,
};
