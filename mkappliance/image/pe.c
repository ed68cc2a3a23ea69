/* SPDX-License-Identifier: Apache-2.0 */
#include "image/pe.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "image/pe_format.h"

#define MAX_ALIGN (1u << 20)

static bool is_power_of_two(uint32_t v)
{
	return v && !(v & (v - 1));
}

static int bad(struct error *err, const char *name, const char *what)
{
	return error_set(err, -EBADMSG, "%s: %s", name, what);
}

/* The fixed headers: fills all but the sections. */
static int parse_headers(struct pe *pe, const char *name, struct error *err)
{
	struct pe_coff coff;
	struct pe_optional opt;
	uint64_t opt_end, table_end;
	uint32_t at, directories;

	if (pe->len < PE_DOS_SIZE || memcmp(pe->data, "MZ", 2) != 0)
		return bad(err, name, "not a PE file: it does not begin with MZ");
	memcpy(&at, pe->data + PE_DOS_HEADER_AT, sizeof(at));
	at = le32toh(at);
	if (at > pe->len || pe->len - at < sizeof(coff) + sizeof(opt))
		return bad(err, name, "not a PE file: no PE header behind the MZ header");
	memcpy(&coff, pe->data + at, sizeof(coff));
	memcpy(&opt, pe->data + at + sizeof(coff), sizeof(opt));
	if (memcmp(coff.signature, PE_SIGNATURE, sizeof(coff.signature)) != 0)
		return bad(err, name, "not a PE file: no PE signature");
	if (le16toh(opt.magic) != PE_OPTIONAL_MAGIC)
		return bad(err, name, "not a PE32+ file (64-bit)");

	directories = le32toh(opt.directory_count);
	if (directories > PE_MAX_DIRECTORIES ||
	    le16toh(coff.optional_size) < sizeof(opt) + directories * sizeof(struct pe_directory))
		return bad(err, name, "PE: the data directories do not fit their header");
	pe->section_count = le16toh(coff.section_count);
	if (pe->section_count > PE_MAX_SECTIONS)
		return error_set(err, -EBADMSG, "%s: PE: %u sections, at most %d are read", name,
				 pe->section_count, PE_MAX_SECTIONS);
	pe->size_of_headers = le32toh(opt.size_of_headers);
	opt_end = (uint64_t)at + sizeof(coff) + le16toh(coff.optional_size);
	table_end = opt_end + (uint64_t)pe->section_count * sizeof(struct pe_raw_section);
	if (pe->size_of_headers > pe->len || table_end > pe->size_of_headers)
		return bad(err, name, "PE: the headers are cut off");

	pe->section_align = le32toh(opt.section_align);
	pe->file_align = le32toh(opt.file_align);
	if (!is_power_of_two(pe->section_align) || !is_power_of_two(pe->file_align) ||
	    pe->section_align > MAX_ALIGN || pe->file_align > MAX_ALIGN)
		return bad(err, name, "PE: an alignment is not a power of two up to 1 MiB");
	pe->machine = le16toh(coff.machine);
	pe->subsystem = le16toh(opt.subsystem);
	pe->size_of_image = le32toh(opt.size_of_image);
	pe->header_offset = at;
	pe->section_table = (uint32_t)opt_end;
	return 0;
}

/* Padded with zeros, otherwise printable. */
static bool copy_name(const char raw[8], char name[9])
{
	size_t n = strnlen(raw, 8);

	memset(name, 0, 9);
	for (size_t i = 0; i < 8; i++) {
		if (i < n ? raw[i] <= 0x20 || raw[i] > 0x7e : raw[i] != 0)
			return false;
		name[i] = raw[i];
	}
	return n > 0;
}

static int parse_section(const struct pe *pe, unsigned index, const char *name, struct pe_section *ret,
			 struct error *err)
{
	struct pe_raw_section raw;
	struct pe_section s = {0};

	memcpy(&raw, pe->data + pe->section_table + index * sizeof(raw), sizeof(raw));
	if (!copy_name(raw.name, s.name))
		return error_set(err, -EBADMSG, "%s: PE section %u has no readable name", name, index);
	s.virtual_address = le32toh(raw.virtual_address);
	s.virtual_size = le32toh(raw.virtual_size);
	s.file_offset = le32toh(raw.file_offset);
	s.file_size = le32toh(raw.file_size);
	s.data_size = s.virtual_size < s.file_size ? s.virtual_size : s.file_size;
	s.flags = le32toh(raw.flags);
	/* Without bytes the offset says nothing (and is often 0). */
	if (s.file_size == 0)
		s.file_offset = 0;
	else if (s.file_offset < pe->size_of_headers || s.file_offset > pe->len ||
		 s.file_size > pe->len - s.file_offset)
		return error_set(err, -EBADMSG, "%s: PE section %s does not lie within the file", name,
				 s.name);
	if (s.virtual_size > 0 &&
	    (s.virtual_address < pe->size_of_headers || s.virtual_address > pe->size_of_image ||
	     s.virtual_size > pe->size_of_image - s.virtual_address))
		return error_set(err, -EBADMSG, "%s: PE section %s does not lie within the image in memory",
				 name, s.name);
	*ret = s;
	return 0;
}

/* Ranges of length 0 overlap nothing. */
static bool overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a_len && b_len && a < b + b_len && b < a + a_len;
}

static int check_pair(const struct pe_section *a, const struct pe_section *b, const char *name,
		      struct error *err)
{
	if (strcmp(a->name, b->name) == 0)
		return error_set(err, -EBADMSG, "%s: two PE sections are called %s", name, a->name);
	if (overlap(a->file_offset, a->file_size, b->file_offset, b->file_size))
		return error_set(err, -EBADMSG, "%s: PE sections %s and %s overlap in the file", name,
				 a->name, b->name);
	if (overlap(a->virtual_address, a->virtual_size, b->virtual_address, b->virtual_size))
		return error_set(err, -EBADMSG, "%s: PE sections %s and %s overlap in memory", name, a->name,
				 b->name);
	return 0;
}

int pe_parse(const void *data, size_t len, const char *name, struct pe *ret, struct error *err)
{
	struct pe pe = {.data = data, .len = len};
	int r = parse_headers(&pe, name, err);

	for (unsigned i = 0; r == 0 && i < pe.section_count; i++) {
		r = parse_section(&pe, i, name, &pe.sections[i], err);
		for (unsigned j = 0; r == 0 && j < i; j++)
			r = check_pair(&pe.sections[j], &pe.sections[i], name, err);
	}
	if (r < 0)
		return r;
	*ret = pe;
	return 0;
}

const struct pe_section *pe_find(const struct pe *pe, const char *name)
{
	for (unsigned i = 0; i < pe->section_count; i++)
		if (strcmp(pe->sections[i].name, name) == 0)
			return &pe->sections[i];
	return NULL;
}

const uint8_t *pe_section_data(const struct pe *pe, const struct pe_section *s)
{
	return pe->data + s->file_offset;
}
