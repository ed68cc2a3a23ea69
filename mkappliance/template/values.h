/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the text of a value to what it means. Pure functions: they look at no file, and their messages say
 * what is wrong with the value; where it stands is put in front by the caller. All errors are usage errors.
 */
#ifndef MKAPPLIANCE_TEMPLATE_VALUES_H
#define MKAPPLIANCE_TEMPLATE_VALUES_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"
#include "lib/mem.h"

/* Decimal digits, from @min to @max. */
int value_number(const char *value, uint64_t min, uint64_t max, uint64_t *ret, struct error *err);

/* A number with the unit "s" (may be left out), "min" or "h", in seconds. */
int value_seconds(const char *value, unsigned min, unsigned max, unsigned *ret, struct error *err);

/* A number with the unit "M" or "G" (powers of 1024; one of them must be there), in MiB. */
int value_mebibytes(const char *value, unsigned min, unsigned max, unsigned *ret, struct error *err);

/* The index of @value in @names, which ends in NULL. */
int value_choice(const char *value, const char *const *names, unsigned *ret, struct error *err);

/*
 * Appends the words of @value to @ret. Words are parted by blanks; '...' and "..." keep blanks, and outside
 * of '...' a backslash takes the special meaning from a blank, a quote or a backslash (before anything else
 * it is an error). There is no shell: nothing is expanded. A bare word that begins with '#' or ';' is
 * refused: it was meant as a comment.
 */
int value_split(const char *value, struct strlist *ret, struct error *err);

/* "http://:PORT/PATH" or "tcp://:PORT" in the machine. */
struct value_url {
	bool http;
	uint16_t port;
	char *path; /* http: "/" at least; tcp: NULL. To be freed */
};
int value_url(const char *value, struct value_url *ret, struct error *err);

/* "SIGTERM" or "TERM". */
int value_signal(const char *value, int *ret, struct error *err);

#endif
