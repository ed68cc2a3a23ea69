/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/timeline.h"

#include <stdio.h>
#include <string.h>

#include "image/abi.h"
#include "lib/io.h"

#define SLOP	  0.1 /* seconds: the first record came after the init had begun to count */
#define TIME_MAX  1e6 /* seconds: a machine that says more is not believed */
#define WIDTH	  960
#define LABELS	  220 /* left of the bars */
#define FIGURES	  90  /* right of them */
#define ROW	  22
#define HEAD	  64
#define TICKS_MAX 12

static void add(struct timeline *t, double to, int kind, const char *label)
{
	struct timeline_bar *b = &t->bars[t->count];

	if (t->count == TIMELINE_MAX || to < t->now)
		return;
	*b = (struct timeline_bar){.from = t->now, .to = to, .kind = (unsigned)kind};
	snprintf(b->label, sizeof(b->label), "%s", label);
	t->now = to;
	t->count++;
}

struct step {
	const char *key, *label;
};

/* The steps of a stage, which its last record sums up in milliseconds; and @label, what is left of it. */
static void add_steps(struct timeline *t, const struct json *record, double end, int kind,
		      const struct step *steps, const char *label)
{
	for (; steps->key; steps++) {
		double to = end + 2 * SLOP;
		int64_t ms;

		if (js_int(js_get(record, steps->key), &ms) && ms >= 0)
			to = t->now + (double)ms / 1000;
		if (to <= end + SLOP)
			add(t, to < end ? to : end, kind, steps->label);
	}
	add(t, end, kind, label);
}

static void add_verified(struct timeline *t, const struct json *record, double end)
{
	static const struct step steps[] = {{"modules_ms", "kernel modules"}, {"disk_ms", "the disk appears"},
					    {"verity_ms", "dm-verity"},	      {"read_ms", "whole root read"},
					    {"mount_ms", "root mounted"},     {NULL, NULL}};

	add_steps(t, record, end, BAR_INTEGRITY, steps, "verified");
	t->mark = t->count;
	t->mark_at = t->now;
}

/* The first service has started, and says what the way there took: more than the records in between do. */
static void add_started(struct timeline *t, const struct json *record, double end, const char *label)
{
	static const struct step steps[] = {{"setup_ms", "control groups, file systems"},
					    {"drivers_ms", "drivers"},
					    {"data_ms", "data volume"},
					    {"network_ms", "network"},
					    {"metadata_ms", "metadata"},
					    {"seal_ms", "sealed"},
					    {"exec_ms", "programs before it, exec"},
					    {NULL, NULL}};

	if (t->mark && js_get(record, "total_ms")) {
		t->count = t->mark;
		t->now = t->mark_at;
	}
	t->mark = 0;
	add_steps(t, record, end, BAR_START, steps, label);
}

static int kind_of(const char *event)
{
	if (strcmp(event, ABI_EVENT_STOPPING) == 0)
		return BAR_RUN;
	if (strcmp(event, ABI_EVENT_STOPPED) == 0 || strcmp(event, ABI_EVENT_FAILED) == 0 ||
	    strcmp(event, ABI_EVENT_REFUSED) == 0)
		return BAR_END;
	return BAR_START;
}

void timeline_add(struct timeline *t, const struct json *record)
{
	static const char *const subjects[] = {"service", "interface", "device", "reason"};
	const char *event = js_string(js_get(record, "event")), *subject = NULL;
	char label[64];
	double at;
	int kind;

	if (!event || !js_real(js_get(record, "t"), &at) || !(at >= t->now && at < TIME_MAX))
		return;
	if (strcmp(event, ABI_EVENT_INIT) == 0) {
		add(t, at, BAR_KERNEL, "kernel");
		return;
	}
	if (strcmp(event, ABI_EVENT_VERIFIED) == 0) {
		add_verified(t, record, at);
		return;
	}
	kind = kind_of(event);
	for (size_t i = 0; !subject && i < sizeof(subjects) / sizeof(subjects[0]); i++)
		subject = js_string(js_get(record, subjects[i]));
	if (strcmp(event, ABI_EVENT_STOPPING) == 0)
		event = "runs until";
	snprintf(label, sizeof(label), "%s%s%s", event, subject ? " " : "", subject ? subject : "");
	if (strcmp(event, ABI_EVENT_STARTED) == 0)
		add_started(t, record, at, label);
	else
		add(t, at, kind, label);
}

/* ---- the drawing ---- */

/* Text between tags: what XML reserves is written as entities, what is not printable ASCII as '?'. */
static void put_text(struct buf *b, const char *text)
{
	for (; *text; text++) {
		if (*text == '<' || *text == '>' || *text == '&')
			buf_printf(b, "&#%d;", *text);
		else
			buf_printf(b, "%c", *text >= 0x20 && *text < 0x7f ? *text : '?');
	}
}

/* 1, 2 or 5 times a power of ten, so that there are at most TICKS_MAX. */
static double tick_step(double end)
{
	static const double next[] = {2, 2.5, 2};
	double step = 0.0001;

	for (size_t i = 0; end / step > TICKS_MAX; i++)
		step *= next[i % 3];
	return step;
}

static double x_of(double seconds, double end)
{
	return LABELS + seconds / end * (WIDTH - LABELS - FIGURES);
}

static void put_axis(struct buf *b, double end, int bottom)
{
	double step = tick_step(end);

	for (double s = 0; s <= end; s += step)
		buf_printf(b,
			   "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#d0d7de\"/>\n"
			   "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\" fill=\"#57606a\">%g s</text>\n",
			   x_of(s, end), HEAD - 6, x_of(s, end), bottom, x_of(s, end), HEAD - 12, s);
}

static void put_bar(struct buf *b, const struct timeline_bar *bar, double end, int y)
{
	static const char *const colours[] = {[BAR_KERNEL] = "#8c959f",
					      [BAR_INTEGRITY] = "#0969da",
					      [BAR_START] = "#1a7f37",
					      [BAR_RUN] = "#aceebb",
					      [BAR_END] = "#bc4c00"};
	double from = x_of(bar->from, end), width = x_of(bar->to, end) - from;

	buf_printf(b, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\" fill=\"#1f2328\">", LABELS - 8, y + 15);
	put_text(b, bar->label);
	buf_printf(b,
		   "</text>\n<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\" fill=\"%s\"/>\n",
		   from, y + 3, width < 1.5 ? 1.5 : width, ROW - 6, colours[bar->kind]);
	buf_printf(b, "<text x=\"%.1f\" y=\"%d\" fill=\"#57606a\">%.0f ms</text>\n",
		   from + (width < 1.5 ? 1.5 : width) + 6, y + 15, (bar->to - bar->from) * 1000);
}

int timeline_write(const struct timeline *t, const char *title, const char *path, struct error *err)
{
	_cleanup_buf_ struct buf b = {0};
	double end = t->now > 0.001 ? t->now : 0.001;
	int height = HEAD + ROW * (int)t->count + 16;

	buf_printf(
		&b,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
		"font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n"
		"<text x=\"16\" y=\"24\" font-size=\"16\" fill=\"#1f2328\">",
		WIDTH, height, WIDTH, height);
	put_text(&b, title);
	buf_printf(&b, ": %.3f s since the kernel started</text>\n", t->now);
	put_axis(&b, end, height - 12);
	for (size_t i = 0; i < t->count; i++)
		put_bar(&b, &t->bars[i], end, HEAD + ROW * (int)i);
	buf_printf(&b, "</svg>\n");
	return output_write_file(path, b.ptr, b.len, err);
}
