/* SPDX-License-Identifier: Apache-2.0 */
/* credential_process: "Sourcing credentials with an external process", AWS CLI User Guide. */
#include <errno.h>
#include <string.h>

#include "cloud/credentials_internal.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/spawn.h"
#include "template/values.h"

#define TIMEOUT_NS (UINT64_C(60) * 1000000000)

/* It must say "Version": 1. */
static int check_version(const struct buf *output, const char *what, struct error *err)
{
	_cleanup_json_ struct json *j = NULL;
	int64_t version;
	int r = js_parse(output->ptr ? output->ptr : "", output->len, what, &j, err);

	if (r < 0)
		return r;
	if (!js_int(js_member(j, "Version"), &version) || version != 1)
		return error_set(err, -EBADMSG, "%s: the output does not say \"Version\": 1", what);
	return 0;
}

static int run(const char *command, const char *what, struct credentials *ret, struct error *err)
{
	_cleanup_strlist_ struct strlist argv = {0};
	struct buf output = {0};
	int r = value_split(command, &argv, err);

	if (r == 0 && argv.len == 0)
		r = error_usage(err, "the command is empty");
	if (r < 0)
		return error_prefix(err, "%s", what);
	r = spawn_run(&(struct spawn){.argv = (const char *const *)argv.ptr,
				      .output = &output,
				      .secret = true,
				      .timeout_ns = TIMEOUT_NS},
		      err);
	if (r < 0)
		(void)error_prefix(err, "%s", what);
	if (r == 0)
		r = check_version(&output, what, err);
	if (r == 0)
		r = credentials_parse(output.ptr, output.len, &credential_names_process, what, ret, err);
	if (output.ptr)
		explicit_bzero(output.ptr, output.len);
	buf_free(&output);
	return r;
}

int credentials_from_process(const struct config *c, const char *profile, struct credentials *ret,
			     struct error *err)
{
	const char *command = config_get(c, profile, "credential_process");
	_cleanup_free_ char *what = xasprintf("credential_process of profile '%s'", profile);
	int r;

	if (!command)
		return 0;
	r = run(command, what, ret, err);
	if (r < 0)
		return r;
	ret->source = steal_pointer(&what);
	return 1;
}
