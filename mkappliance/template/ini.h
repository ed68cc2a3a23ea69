/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The syntax of a template: lines "[Section]" and "Key=value".
 *
 * Our own reader, because libinih as Debian builds it cuts a line at 197 characters without a word and does
 * not tell the number of a line.
 *
 *  - Blanks around keys, values and section names do not count; CR LF ends a line like LF.
 *  - A comment is a line of its own that begins with '#' or ';'. Nothing behind a value is a comment.
 *  - A backslash at the very end of a line continues the value on the next one; the backslash and the blanks
 *    around it count as one space. Comments between continued lines are skipped. Two backslashes do not
 *    continue.
 *  - NUL bytes and other control characters are refused.
 */
#ifndef MKAPPLIANCE_TEMPLATE_INI_H
#define MKAPPLIANCE_TEMPLATE_INI_H

#include <stddef.h>

#include "lib/error.h"

#define INI_MAX_SIZE ((size_t)1 << 20)

struct ini_item {
	unsigned line; /* the first one, when continued; counted from 1 */
	char *section;
	char *key;   /* NULL: the item is the section's header itself */
	char *value; /* "" at least; NULL when key is */
};

/* In the order of the file. */
struct ini {
	struct ini_item *items;
	size_t len;
	size_t cap;
};

/* Every error is a usage error that begins with "@name:LINE: ". Parser of untrusted bytes. */
int ini_parse(const char *text, size_t len, const char *name, struct ini *ret, struct error *err);

void ini_free(struct ini *ini);
#define _cleanup_ini_ __attribute__((cleanup(ini_free)))

#endif
