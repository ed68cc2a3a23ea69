/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IAM Identity Center: the token that "aws sso login" put into ~/.aws/sso/cache buys a role's credentials (GetRoleCredentials, AWS SSO Portal API
 * Reference). We never log in.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "cloud/aws_sts.h"
#include "cloud/credentials_internal.h"
#include "cloud/sigv4.h"
#include "lib/cleanup.h"
#include "lib/hash.h"
#include "lib/io.h"
#include "lib/json.h"
#include "lib/percent.h"

#define CACHE_MAX ((size_t)1 << 20)

struct sso {
	const char *session; /* NULL: the older form, in the profile itself */
	const char *start_url, *region, *account, *role;
};

/* 1 configured, 0 not, -errno by half. */
static int settings(const struct config *c, const char *profile, struct sso *s, struct error *err)
{
	_cleanup_free_ char *section = NULL;

	s->session = config_get(c, profile, "sso_session");
	s->account = config_get(c, profile, "sso_account_id");
	s->role = config_get(c, profile, "sso_role_name");
	s->start_url = config_get(c, profile, "sso_start_url");
	s->region = config_get(c, profile, "sso_region");
	/* A profile that only logs in to other services has neither. */
	if (!s->account && !s->role)
		return 0;
	if (s->session) {
		section = xasprintf("sso-session %s", s->session);
		if (!config_file_has(&c->config, section))
			return error_usage(err, "profile '%s': there is no [%s] in %s", profile, section,
					   c->config_path);
		s->start_url = config_file_get(&c->config, section, "sso_start_url", NULL);
		s->region = config_file_get(&c->config, section, "sso_region", NULL);
	}
	if (!s->account || !s->role || !s->start_url || !s->region)
		return error_usage(
			err,
			"profile '%s': SSO needs sso_account_id, sso_role_name, sso_start_url and sso_region",
			profile);
	return 1;
}

/* The cached token, to be freed with secret_free(). */
static int read_token(const struct sso *s, const char *profile, char **ret, struct error *err)
{
	const char *name = s->session ? s->session : s->start_url, *home = config_env("HOME"), *token, *until;
	char hex[SHA1_HEX_SIZE];
	_cleanup_free_ char *path = NULL;
	_cleanup_json_ struct json *j = NULL;
	struct buf text = {0};
	time_t expires;
	int r;

	sha1_hex_of(name, strlen(name), hex);
	path = xasprintf("%s/.aws/sso/cache/%s.json", home ? home : "", hex);
	r = io_read_file(AT_FDCWD, path, CACHE_MAX, &text, err);
	if (r == 0)
		r = js_parse(text.ptr ? text.ptr : "", text.len, path, &j, err);
	if (text.ptr)
		explicit_bzero(text.ptr, text.len);
	buf_free(&text);
	if (r == -ENOENT)
		return error_set(err, -ENOENT, "not logged in; run: aws sso login --profile %s", profile);
	if (r < 0)
		return r;
	token = js_string(js_member(j, "accessToken"));
	until = js_string(js_member(j, "expiresAt"));
	if (!token || !until || !aws_time_parse(until, &expires))
		return error_set(err, -EBADMSG, "%s: no accessToken with expiresAt", path);
	if (expires <= time(NULL))
		return error_set(err, -EKEYEXPIRED, "the login has expired; run: aws sso login --profile %s",
				 profile);
	*ret = xstrdup(token);
	return 0;
}

static char *portal_url(const struct config *c, const struct sso *s)
{
	const char *endpoint = config_endpoint(c, "SSO");
	struct buf b = {0};

	if (endpoint)
		buf_printf(&b, "%.*s", (int)(strlen(endpoint) - (endpoint[strlen(endpoint) - 1] == '/')),
			   endpoint);
	else
		buf_printf(&b, "https://portal.sso.%s.amazonaws.com%s", s->region,
			   strncmp(s->region, "cn-", 3) == 0 ? ".cn" : "");
	buf_printf(&b, "/federation/credentials?role_name=");
	percent_encode(&b, s->role, "");
	buf_printf(&b, "&account_id=");
	percent_encode(&b, s->account, "");
	return buf_steal(&b);
}

static int get_role(const struct config *c, struct http *http, const struct sso *s, const char *token,
		    struct credentials *ret, struct error *err)
{
	_cleanup_free_ char *url = portal_url(c, s);
	char *header = xasprintf("x-amz-sso_bearer_token: %s", token);
	const char *const headers[] = {header, NULL};
	_cleanup_reply_ struct http_reply reply = {0};
	int r = credentials_fetch(http,
				  &(struct http_request){.method = "GET", .url = url, .headers = headers}, 5,
				  "sso:GetRoleCredentials", &reply, err);

	secret_free(header);
	if (r == -EIO && (reply.status == 401 || reply.status == 403))
		return error_set(err, -EKEYREJECTED,
				 "sso:GetRoleCredentials: role %s of account %s is refused (HTTP status %d)",
				 s->role, s->account, reply.status);
	if (r < 0)
		return r;
	return credentials_parse(reply.body.ptr, reply.body.len, &credential_names_sso,
				 "sso:GetRoleCredentials", ret, err);
}

int credentials_from_sso(const struct config *c, struct http *http, const char *profile,
			 struct credentials *ret, struct error *err)
{
	struct sso s = {0};
	char *token = NULL;
	int r = settings(c, profile, &s, err);

	if (r <= 0)
		return r;
	r = read_token(&s, profile, &token, err);
	if (r == 0)
		r = get_role(c, http, &s, token, ret, err);
	secret_free(token);
	if (r < 0)
		return error_prefix(err, "SSO of profile '%s'", profile);
	ret->source = xasprintf("SSO of profile '%s'", profile);
	return 1;
}
