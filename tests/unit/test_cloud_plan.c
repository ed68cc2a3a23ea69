/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "cloud/plan.h"

#define BLOCKS 2048u
#define MIB    1048576ull

/* 1 GiB; don't-care: a range that covers blocks 34..39 wholly and 33, 40 in part, and the tail but for the backup table. */
static struct byte_range ranges[] = {
	{33 * LAYOUT_BLOCK + 1, 7 * LAYOUT_BLOCK + 7},
	{1024 * (uint64_t)LAYOUT_BLOCK, 1024 * (uint64_t)LAYOUT_BLOCK - 33 * 512},
};

static void fill(struct sha256 *d, uint64_t n)
{
	sha256_of(&n, sizeof(n), d);
}

struct sample {
	struct manifest m;
	struct block_digests blocks;
};

/* Blocks 0..99 and the last one hold something; the others are zeros. */
static void make(struct sample *s)
{
	*s = (struct sample){.m = {.block_count = BLOCKS, .dont_care = ranges, .dont_care_count = 2}};
	block_digests_init(&s->blocks, BLOCKS * (uint64_t)LAYOUT_BLOCK);
	for (uint64_t i = 0; i < 100; i++)
		fill(&s->blocks.ptr[i], i);
	fill(&s->blocks.ptr[BLOCKS - 1], BLOCKS - 1);
	for (uint64_t i = 33; i < 41; i++)
		s->blocks.ptr[i] = *plan_zero_digest();
	blocks_digest(&s->blocks, &s->m.blocks_digest);
}

static void copy_blocks(const struct block_digests *from, struct block_digests *to)
{
	to->count = from->count;
	to->ptr = xmemdup(from->ptr, (size_t)from->count * sizeof(*from->ptr));
}

static void test_zero_digest(void **state)
{
	_cleanup_free_ void *zeros = xcalloc(1, LAYOUT_BLOCK);
	struct sha256 digest;

	(void)state;
	sha256_of(zeros, LAYOUT_BLOCK, &digest);
	assert_memory_equal(&digest, plan_zero_digest(), sizeof(digest));
}

/* Zero blocks that matter are sent; only a block that lies wholly in a range is left out. */
static void test_full(void **state)
{
	struct error err = ERROR_INIT;
	struct sample s;
	struct plan p;

	(void)state;
	make(&s);
	assert_int_equal(plan_make(&s.m, &s.blocks, NULL, &p, &err), 0);
	assert_int_equal(p.count, BLOCKS);
	assert_int_equal(p.unchanged, 0);
	assert_int_equal(p.dont_care, 6 + 1023);
	assert_int_equal(p.send, BLOCKS - 6 - 1023);
	assert_int_equal(p.send_zero, 2 + 924);
	assert_int_equal(p.action[33], PLAN_SEND);
	assert_int_equal(p.action[34], PLAN_DONT_CARE);
	assert_int_equal(p.action[39], PLAN_DONT_CARE);
	assert_int_equal(p.action[40], PLAN_SEND);
	assert_int_equal(p.action[1023], PLAN_SEND);
	assert_int_equal(p.action[1024], PLAN_DONT_CARE);
	assert_int_equal(p.action[BLOCKS - 1], PLAN_SEND);
	assert_false(p.delta);
	plan_free(&p);
	block_digests_free(&s.blocks);
}

/* What is in a range and not zero is sent all the same: .blocks says that it is there. */
static void test_content_in_dont_care(void **state)
{
	struct error err = ERROR_INIT;
	struct sample s;
	struct plan p;

	(void)state;
	make(&s);
	fill(&s.blocks.ptr[1500], 1);
	assert_int_equal(plan_make(&s.m, &s.blocks, NULL, &p, &err), 0);
	assert_int_equal(p.action[1500], PLAN_SEND);
	plan_free(&p);
	block_digests_free(&s.blocks);
}

static uint8_t *present_of(const struct plan *p)
{
	uint8_t *bitmap = xcalloc(1, BLOCKS / 8 + 1);

	for (uint64_t i = 0; i < p->count; i++)
		if (p->action[i] != PLAN_DONT_CARE)
			bit_set(bitmap, i);
	return bitmap;
}

static void test_delta(void **state)
{
	_cleanup_free_ uint8_t *present = NULL;
	struct error err = ERROR_INIT;
	struct plan_parent parent;
	struct sample old, new;
	struct plan p;

	(void)state;
	make(&old);
	make(&new);
	assert_int_equal(plan_make(&old.m, &old.blocks, NULL, &p, &err), 0);
	present = present_of(&p);
	plan_free(&p);
	parent = (struct plan_parent){&old.blocks, present};

	fill(&new.blocks.ptr[10], 1000); /* changed */
	new.blocks.ptr[20] =
		*plan_zero_digest();   /* became zero: must be written, or the parent's comes back */
	fill(&new.blocks.ptr[500], 1); /* was zero */
	assert_int_equal(plan_make(&new.m, &new.blocks, &parent, &p, &err), 0);
	assert_true(p.delta);
	assert_int_equal(p.send, 3);
	assert_int_equal(p.send_zero, 1);
	assert_int_equal(p.action[10], PLAN_SEND);
	assert_int_equal(p.action[20], PLAN_SEND);
	assert_int_equal(p.action[500], PLAN_SEND);
	assert_int_equal(p.dont_care, 6 + 1023);
	assert_int_equal(p.send + p.unchanged + p.dont_care, BLOCKS);
	plan_free(&p);
	block_digests_free(&old.blocks);
	block_digests_free(&new.blocks);
}

/*
 * The parent left blocks out that nobody cared for. When they matter now they are written although both digests say zero:
 * on an encrypted volume what was never written reads as garbage.
 */
static void test_absent_in_parent(void **state)
{
	_cleanup_free_ uint8_t *present = xcalloc(1, BLOCKS / 8 + 1);
	struct error err = ERROR_INIT;
	struct plan_parent parent;
	struct sample s;
	struct plan p;

	(void)state;
	make(&s);
	parent = (struct plan_parent){&s.blocks, present};
	for (uint64_t i = 0; i < 33; i++)
		bit_set(present, i);
	for (uint64_t i = 41; i < 100; i++)
		bit_set(present, i);
	bit_set(present, BLOCKS - 1);
	assert_int_equal(plan_make(&s.m, &s.blocks, &parent, &p, &err), 0);
	assert_int_equal(p.unchanged, 93);
	assert_int_equal(p.action[200], PLAN_SEND);
	assert_int_equal(p.send, 2 + 924);
	plan_free(&p);
	block_digests_free(&s.blocks);
}

/* The parent has data where the image has a gap: zeros go over it, or the next delta would believe a wrong digest. */
static void test_stale_data_in_a_gap(void **state)
{
	_cleanup_free_ uint8_t *present = xcalloc(1, BLOCKS / 8 + 1);
	struct block_digests old;
	struct error err = ERROR_INIT;
	struct plan_parent parent;
	struct sample s;
	struct plan p;

	(void)state;
	make(&s);
	copy_blocks(&s.blocks, &old);
	fill(&old.ptr[1200], 7);
	for (uint64_t i = 0; i < BLOCKS; i++)
		if (i < 1024 || i == 1200 || i == BLOCKS - 1)
			bit_set(present, i);
	parent = (struct plan_parent){&old, present};
	assert_int_equal(plan_make(&s.m, &s.blocks, &parent, &p, &err), 0);
	assert_int_equal(p.send, 1);
	assert_int_equal(p.action[1200], PLAN_SEND);
	plan_free(&p);
	block_digests_free(&old);
	block_digests_free(&s.blocks);
}

static void test_parents_that_do_not_fit(void **state)
{
	_cleanup_free_ uint8_t *present = xcalloc(1, BLOCKS / 8 + 1);
	struct block_digests larger;
	struct error err = ERROR_INIT;
	struct sample s;
	struct plan p;

	(void)state;
	make(&s);
	/* Nothing is there, and the digests say that there is. */
	assert_int_equal(plan_make(&s.m, &s.blocks, &(struct plan_parent){&s.blocks, present}, &p, &err),
			 -EINVAL);
	assert_contains(err.text, "lacks block 0");
	block_digests_init(&larger, 2 * BLOCKS * (uint64_t)LAYOUT_BLOCK);
	assert_int_equal(plan_make(&s.m, &s.blocks, &(struct plan_parent){&larger, present}, &p, &err),
			 -EINVAL);
	assert_contains(err.text, "more than the image's");
	block_digests_free(&larger);
	block_digests_free(&s.blocks);
}

/* A smaller parent: what lies behind its end is sent as without one. */
static void test_smaller_parent(void **state)
{
	_cleanup_free_ uint8_t *present = xcalloc(1, BLOCKS / 8 + 1);
	struct block_digests old;
	struct error err = ERROR_INIT;
	struct sample s;
	struct plan p;

	(void)state;
	make(&s);
	copy_blocks(&s.blocks, &old);
	old.count = 1024;
	for (uint64_t i = 0; i < 1024; i++)
		bit_set(present, i);
	assert_int_equal(plan_make(&s.m, &s.blocks, &(struct plan_parent){&old, present}, &p, &err), 0);
	assert_int_equal(p.unchanged, 1024);
	assert_int_equal(p.send, 1);
	assert_int_equal(p.dont_care, 1023);
	plan_free(&p);
	block_digests_free(&old);
	block_digests_free(&s.blocks);
}

static void test_belongs(void **state)
{
	struct error err = ERROR_INIT;
	struct sample s;

	(void)state;
	make(&s);
	assert_int_equal(plan_check_blocks(&s.m, &s.blocks, "x.blocks", &err), 0);
	fill(&s.blocks.ptr[3], 77);
	assert_int_equal(plan_check_blocks(&s.m, &s.blocks, "x.blocks", &err), -EBADMSG);
	assert_int_equal(err.exit, EXIT_REFUSED);
	assert_contains(err.text, "x.blocks: is of another build");
	s.m.block_count++;
	assert_int_equal(plan_check_blocks(&s.m, &s.blocks, "x.blocks", &err), -EBADMSG);
	block_digests_free(&s.blocks);
}

/*
 * SHA-256 over the raw digests, rising; computed by Python:
 * hashlib.sha256(b"".join(hashlib.sha256(i.to_bytes(8, "little")).digest() for i in (0, 2))).hexdigest()
 */
static void test_linear(void **state)
{
	struct sha256 digests[3], linear;
	struct block_digests blocks = {digests, 3};
	uint8_t action[] = {PLAN_SEND, PLAN_UNCHANGED, PLAN_SEND};
	struct plan p = {.action = action, .count = 3};
	char hex[SHA256_HEX_SIZE];

	(void)state;
	for (uint64_t i = 0; i < 3; i++)
		fill(&digests[i], i);
	plan_linear_checksum(&p, &blocks, &linear);
	hex_encode(linear.b, SHA256_SIZE, hex);
	assert_string_equal(hex, "a661f9120aeaf9cf759687bb089ca6847ba7401caeff52ed2b2a8e32c46bedb6");
}

/* 4 GiB: 8192 puts are about five cents. */
static void test_cost(void **state)
{
	(void)state;
	assert_int_equal(plan_cost(8192, 0, 0) * 1e6 + 0.5, 49152);
	assert_int_equal(plan_cost(0, 1000, 1000) * 1e6 + 0.5, 3600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zero_digest),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_content_in_dont_care),
		cmocka_unit_test(test_delta),
		cmocka_unit_test(test_absent_in_parent),
		cmocka_unit_test(test_stale_data_in_a_gap),
		cmocka_unit_test(test_parents_that_do_not_fit),
		cmocka_unit_test(test_smaller_parent),
		cmocka_unit_test(test_belongs),
		cmocka_unit_test(test_linear),
		cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
