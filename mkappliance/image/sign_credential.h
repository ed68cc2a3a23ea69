/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials that one TPM alone can open, and only while it holds one certain key: what TPM2_MakeCredential() makes. TPM 2.0 Library, Part 1:
 * Architecture, revision 1.59: sections 24 (credential protection), 11.4.10 (KDFa, KDFe), B.10.4 and C.6.1 (how the seed travels). libcrypto
 * stays inside.
 */
#ifndef MKAPPLIANCE_IMAGE_SIGN_CREDENTIAL_H
#define MKAPPLIANCE_IMAGE_SIGN_CREDENTIAL_H

#include "image/sign_quote.h"
#include "lib/mem.h"

/* Whom a credential is for. */
struct credential_target {
	struct quote_key *key; /* public half of the TPM's endorsement key: RSA, P-256, P-384 */
	enum bank hash;	       /* its nameAlg */
	unsigned aes_bits;     /* of its symmetric algorithm, AES in CFB: 128, 256 */
	const uint8_t *name;   /* of the key that must be loaded there (Part 1, section 16) */
	size_t name_len;
};

/*
 * An endorsement key as a public key or as a certificate, in PEM or DER. With @ca (certificates in PEM, each of which is believed; NULL: none)
 * it must be a certificate that leads to one of them and is valid now; -EBADMSG (exit code 3) when it does not. @ret by quote_key_free().
 */
int endorsement_key_parse(const void *data, size_t len, const void *ca, size_t ca_len, struct quote_key **ret,
			  struct error *err);

/* The kind of key: RSA or else elliptic curve, and how many bits. */
bool quote_key_is_rsa(const struct quote_key *k, unsigned *ret_bits);
bool quote_key_same(const struct quote_key *a, const struct quote_key *b);

/* @len bytes that nobody can guess. */
int credential_random(void *ret, size_t len, struct error *err);

/*
 * TPM2B_ID_OBJECT and then TPM2B_ENCRYPTED_SECRET around @secret, of at most bank_size(hash) bytes, appended to @ret. The seed is new each time.
 */
int credential_make(const struct credential_target *to, const void *secret, size_t len, struct buf *ret,
		    struct error *err);

/* The first of both alone, from a seed of bank_size(hash) bytes: always the same. */
int credential_protect(const struct credential_target *to, const uint8_t *seed, const void *secret,
		       size_t len, struct buf *ret, struct error *err);

#endif
