/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "lib/guid.h"

/* The type of an EFI System Partition as text and on disk (UEFI 2.10, table 5.7 and appendix A). */
static const char esp_text[] = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
static const uint8_t esp_disk[16] = {0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11,
				     0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b};

static void test_text(void **state)
{
	char text[GUID_TEXT_SIZE];
	struct guid g;

	(void)state;
	assert_true(guid_parse(esp_text, &g));
	guid_format(&g, text);
	assert_string_equal(text, esp_text);
	assert_true(guid_parse("C12A7328-F81F-11D2-BA4B-00A0C93EC93B", &g));
	guid_format(&g, text);
	assert_string_equal(text, esp_text);
}

static void test_bad_text(void **state)
{
	static const char *const bad[] = {
		"",
		"c12a7328-f81f-11d2-ba4b-00a0c93ec93",
		"c12a7328-f81f-11d2-ba4b-00a0c93ec93bb",
		"c12a7328-f81f-11d2-ba4b-00a0c93ec93g",
		"c12a7328f-81f-11d2-ba4b-00a0c93ec93b",
		"c12a7328-f81f-11d2-ba4b000a0c93ec93b",
		"{12a7328-f81f-11d2-ba4b-00a0c93ec93}",
		"------------------------------------",
	};
	struct guid g;

	(void)state;
	memset(&g, 0x55, sizeof(g));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(guid_parse(bad[i], &g));
	for (size_t i = 0; i < sizeof(g.b); i++)
		assert_int_equal(g.b[i], 0x55);
}

static void test_disk_order(void **state)
{
	struct guid g, back;
	uint8_t disk[16];

	(void)state;
	assert_true(guid_parse(esp_text, &g));
	guid_to_gpt(&g, disk);
	assert_memory_equal(disk, esp_disk, 16);
	guid_from_gpt(disk, &back);
	assert_memory_equal(&g, &back, sizeof(g));
	guid_to_gpt((struct guid *)disk, disk); /* in place */
}

/* Golden: printf 'mkappliance:disk:hello' | sha256sum, cut to 16 bytes, with version 8 and the variant set. */
static void test_derived(void **state)
{
	char text[GUID_TEXT_SIZE];
	struct guid g, other;

	(void)state;
	guid_derive("disk", "hello", &g);
	guid_format(&g, text);
	assert_string_equal(text, "f465ba5d-b7e1-895a-af55-ffb878fca329");
	assert_int_equal(g.b[6] >> 4, 8);
	assert_int_equal(g.b[8] >> 6, 2);
	guid_derive("fs", "hello", &other);
	assert_memory_not_equal(&g, &other, sizeof(g));
	guid_derive("disk", "hello2", &other);
	assert_memory_not_equal(&g, &other, sizeof(g));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_bad_text),
		cmocka_unit_test(test_disk_order),
		cmocka_unit_test(test_derived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
