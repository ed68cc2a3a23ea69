/* SPDX-License-Identifier: Apache-2.0 */
#include "memory.h"

#include <stdint.h>
#include <sys/mman.h>

#define PAGE	     4096u /* a larger one of another machine only makes the kernel refuse, which does no harm */
#define STACK_MAX    (256u * 1024)
#define STACK_MARGIN 1024u /* for what this function and the call of the kernel have there themselves */

void memory_forget(void *buffer, size_t size)
{
	uintptr_t from = ((uintptr_t)buffer + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
	uintptr_t to = ((uintptr_t)buffer + size) & ~(uintptr_t)(PAGE - 1);

	if (from < to)
		(void)madvise((void *)from, to - from, MADV_DONTNEED);
}

void memory_forget_stack(void)
{
	uintptr_t to = ((uintptr_t)__builtin_frame_address(0) - STACK_MARGIN) & ~(uintptr_t)(PAGE - 1);

	/* The stack is shorter than that; the kernel says so, and forgets what there is. */
	(void)madvise((void *)(to - STACK_MAX), STACK_MAX, MADV_DONTNEED);
}
