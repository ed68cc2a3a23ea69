/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/blocks.h"

#include <errno.h>
#include <string.h>

#include "cloud/block_reader.h"
#include "cloud/flow.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#define AHEAD 6u /* blocks that are read before a connection wants them */

struct sender {
	const struct blocks_send *job;
	struct block_reader *reader;
	struct ready_block *blocks; /* of each slot */
	struct ebs_put *puts;
	uint64_t sent;
};

static int next_put(void *user, unsigned slot, const struct aws_call **ret, struct error *err)
{
	struct sender *s = user;
	struct ready_block *block = &s->blocks[slot];
	int r;

	r = block_reader_take(s->reader, block, err);
	if (r <= 0)
		return r;
	ebs_put_init(&s->puts[slot], s->job->snapshot, (uint32_t)block->index, block->data,
		     &s->job->digests->ptr[block->index], -1, s->job->lag_until_ns);
	*ret = &s->puts[slot].call;
	return 1;
}

static int put_done(void *user, unsigned slot, struct http_reply *reply, struct error *err)
{
	struct sender *s = user;
	uint64_t index = s->blocks[slot].index;

	(void)reply;
	block_reader_give_back(s->reader, &s->blocks[slot]);
	s->sent++;
	return journal_block_done(s->job->journal, index, err);
}

/* The service got other bytes than were meant: when ours changed in memory, sending them again would not mend it. */
static int put_again(void *user, unsigned slot, enum retry_reason why, struct error *err)
{
	struct sender *s = user;
	struct sha256 got;

	if (why != RETRY_CHECKSUM)
		return 0;
	sha256_of(s->blocks[slot].data, LAYOUT_BLOCK, &got);
	if (memcmp(&got, &s->puts[slot].digest, sizeof(got)) == 0)
		return 0;
	return error_refuse(err, "%s: block %ju changed in memory while it was sent", s->job->name,
			    (uintmax_t)s->blocks[slot].index);
}

/* The blocks of the plan that the journal does not have; to be freed. */
static uint64_t *list_missing(const struct blocks_send *job, uint64_t *ret_count)
{
	const struct journal_state *state = journal_state(job->journal);
	uint64_t *list = xcalloc((size_t)job->plan->send, sizeof(*list));
	uint64_t n = 0;

	for (uint64_t i = 0; i < job->plan->count; i++)
		if (job->plan->action[i] == PLAN_SEND && !bit_get(state->done, i))
			list[n++] = i;
	*ret_count = n;
	return list;
}

static void wake(void *user)
{
	http_wake(user);
}

static int send_list(const struct blocks_send *job, const uint64_t *list, uint64_t count, uint64_t *ret_sent,
		     struct error *err)
{
	unsigned slots = flow_slots(job->connections, AHEAD);
	_cleanup_free_ struct ready_block *blocks = xcalloc(slots, sizeof(*blocks));
	_cleanup_free_ struct ebs_put *puts = xcalloc(slots, sizeof(*puts));
	_cleanup_block_reader_ struct block_reader *reader = NULL;
	struct sender s = {.job = job, .blocks = blocks, .puts = puts};
	struct block_reader_params params = {
		.fd = job->fd,
		.name = job->name,
		.want = job->digests,
		.list = list,
		.count = count,
		.buffers = slots,
		.ready = wake,
		.user = aws_http(job->aws),
	};
	struct flow_job flow = {
		.aws = job->aws,
		.meter = job->meter,
		.connections = job->connections,
		.ahead = AHEAD,
		.total = count,
		.bytes = LAYOUT_BLOCK,
		.user = &s,
		.next = next_put,
		.done = put_done,
		.again = put_again,
	};
	int r;

	r = block_reader_start(&params, &reader, err);
	if (r < 0)
		return r;
	s.reader = reader;
	r = flow_run(&flow, err);
	*ret_sent = s.sent;
	return r;
}

int blocks_send(const struct blocks_send *job, uint64_t *ret_sent, struct error *err)
{
	struct error flush_err = ERROR_INIT;
	_cleanup_free_ uint64_t *list = NULL;
	uint64_t count;
	int r, f;

	*ret_sent = 0;
	list = list_missing(job, &count);
	meter_skip(job->meter, job->plan->send - count);
	r = send_list(job, list, count, ret_sent, err);
	f = journal_flush(job->journal, &flush_err);
	if (r == 0 && f < 0) {
		*err = flush_err;
		return f;
	}
	return r;
}
