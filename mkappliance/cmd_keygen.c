/* SPDX-License-Identifier: Apache-2.0 */
/* mkappliance keygen DIR: the keys of Secure Boot, and the one that signs root hashes. */
#include <stdio.h>
#include <time.h>

#include "cmd.h"
#include "image/secure_boot.h"
#include "image/sign.h"

#define BITS_MAX 4096u /* more, and firmware gives up */
#define DAYS_MAX 36500u

static int run_keygen(const struct command *self, int argc, char **argv, struct error *err)
{
	struct keys_options o = {.name = "mkappliance", .bits = 2048, .days = 3650};
	const struct option_spec options[] = {
		{"name", 0, OPTION_STRING, "NAME",
		 "what the certificates' names begin with (default: mkappliance)", &o.name},
		{"bits", 0, OPTION_NUMBER, "N", "of RSA, 2048 to 4096 (default: 2048)", &o.bits},
		{"days", 0, OPTION_NUMBER, "N", "how long the certificates are valid (default: 3650)",
		 &o.days},
		{0},
	};
	struct common_options common;
	const char *dir;
	size_t count;
	int r;

	r = cmd_parse(self, options, argc, argv, 1, 1, &dir, &count, &common, err);
	if (r != 0)
		return r;
	if (o.bits < SIGN_RSA_BITS_MIN || o.bits > BITS_MAX)
		return error_usage(err, "--bits=%u: 2048 to 4096 is what firmware verifies", o.bits);
	if (o.days < 1 || o.days > DAYS_MAX)
		return error_usage(err, "--days=%u: 1 to %u", o.days, DAYS_MAX);
	if (!*o.name || !o.name[1])
		return error_usage(err, "--name=%s: at least two characters", o.name);
	o.now = time(NULL);
	r = secure_boot_generate(dir, &o, err);
	if (r < 0)
		return r;
	if (common.json) {
		_cleanup_json_ struct json *j = js_object_new();

		js_set_string(j, "directory", dir);
		return cmd_print_json(j, err);
	}
	if (!common.quiet)
		printf("%s: PK, KEK, db and verity; move PK.key and KEK.key to a safe place, a build needs neither\n",
		       dir);
	return 0;
}

const struct command cmd_keygen = {
	.name = "keygen",
	.arguments = "DIR",
	.summary = "Make the keys of Secure Boot, and the one that signs root hashes",
	.run = run_keygen,
};
