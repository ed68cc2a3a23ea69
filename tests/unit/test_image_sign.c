/* SPDX-License-Identifier: Apache-2.0 */
/* Keys, signatures and variables: what one half writes the other reads, and what does not belong together is refused. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "image/secure_boot.h"
#include "image/sign.h"
#include "pe_sample.h"

/* Two sets of keys, made once: RSA is slow under the sanitizers. */
static char *keys_dir, *other_dir;

static int make_keys(void **state)
{
	struct keys_options o = {.name = "test", .bits = 2048, .days = 10, .now = time(NULL)};
	struct error err = ERROR_INIT;

	if (unit_make_dir(state) < 0)
		return -1;
	keys_dir = xasprintf("%s/keys", (char *)*state);
	other_dir = xasprintf("%s/other", (char *)*state);
	if (secure_boot_generate(keys_dir, &o, &err) < 0 || secure_boot_generate(other_dir, &o, &err) < 0)
		fail_msg("%s", err.text);
	return 0;
}

static int remove_keys(void **state)
{
	free(keys_dir);
	free(other_dir);
	return unit_remove_dir(state);
}

static int open_pair(const char *key_dir, const char *key, const char *crt_dir, const char *crt, int64_t now,
		     struct signer **ret, struct error *err)
{
	_cleanup_free_ char *k = xasprintf("%s/%s", key_dir, key), *c = xasprintf("%s/%s", crt_dir, crt);

	return signer_open(k, c, now, ret, err);
}

static struct signer *db_signer(const char *dir)
{
	struct error err = ERROR_INIT;
	struct signer *s = NULL;

	if (open_pair(dir, "db.key", dir, "db.crt", time(NULL), &s, &err) < 0)
		fail_msg("%s", err.text);
	return s;
}

static void make_pe(struct buf *ret)
{
	_cleanup_free_ uint8_t *pe =
		sample_pe(PE_MACHINE_X86_64, PE_SUBSYSTEM_EFI_APPLICATION, SAMPLE_STUB_MAGIC);

	memset(pe + SAMPLE_DIRECTORY + PE_DIRECTORY_CERTIFICATES * sizeof(struct pe_directory), 0,
	       sizeof(struct pe_directory));
	buf_add(ret, pe, SAMPLE_SIZE - 3); /* the last section is padding there */
	buf_add_zero(ret, 3);
}

static void test_files(void **state)
{
	static const char *const names[] = {"PK.key",  "KEK.key",  "db.key",  "verity.key",
					    "PK.auth", "KEK.auth", "db.auth", "owner"};
	struct keys_options o = {.name = "test", .bits = 2048, .days = 10, .now = time(NULL)};
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s", keys_dir, names[i]);
		struct stat st;

		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, strstr(names[i], ".key") ? 0600 : 0644);
	}
	assert_int_equal(secure_boot_generate(keys_dir, &o, &err), -EEXIST);
	assert_contains(err.text, "is there already");
}

static void test_sign_and_verify(void **state)
{
	_cleanup_signer_ struct signer *s = db_signer(keys_dir), *other = db_signer(other_dir);
	_cleanup_buf_ struct buf pe = {0}, again = {0};
	struct error err = ERROR_INIT;
	const void *der;
	size_t len, other_len;
	const void *other_der = signer_certificate(other, &other_len);

	(void)state;
	der = signer_certificate(s, &len);
	make_pe(&pe);
	assert_int_equal(verify_pe_signature(pe.ptr, pe.len, "pe", der, len, &err), -EBADMSG);
	assert_contains(err.text, "is not signed");
	assert_int_equal(sign_pe(s, &pe, "pe", &err), 0);
	if (verify_pe_signature(pe.ptr, pe.len, "pe", der, len, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(verify_pe_signature(pe.ptr, pe.len, "pe", other_der, other_len, &err), -EBADMSG);
	assert_contains(err.text, "not signed by that key");
	assert_int_equal(sign_pe(s, &pe, "pe", &err), -EINVAL);
	assert_contains(err.text, "is signed already");
	make_pe(&again);
	assert_int_equal(sign_pe(s, &again, "pe", &err), 0);
	assert_int_equal(pe.len, again.len);
	assert_memory_equal(pe.ptr, again.ptr, pe.len);
	again.ptr[0x410] ^= 1;
	assert_int_equal(verify_pe_signature(again.ptr, again.len, "pe", der, len, &err), -EBADMSG);
	assert_contains(err.text, "of another file");
	again.ptr[0x410] ^= 1;
	/* The signature's own bytes, at its end. */
	again.ptr[again.len - 20] ^= 1;
	assert_int_equal(verify_pe_signature(again.ptr, again.len, "pe", der, len, &err), -EBADMSG);
}

/* The size of what is signed is known without using the key, for every remainder by 8. */
static void test_growth(void **state)
{
	_cleanup_signer_ struct signer *s = db_signer(keys_dir);

	(void)state;
	for (size_t more = 0; more < 8; more++) {
		_cleanup_buf_ struct buf pe = {0};
		struct error err = ERROR_INIT;
		size_t len, growth = 0;

		make_pe(&pe);
		buf_add_zero(&pe, more);
		len = pe.len;
		assert_int_equal(sign_pe_growth(s, len, &growth, &err), 0);
		assert_int_equal(sign_pe(s, &pe, "pe", &err), 0);
		assert_int_equal(pe.len, len + growth);
	}
}

/* Cut anywhere, or with a byte altered, it is never taken for good, and nothing is read that is not there. */
static void test_broken_signatures(void **state)
{
	_cleanup_signer_ struct signer *s = db_signer(keys_dir);
	_cleanup_buf_ struct buf pe = {0};
	struct error err = ERROR_INIT;
	const void *der;
	size_t len, content;

	(void)state;
	der = signer_certificate(s, &len);
	make_pe(&pe);
	content = pe.len;
	assert_int_equal(sign_pe(s, &pe, "pe", &err), 0);
	for (size_t cut = content; cut < pe.len; cut += 5) {
		void *copy = xmemdup(pe.ptr, cut);

		assert_true(verify_pe_signature(copy, cut, "pe", der, len, &err) < 0);
		free(copy);
	}
	for (size_t at = content; at < content + 60; at++) {
		void *copy = xmemdup(pe.ptr, pe.len);

		((uint8_t *)copy)[at] ^= 0x81;
		(void)verify_pe_signature(copy, pe.len, "pe", der, len, &err);
		free(copy);
	}
}

/* Of a root hash: by one certificate only, over these bytes only, and no byte of it is idle. */
static void test_detached(void **state)
{
	static const char hash[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
	_cleanup_free_ char *path = xasprintf("%s/verity.crt", keys_dir),
			    *old = xasprintf("%s/db.crt", keys_dir);
	_cleanup_signer_ struct signer *s = NULL;
	_cleanup_buf_ struct buf der = {0}, again = {0}, certificate = {0}, other = {0};
	struct error err = ERROR_INIT;
	size_t len = strlen(hash);
	int64_t now = time(NULL);

	(void)state;
	assert_int_equal(open_pair(keys_dir, "verity.key", keys_dir, "verity.crt", now, &s, &err), 0);
	assert_int_equal(sign_read_certificate(path, now, &certificate, &err), 0);
	assert_int_equal(sign_read_certificate(old, now, &other, &err), 0);
	assert_int_equal(sign_detached(s, hash, len, &der, &err), 0);
	assert_int_equal(sign_detached(s, hash, len, &again, &err), 0);
	assert_int_equal(der.len, again.len);
	assert_memory_equal(der.ptr, again.ptr, der.len);
	assert_int_equal(
		verify_detached(der.ptr, der.len, hash, len, certificate.ptr, certificate.len, "s", &err), 0);
	assert_int_equal(verify_detached(der.ptr, der.len, hash, len, other.ptr, other.len, "s", &err),
			 -EBADMSG);
	assert_int_equal(err.exit, EXIT_REFUSED);
	assert_contains(err.text, "s: is not a signature of this root hash by that certificate");
	assert_int_equal(verify_detached(der.ptr, der.len, hash + 1, len - 1, certificate.ptr,
					 certificate.len, "s", &err),
			 -EBADMSG);
	for (size_t cut = 0; cut < der.len; cut += 7) {
		_cleanup_free_ void *copy = xmemdup(der.ptr, cut);

		assert_true(verify_detached(copy, cut, hash, len, certificate.ptr, certificate.len, "s",
					    &err) < 0);
	}
	for (size_t at = der.len - 256; at < der.len; at += 5) {
		_cleanup_free_ char *copy = xmemdup(der.ptr, der.len);

		copy[at] ^= 1;
		assert_true(verify_detached(copy, der.len, hash, len, certificate.ptr, certificate.len, "s",
					    &err) < 0);
	}
	buf_add(&der, "", 1);
	assert_int_equal(
		verify_detached(der.ptr, der.len, hash, len, certificate.ptr, certificate.len, "s", &err),
		-EBADMSG);
	assert_contains(err.text, "no detached PKCS#7");
}

static void test_dates(void **state)
{
	_cleanup_free_ char *path = xasprintf("%s/verity.crt", keys_dir),
			    *none = xasprintf("%s/owner", keys_dir);
	_cleanup_buf_ struct buf der = {0};
	struct error err = ERROR_INIT;
	int64_t now = time(NULL);

	(void)state;
	assert_int_equal(sign_read_certificate(path, now + 11 * 86400, &der, &err), -EINVAL);
	assert_contains(err.text, "has expired");
	assert_int_equal(sign_read_certificate(path, now - 86400, &der, &err), -EINVAL);
	assert_contains(err.text, "not valid yet");
	assert_int_equal(sign_read_certificate(none, now, &der, &err), -EINVAL);
	assert_contains(err.text, "no X.509 certificate");
	assert_int_equal(der.len, 0);
	assert_int_equal(sign_read_certificate(path, SIGN_ANY_TIME, &der, &err), 0);
}

/* A day that is none is not one that never comes. */
static void test_broken_dates(void **state)
{
	_cleanup_free_ char *path = xasprintf("%s/verity.crt", keys_dir),
			    *broken = xasprintf("%s/broken.der", keys_dir);
	static const uint8_t utc_time[] = {0x17, 0x0d};
	_cleanup_buf_ struct buf der = {0}, other = {0};
	struct error err = ERROR_INIT;
	uint8_t *first, *second;

	(void)state;
	assert_int_equal(sign_read_certificate(path, SIGN_ANY_TIME, &der, &err), 0);
	first = memmem(der.ptr, der.len, utc_time, sizeof(utc_time));
	assert_non_null(first);
	second = first + 15;
	assert_memory_equal(second, utc_time, sizeof(utc_time));
	for (unsigned i = 0; i < 2; i++) {
		uint8_t *month = (i ? first : second) + 4;

		month[0] += 9;
		assert_int_equal(output_write_file(broken, der.ptr, der.len, &err), 0);
		month[0] -= 9;
		assert_int_equal(sign_read_certificate(broken, time(NULL), &other, &err), -EINVAL);
		assert_contains(err.text, "dates are none");
		assert_int_equal(unlink(broken), 0);
	}
}

static void test_attach(void **state)
{
	_cleanup_signer_ struct signer *s = db_signer(keys_dir);
	_cleanup_buf_ struct buf ours = {0}, theirs = {0}, other = {0};
	struct error err = ERROR_INIT;

	(void)state;
	make_pe(&ours);
	make_pe(&theirs);
	make_pe(&other);
	assert_int_equal(sign_attach(&ours, "ours", theirs.ptr, theirs.len, "theirs", &err), -EINVAL);
	assert_contains(err.text, "is not signed");
	assert_int_equal(sign_check_signed(theirs.ptr, theirs.len, "theirs", &err), -EINVAL);
	assert_contains(err.text, "theirs: is not signed");
	assert_int_equal(sign_pe(s, &theirs, "theirs", &err), 0);
	other.ptr[0x420] ^= 1;
	assert_int_equal(sign_attach(&other, "ours", theirs.ptr, theirs.len, "theirs", &err), -EBADMSG);
	assert_contains(err.text, "is not the UKI of this build");
	assert_int_equal(sign_attach(&ours, "ours", theirs.ptr, theirs.len, "theirs", &err), 0);
	assert_int_equal(ours.len, theirs.len);
	assert_memory_equal(ours.ptr, theirs.ptr, ours.len);
}

static void test_pairs_that_do_not_fit(void **state)
{
	struct error err = ERROR_INIT;
	struct signer *s = NULL;
	int64_t now = time(NULL);

	(void)state;
	assert_int_equal(open_pair(keys_dir, "db.key", other_dir, "db.crt", now, &s, &err), -EINVAL);
	assert_contains(err.text, "is not the certificate of the key");
	assert_int_equal(open_pair(keys_dir, "db.key", keys_dir, "db.crt", now + 11 * 86400, &s, &err),
			 -EINVAL);
	assert_contains(err.text, "has expired");
	assert_int_equal(open_pair(keys_dir, "db.key", keys_dir, "db.crt", now - 86400, &s, &err), -EINVAL);
	assert_contains(err.text, "not valid yet");
	assert_int_equal(open_pair(keys_dir, "db.crt", keys_dir, "db.crt", now, &s, &err), -EINVAL);
	assert_contains(err.text, "no private key");
	assert_int_equal(open_pair(keys_dir, "db.key", keys_dir, "owner", now, &s, &err), -EINVAL);
	assert_contains(err.text, "no X.509 certificate");
	assert_int_equal(open_pair(keys_dir, "none", keys_dir, "db.crt", now, &s, &err), -ENOENT);
	assert_null(s);
}

static void test_authority(void **state)
{
	_cleanup_signer_ struct signer *s = db_signer(keys_dir);
	_cleanup_secure_boot_ struct secure_boot sb = {0}, other = {0};
	_cleanup_buf_ struct buf pe = {0};
	struct error err = ERROR_INIT;
	const void *der;
	size_t len;

	(void)state;
	der = signer_certificate(s, &len);
	make_pe(&pe);
	assert_int_equal(sign_pe(s, &pe, "pe", &err), 0);
	assert_int_equal(secure_boot_read(keys_dir, &sb, &err), 0);
	assert_int_equal(secure_boot_find_authority(&sb, pe.ptr, pe.len, "pe", &err), 0);
	assert_int_equal(sb.authority.len, EFI_SIGNATURE_OWNER_SIZE + len);
	assert_memory_equal(sb.authority.ptr + EFI_SIGNATURE_OWNER_SIZE, der, len);
	assert_int_equal(secure_boot_read(other_dir, &other, &err), 0);
	assert_int_equal(secure_boot_find_authority(&other, pe.ptr, pe.len, "pe", &err), -EBADMSG);
	assert_contains(err.text, "would not start it");
	/* The same before there is a UKI. */
	assert_int_equal(secure_boot_check_signer(&sb, der, len, "pe", &err), 0);
	assert_int_equal(secure_boot_check_signer(&other, der, len, "pe", &err), -EBADMSG);
	assert_contains(err.text, "would not start it");
	assert_int_equal(secure_boot_check_signer(&sb, NULL, 0, "pe", &err), -EBADMSG);
}

/* The certificate of root hashes is for the kernel: a variable that firmware does not ask for its signature. */
static void test_variables(void **state)
{
	_cleanup_free_ char *path = xasprintf("%s/verity.crt", keys_dir);
	_cleanup_secure_boot_ struct secure_boot sb = {0};
	struct efi_variable v[SECURE_BOOT_VARIABLES];
	_cleanup_buf_ struct buf der = {0};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(secure_boot_read(keys_dir, &sb, &err), 0);
	assert_int_equal(secure_boot_variables(&sb, v), 4);
	assert_string_equal(v[2].name, "db");
	assert_int_equal(v[2].attributes, 0x27);
	assert_string_equal(v[3].name, "MokListRT");
	assert_string_equal(v[3].vendor, "605dab50-e046-4300-abb6-3dd810dd8b23");
	assert_int_equal(v[3].attributes, 7);
	assert_int_equal(sign_read_certificate(path, SIGN_ANY_TIME, &der, &err), 0);
	assert_true(secure_boot_lists(&sb.mok, der.ptr, der.len));
	assert_false(secure_boot_lists(&sb.db, der.ptr, der.len));
}

static int count(const uint8_t *signature, size_t len, void *user)
{
	(void)signature;
	(void)len;
	++*(unsigned *)user;
	return 0;
}

static void test_broken_lists(void **state)
{
	_cleanup_secure_boot_ struct secure_boot sb = {0};
	struct error err = ERROR_INIT;
	unsigned seen = 0;

	(void)state;
	assert_int_equal(secure_boot_read(keys_dir, &sb, &err), 0);
	assert_int_equal(efi_signatures_walk(sb.db.ptr, sb.db.len, "db", count, &seen, &err), 0);
	assert_int_equal(seen, 1);
	for (size_t len = 1; len < sb.db.len; len += 13)
		assert_int_equal(efi_signatures_walk(sb.db.ptr, len, "db", count, &seen, &err), -EBADMSG);
	for (size_t at = 16; at < 28; at++) {
		sb.db.ptr[at] ^= 0x40;
		assert_int_equal(efi_signatures_walk(sb.db.ptr, sb.db.len, "db", count, &seen, &err),
				 -EBADMSG);
		sb.db.ptr[at] ^= 0x40;
	}
	assert_int_equal(secure_boot_read("/nowhere", &sb, &err), -ENOENT);
	assert_contains(err.text, "keygen");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_sign_and_verify),
		cmocka_unit_test(test_broken_signatures),
		cmocka_unit_test(test_attach),
		cmocka_unit_test(test_pairs_that_do_not_fit),
		cmocka_unit_test(test_authority),
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_detached),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_broken_dates),
		cmocka_unit_test(test_broken_lists),
	};

	return cmocka_run_group_tests(tests, make_keys, remove_keys);
}
