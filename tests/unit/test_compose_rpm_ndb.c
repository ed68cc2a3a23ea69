/* SPDX-License-Identifier: Apache-2.0 */
/* rpm's database format ndb; with databases that rpm made it is read in tests/integration/rpm_formats.sh. */
#include "ndb_fixture.h"
#include "unit.h"

#include "compose/rpm_ndb.h"
#include "lib/error.h"

/* Tag, type and value, in the order in which rpm has them: by number. */
struct field {
	uint32_t tag, type;
	const char *text;
	uint32_t number;
};

static void add_big32(struct buf *b, uint32_t v)
{
	const char bytes[4] = {(char)(v >> 24), (char)(v >> 16), (char)(v >> 8), (char)v};

	buf_add(b, bytes, 4);
}

static void header_of(const struct field *fields, size_t count, struct buf *ret)
{
	_cleanup_buf_ struct buf index = {0}, data = {0};

	for (size_t i = 0; i < count; i++) {
		add_big32(&index, fields[i].tag);
		add_big32(&index, fields[i].type);
		add_big32(&index, (uint32_t)data.len);
		add_big32(&index, 1);
		if (fields[i].text)
			buf_add(&data, fields[i].text, strlen(fields[i].text) + 1);
		else
			add_big32(&data, fields[i].number);
	}
	add_big32(ret, (uint32_t)count);
	add_big32(ret, (uint32_t)data.len);
	buf_add(ret, index.ptr, index.len);
	buf_add(ret, data.ptr, data.len);
}

static const struct field bash[] = {
	{1000, 6, "bash", 0},	   {1001, 6, "5.1", 0},
	{1002, 6, "2", 0},	   {1003, 4, NULL, 3},
	{1011, 6, "A\aVendor", 0}, {1014, 9, "GPL", 0},
	{1022, 6, "x86_64", 0},	   {1044, 6, "b-5.1-2.src.rpm", 0},
};
#define BASH "bash\a3:5.1-2\ax86_64\ab-5.1-2.src.rpm\aGPL\aA Vendor\a\a\b"

static void good(struct buf *ret)
{
	_cleanup_buf_ struct buf header = {0};

	header_of(bash, sizeof(bash) / sizeof(bash[0]), &header);
	ndb_of(header.ptr, header.len, ret);
}

static void test_text(void **state)
{
	static const struct field bare[] = {{1000, 6, "key", 0}};
	_cleanup_buf_ struct buf db = {0}, text = {0}, header = {0}, small = {0};
	struct error err = ERROR_INIT;

	(void)state;
	good(&db);
	assert_int_equal(rpm_ndb_text(db.ptr, db.len, "db", &text, &err), 0);
	assert_string_equal(text.ptr, BASH);
	header_of(bare, 1, &header);
	ndb_of(header.ptr, header.len, &small);
	assert_int_equal(rpm_ndb_text(small.ptr, small.len, "db", &text, &err), 0);
	assert_string_equal(text.ptr, BASH "key\a-\a\a\a\a\a\a\b");
	/* A slot that is free. */
	buf_free(&text);
	ndb_put(&db, NDB_SLOT + 8, 0);
	assert_int_equal(rpm_ndb_text(db.ptr, db.len, "db", &text, &err), 0);
	assert_int_equal(text.len, 0);
}

static void test_time(void **state)
{
	_cleanup_buf_ struct buf db = {0}, same = {0}, text = {0};
	struct error err = ERROR_INIT;

	(void)state;
	good(&db);
	good(&same);
	assert_int_equal(rpm_ndb_set_time(db.ptr, db.len, "db", 86400, &err), 0);
	ndb_put(&same, NDB_BLOB + 8, 86400);
	ndb_seal(&same);
	assert_memory_equal(db.ptr, same.ptr, same.len);
	assert_int_equal(rpm_ndb_text(db.ptr, db.len, "db", &text, &err), 0);
	assert_string_equal(text.ptr, BASH);
}

/* A number in the file is changed to another. */
static void test_damaged(void **state)
{
	static const struct {
		size_t at;
		uint32_t value;
		bool sealed;
		const char *message;
	} cases[] = {
		{0, 1, false, "db: is not an rpm database of the format ndb"},
		{4, 1, false, "db: is not an rpm database of the format ndb"},
		{12, 0, false, "db: is cut off"},
		{12, 0xffffffff, false, "db: is cut off"},
		{NDB_SLOT, 0, false, "db: its table of packages is damaged"},
		{NDB_SLOT + 16, 0, false, "db: its table of packages is damaged"},
		{NDB_SLOT + 4, 2, false, "db: package 2 in it is damaged"},
		{NDB_SLOT + 8, 0xffffffff, false, "db: package 1 in it is damaged"},
		{NDB_SLOT + 12, 1, false, "db: package 1 in it is damaged"},
		{NDB_SLOT + 12, 0xffffffff, false, "db: package 1 in it is damaged"},
		{NDB_BLOB, 0, true, "db: package 1 in it is damaged"},
		{NDB_BLOB + 12, 0xffffffff, true, "db: package 1 in it is damaged"},
		/* The checksum alone; then what only the header's own numbers tell. */
		{NDB_BLOB + 100, 0, false, "db: package 1 in it is damaged"},
		{NDB_BLOB + 16, 0xffffff7f, true, "db: package 1 in it is damaged"},
		{NDB_BLOB + 20, 0xffffffff, true, "db: package 1 in it is damaged"},
		{NDB_BLOB + 24 + 4, 0x07000000, true, "db: package 1 in it is damaged"},
		{NDB_BLOB + 24 + 8, 0xffffffff, true, "db: package 1 in it is damaged"},
		{NDB_BLOB + 24 + 12, 0, true, "db: package 1 in it is damaged"},
		{NDB_BLOB + 24 + 3 * 16 + 8, 0x1000000, true, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_buf_ struct buf db = {0}, text = {0};
		struct error err = ERROR_INIT;
		int r;

		good(&db);
		ndb_put(&db, cases[i].at, cases[i].value);
		if (cases[i].sealed)
			ndb_seal(&db);
		r = rpm_ndb_text(db.ptr, db.len, "db", &text, &err);
		if (!cases[i].message && r == 0)
			continue; /* another number is a number */
		if (r != -EINVAL || !cases[i].message)
			fail_msg("case %zu: got %d: %s", i, r, err.text);
		assert_contains(err.text, cases[i].message);
	}
}

/* Wherever it ends: refused, and nothing behind the end is read. */
static void test_cut(void **state)
{
	_cleanup_buf_ struct buf db = {0};

	(void)state;
	good(&db);
	for (size_t len = 0; len < db.len; len += len < 4000 ? 500 : 1) {
		_cleanup_free_ void *cut = xmemdup(db.ptr, len);
		_cleanup_buf_ struct buf text = {0};
		struct error err = ERROR_INIT;

		assert_int_equal(rpm_ndb_text(cut, len, "db", &text, &err), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
