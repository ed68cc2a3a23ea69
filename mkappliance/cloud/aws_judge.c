/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer of AWS means: its class decides whether the request is made again. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cloud/aws_internal.h"
#include "cloud/aws_xml.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/log.h"

#define SKEW_SIGNIFICANT 60 /* seconds; a signature is good for 5 minutes either way */

/* ---- AWS's words ---- */

static void set_text(char *to, size_t size, const char *from)
{
	if (!from)
		return;
	snprintf(to, size, "%s", from);
	error_one_line(to);
}

/* "com.amazonaws.ssm#ParameterAlreadyExists", "ValidationException:http://...": what stands between. */
static void set_code(struct aws_failure *f, const char *text)
{
	const char *hash;

	if (!text)
		return;
	hash = strrchr(text, '#');
	set_text(f->code, sizeof(f->code), hash ? hash + 1 : text);
	f->code[strcspn(f->code, ":")] = 0;
}

static void parse_json(const struct http_reply *reply, struct aws_failure *f)
{
	_cleanup_json_ struct json *j = NULL;
	struct error err = ERROR_INIT;
	const char *message;

	if (js_parse(reply->body.ptr, reply->body.len, "answer", &j, &err) < 0)
		return;
	if (!f->code[0]) {
		set_code(f, js_string(js_member(j, "__type")));
		if (!f->code[0])
			set_code(f, js_string(js_member(j, "code")));
	}
	message = js_string(js_member(j, "message"));
	set_text(f->message, sizeof(f->message), message ? message : js_string(js_member(j, "Message")));
	set_text(f->reason, sizeof(f->reason), js_string(js_member(j, "Reason")));
}

/* EC2: Response.Errors.Error and RequestID; the others: ErrorResponse.Error and RequestId. */
static void parse_xml(const struct http_reply *reply, struct aws_failure *f)
{
	_cleanup_xml_ struct xml *x = NULL;
	struct error err = ERROR_INIT;
	const struct xml_node *root, *e;
	const char *id;

	if (xml_parse(reply->body.ptr, reply->body.len, "answer", &x, &err) < 0)
		return;
	root = xml_root(x);
	e = xml_find(root, "Errors.Error");
	if (!e)
		e = xml_find(root, "Error");
	set_code(f, xml_text(e, "Code"));
	set_text(f->message, sizeof(f->message), xml_text(e, "Message"));
	id = xml_text(root, "RequestID");
	set_text(f->request_id, sizeof(f->request_id), id ? id : xml_text(root, "RequestId"));
}

void aws_failure_parse(const struct http_reply *reply, struct aws_failure *f)
{
	const char *body = reply->body.len ? reply->body.ptr : "",
		   *id = http_header(reply, "x-amzn-RequestId");

	body += strspn(body, " \t\r\n");
	set_code(f, http_header(reply, "x-amzn-ErrorType"));
	if (*body == '<')
		parse_xml(reply, f);
	else if (*body == '{')
		parse_json(reply, f);
	set_text(f->request_id, sizeof(f->request_id), id ? id : http_header(reply, "x-amz-request-id"));
	if (!f->message[0])
		snprintf(f->message, sizeof(f->message), "HTTP status %d", f->status);
}

/* ---- classes ---- */

static bool is_one_of(const char *code, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(code, *list) == 0)
			return true;
	return false;
}

static bool has_suffix(const char *text, const char *suffix)
{
	size_t n = strlen(text), m = strlen(suffix);

	return n >= m && strcmp(text + n - m, suffix) == 0;
}

static bool is_throttle(const struct aws_failure *f)
{
	static const char *const codes[] = {
		"Throttling",
		"ThrottlingException",
		"ThrottledException",
		"RequestThrottled",
		"RequestLimitExceeded",
		"RequestThrottledException",
		"TooManyRequestsException",
		"SlowDown",
		"BandwidthLimitExceeded",
		"TooManyUpdates",
		"EC2ThrottledException",
		"ConcurrentLimitExceededException",
		"PriorRequestNotComplete",
		"ResourceCountLimitExceeded",
		NULL,
	};

	return f->status == 429 || is_one_of(f->code, codes);
}

static bool is_expired(const struct aws_failure *f)
{
	static const char *const codes[] = {"ExpiredToken", "ExpiredTokenException", "RequestExpired",
					    "TokenRefreshRequired", NULL};

	return is_one_of(f->code, codes);
}

/* Codes behind which a wrong clock may be; whether it is, the Date header says. */
static bool may_be_clock(const struct aws_failure *f)
{
	static const char *const codes[] = {
		"RequestTimeTooSkewed", "RequestInTheFuture",	 "InvalidSignatureException",
		"RequestExpired",	"SignatureDoesNotMatch", "AuthFailure",
		"ExpiredToken",		"InvalidSignature",	 NULL,
	};

	return is_one_of(f->code, codes);
}

static bool is_not_found(const struct aws_failure *f)
{
	return strcmp(f->code, "ResourceNotFoundException") == 0 || has_suffix(f->code, ".NotFound");
}

/* EBS: reasons of a ValidationException that pass. */
static bool passing_reason(const struct aws_failure *f, enum retry_reason *ret)
{
	if (strcmp(f->reason, "CONFLICTING_BLOCK_UPDATE") == 0)
		*ret = RETRY_CONFLICT;
	else if (strcmp(f->reason, "WRITE_REQUEST_TIMEOUT") == 0 || strcmp(f->reason, "INVALID_BLOCK") == 0)
		*ret = RETRY_CHECKSUM;
	else
		return false;
	return true;
}

/* The clock of an answer that refuses our signature: more than a minute away, and not by what we corrected already. */
static bool set_clock(struct aws *a, const struct http_reply *reply)
{
	time_t theirs;
	int64_t off;

	if (!http_date(reply, &theirs))
		return false;
	off = (int64_t)theirs - (int64_t)aws_now(a);
	if (off >= -SKEW_SIGNIFICANT && off <= SKEW_SIGNIFICANT)
		return false;
	if (!a->clock_offset)
		log_warning("the clock of this machine is off by %lld s; using AWS's", (long long)off);
	a->clock_offset += off;
	return true;
}

/* Other requests may have renewed them since this one was signed. */
static bool renewed(struct aws *a, const struct retry *state)
{
	struct error err = ERROR_INIT;

	if (state->generation != a->generation)
		return true;
	if (aws_renew(a, &err) == 0)
		return true;
	if (!a->fixed)
		log_warning("%s", err.text);
	return false;
}

/*
 *	answer						class
 *	no connection, reset, short body		again (network)
 *	timeout, stall					again (timeout)
 *	TLS, an answer that is none			fatal
 *	clock, by the Date of the answer		set it once, again
 *	ExpiredToken					renew once, again
 *	throttling codes, 429				again (throttled), everybody slower
 *	5xx						again
 *	not found, shortly after it was made		again (lag)
 *	CONFLICTING_BLOCK_UPDATE			again, 3 times
 *	WRITE_REQUEST_TIMEOUT, INVALID_BLOCK		again, 3 times
 *	everything else					fatal
 */
static bool worth_it(struct aws *a, const struct aws_call *call, struct retry *state,
		     const struct http_reply *reply, const struct aws_failure *f, enum retry_reason *ret)
{
	if (reply->outcome != HTTP_ANSWERED)
		return retry_outcome(reply->outcome, ret);
	*ret = RETRY_CLOCK;
	if (may_be_clock(f) && set_clock(a, reply))
		return true;
	*ret = RETRY_CREDENTIALS;
	if (is_expired(f))
		return renewed(a, state);
	*ret = RETRY_THROTTLED;
	if (is_throttle(f))
		return true;
	*ret = RETRY_SERVER;
	if (f->status >= 500)
		return true;
	*ret = RETRY_LAG;
	if (is_not_found(f))
		return clock_ns() < call->lag_until_ns;
	return passing_reason(f, ret);
}

/* Where nobody was ever reached it is the address that is wrong (a region that there is not), and whoever waits wants to know soon. */
static const struct retry_policy *policy_for(const struct aws *a, const struct http_reply *reply)
{
	static const struct retry_policy first = {
		.attempts = 3, .throttled = 30, .base_ms = 500, .cap_ms = 2000};

	return !a->reached && reply->outcome == HTTP_UNREACHABLE && a->policy.attempts > first.attempts
		       ? &first
		       : &a->policy;
}

enum aws_verdict aws_judge(struct aws *a, const struct aws_call *call, struct retry *state,
			   const struct http_reply *reply, struct aws_failure *ret, uint64_t *ret_delay_ns)
{
	struct aws_failure f = {.outcome = reply->outcome, .status = reply->status};

	a->reached = a->reached || reply->outcome == HTTP_ANSWERED;
	if (reply->outcome == HTTP_ANSWERED && reply->status >= 200 && reply->status < 300)
		return AWS_DONE;
	if (reply->outcome == HTTP_ANSWERED)
		aws_failure_parse(reply, &f);
	else
		set_text(f.message, sizeof(f.message), reply->detail);
	if (!worth_it(a, call, state, reply, &f, &f.why) ||
	    !retry_again(policy_for(a, reply), state, &a->stats, f.why, http_retry_after(reply),
			 ret_delay_ns)) {
		*ret = f;
		return AWS_FATAL;
	}
	*ret = f;
	return AWS_AGAIN;
}

/* ---- the message ---- */

static int code_of(const struct aws_failure *f)
{
	static const char *const keys[] = {
		"InvalidClientTokenId",
		"UnrecognizedClientException",
		"SignatureDoesNotMatch",
		"AuthFailure",
		"InvalidSignatureException",
		"ExpiredToken",
		"ExpiredTokenException",
		"IncompleteSignature",
		"MissingAuthenticationToken",
		"RequestExpired",
		"InvalidAccessKeyId",
		"MissingAuthenticationTokenException",
		NULL,
	};

	switch (f->outcome) {
	case HTTP_TLS:
		return -EPROTO;
	case HTTP_INTERRUPTED:
		return -EINTR;
	case HTTP_ANSWERED:
		break;
	case HTTP_UNREACHABLE:
	case HTTP_BROKEN:
	case HTTP_TIMEOUT:
	case HTTP_STALLED:
	case HTTP_TOO_LARGE:
	case HTTP_BAD:
		return -EIO;
	}
	if (is_one_of(f->code, keys))
		return -EKEYREJECTED;
	if (strncmp(f->code, "AccessDenied", 12) == 0 || strcmp(f->code, "UnauthorizedOperation") == 0)
		return -EACCES;
	if (strstr(f->code, "QuotaExceeded") || strstr(f->code, "LimitExceeded"))
		return -EDQUOT;
	if (is_not_found(f))
		return -ENOENT;
	if (strstr(f->code, "Duplicate") || strncmp(f->code, "Conflict", 8) == 0 ||
	    has_suffix(f->code, "AlreadyExists") || strcmp(f->code, "IdempotentParameterMismatch") == 0)
		return -EEXIST;
	return f->status >= 400 && f->status < 500 ? -EINVAL : -EIO;
}

int aws_fail(const struct aws_call *call, const struct aws_failure *f, struct error *err)
{
	_cleanup_buf_ struct buf b = {0};

	buf_printf(&b, "%s:%s%s%s: ", call->service, call->action, call->resource ? " " : "",
		   call->resource ? call->resource : "");
	if (f->outcome != HTTP_ANSWERED)
		buf_printf(&b, "%s: ", http_outcome_name(f->outcome));
	if (f->code[0])
		buf_printf(&b, "%s%s%s%s: ", f->code, f->reason[0] ? " (" : "", f->reason,
			   f->reason[0] ? ")" : "");
	buf_printf(&b, "%s", f->message);
	if (f->request_id[0])
		buf_printf(&b, " (request id %s)", f->request_id);
	return error_set(err, code_of(f), "%s", b.ptr);
}
