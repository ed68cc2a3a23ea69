/* SPDX-License-Identifier: Apache-2.0 */
/* What reader and writer of the journal share. */
#ifndef MKAPPLIANCE_CLOUD_JOURNAL_INTERNAL_H
#define MKAPPLIANCE_CLOUD_JOURNAL_INTERNAL_H

#include "cloud/journal.h"

#define JOURNAL_FORMAT 1

const char *journal_phase_name(enum journal_phase phase);
/* A new attempt: nothing done, nothing known but the token. */
void journal_state_begin(struct journal_state *s, unsigned attempt, const char *token, const char *parent,
			 uint64_t block_count);

#endif
