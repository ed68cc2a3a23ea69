/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/aws_readback.h"

#include <errno.h>
#include <string.h>

#include "cloud/aws_ebs.h"
#include "cloud/blocks.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#define SAMPLES 16u

const char *readback_place(const struct manifest *m, uint64_t index)
{
	uint64_t offset = index * LAYOUT_BLOCK;

	if (index == 0 || index + 1 == m->block_count)
		return "partition table";
	for (size_t i = 0; i < m->layout.count; i++)
		if (offset >= m->layout.part[i].offset &&
		    offset - m->layout.part[i].offset < m->layout.part[i].size)
			return m->layout.part[i].name;
	return "no partition";
}

static int to_bitmap(const char *snapshot, const struct ebs_blocks *blocks, uint64_t count, uint8_t **ret,
		     struct error *err)
{
	uint8_t *bitmap = xcalloc(1, (size_t)(count / 8 + 1));

	for (size_t i = 0; i < blocks->len; i++) {
		if (blocks->list[i].index >= count) {
			free(bitmap);
			return error_set(err, -EINVAL, "%s has block %u, behind the end of %ju blocks",
					 snapshot, blocks->list[i].index, (uintmax_t)count);
		}
		bit_set(bitmap, blocks->list[i].index);
	}
	*ret = bitmap;
	return 0;
}

/* The blocks that are there are those that the plan did not leave out. */
static int check_present(const struct readback *job, const struct ebs_blocks *blocks, struct error *err)
{
	_cleanup_free_ uint8_t *present = NULL;
	int r;

	r = to_bitmap(job->snapshot, blocks, job->plan->count, &present, err);
	if (r < 0)
		return r;
	for (uint64_t i = 0; i < job->plan->count; i++) {
		bool want = job->plan->action[i] != PLAN_DONT_CARE;

		if (bit_get(present, i) != want)
			return error_refuse(err, "%s: block %ju (%s) %s", job->snapshot, (uintmax_t)i,
					    readback_place(job->m, i),
					    want ? "is missing" : "is there but was not sent");
	}
	return 0;
}

/* What the service itself says differs from the parent is what was sent. */
static int check_changed(const struct readback *job, struct error *err)
{
	_cleanup_ebs_blocks_ struct ebs_blocks changed = {0};
	_cleanup_free_ uint8_t *bitmap = NULL;
	int r;

	r = ebs_list_changed(job->aws, job->parent, job->snapshot, job->lag_until_ns, &changed, err);
	if (r == 0)
		r = to_bitmap(job->snapshot, &changed, job->plan->count, &bitmap, err);
	if (r < 0)
		return r;
	for (uint64_t i = 0; i < job->plan->count; i++) {
		bool want = job->plan->action[i] == PLAN_SEND;

		if (bit_get(bitmap, i) != want)
			return error_refuse(err, "%s: block %ju (%s) %s its parent %s", job->snapshot,
					    (uintmax_t)i, readback_place(job->m, i),
					    want ? "was sent but is the same as in"
						 : "was not sent but differs from",
					    job->parent);
	}
	return 0;
}

/* Takes the tokens away of the blocks that are not wanted: those are not fetched. */
static void choose(struct ebs_blocks *blocks, const uint8_t *wanted)
{
	for (size_t i = 0; i < blocks->len; i++) {
		struct ebs_block *b = &blocks->list[i];

		if (bit_get(wanted, b->index))
			continue;
		free(b->token);
		b->token = NULL;
	}
}

uint64_t readback_count(const struct ebs_blocks *blocks)
{
	uint64_t n = 0;

	for (size_t i = 0; i < blocks->len; i++)
		n += blocks->list[i].token != NULL;
	return n;
}

void readback_choose(const struct manifest *m, struct ebs_blocks *blocks)
{
	_cleanup_free_ uint8_t *wanted = xcalloc(1, (size_t)(m->block_count / 8 + 1));

	bit_set(wanted, 0);
	bit_set(wanted, m->block_count - 1);
	for (size_t i = 0; i < m->layout.count; i++)
		bit_set(wanted, m->layout.part[i].offset / LAYOUT_BLOCK);
	for (unsigned i = 0; i < SAMPLES && blocks->len > 0; i++)
		bit_set(wanted, blocks->list[retry_random(blocks->len - 1)].index);
	choose(blocks, wanted);
}

struct comparison {
	const char *snapshot;
	const struct manifest *m; /* NULL: places are not named */
	const struct block_digests *digests;
};

static int compare(void *user, uint64_t index, const void *data, const struct sha256 *digest,
		   struct error *err)
{
	const struct comparison *c = user;

	(void)data;
	if (memcmp(digest, &c->digests->ptr[index], sizeof(*digest)) == 0)
		return 0;
	return error_refuse(err, "%s: block %ju%s%s%s is not what was built", c->snapshot, (uintmax_t)index,
			    c->m ? " (" : "", c->m ? readback_place(c->m, index) : "", c->m ? ")" : "");
}

int readback_check(const struct readback *job, uint64_t *ret_checked, struct error *err)
{
	_cleanup_ebs_blocks_ struct ebs_blocks blocks = {0};
	struct comparison c = {job->snapshot, job->m, job->digests};
	struct blocks_fetch fetch = {.aws = job->aws,
				     .snapshot = job->snapshot,
				     .connections = job->connections,
				     .meter = job->meter,
				     .user = &c,
				     .take = compare};
	uint64_t n;
	int r;

	r = ebs_list(job->aws, job->snapshot, job->lag_until_ns, &blocks, err);
	if (r == 0)
		r = check_present(job, &blocks, err);
	if (r == 0 && job->parent)
		r = check_changed(job, err);
	if (r < 0)
		return r;
	if (!job->full)
		readback_choose(job->m, &blocks);
	n = readback_count(&blocks);
	fetch.list = blocks.list;
	fetch.count = blocks.len;
	meter_start(job->meter, "reading back", n);
	r = blocks_fetch(&fetch, err);
	if (r == 0) {
		meter_end(job->meter, job->parent ? "and the same differences as were sent" : NULL,
			  aws_retries(job->aws));
		*ret_checked = n;
	}
	return r;
}

int readback_parent(struct aws *a, const char *snapshot, const struct block_digests *digests, unsigned n,
		    struct meter *meter, uint8_t **ret_present, struct error *err)
{
	_cleanup_ebs_blocks_ struct ebs_blocks blocks = {0};
	_cleanup_free_ uint8_t *wanted = xcalloc(1, (size_t)(digests->count / 8 + 1)), *present = NULL;
	struct comparison c = {.snapshot = snapshot, .digests = digests};
	struct blocks_fetch fetch = {
		.aws = a, .snapshot = snapshot, .meter = meter, .user = &c, .take = compare};
	int r;

	r = ebs_list(a, snapshot, 0, &blocks, err);
	if (r == 0)
		r = to_bitmap(snapshot, &blocks, digests->count, &present, err);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < n && blocks.len > 0; i++)
		bit_set(wanted, blocks.list[retry_random(blocks.len - 1)].index);
	choose(&blocks, wanted);
	fetch.list = blocks.list;
	fetch.count = blocks.len;
	r = blocks_fetch(&fetch, err);
	if (r < 0)
		return r;
	*ret_present = steal_pointer(&present);
	return 0;
}
