/* SPDX-License-Identifier: Apache-2.0 */
/* PE: every section that is taken can be read to its end, and sections added to it come out as they went in. */
#include <stdlib.h>
#include <string.h>

#include "image/pe.h"
#include "lib/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct pe_addition additions[] = {{".fuzz1", "one", 3}, {".fuzz2", "second", 6}};

/* Reads every byte of every section. */
static void touch(const struct pe *pe)
{
	for (unsigned i = 0; i < pe->section_count; i++) {
		const struct pe_section *s = &pe->sections[i];

		if (pe_find(pe, s->name) != s || s->data_size > s->file_size ||
		    s->data_size > s->virtual_size)
			abort();
		free(xmemdup(pe_section_data(pe, s), s->file_size));
	}
}

static void check_added(const struct pe *before, const struct buf *out)
{
	struct error err = ERROR_INIT;
	struct pe after;

	if (pe_parse(out->ptr, out->len, "again", &after, &err) < 0 ||
	    after.section_count != before->section_count + 2 ||
	    memcmp(before->sections, after.sections, before->section_count * sizeof(before->sections[0])) !=
		    0)
		abort();
	for (unsigned i = 0; i < 2; i++) {
		const struct pe_section *s = pe_find(&after, additions[i].name);

		if (!s || s->data_size != additions[i].len ||
		    memcmp(pe_section_data(&after, s), additions[i].data, additions[i].len) != 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_buf_ struct buf out = {0};
	struct error err = ERROR_INIT;
	struct pe pe;

	if (pe_parse(data, len, "input", &pe, &err) < 0)
		return 0;
	touch(&pe);
	if (pe_add_sections(&pe, additions, 2, &out, &err) == 0)
		check_added(&pe, &out);
	return 0;
}
