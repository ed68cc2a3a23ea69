/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/aws_ssm.h"

#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"

static int call_ssm(struct aws *a, const char *action, const char *target, const char *region,
		    const char *name, const struct json *parameters, struct http_reply *ret,
		    struct error *err)
{
	const char *const headers[] = {"Content-Type: application/x-amz-json-1.1", target, NULL};
	_cleanup_free_ char *body = js_text(parameters, true);
	struct aws_call call = {.service = "ssm",
				.action = action,
				.resource = name,
				.region = region,
				.method = "POST",
				.path = "/",
				.headers = headers,
				.body = body,
				.body_len = strlen(body)};
	struct aws_failure failure = {0};
	int r = aws_perform(a, &call, ret, &failure, err);

	return r < 0 && strcmp(failure.code, "ParameterNotFound") == 0 ? -ENOENT : r;
}

int ssm_put_image(struct aws *a, const char *region, const char *name, const char *image, struct error *err)
{
	_cleanup_reply_ struct http_reply reply = {0};
	_cleanup_json_ struct json *j = js_object_new();

	js_set_string(j, "Name", name);
	js_set_string(j, "Value", image);
	js_set_string(j, "Type", "String");
	if (strncmp(image, "ami-", 4) == 0)
		js_set_string(j, "DataType", "aws:ec2:image");
	js_set_bool(j, "Overwrite", true);
	return call_ssm(a, "PutParameter", "X-Amz-Target: AmazonSSM.PutParameter", region, name, j, &reply,
			err);
}

int ssm_get(struct aws *a, const char *region, const char *name, char **ret, struct error *err)
{
	_cleanup_reply_ struct http_reply reply = {0};
	_cleanup_json_ struct json *j = js_object_new(), *answer = NULL;
	const char *value;
	int r;

	js_set_string(j, "Name", name);
	r = call_ssm(a, "GetParameter", "X-Amz-Target: AmazonSSM.GetParameter", region, name, j, &reply, err);
	if (r < 0)
		return r;
	r = js_parse(reply.body.len ? reply.body.ptr : "", reply.body.len, "ssm:GetParameter", &answer, err);
	if (r == 0)
		r = js_need_string(answer, "Parameter.Value", &value, err);
	if (r < 0)
		return r;
	*ret = xstrdup(value);
	return 0;
}
