/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firmware's log of what it measured, as /sys/kernel/security/tpm0/binary_bios_measurements has it: TCG PC Client Platform Firmware Profile
 * 1.06, section 10.2 (crypto agile log); little endian. Parser of untrusted bytes.
 */
#ifndef MKAPPLIANCE_CHECK_EVENT_LOG_H
#define MKAPPLIANCE_CHECK_EVENT_LOG_H

#include "check/tpm_quote.h"

#define EVENT_LOG_MAX	    ((size_t)16 << 20)
#define EVENT_LOG_NO_ACTION 3u

struct log_event {
	uint32_t pcr;
	uint32_t type; /* EVENT_LOG_NO_ACTION: extends nothing */
	struct bank_digest digest;
	const uint8_t *data; /* borrowed */
	size_t len;
};

struct event_log {
	struct log_event *events; /* all but the header */
	size_t count;
	size_t cap;
	bool has[BANK_COUNT]; /* the log has digests of that bank */
};

/* -EBADMSG (exit code 3) and why. @ret points into @data; freed by event_log_free(). */
int event_log_parse(const void *data, size_t len, const char *name, struct event_log *ret, struct error *err);
void event_log_free(struct event_log *l);
#define _cleanup_event_log_ __attribute__((cleanup(event_log_free)))

/* What the PCRs hold after all of it. Those above 16 are not the firmware's, and stay unknown. */
void event_log_replay(const struct event_log *l, struct pcr_values *ret);

/* "EV_IPL"; NULL: not one that has a name here. */
const char *event_log_type(uint32_t type);

#endif
