/* SPDX-License-Identifier: Apache-2.0 */
/* mkappliance pcrs IMAGE: what a TPM of a machine that runs the image holds. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check/uki_read.h"
#include "cmd.h"
#include "image/manifest.h"
#include "image/secure_boot.h"
#include "lib/cleanup.h"

static void print_table(const struct measurements *m)
{
	for (enum bank b = 0; b < BANK_COUNT; b++)
		for (size_t i = 0; i < MEASURE_PCR_COUNT; i++) {
			struct bank_digest value;
			char hex[SHA384_HEX_SIZE];

			measure_pcr(m, measure_pcrs[i], &value);
			hex_encode(value.b[b], bank_size(b), hex);
			printf("%s:%u %s\n", bank_name(b), measure_pcrs[i], hex);
		}
}

static struct json *banks_json(const struct measurements *m)
{
	struct json *banks = js_object_new();

	for (enum bank b = 0; b < BANK_COUNT; b++) {
		struct json *bank = js_object_new();

		for (size_t i = 0; i < MEASURE_PCR_COUNT; i++) {
			struct bank_digest value;
			char number[16];

			measure_pcr(m, measure_pcrs[i], &value);
			snprintf(number, sizeof(number), "%u", measure_pcrs[i]);
			js_set_bytes(bank, number, value.b[b], bank_size(b));
		}
		js_set(banks, bank_name(b), bank);
	}
	return banks;
}

static struct json *pcrs_json(const char *image, const struct measurements *m)
{
	struct json *j = js_object_new();

	js_set_string(j, "image", image);
	js_set(j, "pcrs", banks_json(m));
	js_set(j, "events", manifest_events_json(m->events, m->count));
	return j;
}

/*
 * The condition block of a KMS key policy for instances with a NitroTPM (AWS KMS Developer Guide, "Condition keys for NitroTPM"):
 * SHA-384, PCR 4 and 7, and always 12 beside them, since the stub accepts a command line from outside when Secure Boot is off.
 */
static struct json *kms_json(const struct measurements *m)
{
	static const unsigned bound[] = {4, 7, 12};
	struct json *j = js_object_new(), *equals = js_object_new();

	for (size_t i = 0; i < sizeof(bound) / sizeof(bound[0]); i++) {
		struct bank_digest value;
		char key[64];

		measure_pcr(m, bound[i], &value);
		snprintf(key, sizeof(key), "kms:RecipientAttestation:NitroTPMPCR%u", bound[i]);
		js_set_bytes(equals, key, value.b[BANK_SHA384], bank_size(BANK_SHA384));
	}
	js_set(j, "StringEqualsIgnoreCase", equals);
	return j;
}

static int run_pcrs(const struct command *self, int argc, char **argv, struct error *err)
{
	const char *keys = NULL;
	bool kms = false;
	const struct option_spec options[] = {
		{"secure-boot", 0, OPTION_STRING, "DIR",
		 "for firmware with the keys of DIR (mkappliance keygen), Secure Boot on", &keys},
		{"kms-policy", 0, OPTION_FLAG, NULL, "print the condition of an AWS KMS key policy instead",
		 &kms},
		{0},
	};
	_cleanup_free_ struct measurements *m = xcalloc(1, sizeof(*m));
	_cleanup_secure_boot_ struct secure_boot sb = {0};
	_cleanup_free_ void *uki = NULL;
	_cleanup_json_ struct json *j = NULL;
	struct common_options common;
	const char *image;
	size_t count, len;
	int r;

	r = cmd_parse(self, options, argc, argv, 1, 1, &image, &count, &common, err);
	if (r != 0)
		return r;
	r = uki_read(image, &uki, &len, err);
	if (r == 0 && keys)
		r = secure_boot_read(keys, &sb, err);
	if (r == 0 && keys)
		r = secure_boot_find_authority(&sb, uki, len, image, err);
	if (r == 0)
		r = measure_uki(uki, len, image, keys ? &sb : NULL, NULL, m, err);
	if (r < 0)
		return r;
	if (!kms && !common.json) {
		print_table(m);
		return 0;
	}
	j = kms ? kms_json(m) : pcrs_json(image, m);
	return cmd_print_json(j, err);
}

const struct command cmd_pcrs = {
	.name = "pcrs",
	.arguments = "IMAGE",
	.summary = "Predict what a TPM measures when a machine boots the image",
	.run = run_pcrs,
};
