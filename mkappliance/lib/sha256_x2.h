/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two SHA-256 (FIPS 180-4) at the same time, by the SHA instructions of x86-64. One message alone leaves the
 * unit idle most of the time, since each round waits for the one before; the rounds of two that do not depend
 * on each other fill the gaps. The kernel does the same for dm-verity and fs-verity (lib/crypto:
 * sha256_finup_2x, by Eric Biggers, Linux 6.18).
 *
 * Only whole 64-byte blocks: padding is the caller's. Where sha256_x2_available() is false nothing else here
 * may be called; use lib/hash.h.
 */
#ifndef MKAPPLIANCE_LIB_SHA256_X2_H
#define MKAPPLIANCE_LIB_SHA256_X2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/hash.h"

#define SHA256_BLOCK 64

/* Between two blocks of a message. */
struct sha256_state {
	uint32_t h[8];
};

/* Of the empty message (FIPS 180-4, section 5.3.3). */
extern const struct sha256_state sha256_start;

/* Whether this processor can. */
bool sha256_x2_available(void);

/* Takes @blocks blocks of each of two messages. */
void sha256_x2(struct sha256_state *a, const void *data_a, struct sha256_state *b, const void *data_b,
	       size_t blocks);

/* The same for one message. */
void sha256_x1(struct sha256_state *s, const void *data, size_t blocks);

/* The digest, once the last block with its padding was taken. */
void sha256_state_digest(const struct sha256_state *s, struct sha256 *ret);

#endif
