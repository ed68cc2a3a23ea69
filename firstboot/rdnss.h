/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What IPv6 routers say of DNS (RFC 8106): the kernel makes addresses and routes of an advertisement itself and
 * hands the rest to whoever listens on RTNLGRP_ND_USEROPT. Lifetimes count: 0 takes a server back.
 */
#ifndef FIRSTBOOT_RDNSS_H
#define FIRSTBOOT_RDNSS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RDNSS_MAX    3
#define RDNSS_SEARCH 256

struct rdnss {
	struct {
		uint8_t address[16];
		int index; /* of the interface; a link-local address needs it */
		uint64_t until;
	} servers[RDNSS_MAX];
	size_t count;
	char search[RDNSS_SEARCH]; /* domains with blanks between them */
};

/* A non-blocking socket, or -errno. */
int rdnss_open(void);

/* Takes what @message of the kernel says; @now in milliseconds. True: *r changed. Pure. */
bool rdnss_take(struct rdnss *r, const void *message, size_t len, uint64_t now);

/* Forgets servers whose time is over. True: *r changed. Pure. */
bool rdnss_expire(struct rdnss *r, uint64_t now);

/* When rdnss_expire() is wanted; UINT64_MAX: never. */
uint64_t rdnss_deadline(const struct rdnss *r);

/* Reads all messages that wait on @fd. True: *r changed. */
bool rdnss_read(struct rdnss *r, int fd);

#endif
