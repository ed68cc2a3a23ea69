/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer means: done, again or fatal; and the errors that come of it. */
#include "unit.h"

#include <errno.h>
#include <time.h>

#include "cloud/aws_ebs.h"
#include "cloud/aws_internal.h"
#include "lib/log.h"

static const struct config no_config;
static char access_key[] = "AKIA", secret_key[] = "s", token[] = "token";
static const struct credentials keys = {.access_key = access_key, .secret_key = secret_key};
static const struct aws_call put = {.service = "ebs", .action = "PutSnapshotBlock", .resource = "snap-1"};

#define EBS(type, reason) "x-amzn-ErrorType: " type, "{\"Message\": \"m\", \"Reason\": \"" reason "\"}"
#define EC2(code)                                                                                   \
	NULL, "<Response><Errors><Error><Code>" code "</Code><Message>m</Message></Error></Errors>" \
	      "<RequestID>r-1</RequestID></Response>"
#define QUERY(code) NULL, "<ErrorResponse><Error><Code>" code "</Code></Error></ErrorResponse>"
#define JSON(type)  NULL, "{\"__type\": \"com.amazonaws.ssm#" type "\", \"message\": \"m\"}"

static const struct {
	int status;
	const char *header, *body;
	enum aws_verdict verdict;
	int expect; /* AWS_AGAIN: enum retry_reason, AWS_FATAL: errno */
} answers[] = {
	{200, NULL, "", AWS_DONE, 0},
	{201, NULL, "", AWS_DONE, 0},
	{202, NULL, "", AWS_DONE, 0},
	{500, EBS("InternalServerException", "INTERNAL_ERROR"), AWS_AGAIN, RETRY_SERVER},
	{502, NULL, "<html>bad gateway</html>", AWS_AGAIN, RETRY_SERVER},
	{503, NULL, "", AWS_AGAIN, RETRY_SERVER},
	{504, NULL, "", AWS_AGAIN, RETRY_SERVER},
	{400, EBS("RequestThrottledException", "RESOURCE_LEVEL_THROTTLE"), AWS_AGAIN, RETRY_THROTTLED},
	{400, EBS("ConcurrentLimitExceededException", ""), AWS_AGAIN, RETRY_THROTTLED},
	{429, NULL, "", AWS_AGAIN, RETRY_THROTTLED},
	{503, EC2("RequestLimitExceeded"), AWS_AGAIN, RETRY_THROTTLED},
	{400, QUERY("Throttling"), AWS_AGAIN, RETRY_THROTTLED},
	{400, JSON("ThrottlingException"), AWS_AGAIN, RETRY_THROTTLED},
	{400, EBS("ValidationException", "CONFLICTING_BLOCK_UPDATE"), AWS_AGAIN, RETRY_CONFLICT},
	{400, EBS("ValidationException", "WRITE_REQUEST_TIMEOUT"), AWS_AGAIN, RETRY_CHECKSUM},
	{400, EBS("ValidationException", "INVALID_BLOCK"), AWS_AGAIN, RETRY_CHECKSUM},
	{400, EBS("ValidationException", "INVALID_PARAMETER_VALUE"), AWS_FATAL, -EINVAL},
	{404, EBS("ResourceNotFoundException", "SNAPSHOT_NOT_FOUND"), AWS_FATAL, -ENOENT},
	{400, EC2("InvalidAMIID.NotFound"), AWS_FATAL, -ENOENT},
	{403, EBS("AccessDeniedException", "UNAUTHORIZED_ACCOUNT"), AWS_FATAL, -EACCES},
	{403, EC2("UnauthorizedOperation"), AWS_FATAL, -EACCES},
	{403, QUERY("AccessDenied"), AWS_FATAL, -EACCES},
	{402, EBS("ServiceQuotaExceededException", "DEPENDENCY_SERVICE_QUOTA_EXCEEDED"), AWS_FATAL, -EDQUOT},
	{400, EC2("SnapshotLimitExceeded"), AWS_FATAL, -EDQUOT},
	{409, EBS("ConflictException", ""), AWS_FATAL, -EEXIST},
	{400, EC2("InvalidAMIName.Duplicate"), AWS_FATAL, -EEXIST},
	{403, EBS("UnrecognizedClientException", ""), AWS_FATAL, -EKEYREJECTED},
	{401, EC2("AuthFailure"), AWS_FATAL, -EKEYREJECTED},
	{403, QUERY("SignatureDoesNotMatch"), AWS_FATAL, -EKEYREJECTED},
	{403, QUERY("ExpiredToken"), AWS_FATAL, -EKEYREJECTED}, /* given keys cannot be renewed */
	{412, EC2("DryRunOperation"), AWS_FATAL, -EINVAL},
};

static void fill(struct http_reply *reply, int status, const char *header, const char *body)
{
	*reply = (struct http_reply){.outcome = HTTP_ANSWERED, .status = status};
	if (header)
		strlist_add(&reply->headers, header);
	buf_add(&reply->body, body, strlen(body));
}

static void table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		_cleanup_aws_ struct aws *a = aws_open_with(&no_config, NULL, "eu-west-1", &keys);
		_cleanup_reply_ struct http_reply reply = {0};
		struct error err = ERROR_INIT;
		struct aws_failure f = {0};
		struct retry r = {0};
		uint64_t delay;
		enum aws_verdict v;

		fill(&reply, answers[i].status, answers[i].header, answers[i].body);
		v = aws_judge(a, &put, &r, &reply, &f, &delay);
		if (v != answers[i].verdict)
			fail_msg("answer %zu: verdict %d", i, (int)v);
		if (v == AWS_AGAIN && (int)f.why != answers[i].expect)
			fail_msg("answer %zu: %s", i, retry_reason_name(f.why));
		if (v == AWS_FATAL && aws_fail(&put, &f, &err) != answers[i].expect)
			fail_msg("answer %zu: %d, %s", i, err.code, err.text);
	}
}

static void outcomes(void **state)
{
	static const struct {
		enum http_outcome outcome;
		enum aws_verdict verdict;
		int expect;
	} table_of[] = {
		{HTTP_UNREACHABLE, AWS_AGAIN, RETRY_NETWORK},
		{HTTP_BROKEN, AWS_AGAIN, RETRY_NETWORK},
		{HTTP_TIMEOUT, AWS_AGAIN, RETRY_TIMEOUT},
		{HTTP_STALLED, AWS_AGAIN, RETRY_TIMEOUT},
		{HTTP_TLS, AWS_FATAL, -EPROTO},
		{HTTP_TOO_LARGE, AWS_FATAL, -EIO},
		{HTTP_BAD, AWS_FATAL, -EIO},
		{HTTP_INTERRUPTED, AWS_FATAL, -EINTR},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table_of) / sizeof(table_of[0]); i++) {
		_cleanup_aws_ struct aws *a = aws_open_with(&no_config, NULL, "eu-west-1", &keys);
		struct http_reply reply = {.outcome = table_of[i].outcome, .detail = "why"};
		struct error err = ERROR_INIT;
		struct aws_failure f = {0};
		struct retry r = {0};
		uint64_t delay;

		assert_int_equal(aws_judge(a, &put, &r, &reply, &f, &delay), table_of[i].verdict);
		if (table_of[i].verdict == AWS_AGAIN)
			assert_int_equal(f.why, table_of[i].expect);
		else
			assert_int_equal(aws_fail(&put, &f, &err), table_of[i].expect);
	}
}

/* "Not found" means "not yet" until the deadline. */
static void lag(void **state)
{
	_cleanup_aws_ struct aws *a = aws_open_with(&no_config, NULL, "eu-west-1", &keys);
	_cleanup_reply_ struct http_reply reply = {0};
	struct aws_call call = put;
	struct aws_failure f;
	struct retry r = {0};
	uint64_t delay;

	(void)state;
	fill(&reply, 404, EBS("ResourceNotFoundException", "SNAPSHOT_NOT_FOUND"));
	call.lag_until_ns = clock_ns() + UINT64_C(60000000000);
	for (int i = 0; i < 50; i++)
		assert_int_equal(aws_judge(a, &call, &r, &reply, &f, &delay), AWS_AGAIN);
	call.lag_until_ns = clock_ns();
	assert_int_equal(aws_judge(a, &call, &r, &reply, &f, &delay), AWS_FATAL);
}

/* A refused signature with a Date far away sets the clock, once; with a near one it is fatal. */
static void skew(void **state)
{
	_cleanup_aws_ struct aws *a = aws_open_with(&no_config, NULL, "eu-west-1", &keys);
	_cleanup_reply_ struct http_reply reply = {0};
	char date[64] = "Date: ";
	struct aws_failure f;
	struct retry r = {0};
	uint64_t delay;
	time_t theirs = time(NULL) + 4000;
	struct tm tm;

	(void)state;
	fill(&reply, 403, EBS("InvalidSignatureException", ""));
	strftime(date + 6, sizeof(date) - 6, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&theirs, &tm));
	strlist_add(&reply.headers, date);
	assert_int_equal(aws_judge(a, &put, &r, &reply, &f, &delay), AWS_AGAIN);
	assert_int_equal(f.why, RETRY_CLOCK);
	assert_true(llabs((long long)(aws_now(a) - theirs)) < 5);
	assert_int_equal(aws_judge(a, &put, &r, &reply, &f, &delay), AWS_FATAL);
}

static void words(void **state)
{
	_cleanup_aws_ struct aws *a = aws_open_with(&no_config, NULL, "eu-west-1", &keys);
	_cleanup_reply_ struct http_reply ebs = {0}, ec2 = {0};
	struct error err = ERROR_INIT;
	struct aws_failure f;
	struct retry r = {0};
	uint64_t delay;

	(void)state;
	fill(&ebs, 403, "x-amzn-ErrorType: AccessDeniedException:http://internal.amazon.com/",
	     "{\"Message\": \"User: u\\nmay not\", \"Reason\": \"UNAUTHORIZED_ACCOUNT\"}");
	strlist_add(&ebs.headers, "X-Amzn-RequestId:  abc-1");
	assert_int_equal(aws_judge(a, &put, &r, &ebs, &f, &delay), AWS_FATAL);
	assert_int_equal(aws_fail(&put, &f, &err), -EACCES);
	assert_string_equal(err.text,
			    "ebs:PutSnapshotBlock snap-1: AccessDeniedException (UNAUTHORIZED_ACCOUNT): "
			    "User: u?may not (request id abc-1)");
	fill(&ec2, 400, EC2("InvalidParameterValue"));
	assert_int_equal(aws_judge(a, &put, &r, &ec2, &f, &delay), AWS_FATAL);
	assert_string_equal(f.code, "InvalidParameterValue");
	assert_string_equal(f.request_id, "r-1");
}

/* What AWS's own CLI sends for a block over TLS (Debian's awscli 2.9.19): these headers signed, the payload not. */
static void signed_headers(void **state)
{
	char url[] = "https://ebs.eu-west-1.amazonaws.com";
	struct config config = {.endpoint_option = url};
	_cleanup_aws_ struct aws *a = NULL;
	_cleanup_aws_request_ struct aws_request q = {0};
	struct credentials session = keys;
	struct error err = ERROR_INIT;
	struct sha256 digest = {{0}};
	const char *authorization;
	struct ebs_put p;

	(void)state;
	session.session_token = token;
	a = aws_open_with(&config, NULL, "eu-west-1", &session);
	ebs_put_init(&p, "snap-1", 7, "", &digest, -1, 0);
	assert_int_equal(aws_sign(a, &p.call, NULL, &q, &err), 0);
	assert_string_equal(q.url, "https://ebs.eu-west-1.amazonaws.com/snapshots/snap-1/blocks/7");
	authorization = q.headers.ptr[q.headers.len - 1];
	assert_contains(authorization,
			"SignedHeaders=host;x-amz-checksum;x-amz-checksum-algorithm;x-amz-content-sha256;"
			"x-amz-data-length;x-amz-date;x-amz-security-token, ");
	assert_contains(authorization, "/eu-west-1/ebs/aws4_request");
	assert_string_equal(q.headers.ptr[0], "Host: ebs.eu-west-1.amazonaws.com");
	assert_string_equal(q.headers.ptr[q.headers.len - 2], "X-Amz-Content-SHA256: UNSIGNED-PAYLOAD");
}

static void endpoints(void **state)
{
	static const char *const cases[][2] = {
		{"https://h:443/", "Host: h"},
		{"https://h:8443", "Host: h:8443"},
		{"http://h:80/x", "Host: h"},
		{"http://[::1]:80", "Host: [::1]"},
	};
	static const char *const bad[] = {"ftp://h", "h:80", "https://", "https://u:p@h/", "http:///x"};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config config = {.endpoint_option = (char *)(uintptr_t)cases[i][0]};
		_cleanup_aws_ struct aws *a = aws_open_with(&config, NULL, "eu-west-1", &keys);
		_cleanup_aws_request_ struct aws_request q = {0};
		struct aws_call call = {.service = "ec2", .action = "A", .method = "POST", .path = "/"};
		struct error err = ERROR_INIT;

		assert_int_equal(aws_sign(a, &call, NULL, &q, &err), 0);
		assert_string_equal(q.headers.ptr[0], cases[i][1]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct config config = {.endpoint_option = (char *)(uintptr_t)bad[i]};
		_cleanup_aws_ struct aws *a = aws_open_with(&config, NULL, "eu-west-1", &keys);
		_cleanup_aws_request_ struct aws_request q = {0};
		struct aws_call call = {.service = "ec2", .action = "A", .method = "POST", .path = "/"};
		struct error err = ERROR_INIT;

		if (aws_sign(a, &call, NULL, &q, &err) == 0)
			fail_msg("%s was taken", bad[i]);
		assert_int_equal(err.exit, EXIT_USAGE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),     cmocka_unit_test(outcomes), cmocka_unit_test(lag),
		cmocka_unit_test(skew),	     cmocka_unit_test(words),	 cmocka_unit_test(signed_headers),
		cmocka_unit_test(endpoints),
	};

	log_setup(LOG_QUIET);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
