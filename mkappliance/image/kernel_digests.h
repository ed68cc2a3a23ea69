/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What machines measure of a kernel, whatever UKI it is in: its bytes (PCR 11, as the section .linux) and its Authenticode digest
 * (PCR 4, where the firmware starts it). Megabytes in two banks: begun as soon as the kernel is known, beside what else the build does.
 */
#ifndef MKAPPLIANCE_IMAGE_KERNEL_DIGESTS_H
#define MKAPPLIANCE_IMAGE_KERNEL_DIGESTS_H

#include <stddef.h>

#include "compose/compose.h"
#include "lib/background.h"
#include "lib/hash.h"

struct kernel_digests {
	const void *image; /* of which bytes they are; borrowed */
	size_t len;
	struct bank_digest content;
	struct bank_digest program;
};

/* Zeroed: not begun. */
struct kernel_hashing {
	struct background work;
	struct kernel_digests digests;
};

/* For compose_options.kernel_found: begins with the kernel @k, whose image stays as it is; NULL: ends. @user: a struct kernel_hashing. */
void kernel_hashing_of(void *user, const struct kernel *k);

/*
 * The digests, borrowed from @h; NULL when they were not begun, or the bytes are not a PE program: then whoever measures the UKI
 * finds out why.
 */
const struct kernel_digests *kernel_hashing_wait(struct kernel_hashing *h);
void kernel_hashing_end(struct kernel_hashing *h);
#define _cleanup_kernel_hashing_ __attribute__((cleanup(kernel_hashing_end)))

#endif
