/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "image/gpt.h"
#include "lib/cleanup.h"
#include "lib/hash.h"
#include "lib/io.h"
#include "lib/json.h"
#include "lib/spawn.h"

#define MIB 1048576ull

struct table {
	struct layout l;
	uint8_t primary[GPT_PRIMARY_SECTORS * LAYOUT_SECTOR];
	uint8_t backup[GPT_BACKUP_SECTORS * LAYOUT_SECTOR];
};

static void make_table_with(struct table *t, bool signature)
{
	struct error err = ERROR_INIT;
	struct sha256 hash;

	for (int i = 0; i < SHA256_SIZE; i++)
		hash.b[i] = (uint8_t)(i + 1);
	assert_int_equal(layout_plan("hello", ARCH_X86_64, 64 * MIB, 5000 * 4096, 42 * 4096, &t->l, &err), 0);
	layout_set_root_hash(&t->l, &hash);
	if (signature)
		layout_add_signature("hello", ARCH_X86_64, &t->l);
	if (gpt_build(&t->l, t->primary, t->backup, &err) < 0)
		fail_msg("%s", err.text);
}

static void make_table(struct table *t)
{
	make_table_with(t, false);
}

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

/* Makes both headers and arrays right again after a change to the primary ones, so that only the change itself is wrong. */
static void reseal(struct table *t)
{
	uint8_t *h = t->primary + 512, *b = t->backup + 32 * 512;

	memcpy(t->backup, t->primary + 1024, 128 * 128);
	memcpy(b + 40, h + 40, 32);
	memcpy(b + 80, h + 80, 12);
	put32(h + 88, gpt_crc32(t->primary + 1024, 128 * 128));
	put32(b + 88, gpt_crc32(t->backup, 128 * 128));
	put32(h + 16, 0);
	put32(b + 16, 0);
	put32(h + 16, gpt_crc32(h, 92));
	put32(b + 16, gpt_crc32(b, 92));
}

static void test_crc32(void **state)
{
	(void)state;
	/* The check value of CRC-32/ISO-HDLC. */
	assert_int_equal(gpt_crc32("123456789", 9), 0xcbf43926);
	assert_int_equal(gpt_crc32("", 0), 0);
}

static void round_trip(bool signature)
{
	struct error err = ERROR_INIT;
	struct table t, again;
	struct gpt g;

	make_table_with(&t, signature);
	make_table_with(&again, signature);
	assert_memory_equal(t.primary, again.primary, sizeof(t.primary));
	assert_memory_equal(t.backup, again.backup, sizeof(t.backup));

	assert_int_equal(gpt_parse(t.primary, t.backup, t.l.size, &g, &err), 0);
	assert_memory_equal(&g.disk_guid, &t.l.disk_guid, 16);
	assert_int_equal(g.count, signature ? PART_COUNT : PART_SIGNATURE);
	for (unsigned i = 0; i < g.count; i++) {
		assert_string_equal(g.entries[i].name, t.l.part[i].name);
		assert_memory_equal(&g.entries[i].type, &t.l.part[i].type, 16);
		assert_memory_equal(&g.entries[i].uuid, &t.l.part[i].uuid, 16);
		assert_int_equal(g.entries[i].offset, t.l.part[i].offset);
		assert_int_equal(g.entries[i].size, t.l.part[i].size);
		assert_true(g.entries[i].attributes == t.l.part[i].attributes);
	}
}

static void test_round_trip(void **state)
{
	(void)state;
	round_trip(false);
	round_trip(true);
}

/* libfdisk may be another version tomorrow: the bytes must stay. */
static void test_golden(void **state)
{
	struct table t;
	struct sha256 digest;
	char hex[SHA256_HEX_SIZE];

	(void)state;
	make_table(&t);
	sha256_of(t.primary, sizeof(t.primary), &digest);
	hex_encode(digest.b, sizeof(digest.b), hex);
	assert_string_equal(hex, "d8ce8122a2614e0abc02b1539a5c9cbca6401798c7752d2d966d66538a280932");
	sha256_of(t.backup, sizeof(t.backup), &digest);
	hex_encode(digest.b, sizeof(digest.b), hex);
	assert_string_equal(hex, "5d631af3bfbd2cfd78f154279d17e1e3fa55130105347c4102add7fca41bc4d3");
}

static void test_large_disk(void **state)
{
	struct error err = ERROR_INIT;
	struct table t;
	struct gpt g;

	(void)state;
	assert_int_equal(layout_plan("big", ARCH_ARM64, 64 * MIB, 3ull << 40, 25ull << 30, &t.l, &err), 0);
	layout_set_root_hash(&t.l, &(struct sha256){{[0] = 1, [31] = 2}});
	assert_int_equal(gpt_build(&t.l, t.primary, t.backup, &err), 0);
	assert_int_equal(gpt_parse(t.primary, t.backup, t.l.size, &g, &err), 0);
	assert_int_equal(g.entries[PART_VERITY].offset, 65 * MIB + (3ull << 40));
	/* The protective MBR can only say 2^32 - 1. */
	assert_memory_equal(t.primary + 446 + 12, "\xff\xff\xff\xff", 4);
}

/* Each change must be seen: byte @at of the primary area (or of the backup behind it) becomes @value. */
static void test_every_field_counts(void **state)
{
	static const struct {
		const char *what;
		size_t at;
		uint8_t value;
		bool sealed; /* with checksums made right again */
	} cases[] = {
		{"boot signature", 510, 0, false},
		{"type of the protective entry", 446 + 4, 0x83, false},
		{"its size", 446 + 12, 1, false},
		{"a second entry", 446 + 16 + 4, 1, false},
		{"signature", 512, 'e', true},
		{"revision", 512 + 10, 2, true},
		{"header size", 512 + 12, 100, true},
		{"checksum", 512 + 16, 0xee, false},
		{"reserved", 512 + 20, 1, true},
		{"own sector", 512 + 24, 2, true},
		{"other sector", 512 + 32, 5, true},
		{"first usable", 512 + 40, 3, true},
		{"first usable behind last", 512 + 45, 7, true},
		{"last usable", 512 + 48 + 4, 7, true},
		{"place of the entries", 512 + 72, 3, true},
		{"number of entries", 512 + 80, 127, true},
		{"size of entries", 512 + 85, 1, true},
		{"checksum of the entries", 1024 + 56, 'X', false},
		{"behind the header", 512 + 92, 1, true},
		{"entry without UUID", 1024 + 16, 0, true}, /* 16 bytes, see below */
		{"start in front of the usable range", 1024 + 33, 0, true},
		{"end behind it", 1024 + 44, 9, true},
		{"overlap", 1024 + 42, 3, true},
		{"name is not ASCII", 1024 + 57, 1, true},
		{"control character in the name", 1024 + 56, 7, true},
		{"bytes behind the name", 1024 + 127, 1, true},
		{"unused entry", 1024 + 3 * 128 + 40, 1, true},
		{"backup entries", GPT_PRIMARY_SECTORS * 512 + 130, 0xee, false},
		{"backup header", GPT_PRIMARY_SECTORS * 512 + 32 * 512 + 56, 0xee, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = ERROR_INIT;
		struct table t;
		struct gpt g;

		make_table(&t);
		if (cases[i].at < sizeof(t.primary))
			memset(t.primary + cases[i].at, cases[i].value, cases[i].at == 1024 + 16 ? 16 : 1);
		else
			t.backup[cases[i].at - sizeof(t.primary)] = cases[i].value;
		if (cases[i].sealed)
			reseal(&t);
		if (gpt_parse(t.primary, t.backup, t.l.size, &g, &err) == 0)
			fail_msg("not seen: %s", cases[i].what);
		assert_int_equal(err.exit, EXIT_REFUSED);
	}
}

/* The helper of the test above makes a table that is right. */
static void test_reseal(void **state)
{
	struct error err = ERROR_INIT;
	struct table t;
	struct gpt g;

	(void)state;
	make_table(&t);
	reseal(&t);
	assert_int_equal(gpt_parse(t.primary, t.backup, t.l.size, &g, &err), 0);
	/* Two partitions with one UUID. */
	memcpy(t.primary + 1024 + 16, t.primary + 1024 + 128 + 16, 16);
	reseal(&t);
	assert_true(gpt_parse(t.primary, t.backup, t.l.size, &g, &err) < 0);
	assert_non_null(strstr(err.text, "same UUID"));
}

static void test_other_disk_size(void **state)
{
	static const uint64_t sizes[] = {
		0, 512, 67 * 512, 1024 * MIB - 512, 1025 * MIB, 1024 * MIB + 1, UINT64_MAX, UINT64_MAX - 511};
	struct table t;
	struct gpt g;

	(void)state;
	make_table(&t);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct error err = ERROR_INIT;

		assert_true(gpt_parse(t.primary, t.backup, sizes[i], &g, &err) < 0);
		assert_int_equal(!!strstr(err.text, " does not end at a whole sector"), sizes[i] % 512 != 0);
	}
}

static void write_disk(const struct table *t, const char *path)
{
	struct error err = ERROR_INIT;
	_cleanup_close_ int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)t->l.size), 0);
	assert_int_equal(io_pwrite_full(fd, path, t->primary, sizeof(t->primary), 0, &err), 0);
	assert_int_equal(
		io_pwrite_full(fd, path, t->backup, sizeof(t->backup), t->l.size - sizeof(t->backup), &err),
		0);
}

static void test_sfdisk(void **state)
{
	char dir[] = "/tmp/mkappliance-test-XXXXXX";
	_cleanup_free_ char *path = NULL;
	_cleanup_buf_ struct buf out = {0}, dump = {0};
	_cleanup_json_ struct json *j = NULL;
	const struct json *list;
	struct error err = ERROR_INIT;
	struct table t;
	int r;

	(void)state;
	if (!spawn_available("sfdisk"))
		skip();
	assert_non_null(mkdtemp(dir));
	path = xasprintf("%s/disk", dir);
	make_table_with(&t, true);
	write_disk(&t, path);

	r = spawn_run(
		&(struct spawn){.argv = (const char *[]){"sfdisk", "--verify", path, NULL}, .output = &out},
		&err);
	if (r < 0)
		fail_msg("%s", err.text);
	assert_non_null(strstr(out.ptr, "No errors detected"));
	r = spawn_run(&(struct spawn){.argv = (const char *[]){"sfdisk", "-J", path, NULL}, .output = &dump},
		      &err);
	if (r < 0)
		fail_msg("%s", err.text);
	assert_int_equal(js_parse(dump.ptr, dump.len, "sfdisk", &j, &err), 0);
	assert_string_equal(js_string(js_get(j, "partitiontable.label")), "gpt");
	list = js_get(j, "partitiontable.partitions");
	assert_int_equal(js_array_len(list), PART_COUNT);
	for (size_t i = 0; i < PART_COUNT; i++) {
		const struct json *p = js_array_get(list, i);
		int64_t start = 0, size = 0;
		struct guid uuid;

		assert_true(js_int(js_get(p, "start"), &start) && js_int(js_get(p, "size"), &size));
		assert_int_equal(start * 512, t.l.part[i].offset);
		assert_int_equal(size * 512, t.l.part[i].size);
		assert_true(guid_parse(js_string(js_get(p, "uuid")), &uuid));
		assert_memory_equal(&uuid, &t.l.part[i].uuid, 16);
		assert_string_equal(js_string(js_get(p, "name")), t.l.part[i].name);
		if (i != PART_ESP)
			assert_string_equal(js_string(js_get(p, "attrs")), "GUID:60");
	}
	assert_int_equal(io_remove_tree(dir, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crc32),		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_golden),		cmocka_unit_test(test_large_disk),
		cmocka_unit_test(test_reseal),		cmocka_unit_test(test_every_field_counts),
		cmocka_unit_test(test_other_disk_size), cmocka_unit_test(test_sfdisk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
