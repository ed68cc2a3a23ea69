/* SPDX-License-Identifier: Apache-2.0 */
/* From a snapshot to an image that can be launched. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cloud/aws_upload.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/log.h"

#define ROOT_DEVICE  "/dev/xvda"
#define POLL_NS	     (UINT64_C(2) * 1000000000)
#define AVAILABLE_NS (UINT64_C(1800) * 1000000000)
#define LAG_NS	     (UINT64_C(60) * 1000000000)

void aws_register_fill(const struct aws_upload *s, const char *snapshot, struct ec2_register *ret)
{
	const struct upload_settings *set = &s->u->settings;

	*ret = (struct ec2_register){
		.name = s->u->result.name,
		.description = set->description,
		.architecture = s->u->image.m->arch,
		.boot_mode = "uefi",
		.tpm = !set->no_tpm,
		.imds_v2 = true,
		.uefi_data = s->uefi_data,
		.root_device = ROOT_DEVICE,
		.snapshot = snapshot,
		.volume_gib = set->volume_gib,
		.volume_type = "gp3",
		.iops = set->iops,
		.throughput = set->throughput,
		.tags = s->tags,
		.tag_count = AWS_TAG_COUNT,
	};
}

/* Whether the image that an earlier run registered is still there: it may have been deregistered since. */
static int still_there(struct aws_upload *s, const char *id, bool *ret, struct error *err)
{
	struct ec2_search search = {.id = id, .lag_until_ns = clock_ns() + LAG_NS / 4};
	_cleanup_images_ struct ec2_images found = {0};
	int r;

	r = ec2_describe_images(s->aws, &search, &found, err);
	*ret = r == 0;
	return r == -ENOENT ? 0 : r;
}

/* Registers it unless an earlier run did. (Preflight has found one whose id did not reach the journal.) */
static int make_image(struct aws_upload *s, struct error *err)
{
	const struct journal_state *state = journal_state(s->journal);
	struct ec2_register wanted;
	char id[EC2_ID_SIZE];
	bool there = false;
	int r = 0;

	if (state->image)
		r = still_there(s, state->image, &there, err);
	if (r < 0)
		return r;
	if (there) {
		s->image = xstrdup(state->image);
		return 0;
	}
	aws_register_fill(s, s->snapshot, &wanted);
	r = ec2_register(s->aws, NULL, &wanted, id, err);
	if (r < 0)
		return r;
	s->image = xstrdup(id);
	return journal_set_image(s->journal, id, err);
}

/* One line "NAME is X, not Y" for the first that differs. */
static int same_text(const char *image, const char *what, const char *have, const char *want,
		     struct error *err)
{
	if (strcmp(have ? have : "", want) == 0)
		return 0;
	return error_refuse(err, "%s: %s is '%s' and not '%s'", image, what, have ? have : "", want);
}

/* What EC2 says of the image is what was asked for. */
static int compare(const struct aws_upload *s, const struct ec2_image *have, struct error *err)
{
	struct ec2_register want;
	int r;

	aws_register_fill(s, s->snapshot ? s->snapshot : have->snapshot, &want);
	if ((r = same_text(have->id, "the snapshot", have->snapshot, want.snapshot, err)) < 0 ||
	    (r = same_text(have->id, "the name", have->name, want.name, err)) < 0 ||
	    (r = same_text(have->id, "the architecture", have->architecture, want.architecture, err)) < 0 ||
	    (r = same_text(have->id, "the virtualization", have->virtualization, "hvm", err)) < 0 ||
	    (r = same_text(have->id, "the boot mode", have->boot_mode, want.boot_mode, err)) < 0 ||
	    (r = same_text(have->id, "TPM support", have->tpm, want.tpm ? "v2.0" : "", err)) < 0 ||
	    (r = same_text(have->id, "IMDS support", have->imds, "v2.0", err)) < 0 ||
	    (r = same_text(have->id, "the root device", have->root_device, want.root_device, err)) < 0 ||
	    (r = same_text(have->id, "the tag " TAG_BLOCKS, aws_tags_get(&have->tags, TAG_BLOCKS),
			   s->u->image.digest, err)) < 0)
		return r;
	if (!have->ena)
		return error_refuse(err, "%s: without ENA support", have->id);
	if (want.volume_gib && have->volume_gib != want.volume_gib)
		return error_refuse(err, "%s: volume of %u GiB and not %u", have->id, have->volume_gib,
				    want.volume_gib);
	return 0;
}

/* An image that was there before may have been made without what is asked for now. */
static int compare_encryption(struct aws_upload *s, const struct ec2_image *have, struct error *err)
{
	struct ec2_search search = {.id = have->snapshot};
	_cleanup_snapshots_ struct ec2_snapshots found = {0};
	const char *key = s->kms_key, *its;
	int r;

	if ((key || s->u->settings.encrypt) && !have->encrypted)
		return error_refuse(
			err,
			"%s: is not encrypted: it was registered without --encrypt; choose another --name",
			have->id);
	/* An alias may be of any key. */
	if (!key || strncmp(key, "arn:", 4) != 0 || strstr(key, ":alias/"))
		return 0;
	r = ec2_describe_snapshots(s->aws, &search, &found, err);
	if (r < 0)
		return r;
	its = found.list[0].kms_key ? found.list[0].kms_key : "";
	return strcmp(its, key) == 0 ? 0
				     : error_refuse(err, "%s: is encrypted with the key '%s' and not '%s'",
						    have->id, its, key);
}

/* Without it instances start without Secure Boot. That it is byte for byte the same cannot be asked: EC2 may write it anew. */
static int compare_uefi_data(struct aws_upload *s, const struct ec2_image *have, struct error *err)
{
	struct error first = ERROR_INIT;
	_cleanup_free_ char *its = NULL;
	int r;

	if (!s->uefi_data)
		return 0;
	r = ec2_image_uefi_data(s->aws, NULL, have->id, &its, &first);
	if (r == -EACCES) {
		log_warning("whether %s has its UefiData cannot be seen: %s", have->id, first.text);
		return 0;
	}
	if (r < 0) {
		*err = first;
		return r;
	}
	if (!*its)
		return error_refuse(
			err,
			"%s: was registered without --uefi-data, so it starts without Secure Boot; choose another --name",
			have->id);
	if (s->u->result.already && strcmp(its, s->uefi_data) != 0)
		log_warning("%s: was registered with other --uefi-data, which stays", have->id);
	return 0;
}

static int compare_all(struct aws_upload *s, const struct ec2_image *have, struct error *err)
{
	int r = compare(s, have, err);

	if (r == 0)
		r = compare_encryption(s, have, err);
	return r < 0 ? r : compare_uefi_data(s, have, err);
}

static int wait_available(struct aws_upload *s, struct error *err)
{
	struct ec2_search search = {.id = s->image, .lag_until_ns = clock_ns() + LAG_NS};
	uint64_t end = clock_ns() + AVAILABLE_NS;
	int r;

	meter_start(&s->u->meter, "waiting for the image", 0);
	while (clock_ns() < end) {
		_cleanup_images_ struct ec2_images found = {0};
		const struct ec2_image *image;

		r = ec2_describe_images(s->aws, &search, &found, err);
		if (r < 0)
			return r;
		image = &found.list[0];
		if (strcmp(image->state, "available") == 0) {
			meter_end(&s->u->meter, NULL, aws_retries(s->aws));
			if (!s->snapshot)
				s->snapshot = xstrdup(image->snapshot);
			return compare_all(s, image, err);
		}
		if (strcmp(image->state, "pending") != 0)
			return error_set(err, -EIO, "%s is in state '%s'%s%s; deregister it and try again",
					 image->id, image->state, image->reason ? ": " : "",
					 image->reason ? image->reason : "");
		meter_show(&s->u->meter, 0, aws_retries(s->aws));
		r = interrupt_sleep(POLL_NS, err);
		if (r < 0)
			return r;
	}
	return error_set(err, -ETIMEDOUT, "%s is still pending; the same command goes on", s->image);
}

int aws_register(struct aws_upload *s, struct error *err)
{
	int r;

	if (!s->image) {
		r = make_image(s, err);
		if (r < 0)
			return r;
	}
	r = wait_available(s, err);
	if (r == 0 && s->journal)
		r = journal_set_phase(s->journal, JOURNAL_REGISTERED, err);
	return r;
}
