/* SPDX-License-Identifier: Apache-2.0 */
#include "check/tpm_quote.h"

#include <errno.h>
#include <string.h>

#include "check/bytes.h"
#include "check/tpm_public.h"

/* Part 2, sections 6.2 and 6.9. */
#define TPM_GENERATED_VALUE 0xff544347u
#define TPM_ST_ATTEST_QUOTE 0x8018u

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
		if (!tpm_bank_of(algorithm, &s.bank))
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
	if (!tpm_bank_of(hash, &s.hash))
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

/* ---- the key ---- */

static int read_public(const void *data, size_t len, const char *name, struct quote_key **ret,
		       struct error *err)
{
	struct tpm_public p;
	int r = tpm_public_parse(data, len, name, &p, err);

	if (r < 0)
		return r;
	if (!tpm_public_is_attestation_key(&p))
		return error_refuse(
			err,
			"%s: not an attestation key: it is not restricted to what its TPM made, and fixed to it",
			name);
	return tpm_public_key(&p, ret, err);
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
