/* SPDX-License-Identifier: Apache-2.0 */
/* The words of a unit's values: quotes and escapes (systemd.syntax(7)), specifiers (systemd.unit(5)), spans of time (systemd.time(7)). */
#ifndef MKAPPLIANCE_COMPOSE_UNIT_WORDS_H
#define MKAPPLIANCE_COMPOSE_UNIT_WORDS_H

#include "lib/error.h"
#include "lib/mem.h"

/*
 * The next word at *@p, which moves behind it; its quotes are taken off and its escapes are done. 1, 0 at the end, or an error: a
 * quote that does not end. Escapes that systemd does not know stay as they are.
 */
int unit_word(const char **p, char **ret, struct error *err);

/* All words of @value, appended. */
int unit_words(const char *value, struct strlist *ret, struct error *err);

/* What stands for the specifiers. */
struct unit_names {
	const char *name;     /* "app@blue.service" */
	const char *hostname; /* of the appliance */
	const char *machine;  /* "x86-64" */
};

/* @text with its specifiers replaced; to be freed. Those that only the running machine knows are refused. */
int unit_specifiers(const char *text, const struct unit_names *n, char **ret, struct error *err);

/* "app@.service" of "app@blue.service", to be freed; NULL: it is no instance of a template. */
char *unit_template_name(const char *name);

/* Seconds, rounded up; "infinity" is UINT_MAX. */
int unit_seconds(const char *value, unsigned *ret, struct error *err);

/* "SIGTERM", "TERM", "RTMIN+3" or a number. */
int unit_signal(const char *value, int *ret, struct error *err);

/* 1 yes, 0 no, -1 neither. */
int unit_boolean(const char *value);

#endif
