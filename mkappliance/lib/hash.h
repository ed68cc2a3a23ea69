/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256, SHA-384 (FIPS 180-4) and their hexadecimal form. libcrypto stays inside hash.c.
 * None of these can fail but for lack of memory, which ends the program.
 */
#ifndef MKAPPLIANCE_LIB_HASH_H
#define MKAPPLIANCE_LIB_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

#define SHA256_SIZE	32
#define SHA256_HEX_SIZE (2 * SHA256_SIZE + 1)

struct sha256 {
	uint8_t b[SHA256_SIZE];
};

/* One shot. */
void sha256_of(const void *data, size_t len, struct sha256 *ret);

/* HMAC-SHA-256 (RFC 2104); @ret may be the key. */
void hmac_sha256(const void *key, size_t key_len, const void *data, size_t len, struct sha256 *ret);

/* SHA-1, for names that others made with it, never for trust: hexadecimal, 40 digits and the 0. */
#define SHA1_HEX_SIZE 41
void sha1_hex_of(const void *data, size_t len, char *hex);

/* In parts: hasher_new, hasher_add..., hasher_final (which leaves it ready for the next message). */
struct hasher;
struct hasher *hasher_new(void);
void hasher_add(struct hasher *h, const void *data, size_t len);
void hasher_final(struct hasher *h, struct sha256 *ret);
/* Makes @to continue where @from stands: for many messages that begin alike. */
void hasher_copy(struct hasher *to, const struct hasher *from);
void hasher_free(struct hasher *h);
void hasher_freep(struct hasher **h);
#define _cleanup_hasher_ __attribute__((cleanup(hasher_freep)))

/* SHA-256 of a whole file, from its start. @name is for messages. */
int sha256_of_fd(int fd, const char *name, struct sha256 *ret, uint64_t *ret_size, struct error *err);

/* SHA-512 in parts: what OpenStack calls an image by its content. */
#define SHA512_HEX_SIZE 129
struct sha512;
struct sha512 *sha512_new(void);
void sha512_add(struct sha512 *h, const void *data, size_t len);
/* Lower-case hexadecimal; @hex has room for SHA512_HEX_SIZE bytes. Once. */
void sha512_final(struct sha512 *h, char *hex);
void sha512_freep(struct sha512 **h);
#define _cleanup_sha512_ __attribute__((cleanup(sha512_freep)))

/* ---- the two banks of a TPM ---- */

enum bank { BANK_SHA256, BANK_SHA384, BANK_COUNT };

#define SHA384_SIZE	48
#define SHA384_HEX_SIZE (2 * SHA384_SIZE + 1)

/* A digest in every bank; of BANK_SHA256 the first 32 bytes. */
struct bank_digest {
	uint8_t b[BANK_COUNT][SHA384_SIZE];
};

struct hash_part {
	const void *data;
	size_t len;
};

size_t bank_size(enum bank bank);      /* bytes of a digest: 32, 48 */
const char *bank_name(enum bank bank); /* "sha256", "sha384" */
/* Of the parts one after the other, in one bank; @ret has room for bank_size() bytes. */
void hash_parts(enum bank bank, const struct hash_part *parts, size_t count, uint8_t *ret);
/* The same in every bank. */
void bank_digest_of(const struct hash_part *parts, size_t count, struct bank_digest *ret);

/* Lower-case hexadecimal; @hex has room for 2 * len + 1 bytes. */
void hex_encode(const void *data, size_t len, char *hex);

/* Exactly 2 * len digits of either case, or false and @data is untouched. */
bool hex_decode(const char *hex, void *data, size_t len);

#endif
