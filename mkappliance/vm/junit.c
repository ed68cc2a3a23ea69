/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/junit.h"

#include <string.h>

#include "lib/io.h"

/*
 * Escaped for text and attributes. What XML 1.0 (section 2.2) cannot hold, and every byte above ASCII,
 * becomes '?'.
 */
static void add_escaped(struct buf *b, const char *text)
{
	for (const char *p = text; *p; p++) {
		const char *entity = *p == '&'	 ? "&amp;"
				     : *p == '<' ? "&lt;"
				     : *p == '>' ? "&gt;"
				     : *p == '"' ? "&quot;"
						 : NULL;
		unsigned char c = (unsigned char)*p;

		if (entity)
			buf_add(b, entity, strlen(entity));
		else
			buf_add(b, (c < 0x20 && c != '\n') || c > 0x7e ? "?" : p, 1);
	}
}

void junit_add(struct junit *j, const char *suite, const char *name, double seconds, bool ok,
	       const char *detail, const struct strlist *output)
{
	struct buf *b = &j->cases;

	buf_printf(b, "  <testcase classname=\"%s\" name=\"", suite);
	add_escaped(b, name);
	buf_printf(b, "\" time=\"%.3f\"", seconds);
	j->count++;
	j->seconds += seconds;
	if (ok) {
		buf_printf(b, "/>\n");
		return;
	}
	j->failures++;
	buf_printf(b, ">\n    <failure message=\"");
	add_escaped(b, detail);
	buf_printf(b, "\"/>\n");
	if (output && output->len) {
		buf_printf(b, "    <system-out>");
		for (size_t i = 0; i < output->len; i++) {
			add_escaped(b, output->ptr[i]);
			buf_add(b, "\n", 1);
		}
		buf_printf(b, "</system-out>\n");
	}
	buf_printf(b, "  </testcase>\n");
}

int junit_write(const struct junit *j, const char *name, const char *path, struct error *err)
{
	_cleanup_buf_ struct buf b = {0};

	buf_printf(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"");
	add_escaped(&b, name);
	buf_printf(&b, "\" tests=\"%u\" failures=\"%u\" errors=\"0\" time=\"%.3f\">\n", j->count, j->failures,
		   j->seconds);
	buf_add(&b, j->cases.ptr ? j->cases.ptr : "", j->cases.len);
	buf_printf(&b, "</testsuite>\n");
	return output_write_file(path, b.ptr, b.len, err);
}

void junit_free(struct junit *j)
{
	buf_free(&j->cases);
}
