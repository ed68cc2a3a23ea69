/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/plan.h"

#include <errno.h>
#include <string.h>

#include "lib/mem.h"

/* US dollars a request: docs "Pricing for EBS direct APIs". */
#define PRICE_PUT  0.000006
#define PRICE_GET  0.000003
#define PRICE_LIST 0.0000006

/* SHA-256 of 524288 zero bytes. */
static const struct sha256 zero_digest = {{0x07, 0x85, 0x4d, 0x2f, 0xef, 0x29, 0x7a, 0x06, 0xba, 0x81, 0x68,
					   0x5e, 0x66, 0x0c, 0x33, 0x2d, 0xe3, 0x6d, 0x5d, 0x18, 0xd5, 0x46,
					   0x92, 0x7d, 0x30, 0xda, 0xad, 0x6d, 0x7f, 0xda, 0x15, 0x41}};

const struct sha256 *plan_zero_digest(void)
{
	return &zero_digest;
}

static bool same(const struct sha256 *a, const struct sha256 *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

int plan_check_blocks(const struct manifest *m, const struct block_digests *blocks, const char *name,
		      struct error *err)
{
	struct sha256 digest;

	if (blocks->count != m->block_count)
		return error_refuse(err, "%s: has %ju blocks, the manifest says %ju: of another build?", name,
				    (uintmax_t)blocks->count, (uintmax_t)m->block_count);
	blocks_digest(blocks, &digest);
	if (!same(&digest, &m->blocks_digest))
		return error_refuse(err, "%s: is of another build than the manifest", name);
	return 0;
}

/* A parent whose digests and whose blocks do not fit together says nothing about its content. */
static int check_parent(const struct plan_parent *parent, uint64_t count, struct error *err)
{
	if (parent->blocks->count > count)
		return error_set(err, -EINVAL, "it has %ju blocks, more than the image's %ju",
				 (uintmax_t)parent->blocks->count, (uintmax_t)count);
	for (uint64_t i = 0; i < parent->blocks->count; i++)
		if (!bit_get(parent->present, i) && !same(&parent->blocks->ptr[i], &zero_digest))
			return error_set(err, -EINVAL, "it lacks block %ju, which its list of blocks has",
					 (uintmax_t)i);
	return 0;
}

/* Marks the blocks that lie wholly in one range of the manifest. Partly is not enough. */
static uint8_t *find_dont_care(const struct manifest *m, uint64_t count)
{
	uint8_t *bitmap = xcalloc(1, (size_t)(count / 8 + 1));

	for (size_t i = 0; i < m->dont_care_count; i++) {
		const struct byte_range *r = &m->dont_care[i];
		uint64_t first = (r->offset + LAYOUT_BLOCK - 1) / LAYOUT_BLOCK;
		uint64_t end = (r->offset + r->length) / LAYOUT_BLOCK;

		for (uint64_t b = first; b < end && b < count; b++)
			bit_set(bitmap, b);
	}
	return bitmap;
}

static enum plan_action decide(const struct sha256 *digest, bool dont_care, const struct plan_parent *parent,
			       uint64_t i)
{
	bool inherited = parent && i < parent->blocks->count && bit_get(parent->present, i);

	if (inherited && same(digest, &parent->blocks->ptr[i]))
		return PLAN_UNCHANGED;
	/* Over what a parent holds zeros have to be written even here, or .blocks would lie to the next delta. */
	if (dont_care && !inherited && same(digest, &zero_digest))
		return PLAN_DONT_CARE;
	return PLAN_SEND;
}

static void count_action(struct plan *p, enum plan_action action, bool zero)
{
	switch (action) {
	case PLAN_SEND:
		p->send++;
		p->send_zero += zero;
		break;
	case PLAN_UNCHANGED:
		p->unchanged++;
		break;
	case PLAN_DONT_CARE:
		p->dont_care++;
		break;
	}
}

int plan_make(const struct manifest *m, const struct block_digests *blocks, const struct plan_parent *parent,
	      struct plan *ret, struct error *err)
{
	struct plan p = {.count = blocks->count, .delta = parent != NULL};
	uint8_t *dont_care;
	int r;

	r = parent ? check_parent(parent, blocks->count, err) : 0;
	if (r < 0)
		return r;
	dont_care = find_dont_care(m, p.count);
	p.action = xmalloc((size_t)p.count);
	for (uint64_t i = 0; i < p.count; i++) {
		enum plan_action action = decide(&blocks->ptr[i], bit_get(dont_care, i), parent, i);

		p.action[i] = (uint8_t)action;
		count_action(&p, action, same(&blocks->ptr[i], &zero_digest));
	}
	free(dont_care);
	*ret = p;
	return 0;
}

void plan_free(struct plan *p)
{
	free(p->action);
	*p = (struct plan){0};
}

void plan_linear_checksum(const struct plan *p, const struct block_digests *blocks, struct sha256 *ret)
{
	_cleanup_hasher_ struct hasher *h = hasher_new();

	for (uint64_t i = 0; i < p->count; i++)
		if (p->action[i] == PLAN_SEND)
			hasher_add(h, blocks->ptr[i].b, SHA256_SIZE);
	hasher_final(h, ret);
}

double plan_cost(uint64_t puts, uint64_t gets, uint64_t lists)
{
	return (double)puts * PRICE_PUT + (double)gets * PRICE_GET + (double)lists * PRICE_LIST;
}
