/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials in JSON, as programs, containers, instances and SSO hand them out; each with names of its own. */
#include <errno.h>
#include <string.h>

#include "cloud/aws_sts.h"
#include "cloud/credentials_internal.h"
#include "lib/cleanup.h"
#include "lib/json.h"

/* "process credentials", AWS CLI User Guide; the others say Token. */
const struct credential_names credential_names_process = {"AccessKeyId", "SecretAccessKey", "SessionToken",
							  "Expiration", NULL};
const struct credential_names credential_names_local = {"AccessKeyId", "SecretAccessKey", "Token",
							"Expiration", NULL};
/* GetRoleCredentials, AWS SSO Portal API Reference: expiration in milliseconds. */
const struct credential_names credential_names_sso = {"accessKeyId", "secretAccessKey", "sessionToken",
						      "expiration", "roleCredentials"};

/* @ret untouched when there is none; false when it is neither a time nor a number of milliseconds. */
static bool take_time(const struct json *j, time_t *ret)
{
	const char *text = js_string(j);
	int64_t ms;

	if (js_is_null(j))
		return true;
	if (text)
		return aws_time_parse(text, ret);
	if (!js_int(j, &ms) || ms < 0)
		return false;
	*ret = (time_t)(ms / 1000);
	return true;
}

int credentials_parse(const char *text, size_t len, const struct credential_names *names, const char *what,
		      struct credentials *ret, struct error *err)
{
	_cleanup_json_ struct json *j = NULL;
	const char *key, *secret, *token;
	const struct json *in;
	time_t expires = 0;
	int r = js_parse(text ? text : "", len, what, &j, err);

	if (r < 0)
		return r;
	in = names->inside ? js_member(j, names->inside) : j;
	key = js_string(js_member(in, names->access_key));
	secret = js_string(js_member(in, names->secret_key));
	token = js_string(js_member(in, names->token));
	if (!key || !secret || !*key || !*secret)
		return error_set(err, -EBADMSG, "%s: no %s and %s in the answer", what, names->access_key,
				 names->secret_key);
	if (!take_time(js_member(in, names->expires), &expires))
		return error_set(err, -EBADMSG, "%s: %s is no time", what, names->expires);
	ret->access_key = xstrdup(key);
	ret->secret_key = xstrdup(secret);
	ret->session_token = token && *token ? xstrdup(token) : NULL;
	ret->expires = expires;
	return 0;
}
