/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking a running appliance whether it does its work: HTTP GET and TCP connect, through a forwarded port
 * of 127.0.0.1.
 */
#ifndef MKAPPLIANCE_VM_PROBE_H
#define MKAPPLIANCE_VM_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"
#include "template/template.h"

/* Who knows more than the connection tells. Any function may be NULL. */
struct probe_peer {
	/* Asked between attempts whether there is still somebody to answer. */
	bool (*alive)(void *data);
	/*
	 * Whether the guest accepted the TCP connection that is open now: qemu accepts on the host before it asks the
	 * guest. NULL: a connection that stays open for a second is one.
	 */
	bool (*accepted)(uint16_t host_port, void *data);
	void *data;
};

/*
 * Asks until there is an answer: refused and broken connections, and attempts without a byte of answer, are
 * tried again until @deadline (CLOCK_MONOTONIC, nanoseconds); an answer counts, right or wrong. 0 when it is
 * the one expected; else -ETIMEDOUT, -EBADMSG (wrong answer), -ECONNABORTED (nobody left) or -EINTR with a
 * message that says what came instead.
 */
int probe_run(const struct template_probe *p, uint16_t host_port, uint64_t deadline,
	      const struct probe_peer *peer, struct error *err);

/* "GET :8080/healthz 200", "TCP :53"; to be freed. */
char *probe_name(const struct template_probe *p);

#endif
