/* SPDX-License-Identifier: Apache-2.0 */
/* The command lines of ExecStart= and its siblings (systemd.service(5), "COMMAND LINES"). */
#ifndef MKAPPLIANCE_COMPOSE_UNIT_COMMAND_H
#define MKAPPLIANCE_COMPOSE_UNIT_COMMAND_H

#include <stdbool.h>

#include "compose/unit_file.h"
#include "compose/unit_words.h"

/* One command line. Specifiers are replaced, variables are not. */
struct unit_command {
	struct strlist words;
	bool may_fail;	   /* "-" */
	bool as_root;	   /* "+" */
	bool no_expansion; /* ":" */
	const struct unit_item *item;
};

struct unit_commands {
	struct unit_command *ptr;
	size_t len;
	size_t cap;
};

/*
 * Appends the commands of one assignment: a line may hold several, a ';' between blanks parts them, "\;" is one. An empty one takes back what
 * came before. @ret keeps pointers to @item. What the init cannot do ("@" with another name) is a usage error without a place.
 */
int unit_commands_take(struct unit_commands *ret, const struct unit_item *item,
		       const struct unit_names *names, struct error *err);
void unit_commands_free(struct unit_commands *c);

#endif
