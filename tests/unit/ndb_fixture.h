/* SPDX-License-Identifier: Apache-2.0 */
/* A database of the format ndb with one package, as rpm's lib/backend/ndb/rpmpkg.c writes it. */
#ifndef MKAPPLIANCE_TESTS_NDB_FIXTURE_H
#define MKAPPLIANCE_TESTS_NDB_FIXTURE_H

#include <string.h>

#include "lib/mem.h"

#define NDB_BLOB 4096u /* where its only package lies */
#define NDB_SLOT 32u

static inline void ndb_put(struct buf *b, size_t at, uint32_t v)
{
	for (size_t i = 0; i < 4; i++)
		b->ptr[at + i] = (char)(v >> 8 * i);
}

static inline void ndb_seal(struct buf *b)
{
	uint32_t low = 1, high = 0;

	for (size_t i = NDB_BLOB; i < b->len - 12; i++) {
		low = (low + (uint8_t)b->ptr[i]) % 65521;
		high = (high + low) % 65521;
	}
	ndb_put(b, b->len - 12, high << 16 | low);
}

/* @header: of a package. */
static inline void ndb_of(const void *header, size_t len, struct buf *ret)
{
	size_t blocks = (16 + len + 12 + 15) / 16;

	for (size_t i = 0; i < NDB_BLOB / 16; i++)
		buf_add(ret, "Slot\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	memset(ret->ptr, 0, 32);
	memcpy(ret->ptr, "RpmP", 4);
	ndb_put(ret, 12, 1);
	ndb_put(ret, 16, 2);
	ndb_put(ret, NDB_SLOT + 4, 1);
	ndb_put(ret, NDB_SLOT + 8, NDB_BLOB / 16);
	ndb_put(ret, NDB_SLOT + 12, (uint32_t)blocks);
	buf_add(ret, "BlbS", 4);
	buf_add_le32(ret, 1);
	buf_add_le32(ret, 1700000000);
	buf_add_le32(ret, (uint32_t)len);
	buf_add(ret, header, len);
	while (ret->len < NDB_BLOB + blocks * 16 - 12)
		buf_add(ret, "", 1);
	buf_add_le32(ret, 0);
	buf_add_le32(ret, (uint32_t)len);
	buf_add(ret, "BlbE", 4);
	ndb_seal(ret);
}

#endif
