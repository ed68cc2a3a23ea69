/* SPDX-License-Identifier: Apache-2.0 */
/* The report of a proof: its lines, and where the first difference is. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "check/verify_internal.h"
#include "lib/mem.h"

static void report_line(struct verify *v, bool ok, const char *name, const char *format, va_list ap)
	__attribute__((format(printf, 4, 0)));

static void report_line(struct verify *v, bool ok, const char *name, const char *format, va_list ap)
{
	struct verify_report *r = v->report;
	char *detail = NULL;

	if (vasprintf(&detail, format, ap) < 0)
		detail = xstrdup("out of memory");
	if (!ok)
		r->ok = false;
	check_steps_add(&r->steps, ok, name, detail);
}

void report_ok(struct verify *v, const char *name, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	report_line(v, true, name, format, ap);
	va_end(ap);
}

void report_bad(struct verify *v, const char *name, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	report_line(v, false, name, format, ap);
	va_end(ap);
}

void report_place(struct verify *v, const char *partition, uint64_t block, char *owner)
{
	struct verify_report *r = v->report;

	if (r->partition) {
		free(owner);
		return;
	}
	r->partition = partition;
	r->block = block;
	r->owner = owner;
}

void verify_report_free(struct verify_report *r)
{
	check_steps_free(&r->steps);
	free(r->owner);
	*r = (struct verify_report){0};
}
