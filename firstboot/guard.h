/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard: with OnCorruption=poweroff the kernel fails a read of a corrupted block, tells it in a uevent
 * (DM_VERITY_ERR_BLOCK_NR) and goes on. Here the uevent ends the machine. In Mode=appliance the init's loop
 * listens itself, in Mode=system a child that stays behind.
 *
 * What it does not see: a read error of the disk, which has no uevent. Kernels from 6.12 treat it as
 * corruption with OnCorruption=reboot and panic; with poweroff, and before, the reader gets EIO. Bad data is
 * delivered in no case.
 */
#ifndef FIRSTBOOT_GUARD_H
#define FIRSTBOOT_GUARD_H

#include "verity.h"

/* From here on uevents of @v on @uevent_fd are looked for. */
void guard_start(int uevent_fd, const struct verity_device *v);

/* Reads what is waiting on the socket; refuses when a corrupted block was reported. Before guard_start():
 * nothing. */
void guard_check(void);

/*
 * Forks the child that waits for the rest of the machine's life. It lives from the initrd's memory, is not
 * killed when memory runs out, and its name begins with '@', which spares it when systemd kills what is left
 * at shutdown. Both have one socket, so it begins only when we have become another program: when that fails, the
 * uevents are still ours, and one record says why.
 */
int guard_leave_behind(char *argv0);

#endif
