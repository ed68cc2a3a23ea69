/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/aws_sts.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cloud/aws_query.h"
#include "lib/cleanup.h"
#include "lib/io.h"

#define TOKEN_MAX 20000 /* WebIdentityToken, AWS STS API Reference */

bool aws_time_parse(const char *text, time_t *ret)
{
	struct tm tm = {0};
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

	if (!end)
		return false;
	if (*end == '.')
		end += 1 + strspn(end + 1, "0123456789");
	if (strcmp(end, "Z") != 0 && strcmp(end, "+00:00") != 0 && strcmp(end, "UTC") != 0 && *end)
		return false;
	*ret = timegm(&tm);
	return true;
}

static int copy_text(const struct xml_node *n, const char *path, char *to, size_t size, struct error *err)
{
	const char *value = xml_text(n, path);

	if (!value || strlen(value) >= size)
		return error_set(err, -EBADMSG, "sts: the answer has no usable %s", path);
	strcpy(to, value);
	error_one_line(to);
	return 0;
}

int sts_caller_identity(struct aws *a, struct sts_identity *ret, struct error *err)
{
	_cleanup_xml_ struct xml *x = NULL;
	struct sts_identity id = {0};
	const struct xml_node *n;
	int r = aws_query(a, &(struct aws_query){.service = "sts", .action = "GetCallerIdentity"}, NULL, &x,
			  NULL, err);

	if (r < 0)
		return r;
	n = xml_find(xml_root(x), "GetCallerIdentityResult");
	r = copy_text(n, "Account", id.account, sizeof(id.account), err);
	if (r == 0)
		r = copy_text(n, "Arn", id.arn, sizeof(id.arn), err);
	if (r == 0)
		r = copy_text(n, "UserId", id.user_id, sizeof(id.user_id), err);
	if (r < 0)
		return r;
	*ret = id;
	return 0;
}

static int role_answer(const struct xml_node *n, struct credentials *ret, struct error *err)
{
	const char *key = xml_text(n, "AccessKeyId"), *secret = xml_text(n, "SecretAccessKey"),
		   *token = xml_text(n, "SessionToken"), *expires = xml_text(n, "Expiration");
	time_t when;

	if (!key || !secret || !token || !expires || !aws_time_parse(expires, &when))
		return error_set(err, -EBADMSG, "sts: the answer has no whole set of credentials");
	ret->access_key = xstrdup(key);
	ret->secret_key = xstrdup(secret);
	ret->session_token = xstrdup(token);
	ret->expires = when;
	return 0;
}

/* A token of one line, without the newline at its end. */
static int add_token(const char *path, struct buf *form, struct error *err)
{
	struct buf token = {0};
	int r = io_read_file(AT_FDCWD, path, TOKEN_MAX, &token, err);

	if (r < 0)
		return error_prefix(err, "web identity token");
	while (token.len && isspace((unsigned char)token.ptr[token.len - 1]))
		token.ptr[--token.len] = 0;
	if (token.len)
		form_add(form, token.ptr, "WebIdentityToken");
	else
		r = error_usage(err, "web identity token: %s is empty", path);
	if (token.ptr)
		explicit_bzero(token.ptr, token.len);
	buf_free(&token);
	return r;
}

int sts_assume_role(struct aws *a, const struct sts_role *role, struct credentials *ret, struct error *err)
{
	struct aws_query q = {.service = "sts",
			      .action = role->token_file ? "AssumeRoleWithWebIdentity" : "AssumeRole",
			      .resource = role->arn,
			      .anonymous = role->token_file != NULL};
	_cleanup_free_ char *path = xasprintf("%sResult.Credentials", q.action);
	_cleanup_xml_ struct xml *x = NULL;
	struct buf form = {0};
	int r = role->token_file ? add_token(role->token_file, &form, err) : 0;

	if (r == 0) {
		form_add(&form, role->arn, "RoleArn");
		form_add(&form, role->session_name, "RoleSessionName");
		form_add(&form, role->external_id, "ExternalId");
		form_add_number(&form, role->duration_s ? role->duration_s : 3600, "DurationSeconds");
		r = aws_query(a, &q, &form, &x, NULL, err);
	}
	if (form.ptr)
		explicit_bzero(form.ptr, form.len);
	buf_free(&form);
	return r < 0 ? r : role_answer(xml_find(xml_root(x), path), ret, err);
}
