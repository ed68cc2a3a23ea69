/* SPDX-License-Identifier: Apache-2.0 */
/* An AMI, or a snapshot, read back through ListSnapshotBlocks and GetSnapshotBlock. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cloud/aws_ebs.h"
#include "cloud/aws_readback.h"
#include "cloud/aws_upload.h"
#include "cloud/blocks.h"
#include "cloud/remote.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/zero.h"

/* The snapshot of an image; an image that was uploaded by us says by a tag what it holds. */
static int find_snapshot(struct aws *a, struct remote_read *r, struct error *err)
{
	struct ec2_search search = {.id = r->id};
	_cleanup_images_ struct ec2_images found = {0};
	char digest[SHA256_HEX_SIZE];
	const char *tag;
	int n;

	/* It goes into paths. */
	if ((strncmp(r->id, "ami-", 4) != 0 && strncmp(r->id, "snap-", 5) != 0) ||
	    r->id[strspn(r->id, "abcdefghijklmnopqrstuvwxyz0123456789-")] || strlen(r->id) >= EC2_ID_SIZE)
		return error_usage(err, "aws:%s: neither an image's id (ami-...) nor a snapshot's (snap-...)",
				   r->id);
	if (strncmp(r->id, "snap-", 5) == 0) {
		snprintf(r->snapshot, sizeof(r->snapshot), "%s", r->id);
		return 0;
	}
	n = ec2_describe_images(a, &search, &found, err);
	if (n < 0)
		return n;
	if (!found.list[0].snapshot[0])
		return error_set(err, -EINVAL, "%s has no snapshot (state '%s')", r->id, found.list[0].state);
	snprintf(r->snapshot, sizeof(r->snapshot), "%s", found.list[0].snapshot);
	tag = aws_tags_get(&found.list[0].tags, TAG_BLOCKS);
	hex_encode(r->m->blocks_digest.b, SHA256_SIZE, digest);
	if (tag && strcmp(tag, digest) != 0)
		return error_refuse(err,
				    "%s holds another image than the manifest's: its tag " TAG_BLOCKS
				    " is %.16s..., the manifest says %.16s...",
				    r->id, tag, digest);
	return 0;
}

static int take(void *user, uint64_t index, const void *data, const struct sha256 *digest, struct error *err)
{
	struct remote_read *r = user;

	r->read++;
	if (r->digests && memcmp(digest, &r->digests->ptr[index], sizeof(*digest)) != 0 &&
	    (r->differs == REMOTE_NONE || index < r->differs))
		r->differs = index;
	if (r->fd < 0 || is_zero(data, LAYOUT_BLOCK))
		return 0;
	return io_pwrite_full(r->fd, "what was read back", data, LAYOUT_BLOCK, index * LAYOUT_BLOCK, err);
}

static bool block_matters(const struct manifest *m, uint64_t index)
{
	uint64_t from = index * LAYOUT_BLOCK, to = from + LAYOUT_BLOCK;

	for (size_t i = 0; i < m->dont_care_count; i++)
		if (from >= m->dont_care[i].offset && to <= m->dont_care[i].offset + m->dont_care[i].length)
			return false;
	return true;
}

/* The first block that matters and that nobody wrote: on an encrypted volume it reads as garbage. */
static int find_missing(struct remote_read *r, const struct ebs_blocks *blocks, struct error *err)
{
	uint64_t count = r->m->block_count;
	size_t at = 0;

	if (blocks->len > 0 && blocks->list[blocks->len - 1].index >= count)
		return error_refuse(err, "%s is larger than the manifest's image", r->snapshot);
	for (uint64_t i = 0; i < count && r->missing == REMOTE_NONE; i++) {
		if (at < blocks->len && blocks->list[at].index == i)
			at++;
		else if (block_matters(r->m, i))
			r->missing = i;
	}
	return 0;
}

static int read_blocks(struct aws *a, struct remote_read *r, struct error *err)
{
	_cleanup_ebs_blocks_ struct ebs_blocks blocks = {0};
	struct meter meter = {.json = r->json};
	struct blocks_fetch fetch = {
		.aws = a, .snapshot = r->snapshot, .meter = &meter, .user = r, .take = take};
	int n;

	n = ebs_list(a, r->snapshot, 0, &blocks, err);
	if (n == 0)
		n = find_missing(r, &blocks, err);
	if (n < 0)
		return n;
	r->there = blocks.len;
	if (!r->full)
		readback_choose(r->m, &blocks);
	fetch.list = blocks.list;
	fetch.count = blocks.len;
	meter_start(&meter, "reading back", readback_count(&blocks));
	n = blocks_fetch(&fetch, err);
	if (n == 0)
		meter_end(&meter, NULL, aws_retries(a));
	return n;
}

int aws_remote_read(struct remote_read *r, struct error *err)
{
	struct aws_options o = {
		.config = {.profile = r->profile, .region = r->region, .endpoint_url = r->endpoint_url},
		.connections = 40,
	};
	_cleanup_aws_ struct aws *a = NULL;
	int n;

	r->missing = r->differs = REMOTE_NONE;
	r->there = r->read = 0;
	credentials_guard();
	n = aws_open(&o, &a, err);
	if (n < 0)
		return n;
	snprintf(r->image_region, sizeof(r->image_region), "%s", aws_region(a));
	n = find_snapshot(a, r, err);
	return n < 0 ? n : read_blocks(a, r, err);
}
