/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/meter.h"

#include <string.h>

#include "image/layout.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/log.h"

#define EVERY_TERMINAL_NS 200000000ull
#define EVERY_LOG_NS	  5000000000ull
#define BAR		  20u
#define MIB		  1048576.0

static const struct retry_stats none;

/* What this phase had to try again. */
static struct retry_stats since(const struct meter *m, const struct retry_stats *now)
{
	struct retry_stats d = *now;

	for (int i = 0; i < RETRY_REASONS; i++)
		d.count[i] -= m->said.count[i];
	return d;
}

void meter_start(struct meter *m, const char *name, uint64_t total)
{
	m->name = name;
	m->total = total;
	m->done = m->skipped = 0;
	m->in_flight = 0;
	m->started_ns = m->shown_ns = clock_ns();
	meter_show(m, 0, NULL);
}

void meter_skip(struct meter *m, uint64_t blocks)
{
	m->skipped += blocks;
	m->done += blocks;
}

void meter_add(struct meter *m, uint64_t blocks)
{
	m->done += blocks;
}

/* Blocks a second, 0 while nothing is known. */
static double rate_of(const struct meter *m, uint64_t now_ns)
{
	double seconds = (double)(now_ns - m->started_ns) / 1e9;

	return seconds > 0.2 ? (double)(m->done - m->skipped) / seconds : 0;
}

static void add_time(struct buf *b, double seconds)
{
	uint64_t s = (uint64_t)(seconds + 0.5);

	if (s >= 3600)
		buf_printf(b, "%ju:%02ju:%02ju", (uintmax_t)(s / 3600), (uintmax_t)(s / 60 % 60),
			   (uintmax_t)(s % 60));
	else
		buf_printf(b, "%ju:%02ju", (uintmax_t)(s / 60), (uintmax_t)(s % 60));
}

static void add_bar(const struct meter *m, unsigned width, struct buf *ret)
{
	unsigned full = m->total ? (unsigned)(m->done * width / m->total) : 0;

	buf_printf(ret, "[");
	for (unsigned i = 0; i < width; i++)
		buf_printf(ret, i < full ? "#" : ".");
	buf_printf(ret, "] ");
}

void meter_text(const struct meter *m, uint64_t now_ns, unsigned width, const struct retry_stats *retries,
		struct buf *ret)
{
	double rate = rate_of(m, now_ns), block = (double)LAYOUT_BLOCK / MIB;
	_cleanup_buf_ struct buf again = {0};

	if (m->total > 0) {
		if (width > 0)
			add_bar(m, width, ret);
		buf_printf(ret, "%.1f of %.1f MiB, %ju %%", (double)m->done * block, (double)m->total * block,
			   (uintmax_t)(m->done * 100 / m->total));
	} else {
		buf_printf(ret, "%.0f s", (double)(now_ns - m->started_ns) / 1e9);
	}
	if (rate > 0) {
		buf_printf(ret, ", %.1f MiB/s, ", rate * block);
		add_time(ret, (double)(m->total - m->done) / rate);
		buf_printf(ret, " left");
	}
	if (m->in_flight > 0)
		buf_printf(ret, ", %u at a time", m->in_flight);
	if (retries) {
		struct retry_stats d = since(m, retries);

		retry_stats_text(&d, &again);
	}
	if (again.len > 0)
		buf_printf(ret, ", again: %s", again.ptr);
}

/* {"event": "progress", "phase": ..., ...}, on one line. */
static void show_json(const struct meter *m, const char *event, uint64_t now, const char *detail,
		      const struct retry_stats *retries)
{
	_cleanup_json_ struct json *j = js_object_new();
	_cleanup_free_ char *text = NULL;
	struct json *reasons = js_object_new();
	double rate = rate_of(m, now);

	js_set_string(j, "event", event);
	js_set_string(j, "phase", m->name);
	js_set_real(j, "seconds", (double)(now - m->started_ns) / 1e9);
	if (m->total > 0) {
		js_set_int(j, "blocks_done", (int64_t)m->done);
		js_set_int(j, "blocks_total", (int64_t)m->total);
		js_set_int(j, "in_flight", m->in_flight);
		js_set_real(j, "bytes_per_second", rate * LAYOUT_BLOCK);
		if (rate > 0)
			js_set_real(j, "seconds_left", (double)(m->total - m->done) / rate);
	}
	for (int i = 0; i < RETRY_REASONS; i++)
		if (retries->count[i] > 0)
			js_set_int(reasons, retry_reason_name((enum retry_reason)i),
				   (int64_t)retries->count[i]);
	js_set(j, "retries", reasons);
	if (detail)
		js_set_string(j, "detail", detail);
	text = js_text(j, true);
	log_note("%s", text);
}

void meter_show(struct meter *m, unsigned in_flight, const struct retry_stats *retries)
{
	bool moving = log_is_terminal() && !m->json;
	uint64_t now = clock_ns();
	_cleanup_buf_ struct buf text = {0};

	m->in_flight = in_flight;
	if (now - m->shown_ns < (moving ? EVERY_TERMINAL_NS : EVERY_LOG_NS))
		return;
	m->shown_ns = now;
	if (m->json) {
		show_json(m, "progress", now, NULL, retries ? retries : &none);
		return;
	}
	meter_text(m, now, moving ? BAR : 0, retries, &text);
	log_moving("  %-24s %s", m->name, text.ptr);
}

void meter_end(struct meter *m, const char *detail, const struct retry_stats *retries)
{
	_cleanup_buf_ struct buf text = {0}, again = {0};
	uint64_t now = clock_ns(), sent = m->done - m->skipped;
	double seconds = (double)(now - m->started_ns) / 1e9;

	if (m->json) {
		show_json(m, "done", now, detail, retries ? retries : &none);
		return;
	}
	if (sent > 0)
		buf_printf(&text, "%.1f MiB, %.1f MiB/s", (double)sent * LAYOUT_BLOCK / MIB,
			   (double)sent * LAYOUT_BLOCK / MIB / (seconds > 0.001 ? seconds : 0.001));
	if (detail)
		buf_printf(&text, "%s%s", text.len ? ", " : "", detail);
	if (retries) {
		struct retry_stats d = since(m, retries);

		retry_stats_text(&d, &again);
		m->said = *retries;
	}
	if (again.len > 0)
		buf_printf(&text, "%sagain: %s", text.len ? ", " : "", again.ptr);
	log_note("  %-24s %6.2f s  %s", m->name, seconds, text.ptr ? text.ptr : "");
}
