/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a unit says of how its service is watched over: when it is ready, how it ends, whether it is started again, what it may use and
 * do (systemd.service(5), systemd.exec(5), systemd.resource-control(5)).
 */
#ifndef MKAPPLIANCE_COMPOSE_UNIT_SUPERVISION_H
#define MKAPPLIANCE_COMPOSE_UNIT_SUPERVISION_H

#include <stdbool.h>
#include <stdint.h>

#include "compose/unit_file.h"
#include "template/template.h"

struct unit_supervision {
	int kill_signal;       /* 0: not said */
	unsigned stop_timeout; /* seconds; 0: not said, UINT_MAX: for ever */
	unsigned start_timeout;
	unsigned watchdog;		 /* seconds; 0: none */
	const struct unit_item *restart; /* NULL: not said */
	bool limits_starts;
	unsigned start_burst;
	unsigned start_interval; /* seconds; 0: there is no limit */
	/* The last assignment of each key that [Service NAME] has too, in the same words. */
	struct {
		const struct unit_item **ptr;
		size_t len;
		size_t cap;
	} same;
	const struct unit_item *ambient_at; /* the last of them; NULL: none */
	struct strlist ambient;		    /* "CAP_NET_RAW"; "~" in front: all but it */
	const struct unit_item *bounding_at;
	struct strlist bounding;
	struct strlist not_done; /* "KEY=VALUE" */
};

#define UNIT_START_BURST    5 /* systemd's defaults */
#define UNIT_START_INTERVAL 10

/* Takes @item when it is of this kind: 1; 0: it is another. @s holds pointers to the items. */
int unit_supervision_take(struct unit_supervision *s, const struct unit_item *item, struct error *err);

/* Fills what the template does not say of @to. @notify: Type=notify. @uid: who it runs as. @u is for messages. */
int unit_supervision_apply(const struct unit_supervision *s, const struct unit_file *u, bool notify,
			   uint32_t uid, struct template_service *to, struct error *err);

void unit_supervision_free(struct unit_supervision *s);

#endif
