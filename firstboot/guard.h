/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard ends the machine where the kernel only fails a read and goes on. It listens to three things:
 *   - the uevent of a corrupted block (DM_VERITY_ERR_BLOCK_NR), with OnCorruption=poweroff;
 *   - the kernel's messages about reads of the two partitions, or of the device made of them, that failed. From
 *     6.12 on the kernel acts on them itself with OnCorruption=reboot and panic; with poweroff, and before, it
 *     does not. The kernel holds back more than ten such messages in five seconds, those of other disks too;
 *   - the uevent of a partition that is gone, after which reads fail without a message.
 * Bad data is delivered in no case. In Mode=appliance the init's loop listens itself, in Mode=system a child
 * that stays behind.
 */
#ifndef FIRSTBOOT_GUARD_H
#define FIRSTBOOT_GUARD_H

#include "disk.h"
#include "verity.h"

/*
 * From here on uevents on @uevent_fd and the kernel's messages are looked at, for @v and for the partitions @data
 * and @hash that it is made of (both are kept). Refuses when the messages cannot be read.
 */
void guard_start(int uevent_fd, const struct verity_device *v, const struct disk_partition *data,
		 const struct disk_partition *hash);

/* To be waited for beside the socket of uevents; -1 before guard_start(). */
int guard_log_fd(void);

/* Reads what is waiting on both; refuses when a corrupted block or a read error was reported. Before
 * guard_start(): nothing. */
void guard_check(void);

/*
 * Forks the child that waits for the rest of the machine's life. It lives from the initrd's memory, is not
 * killed when memory runs out, and its name begins with '@', which spares it when systemd kills what is left
 * at shutdown. Both have one socket, so it begins only when we have become another program: when that fails, the
 * uevents are still ours, and one record says why.
 */
int guard_leave_behind(char *argv0);

#endif
