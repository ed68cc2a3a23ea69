/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures of TPMs, verified: RSASSA-PKCS1-v1_5, RSASSA-PSS and ECDSA with SHA-256 or SHA-384. libcrypto stays inside. */
#ifndef MKAPPLIANCE_IMAGE_SIGN_QUOTE_H
#define MKAPPLIANCE_IMAGE_SIGN_QUOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "lib/hash.h"

enum quote_scheme { QUOTE_RSASSA, QUOTE_RSAPSS, QUOTE_ECDSA };

/* Borrowed from what was parsed. */
struct quote_signature {
	enum quote_scheme scheme;
	enum bank hash;
	const uint8_t *r; /* of RSA the whole signature */
	size_t r_len;
	const uint8_t *s; /* of ECDSA only */
	size_t s_len;
};

/* The public half of an attestation key. */
struct quote_key;

/* A public key or a certificate in PEM. RSA of less than 2048 bits and other curves than P-256 and P-384 are refused. */
int quote_key_pem(const void *pem, size_t len, struct quote_key **ret, struct error *err);
/* From numbers, big endian; @exponent 0 means 65537. */
int quote_key_rsa(const uint8_t *n, size_t len, uint32_t exponent, struct quote_key **ret, struct error *err);
/* @bits: of the curve. */
int quote_key_ec(unsigned bits, const uint8_t *x, size_t x_len, const uint8_t *y, size_t y_len,
		 struct quote_key **ret, struct error *err);
void quote_key_free(struct quote_key *k);
void quote_key_freep(struct quote_key **k);
#define _cleanup_quote_key_ __attribute__((cleanup(quote_key_freep)))

/* Whether @k made the signature over the message. A scheme that the key is not for: false. */
bool quote_verify(struct quote_key *k, const struct quote_signature *sig, const void *message, size_t len);

#endif
