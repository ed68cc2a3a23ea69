/* SPDX-License-Identifier: Apache-2.0 */
/* The syntax of systemd's unit files, drop-ins and presets' neighbours (systemd.syntax(7)): lines, not yet what they mean. */
#ifndef MKAPPLIANCE_COMPOSE_UNIT_FILE_H
#define MKAPPLIANCE_COMPOSE_UNIT_FILE_H

#include <stddef.h>

#include "lib/error.h"
#include "lib/mem.h"

#define UNIT_FILE_MAX ((size_t)1 << 20) /* bytes of one file, as systemd limits a line of it */

/* One assignment. */
struct unit_item {
	char *section; /* "Service" */
	char *key;
	char *value;   /* "" resets a list */
	size_t file;   /* index in unit_file.names */
	unsigned line; /* where it begins */
};

/* The assignments of a unit and its drop-ins, in the order in which they count. */
struct unit_file {
	struct strlist names; /* of the files, for messages */
	struct unit_item *items;
	size_t len;
	size_t cap;
};

/*
 * Appends what @text says. As in systemd, a line that is no assignment, or stands before the first section, is passed over with a
 * warning; a section without its bracket is an error, and so are bytes that are not text.
 */
int unit_file_parse(const char *text, size_t len, const char *name, struct unit_file *ret, struct error *err);
void unit_file_free(struct unit_file *u);
#define _cleanup_unit_file_ __attribute__((cleanup(unit_file_free)))

/* "FILE:LINE", borrowed until the next call. */
const char *unit_item_place(const struct unit_file *u, const struct unit_item *item);

#endif
