/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tpm2_quote(1) writes: the quote (-m: TPMS_ATTEST), its signature (-s -f tss: TPMT_SIGNATURE) and the PCRs (-o); and the public half of
 * the attestation key (TPM2B_PUBLIC, see tpm_public.h, or PEM). TPM 2.0 Library, Part 2: Structures, revision 1.59: sections 10.12.8 and 11.3.4; big endian.
 * Parsers of untrusted bytes.
 */
#ifndef MKAPPLIANCE_CHECK_TPM_QUOTE_H
#define MKAPPLIANCE_CHECK_TPM_QUOTE_H

#include "image/sign_quote.h"

#define TPM_PCRS	   24
#define TPM_NONCE_MAX	   64
#define TPM_FILE_MAX	   ((size_t)64 << 10)
#define TPM_SELECTIONS_MAX 16

/* Which PCRs of a bank: bit i is PCR i. */
struct pcr_selection {
	enum bank bank;
	uint32_t mask;
};

struct tpm_quote {
	uint8_t nonce[TPM_NONCE_MAX]; /* extraData: what the verifier asked with */
	size_t nonce_len;
	struct pcr_selection selection[TPM_SELECTIONS_MAX]; /* in the order in which they were hashed */
	size_t selection_count;
	uint8_t digest[SHA384_SIZE]; /* of the selected PCRs, by the hash of the signature */
	size_t digest_len;
	uint64_t clock; /* ms that the TPM ran */
	uint32_t resets;
	uint32_t restarts;
	bool safe; /* the clock never went backwards */
	uint64_t firmware;
};

/* -EBADMSG (exit code 3) and why: not a quote, truncated, something behind it, a bank that is not predicted. */
int tpm_quote_parse(const void *data, size_t len, const char *name, struct tpm_quote *ret, struct error *err);

/* @ret points into @data. */
int tpm_signature_parse(const void *data, size_t len, const char *name, struct quote_signature *ret,
			struct error *err);

/*
 * TPM2B_PUBLIC, or PEM. Of the former it is also wanted that it is a restricted signing key that never leaves its TPM: only that one signs
 * nothing that merely looks like a quote. Of a PEM whoever has it must know that.
 */
int tpm_key_parse(const void *data, size_t len, const char *name, struct quote_key **ret, struct error *err);

/* ---- PCRs ---- */

struct pcr_values {
	uint32_t known[BANK_COUNT]; /* bit i: value[i] has that bank */
	struct bank_digest value[TPM_PCRS];
};

/*
 * What tpm2_quote -o writes beside @q, serialized (TPML_PCR_SELECTION and TPML_DIGESTs, in memory order, little endian) or as bare values. The
 * selection must be the quote's.
 */
int tpm_pcrs_parse(const void *data, size_t len, const char *name, const struct tpm_quote *q,
		   struct pcr_values *ret, struct error *err);

/* The digest over the selected PCRs of @v, by @hash. False: one of them is not known. */
bool tpm_pcrs_digest(const struct tpm_quote *q, const struct pcr_values *v, enum bank hash,
		     uint8_t ret[SHA384_SIZE]);

#endif
