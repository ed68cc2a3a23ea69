/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/credentials.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "cloud/credentials_internal.h"
#include "lib/cleanup.h"

void credentials_guard(void)
{
	(void)prctl(PR_SET_DUMPABLE, 0);
}

void secret_free(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

void credentials_free(struct credentials *c)
{
	free(c->access_key);
	secret_free(c->secret_key);
	secret_free(c->session_token);
	free(c->source);
	*c = (struct credentials){0};
}

bool credentials_clean(const struct credentials *c)
{
	const char *const texts[] = {c->access_key, c->secret_key, c->session_token};

	for (size_t i = 0; i < 3; i++)
		for (const unsigned char *p = (const unsigned char *)texts[i]; p && *p; p++)
			if (*p <= 0x20 || *p >= 0x7f)
				return false;
	return true;
}

/* Both keys, or neither: half of a pair is a mistake that would send us to other credentials. */
static int take_pair(const char *access_key, const char *secret_key, const char *token, const char *where,
		     struct credentials *ret, struct error *err)
{
	if (!secret_key)
		return error_usage(err, "%s: aws_access_key_id without aws_secret_access_key", where);
	ret->access_key = xstrdup(access_key);
	ret->secret_key = xstrdup(secret_key);
	ret->session_token = token ? xstrdup(token) : NULL;
	ret->source = xstrdup(where);
	return 1;
}

int credentials_from_env(struct credentials *ret, struct error *err)
{
	const char *access_key = config_env("AWS_ACCESS_KEY_ID"), *token = config_env("AWS_SESSION_TOKEN");

	if (!access_key)
		return 0;
	return take_pair(access_key, config_env("AWS_SECRET_ACCESS_KEY"),
			 token ? token : config_env("AWS_SECURITY_TOKEN"), "the environment", ret, err);
}

/* Keys in one file's section of a profile. */
static int from_file(const struct config_file *f, const char *section, const char *path,
		     struct credentials *ret, struct error *err)
{
	const char *access_key = config_file_get(f, section, "aws_access_key_id", NULL), *token;
	_cleanup_free_ char *where = xasprintf("[%s] of %s", section, path);

	if (!access_key || !*access_key)
		return 0;
	token = config_file_get(f, section, "aws_session_token", NULL);
	if (!token)
		token = config_file_get(f, section, "aws_security_token", NULL);
	return take_pair(access_key, config_file_get(f, section, "aws_secret_access_key", NULL), token, where,
			 ret, err);
}

int credentials_from_credentials_file(const struct config *c, const char *profile, struct credentials *ret,
				      struct error *err)
{
	return from_file(&c->credentials, profile, c->credentials_path, ret, err);
}

int credentials_from_config_file(const struct config *c, const char *profile, struct credentials *ret,
				 struct error *err)
{
	_cleanup_free_ char *section = config_section(c, profile);

	return section ? from_file(&c->config, section, c->config_path, ret, err) : 0;
}

int credentials_of_profile(const struct config *c, struct http *http, const char *profile, bool use_env,
			   struct credentials *ret, struct error *err)
{
	int r = credentials_from_web_identity(c, http, profile, use_env, ret, err);

	if (r == 0)
		r = credentials_from_sso(c, http, profile, ret, err);
	if (r == 0)
		r = credentials_from_credentials_file(c, profile, ret, err);
	if (r == 0)
		r = credentials_from_process(c, profile, ret, err);
	return r ? r : credentials_from_config_file(c, profile, ret, err);
}

/* In botocore's order. A profile that was given as an option comes before the environment's keys. */
static int find(const struct config *c, struct http *http, struct credentials *ret, char **ret_note,
		struct error *err)
{
	int r = c->profile_option ? 0 : credentials_from_env(ret, err);

	if (r == 0)
		r = credentials_from_role(c, http, ret, err);
	if (r == 0)
		r = credentials_of_profile(c, http, c->profile, !c->profile_option, ret, err);
	if (r == 0)
		r = credentials_from_container(http, ret, err);
	return r ? r : credentials_from_instance(c, http, ret, ret_note, err);
}

int credentials_find(const struct config *c, struct http *http, struct credentials *ret, struct error *err)
{
	_cleanup_credentials_ struct credentials found = {0};
	_cleanup_free_ char *note = NULL;
	int r = find(c, http, &found, &note, err);

	if (r < 0)
		return r;
	if (r == 0)
		return error_set(
			err, -ENOENT,
			"no AWS credentials: neither in the environment (AWS_ACCESS_KEY_ID) nor in profile "
			"'%s' of %s or %s, and none of a container or an instance%s%s%s",
			c->profile, c->credentials_path, c->config_path, note ? " (" : "", note ? note : "",
			note ? ")" : "");
	if (!credentials_clean(&found))
		return error_set(err, -EINVAL, "credentials of %s: blanks or control characters in them",
				 found.source);
	*ret = found;
	found = (struct credentials){0};
	return 0;
}
