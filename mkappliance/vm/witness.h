/* SPDX-License-Identifier: Apache-2.0 */
/* What was seen of a machine, put together from the lines of its console and from the end of its domain. */
#ifndef MKAPPLIANCE_VM_WITNESS_H
#define MKAPPLIANCE_VM_WITNESS_H

#include <stdint.h>

#include "vm/console.h"
#include "vm/domain.h"

/* One bit each, they stay. */
enum machine_seen {
	SEEN_INIT = 1 << 0,
	SEEN_VERIFIED = 1 << 1,
	SEEN_STARTED = 1 << 2,
	SEEN_READY = 1 << 3,
	SEEN_STOPPING = 1 << 4,
	SEEN_STOPPED = 1 << 5,
	SEEN_FAILED = 1 << 6,
	SEEN_REFUSED = 1 << 7,
	SEEN_CORRUPTED = 1 << 8, /* dm-verity said so */
	SEEN_PANIC = 1 << 9,
	SEEN_END = 1 << 10,    /* the domain is gone and its console was read to the end */
	SEEN_DENIED = 1 << 11, /* the firmware did not start it: Secure Boot */
	SEEN_STUCK = 1 << 12,  /* the firmware failed, and will do nothing more; goes with SEEN_FAILED */
};

struct machine_status {
	unsigned seen;
	enum domain_end end;
	char reason[64];      /* of the last refused, failed or stopped record */
	char detail[256];     /* the same, or the kernel's line */
	uint64_t started_ns;  /* CLOCK_MONOTONIC of the host */
	uint64_t verified_ns; /* 0: not yet */
	uint64_t ready_ns;    /* 0: not yet */
	uint64_t end_ns;      /* 0: runs */
	double verified_t;    /* "t" of the records: seconds since the guest's kernel started */
	double ready_t;
};

/* Takes in one line: @s gets what stands in it. The bits that are seen by it; whoever calls sets them. */
unsigned witness_line(struct machine_status *s, const struct console_line *line);

#endif
