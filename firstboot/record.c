/* SPDX-License-Identifier: Apache-2.0 */
#include "record.h"
#include "console.h"
#include "file.h"
#include "image/abi.h"
#include "line.h"

/* Five such values and their keys fit in one line, so no record is cut before its closing brace. */
#define RECORD_VALUE_MAX 360

static struct line record;

void record_begin(const char *event)
{
	uint64_t ms = clock_ms();

	line_reset(&record);
	line_printf(&record, "%s{\"event\": ", ABI_RECORD_PREFIX);
	line_json(&record, event, RECORD_VALUE_MAX);
	line_printf(&record, ", \"t\": %llu.%03u", (unsigned long long)(ms / 1000), (unsigned)(ms % 1000));
}

void record_text(const char *key, const char *value)
{
	line_printf(&record, ", \"%s\": ", key);
	line_json(&record, value, RECORD_VALUE_MAX);
}

void record_number(const char *key, uint64_t value)
{
	line_printf(&record, ", \"%s\": %llu", key, (unsigned long long)value);
}

void record_end(void)
{
	line_printf(&record, "}\n");
	/* Nobody is left to be told when even the console fails. */
	(void)console_write_record(record.text, record.len);
}
