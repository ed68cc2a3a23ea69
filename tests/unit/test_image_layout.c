/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "image/gpt.h"
#include "image/layout.h"

#define MIB 1048576ull

static void assert_guid(const struct guid *g, const char *want)
{
	char text[GUID_TEXT_SIZE];

	guid_format(g, text);
	assert_string_equal(text, want);
}

/* Every number of a layout, once: whoever changes one changes what every image looks like. */
static void test_golden(void **state)
{
	struct error err = ERROR_INIT;
	struct sha256 hash;
	struct layout l;

	(void)state;
	for (int i = 0; i < SHA256_SIZE; i++)
		hash.b[i] = (uint8_t)i;
	assert_int_equal(layout_plan("hello", ARCH_X86_64, 64 * MIB, 100 * 4096, 3 * 4096, &l, &err), 0);
	layout_set_root_hash(&l, &hash);

	assert_int_equal(l.size, 1024 * MIB);
	assert_guid(&l.disk_guid, "f465ba5d-b7e1-895a-af55-ffb878fca329");
	assert_string_equal(l.part[PART_ESP].name, "esp");
	assert_guid(&l.part[PART_ESP].type, "c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
	assert_guid(&l.part[PART_ESP].uuid, "c26b9a9c-7a30-8446-860e-f17b6837241f");
	assert_int_equal(l.part[PART_ESP].offset, 1 * MIB);
	assert_int_equal(l.part[PART_ESP].size, 64 * MIB);
	assert_int_equal(l.part[PART_ESP].attributes, 0);
	assert_string_equal(l.part[PART_ROOT].name, "root");
	assert_guid(&l.part[PART_ROOT].type, "4f68bce3-e8cd-4db1-96e7-fbcaf984b709");
	assert_guid(&l.part[PART_ROOT].uuid, "00010203-0405-0607-0809-0a0b0c0d0e0f");
	assert_int_equal(l.part[PART_ROOT].offset, 65 * MIB);
	assert_int_equal(l.part[PART_ROOT].size, 1 * MIB);
	assert_int_equal(l.part[PART_ROOT].used, 100 * 4096);
	assert_true(l.part[PART_ROOT].attributes == 1ull << 60);
	assert_string_equal(l.part[PART_VERITY].name, "root-verity");
	assert_guid(&l.part[PART_VERITY].type, "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5");
	assert_guid(&l.part[PART_VERITY].uuid, "10111213-1415-1617-1819-1a1b1c1d1e1f");
	assert_int_equal(l.part[PART_VERITY].offset, 66 * MIB);
	assert_int_equal(l.part[PART_VERITY].size, 1 * MIB);
	assert_int_equal(l.part[PART_VERITY].used, 3 * 4096);
	assert_true(l.part[PART_VERITY].attributes == 1ull << 60);
}

static void test_arm64(void **state)
{
	struct error err = ERROR_INIT;
	struct layout l;

	(void)state;
	assert_int_equal(layout_plan("hello", ARCH_ARM64, 64 * MIB, 4096, 4096, &l, &err), 0);
	assert_guid(&l.part[PART_ESP].type, "c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
	assert_guid(&l.part[PART_ROOT].type, "b921b045-1df0-41c3-af44-4c6f280d3fae");
	assert_guid(&l.part[PART_VERITY].type, "df3300ce-d69f-4c92-978c-9bfb0f38d820");
}

/* The signature of the root hash has a partition of its own behind all others, and moves none of them. */
static void test_signature(void **state)
{
	struct error err = ERROR_INIT;
	struct layout l, without;

	(void)state;
	assert_int_equal(layout_plan("hello", ARCH_X86_64, 64 * MIB, 100 * 4096, 3 * 4096, &l, &err), 0);
	without = l;
	assert_int_equal(l.count, 3);
	layout_add_signature("hello", ARCH_X86_64, &l);
	assert_int_equal(l.count, 4);
	assert_memory_equal(l.part, without.part, 3 * sizeof(l.part[0]));
	assert_int_equal(l.size, 1024 * MIB);
	assert_string_equal(l.part[PART_SIGNATURE].name, "root-verity-sig");
	assert_guid(&l.part[PART_SIGNATURE].type, "41092b05-9fc8-4523-994f-2def0408b176");
	assert_guid(&l.part[PART_SIGNATURE].uuid, "2a534c29-0960-8171-b08b-b87681c56951");
	assert_int_equal(l.part[PART_SIGNATURE].offset, 67 * MIB);
	assert_int_equal(l.part[PART_SIGNATURE].size, 1 * MIB);
	assert_int_equal(l.part[PART_SIGNATURE].used, 4096);
	assert_true(l.part[PART_SIGNATURE].attributes == 1ull << 60);
	layout_add_signature("hello", ARCH_ARM64, &without);
	assert_guid(&without.part[PART_SIGNATURE].type, "6db69de6-29f4-4758-a7a5-962190f00ce3");
	/* The disk grows where the backup table would not fit any more. */
	assert_int_equal(layout_plan("a", ARCH_X86_64, 512, (1024 - 67) * MIB, 4096, &l, &err), 0);
	assert_int_equal(l.size, 1024 * MIB);
	layout_add_signature("a", ARCH_X86_64, &l);
	assert_int_equal(l.size, 2048 * MIB);
}

/* A small UKI never makes a small ESP, a large one makes a larger one; root follows it. */
static void test_esp(void **state)
{
	struct error err = ERROR_INIT;
	struct layout l;

	(void)state;
	assert_int_equal(layout_plan("a", ARCH_X86_64, 512, 4096, 4096, &l, &err), 0);
	assert_int_equal(l.part[PART_ESP].size, 64 * MIB);
	assert_int_equal(l.part[PART_ESP].used, 512);
	assert_int_equal(layout_plan("a", ARCH_X86_64, 64 * MIB + 512, 4096, 4096, &l, &err), 0);
	assert_int_equal(l.part[PART_ESP].size, 65 * MIB);
	assert_int_equal(l.part[PART_ROOT].offset, 66 * MIB);
}

/* Whole GiB, with the backup table in the last one. */
static void test_disk_size(void **state)
{
	struct error err = ERROR_INIT;
	struct layout l;

	(void)state;
	/* 1 + 64 + root + 1 MiB: the last MiB of a GiB is where the backup table must still fit. */
	assert_int_equal(layout_plan("a", ARCH_X86_64, 512, (1024 - 67) * MIB, 4096, &l, &err), 0);
	assert_int_equal(l.part[PART_VERITY].offset + l.part[PART_VERITY].size, 1023 * MIB);
	assert_int_equal(l.size, 1024 * MIB);
	assert_int_equal(layout_plan("a", ARCH_X86_64, 512, (1024 - 66) * MIB, 4096, &l, &err), 0);
	assert_int_equal(l.size, 2048 * MIB);
	/* Larger than 2^32 sectors. */
	assert_int_equal(layout_plan("a", ARCH_X86_64, 512, 4ull << 40, 4096, &l, &err), 0);
	assert_int_equal(l.part[PART_VERITY].offset, (4ull << 40) + 65 * MIB);
}

/* The ids are the name's alone. */
static void test_ids(void **state)
{
	struct error err = ERROR_INIT;
	struct layout a, b, c;

	(void)state;
	assert_int_equal(layout_plan("a", ARCH_X86_64, 512, 4096, 4096, &a, &err), 0);
	assert_int_equal(layout_plan("a", ARCH_X86_64, 512, 8192, 8192, &b, &err), 0);
	assert_int_equal(layout_plan("c", ARCH_X86_64, 512, 4096, 4096, &c, &err), 0);
	assert_memory_equal(&a.disk_guid, &b.disk_guid, 16);
	assert_memory_equal(&a.part[PART_ESP].uuid, &b.part[PART_ESP].uuid, 16);
	assert_memory_not_equal(&a.disk_guid, &c.disk_guid, 16);
	assert_memory_not_equal(&a.disk_guid, &a.part[PART_ESP].uuid, 16);
}

static void test_refusals(void **state)
{
	static const uint64_t bad[][3] = {
		{0, 4096, 4096},	  {512, 0, 4096},
		{512, 4096, 0},		  {511, 4096, 4096},
		{512, 4097, 4096},	  {512, 4096, 512},
		{512, 4096, 1ull << 51},  {512, UINT64_MAX - 4095, 4096},
		{1ull << 60, 4096, 4096},
	};
	struct layout l, untouched;

	(void)state;
	memset(&untouched, 0x5a, sizeof(untouched));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error err = ERROR_INIT;

		l = untouched;
		assert_true(layout_plan("a", ARCH_X86_64, bad[i][0], bad[i][1], bad[i][2], &l, &err) < 0);
		assert_non_null(strstr(err.text, "partition '"));
		assert_memory_equal(&l, &untouched, sizeof(l));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),	  cmocka_unit_test(test_arm64),
		cmocka_unit_test(test_signature), cmocka_unit_test(test_esp),
		cmocka_unit_test(test_disk_size), cmocka_unit_test(test_ids),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
