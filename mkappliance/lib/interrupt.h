/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ctrl-C. The handler only notes the signal and makes blocking calls return; every long loop asks
 * interrupt_check() and unwinds like after any other error, so cleanup is the ordinary cleanup.
 * A second signal ends the process at once; two within a quarter of a second are one.
 */
#ifndef MKAPPLIANCE_LIB_INTERRUPT_H
#define MKAPPLIANCE_LIB_INTERRUPT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"

/* Once, from main(): SIGINT, SIGTERM and SIGHUP; SIGPIPE and SIGXFSZ are ignored. */
void interrupt_setup(void);

bool interrupt_pending(void);
/* The signal's number, 0 while there was none; main() exits with 128 + number. */
int interrupt_signal(void);

/* 0, or -EINTR with the message "interrupted" once a signal came. */
int interrupt_check(struct error *err);

/* Waits, but no longer than until a signal comes: then -EINTR as from interrupt_check(). */
int interrupt_sleep(uint64_t ns, struct error *err);

/* A descriptor that becomes readable when a signal came, for poll(). Never read nor close it. */
int interrupt_fd(void);

/* Takes the pending signal back: for a command that Ctrl-C merely ends (boot). */
void interrupt_clear(void);

#endif
