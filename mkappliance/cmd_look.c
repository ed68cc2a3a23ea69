/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_look.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/log.h"

#define ROWS_MIN 8

static void add(struct look_line **list, size_t *count, size_t *cap, const char *id, char *text, char *key,
		bool alarm)
{
	array_grow(*list, *count, *cap);
	(*list)[(*count)++] = (struct look_line){xstrdup(id), text, key ? key : xstrdup(text), alarm};
}

void look_head(struct look *l, char *text, char *key)
{
	add(&l->head, &l->head_count, &l->head_cap, "", text, key, false);
}

void look_row(struct look *l, const char *id, char *text, char *key, bool alarm)
{
	add(&l->rows, &l->row_count, &l->row_cap, id, text, key, alarm);
}

static void free_lines(struct look_line *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(list[i].id);
		free(list[i].text);
		free(list[i].key);
	}
	free(list);
}

void look_free(struct look *l)
{
	free_lines(l->head, l->head_count);
	free_lines(l->rows, l->row_count);
	free(l->columns);
	js_free(l->json);
	*l = (struct look){0};
}

static void now_text(char text[32])
{
	time_t t = time(NULL);
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		text[0] = 0;
}

/* ---- on a terminal ---- */

struct screen {
	unsigned rows, columns;
	unsigned used; /* lines of the last look */
};

static void measure(struct screen *s)
{
	struct winsize w = {0};

	s->rows = 24;
	s->columns = 80;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_row && w.ws_col) {
		s->rows = w.ws_row;
		s->columns = w.ws_col;
	}
	if (s->rows < ROWS_MIN)
		s->rows = ROWS_MIN;
}

/* One line of the screen, cut at its width; bytes that go on a character of UTF-8 take no column. */
static void put_line(struct screen *s, const char *text)
{
	unsigned column = 0;
	const char *end = text;

	for (; *end; end++) {
		column += ((unsigned char)*end & 0xc0) != 0x80;
		if (column >= s->columns)
			break;
	}
	printf("%.*s\033[K\n", (int)(end - text), text);
	s->used++;
}

/* Those that are not as they should be come first, when there is not room for all. */
static void put_rows(struct screen *s, const struct look *l, unsigned room)
{
	bool all = l->row_count <= room;
	size_t shown = 0;
	char more[48];

	for (int pass = all; pass < 2; pass++)
		for (size_t i = 0; i < l->row_count && (all || shown + 1 < room); i++)
			if (all || l->rows[i].alarm == (pass == 0)) {
				put_line(s, l->rows[i].text);
				shown++;
			}
	if (all)
		return;
	snprintf(more, sizeof(more), "(and %zu more)", l->row_count - shown);
	put_line(s, more);
}

/* Over what the last look wrote. */
static void put_screen(struct screen *s, const struct look *l)
{
	unsigned before = s->used;

	measure(s);
	if (before)
		printf("\033[%uA\r", before);
	s->used = 0;
	for (size_t i = 0; i < l->head_count && s->used + 3 < s->rows; i++)
		put_line(s, l->head[i].text);
	if (l->row_count && s->used + 4 < s->rows) {
		put_line(s, "");
		put_line(s, l->columns);
		put_rows(s, l, s->rows - s->used - 1);
	}
	printf("\033[J");
}

/* ---- once, and in a log ---- */

static void put_text(const struct look *l)
{
	for (size_t i = 0; i < l->head_count; i++)
		printf("%s\n", l->head[i].text);
	if (l->row_count)
		printf("\n%s\n", l->columns);
	for (size_t i = 0; i < l->row_count; i++)
		printf("%s\n", l->rows[i].text);
}

static bool is_old(const struct look_line *n, const struct look_line *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].id, n->id) == 0 && strcmp(list[i].key, n->key) == 0)
			return true;
	return false;
}

static bool has_id(const char *id, const struct look_line *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].id, id) == 0)
			return true;
	return false;
}

static void put_log(const struct look *was, const struct look *is)
{
	char now[32];

	now_text(now);
	for (size_t i = 0; i < is->head_count; i++)
		if (i == 0 || !is_old(&is->head[i], was->head, was->head_count))
			printf("%s %s\n", now, is->head[i].text);
	for (size_t i = 0; i < is->row_count; i++)
		if (!is_old(&is->rows[i], was->rows, was->row_count))
			printf("%s %s\n", now, is->rows[i].text);
	for (size_t i = 0; i < was->row_count; i++)
		if (!has_id(was->rows[i].id, is->rows, is->row_count))
			printf("%s %s  gone\n", now, was->rows[i].id);
}

/* ---- again and again ---- */

static int flush(struct error *err)
{
	if (fflush(stdout) != 0)
		return error_errno(err, -errno, "standard output");
	return 0;
}

static int put_json(const struct look *l, bool compact, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	char now[32];

	now_text(now);
	js_set_string(l->json, "time", now);
	if (!compact)
		return cmd_print_json(l->json, err);
	text = js_text(l->json, true);
	printf("%s\n", text);
	return flush(err);
}

static int put(struct screen *s, const struct look *was, const struct look *is, bool json, struct error *err)
{
	if (json)
		return put_json(is, true, err);
	if (isatty(STDOUT_FILENO))
		put_screen(s, is);
	else
		put_log(was, is);
	return flush(err);
}

/* What may be better at the next look. */
static bool may_pass(int r)
{
	return r == -EIO || r == -EAGAIN || r == -ETIMEDOUT;
}

static int watch(const struct look_source *s, unsigned seconds, bool json, struct look *was,
		 struct error *err)
{
	struct screen screen = {0};
	bool first = true;

	for (;;) {
		struct look is = {0};
		int r = s->look(s->data, json, &is, err);

		if (r == 0) {
			r = put(&screen, was, &is, json, err);
			look_free(was);
			*was = is;
		} else if (!first && may_pass(r)) {
			log_warning("%s", err->text);
			screen.used = 0;
			r = 0;
		}
		first = false;
		if (r == 0)
			r = interrupt_sleep(seconds * 1000000000ull, err);
		if (r < 0)
			return r;
	}
}

int look_show(const struct look_source *s, unsigned seconds, unsigned usual, bool json, struct error *err)
{
	struct look l = {0};
	int r;

	if (seconds != LOOK_ONCE) {
		r = watch(s, seconds ? seconds : usual, json, &l, err);
		if (r == -EINTR) {
			interrupt_clear();
			r = 0;
		}
	} else {
		r = s->look(s->data, json, &l, err);
		if (r == 0 && json)
			r = put_json(&l, false, err);
		else if (r == 0)
			put_text(&l);
	}
	look_free(&l);
	return r;
}
