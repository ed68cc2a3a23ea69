/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roles: "Using an IAM role in the AWS CLI" and "Assume role with web identity", AWS CLI User Guide. The order and the rules for chains of profiles are botocore's
 * (AssumeRoleProvider).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/aws_sts.h"
#include "cloud/credentials_internal.h"
#include "lib/cleanup.h"

#define CHAIN_MAX 8

/* STS is asked in the session's region; without one the global endpoint stands in us-east-1. */
static const char *sts_region(const struct config *c)
{
	const char *region = config_region(c);

	return region ? region : "us-east-1";
}

static int duration_of(const struct config *c, const char *profile, unsigned *ret, struct error *err)
{
	const char *text = config_get(c, profile, "duration_seconds");
	unsigned long n;
	char *end;

	*ret = 0;
	if (!text)
		return 0;
	n = strtoul(text, &end, 10);
	if (*end || n < 900 || n > 43200)
		return error_usage(err, "profile '%s': duration_seconds = %s: 900 to 43200", profile, text);
	*ret = (unsigned)n;
	return 0;
}

/* @session NULL: a name of our own. */
static int assume(const struct config *c, struct http *http, const struct credentials *by,
		  const struct sts_role *role, struct credentials *ret, struct error *err)
{
	_cleanup_aws_ struct aws *a = aws_open_with(c, http, sts_region(c), by);
	_cleanup_free_ char *name = xasprintf("mkappliance-%lld", (long long)time(NULL));
	struct sts_role r = *role;

	if (!r.session_name)
		r.session_name = name;
	return sts_assume_role(a, &r, ret, err);
}

/* ---- web identity ---- */

int credentials_from_web_identity(const struct config *c, struct http *http, const char *profile,
				  bool use_env, struct credentials *ret, struct error *err)
{
	const char *file = use_env ? config_env("AWS_WEB_IDENTITY_TOKEN_FILE") : NULL;
	const char *arn = use_env ? config_env("AWS_ROLE_ARN") : NULL;
	const char *session = use_env ? config_env("AWS_ROLE_SESSION_NAME") : NULL;
	int r;

	if (!file)
		file = config_get(c, profile, "web_identity_token_file");
	if (!file)
		return 0;
	if (!arn)
		arn = config_get(c, profile, "role_arn");
	if (!session)
		session = config_get(c, profile, "role_session_name");
	if (!arn)
		return error_usage(err, "web identity token %s: no role_arn (AWS_ROLE_ARN) beside it", file);
	r = assume(c, http, NULL, &(struct sts_role){.arn = arn, .session_name = session, .token_file = file},
		   ret, err);
	if (r < 0)
		return r;
	ret->source = xasprintf("role %s by web identity", arn);
	return 1;
}

/* ---- role_arn in a profile ---- */

static bool has_role(const struct config *c, const char *profile)
{
	return config_get(c, profile, "role_arn") && !config_get(c, profile, "web_identity_token_file");
}

static int from_named_source(const struct config *c, struct http *http, const char *profile, const char *name,
			     struct credentials *ret, struct error *err)
{
	_cleanup_free_ char *note = NULL;
	int r;

	if (strcmp(name, "Environment") == 0)
		r = credentials_from_env(ret, err);
	else if (strcmp(name, "EcsContainer") == 0)
		r = credentials_from_container(http, ret, err);
	else if (strcmp(name, "Ec2InstanceMetadata") == 0)
		r = credentials_from_instance(c, http, ret, &note, err);
	else
		return error_usage(err,
				   "profile '%s': credential_source = %s: Environment, EcsContainer or "
				   "Ec2InstanceMetadata",
				   profile, name);
	if (r == 0)
		return error_set(err, -ENOENT, "profile '%s': no credentials in credential_source = %s%s%s",
				 profile, name, note ? ": " : "", note ? note : "");
	return r;
}

static int role_of(const struct config *c, struct http *http, const char *profile, unsigned depth,
		   struct credentials *ret, struct error *err);

/* A profile that names itself as its source means its own keys. */
static int from_source_profile(const struct config *c, struct http *http, const char *profile,
			       const char *source, unsigned depth, struct credentials *ret, struct error *err)
{
	bool keys = config_get(c, source, "aws_access_key_id") != NULL;
	int r;

	if (!config_has_profile(c, source))
		return error_usage(err, "profile '%s': source_profile '%s' is nowhere", profile, source);
	if (depth >= CHAIN_MAX || (strcmp(source, profile) == 0 && !keys))
		return error_usage(err, "profile '%s': source_profile leads round in a circle", profile);
	if (has_role(c, source) && !(strcmp(source, profile) == 0 || keys))
		return role_of(c, http, source, depth + 1, ret, err);
	if (strcmp(source, profile) == 0) {
		r = credentials_from_credentials_file(c, source, ret, err);
		if (r == 0)
			r = credentials_from_config_file(c, source, ret, err);
	} else {
		r = credentials_of_profile(c, http, source, false, ret, err);
	}
	if (r == 0)
		return error_set(err, -ENOENT, "profile '%s': source_profile '%s' has no credentials",
				 profile, source);
	return r;
}

static int source_of(const struct config *c, struct http *http, const char *profile, unsigned depth,
		     struct credentials *ret, struct error *err)
{
	const char *source = config_get(c, profile, "source_profile"),
		   *named = config_get(c, profile, "credential_source");

	if (source && named)
		return error_usage(err, "profile '%s': source_profile or credential_source, not both",
				   profile);
	if (!source && !named)
		return error_usage(err, "profile '%s': role_arn needs source_profile or credential_source",
				   profile);
	if (config_get(c, profile, "mfa_serial"))
		return error_usage(
			err,
			"profile '%s': mfa_serial needs somebody who types a code; use credential_process = "
			"aws configure export-credentials --profile %s --format process",
			profile, profile);
	return named ? from_named_source(c, http, profile, named, ret, err)
		     : from_source_profile(c, http, profile, source, depth, ret, err);
}

static int role_of(const struct config *c, struct http *http, const char *profile, unsigned depth,
		   struct credentials *ret, struct error *err)
{
	_cleanup_credentials_ struct credentials by = {0};
	struct sts_role role = {.arn = config_get(c, profile, "role_arn"),
				.session_name = config_get(c, profile, "role_session_name"),
				.external_id = config_get(c, profile, "external_id")};
	int r = duration_of(c, profile, &role.duration_s, err);

	if (r < 0)
		return r;
	r = source_of(c, http, profile, depth, &by, err);
	if (r < 0)
		return r;
	r = assume(c, http, &by, &role, ret, err);
	if (r < 0)
		return r;
	ret->source = xasprintf("role %s by %s", role.arn, by.source);
	return 1;
}

int credentials_from_role(const struct config *c, struct http *http, struct credentials *ret,
			  struct error *err)
{
	return has_role(c, c->profile) ? role_of(c, http, c->profile, 0, ret, err) : 0;
}
