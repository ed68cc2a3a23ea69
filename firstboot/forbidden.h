/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says of system calls that SystemCalls= forbids, and the record of it. */
#ifndef FIRSTBOOT_FORBIDDEN_H
#define FIRSTBOOT_FORBIDDEN_H

#include <stdbool.h>
#include <stdint.h>

struct forbidden {
	char program[16]; /* comm of the process; "?": it is nothing that can be printed */
	uint64_t pid;
	uint64_t call;
	bool killed;
};

/*
 * Whether @text, a message of /dev/kmsg, is the kernel's own about such a call (kernel/auditsc.c, audit_seccomp()):
 *   "audit: type=1326 audit(...): auid=... pid=92 comm="load" exe="/usr/bin/load" sig=31 arch=c000003e syscall=165 compat=0 ip=0x... code=..."
 * Pure.
 */
bool forbidden_parse(const char *text, struct forbidden *ret);

/* Its record, if that is what @text is, and there were not too many. */
void forbidden_look(const char *text);

#endif
