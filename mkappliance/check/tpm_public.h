/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The public half of a TPM's key (TPM2B_PUBLIC), as tpm2_createak(1) and tpm2_createek(1) write it. TPM 2.0 Library, Part 2: Structures, revision
 * 1.59: sections 8.3, 11.1.6 to 11.1.9, 12.2; big endian. A parser of untrusted bytes.
 */
#ifndef MKAPPLIANCE_CHECK_TPM_PUBLIC_H
#define MKAPPLIANCE_CHECK_TPM_PUBLIC_H

#include "image/sign_quote.h"

/* Part 2, section 6.3. */
#define TPM_ALG_RSA    0x0001u
#define TPM_ALG_AES    0x0006u
#define TPM_ALG_SHA256 0x000bu
#define TPM_ALG_SHA384 0x000cu
#define TPM_ALG_NULL   0x0010u
#define TPM_ALG_RSASSA 0x0014u
#define TPM_ALG_RSAPSS 0x0016u
#define TPM_ALG_ECDSA  0x0018u
#define TPM_ALG_ECC    0x0023u
#define TPM_ALG_CFB    0x0043u

/* Part 2, section 8.3. */
#define TPMA_FIXED_TPM	(1u << 1)
#define TPMA_RESTRICTED (1u << 16)
#define TPMA_DECRYPT	(1u << 17)
#define TPMA_SIGN	(1u << 18)

#define TPM_NAME_MAX (2 + SHA384_SIZE) /* nameAlg and a digest */

/* Pieces point into what was parsed. */
struct tpm_public {
	unsigned type;	     /* TPM_ALG_RSA, TPM_ALG_ECC */
	unsigned name_hash;  /* nameAlg as it stands there */
	uint32_t attributes; /* TPMA_ */
	unsigned aes_bits;   /* symmetric algorithm in CFB; 0: none or another */
	uint32_t exponent;
	unsigned curve_bits;  /* of ECC: 256, 384 */
	const uint8_t *x, *y; /* the point; of RSA @x is the modulus */
	size_t x_len, y_len;
	const uint8_t *area; /* TPMT_PUBLIC, which the name is of */
	size_t area_len;
};

/* Whether @algorithm is a hash of the banks that are predicted, and which. */
bool tpm_bank_of(uint64_t algorithm, enum bank *ret);

/* -EBADMSG (exit code 3) and why: truncated, something behind it, another kind of key, another curve. */
int tpm_public_parse(const void *data, size_t len, const char *name, struct tpm_public *ret,
		     struct error *err);

/* Of the numbers a key that can verify and encrypt; @ret by quote_key_free(). */
int tpm_public_key(const struct tpm_public *p, struct quote_key **ret, struct error *err);

/* The name by which a TPM knows the key: Part 1, section 16. False: its nameAlg is another than SHA-256 and SHA-384. */
bool tpm_public_name(const struct tpm_public *p, uint8_t ret[TPM_NAME_MAX], size_t *ret_len);

/* A signing key that is restricted to what its TPM made, and never leaves it; or a decrypting one of that kind. */
bool tpm_public_is_attestation_key(const struct tpm_public *p);
bool tpm_public_is_endorsement_key(const struct tpm_public *p);

#endif
