/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a PE file is to firmware: the digest that Secure Boot verifies and PCR 4 holds (Microsoft, "Windows
 * Authenticode Portable Executable Signature Format", March 2008, "Calculating the PE Image Hash"), and the
 * certificate table behind the file (PE Format, "The Attribute Certificate Table").
 */
#ifndef MKAPPLIANCE_IMAGE_AUTHENTICODE_H
#define MKAPPLIANCE_IMAGE_AUTHENTICODE_H

#include "image/pe.h"
#include "lib/hash.h"

/* Parts that the digest is over: the headers without checksum and certificate directory, then the rest. */
#define AUTHENTICODE_PARTS_MAX 3

struct authenticode {
	struct hash_part parts[AUTHENTICODE_PARTS_MAX]; /* borrowed from the file */
	size_t count;
	size_t checksum_at;  /* file offset of the header's u32 checksum */
	size_t directory_at; /* file offset of the certificate table's directory entry: u32 offset, u32 size */
	size_t content_len;  /* bytes in front of the certificate table, which is the end of a signed file */
};

/*
 * Looks at @pe of untrusted bytes. -EBADMSG when the certificate table is not the end of the file, or when there are bytes that
 * belong to no section: firmware and signers disagree about those. A file that is to be signed has a length that is a multiple of 8.
 */
int authenticode_open(const struct pe *pe, const char *name, struct authenticode *ret, struct error *err);

/* Whether the file carries a certificate table. */
bool authenticode_signed(const struct authenticode *a, const struct pe *pe);

void authenticode_digest(const struct authenticode *a, struct bank_digest *ret);

#endif
