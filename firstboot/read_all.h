/* SPDX-License-Identifier: Apache-2.0 */
/* Verify=full. */
#ifndef FIRSTBOOT_READ_ALL_H
#define FIRSTBOOT_READ_ALL_H

#include <stdint.h>

/*
 * Reads @size bytes of @device from its start, with one process a processor, past the page cache: nothing that is read here is read there
 * again. Through dm-verity that checks every block. Refuses at the first byte that cannot be read.
 */
void read_all(const char *device, uint64_t size);

#endif
