/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The init stays for the machine's life, and so does every page that it has touched. What only the start needs is given back to
 * the kernel.
 */
#ifndef FIRSTBOOT_MEMORY_H
#define FIRSTBOOT_MEMORY_H

#include <stddef.h>

/* The whole pages of a static buffer of zeros at first, which is one of zeros again. */
void memory_forget(void *buffer, size_t size);

/* What lies below the caller's frame of the stack. */
void memory_forget_stack(void);

#endif
