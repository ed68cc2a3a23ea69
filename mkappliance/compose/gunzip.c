/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/gunzip.h"

#include <stdlib.h>
#define ZLIB_CONST /* next_in points to const */
#include <zlib.h>

#include "lib/mem.h"

#define CHUNK ((size_t)256 << 10)

struct gunzip {
	gunzip_read *read;
	void *data;
	enum {
		BEGIN,
		PLAIN,
		MEMBER,
		BETWEEN
	} state; /* BETWEEN: a member is whole, perhaps another one follows */
	z_stream z;
	bool inflating; /* z is set up */
	bool ended;	/* nothing more comes from read() */
	Bytef out[CHUNK];
};

struct gunzip *gunzip_new(gunzip_read *read, void *data)
{
	struct gunzip *g = xcalloc(1, sizeof(*g));

	g->read = read;
	g->data = data;
	return g;
}

void gunzip_free(struct gunzip *g)
{
	if (!g)
		return;
	if (g->inflating)
		(void)inflateEnd(&g->z);
	free(g);
}

bool gunzip_is_gzip(const struct gunzip *g)
{
	return g->inflating;
}

/* Sees to it that there is input, unless it has ended. -1 when reading failed. */
static int fill(struct gunzip *g)
{
	const void *block = NULL;
	ssize_t n;

	if (g->z.avail_in > 0 || g->ended)
		return 0;
	n = g->read(g->data, &block);
	if (n < 0)
		return -1;
	g->ended = n == 0;
	g->z.next_in = (z_const Bytef *)block;
	g->z.avail_in = (uInt)n;
	return 0;
}

/* Looks at the first bytes. */
static void begin(struct gunzip *g)
{
	const Bytef *p = g->z.next_in;

	g->state = PLAIN;
	if (g->z.avail_in < 2 || p[0] != 0x1f || p[1] != 0x8b)
		return;
	/* 16: gzip, whose header and trailer inflate() then checks. */
	if (inflateInit2(&g->z, 15 + 16) != Z_OK)
		abort(); /* no memory, or not the zlib that we were compiled for */
	g->inflating = true;
	g->state = MEMBER;
}

/* Behind a member: another one, zeros that pad the file, or the end. NULL, or what is wrong. */
static const char *continue_behind(struct gunzip *g)
{
	while (g->z.avail_in > 0 && g->z.next_in[0] == 0) {
		g->z.next_in++;
		g->z.avail_in--;
	}
	if (g->z.avail_in == 0)
		return NULL;
	if (g->z.next_in[0] != 0x1f)
		return "something follows the end of the gzip data";
	(void)inflateReset(&g->z);
	g->state = MEMBER;
	return NULL;
}

/* Inflates what there is into g->out; how many bytes. -1 with what is wrong. */
static ssize_t inflate_some(struct gunzip *g, const char **ret_wrong)
{
	int r;

	g->z.next_out = g->out;
	g->z.avail_out = sizeof(g->out);
	r = inflate(&g->z, Z_NO_FLUSH);
	if (r == Z_STREAM_END)
		g->state = BETWEEN;
	else if (r != Z_OK && r != Z_BUF_ERROR)
		return *ret_wrong = g->z.msg ? g->z.msg : "the gzip data is damaged", -1;
	return (ssize_t)(sizeof(g->out) - g->z.avail_out);
}

ssize_t gunzip_next(struct gunzip *g, const void **ret, const char **ret_wrong)
{
	ssize_t n;

	*ret_wrong = NULL;
	for (;;) {
		if (fill(g) < 0)
			return -1;
		if (g->state == BEGIN)
			begin(g);
		if (g->state == BETWEEN && (*ret_wrong = continue_behind(g)))
			return -1;
		if (g->state == PLAIN) {
			n = (ssize_t)g->z.avail_in;
			*ret = g->z.next_in;
			g->z.avail_in = 0;
			return n;
		}
		if (g->state == BETWEEN && g->ended)
			return 0;
		if (g->state == BETWEEN)
			continue;
		n = inflate_some(g, ret_wrong);
		*ret = g->out;
		if (n != 0)
			return n;
		if (g->state == MEMBER && g->ended)
			return *ret_wrong = "the gzip data is truncated", -1;
	}
}

ssize_t gunzip_read_memory(void *data, const void **ret)
{
	struct gunzip_memory *m = data;
	size_t len = m->len;

	*ret = m->data;
	m->len = 0;
	return (ssize_t)len;
}
