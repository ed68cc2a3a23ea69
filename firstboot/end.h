/* SPDX-License-Identifier: Apache-2.0 */
/* Every way a boot ends. None of these returns, and none of them leads to a shell. */
#ifndef FIRSTBOOT_END_H
#define FIRSTBOOT_END_H

enum end_way { END_POWEROFF, END_REBOOT, END_PANIC };

/* What refuse() does to the machine. END_POWEROFF until the configuration says otherwise. */
void end_set_policy(enum end_way way);

/* Ends the machine without a word: in the given way, or as the policy says. */
_Noreturn void end_machine(enum end_way way);
_Noreturn void end_by_policy(void);

/*
 * Integrity: record "refused" with @reason (ABI_REFUSED_*) and a detail, then the policy. When a
 * corrupted block or a read error of the disk was reported meanwhile, that is the reason and the block is named:
 * what failed only failed because of it.
 */
_Noreturn void refuse(const char *reason, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* No doubt about integrity, but the appliance cannot run: record "failed" with @reason (ABI_FAILED_*), then
 * power off. */
_Noreturn void fail(const char *reason, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
