/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <fcntl.h>
#include <sched.h>

#include "cloud/block_reader.h"
#include "cloud/plan.h"

#define BLOCKS 40u

struct sample {
	int fd;
	char *path;
	struct block_digests want;
	uint64_t list[BLOCKS];
};

/* Every third block is a hole, block 1 zeros that were written, the others hold their number. */
static void make(struct sample *s, const char *dir)
{
	_cleanup_free_ uint8_t *data = xcalloc(1, LAYOUT_BLOCK);
	struct error err = ERROR_INIT;

	s->path = xasprintf("%s/image.raw", dir);
	s->fd = open(s->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(s->fd >= 0);
	assert_int_equal(ftruncate(s->fd, BLOCKS * (off_t)LAYOUT_BLOCK), 0);
	block_digests_init(&s->want, BLOCKS * (uint64_t)LAYOUT_BLOCK);
	for (uint64_t i = 0; i < BLOCKS; i++) {
		s->list[i] = i;
		if (i % 3 == 0)
			continue;
		memset(data, i == 1 ? 0 : (int)i, LAYOUT_BLOCK);
		assert_int_equal(io_pwrite_full(s->fd, "image", data, LAYOUT_BLOCK, i * LAYOUT_BLOCK, &err),
				 0);
		sha256_of(data, LAYOUT_BLOCK, &s->want.ptr[i]);
	}
}

static void drop(struct sample *s)
{
	close(s->fd);
	free(s->path);
	block_digests_free(&s->want);
}

static struct block_reader *start(struct sample *s, unsigned buffers, unsigned threads)
{
	struct block_reader_params p = {.fd = s->fd,
					.name = "image",
					.want = &s->want,
					.list = s->list,
					.count = BLOCKS,
					.buffers = buffers,
					.threads = threads};
	struct error err = ERROR_INIT;
	struct block_reader *r;

	assert_int_equal(block_reader_start(&p, &r, &err), 0);
	return r;
}

/* Each block once, with its bytes, however few buffers there are. */
static void check_all(struct sample *s, unsigned buffers, unsigned threads)
{
	_cleanup_block_reader_ struct block_reader *r = start(s, buffers, threads);
	struct error err = ERROR_INIT;
	struct ready_block block;
	uint8_t seen[BLOCKS] = {0};
	unsigned count = 0;

	while (count < BLOCKS) {
		int n = block_reader_take(r, &block, &err);
		struct sha256 got;

		if (n == 0) {
			sched_yield();
			continue;
		}
		assert_int_equal(n, 1);
		sha256_of(block.data, LAYOUT_BLOCK, &got);
		assert_memory_equal(&got, &s->want.ptr[block.index], sizeof(got));
		assert_int_equal(seen[block.index]++, 0);
		assert_true((block.buffer == NULL) == (block.index % 3 == 0 || block.index == 1));
		block_reader_give_back(r, &block);
		count++;
	}
	assert_int_equal(block_reader_take(r, &block, &err), 0);
}

static void test_all(void **state)
{
	struct sample s;

	make(&s, *state);
	check_all(&s, 1, 1);
	check_all(&s, 1, 4);
	check_all(&s, 3, 2);
	check_all(&s, 100, 4);
	drop(&s);
}

/* A byte that changed, in data or in what was a hole, and a file that became shorter. */
static void test_changed(void **state)
{
	static const uint64_t places[] = {5 * (uint64_t)LAYOUT_BLOCK + 77, 6 * (uint64_t)LAYOUT_BLOCK + 1};

	for (size_t i = 0; i < 3; i++) {
		struct error err = ERROR_INIT;
		struct ready_block block;
		struct block_reader *r;
		struct sample s;
		int n = 0;

		make(&s, *state);
		if (i < 2)
			assert_int_equal(io_pwrite_full(s.fd, "image", "x", 1, places[i], &err), 0);
		else
			assert_int_equal(ftruncate(s.fd, 30 * (off_t)LAYOUT_BLOCK + 5), 0);
		r = start(&s, 8, 2);
		while ((n = block_reader_take(r, &block, &err)) >= 0)
			if (n > 0)
				block_reader_give_back(r, &block);
		if (i < 2) {
			assert_int_equal(n, -EBADMSG);
			assert_int_equal(err.exit, EXIT_REFUSED);
			assert_contains(err.text, i == 0 ? "image: block 5 " : "image: block 6 ");
		} else {
			assert_int_equal(n, -ENODATA);
		}
		block_reader_free(r);
		unlink(s.path);
		drop(&s);
	}
}

/* Blocks that nobody took or gave back. */
static void test_stopped_early(void **state)
{
	struct error err = ERROR_INIT;
	struct ready_block block;
	struct block_reader *r;
	struct sample s;

	make(&s, *state);
	block_reader_free(start(&s, 4, 4));
	r = start(&s, 4, 4);
	while (block_reader_take(r, &block, &err) == 0)
		sched_yield();
	block_reader_free(r);
	drop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_dir(test_all),
		unit_test_in_dir(test_changed),
		unit_test_in_dir(test_stopped_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
