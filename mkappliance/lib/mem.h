/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory: allocation that ends the program when there is none (a build tool cannot
 * do anything better), and a growing buffer. Sizes that come from outside are checked
 * against a limit *before* they get here.
 */
#ifndef MKAPPLIANCE_LIB_MEM_H
#define MKAPPLIANCE_LIB_MEM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc_array(void *p, size_t n, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *xstrndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
void *xmemdup(const void *p, size_t n) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

/*
 * Makes room for one more element in the array @ptr of @len used and @cap allocated
 * elements; grows by doubling. ptr, len and cap are lvalues of the caller.
 */
#define array_grow(ptr, len, cap)                                             \
	do {                                                                  \
		if ((len) == (cap)) {                                         \
			(cap) = (cap) ? 2 * (cap) : 16;                       \
			(ptr) = xrealloc_array((ptr), (cap), sizeof(*(ptr))); \
		}                                                             \
	} while (0)

/* Growing bytes. ptr[len] is always 0, so text can be read as a C string once ptr is set. */
struct buf {
	char *ptr;
	size_t len;
	size_t cap;
};

void buf_free(struct buf *b);
void buf_add(struct buf *b, const void *data, size_t len);
void buf_add_zero(struct buf *b, size_t len);
/*
 * Makes room for @len more bytes and returns where they go; whoever puts some there adds their number to
 * b->len.
 */
char *buf_room(struct buf *b, size_t len);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Little endian, as EFI and most of what lies on a disk has it. */
void buf_add_le16(struct buf *b, uint16_t v);
void buf_add_le32(struct buf *b, uint32_t v);
void buf_add_le64(struct buf *b, uint64_t v);
/* Hands the bytes over as a string ("" when empty) to be freed by the caller. */
char *buf_steal(struct buf *b);

#define _cleanup_buf_ __attribute__((cleanup(buf_free)))

/* A list of strings that owns them; ptr[len] is NULL once something was added. */
struct strlist {
	char **ptr;
	size_t len;
	size_t cap;
};

void strlist_add(struct strlist *l, const char *s);
void strlist_addf(struct strlist *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
void strlist_free(struct strlist *l);
/* By their bytes. */
void strlist_sort(struct strlist *l);
/* Whether @s is in a list that is sorted. */
bool strlist_has(const struct strlist *l, const char *s);

#define _cleanup_strlist_ __attribute__((cleanup(strlist_free)))

#endif
