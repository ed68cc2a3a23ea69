/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "health.h"
#include "notify.h"

#define PAUSE_FIRST_MS 20
#define PAUSE_LAST_MS  1000
#define LIMIT_FIRST_MS \
	2000 /* for an attempt; a slow answer is an answer too, so the next one may take longer */
#define LIMIT_LAST_MS 60000
#define FILE_MS	      100 /* between two looks for a file */

static struct probe_target ready_target(const struct conf_service *c)
{
	return (struct probe_target){.port = (uint16_t)c->ready_port, .path = c->ready_path};
}

static struct probe_target watch_target(const struct conf_service *c)
{
	return (struct probe_target){.port = (uint16_t)c->watch_port, .path = c->watch_path};
}

void health_init(struct health *h)
{
	memset(h, 0, sizeof *h);
	h->notify_fd = -1;
	probe_init(&h->probe);
}

void health_pause(struct health *h)
{
	probe_close(&h->probe);
	h->watching = false;
}

void health_end(struct health *h)
{
	health_pause(h);
	if (h->notify_fd >= 0)
		close(h->notify_fd);
	h->notify_fd = -1;
}

int health_begin(struct health *h, const struct conf_service *c)
{
	health_end(h);
	h->said = 0;
	h->next = 0;
	h->failures = 0;
	h->pause = PAUSE_FIRST_MS;
	h->limit = LIMIT_FIRST_MS;
	if (!c->ready_notify && !c->watch_notify)
		return 0;
	h->notify_fd = notify_open(c->name, (uid_t)c->uid, (gid_t)c->gid);
	return h->notify_fd < 0 ? h->notify_fd : 0;
}

bool health_has_ready(const struct conf_service *c)
{
	return c->ready_port || c->ready_file || c->ready_notify;
}

static void listen_to(struct health *h)
{
	unsigned said = h->notify_fd >= 0 ? notify_read(h->notify_fd) : 0;

	h->said |= said;
	if (said & NOTIFY_WATCHDOG)
		h->alive = clock_ms();
}

/* Starts an attempt when one is due. */
static enum probe_result attempt(struct health *h, const struct probe_target *t, uint64_t limit)
{
	if (!probe_runs(&h->probe)) {
		if (clock_ms() < h->next)
			return PROBE_PENDING;
		probe_begin(&h->probe, t, limit);
	}
	return probe_check(&h->probe, t);
}

static bool probe_says_ready(struct health *h, const struct conf_service *c)
{
	struct probe_target t = ready_target(c);
	enum probe_result r = attempt(h, &t, h->limit);

	if (r != PROBE_BAD)
		return r == PROBE_GOOD;
	if (h->probe.was_slow)
		h->limit = h->limit * 2 < LIMIT_LAST_MS ? h->limit * 2 : LIMIT_LAST_MS;
	h->next = clock_ms() + h->pause;
	h->pause = h->pause * 3 / 2 < PAUSE_LAST_MS ? h->pause * 3 / 2 : PAUSE_LAST_MS;
	return false;
}

bool health_ready(struct health *h, const struct conf_service *c)
{
	struct stat st;

	listen_to(h);
	if (c->ready_notify)
		return h->said & NOTIFY_READY;
	if (c->ready_port)
		return probe_says_ready(h, c);
	if (clock_ms() < h->next)
		return false;
	h->next = clock_ms() + FILE_MS;
	/* The file itself: a link could lead to anything. */
	return lstat(c->ready_file, &st) == 0 && S_ISREG(st.st_mode);
}

const char *health_missing(const struct conf_service *c)
{
	return c->ready_notify ? "it did not say READY=1 to $NOTIFY_SOCKET in time"
	       : c->ready_file ? "its file of Ready= did not appear in time"
	       : c->ready_path ? "no HTTP answer of 2xx or 3xx in time"
			       : "nothing accepts connections on its port in time";
}

void health_watch_begin(struct health *h, const struct conf_service *c)
{
	probe_close(&h->probe);
	h->watching = c->watch_port || c->watch_notify;
	h->failures = 0;
	h->alive = clock_ms();
	h->next = h->alive + c->watch_interval * 1000;
}

/* Silence of WatchInterval= times WatchFailures= is one failure too many. */
static uint64_t silence_end(const struct health *h, const struct conf_service *c)
{
	return h->alive + c->watch_interval * c->watch_failures * 1000;
}

bool health_watch(struct health *h, const struct conf_service *c, struct line *why)
{
	struct probe_target t = watch_target(c);
	enum probe_result r;

	listen_to(h);
	if (!h->watching)
		return false;
	if (c->watch_notify) {
		line_printf(why, "no WATCHDOG=1 on $NOTIFY_SOCKET for %llu s",
			    (unsigned long long)(c->watch_interval * c->watch_failures));
		return clock_ms() >= silence_end(h, c);
	}
	r = attempt(h, &t, c->watch_timeout * 1000);
	if (r == PROBE_PENDING)
		return false;
	h->next = clock_ms() + c->watch_interval * 1000;
	h->failures = r == PROBE_GOOD ? 0 : h->failures + 1;
	line_printf(why, "Watch= of port %u failed %u times in a row", t.port, h->failures);
	return h->failures >= c->watch_failures;
}

uint64_t health_deadline(const struct health *h, const struct conf_service *c)
{
	if (h->watching && c->watch_notify)
		return silence_end(h, c);
	if (!h->watching && c->ready_notify)
		return UINT64_MAX;
	return probe_runs(&h->probe) ? h->probe.deadline : h->next;
}

void health_poll(const struct health *h, struct pollfd *p)
{
	p[0] = (struct pollfd){.fd = h->probe.fd, .events = h->probe.events};
	p[1] = (struct pollfd){.fd = h->notify_fd, .events = POLLIN};
}

const char *health_env(const struct conf_service *c, unsigned index)
{
	static struct line text[HEALTH_ENV_MAX];

	if (index >= HEALTH_ENV_MAX || (!c->ready_notify && !c->watch_notify) ||
	    (index == 1 && !c->watch_notify))
		return NULL;
	line_reset(&text[index]);
	if (index == 0)
		line_printf(&text[0], "NOTIFY_SOCKET=" NOTIFY_DIRECTORY "/%s", c->name);
	else
		line_printf(&text[1], "WATCHDOG_USEC=%llu",
			    (unsigned long long)(c->watch_interval * c->watch_failures * 1000000));
	return text[index].text;
}
