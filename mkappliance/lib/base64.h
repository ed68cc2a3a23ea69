/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 with padding (RFC 4648, section 4). */
#ifndef MKAPPLIANCE_LIB_BASE64_H
#define MKAPPLIANCE_LIB_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/mem.h"

/* Bytes of the text of @len bytes, with the 0 at its end. */
#define BASE64_SIZE(len) (((len) + 2) / 3 * 4 + 1)

/* Appends the text. */
void base64_add(struct buf *b, const void *data, size_t len);
/* The same into @ret, which has room for BASE64_SIZE(@len) bytes. */
void base64_encode(const void *data, size_t len, char *ret);

/* Appends the bytes of @text, with or without padding; false when it is no base64, and @ret may have got some of it. */
bool base64_decode(const char *text, size_t len, struct buf *ret);

#endif
