/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a machine that answers with a TPM quote runs the image of a manifest: the attestation key signed it, it answers this question and no
 * earlier one, and the PCRs that it signs are the predicted ones. With the firmware's event log or the PCRs beside the quote it is also said which PCR,
 * and which event, is another. Neither is believed: what they say must have the digest that the TPM signed.
 */
#ifndef MKAPPLIANCE_CHECK_ATTEST_H
#define MKAPPLIANCE_CHECK_ATTEST_H

#include "check/steps.h"
#include "check/tpm_quote.h"
#include "image/manifest.h"

struct attest_report {
	struct check_steps steps;
	bool ok;
	struct tpm_quote quote;
};

/* A file as it was read. */
struct attest_file {
	const char *name;
	const void *data;
	size_t len;
};

struct attest_input {
	struct attest_file quote, signature, key;
	struct attest_file log;	 /* of the firmware; .data NULL: none */
	struct attest_file pcrs; /* as well */
	const uint8_t *nonce;
	size_t nonce_len;
	const struct manifest *manifest;
};

/*
 * Everything is looked at, so that the report is whole; see ret->ok. -EBADMSG (exit code 3) for what cannot be read as what it should be. @ret is freed by
 * attest_report_free() in either case.
 */
int attest(const struct attest_input *in, struct attest_report *ret, struct error *err);
void attest_report_free(struct attest_report *r);
#define _cleanup_attest_ __attribute__((cleanup(attest_report_free)))

#endif
