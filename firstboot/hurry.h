/* SPDX-License-Identifier: Apache-2.0 */
/*
 * While the machine starts, nobody minds what hurrying costs the processors: the kernel's grace periods are expedited, as they
 * are before it starts us (rcupdate.rcu_expedited in Documentation/admin-guide/kernel-parameters.txt). Each of those that a mount, a
 * move to a control group or a sysctl waits for takes about 20 ms otherwise.
 */
#ifndef FIRSTBOOT_HURRY_H
#define FIRSTBOOT_HURRY_H

/* /sys must be there. Where the kernel has no such switch, or it is on already, nothing is done, by hurry_end() neither. */
void hurry_begin(void);
void hurry_end(void);

#endif
