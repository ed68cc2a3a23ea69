/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ties an attestation key to a TPM: a nonce that this TPM alone can read, and only while it holds that key. A quote by the key which answers
 * with that nonce was made there, and after it was asked.
 */
#ifndef MKAPPLIANCE_CHECK_CHALLENGE_H
#define MKAPPLIANCE_CHECK_CHALLENGE_H

#include "check/attest.h"
#include "check/tpm_public.h"

#define CHALLENGE_NONCE_SIZE 32

struct challenge_input {
	struct attest_file ek; /* endorsement key: TPM2B_PUBLIC, or public key or certificate in PEM or DER */
	struct attest_file
		ca; /* certificates of the TPM's maker, in PEM; .data NULL: whose key it is is known otherwise */
	struct attest_file ak; /* attestation key: TPM2B_PUBLIC */
};

struct challenge {
	uint8_t nonce[CHALLENGE_NONCE_SIZE];
	uint8_t name[TPM_NAME_MAX]; /* of the attestation key */
	size_t name_len;
	struct buf file; /* what tpm2_activatecredential -i takes; freed by the caller */
};

/* -EBADMSG (exit code 3) for keys that are not what they should be, and for a certificate of nobody known. */
int challenge_make(const struct challenge_input *in, struct challenge *ret, struct error *err);

#endif
