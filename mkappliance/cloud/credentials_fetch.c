/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "cloud/aws.h"
#include "cloud/credentials_internal.h"
#include "cloud/retry.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"

/* Why an answer is worth another attempt; false: it is not. */
static bool worth_it(const struct http_reply *reply, enum retry_reason *ret)
{
	*ret = RETRY_NETWORK;
	if (reply->outcome == HTTP_UNREACHABLE || reply->outcome == HTTP_BROKEN)
		return true;
	*ret = RETRY_TIMEOUT;
	if (reply->outcome == HTTP_TIMEOUT || reply->outcome == HTTP_STALLED)
		return true;
	*ret = RETRY_SERVER;
	return reply->outcome == HTTP_ANSWERED && (reply->status >= 500 || reply->status == 429);
}

int credentials_fetch(struct http *http, const struct http_request *request, unsigned attempts,
		      const char *what, struct http_reply *ret, struct error *err)
{
	const struct retry_policy policy = {
		.attempts = attempts, .throttled = attempts, .base_ms = 100, .cap_ms = 1000};
	struct retry_stats stats = {0};
	struct retry state = {0};

	for (;;) {
		enum retry_reason reason;
		uint64_t delay;
		int r = http_perform(http, request, ret, err);

		if (r == 0 && ret->status < 300)
			return 0;
		if (r == 0)
			r = error_set(err, -EIO, "HTTP status %d", ret->status);
		if (!worth_it(ret, &reason) || !retry_again(&policy, &state, &stats, reason, 0, &delay))
			return error_prefix(err, "%s", what);
		http_reply_free(ret);
		r = interrupt_sleep(delay, err);
		if (r < 0)
			return r;
	}
}
