/* SPDX-License-Identifier: Apache-2.0 */
/* What came of drills: lines, JSON, JUnit; declared in cmd_drill.h. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cmd_drill.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "vm/junit.h"

#define REPORT_ROOM 65536 /* bytes; more than any report takes */

static void seconds_text(char *text, size_t size, double s)
{
	if (s < 0)
		snprintf(text, size, "never");
	else
		snprintf(text, size, "%.1f s", s);
}

void drill_print(const struct drill *d)
{
	char detect[32], recover[32], lost[64] = "not measured";

	seconds_text(detect, sizeof(detect), drill_detect_seconds(d));
	seconds_text(recover, sizeof(recover), drill_recover_seconds(d));
	if (d->measured)
		snprintf(lost, sizeof(lost), "%ju of %ju", (uintmax_t)d->lost, (uintmax_t)d->requests);
	printf("%-4s  %-15s detected %8s  recovered %8s  lowest %u of %u  lost %s  %s\n",
	       d->ok ? "ok" : "FAIL", drill_name(d->kind), detect, recover, d->lowest, d->size, lost,
	       d->detail);
	(void)fflush(stdout);
}

unsigned drill_count_failed(const struct drill_list *l)
{
	unsigned n = 0;

	for (size_t i = 0; i < l->count; i++)
		n += !l->list[i].ok;
	return n;
}

struct json *drill_report_json(const struct drill_list *l)
{
	struct json *j = js_object_new(), *list = js_array_new();

	js_set_string(j, "group", l->group);
	js_set_bool(j, "ok", drill_count_failed(l) == 0 && !l->unheld);
	for (size_t i = 0; i < l->count; i++)
		js_append(list, drill_json(&l->list[i]));
	js_set(j, "drills", list);
	if (l->unheld) {
		js_set_string(j, "not_held", l->unheld);
		js_set_string(j, "error", l->why);
	}
	return j;
}

static int write_json(const struct drill_list *l, const char *path, struct error *err)
{
	_cleanup_json_ struct json *j = drill_report_json(l);
	_cleanup_free_ char *text = js_text(j, false);

	return output_write_file(path, text, strlen(text), err);
}

static int write_junit(const struct drill_list *l, const char *path, struct error *err)
{
	struct junit j = {0};
	int r;

	for (size_t i = 0; i < l->count; i++) {
		const struct drill *d = &l->list[i];
		double s = drill_recover_seconds(d);

		junit_add(&j, "drill", drill_name(d->kind), s < 0 ? d->deadline : s, d->ok, d->detail, NULL);
	}
	if (l->unheld)
		junit_add(&j, "drill", l->unheld, 0, false, l->why, NULL);
	r = junit_write(&j, l->group, path, err);
	junit_free(&j);
	return r;
}

/* Nothing is left there. */
static int probe(const char *path, struct error *err)
{
	_cleanup_output_ struct output out = OUTPUT_INIT;
	int r = path ? output_open(path, &out, err) : 0;

	if (r < 0 || !path)
		return r;
	r = posix_fallocate(out.fd, 0, REPORT_ROOM);
	return r ? io_write_error(path, -r, err) : 0;
}

int drill_report_check(const char *report, const char *junit, struct error *err)
{
	int r = probe(report, err);

	return r < 0 ? r : probe(junit, err);
}

int drill_report_write(const struct drill_list *l, const char *path, bool junit, struct error *err)
{
	size_t n = strlen(path);

	return junit || (n > 4 && strcmp(path + n - 4, ".xml") == 0) ? write_junit(l, path, err)
								     : write_json(l, path, err);
}
