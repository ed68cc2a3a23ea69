/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/witness.h"

#include <stdio.h>
#include <string.h>

#include "image/abi.h"
#include "lib/error.h"
#include "lib/log.h"

static void copy_text(char *to, size_t size, const char *from)
{
	size_t n = strnlen(from, size - 1);

	memcpy(to, from, n);
	to[n] = 0;
}

static unsigned witness_record(struct machine_status *s, const struct console_line *line)
{
	static const struct {
		const char *event;
		unsigned seen;
	} events[] = {
		{ABI_EVENT_INIT, SEEN_INIT},	     {ABI_EVENT_VERIFIED, SEEN_VERIFIED},
		{ABI_EVENT_STARTED, SEEN_STARTED},   {ABI_EVENT_READY, SEEN_READY},
		{ABI_EVENT_STOPPING, SEEN_STOPPING}, {ABI_EVENT_STOPPED, SEEN_STOPPED},
		{ABI_EVENT_FAILED, SEEN_FAILED},     {ABI_EVENT_REFUSED, SEEN_REFUSED},
	};
	const char *reason = js_string(js_get(line->record, "reason"));
	const char *detail = js_string(js_get(line->record, "detail"));
	unsigned seen = 0;

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (strcmp(events[i].event, line->event) == 0)
			seen = events[i].seen;
	/* A refusal stays the reason, whatever fails on account of it. */
	if ((seen & (SEEN_REFUSED | SEEN_FAILED | SEEN_STOPPED)) && !(s->seen & SEEN_REFUSED)) {
		copy_text(s->reason, sizeof(s->reason), reason ? reason : "");
		copy_text(s->detail, sizeof(s->detail), detail ? detail : "");
		/* JSON can say what no line of the console has: an escape sequence. */
		error_one_line(s->reason);
		error_one_line(s->detail);
	}
	if (seen & SEEN_VERIFIED) {
		(void)js_real(js_get(line->record, "t"), &s->verified_t);
		s->verified_ns = clock_ns();
	}
	if (seen & SEEN_READY) {
		(void)js_real(js_get(line->record, "t"), &s->ready_t);
		s->ready_ns = clock_ns();
	}
	return seen;
}

/* What it says first is the reason. */
static unsigned witness_stuck(struct machine_status *s, const char *text)
{
	const char *what = text[0] == 'B' ? "it finds nothing that it can start" : text;

	if (s->seen & (SEEN_INIT | SEEN_DENIED | SEEN_STUCK))
		return 0;
	copy_text(s->reason, sizeof(s->reason), "firmware");
	snprintf(s->detail, sizeof(s->detail), "%.180s; is there enough memory?", what);
	return SEEN_STUCK | SEEN_FAILED;
}

unsigned witness_line(struct machine_status *s, const struct console_line *line)
{
	switch (line->kind) {
	case CONSOLE_TEXT:
		return 0;
	case CONSOLE_RECORD:
		return witness_record(s, line);
	case CONSOLE_CORRUPTED:
	case CONSOLE_PANIC:
		if (!s->detail[0])
			copy_text(s->detail, sizeof(s->detail), line->text);
		return line->kind == CONSOLE_PANIC ? SEEN_PANIC : SEEN_CORRUPTED;
	case CONSOLE_DENIED:
		if (s->seen & SEEN_INIT)
			return 0;
		copy_text(s->detail, sizeof(s->detail), "Secure Boot: the firmware did not start the UKI");
		return SEEN_DENIED;
	case CONSOLE_STUCK:
		return witness_stuck(s, line->text);
	}
	return 0;
}
