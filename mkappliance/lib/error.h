/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One error convention for the whole tool:
 *
 *   int unit_verb(in..., ret_out..., struct error *err);
 *
 * returns 0, or a negative errno value with @err set. On failure the outputs
 * are untouched. The message is written where the failure is seen, every layer
 * above may put its context in front, and only main() prints it:
 *
 *   return error_set(err, -EINVAL, "partition '%s': size %ju is not a multiple of 4096", ...);
 *
 * A message is one line that says what was wrong, where, and how to mend it. One that is too
 * long for the object loses its middle.
 * The object is of fixed size and lives on the caller's stack: nothing to free.
 */
#ifndef MKAPPLIANCE_LIB_ERROR_H
#define MKAPPLIANCE_LIB_ERROR_H

#include <stdbool.h>

/* What the process exits with (main() returns these). */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,	      /* the command line or a template is wrong */
	EXIT_REFUSED = 3,     /* integrity: something differs from what was built */
	EXIT_ROLLED_BACK = 4, /* a deployment failed, and the group runs again what it ran before */
};

struct error {
	enum exit_code exit;
	int code;	 /* negative errno, 0 while nothing happened */
	char text[1024]; /* one line, no newline at its end */
};

#define ERROR_INIT ((struct error){.exit = EXIT_FAILED})

/* Sets the message and returns @code (which must be negative). */
int error_set(struct error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4), warn_unused_result));

/* The same, with ": <strerror of code>" at the end. */
int error_errno(struct error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4), warn_unused_result));

/* Sets an error of the command line or of a template (exit code 2); returns -EINVAL. */
int error_usage(struct error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3), warn_unused_result));

/* Sets a refusal because something is not what was built (exit code 3); returns -EBADMSG. */
int error_refuse(struct error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3), warn_unused_result));

/* Puts "CONTEXT: " in front of the message and returns the code that @err holds. */
int error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Replaces control characters, U+0080 to U+009F too, by '?': a file name may hold a newline or an escape sequence, a message stays
 * one harmless line.
 */
void error_one_line(char *text);

#endif
