/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/aws.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cloud/aws_internal.h"
#include "cloud/credentials.h"
#include "cloud/sigv4.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/log.h"

#define RENEW_BEFORE 300 /* seconds that credentials must still be good for */
#define SAY_NS	     (UINT64_C(5) * 1000000000)

bool aws_is_region(const char *text)
{
	return *text && text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-")] == 0;
}

/* As the AWS CLI: what is configured, else what the instance says. */
static int find_region(struct aws *a, struct error *err)
{
	const char *region = config_region(a->config);
	int r = 0;

	if (region)
		a->region = xstrdup(region);
	else
		r = credentials_instance_region(a->config, a->http, &a->region, err);
	if (r < 0)
		return r;
	if (!a->region)
		return error_usage(err,
				   "no AWS region: give --region, AWS_REGION or 'region' in profile '%s'",
				   a->config->profile);
	if (!aws_is_region(a->region))
		return error_usage(err, "'%s' is not the name of an AWS region", a->region);
	return 0;
}

int aws_open(const struct aws_options *options, struct aws **ret, struct error *err)
{
	_cleanup_aws_ struct aws *a = xcalloc(1, sizeof(*a));
	int r;

	credentials_guard();
	a->policy = retry_policy_default;
	r = config_load(&options->config, &a->own_config, err);
	if (r < 0)
		return r;
	a->config = a->own_config;
	r = http_new(&(struct http_options){.ca_file = config_ca_bundle(a->config),
					    .connections = options->connections,
					    .buffer = options->buffer},
		     &a->own_http, err);
	if (r < 0)
		return r;
	a->http = a->own_http;
	r = find_region(a, err);
	if (r < 0)
		return r;
	r = credentials_find(a->config, a->http, &a->credentials, err);
	if (r < 0)
		return r;
	log_debug("AWS: region %s, credentials from %s", a->region, a->credentials.source);
	*ret = steal_pointer(&a);
	return 0;
}

struct aws *aws_open_with(const struct config *config, struct http *http, const char *region,
			  const struct credentials *credentials)
{
	struct aws *a = xcalloc(1, sizeof(*a));

	a->config = config;
	a->http = http;
	a->region = xstrdup(region);
	a->fixed = true;
	a->policy = retry_policy_default;
	if (credentials) {
		a->credentials.access_key = xstrdup(credentials->access_key);
		a->credentials.secret_key = xstrdup(credentials->secret_key);
		if (credentials->session_token)
			a->credentials.session_token = xstrdup(credentials->session_token);
	}
	return a;
}

void aws_close(struct aws *a)
{
	if (!a)
		return;
	credentials_free(&a->credentials);
	http_free(a->own_http);
	config_free(a->own_config);
	free(a->region);
	free(a);
}

void aws_closep(struct aws **a)
{
	aws_close(*a);
}

const char *aws_region(const struct aws *a)
{
	return a->region;
}

struct http *aws_http(struct aws *a)
{
	return a->http;
}

const struct retry_stats *aws_retries(const struct aws *a)
{
	return &a->stats;
}

bool aws_again(struct aws *a, struct retry *state, enum retry_reason reason, uint64_t *ret_delay_ns)
{
	return retry_again(&a->policy, state, &a->stats, reason, 0, ret_delay_ns);
}

void aws_set_policy(struct aws *a, const struct retry_policy *policy)
{
	a->policy = policy ? *policy : retry_policy_default;
}

time_t aws_now(const struct aws *a)
{
	return time(NULL) + a->clock_offset;
}

int aws_renew(struct aws *a, struct error *err)
{
	_cleanup_credentials_ struct credentials fresh = {0};
	int r;

	if (a->fixed)
		return error_set(err, -EKEYEXPIRED, "the credentials have expired");
	r = credentials_find(a->config, a->http, &fresh, err);
	if (r < 0)
		return error_prefix(err, "renewing the credentials");
	credentials_free(&a->credentials);
	a->credentials = fresh;
	fresh = (struct credentials){0};
	a->generation++;
	return 0;
}

/* Ahead of time, so that no request fails for it. As long as the old ones are good a failure is a warning. */
static int renew_if_due(struct aws *a, struct error *err)
{
	struct error first = ERROR_INIT;
	time_t left = a->credentials.expires - time(NULL);
	int r;

	if (!a->credentials.expires || left > RENEW_BEFORE || a->fixed)
		return 0;
	r = aws_renew(a, &first);
	if (r == 0)
		return 0;
	if (left > 0 && r != -EINTR) {
		log_warning("%s; the old ones are good for %lld s more", first.text, (long long)left);
		return 0;
	}
	*err = first;
	return r;
}

/* Identifier of a service in AWS_ENDPOINT_URL_<ID>. */
static const char *service_id(const char *service)
{
	static const char *const table[][2] = {
		{"autoscaling", "AUTO_SCALING"},
		{"ebs", "EBS"},
		{"ec2", "EC2"},
		{"elasticloadbalancing", "ELASTIC_LOAD_BALANCING_V2"},
		{"ssm", "SSM"},
		{"sts", "STS"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(table[i][0], service) == 0)
			return table[i][1];
	abort();
}

/* "https://ebs.eu-west-1.amazonaws.com", without '/' at its end; to be freed. */
static char *endpoint_of(const struct aws *a, const char *service, const char *region)
{
	const char *given = config_endpoint(a->config, service_id(service));
	char *url;

	if (!given)
		return xasprintf("https://%s.%s.amazonaws.com%s", service, region,
				 strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
	url = xstrdup(given);
	while (*url && url[strlen(url) - 1] == '/')
		url[strlen(url) - 1] = 0;
	return url;
}

/* What stands between "://" and the path. */
static int add_host(struct strlist *headers, const char *url, struct error *err)
{
	const char *host = strstr(url, "://");
	size_t len;

	if (!host || (strncmp(url, "https:", 6) != 0 && strncmp(url, "http:", 5) != 0))
		return error_usage(err, "endpoint '%s' is no URL that begins with https:// or http://", url);
	host += 3;
	len = strcspn(host, "/?");
	if (len == 0 || memchr(host, '@', len))
		return error_usage(err, "endpoint '%s' must name a host and nothing but it", url);
	/* What every client leaves out of Host is left out of the signature too. */
	if (strncmp(url, "https:", 6) == 0 && len > 4 && memcmp(host + len - 4, ":443", 4) == 0)
		len -= 4;
	else if (strncmp(url, "http:", 5) == 0 && len > 3 && memcmp(host + len - 3, ":80", 3) == 0)
		len -= 3;
	strlist_addf(headers, "Host: %.*s", (int)len, host);
	return 0;
}

/* The path of the endpoint itself, which the signature has too. */
static const char *endpoint_path(const char *url)
{
	const char *host = strstr(url, "://") + 3;

	return host + strcspn(host, "/");
}

static void payload_hash(const struct aws_call *call, bool tls, char *ret)
{
	struct sha256 digest;

	if (call->unsigned_payload && tls) {
		memcpy(ret, SIGV4_UNSIGNED, sizeof(SIGV4_UNSIGNED));
		return;
	}
	if (call->body_digest)
		digest = *call->body_digest;
	else
		sha256_of(call->body ? call->body : "", call->body_len, &digest);
	hex_encode(digest.b, SHA256_SIZE, ret);
}

static void add_authorization(struct aws *a, const struct aws_call *call, const char *path, bool tls,
			      struct strlist *headers)
{
	_cleanup_free_ char *value = NULL;
	char date[SIGV4_DATE_SIZE], hash[SHA256_HEX_SIZE];
	time_t now = aws_now(a);

	sigv4_date(now, date);
	strlist_addf(headers, "X-Amz-Date: %s", date);
	if (a->credentials.session_token)
		strlist_addf(headers, "X-Amz-Security-Token: %s", a->credentials.session_token);
	payload_hash(call, tls, hash);
	if (call->unsigned_payload)
		strlist_addf(headers, "X-Amz-Content-SHA256: %s", hash);
	value = sigv4_authorization(&(struct sigv4_request){.method = call->method,
							    .path = path,
							    .query = call->query,
							    .headers = (const char *const *)headers->ptr,
							    .payload_hash = hash},
				    &(struct sigv4_scope){.access_key = a->credentials.access_key,
							  .secret_key = a->credentials.secret_key,
							  .region = call->region ? call->region : a->region,
							  .service = call->service,
							  .now = now});
	strlist_addf(headers, "Authorization: %s", value);
}

int aws_sign(struct aws *a, const struct aws_call *call, struct retry *state, struct aws_request *ret,
	     struct error *err)
{
	_cleanup_free_ char *endpoint =
		endpoint_of(a, call->service, call->region ? call->region : a->region);
	_cleanup_aws_request_ struct aws_request q = {0};
	_cleanup_free_ char *path = NULL;
	int r = call->anonymous ? 0 : renew_if_due(a, err);

	if (r < 0)
		return r;
	if (call->region && !aws_is_region(call->region))
		return error_usage(err, "'%s' is not the name of an AWS region", call->region);
	r = add_host(&q.headers, endpoint, err);
	if (r < 0)
		return r;
	path = xasprintf("%s%s", endpoint_path(endpoint), call->path);
	for (const char *const *p = call->headers; p && *p; p++)
		strlist_add(&q.headers, *p);
	if (!call->anonymous)
		add_authorization(a, call, path, strncmp(endpoint, "https:", 6) == 0, &q.headers);
	q.url = xasprintf("%s%s%s%s", endpoint, call->path, call->query ? "?" : "",
			  call->query ? call->query : "");
	q.http = (struct http_request){.method = call->method,
				       .url = q.url,
				       .headers = (const char *const *)q.headers.ptr,
				       .body = call->body,
				       .body_len = call->body_len,
				       .response_max = call->response_max,
				       .timeout_ms = call->timeout_ms};
	if (state)
		state->generation = a->generation;
	*ret = q;
	q = (struct aws_request){0};
	return 0;
}

void aws_request_free(struct aws_request *r)
{
	for (size_t i = 0; i < r->headers.len; i++)
		explicit_bzero(r->headers.ptr[i], strlen(r->headers.ptr[i]));
	strlist_free(&r->headers);
	free(r->url);
	*r = (struct aws_request){0};
}

/* One attempt: 0 there is an answer or a failure to judge, -errno it could not even be made. */
static int attempt(struct aws *a, const struct aws_call *call, struct retry *state, struct http_reply *ret,
		   struct error *err)
{
	_cleanup_aws_request_ struct aws_request request = {0};
	struct error ignored = ERROR_INIT;
	int r = aws_sign(a, call, state, &request, err);

	if (r < 0)
		return r;
	r = http_perform(a->http, &request.http, ret, &ignored);
	if (r == -EINVAL || r == -EINTR) {
		*err = ignored;
		return r;
	}
	return 0;
}

/* Nobody waits longer than this without a line of why; @said_ns is when there was one. */
static void say_again(const struct aws_call *call, const struct aws_failure *f, uint64_t delay_ns,
		      uint64_t *said_ns)
{
	const char *what = f->code[0] ? f->code : f->message;
	uint64_t now = clock_ns();

	if (now + delay_ns - *said_ns < SAY_NS) {
		log_debug("%s:%s: %s (%s), again in %.1f s", call->service, call->action, what,
			  retry_reason_name(f->why), (double)delay_ns / 1e9);
		return;
	}
	log_note("  %s:%s: %s (%s), again in %.1f s", call->service, call->action, what,
		 retry_reason_name(f->why), (double)delay_ns / 1e9);
	*said_ns = now + delay_ns;
}

int aws_perform(struct aws *a, const struct aws_call *call, struct http_reply *ret,
		struct aws_failure *ret_failure, struct error *err)
{
	struct aws_failure failure = {0};
	struct retry state = {0};
	uint64_t said_ns = clock_ns();

	*ret = (struct http_reply){0};
	for (;;) {
		uint64_t delay;
		enum aws_verdict v;
		int r = attempt(a, call, &state, ret, err);

		if (r < 0)
			return error_prefix(err, "%s:%s", call->service, call->action);
		v = aws_judge(a, call, &state, ret, &failure, &delay);
		if (v == AWS_DONE)
			return 0;
		if (v == AWS_FATAL)
			break;
		say_again(call, &failure, delay, &said_ns);
		http_reply_free(ret);
		r = interrupt_sleep(delay, err);
		if (r < 0)
			return r;
	}
	if (ret_failure)
		*ret_failure = failure;
	return aws_fail(call, &failure, err);
}
