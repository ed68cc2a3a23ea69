/* SPDX-License-Identifier: Apache-2.0 */
/* Console records: one JSON object a line behind ABI_RECORD_PREFIX (image/abi.h). One record at a time. */
#ifndef FIRSTBOOT_RECORD_H
#define FIRSTBOOT_RECORD_H

#include <stdint.h>

void record_begin(const char *event); /* with "event" and "t" */
void record_text(const char *key, const char *value);
void record_number(const char *key, uint64_t value);
void record_end(void); /* sends it */

#endif
