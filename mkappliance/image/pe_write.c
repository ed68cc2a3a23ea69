/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adds sections to a PE file, laid out as "objcopy --add-section" with "--change-section-vma" and ukify
 * would: each new section behind the last, in the file and in memory.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "image/pe.h"
#include "image/pe_format.h"

/*
 * New sections begin on a page even when the stub (section alignment 512 in systemd 252) asks for less:
 * kernels are started in place.
 */
#define PAGE 4096u

static uint64_t align_up(uint64_t v, uint32_t align)
{
	return (v + align - 1) & ~(uint64_t)(align - 1);
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The first byte behind the stub's own sections, in the file and in memory. */
static void stub_end(const struct pe *stub, uint64_t *file_end, uint64_t *memory_end)
{
	*file_end = stub->size_of_headers;
	*memory_end = stub->size_of_headers;
	for (unsigned i = 0; i < stub->section_count; i++) {
		const struct pe_section *s = &stub->sections[i];

		*file_end = max_u64(*file_end, (uint64_t)s->file_offset + s->file_size);
		*memory_end = max_u64(*memory_end, (uint64_t)s->virtual_address + s->virtual_size);
	}
}

/* The section table may grow into the zeros up to SizeOfHeaders, over nothing else. */
static int check_room(const struct pe *stub, size_t count, struct error *err)
{
	uint64_t at = stub->section_table + stub->section_count * sizeof(struct pe_raw_section);
	uint64_t room = (stub->size_of_headers - at) / sizeof(struct pe_raw_section);

	if (count > room || stub->section_count + count > PE_MAX_SECTIONS)
		return error_set(err, -ENOSPC,
				 "the PE headers have room for %ju more sections, %zu are needed",
				 (uintmax_t)room, count);
	for (size_t i = 0; i < count * sizeof(struct pe_raw_section); i++)
		if (stub->data[at + i] != 0)
			return error_set(
				err, -ENOSPC,
				"something lies behind the PE section table; no room for more sections");
	return 0;
}

static int check_addition(const struct pe *stub, const struct pe_addition *add, size_t index,
			  struct error *err)
{
	const char *name = add[index].name;
	size_t n = strlen(name);

	if (n == 0 || n > sizeof(((struct pe_raw_section *)0)->name))
		return error_set(err, -EINVAL, "PE section name '%s' is not of 1 to 8 bytes", name);
	if (add[index].len == 0)
		return error_set(err, -EINVAL, "PE section %s would be empty", name);
	if (pe_find(stub, name))
		return error_set(err, -EEXIST, "there is already a PE section %s", name);
	for (size_t i = 0; i < index; i++)
		if (strcmp(add[i].name, name) == 0)
			return error_set(err, -EEXIST, "PE section %s is added twice", name);
	return 0;
}

/*
 * Headers of the new sections. VirtualSize is the content's length also for .linux: systemd-stub measures and
 * starts that many bytes, so a longer one would change the measurement of the kernel.
 */
static int plan_sections(const struct pe *stub, const struct pe_addition *add, size_t count,
			 struct pe_raw_section *table, uint64_t *ret_file_end, uint64_t *ret_memory_end,
			 struct error *err)
{
	const uint32_t align = stub->section_align > PAGE ? stub->section_align : PAGE;
	uint64_t file_at, memory_at;

	stub_end(stub, &file_at, &memory_at);
	for (size_t i = 0; i < count; i++) {
		uint64_t file_size;
		int r = check_addition(stub, add, i, err);

		if (r < 0)
			return r;
		file_at = align_up(file_at, stub->file_align);
		memory_at = align_up(memory_at, align);
		if (add[i].len > INT32_MAX || file_at > INT32_MAX || memory_at > INT32_MAX)
			return error_set(err, -EFBIG, "PE section %s: the file would be larger than 2 GiB",
					 add[i].name);
		file_size = align_up(add[i].len, stub->file_align);
		memcpy(table[i].name, add[i].name, strlen(add[i].name));
		table[i].virtual_size = htole32((uint32_t)add[i].len);
		table[i].virtual_address = htole32((uint32_t)memory_at);
		table[i].file_size = htole32((uint32_t)file_size);
		table[i].file_offset = htole32((uint32_t)file_at);
		table[i].flags = htole32(PE_SECTION_INITIALIZED_DATA | PE_SECTION_READ);
		file_at += file_size;
		memory_at += add[i].len;
	}
	*ret_file_end = file_at;
	*ret_memory_end = align_up(memory_at, stub->section_align);
	if (*ret_file_end > INT32_MAX || *ret_memory_end > INT32_MAX)
		return error_set(err, -EFBIG, "the PE file would be larger than 2 GiB");
	return 0;
}

/* Brings the fixed headers of the copy at @image up to date. */
static void patch_headers(const struct pe *stub, uint8_t *image, size_t count, uint64_t added_bytes,
			  uint64_t memory_end)
{
	uint8_t *at = image + stub->header_offset;
	struct pe_coff coff;
	struct pe_optional opt;

	memcpy(&coff, at, sizeof(coff));
	memcpy(&opt, at + sizeof(coff), sizeof(opt));
	coff.section_count = htole16((uint16_t)(stub->section_count + count));
	coff.time_stamp = 0;
	coff.symbol_table = 0;
	coff.symbol_count = 0;
	opt.size_of_initialized_data = htole32(le32toh(opt.size_of_initialized_data) + (uint32_t)added_bytes);
	opt.size_of_image = htole32((uint32_t)memory_end);
	opt.checksum = 0;
	memcpy(at, &coff, sizeof(coff));
	memcpy(at + sizeof(coff), &opt, sizeof(opt));
	/* A signature of the stub alone would not hold for the whole. */
	if (le32toh(opt.directory_count) > PE_DIRECTORY_CERTIFICATES)
		memset(at + sizeof(coff) + sizeof(opt) +
			       PE_DIRECTORY_CERTIFICATES * sizeof(struct pe_directory),
		       0, sizeof(struct pe_directory));
}

int pe_add_sections(const struct pe *stub, const struct pe_addition *add, size_t count, struct buf *out,
		    struct error *err)
{
	struct pe_raw_section table[PE_MAX_SECTIONS] = {0};
	uint64_t stub_file_end, stub_memory_end, file_end = 0, memory_end = 0, added = 0;
	uint8_t *image;
	int r = check_room(stub, count, err);

	if (r < 0)
		return r;
	r = plan_sections(stub, add, count, table, &file_end, &memory_end, err);
	if (r < 0)
		return r;

	stub_end(stub, &stub_file_end, &stub_memory_end);
	buf_add_zero(out, file_end);
	image = (uint8_t *)out->ptr + out->len - file_end;
	memcpy(image, stub->data, stub_file_end);
	for (size_t i = 0; i < count; i++) {
		memcpy(image + le32toh(table[i].file_offset), add[i].data, add[i].len);
		added += le32toh(table[i].file_size);
	}
	memcpy(image + stub->section_table + stub->section_count * sizeof(table[0]), table,
	       count * sizeof(table[0]));
	patch_headers(stub, image, count, added, memory_end);
	return 0;
}
