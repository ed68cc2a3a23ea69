/* SPDX-License-Identifier: Apache-2.0 */
/* gzip streams, handed over in pieces of every size. */
#include "unit.h"

#include <zlib.h>

#include "compose/gunzip.h"
#include "lib/mem.h"

struct source {
	const struct buf *data;
	size_t at;
	size_t piece; /* bytes a read */
	bool fails;
};

static ssize_t read_piece(void *data, const void **ret)
{
	struct source *s = data;
	size_t n = s->data->len - s->at < s->piece ? s->data->len - s->at : s->piece;

	if (s->fails && n == 0)
		return -1;
	*ret = s->data->ptr + s->at;
	s->at += n;
	return (ssize_t)n;
}

/* Appends @len bytes of @data as one member. */
static void add_member(struct buf *to, const void *data, size_t len)
{
	z_stream z = {0};
	uLong room = len + 1024;
	char *out = xmalloc(room);

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)(uintptr_t)data;
	z.avail_in = (uInt)len;
	z.next_out = (Bytef *)out;
	z.avail_out = (uInt)room;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	buf_add(to, out, z.total_out);
	deflateEnd(&z);
	free(out);
}

/* Reads all of it; NULL, or what was wrong ("" when it was the source). */
static const char *unpack(const struct buf *from, size_t piece, bool fails, struct buf *to)
{
	struct source s = {.data = from, .piece = piece, .fails = fails};
	struct gunzip *g = gunzip_new(read_piece, &s);
	const char *wrong = NULL;
	const void *block;
	ssize_t n;

	while ((n = gunzip_next(g, &block, &wrong)) > 0)
		buf_add(to, block, (size_t)n);
	if (n < 0 && !wrong)
		wrong = "";
	gunzip_free(g);
	return n < 0 ? wrong : NULL;
}

static void assert_unpacks(const struct buf *from, const void *expected, size_t len)
{
	static const size_t pieces[] = {2, 3, 7, 4096, SIZE_MAX};

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		_cleanup_buf_ struct buf to = {0};

		assert_null(unpack(from, pieces[i], false, &to));
		assert_int_equal(to.len, len);
		if (len)
			assert_memory_equal(to.ptr, expected, len);
	}
}

static void assert_wrong(const struct buf *from, const char *expected)
{
	for (size_t piece = 2; piece < 100000; piece = piece * 3 + 1) {
		_cleanup_buf_ struct buf to = {0};
		const char *wrong = unpack(from, piece, false, &to);

		assert_non_null(wrong);
		assert_string_equal(wrong, expected);
	}
}

static void test_members(void **state)
{
	_cleanup_buf_ struct buf z = {0}, plain = {0};
	_cleanup_free_ char *big = xcalloc(1, 1000000);

	(void)state;
	for (size_t i = 0; i < 1000000; i++)
		big[i] = (char)(i * i >> 7);
	assert_unpacks(&z, "", 0);
	add_member(&z, "", 0);
	assert_unpacks(&z, "", 0);
	add_member(&z, "one", 3);
	add_member(&z, big, 1000000);
	buf_add(&plain, "one", 3);
	buf_add(&plain, big, 1000000);
	assert_unpacks(&z, plain.ptr, plain.len);
	buf_add(&z, "\0\0\0\0\0", 5); /* tapes are padded */
	assert_unpacks(&z, plain.ptr, plain.len);
}

static void test_not_gzip(void **state)
{
	_cleanup_buf_ struct buf plain = {0};

	(void)state;
	buf_add(&plain, "\x1f\x8c is something else", 20);
	assert_unpacks(&plain, plain.ptr, plain.len);
}

static void test_damage(void **state)
{
	_cleanup_buf_ struct buf z = {0}, to = {0};
	char *end;

	(void)state;
	add_member(&z, "some text, some text", 20);
	assert_string_equal(unpack(&z, 5, true, &to), "");
	z.len--;
	assert_wrong(&z, "the gzip data is truncated");
	z.len++;
	end = z.ptr + z.len;
	end[-8] ^= 1;
	assert_wrong(&z, "incorrect data check");
	end[-8] ^= 1;
	end[-4] ^= 1;
	assert_wrong(&z, "incorrect length check");
	end[-4] ^= 1;
	buf_add(&z, "more", 4);
	assert_wrong(&z, "something follows the end of the gzip data");
	z.ptr[2] = 0;
	assert_wrong(&z, "unknown compression method");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_not_gzip),
		cmocka_unit_test(test_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
