/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/mem.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void *checked(void *p)
{
	static const char text[] = "mkappliance: out of memory\n";

	if (!p) {
		(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
		abort();
	}
	return p;
}

void *xmalloc(size_t size)
{
	return checked(malloc(size ? size : 1));
}

void *xcalloc(size_t n, size_t size)
{
	return checked(calloc(n ? n : 1, size ? size : 1));
}

void *xrealloc_array(void *p, size_t n, size_t size)
{
	return checked(reallocarray(p, n ? n : 1, size ? size : 1));
}

char *xstrdup(const char *s)
{
	return checked(strdup(s));
}

char *xstrndup(const char *s, size_t n)
{
	return checked(strndup(s, n));
}

void *xmemdup(const void *p, size_t n)
{
	void *copy = xmalloc(n);

	if (n)
		memcpy(copy, p, n);
	return copy;
}

char *xasprintf(const char *format, ...)
{
	va_list ap;
	char *s = NULL;

	va_start(ap, format);
	if (vasprintf(&s, format, ap) < 0)
		s = NULL;
	va_end(ap);
	return checked(s);
}

void buf_free(struct buf *b)
{
	free(b->ptr);
	*b = (struct buf){0};
}

/* Makes room for @len more bytes and the closing 0. */
static void buf_reserve(struct buf *b, size_t len)
{
	size_t cap = b->cap ? b->cap : 256;

	while (cap - b->len <= len) {
		if (cap > SIZE_MAX / 2)
			checked(NULL);
		cap *= 2;
	}
	if (cap != b->cap) {
		b->ptr = xrealloc_array(b->ptr, cap, 1);
		b->cap = cap;
	}
}

void buf_add(struct buf *b, const void *data, size_t len)
{
	buf_reserve(b, len);
	if (len)
		memcpy(b->ptr + b->len, data, len);
	b->len += len;
	b->ptr[b->len] = 0;
}

void buf_add_zero(struct buf *b, size_t len)
{
	buf_reserve(b, len);
	memset(b->ptr + b->len, 0, len + 1);
	b->len += len;
}

char *buf_room(struct buf *b, size_t len)
{
	buf_reserve(b, len);
	return b->ptr + b->len;
}

void buf_printf(struct buf *b, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	if (n < 0)
		checked(NULL);
	buf_reserve(b, (size_t)n);
	va_start(ap, format);
	vsnprintf(b->ptr + b->len, (size_t)n + 1, format, ap);
	va_end(ap);
	b->len += (size_t)n;
}

void buf_add_le16(struct buf *b, uint16_t v)
{
	v = htole16(v);
	buf_add(b, &v, sizeof(v));
}

void buf_add_le32(struct buf *b, uint32_t v)
{
	v = htole32(v);
	buf_add(b, &v, sizeof(v));
}

void buf_add_le64(struct buf *b, uint64_t v)
{
	v = htole64(v);
	buf_add(b, &v, sizeof(v));
}

char *buf_steal(struct buf *b)
{
	char *s;

	buf_reserve(b, 0);
	b->ptr[b->len] = 0;
	s = b->ptr;
	*b = (struct buf){0};
	return s;
}

static void strlist_take(struct strlist *l, char *s)
{
	if (l->len + 1 >= l->cap) {
		l->cap = l->cap ? l->cap * 2 : 8;
		l->ptr = xrealloc_array(l->ptr, l->cap, sizeof(*l->ptr));
	}
	l->ptr[l->len++] = s;
	l->ptr[l->len] = NULL;
}

void strlist_add(struct strlist *l, const char *s)
{
	strlist_take(l, xstrdup(s));
}

void strlist_addf(struct strlist *l, const char *format, ...)
{
	va_list ap;
	char *s = NULL;

	va_start(ap, format);
	if (vasprintf(&s, format, ap) < 0)
		s = NULL;
	va_end(ap);
	strlist_take(l, checked(s));
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void strlist_sort(struct strlist *l)
{
	if (l->len)
		qsort(l->ptr, l->len, sizeof(*l->ptr), compare_strings);
}

bool strlist_has(const struct strlist *l, const char *s)
{
	return l->len && bsearch(&s, l->ptr, l->len, sizeof(s), compare_strings);
}

void strlist_free(struct strlist *l)
{
	for (size_t i = 0; i < l->len; i++)
		free(l->ptr[i]);
	free(l->ptr);
	*l = (struct strlist){0};
}
