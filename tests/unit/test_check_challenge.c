/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names as tpm2_createak -n (5.4, swtpm 0.7.1) wrote them, endorsement keys of tpm2_createek; credentials as an independent program made them from
 * the formulas of Part 1 with openssl enc. That a TPM opens them is seen in attest.sh.
 */
#include "unit.h"

#include <fcntl.h>

#include "check/challenge.h"
#include "image/sign_credential.h"

#define VECTORS "tests/fuzz/corpus/tpm/"

static void load(const char *name, struct buf *b, struct attest_file *ret)
{
	_cleanup_free_ char *path = xasprintf(VECTORS "%s", name);
	struct error err = ERROR_INIT;

	buf_free(b);
	assert_int_equal(io_read_file(AT_FDCWD, path, 1 << 20, b, &err), 0);
	*ret = (struct attest_file){.name = name, .data = b->ptr, .len = b->len};
}

static void test_names(void **state)
{
	static const char *const names[][2] = {
		{"rsa-rsassa.tss", "000ba7a950050b2bda04df2fa9487b65bd40c1f23d6076a33d0186bfb3483356411e"},
		{"ecc-ecdsa.tss", "000bc35ffa97d62d75606fd85a1e1cb85002d3663f709b1a023106936c93ba59d29a"},
	};
	struct error err = ERROR_INIT;
	char hex[2 * TPM_NAME_MAX + 1];
	uint8_t name[TPM_NAME_MAX];
	struct attest_file file;
	struct buf b = {0};
	struct tpm_public p;
	size_t len;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		load(names[i][0], &b, &file);
		assert_int_equal(tpm_public_parse(file.data, file.len, "x", &p, &err), 0);
		assert_true(tpm_public_is_attestation_key(&p));
		assert_false(tpm_public_is_endorsement_key(&p));
		assert_true(tpm_public_name(&p, name, &len));
		hex_encode(name, len, hex);
		assert_string_equal(hex, names[i][1]);
	}
	p.name_hash = 4;
	assert_false(tpm_public_name(&p, name, &len));
	buf_free(&b);
}

static void test_credential(void **state)
{
	static const struct {
		enum bank hash;
		unsigned aes_bits;
		const char *hex;
	} golden[] = {
		{BANK_SHA256, 128,
		 "003c002042dcfc2bfdb06d636a73bef210ba24bd83cf389a2d411ffc509924229b6de36acffd338d437a93062d"
		 "d5521b08edec8f2b3d4ccca34d056837c5"},
		{BANK_SHA384, 256,
		 "004c0030c4daa53fdac9db750a11d4aef97d59a81e096aa11048232466f081d360458edcb09d3133bc3c6506f0"
		 "d7115b4ed559a549dfbb47608af1e5775da04e46c0c123402d95ac09d108c25aaf"},
	};
	static const char secret[] = "a secret of the verifier";
	uint8_t seed[SHA384_SIZE], name[34] = {0x00, 0x0b};
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(seed); i++)
		seed[i] = (uint8_t)i;
	memset(name + 2, 0x5a, 32);
	for (size_t i = 0; i < 2; i++) {
		const struct credential_target to = {.hash = golden[i].hash,
						     .aes_bits = golden[i].aes_bits,
						     .name = name,
						     .name_len = sizeof(name)};
		_cleanup_buf_ struct buf b = {0};
		char hex[512];

		assert_int_equal(credential_protect(&to, seed, secret, strlen(secret), &b, &err), 0);
		hex_encode(b.ptr, b.len, hex);
		assert_string_equal(hex, golden[i].hex);
	}
}

/* Both keys, and what is expected: a size, or a message. */
struct trial {
	const char *ek, *ak;
	size_t size;
	const char *text;
};

static void try(const struct trial *t)
{
	_cleanup_buf_ struct buf ek = {0}, ak = {0};
	struct challenge_input in = {0};
	struct error err = ERROR_INIT;
	struct challenge a = {0}, b = {0};

	load(t->ek, &ek, &in.ek);
	load(t->ak, &ak, &in.ak);
	if (t->text) {
		assert_true(challenge_make(&in, &a, &err) < 0);
		assert_int_equal(err.exit, EXIT_REFUSED);
		if (!strstr(err.text, t->text))
			fail_msg("%s", err.text);
		return;
	}
	assert_int_equal(challenge_make(&in, &a, &err), 0);
	assert_int_equal(challenge_make(&in, &b, &err), 0);
	assert_int_equal(a.file.len, t->size);
	assert_int_equal(b.file.len, t->size);
	assert_memory_equal(a.file.ptr, "\xba\xdc\xc0\xde\0\0\0\1", 8);
	assert_memory_not_equal(a.nonce, b.nonce, sizeof(a.nonce));
	assert_memory_not_equal(a.file.ptr + 8 + 36, b.file.ptr + 8 + 36, 34);
	buf_free(&a.file);
	buf_free(&b.file);
}

/* Header; HMAC and nonce with their sizes; the sealed seed or the point. */
#define SIZE(hash, seed) (8 + 2 + 2 + (hash) + 34 + 2 + (seed))

static void test_challenge(void **state)
{
	static const struct trial trials[] = {
		{"ek-rsa", "rsa-rsassa.tss", SIZE(32, 256), NULL},
		{"ek-ecc", "ecc-ecdsa.tss", SIZE(32, 68), NULL},
		{"rsa-rsassa.pem", "ecc384-ecdsa.tss", SIZE(32, 256), NULL},
		{"ecc384-ecdsa.pem", "ecc-ecdsa.tss", SIZE(48, 100), NULL},
		{"rsa-rsassa.tss", "rsa-rsassa.tss", 0, "rsa-rsassa.tss: not an endorsement key"},
		{"ek-rsa", "ek-rsa", 0, "ek-rsa: not an attestation key"},
		{"ek-rsa", "key-not-restricted", 0, "key-not-restricted: not an attestation key"},
		{"ek-rsa", "rsa-rsassa.pem", 0, "neither a TPM's public key"},
		{"log", "rsa-rsassa.tss", 0, "log: neither a TPM's public key, nor"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(trials) / sizeof(trials[0]); i++)
		try(&trials[i]);
}

static void refuses(struct challenge_input *in, enum exit_code code, const char *text)
{
	struct error err = ERROR_INIT;
	struct challenge c = {0};

	assert_true(challenge_make(in, &c, &err) < 0);
	assert_int_equal(err.exit, code);
	if (!strstr(err.text, text))
		fail_msg("%s", err.text);
}

static void test_makers(void **state)
{
	_cleanup_buf_ struct buf ek = {0}, ak = {0}, ca = {0};
	struct challenge_input in = {0};

	(void)state;
	load("rsa-rsassa.tss", &ak, &in.ak);
	load("rsa-rsassa.pem", &ca, &in.ca);
	load("ek-rsa", &ek, &in.ek);
	refuses(&in, EXIT_REFUSED, "no maker vouches for it");
	load("rsa-rsassa.pem", &ek, &in.ek);
	refuses(&in, EXIT_REFUSED, "no maker vouches for it");
}

static void test_truncated(void **state)
{
	_cleanup_buf_ struct buf ek = {0}, ak = {0};
	struct challenge_input in = {0};
	size_t len;

	(void)state;
	load("ek-ecc", &ek, &in.ek);
	load("ecc-ecdsa.tss", &ak, &in.ak);
	for (len = in.ak.len, in.ak.len = 0; in.ak.len < len; in.ak.len++)
		refuses(&in, EXIT_REFUSED, "");
	for (len = in.ek.len, in.ek.len = 0; in.ek.len < len; in.ek.len++)
		refuses(&in, EXIT_REFUSED, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	  cmocka_unit_test(test_credential),
		cmocka_unit_test(test_challenge), cmocka_unit_test(test_makers),
		cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
