/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/probe.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/log.h"
#include "vm/probe_try.h"

#define FIRST_TRY_MS 3000  /* time for one attempt, doubled up to ... */
#define LAST_TRY_MS  60000 /* ... so that a slow answer has its chance too */
#define PAUSE_MS     200

char *probe_name(const struct template_probe *p)
{
	if (p->kind == PROBE_TCP)
		return xasprintf("TCP :%u", p->port);
	return xasprintf("GET :%u%s %d", p->port, p->path, p->status);
}

static int judge(const struct template_probe *p, const struct probe_answer *a, struct error *err)
{
	if (p->kind == PROBE_TCP)
		return 0;
	if (a->status != p->status)
		return error_set(err, -EBADMSG, "answered %d, not %d", a->status, p->status);
	if (p->body && !(a->body.len && memmem(a->body.ptr, a->body.len, p->body, strlen(p->body))))
		return error_set(err, -EBADMSG, "answered %d, but without \"%s\" in the body", a->status, p->body);
	return 0;
}

static int pause_between(uint64_t deadline, struct error *err)
{
	struct pollfd p = {.fd = interrupt_fd(), .events = POLLIN};

	(void)poll(&p, 1, PAUSE_MS);
	if (interrupt_check(err) < 0)
		return err->code;
	if (clock_ns() >= deadline)
		return -ETIMEDOUT;
	return 0;
}

int probe_run(const struct template_probe *p, uint16_t host_port, uint64_t deadline, bool (*alive)(void *data),
	      void *data, struct error *err)
{
	long try_ms = FIRST_TRY_MS;

	for (;;) {
		_cleanup_probe_answer_ struct probe_answer a = {0};
		uint64_t now = clock_ns();
		long left_ms = deadline > now ? (long)((deadline - now) / 1000000) + 1 : 1;
		struct error last = ERROR_INIT;
		int r = p->kind == PROBE_HTTP
				? probe_try_http(host_port, p->path, try_ms < left_ms ? try_ms : left_ms, &a, &last)
				: probe_try_tcp(host_port, try_ms < left_ms ? try_ms : left_ms, &last);

		if (r == 0)
			return judge(p, &a, err);
		if (r != -EAGAIN) {
			*err = last;
			return r;
		}
		r = pause_between(deadline, err);
		if (r == -ETIMEDOUT)
			return error_set(err, r, "no answer in time (last: %s)", last.text);
		if (r < 0)
			return r;
		if (alive && !alive(data))
			return error_set(err, -ECONNABORTED, "nobody left to answer (last: %s)", last.text);
		try_ms = try_ms * 2 < LAST_TRY_MS ? try_ms * 2 : LAST_TRY_MS;
	}
}
