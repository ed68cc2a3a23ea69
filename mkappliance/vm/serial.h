/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket where qemu hands over what a machine says on its serial port. On a connection that is shared with others it lies where every
 * user of the host gets at it, since qemu has an account of its own; who has connected the kernel says (unix(7), SO_PEERCRED).
 */
#ifndef MKAPPLIANCE_VM_SERIAL_H
#define MKAPPLIANCE_VM_SERIAL_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/error.h"

/* Listens at @path, which is not there yet; @shared: other users may connect. To be closed. */
int serial_listen(const char *path, bool shared, int *ret, struct error *err);

/*
 * The first that connects within @timeout_ms and is a process of @user, of ours or of root; others are turned away with a warning.
 * To be closed. -EIO when nobody comes.
 */
int serial_accept(int listener, uid_t user, int timeout_ms, int *ret, struct error *err);

#endif
