/* SPDX-License-Identifier: Apache-2.0 */
/* What the manifest says that a TPM will hold: attest believes it, so it must be what this UKI gives. */
#include <errno.h>
#include <string.h>

#include "check/verify_internal.h"
#include "image/measure.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#define NAME	 "PCRs"
#define KEYS_PCR 7u

/* The first that is another one; 0: none. The keys of Secure Boot are not in the image, so nothing is known of their PCR. */
static unsigned differing_pcr(const struct manifest_pcrs *p, const struct measurements *m)
{
	for (size_t i = 0; i < MEASURE_PCR_COUNT; i++) {
		struct bank_digest value;

		if (measure_pcrs[i] == KEYS_PCR && p->secure_boot)
			continue;
		measure_pcr(m, measure_pcrs[i], &value);
		for (enum bank b = 0; b < BANK_COUNT; b++)
			if (memcmp(value.b[b], p->value[i].b[b], bank_size(b)) != 0)
				return measure_pcrs[i];
	}
	return 0;
}

int verify_pcrs(struct verify *v, const void *uki, size_t len, struct error *err)
{
	const struct manifest_pcrs *p = &v->m->pcrs;
	const struct secure_boot keys = {.enabled = true};
	_cleanup_free_ struct measurements *m = NULL;
	struct error bad = ERROR_INIT;
	unsigned pcr;
	int r;

	if (!p->known)
		return 0;
	m = xcalloc(1, sizeof(*m));
	r = measure_uki(uki, len, "UKI", p->secure_boot ? &keys : NULL, NULL, m, &bad);
	if (r == -EINTR) {
		*err = bad;
		return r;
	}
	if (r < 0) {
		report_bad(v, NAME, "the manifest has them, but %s", bad.text);
		return 0;
	}
	pcr = differing_pcr(p, m);
	if (pcr)
		report_bad(v, NAME, "PCR %u of the manifest is not what this UKI gives", pcr);
	else
		report_ok(v, NAME, "%s follow from the UKI",
			  p->secure_boot ? "4, 11 and 12 with Secure Boot" : "4, 7, 11 and 12");
	return 0;
}
