/* SPDX-License-Identifier: Apache-2.0 */
/* Percent-encoding (RFC 3986, section 2.1), with upper-case digits. */
#ifndef MKAPPLIANCE_LIB_PERCENT_H
#define MKAPPLIANCE_LIB_PERCENT_H

#include "lib/mem.h"

/* Appends @text with every byte encoded but those of section 2.3 (letters, digits, "-._~") and those in @keep. */
void percent_encode(struct buf *b, const char *text, const char *keep);

#endif
