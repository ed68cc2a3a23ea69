/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/percent.h"

#include <string.h>

void percent_encode(struct buf *b, const char *text, const char *keep)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
		    strchr("-._~", *p) || strchr(keep, *p))
			buf_add(b, p, 1);
		else
			buf_printf(b, "%%%02X", *p);
	}
}
