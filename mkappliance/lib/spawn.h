/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs another program with an argv, never through a shell. The child gets the standard streams named here
 * and nothing else of our descriptors, default signal handling, LC_ALL=C, its own process group, and dies
 * with us (PR_SET_PDEATHSIG). On Ctrl-C or past its deadline the group is stopped: SIGTERM, 5 s later
 * SIGKILL.
 */
#ifndef MKAPPLIANCE_LIB_SPAWN_H
#define MKAPPLIANCE_LIB_SPAWN_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"
#include "lib/mem.h"

struct spawn {
	const char *const *argv; /* ends in NULL; argv[0] is looked up in PATH */
	const char *package;	 /* Debian package that has it, for the message; may be NULL */
	const char *const *env;	 /* "NAME=VALUE" over our environment, ends in NULL; may be NULL */
	const char *root;	 /* chroot(2) there first; argv[0] and cwd are looked up in it. NULL: no */
	const char *cwd;	 /* may be NULL */
	int stdin_fd;		 /* 0: /dev/null */
	int stdout_fd;		 /* 0: collected into @output, or /dev/null when that is NULL */
	struct buf *output;	 /* standard output (at most 16 MiB), freed by the caller */
	bool join;		 /* standard output goes where standard error goes: lines in their order */
	struct buf *log;	 /* standard error, its last 64 KiB at least; may be NULL */
	uint64_t timeout_ns;	 /* 0: none */
	bool secret;		 /* what is behind argv[0] is nobody's affair: --verbose does not show it */
	bool daemon;		 /* what it leaves behind goes on, unless it was told to end */
	/* Called for each line of standard error as it comes (no newline); may be NULL. */
	void (*on_line)(const char *line, void *data);
	void *data;
};

/*
 * Runs it to its end, which is the end of its process group: what it leaves behind there is killed (but see @daemon). An exit
 * code other than 0, a signal, the deadline and a missing program are errors; the message ends in the last
 * line that the program wrote to standard error. -ENOENT: not installed.
 */
int spawn_run(const struct spawn *s, struct error *err);

/* Where in PATH a program of that name is, to be freed; NULL: nowhere. */
char *spawn_find(const char *program);
bool spawn_available(const char *program);

#endif
