/* SPDX-License-Identifier: Apache-2.0 */
/* From nothing to a snapshot that holds what was built. Each step finds out what an earlier run has done. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cloud/aws_ebs.h"
#include "cloud/aws_readback.h"
#include "cloud/aws_upload.h"
#include "cloud/blocks.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/log.h"

#define ATTEMPTS     4u /* snapshots that are begun in one run */
#define POLL_NS	     (UINT64_C(1) * 1000000000)
#define POLL_MAX_NS  (UINT64_C(10) * 1000000000)
#define COMPLETE_NS  (UINT64_C(3600) * 1000000000)
#define DESCRIBED_NS (UINT64_C(60) * 1000000000)

/* A quota of pending snapshots that is reached does not go away in minutes: it is said soon. */
static const struct retry_policy start_policy = {
	.attempts = 8, .throttled = 6, .base_ms = 500, .cap_ms = 20000};

/* The same for the same attempt at the same upload, so that beginning twice is beginning once. 64 characters. */
static void make_token(const struct aws_upload *s, unsigned attempt, char token[SHA256_HEX_SIZE])
{
	const struct upload *u = s->u;
	_cleanup_free_ char *text = xasprintf(
		"%s|%s|%s|%s|%s|%s|%d|%s|%u", u->image.digest, s->account, s->region, u->result.name,
		u->result.parent ? u->result.parent : "", s->kms_key ? s->kms_key : "", u->settings.encrypt,
		u->settings.description ? u->settings.description : "", attempt);
	struct sha256 digest;

	sha256_of(text, strlen(text), &digest);
	hex_encode(digest.b, SHA256_SIZE, token);
}

static int begin_attempt(struct aws_upload *s, unsigned attempt, struct error *err)
{
	char token[SHA256_HEX_SIZE];

	make_token(s, attempt, token);
	return journal_begin(s->journal, attempt, token, s->u->result.parent, err);
}

/* "pending", "completed", ... of the snapshot that the journal knows, or "gone". */
static int state_of(struct aws_upload *s, const char *id, uint64_t lag_until_ns, char ret[24],
		    struct error *err)
{
	_cleanup_snapshots_ struct ec2_snapshots found = {0};
	struct ec2_search search = {.id = id, .lag_until_ns = lag_until_ns};
	int r;

	r = ec2_describe_snapshots(s->aws, &search, &found, err);
	if (r == -ENOENT) {
		snprintf(ret, 24, "gone");
		return 0;
	}
	if (r == 0)
		snprintf(ret, 24, "%s", found.list[0].state);
	return r;
}

/* Whether the snapshot of an earlier run can be gone on with; its state. */
static int resume(struct aws_upload *s, bool *ret, struct error *err)
{
	const struct journal_state *state = journal_state(s->journal);
	char now[24];
	int r;

	*ret = false;
	if (!state->snapshot)
		return 0;
	r = state_of(s, state->snapshot, 0, now, err);
	if (r < 0)
		return r;
	if (strcmp(now, "pending") != 0 && strcmp(now, "completed") != 0) {
		log_note("%s of the last run is %s: beginning again", state->snapshot, now);
		return begin_attempt(s, state->attempt + 1, err);
	}
	s->snapshot = xstrdup(state->snapshot);
	s->lag_until_ns = clock_ns() + EBS_LAG_START_NS; /* the last run may have been killed at once */
	s->u->result.resumed = state->done_count;
	log_note("going on with %s: %ju of %ju blocks are there", s->snapshot, (uintmax_t)state->done_count,
		 (uintmax_t)s->u->result.plan.send);
	*ret = true;
	return 0;
}

static int start_once(struct aws_upload *s, struct ebs_snapshot *ret, struct error *err)
{
	const struct upload *u = s->u;
	_cleanup_free_ char *description =
		u->settings.description ? xstrdup(u->settings.description)
					: xasprintf("%s %s", u->image.m->name, u->image.m->version);
	struct ebs_start start = {
		.volume_gib = (uint32_t)(u->image.m->layout.size / LAYOUT_DISK_ROUND),
		.description = description,
		.token = journal_state(s->journal)->token,
		.parent = u->result.parent,
		.encrypted = !u->result.parent && (u->settings.encrypt || s->kms_key),
		.kms_key = u->result.parent ? NULL : s->kms_key,
		.tags = s->tags,
		.tag_count = AWS_TAG_COUNT,
	};

	return ebs_start(s->aws, &start, ret, err);
}

/* A token that was used for something that is no longer there, or is no longer filled, leads to the next attempt. */
static int start(struct aws_upload *s, struct error *err)
{
	struct ebs_snapshot snapshot;
	bool done = false;
	int r;

	if (journal_state(s->journal)->attempt == 0) {
		r = begin_attempt(s, 1, err);
		if (r < 0)
			return r;
	}
	for (unsigned i = 0; i < ATTEMPTS; i++) {
		aws_set_policy(s->aws, &start_policy);
		r = start_once(s, &snapshot, err);
		aws_set_policy(s->aws, NULL);
		done = r == 0 && strcmp(snapshot.status, "completed") == 0;
		if (done || (r == 0 && strcmp(snapshot.status, "pending") == 0))
			break;
		if (r < 0 && r != -EEXIST)
			return r;
		r = begin_attempt(s, journal_state(s->journal)->attempt + 1, err);
		if (r < 0)
			return r;
		r = error_set(err, -EIO, "no snapshot can be begun: the service gives back old ones");
	}
	if (r < 0)
		return r;
	s->snapshot = xstrdup(snapshot.id);
	s->lag_until_ns = clock_ns() + EBS_LAG_START_NS;
	r = journal_set_snapshot(s->journal, snapshot.id, err);
	/* All of it is there from a run whose journal was lost; it is read back like any other. */
	if (r == 0 && done)
		r = journal_set_phase(s->journal, JOURNAL_COMPLETED, err);
	return r;
}

static int put(struct aws_upload *s, struct error *err)
{
	struct upload *u = s->u;
	struct blocks_send job = {
		.aws = s->aws,
		.snapshot = s->snapshot,
		.fd = u->image.fd,
		.name = u->image.path,
		.digests = &u->image.blocks,
		.plan = &u->result.plan,
		.journal = s->journal,
		.connections = u->settings.connections,
		.lag_until_ns = s->lag_until_ns,
		.meter = &u->meter,
	};
	uint64_t sent;
	int r;

	if (journal_state(s->journal)->phase == JOURNAL_NONE) {
		r = journal_set_phase(s->journal, JOURNAL_PUT, err);
		if (r < 0)
			return r;
	}
	meter_start(&u->meter, "uploading", u->result.plan.send);
	r = blocks_send(&job, &sent, err);
	u->result.sent_bytes = sent * LAYOUT_BLOCK;
	if (r == 0)
		meter_end(&u->meter, NULL, aws_retries(s->aws));
	return r;
}

/* That all is there may have been said by a run that was killed before it could note it. */
static int complete(struct aws_upload *s, struct error *err)
{
	struct upload *u = s->u;
	struct error ignored = ERROR_INIT;
	struct sha256 linear;
	char now[24];
	int r;

	plan_linear_checksum(&u->result.plan, &u->image.blocks, &linear);
	r = ebs_complete(s->aws, s->snapshot, (uint32_t)u->result.plan.send, &linear, s->lag_until_ns, err);
	if (r == -EINVAL && state_of(s, s->snapshot, 0, now, &ignored) == 0 && strcmp(now, "completed") == 0)
		r = 0;
	return r < 0 ? r : journal_set_phase(s->journal, JOURNAL_COMPLETED, err);
}

static int wait_completed(struct aws_upload *s, struct error *err)
{
	struct ec2_search search = {.id = s->snapshot, .lag_until_ns = clock_ns() + DESCRIBED_NS};
	uint64_t end = clock_ns() + COMPLETE_NS, pause = POLL_NS;
	int r;

	meter_start(&s->u->meter, "waiting for the snapshot", 0);
	while (clock_ns() < end) {
		_cleanup_snapshots_ struct ec2_snapshots found = {0};

		r = ec2_describe_snapshots(s->aws, &search, &found, err);
		if (r < 0)
			return r;
		if (strcmp(found.list[0].state, "completed") == 0) {
			meter_end(&s->u->meter, NULL, aws_retries(s->aws));
			return 0;
		}
		if (strcmp(found.list[0].state, "error") == 0)
			return error_set(err, -EIO,
					 "%s ended in state 'error'%s%s; the same command begins a new one",
					 s->snapshot, found.list[0].message ? ": " : "",
					 found.list[0].message ? found.list[0].message : "");
		meter_show(&s->u->meter, 0, aws_retries(s->aws));
		r = interrupt_sleep(pause, err);
		if (r < 0)
			return r;
		pause = pause * 3 / 2 < POLL_MAX_NS ? pause * 3 / 2 : POLL_MAX_NS;
	}
	return error_set(err, -ETIMEDOUT, "%s is still not completed after an hour; the same command goes on",
			 s->snapshot);
}

static int read_back(struct aws_upload *s, struct error *err)
{
	struct upload *u = s->u;
	struct readback job = {
		.aws = s->aws,
		.snapshot = s->snapshot,
		.parent = u->result.parent,
		.m = u->image.m,
		.digests = &u->image.blocks,
		.plan = &u->result.plan,
		.full = u->settings.check == UPLOAD_CHECK_FULL,
		.meter = &u->meter,
		.lag_until_ns = clock_ns() + EBS_LAG_LISTED_NS,
	};
	int r;

	if (u->settings.check == UPLOAD_CHECK_NONE)
		return 0;
	r = readback_check(&job, &u->result.checked, err);
	return r < 0 ? r : journal_set_phase(s->journal, JOURNAL_VERIFIED, err);
}

int aws_transfer(struct aws_upload *s, struct error *err)
{
	bool resumed;
	int r;

	r = resume(s, &resumed, err);
	if (r == 0 && !resumed)
		r = start(s, err);
	if (r < 0)
		return r;
	s->u->resume = xstrdup(journal_path(s->journal));
	if (journal_state(s->journal)->phase < JOURNAL_COMPLETED) {
		r = put(s, err);
		if (r == 0)
			r = complete(s, err);
	}
	if (r == 0)
		r = wait_completed(s, err);
	if (r == 0 && journal_state(s->journal)->phase < JOURNAL_VERIFIED)
		r = read_back(s, err);
	return r;
}
