/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "console.h"
#include "file.h"
#include "line.h"
#include "out.h"

#define OUTPUT_READ 512	  /* bytes at once: on a slow console even as many empty lines take but a moment */
#define OUTPUT_MS   250	  /* at a time, so that a flood does not keep us from everything else */
#define REST_MS	    10000 /* for the last words: a full pipe at 115200 baud takes 6 s */

void out_init(struct output *o, const char *name)
{
	struct line prefix = {.len = 0};

	line_printf(&prefix, ABI_APP_PREFIX);
	if (strcmp(name, ABI_SERVICE_MAIN) != 0)
		line_printf(&prefix, "%s: ", name);
	memcpy(o->line, prefix.text, prefix.len);
	o->prefix = o->len = prefix.len;
	o->fd = -1;
	o->lost = 0;
}

/*
 * The kernel may put a message of its own, with its line end, into the middle of ours; what follows it then
 * begins a line. So the text that begins a record must not occur in ours at all.
 */
static void disarm(struct output *o)
{
	static const char record[] = ABI_RECORD_PREFIX;
	char *at = o->line + o->prefix;

	while ((at = memmem(at, (size_t)(o->line + o->len - at), record, sizeof record - 1))) {
		at += sizeof record - 1;
		at[-2] = '?'; /* its colon */
	}
}

static void flush(struct output *o)
{
	struct line lost = {.len = 0};

	disarm(o);
	o->line[o->len++] = '\n';
	if (o->lost && console_ready()) {
		line_bytes(&lost, o->line, o->prefix);
		line_printf(&lost, "(%u lines lost: the console is too slow)\n", o->lost);
		if (console_write(lost.text, lost.len) == 0)
			o->lost = 0;
	}
	/* After one line that found no room the others do not wait for it again. */
	if ((o->lost && !console_ready()) || console_write(o->line, o->len) < 0)
		o->lost++;
	o->len = o->prefix;
}

/* Control characters could move the cursor and so put text where only records begin. */
static void put_byte(struct output *o, char c)
{
	if (c == '\n') {
		flush(o);
		return;
	}
	if (o->len >= o->prefix + OUTPUT_LINE)
		flush(o);
	o->line[o->len++] = ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f ? '?' : c;
}

void out_forward(struct output *o, bool rest)
{
	uint64_t until = clock_ms() + (rest ? REST_MS : OUTPUT_MS);
	char buf[OUTPUT_READ];
	ssize_t n = -1;

	while (o->fd >= 0 && clock_ms() < until) {
		n = read(o->fd, buf, sizeof buf);
		if (n <= 0)
			break;
		for (ssize_t k = 0; k < n; k++)
			if (buf[k] != '\r' || k + 1 == n || buf[k + 1] != '\n')
				put_byte(o, buf[k]);
	}
	if (n == 0)
		out_close(o);
	if ((rest || o->fd < 0) && o->len > o->prefix)
		flush(o);
}

void out_open(struct output *o, int fd)
{
	out_forward(o, true);
	out_close(o);
	o->fd = fd;
}

void out_close(struct output *o)
{
	if (o->fd >= 0)
		close(o->fd);
	o->fd = -1;
}
