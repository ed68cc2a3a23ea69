/* SPDX-License-Identifier: Apache-2.0 */
#include "rollout/drill_history.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/mem.h"

#define SECONDS_MAX 1e9

static void write_date(int64_t seconds, char *ret, size_t size)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(ret, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(ret, size, "1970-01-01T00:00:00Z");
}

void drill_history_text(const struct drill *d, int64_t now, char ret[DRILL_HISTORY_SIZE])
{
	double s = drill_recover_seconds(d);
	char date[24];

	write_date(now / 1000, date, sizeof(date));
	if (s < 0)
		snprintf(ret, DRILL_HISTORY_SIZE, "%s %s never", date, d->ok ? "ok" : "failed");
	else
		snprintf(ret, DRILL_HISTORY_SIZE, "%s %s %.1f", date, d->ok ? "ok" : "failed", s);
}

static bool is_date(const char *text, size_t len)
{
	static const char form[] = "dddd-dd-ddTdd:dd:ddZ";

	if (len != sizeof(form) - 1)
		return false;
	for (size_t i = 0; i < len; i++)
		if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
			return false;
	return true;
}

bool drill_history_parse(const char *text, struct drill_history *ret)
{
	size_t n = strcspn(text, " ");
	struct drill_history h = {.seconds = -1};
	const char *p = text + n;
	char *end;

	if (!is_date(text, n))
		return false;
	memcpy(h.date, text, n);
	if (strncmp(p, " ok ", 4) == 0)
		h.ok = true;
	else if (strncmp(p, " failed ", 8) != 0)
		return false;
	p += h.ok ? 4 : 8;
	if (strcmp(p, "never") != 0) {
		if (*p < '0' || *p > '9' || p[strspn(p, "0123456789.")])
			return false;
		h.seconds = strtod(p, &end);
		if (*end || !(h.seconds < SECONDS_MAX))
			return false;
	}
	*ret = h;
	return true;
}

bool drill_history_of_json(const struct json *j, struct drill_history *ret)
{
	struct drill_history h = {.seconds = -1};
	int64_t started, deadline;

	if (!js_int(js_get(j, "started"), &started) || !js_bool(js_get(j, "ok"), &h.ok) ||
	    !js_int(js_get(j, "deadline"), &deadline) || started < 0 || deadline < 0)
		return false;
	if (!js_real(js_get(j, "time_to_recover"), &h.seconds) ||
	    !(h.seconds >= 0 && h.seconds < SECONDS_MAX))
		h.seconds = -1;
	write_date(started + (h.seconds < 0 ? deadline : (int64_t)(h.seconds + 0.999)), h.date,
		   sizeof(h.date));
	*ret = h;
	return true;
}

char *drill_history_line(const char *kind, const struct drill_history *h)
{
	if (h->seconds < 0)
		return xasprintf("last drill %s: %s %s, never recovered", kind, h->date,
				 h->ok ? "ok" : "failed");
	return xasprintf("last drill %s: %s %s, recovered after %.1f s", kind, h->date,
			 h->ok ? "ok" : "failed", h->seconds);
}

struct json *drill_history_json(const char *kind, const struct drill_history *h)
{
	struct json *j = js_object_new();

	js_set_string(j, "drill", kind);
	js_set_string(j, "date", h->date);
	js_set_bool(j, "ok", h->ok);
	if (h->seconds < 0)
		js_set_string(j, "seconds", NULL);
	else
		js_set_real(j, "seconds", h->seconds);
	return j;
}
