/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/console.h"

#include <stdbool.h>
#include <string.h>

#include "image/abi.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

/* Where in an escape sequence we are (ECMA-48, sections 5.3 to 5.6). */
enum state {
	GROUND,
	ESCAPE,	    /* behind ESC */
	CONTROL,    /* behind ESC [: parameters up to a final byte */
	STRING,	    /* behind ESC ] P ^ _ X: a string up to BEL or ESC \ */
	STRING_END, /* the ESC of ESC \ */
};

struct console {
	void (*on_line)(const struct console_line *line, void *data);
	void *data;
	enum state state;
	char line[CONSOLE_LINE_MAX + 1];
	size_t len;
	bool cut; /* the line is longer than that; the rest of it goes */
	char *tail[CONSOLE_TAIL];
	size_t lines; /* ever; the last one is tail[(lines - 1) % CONSOLE_TAIL] */
};

struct console *console_new(void (*on_line)(const struct console_line *line, void *data), void *data)
{
	struct console *c = xcalloc(1, sizeof(*c));

	c->on_line = on_line;
	c->data = data;
	return c;
}

void console_free(struct console *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < CONSOLE_TAIL; i++)
		free(c->tail[i]);
	free(c);
}

void console_freep(struct console **c)
{
	console_free(*c);
}

/* The record of a line, NULL when it is none: not ours, not JSON, or without "event". */
static struct json *parse_record(const char *text)
{
	const size_t prefix = strlen(ABI_RECORD_PREFIX);
	struct error ignored = ERROR_INIT;
	struct json *j = NULL;

	if (strncmp(text, ABI_RECORD_PREFIX, prefix) != 0 || text[prefix] != '{')
		return NULL;
	if (js_parse(text + prefix, strlen(text + prefix), "record", &j, &ignored) < 0)
		return NULL;
	if (!js_is_object(j) || !js_string(js_get(j, "event"))) {
		js_free(j);
		return NULL;
	}
	return j;
}

/* "[    1.234567] " of the kernel's messages. */
static const char *skip_time(const char *text)
{
	const char *end;

	if (text[0] != '[')
		return text;
	end = text + 1 + strspn(text + 1, " 0123456789.");
	return end[0] == ']' && end[1] == ' ' ? end + 2 : text;
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* EDK II, before anybody else speaks. With too little memory it does either. */
static enum console_kind kind_of_firmware(const char *text)
{
	/* "BdsDxe: failed to load Boot0001 "..." from PciRoot...: Access Denied" */
	if (begins(text, "BdsDxe: failed to load Boot") && strstr(text, ": Access Denied"))
		return CONSOLE_DENIED;
	/* "BdsDxe: starting Boot0002 "EFI Internal Shell" from Fv(...": the last of what it tries */
	if (begins(text, "BdsDxe: starting Boot") && strstr(text, "\"EFI Internal Shell\""))
		return CONSOLE_STUCK;
	/* "!!!! X64 Exception Type - 0E(#PF - Page-Fault)  CPU Apic ID - 00000000 !!!!" */
	if (begins(text, "!!!! X64 Exception Type") || begins(text, "Synchronous Exception at 0x"))
		return CONSOLE_STUCK;
	return CONSOLE_TEXT;
}

/*
 * The kernel's lines are looked for only where the kernel puts them, at the start: an application may print
 * anything behind the mark that the init gives its lines.
 */
static enum console_kind kind_of_text(const char *text)
{
	const char *message = skip_time(text);

	if (begins(message, "Kernel panic"))
		return CONSOLE_PANIC;
	if (begins(message, "device-mapper: verity: ") && strstr(message, " is corrupted"))
		return CONSOLE_CORRUPTED;
	return kind_of_firmware(text);
}

static void end_line(struct console *c)
{
	_cleanup_json_ struct json *record = NULL;
	struct console_line line = {.text = c->line};
	char **slot = &c->tail[c->lines % CONSOLE_TAIL];

	while (c->len > 0 && c->line[c->len - 1] == ' ')
		c->len--;
	c->line[c->len] = 0;
	error_one_line(c->line); /* what a terminal obeys in UTF-8 is still there */
	if (c->len > 0) {
		record = c->cut ? NULL : parse_record(c->line);
		line.kind = record ? CONSOLE_RECORD : kind_of_text(c->line);
		line.record = record;
		line.event = record ? js_string(js_get(record, "event")) : NULL;
		free(*slot);
		*slot = xstrndup(c->line, c->len);
		c->lines++;
		if (c->on_line)
			c->on_line(&line, c->data);
	}
	c->len = 0;
	c->cut = false;
}

static void take_ground(struct console *c, unsigned char b)
{
	if (b == 0x1b)
		c->state = ESCAPE;
	else if ((b < 0x20 && b != '\t') || b == 0x7f)
		; /* NUL, carriage return, bell ... */
	else if (c->len < CONSOLE_LINE_MAX)
		c->line[c->len++] = b == '\t' ? ' ' : (char)b;
	else
		c->cut = true;
}

static void take_escape(struct console *c, unsigned char b)
{
	if (b == '[')
		c->state = CONTROL;
	else if (strchr("]P^_X", b) && b)
		c->state = STRING;
	else if (b < 0x20 || b > 0x2f) /* else an intermediate byte: the final one is still to come */
		c->state = GROUND;
}

static void take_control(struct console *c, unsigned char b)
{
	if (b >= 0x40 && b <= 0x7e) {
		c->state = GROUND;
		if (b == 'H' || b == 'J' || b == 'f') /* the cursor goes elsewhere: another line begins */
			end_line(c);
	}
}

static void take_byte(struct console *c, unsigned char b)
{
	/* In whatever sequence it comes, broken off or not: no line may swallow the next one. */
	if (b == '\n') {
		c->state = GROUND;
		end_line(c);
		return;
	}
	switch (c->state) {
	case GROUND:
		take_ground(c, b);
		return;
	case ESCAPE:
		take_escape(c, b);
		return;
	case CONTROL:
		take_control(c, b);
		return;
	case STRING:
		if (b == 0x1b)
			c->state = STRING_END;
		else if (b == 0x07)
			c->state = GROUND;
		return;
	case STRING_END:
		c->state = b == 0x1b ? STRING_END : GROUND;
		return;
	}
}

void console_feed(struct console *c, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < len; i++)
		take_byte(c, p[i]);
}

void console_end(struct console *c)
{
	end_line(c);
}

void console_tail(const struct console *c, size_t max, struct strlist *ret)
{
	size_t n = c->lines < CONSOLE_TAIL ? c->lines : CONSOLE_TAIL;

	if (n > max)
		n = max;
	for (size_t i = c->lines - n; i < c->lines; i++)
		strlist_add(ret, c->tail[i % CONSOLE_TAIL]);
}
