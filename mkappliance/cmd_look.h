/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Showing something once, or again and again until Ctrl-C. On a terminal it is rewritten in place; in a log there is a line with the time for
 * how it is at each look, and one for each line that is not as it was; as JSON each look is one document on one line.
 */
#ifndef MKAPPLIANCE_CMD_LOOK_H
#define MKAPPLIANCE_CMD_LOOK_H

#include "lib/error.h"
#include "lib/json.h"
#include "lib/mem.h"

struct look_line {
	char *id;   /* of what it is about; "": of all */
	char *text; /* as it is printed */
	char *key;  /* what is news when it changes: the text without ages */
	bool alarm; /* shown first where there is not room for all */
};

/* What was seen at one look. */
struct look {
	struct look_line *head; /* the first one says how it is, in one line */
	size_t head_count, head_cap;
	char *columns; /* heading of the rows; NULL: there are none */
	struct look_line *rows;
	size_t row_count, row_cap;
	struct json *json; /* the document; with "time" put in by whoever shows it */
};

/* Takes over @text and @key; @key NULL: the text. */
void look_head(struct look *l, char *text, char *key);
void look_row(struct look *l, const char *id, char *text, char *key, bool alarm);
void look_free(struct look *l);

struct look_source {
	/* With @json only l->json is wanted. */
	int (*look)(void *data, bool json, struct look *ret, struct error *err);
	void *data;
};

#define LOOK_ONCE (~0u)

/* @seconds between two looks, 0: @usual; LOOK_ONCE: one look. Returns 0 after Ctrl-C. */
int look_show(const struct look_source *s, unsigned seconds, unsigned usual, bool json, struct error *err);

#endif
