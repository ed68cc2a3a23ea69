/* SPDX-License-Identifier: Apache-2.0 */
/* What comes from somebody else's TPM: quote, signature, public keys, PCRs, event log. Each reader sees every input. */
#include <assert.h>

#include "check/challenge.h"
#include "check/event_log.h"
#include "lib/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* As the one key and as the other, beside a good one. */
static void ask(const uint8_t *data, size_t len)
{
	/* An attestation key on P-256, whose point a challenge does not look at. */
	static const uint8_t good[] = {0, 0x16, 0, 0x23, 0, 0x0b, 0, 5,	   0, 0x72, 0, 0,
				       0, 0x10, 0, 0x10, 0, 3,	  0, 0x10, 0, 0,    0, 0};
	const struct attest_file file = {"fuzz", data, len}, ak = {"ak", good, sizeof(good)};
	const struct challenge_input inputs[] = {{.ek = file, .ak = ak}, {.ek = ak, .ak = file}};

	for (size_t i = 0; i < 2; i++) {
		struct error err = ERROR_INIT;
		struct challenge c = {0};

		if (challenge_make(&inputs[i], &c, &err) < 0)
			assert(err.code < 0);
		buf_free(&c.file);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct tpm_quote selects = {.selection = {{BANK_SHA256, 0x1890}, {BANK_SHA384, 0x1890}},
						 .selection_count = 2};
	_cleanup_event_log_ struct event_log log = {0};
	_cleanup_quote_key_ struct quote_key *key = NULL;
	struct error err = ERROR_INIT;
	struct quote_signature signature;
	struct pcr_values values;
	struct tpm_quote quote;
	uint8_t digest[SHA384_SIZE];

	if (tpm_quote_parse(data, len, "fuzz", &quote, &err) == 0) {
		assert(quote.selection_count <= TPM_SELECTIONS_MAX && quote.nonce_len <= TPM_NONCE_MAX);
		(void)tpm_pcrs_parse(data, len, "fuzz", &quote, &values, &err);
	}
	if (tpm_key_parse(data, len, "fuzz", &key, &err) < 0)
		assert(err.exit == EXIT_REFUSED);
	if (tpm_signature_parse(data, len, "fuzz", &signature, &err) == 0) {
		assert(signature.r_len < len && (signature.s_len == 0 || signature.s));
		if (key)
			(void)quote_verify(key, &signature, data, len);
	}
	if (tpm_pcrs_parse(data, len, "fuzz", &selects, &values, &err) == 0)
		assert(tpm_pcrs_digest(&selects, &values, BANK_SHA256, digest));
	if (event_log_parse(data, len, "fuzz", &log, &err) == 0)
		event_log_replay(&log, &values);
	ask(data, len);
	return 0;
}
