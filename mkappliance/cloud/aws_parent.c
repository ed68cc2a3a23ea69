/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/aws_parent.h"

#include <errno.h>
#include <string.h>

#include "cloud/aws_readback.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define SAMPLES	   4u
#define CANDIDATES 8u /* of "auto": newer ones whose list of blocks is not here are passed over */

/* Why a snapshot cannot be a parent, by what EC2 says of it; NULL when it can. */
static const char *unfit(const struct aws_upload *s, const struct ec2_snapshot *snapshot)
{
	bool encrypted = s->u->settings.encrypt || s->kms_key || s->encrypts;

	if (strcmp(snapshot->state, "completed") != 0)
		return "it is not completed";
	if (snapshot->encrypted && !encrypted)
		return "it is encrypted, and the new one is not to be";
	if (!snapshot->encrypted && encrypted)
		return "it is not encrypted, and the new one is to be";
	if (s->kms_key && (!snapshot->kms_key || strcmp(snapshot->kms_key, s->kms_key) != 0))
		return "it is encrypted with another key";
	if (snapshot->volume_gib * 2048ull > s->u->image.blocks.count)
		return "it is larger than the image";
	if (!aws_tags_get(&snapshot->tags, TAG_BLOCKS))
		return "it has no tag " TAG_BLOCKS ", so what it holds is not known";
	return NULL;
}

/* Reads the list of blocks that the snapshot's tag names. */
static int find_list(const struct aws_upload *s, const struct ec2_snapshot *snapshot,
		     struct block_digests *ret, struct error *err)
{
	const struct upload_settings *set = &s->u->settings;
	const char *hex = aws_tags_get(&snapshot->tags, TAG_BLOCKS);
	struct sha256 want, have;
	_cleanup_free_ char *path = NULL;
	int r;

	if (strlen(hex) != SHA256_HEX_SIZE - 1 || !hex_decode(hex, want.b, SHA256_SIZE))
		return error_set(err, -EINVAL, "its tag " TAG_BLOCKS " is no digest");
	path = set->parent_blocks ? xstrdup(set->parent_blocks) : parent_find_blocks(s->u->image.path, &want);
	if (!path)
		return error_set(err, -ENOENT, "its list of blocks (%.16s...) does not lie beside the image",
				 hex);
	r = blocks_read(path, ret, err);
	if (r < 0)
		return r;
	blocks_digest(ret, &have);
	if (memcmp(&want, &have, sizeof(want)) == 0)
		return 0;
	block_digests_free(ret);
	return error_set(err, -EINVAL, "%s is not its list of blocks", path);
}

/* Makes the plan if the snapshot can be trusted; -EINVAL and so on with the reason when it cannot. */
static int try_parent(struct aws_upload *s, const struct ec2_snapshot *snapshot, struct error *err)
{
	struct upload *u = s->u;
	const char *why = unfit(s, snapshot);
	struct block_digests blocks = {0};
	struct plan_parent parent = {.blocks = &blocks};
	_cleanup_free_ uint8_t *present = NULL;
	int r;

	if (why)
		return error_set(err, -EINVAL, "%s", why);
	r = find_list(s, snapshot, &blocks, err);
	if (r < 0)
		return r;
	meter_start(&u->meter, "reading the parent", 0);
	r = readback_parent(s->aws, snapshot->id, &blocks, SAMPLES, &u->meter, &present, err);
	parent.present = present;
	if (r == 0)
		r = plan_make(u->image.m, &u->image.blocks, &parent, &u->result.plan, err);
	block_digests_free(&blocks);
	if (r == 0)
		u->result.parent = xstrdup(snapshot->id);
	return r;
}

static int plan_full(struct aws_upload *s, const char *why, struct error *err)
{
	struct upload *u = s->u;

	if (why) {
		u->result.why_full = xstrdup(why);
		log_note("no delta: %s", why);
	}
	return plan_make(u->image.m, &u->image.blocks, NULL, &u->result.plan, err);
}

/* One that was named by the user, or by the attempt that is gone on with. */
static int plan_named(struct aws_upload *s, const char *id, struct error *err)
{
	_cleanup_snapshots_ struct ec2_snapshots found = {0};
	struct ec2_search search = {.id = id};
	int r;

	r = ec2_describe_snapshots(s->aws, &search, &found, err);
	if (r == 0)
		r = try_parent(s, &found.list[0], err);
	return r < 0 ? error_prefix(err, "%s cannot be the parent", id) : 0;
}

/* The newest that can be. */
static int plan_auto(struct aws_upload *s, struct error *err)
{
	const struct ec2_filter filters[] = {{"tag:" TAG_NAME, s->u->image.m->name},
					     {"tag:" TAG_STATE, STATE_READY},
					     {"status", "completed"}};
	struct ec2_search search = {.filters = filters, .filter_count = 3};
	_cleanup_snapshots_ struct ec2_snapshots found = {0};
	_cleanup_free_ char *why = NULL;
	int r;

	r = ec2_describe_snapshots(s->aws, &search, &found, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < found.len && i < CANDIDATES; i++) {
		struct error reason = ERROR_INIT;

		r = try_parent(s, &found.list[i], &reason);
		if (r == 0)
			return 0;
		if (r == -EINTR) {
			*err = reason;
			return r;
		}
		if (!why)
			why = xasprintf("%s: %s", found.list[i].id, reason.text);
	}
	return plan_full(s, why ? why : "there is no earlier image of this name", err);
}

int aws_plan(struct aws_upload *s, struct error *err)
{
	const struct journal_state *state = s->journal ? journal_state(s->journal) : NULL;
	const char *wanted = s->u->settings.parent;

	/* An attempt that is gone on with keeps its parent: lineage is settled when a snapshot begins. */
	if (state && state->snapshot && state->parent) {
		int r = plan_named(s, state->parent, err);

		return r < 0 ? error_prefix(err, "going on (remove %s to begin again)",
					    journal_path(s->journal))
			     : 0;
	}
	if (state && state->snapshot)
		return plan_full(s, NULL, err);
	if (!wanted || strcmp(wanted, "auto") == 0)
		return plan_auto(s, err);
	if (strcmp(wanted, "none") == 0)
		return plan_full(s, NULL, err);
	return plan_named(s, wanted, err);
}
