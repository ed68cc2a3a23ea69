/* SPDX-License-Identifier: Apache-2.0 */
/* What qemu says of its user-mode network (monitor command "info usernet", libslirp's slirp_connection_info()). */
#ifndef MKAPPLIANCE_VM_USERNET_H
#define MKAPPLIANCE_VM_USERNET_H

#include <stdbool.h>
#include <stdint.h>

/* Whether the guest accepted a TCP connection that came in by the forwarded port @host_port. */
bool usernet_is_established(const char *info, uint16_t host_port);

#endif
