/* SPDX-License-Identifier: Apache-2.0 */
#include "check/tpm_quote.h"

#include <errno.h>
#include <string.h>

#include "check/bytes.h"

/* Part 2, sections 6.2, 6.3, 6.9 and 8.3. */
#define TPM_GENERATED_VALUE 0xff544347u
#define TPM_ST_ATTEST_QUOTE 0x8018u
#define TPM_ALG_RSA	    0x0001u
#define TPM_ALG_SHA256	    0x000bu
#define TPM_ALG_SHA384	    0x000cu
#define TPM_ALG_NULL	    0x0010u
#define TPM_ALG_RSASSA	    0x0014u
#define TPM_ALG_RSAPSS	    0x0016u
#define TPM_ALG_ECDSA	    0x0018u
#define TPM_ALG_ECC	    0x0023u
#define TPM_ECC_NIST_P256   0x0003u
#define TPM_ECC_NIST_P384   0x0004u
#define TPMA_FIXED_TPM	    (1u << 1)
#define TPMA_RESTRICTED	    (1u << 16)
#define TPMA_SIGN	    (1u << 18)

static bool bank_of(uint64_t algorithm, enum bank *ret)
{
	*ret = algorithm == TPM_ALG_SHA384 ? BANK_SHA384 : BANK_SHA256;
	return algorithm == TPM_ALG_SHA256 || algorithm == TPM_ALG_SHA384;
}

static int check_end(const struct bytes *b, const char *name, const char *what, struct error *err)
{
	if (b->ended)
		return error_refuse(err, "%s: %s is truncated", name, what);
	return b->left ? error_refuse(err, "%s: %zu bytes too many behind %s", name, b->left, what) : 0;
}

/* ---- TPMS_ATTEST ---- */

/* TPML_PCR_SELECTION. */
static int read_selection(struct bytes *b, const char *name, struct tpm_quote *q, struct error *err)
{
	uint64_t count = bytes_be(b, 4);

	if (count > TPM_SELECTIONS_MAX)
		return error_refuse(err, "%s: %ju selections of PCRs", name, (uintmax_t)count);
	for (uint64_t i = 0; i < count && !b->ended; i++) {
		uint64_t algorithm = bytes_be(b, 2);
		size_t size = (size_t)bytes_be(b, 1);
		struct pcr_selection s = {.mask = (uint32_t)bytes_le(b, size <= 4 ? size : 4)};

		if (size > 4 || s.mask >> TPM_PCRS)
			return error_refuse(err, "%s: selects PCRs above %d", name, TPM_PCRS - 1);
		if (!s.mask)
			continue;
		if (!bank_of(algorithm, &s.bank))
			return error_refuse(
				err,
				"%s: quotes PCRs of the bank 0x%04jx; nothing but sha256 and sha384 is predicted",
				name, (uintmax_t)algorithm);
		q->selection[q->selection_count++] = s;
	}
	return 0;
}

int tpm_quote_parse(const void *data, size_t len, const char *name, struct tpm_quote *ret, struct error *err)
{
	struct bytes b = {.ptr = data, .left = len};
	struct tpm_quote q = {0};
	const uint8_t *nonce, *digest;
	size_t signer_len;
	int r;

	if (bytes_be(&b, 4) != TPM_GENERATED_VALUE)
		return error_refuse(err, "%s: was not made by a TPM: no TPM_GENERATED at its start", name);
	if (bytes_be(&b, 2) != TPM_ST_ATTEST_QUOTE)
		return error_refuse(err, "%s: was made by a TPM, but is not a quote", name);
	(void)bytes_tpm2b(&b, &signer_len); /* qualifiedSigner: the signature says it better */
	nonce = bytes_tpm2b(&b, &q.nonce_len);
	if (q.nonce_len > sizeof(q.nonce))
		return error_refuse(err, "%s: a nonce of %zu bytes", name, q.nonce_len);
	if (nonce)
		memcpy(q.nonce, nonce, q.nonce_len);
	q.clock = bytes_be(&b, 8);
	q.resets = (uint32_t)bytes_be(&b, 4);
	q.restarts = (uint32_t)bytes_be(&b, 4);
	q.safe = bytes_be(&b, 1) == 1;
	q.firmware = bytes_be(&b, 8);
	r = read_selection(&b, name, &q, err);
	if (r < 0)
		return r;
	digest = bytes_tpm2b(&b, &q.digest_len);
	if (digest && q.digest_len != bank_size(BANK_SHA256) && q.digest_len != bank_size(BANK_SHA384))
		return error_refuse(err, "%s: a digest of %zu bytes", name, q.digest_len);
	if (digest)
		memcpy(q.digest, digest, q.digest_len);
	r = check_end(&b, name, "the quote", err);
	if (r == 0)
		*ret = q;
	return r;
}

/* ---- TPMT_SIGNATURE ---- */

int tpm_signature_parse(const void *data, size_t len, const char *name, struct quote_signature *ret,
			struct error *err)
{
	struct bytes b = {.ptr = data, .left = len};
	struct quote_signature s = {0};
	uint64_t scheme = bytes_be(&b, 2), hash = bytes_be(&b, 2);
	int r;

	if (scheme == TPM_ALG_RSASSA)
		s.scheme = QUOTE_RSASSA;
	else if (scheme == TPM_ALG_RSAPSS)
		s.scheme = QUOTE_RSAPSS;
	else if (scheme == TPM_ALG_ECDSA)
		s.scheme = QUOTE_ECDSA;
	else
		return error_refuse(
			err,
			"%s: not a signature by RSASSA, RSAPSS or ECDSA in TPM format (tpm2_quote -f tss)",
			name);
	if (!bank_of(hash, &s.hash))
		return error_refuse(err, "%s: signed by the hash 0x%04jx; sha256 and sha384 are known here",
				    name, (uintmax_t)hash);
	s.r = bytes_tpm2b(&b, &s.r_len);
	if (s.scheme == QUOTE_ECDSA)
		s.s = bytes_tpm2b(&b, &s.s_len);
	r = check_end(&b, name, "the signature", err);
	if (r == 0)
		*ret = s;
	return r;
}

/* ---- TPM2B_PUBLIC ---- */

/* TPMT_SYM_DEF_OBJECT, then TPMT_ASYM_SCHEME: of a signing key the first is none. */
static void skip_schemes(struct bytes *b)
{
	if (bytes_be(b, 2) != TPM_ALG_NULL)
		(void)bytes_take(b, 4);
	if (bytes_be(b, 2) != TPM_ALG_NULL)
		(void)bytes_take(b, 2);
}

static int read_rsa(struct bytes *b, const char *name, struct quote_key **ret, struct error *err)
{
	const uint8_t *n;
	uint64_t exponent;
	size_t len;
	int r;

	skip_schemes(b);
	(void)bytes_be(b, 2); /* bits: as many as there are */
	exponent = bytes_be(b, 4);
	n = bytes_tpm2b(b, &len);
	r = check_end(b, name, "the public key", err);
	return r < 0 ? r : quote_key_rsa(n, len, (uint32_t)exponent, ret, err);
}

static int read_ecc(struct bytes *b, const char *name, struct quote_key **ret, struct error *err)
{
	size_t x_len, y_len;
	const uint8_t *x, *y;
	uint64_t curve;
	int r;

	skip_schemes(b);
	curve = bytes_be(b, 2);
	if (bytes_be(b, 2) != TPM_ALG_NULL)
		(void)bytes_take(b, 2); /* TPMT_KDF_SCHEME */
	x = bytes_tpm2b(b, &x_len);
	y = bytes_tpm2b(b, &y_len);
	r = check_end(b, name, "the public key", err);
	if (r < 0)
		return r;
	if (curve != TPM_ECC_NIST_P256 && curve != TPM_ECC_NIST_P384)
		return error_set(err, -EBADMSG, "a key of the curve 0x%04jx; P-256 and P-384 are known here",
				 (uintmax_t)curve);
	return quote_key_ec(curve == TPM_ECC_NIST_P384 ? 384 : 256, x, x_len, y, y_len, ret, err);
}

static int read_public(const void *data, size_t len, const char *name, struct quote_key **ret,
		       struct error *err)
{
	static const uint32_t wanted = TPMA_FIXED_TPM | TPMA_RESTRICTED | TPMA_SIGN;
	struct bytes b = {.ptr = data, .left = len};
	uint64_t type, attributes;
	size_t policy_len;

	if (bytes_be(&b, 2) != len - 2)
		return error_refuse(err, "%s: neither a TPM's public key (TPM2B_PUBLIC) nor PEM", name);
	type = bytes_be(&b, 2);
	(void)bytes_be(&b, 2); /* nameAlg */
	attributes = bytes_be(&b, 4);
	(void)bytes_tpm2b(&b, &policy_len);
	if (!b.ended && (attributes & wanted) != wanted)
		return error_refuse(
			err,
			"%s: not an attestation key: it is not restricted to what its TPM made, and fixed to it",
			name);
	if (type == TPM_ALG_RSA)
		return read_rsa(&b, name, ret, err);
	if (type == TPM_ALG_ECC)
		return read_ecc(&b, name, ret, err);
	return error_refuse(err, "%s: a key of the kind 0x%04jx; RSA and ECC are known here", name,
			    (uintmax_t)type);
}

int tpm_key_parse(const void *data, size_t len, const char *name, struct quote_key **ret, struct error *err)
{
	bool is_pem = len >= 11 && memcmp(data, "-----BEGIN ", 11) == 0;
	int r = is_pem ? quote_key_pem(data, len, ret, err) : read_public(data, len, name, ret, err);

	if (r == 0 || err->exit == EXIT_REFUSED)
		return r;
	err->exit = EXIT_REFUSED;
	return error_prefix(err, "%s", name);
}
