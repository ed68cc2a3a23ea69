/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a person sees on standard error: notes, warnings, and the progress of long steps.
 * Libraries below cmd_*.c call these; results go to standard output and only from there.
 * All of it is safe to call from any thread.
 */
#ifndef MKAPPLIANCE_LIB_LOG_H
#define MKAPPLIANCE_LIB_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level {
	LOG_QUIET,   /* errors only */
	LOG_NORMAL,  /* steps, warnings */
	LOG_VERBOSE, /* and every program that is run */
};

/*
 * Once, from main(). Colours and moving lines only when standard error is a terminal and NO_COLOR is unset.
 */
void log_setup(enum log_level level);
enum log_level log_level(void);
bool log_is_terminal(void);

/* One line each. */
void log_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Replaced by the next line on a terminal, a line of its own in a log. */
void log_moving(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "mkappliance: TEXT", in red on a terminal, whatever the level. */
void log_error(const char *text);

/*
 * A step with a name, an optional total and the time it took. On a terminal it is one moving line, in a log a
 * line when it ends and one every 5 s while it runs. Steps do not nest.
 */
struct progress {
	const char *name; /* lives as long as the step */
	const char *unit; /* "B" scales to KiB, MiB, GiB; anything else is printed as it is; NULL: no count */
	uint64_t total;	  /* 0: unknown */
	uint64_t done;	  /* may be raised by several threads through progress_add() */
	uint64_t started_ns;
	uint64_t shown_ns;
};

void progress_start(struct progress *p, const char *name, const char *unit, uint64_t total);
void progress_add(struct progress *p, uint64_t n);
/* Ends it with a line "name  12.3 MiB  0.41 s". @detail may be NULL. */
void progress_end(struct progress *p, const char *detail);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t clock_ns(void);

#endif
