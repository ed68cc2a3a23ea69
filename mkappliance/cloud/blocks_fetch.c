/* SPDX-License-Identifier: Apache-2.0 */
/* Reading blocks of a snapshot, many at a time. */
#include "cloud/blocks.h"
#include "cloud/flow.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#define CONNECTIONS 32u

struct fetcher {
	const struct blocks_fetch *job;
	struct ebs_get *gets; /* of each slot */
	uint64_t *indexes;    /* of each slot */
	size_t next;	      /* in job->list */
};

static int next_get(void *user, unsigned slot, const struct aws_call **ret, struct error *err)
{
	struct fetcher *f = user;

	(void)err;
	while (f->next < f->job->count && !f->job->list[f->next].token)
		f->next++;
	if (f->next == f->job->count)
		return 0;
	ebs_get_free(&f->gets[slot]);
	ebs_get_init(&f->gets[slot], f->job->snapshot, f->job->list[f->next].index,
		     f->job->list[f->next].token);
	f->indexes[slot] = f->job->list[f->next++].index;
	*ret = &f->gets[slot].call;
	return 1;
}

static int get_done(void *user, unsigned slot, struct http_reply *reply, struct error *err)
{
	struct fetcher *f = user;
	struct sha256 digest;
	int r;

	r = ebs_get_check(&f->gets[slot], reply, &digest, err);
	if (r < 0)
		return r;
	return f->job->take(f->job->user, f->indexes[slot], reply->body.ptr, &digest, err);
}

int blocks_fetch(const struct blocks_fetch *job, struct error *err)
{
	unsigned connections = job->connections ? job->connections : CONNECTIONS;
	unsigned slots = flow_slots(connections, 0);
	_cleanup_free_ struct ebs_get *gets = xcalloc(slots, sizeof(*gets));
	_cleanup_free_ uint64_t *indexes = xcalloc(slots, sizeof(*indexes));
	struct fetcher f = {.job = job, .gets = gets, .indexes = indexes};
	struct flow_job flow = {
		.aws = job->aws,
		.meter = job->meter,
		.connections = connections,
		.bytes = LAYOUT_BLOCK,
		.user = &f,
		.next = next_get,
		.done = get_done,
	};
	int r;

	for (size_t i = 0; i < job->count; i++)
		flow.total += job->list[i].token != NULL;
	r = flow_run(&flow, err);
	for (unsigned i = 0; i < slots; i++)
		ebs_get_free(&gets[i]);
	return r;
}
