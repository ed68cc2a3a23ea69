/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GUIDs. In memory always in the order in which they are written as text (RFC 9562, big endian);
 * guid_to_gpt() gives the mixed-endian form of GPT and EFI (UEFI 2.10, appendix A).
 */
#ifndef MKAPPLIANCE_LIB_GUID_H
#define MKAPPLIANCE_LIB_GUID_H

#include <stdbool.h>
#include <stdint.h>

#define GUID_TEXT_SIZE 37

struct guid {
	uint8_t b[16];
};

/* Lower case, with dashes; @text has room for GUID_TEXT_SIZE bytes. */
void guid_format(const struct guid *g, char *text);
bool guid_parse(const char *text, struct guid *ret);

void guid_to_gpt(const struct guid *g, uint8_t out[16]);
void guid_from_gpt(const uint8_t in[16], struct guid *ret);

/*
 * A stable GUID of a name: SHA-256 of "mkappliance:PURPOSE:NAME" cut to 16 bytes, marked as version 8
 * (custom) and the RFC variant. The same name gives the same GUID on every machine.
 */
void guid_derive(const char *purpose, const char *name, struct guid *ret);

#endif
