/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a unit says of its service (systemd.service(5), systemd.exec(5), systemd.kill(5)), as far as the init can do it. What it cannot do
 * and the program would miss is an error that names the line; what only confines the program more is told.
 */
#ifndef MKAPPLIANCE_COMPOSE_UNIT_SERVICE_H
#define MKAPPLIANCE_COMPOSE_UNIT_SERVICE_H

#include <stdbool.h>
#include <sys/types.h>

#include "compose/unit_command.h"
#include "compose/unit_supervision.h"

/* The kinds of RuntimeDirectory= and its siblings. */
enum unit_directory {
	UNIT_RUNTIME,
	UNIT_STATE,
	UNIT_CACHE,
	UNIT_LOGS,
	UNIT_CONFIGURATION,
	UNIT_DIRECTORIES,
};

struct unit_service {
	const struct unit_item *type; /* NULL: simple */
	bool oneshot;
	bool notify;
	struct unit_commands start;
	struct unit_commands before;
	char *user; /* NULL: root */
	char *group;
	bool dynamic_user;
	struct strlist environment;
	struct strlist environment_files; /* absolute; with '-' in front it may be missing */
	struct strlist unset_environment;
	char *working_directory; /* absolute or "~", "-" in front: may be missing; NULL */
	struct unit_supervision supervision;
	struct strlist directories[UNIT_DIRECTORIES];
	mode_t directory_modes[UNIT_DIRECTORIES];
	const struct unit_item *no_foreground; /* why ExecStart= cannot be what the init runs; NULL */
	const char *no_foreground_text;
	struct strlist not_confined; /* "KEY=VALUE" of what would confine the program more */
	struct strlist not_done;     /* "KEY=VALUE" of what the init does not do */
	struct strlist harmless;     /* "KEY=VALUE" of what means nothing here */
};

/*
 * @own_start: the template says what is started, so how the unit starts it does not matter. @ret holds pointers into @u.
 */
int unit_service_read(const struct unit_file *u, const struct unit_names *names, bool own_start,
		      struct unit_service *ret, struct error *err);
void unit_service_free(struct unit_service *s);
#define _cleanup_unit_service_ __attribute__((cleanup(unit_service_free)))

/* ---- the keys that nobody takes: unit_keys.c ---- */

enum unit_treatment {
	UNIT_UNKNOWN,
	UNIT_HARMLESS, /* has no meaning here, or is so anyway */
	UNIT_CONFINES, /* would take something away from the program */
	UNIT_NOT_DONE, /* would do something beside the program */
	UNIT_START,    /* how the program is started and cannot be here */
	UNIT_REFUSED,  /* the program would miss it */
};

/* @ret_text: with the last two what to say. */
enum unit_treatment unit_key_treatment(const char *section, const char *key, const char **ret_text);

#endif
