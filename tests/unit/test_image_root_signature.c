/* SPDX-License-Identifier: Apache-2.0 */
/* The content of the partition root-verity-sig. */
#include "unit.h"

#include <errno.h>

#include "image/abi.h"
#include "image/root_signature.h"
#include "lib/json.h"

#define HASH  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define PRINT "abababababababababababababababababababababababababababababababab"
#define GOLDEN \
	"{\"rootHash\":\"" HASH "\",\"certificateFingerprint\":\"" PRINT "\",\"signature\":\"Zm9vYmFyLg==\"}"

static struct root_signature sample(void)
{
	struct root_signature s = {0};

	for (int i = 0; i < SHA256_SIZE; i++) {
		s.root_hash.b[i] = (uint8_t)i;
		s.certificate.b[i] = 0xab;
	}
	buf_add(&s.der, "foobar.", 7);
	return s;
}

static void test_golden_and_back(void **state)
{
	_cleanup_root_signature_ struct root_signature s = sample(), again = {0};
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(root_signature_encode(&s, &b, &err), 0);
	assert_int_equal(b.len, 4096);
	assert_string_equal(b.ptr, GOLDEN);
	for (size_t i = strlen(GOLDEN); i < b.len; i++)
		assert_int_equal(b.ptr[i], 0);
	assert_int_equal(root_signature_parse(b.ptr, b.len, "p", &again, &err), 0);
	assert_memory_equal(&again.root_hash, &s.root_hash, SHA256_SIZE);
	assert_memory_equal(&again.certificate, &s.certificate, SHA256_SIZE);
	assert_int_equal(again.der.len, 7);
	assert_memory_equal(again.der.ptr, "foobar.", 7);
}

/* Whole blocks, also when the JSON is just one; and no more than the init reads. */
static void test_sizes(void **state)
{
	_cleanup_root_signature_ struct root_signature s = sample();
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;
	size_t around = strlen(GOLDEN) - 12;

	(void)state;
	s.der.len = 0;
	buf_add_zero(&s.der, (4096 - around) / 4 * 3);
	assert_int_equal(root_signature_encode(&s, &b, &err), 0);
	assert_int_equal(b.len, 4096);
	b.len = 0;
	buf_add_zero(&s.der, 6);
	assert_int_equal(root_signature_encode(&s, &b, &err), 0);
	assert_int_equal(b.len, 8192);
	b.len = 0;
	buf_add_zero(&s.der, ABI_SIGNATURE_MAX / 4 * 3);
	assert_int_equal(root_signature_encode(&s, &b, &err), -EFBIG);
	assert_int_equal(b.len, 0);
}

static void test_bad(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"", "is empty"},
		{"{", "p"},
		{"[]", "rootHash"},
		{"{\"certificateFingerprint\":\"" PRINT "\",\"signature\":\"Zg==\"}", "rootHash"},
		{"{\"rootHash\":\"" HASH "00\",\"certificateFingerprint\":\"" PRINT
		 "\",\"signature\":\"Zg==\"}",
		 "rootHash"},
		{"{\"rootHash\":\"" HASH "\",\"certificateFingerprint\":\"x\",\"signature\":\"Zg==\"}",
		 "certificateFingerprint"},
		{"{\"rootHash\":\"" HASH "\",\"certificateFingerprint\":\"" PRINT "\",\"signature\":1}",
		 "signature"},
		{"{\"rootHash\":\"" HASH "\",\"certificateFingerprint\":\"" PRINT "\",\"signature\":\"\"}",
		 "base64"},
		{"{\"rootHash\":\"" HASH "\",\"certificateFingerprint\":\"" PRINT "\",\"signature\":\"*\"}",
		 "base64"},
		{GOLDEN "x", "p"},
	};
	struct root_signature s = {0};
	struct error err = ERROR_INIT;
	_cleanup_buf_ struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *exact = xmemdup(cases[i].text, strlen(cases[i].text) + 1);

		assert_int_equal(root_signature_parse(exact, strlen(exact), "p", &s, &err), -EBADMSG);
		assert_int_equal(err.exit, EXIT_REFUSED);
		assert_contains(err.text, cases[i].why);
	}
	buf_add(&b, GOLDEN, strlen(GOLDEN));
	buf_add(&b, "\0x", 2);
	assert_int_equal(root_signature_parse(b.ptr, b.len, "p", &s, &err), -EBADMSG);
	assert_contains(err.text, "behind the NUL");
	b.len = 0;
	for (size_t i = 0; i <= ABI_SIGNATURE_MAX; i++)
		buf_add(&b, " ", 1);
	assert_int_equal(root_signature_parse(b.ptr, b.len, "p", &s, &err), -EBADMSG);
	assert_contains(err.text, "more than");
	assert_null(s.der.ptr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_and_back),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
