/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/hash.h"

/* NIST's examples for SHA-256 (FIPS 180-4). */
static const struct {
	const char *message, *digest;
} examples[] = {
	{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	{"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

static void assert_digest(const struct sha256 *d, const char *hex)
{
	char text[SHA256_HEX_SIZE];

	hex_encode(d->b, sizeof(d->b), text);
	assert_string_equal(text, hex);
}

static void test_examples(void **state)
{
	struct sha256 d;

	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		sha256_of(examples[i].message, strlen(examples[i].message), &d);
		assert_digest(&d, examples[i].digest);
	}
}

static void test_in_parts(void **state)
{
	_cleanup_hasher_ struct hasher *h = hasher_new();
	struct sha256 d;

	(void)state;
	/* A million 'a', and the hasher is ready again after each. */
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 100000; i++)
			hasher_add(h, "aaaaaaaaaa", 10);
		hasher_final(h, &d);
		assert_digest(&d, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	}
	hasher_add(h, NULL, 0);
	hasher_final(h, &d);
	assert_digest(&d, examples[0].digest);
}

static void test_of_file(void **state)
{
	_cleanup_free_ char *path = xasprintf("%s/a", (char *)*state), *text = xmalloc(1000000);
	_cleanup_close_ int fd = -EBADF;
	struct error err = ERROR_INIT;
	struct sha256 d;
	uint64_t size;

	memset(text, 'a', 1000000);
	assert_int_equal(output_write_file(path, text, 1000000, &err), 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(lseek(fd, 5, SEEK_SET), 5);
	assert_int_equal(sha256_of_fd(fd, path, &d, &size, &err), 0);
	assert_int_equal(size, 1000000);
	assert_digest(&d, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	assert_int_equal(sha256_of_fd(fd, path, &d, NULL, &err), 0);
	assert_int_equal(sha256_of_fd(-1, "gone", &d, NULL, &err), -EBADF);
	assert_string_equal(err.text, "gone: reading: Bad file descriptor");
}

static void test_hex(void **state)
{
	uint8_t bytes[4] = {0};
	char text[9];

	(void)state;
	assert_true(hex_decode("00fFa59B", bytes, 4));
	assert_memory_equal(bytes, "\x00\xff\xa5\x9b", 4);
	hex_encode(bytes, 4, text);
	assert_string_equal(text, "00ffa59b");
	hex_encode(bytes, 0, text);
	assert_string_equal(text, "");
	assert_true(hex_decode("", bytes, 0));
	assert_false(hex_decode("00ffa59", bytes, 4));
	assert_false(hex_decode("00ffa59bb", bytes, 4));
	assert_false(hex_decode("00ffa59g", bytes, 4));
	assert_false(hex_decode("00ffa5 9", bytes, 4));
	assert_false(hex_decode("", bytes, 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_in_parts),
		unit_test_in_dir(test_of_file),
		cmocka_unit_test(test_hex),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
