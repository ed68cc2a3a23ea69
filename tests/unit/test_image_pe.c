/* SPDX-License-Identifier: Apache-2.0 */
/* PE sections: what is parsed, what is refused, what is added; objdump as oracle. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/hash.h"
#include "lib/io.h"
#include "lib/spawn.h"
#include "pe_sample.h"

#define AT_COFF(member)	    (SAMPLE_PE_AT + offsetof(struct pe_coff, member))
#define AT_OPTIONAL(member) (SAMPLE_OPTIONAL + offsetof(struct pe_optional, member))
#define AT_SECTION(i, member) \
	(SAMPLE_TABLE + (i) * sizeof(struct pe_raw_section) + offsetof(struct pe_raw_section, member))

static uint8_t *sample(void)
{
	return sample_pe(PE_MACHINE_X86_64, PE_SUBSYSTEM_EFI_APPLICATION, SAMPLE_STUB_MAGIC);
}

static void parse(const void *data, size_t len, struct pe *ret)
{
	struct error err = ERROR_INIT;

	if (pe_parse(data, len, "sample", ret, &err) < 0)
		fail_msg("%s", err.text);
}

static const struct pe_addition additions[] = {
	{".osrel", "ID=hello\n", 9},
	{".cmdline", "console=ttyS0", 13},
	{".linux", "MZ and a kernel", 15},
};
#define ADDITIONS (sizeof(additions) / sizeof(additions[0]))

static void add_to(const uint8_t *stub, size_t len, struct buf *out)
{
	struct error err = ERROR_INIT;
	struct pe pe;

	parse(stub, len, &pe);
	if (pe_add_sections(&pe, additions, ADDITIONS, out, &err) < 0)
		fail_msg("%s", err.text);
}

/* ---- parsing ---- */

static void test_parse(void **state)
{
	_cleanup_free_ uint8_t *data = sample();
	const struct pe_section *s;
	struct pe pe;

	(void)state;
	parse(data, SAMPLE_SIZE, &pe);
	assert_int_equal(pe.machine, 0x8664);
	assert_int_equal(pe.subsystem, 10);
	assert_int_equal(pe.header_offset, 0x80);
	assert_int_equal(pe.section_align, 0x200);
	assert_int_equal(pe.file_align, 0x200);
	assert_int_equal(pe.size_of_headers, 0x400);
	assert_int_equal(pe.size_of_image, 0x3000);
	assert_int_equal(pe.section_table, 0x188);
	assert_int_equal(pe.section_count, 3);

	s = pe_find(&pe, ".text");
	assert_ptr_equal(s, &pe.sections[0]);
	assert_int_equal(s->virtual_address, 0x1000);
	assert_int_equal(s->virtual_size, 0x180);
	assert_int_equal(s->file_offset, 0x400);
	assert_int_equal(s->file_size, 0x200);
	assert_int_equal(s->data_size, 0x180);
	assert_int_equal(s->flags, 0x60000020);
	assert_ptr_equal(pe_section_data(&pe, s), data + 0x400);
	/* A name of all eight bytes has no closing 0 in the file. */
	assert_string_equal(pe_find(&pe, ".sdmagic")->name, ".sdmagic");
	/* Of which the file has nothing. */
	assert_int_equal(pe_find(&pe, ".bss")->virtual_size, 0xe00);
	assert_int_equal(pe_find(&pe, ".bss")->data_size, 0);
	assert_null(pe_find(&pe, ".tex"));
}

static void test_cut(void **state)
{
	_cleanup_free_ uint8_t *data = sample();

	(void)state;
	for (size_t len = 0; len < SAMPLE_SIZE; len++) {
		_cleanup_free_ uint8_t *exact = xmemdup(data, len);
		struct error err = ERROR_INIT;
		struct pe pe = {.len = 42};

		assert_int_equal(pe_parse(exact, len, "cut", &pe, &err), -EBADMSG);
		assert_int_equal(pe.len, 42);
		assert_int_equal(strncmp(err.text, "cut: ", 5), 0);
	}
}

/* One field altered, and what is said about it (NULL: it is accepted). */
static const struct {
	size_t at, size;
	uint64_t value;
	const char *why;
} alterations[] = {
	{0, 2, 0x4d5a, "does not begin with MZ"},
	{PE_DOS_HEADER_AT, 4, SAMPLE_SIZE, "no PE header behind"},
	{PE_DOS_HEADER_AT, 4, SAMPLE_SIZE - 135, "no PE header behind"},
	{PE_DOS_HEADER_AT, 4, SAMPLE_SIZE - 136, "no PE signature"},
	{PE_DOS_HEADER_AT, 4, 0xfffffff0, "no PE header behind"},
	{AT_COFF(signature), 4, 0, "no PE signature"},
	{AT_COFF(section_count), 2, 0, NULL},
	{AT_COFF(section_count), 2, 4, "has no readable name"},
	{AT_COFF(section_count), 2, 64, "headers are cut off"},
	{AT_COFF(section_count), 2, 65, "65 sections"},
	{AT_COFF(optional_size), 2, 239, "data directories do not fit"},
	{AT_COFF(optional_size), 2, 0xffff, "headers are cut off"},
	{AT_OPTIONAL(magic), 2, 0x10b, "not a PE32+"},
	{AT_OPTIONAL(directory_count), 4, 17, "data directories do not fit"},
	{AT_OPTIONAL(directory_count), 4, 0xffffffff, "data directories do not fit"},
	{AT_OPTIONAL(directory_count), 4, 0, NULL},
	{AT_OPTIONAL(section_align), 4, 0, "an alignment is not"},
	{AT_OPTIONAL(section_align), 4, 0x300, "an alignment is not"},
	{AT_OPTIONAL(section_align), 4, 1u << 21, "an alignment is not"},
	{AT_OPTIONAL(file_align), 4, 0, "an alignment is not"},
	{AT_OPTIONAL(file_align), 4, 0x201, "an alignment is not"},
	{AT_OPTIONAL(file_align), 4, 1u << 31, "an alignment is not"},
	{AT_OPTIONAL(file_align), 4, 0x20, NULL},
	{AT_OPTIONAL(size_of_headers), 4, 0x1ff, "headers are cut off"},
	{AT_OPTIONAL(size_of_headers), 4, 0x200, NULL},
	{AT_OPTIONAL(size_of_headers), 4, 0x401, ".text does not lie within the file"},
	{AT_OPTIONAL(size_of_headers), 4, SAMPLE_SIZE + 1, "headers are cut off"},
	{AT_OPTIONAL(size_of_image), 4, 0x2fff, ".bss does not lie within the image"},
	{AT_OPTIONAL(size_of_image), 4, 0x2000, ".sdmagic does not lie within the image"},
	{AT_SECTION(0, name), 1, 0, "section 0 has no readable name"},
	{AT_SECTION(0, name), 1, 0x1b, "section 0 has no readable name"},
	{AT_SECTION(0, name) + 7, 1, 'x', "section 0 has no readable name"},
	{AT_SECTION(0, name), 8, 0x7373622e, "two PE sections are called .bss"},
	{AT_SECTION(0, file_offset), 4, 0x3ff, ".text does not lie within the file"},
	{AT_SECTION(0, file_offset), 4, SAMPLE_SIZE, ".text does not lie within the file"},
	{AT_SECTION(0, file_offset), 4, 0xfffffe00, ".text does not lie within the file"},
	{AT_SECTION(0, file_offset), 4, 0x401, ".text and .sdmagic overlap in the file"},
	{AT_SECTION(0, file_size), 4, 0x201, ".text and .sdmagic overlap in the file"},
	{AT_SECTION(0, file_size), 4, 0xffffffff, ".text does not lie within the file"},
	{AT_SECTION(0, file_size), 4, 0, NULL},
	{AT_SECTION(0, virtual_address), 4, 0x3ff, ".text does not lie within the image"},
	{AT_SECTION(0, virtual_address), 4, 0x1e81, ".text and .sdmagic overlap in memory"},
	{AT_SECTION(0, virtual_address), 4, 0x2e80, ".text and .bss overlap in memory"},
	{AT_SECTION(0, virtual_address), 4, 0xffffffff, ".text does not lie within the image"},
	{AT_SECTION(0, virtual_size), 4, 0x1001, ".text and .sdmagic overlap in memory"},
	{AT_SECTION(0, virtual_size), 4, 0xffffffff, ".text does not lie within the image"},
	{AT_SECTION(0, virtual_size), 4, 0, NULL},
	{AT_SECTION(2, file_offset), 4, 0xffffffff, NULL}, /* no bytes: means nothing */
};

static void test_alterations(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(alterations) / sizeof(alterations[0]); i++) {
		_cleanup_free_ uint8_t *data = sample();
		const uint64_t value = htole64(alterations[i].value);
		struct error err = ERROR_INIT;
		struct pe pe;
		int r;

		memcpy(data + alterations[i].at, &value, alterations[i].size);
		r = pe_parse(data, SAMPLE_SIZE, "altered", &pe, &err);
		if (!alterations[i].why && r < 0)
			fail_msg("alteration %zu: %s", i, err.text);
		if (alterations[i].why && (r != -EBADMSG || !strstr(err.text, alterations[i].why)))
			fail_msg("alteration %zu: '%s' does not say '%s'", i, err.text, alterations[i].why);
	}
}

/* ---- adding ---- */

static void test_add_headers(void **state)
{
	_cleanup_free_ uint8_t *data = sample();
	_cleanup_buf_ struct buf out = {0};
	struct pe_coff coff;
	struct pe_optional optional;
	struct pe_directory certificates;

	(void)state;
	add_to(data, SAMPLE_SIZE, &out);
	assert_int_equal(out.len, SAMPLE_SIZE + 3 * 0x200);
	memcpy(&coff, out.ptr + SAMPLE_PE_AT, sizeof(coff));
	memcpy(&optional, out.ptr + SAMPLE_OPTIONAL, sizeof(optional));
	memcpy(&certificates, out.ptr + SAMPLE_DIRECTORY + PE_DIRECTORY_CERTIFICATES * sizeof(certificates),
	       sizeof(certificates));
	assert_int_equal(le16toh(coff.section_count), 6);
	assert_int_equal(coff.time_stamp, 0);
	assert_int_equal(coff.symbol_table, 0);
	assert_int_equal(coff.symbol_count, 0);
	assert_int_equal(le16toh(coff.characteristics), 0x206);
	assert_int_equal(le32toh(optional.size_of_initialized_data), 0x200 + 3 * 0x200);
	assert_int_equal(le32toh(optional.size_of_image), 0x5200);
	assert_int_equal(optional.checksum, 0);
	assert_int_equal(le32toh(optional.size_of_code), 0x200);
	assert_int_equal(certificates.address, 0);
	assert_int_equal(certificates.size, 0);
}

static void test_add_sections(void **state)
{
	_cleanup_free_ uint8_t *data = sample();
	_cleanup_buf_ struct buf out = {0};
	struct pe before, after;

	(void)state;
	add_to(data, SAMPLE_SIZE, &out);
	parse(data, SAMPLE_SIZE, &before);
	parse(out.ptr, out.len, &after);
	assert_int_equal(after.section_count, SAMPLE_SECTIONS + ADDITIONS);
	for (unsigned i = 0; i < SAMPLE_SECTIONS; i++)
		assert_memory_equal(&before.sections[i], &after.sections[i], sizeof(struct pe_section));
	assert_memory_equal(out.ptr + SAMPLE_HEADERS, data + SAMPLE_HEADERS, SAMPLE_SIZE - SAMPLE_HEADERS);
	for (unsigned i = 0; i < ADDITIONS; i++) {
		const struct pe_section *s = &after.sections[SAMPLE_SECTIONS + i];

		assert_string_equal(s->name, additions[i].name);
		assert_int_equal(s->virtual_address, 0x3000 + i * 0x1000);
		assert_int_equal(s->virtual_size, additions[i].len);
		assert_int_equal(s->file_offset, SAMPLE_SIZE + i * 0x200);
		assert_int_equal(s->file_size, 0x200);
		assert_int_equal(s->data_size, additions[i].len);
		assert_int_equal(s->flags, 0x40000040);
		assert_memory_equal(pe_section_data(&after, s), additions[i].data, additions[i].len);
		for (size_t j = additions[i].len; j < 0x200; j++)
			assert_int_equal(pe_section_data(&after, s)[j], 0);
	}
}

static void test_add_golden(void **state)
{
	_cleanup_free_ uint8_t *data = sample();
	_cleanup_buf_ struct buf out = {0};
	char hex[SHA256_HEX_SIZE];
	struct sha256 digest;

	(void)state;
	buf_add(&out, "before", 6);
	add_to(data, SAMPLE_SIZE, &out);
	assert_memory_equal(out.ptr, "before", 6);
	sha256_of(out.ptr + 6, out.len - 6, &digest);
	hex_encode(digest.b, sizeof(digest.b), hex);
	assert_string_equal(hex, "5bb7616a16b680434df0b56f587a9d7666565cd75c2449a20a8c629facca43ba");
}

/* Symbols and signatures behind the last section leave no trace. */
static void test_add_drops_the_rest(void **state)
{
	_cleanup_free_ uint8_t *data = sample(), *longer = xcalloc(1, SAMPLE_SIZE + 100);
	_cleanup_buf_ struct buf a = {0}, b = {0};

	(void)state;
	memcpy(longer, data, SAMPLE_SIZE);
	memset(longer + SAMPLE_SIZE, 0xaa, 100);
	add_to(data, SAMPLE_SIZE, &a);
	add_to(longer, SAMPLE_SIZE + 100, &b);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.ptr, b.ptr, a.len);
}

/* A stub whose sections are aligned to more than a page. */
static void test_add_large_alignment(void **state)
{
	_cleanup_free_ uint8_t *data = sample();
	_cleanup_buf_ struct buf out = {0};
	const uint32_t align = htole32(0x10000);
	struct pe pe;

	(void)state;
	memcpy(data + AT_OPTIONAL(section_align), &align, sizeof(align));
	add_to(data, SAMPLE_SIZE, &out);
	parse(out.ptr, out.len, &pe);
	assert_int_equal(pe.sections[SAMPLE_SECTIONS].virtual_address, 0x10000);
	assert_int_equal(pe.sections[SAMPLE_SECTIONS + 2].virtual_address, 0x30000);
	assert_int_equal(pe.size_of_image, 0x40000);
}

static void assert_not_added(const uint8_t *data, const struct pe_addition *add, size_t count, int code,
			     const char *why)
{
	_cleanup_buf_ struct buf out = {0};
	struct error err = ERROR_INIT;
	struct pe pe;

	parse(data, SAMPLE_SIZE, &pe);
	assert_int_equal(pe_add_sections(&pe, add, count, &out, &err), code);
	assert_int_equal(out.len, 0);
	if (!strstr(err.text, why))
		fail_msg("'%s' does not say '%s'", err.text, why);
}

static void test_add_refuses(void **state)
{
	static const struct pe_addition there[] = {{".text", "x", 1}},
					twice[] = {{".a", "x", 1}, {".a", "y", 1}}, empty[] = {{".a", "", 0}},
					unnamed[] = {{"", "x", 1}}, too_long[] = {{".ninechar", "x", 1}},
					huge[] = {{".a", "x", 1ull << 31}},
					huge_together[] = {{".a", "x", 0x7ffff000}, {".b", "x", 1}};
	_cleanup_free_ uint8_t *data = sample();
	struct pe_addition many[13];
	char names[13][4];

	(void)state;
	assert_not_added(data, there, 1, -EEXIST, "already a PE section .text");
	assert_not_added(data, twice, 2, -EEXIST, ".a is added twice");
	assert_not_added(data, empty, 1, -EINVAL, ".a would be empty");
	assert_not_added(data, unnamed, 1, -EINVAL, "not of 1 to 8 bytes");
	assert_not_added(data, too_long, 1, -EINVAL, "'.ninechar' is not of 1 to 8 bytes");
	assert_not_added(data, huge, 1, -EFBIG, "larger than 2 GiB");
	assert_not_added(data, huge_together, 2, -EFBIG, "larger than 2 GiB");

	/* From 0x188 + 3 * 40 = 0x200 to 0x400 there is room for 12. */
	for (unsigned i = 0; i < 13; i++) {
		snprintf(names[i], sizeof(names[i]), ".%u", i);
		many[i] = (struct pe_addition){names[i], "x", 1};
	}
	assert_not_added(data, many, 13, -ENOSPC, "have room for 12 more sections, 13 are needed");
	data[SAMPLE_HEADERS - 40] = 1;
	assert_not_added(data, many, 12, -ENOSPC, "something lies behind the PE section table");
}

/* ---- objdump ---- */

static void objdump(const void *data, size_t len, struct buf *ret)
{
	char path[] = "/tmp/mkappliance-test-XXXXXX";
	_cleanup_close_ int fd = mkstemp(path);
	struct error err = ERROR_INIT;
	int r;

	assert_true(fd >= 0);
	assert_int_equal(io_write_full(fd, path, data, len, &err), 0);
	r = spawn_run(
		&(struct spawn){.argv = (const char *const[]){"objdump", "-h", path, NULL}, .output = ret},
		&err);
	unlink(path);
	if (r < 0)
		fail_msg("%s", err.text);
}

static void test_objdump_agrees(void **state)
{
	static const char expected[] = ".text 00000180 0000000000001000 00000400\n"
				       ".sdmagic 00000026 0000000000002000 00000600\n"
				       ".bss 00000000 0000000000002200 00000000\n"
				       ".osrel 00000009 0000000000003000 00000800\n"
				       ".cmdline 0000000d 0000000000004000 00000a00\n"
				       ".linux 0000000f 0000000000005000 00000c00\n";
	_cleanup_free_ uint8_t *data = sample();
	_cleanup_buf_ struct buf out = {0}, listing = {0}, said = {0};
	char *save = NULL;

	(void)state;
	if (!spawn_available("objdump"))
		skip();
	add_to(data, SAMPLE_SIZE, &out);
	objdump(out.ptr, out.len, &listing);
	for (char *line = strtok_r(listing.ptr, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char name[16], size[16], address[24], at[16];

		if (sscanf(line, " %*u %15s %15s %23s %*s %15s", name, size, address, at) == 4)
			buf_printf(&said, "%s %s %s %s\n", name, size, address, at);
	}
	assert_string_equal(said.ptr, expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_alterations),
		cmocka_unit_test(test_add_headers),
		cmocka_unit_test(test_add_sections),
		cmocka_unit_test(test_add_golden),
		cmocka_unit_test(test_add_drops_the_rest),
		cmocka_unit_test(test_add_large_alignment),
		cmocka_unit_test(test_add_refuses),
		cmocka_unit_test(test_objdump_agrees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
