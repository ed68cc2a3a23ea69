/* SPDX-License-Identifier: Apache-2.0 */
/* The member "pcrs": what a TPM of a machine that runs the image holds. */
#include <errno.h>
#include <stdio.h>

#include "image/manifest.h"

struct json *manifest_pcrs_json(const struct manifest_pcrs *p)
{
	struct json *j;

	if (!p->known)
		return NULL;
	j = js_object_new();
	js_set_bool(j, "secure_boot", p->secure_boot);
	for (enum bank b = 0; b < BANK_COUNT; b++) {
		struct json *bank = js_object_new();

		for (size_t i = 0; i < MEASURE_PCR_COUNT; i++) {
			char number[16];

			snprintf(number, sizeof(number), "%u", measure_pcrs[i]);
			js_set_bytes(bank, number, p->value[i].b[b], bank_size(b));
		}
		js_set(j, bank_name(b), bank);
	}
	return j;
}

int manifest_pcrs_read(const struct json *j, struct manifest_pcrs *ret, struct error *err)
{
	if (!j)
		return 0;
	if (!js_is_object(j) || !js_bool(js_get(j, "secure_boot"), &ret->secure_boot))
		return error_set(err, -EINVAL, "'pcrs' is not an object that says 'secure_boot'");
	for (enum bank b = 0; b < BANK_COUNT; b++)
		for (size_t i = 0; i < MEASURE_PCR_COUNT; i++) {
			char path[32];
			int r;

			snprintf(path, sizeof(path), "%s.%u", bank_name(b), measure_pcrs[i]);
			r = js_need_bytes(j, path, ret->value[i].b[b], bank_size(b), err);
			if (r < 0)
				return error_prefix(err, "pcrs");
		}
	ret->known = true;
	return 0;
}
