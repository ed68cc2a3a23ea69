/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest writes to its serial port. The same bytes give the same lines however they are cut, and no
 * line has a control character.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "vm/console.h"

struct seen {
	struct buf text; /* the lines, and what each was taken for */
	size_t lines;
};

static void on_line(const struct console_line *line, void *data)
{
	struct seen *s = data;
	size_t len = strlen(line->text);

	if (len == 0 || len > CONSOLE_LINE_MAX || (line->kind == CONSOLE_RECORD) != (line->event != NULL) ||
	    (line->kind == CONSOLE_RECORD && strncmp(line->text, "mkappliance: {", 14) != 0))
		abort();
	for (const char *p = line->text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			abort();
	buf_printf(&s->text, "%d %s\n", line->kind, line->text);
	s->lines++;
}

static void run(const uint8_t *data, size_t len, size_t piece, struct seen *ret)
{
	_cleanup_console_ struct console *c = console_new(on_line, ret);
	_cleanup_strlist_ struct strlist tail = {0};

	for (size_t i = 0; i < len; i += piece)
		console_feed(c, data + i, piece < len - i ? piece : len - i);
	console_end(c);
	console_tail(c, SIZE_MAX, &tail);
	if (tail.len != (ret->lines < CONSOLE_TAIL ? ret->lines : CONSOLE_TAIL))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct seen whole = {0}, pieces = {0};

	run(data, len, len ? len : 1, &whole);
	run(data, len, 7, &pieces);
	if (whole.lines != pieces.lines || whole.text.len != pieces.text.len ||
	    (whole.text.len && memcmp(whole.text.ptr, pieces.text.ptr, whole.text.len) != 0))
		abort();
	buf_free(&whole.text);
	buf_free(&pieces.text);
	return 0;
}
