/* SPDX-License-Identifier: Apache-2.0 */
/* What the last drill of a kind came to, as one short text ("2026-11-26T18:20:00Z ok 42.1"): its end, its outcome, the seconds to the recovery. */
#ifndef MKAPPLIANCE_ROLLOUT_DRILL_HISTORY_H
#define MKAPPLIANCE_ROLLOUT_DRILL_HISTORY_H

#include "rollout/drill.h"

#define DRILL_HISTORY_SIZE 64 /* a tag's value may have 256 characters */

struct drill_history {
	char date[24]; /* "2026-11-26T18:20:00Z" */
	bool ok;
	double seconds; /* to the recovery; negative: never */
};

/* @now: milliseconds since 1970, the drill's end. */
void drill_history_text(const struct drill *d, int64_t now, char ret[DRILL_HISTORY_SIZE]);
/* Parser of what anybody may have written: false for what is none. */
bool drill_history_parse(const char *text, struct drill_history *ret);
/* The same of a member of drills.json (drill_json()). */
bool drill_history_of_json(const struct json *j, struct drill_history *ret);

/* "last drill terminate: 2026-11-26T18:20:00Z ok, recovered after 42.1 s"; to be freed. */
char *drill_history_line(const char *kind, const struct drill_history *h);
/* {"drill", "date", "ok", "seconds"} */
struct json *drill_history_json(const char *kind, const struct drill_history *h);

#endif
