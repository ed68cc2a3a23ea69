/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel says of reads that failed, from /dev/kmsg (Documentation/ABI/testing/dev-kmsg). There is no
 * other way to hear of them that needs no tracing: they have no uevent.
 */
#ifndef FIRSTBOOT_KMSG_H
#define FIRSTBOOT_KMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "PRIORITY,SEQUENCE,TIME,FLAGS;MESSAGE\n KEY=value\n": the kernel's are 8 KiB at most. */
struct kmsg {
	char text[8192 + 1];
	size_t len;
};

/* What a message tells of a read that failed. */
struct kmsg_error {
	char device[48]; /* "vda" or "dm-0" */
	bool whole_disk; /* @sector counts from the start of the disk @device, in 512 bytes; else it is not known */
	uint64_t sector;
};

/* Non-blocking, behind the last message that there is; or -errno. */
int kmsg_open(void);

/* 1: *ret is the next message, ended with a NUL; 0: none now; -errno. */
int kmsg_receive(int fd, struct kmsg *ret);

/*
 * Whether @text is the kernel's own message (not one that a program wrote to the log) about a read that failed:
 *   block/blk-mq.c:  "I/O error, dev vda, sector 2048 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 2"
 *   fs/buffer.c:     "Buffer I/O error on dev dm-0, logical block 7, async page read"
 * Reading ahead does not count: whoever needs the data reads again, and then it counts. Pure.
 */
bool kmsg_read_error(const char *text, struct kmsg_error *ret);

#endif
