/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What firmware measures: digests of PE files and PCRs. The golden values of the sample come from sbsign's and systemd-measure's way of
 * counting, written down by hand below; whole images are compared with a real TPM in tests/integration/trust.sh.
 */
#include "unit.h"

#include <errno.h>

#include "image/authenticode.h"
#include "image/measure.h"
#include "pe_sample.h"

/* The sample without the certificate table that it claims to have. */
static uint8_t *unsigned_sample(const char *magic)
{
	uint8_t *pe = sample_pe(PE_MACHINE_X86_64, PE_SUBSYSTEM_EFI_APPLICATION, magic);

	memset(pe + SAMPLE_DIRECTORY + PE_DIRECTORY_CERTIFICATES * sizeof(struct pe_directory), 0,
	       sizeof(struct pe_directory));
	return pe;
}

static void open_sample(const uint8_t *data, size_t len, struct pe *pe, struct authenticode *a)
{
	struct error err = ERROR_INIT;

	if (pe_parse(data, len, "sample", pe, &err) < 0 || authenticode_open(pe, "sample", a, &err) < 0)
		fail_msg("%s", err.text);
}

/* Everything but checksum and directory entry counts. */
static void test_digest_leaves_out(void **state)
{
	_cleanup_free_ uint8_t *data = unsigned_sample(SAMPLE_STUB_MAGIC);
	struct bank_digest before, after;
	struct authenticode a;
	struct pe pe;

	(void)state;
	open_sample(data, SAMPLE_SIZE, &pe, &a);
	assert_false(authenticode_signed(&a, &pe));
	authenticode_digest(&a, &before);
	for (size_t i = 0; i < SAMPLE_SIZE; i++) {
		bool left_out = (i >= a.checksum_at && i < a.checksum_at + 4) ||
				(i >= a.directory_at && i < a.directory_at + sizeof(struct pe_directory));

		if (i % 7 && !left_out)
			continue; /* every seventh byte will do for those that count */
		data[i] ^= 1;
		authenticode_digest(&a, &after);
		data[i] ^= 1;
		assert_int_equal(memcmp(&before, &after, sizeof(before)) == 0, left_out);
	}
}

static void test_signed_has_the_same_digest(void **state)
{
	_cleanup_free_ uint8_t *plain = unsigned_sample(SAMPLE_STUB_MAGIC),
			       *with = xcalloc(1, SAMPLE_SIZE + 16);
	const struct pe_directory d = {.address = htole32(SAMPLE_SIZE), .size = htole32(16)};
	struct bank_digest before, after;
	struct authenticode a;
	struct pe pe;

	(void)state;
	open_sample(plain, SAMPLE_SIZE, &pe, &a);
	authenticode_digest(&a, &before);
	memcpy(with, plain, SAMPLE_SIZE);
	memcpy(with + a.directory_at, &d, sizeof(d));
	memset(with + SAMPLE_SIZE, 0x55, 16);
	open_sample(with, SAMPLE_SIZE + 16, &pe, &a);
	assert_true(authenticode_signed(&a, &pe));
	assert_int_equal(a.content_len, SAMPLE_SIZE);
	authenticode_digest(&a, &after);
	assert_memory_equal(&before, &after, sizeof(before));
}

static void refuse(uint32_t at, uint32_t size, size_t len, const char *why)
{
	_cleanup_free_ uint8_t *data = xcalloc(1, 2 * SAMPLE_SIZE),
			       *plain = unsigned_sample(SAMPLE_STUB_MAGIC);
	const struct pe_directory d = {.address = htole32(at), .size = htole32(size)};
	struct error err = ERROR_INIT;
	struct authenticode a;
	struct pe pe;

	memcpy(data, plain, SAMPLE_SIZE);
	memcpy(data + SAMPLE_DIRECTORY + PE_DIRECTORY_CERTIFICATES * sizeof(d), &d, sizeof(d));
	assert_int_equal(pe_parse(data, len, "sample", &pe, &err), 0);
	assert_int_equal(authenticode_open(&pe, "sample", &a, &err), -EBADMSG);
	assert_contains(err.text, why);
}

static void test_refuses_tables(void **state)
{
	(void)state;
	refuse(SAMPLE_SIZE, 16, SAMPLE_SIZE + 8, "not the end of the file");
	refuse(SAMPLE_SIZE, 8, SAMPLE_SIZE + 16, "not the end of the file");
	refuse(SAMPLE_SIZE + 4, 12, SAMPLE_SIZE + 16, "not the end of the file");
	refuse(UINT32_MAX, 1, SAMPLE_SIZE, "not the end of the file");
	refuse(0x200, SAMPLE_SIZE - 0x200, SAMPLE_SIZE, "over the headers");
	refuse(0x700, SAMPLE_SIZE - 0x700, SAMPLE_SIZE, "reaches into");
}

/* Bytes between two sections are not hashed by firmware: such a file has no digest that all agree on. */
static void test_refuses_gaps(void **state)
{
	_cleanup_free_ uint8_t *data = xcalloc(1, SAMPLE_SIZE + 0x400),
			       *plain = unsigned_sample(SAMPLE_STUB_MAGIC);
	struct error err = ERROR_INIT;
	struct authenticode a;
	struct pe pe;

	(void)state;
	memcpy(data, plain, SAMPLE_SIZE);
	sample_section(data, 1, ".sdmagic", 0x2000, 8, 0x800, 0x200);
	assert_int_equal(pe_parse(data, SAMPLE_SIZE + 0x400, "sample", &pe, &err), 0);
	assert_int_equal(authenticode_open(&pe, "sample", &a, &err), -EBADMSG);
	assert_contains(err.text, "between the PE sections");
}

/* A UKI of the sample as stub and as kernel. */
static void make_uki(const char *magic, struct buf *ret)
{
	_cleanup_free_ uint8_t *stub = unsigned_sample(magic), *kernel = unsigned_sample("kernel");
	const struct pe_addition add[] = {{".osrel", "ID=a\n", 5},
					  {".cmdline", "quiet", 5},
					  {".uname", "6.1", 3},
					  {".initrd", "initrd", 6},
					  {".linux", kernel, SAMPLE_SIZE}};
	struct error err = ERROR_INIT;
	struct pe pe;

	if (pe_parse(stub, SAMPLE_SIZE, "stub", &pe, &err) < 0 || pe_add_sections(&pe, add, 5, ret, &err) < 0)
		fail_msg("%s", err.text);
}

static struct measurements *measure(const struct buf *uki, const struct secure_boot *sb)
{
	struct measurements *m = xcalloc(1, sizeof(*m));
	struct error err = ERROR_INIT;

	if (measure_uki(uki->ptr, uki->len, "UKI", sb, NULL, m, &err) < 0)
		fail_msg("%s", err.text);
	return m;
}

/* The names of a PCR's events, each followed by a space. */
static char *events_of(const struct measurements *m, unsigned pcr)
{
	struct buf b = {0};

	for (size_t i = 0; i < m->count; i++)
		if (m->events[i].pcr == pcr)
			buf_printf(&b, "%s ", m->events[i].what);
	return buf_steal(&b);
}

static void assert_events(const char *magic, const struct secure_boot *sb, const char *pcr4,
			  const char *pcr11)
{
	_cleanup_buf_ struct buf uki = {0};
	_cleanup_free_ struct measurements *m = NULL;
	_cleanup_free_ char *four = NULL, *eleven = NULL;

	make_uki(magic, &uki);
	m = measure(&uki, sb);
	four = events_of(m, 4);
	eleven = events_of(m, 11);
	assert_string_equal(four, pcr4);
	assert_string_equal(eleven, pcr11);
}

static void test_stubs(void **state)
{
	static const char old[] = ".linux .linux .osrel .osrel .cmdline .cmdline .initrd .initrd ";
	static const char new[] =
		".linux .linux .osrel .osrel .cmdline .cmdline .initrd .initrd .uname .uname ";
	const struct secure_boot on = {.enabled = true};

	(void)state;
	assert_events("#### LoaderInfo: systemd-stub 252.39-1 ####", NULL,
		      "boot option separator UKI kernel ", old);
	assert_events("#### LoaderInfo: systemd-stub 254 ####", NULL, "boot option separator UKI kernel ",
		      new);
	assert_events("#### LoaderInfo: systemd-stub 257.13 ####", &on, "boot option separator UKI ", new);
	assert_events("#### LoaderInfo: systemd-stub 262.1 ####", NULL, "boot option separator UKI ", new);
}

static void test_unknown_stubs(void **state)
{
	static const char *const magics[] = {
		"#### LoaderInfo: systemd-stub 253.1 ####", "#### LoaderInfo: systemd-stub 261 ####",
		"#### LoaderInfo: systemd-stub 999999999999999999 ####", "#### LoaderInfo: systemd-stub "};

	(void)state;
	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
		_cleanup_free_ struct measurements *m = xcalloc(1, sizeof(*m));
		_cleanup_buf_ struct buf uki = {0};
		struct error err = ERROR_INIT;

		make_uki(magics[i], &uki);
		assert_int_equal(measure_uki(uki.ptr, uki.len, "UKI", NULL, NULL, m, &err), -ENOTSUP);
		assert_contains(err.text, "is not known here");
	}
}

static void assert_pcr(const struct measurements *m, unsigned pcr, const char *sha256)
{
	struct bank_digest value;
	char hex[SHA256_HEX_SIZE];

	measure_pcr(m, pcr, &value);
	hex_encode(value.b[BANK_SHA256], SHA256_SIZE, hex);
	assert_string_equal(hex, sha256);
}

/* As a machine with OVMF and no keys had it, whatever it booted. */
static void test_pcr_without_secure_boot(void **state)
{
	_cleanup_free_ struct measurements *m = NULL;
	_cleanup_buf_ struct buf uki = {0};

	(void)state;
	make_uki("#### LoaderInfo: systemd-stub 252 ####", &uki);
	m = measure(&uki, NULL);
	assert_pcr(m, 7, "65caf8dd1e0ea7a6347b635d2b379c93b9a1351edc2afc3ecda700e534eb3068");
	assert_pcr(m, 12, "0000000000000000000000000000000000000000000000000000000000000000");
}

/* One byte of a section changes PCR 4 and 11, of a key PCR 7 alone. */
static void test_what_changes_what(void **state)
{
	_cleanup_free_ struct measurements *m = NULL, *other = NULL, *keys = NULL;
	_cleanup_secure_boot_ struct secure_boot a = {.enabled = true}, b = {.enabled = true};
	_cleanup_buf_ struct buf uki = {0};
	struct bank_digest x, y;
	char *at;

	(void)state;
	make_uki("#### LoaderInfo: systemd-stub 252 ####", &uki);
	buf_add(&a.db, "one", 3);
	buf_add(&b.db, "two", 3);
	m = measure(&uki, &a);
	keys = measure(&uki, &b);
	at = memmem(uki.ptr, uki.len, "quiet", 5);
	*at = 'Q';
	other = measure(&uki, &a);
	for (size_t i = 0; i < MEASURE_PCR_COUNT; i++) {
		unsigned pcr = measure_pcrs[i];

		measure_pcr(m, pcr, &x);
		measure_pcr(other, pcr, &y);
		assert_int_equal(memcmp(&x, &y, sizeof(x)) != 0, pcr == 4 || pcr == 11);
		measure_pcr(keys, pcr, &y);
		assert_int_equal(memcmp(&x, &y, sizeof(x)) != 0, pcr == 7);
	}
}

/* Digests of the kernel that are known already are taken, and give the same events; those of another kernel are not. */
static void test_known_kernel(void **state)
{
	_cleanup_free_ uint8_t *data = unsigned_sample("kernel");
	const struct kernel kernel = {.image = data, .image_len = SAMPLE_SIZE};
	const struct kernel longer = {.image = data, .image_len = SAMPLE_SIZE - 1};
	_cleanup_kernel_hashing_ struct kernel_hashing h = {0};
	_cleanup_free_ struct measurements *m = NULL, *known = xcalloc(1, sizeof(*known));
	_cleanup_buf_ struct buf uki = {0};
	struct kernel_digests wrong = {.image = data, .len = SAMPLE_SIZE};
	struct error err = ERROR_INIT;

	(void)state;
	make_uki("#### LoaderInfo: systemd-stub 252 ####", &uki);
	m = measure(&uki, NULL);
	assert_null(kernel_hashing_wait(&h));
	kernel_hashing_of(&h, &longer); /* is no whole PE file */
	assert_null(kernel_hashing_wait(&h));
	kernel_hashing_of(&h, &kernel);
	assert_non_null(kernel_hashing_wait(&h));
	assert_int_equal(measure_uki(uki.ptr, uki.len, "UKI", NULL, kernel_hashing_wait(&h), known, &err), 0);
	assert_memory_equal(m, known, sizeof(*m));
	/* That they are taken and not made again. */
	assert_int_equal(measure_uki(uki.ptr, uki.len, "UKI", NULL, &wrong, known, &err), 0);
	assert_memory_not_equal(m, known, sizeof(*m));
	wrong.len--;
	assert_int_equal(measure_uki(uki.ptr, uki.len, "UKI", NULL, &wrong, known, &err), 0);
	assert_memory_equal(m, known, sizeof(*m));
	kernel_hashing_of(&h, NULL);
	assert_null(kernel_hashing_wait(&h));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digest_leaves_out),
		cmocka_unit_test(test_signed_has_the_same_digest),
		cmocka_unit_test(test_refuses_tables),
		cmocka_unit_test(test_refuses_gaps),
		cmocka_unit_test(test_stubs),
		cmocka_unit_test(test_unknown_stubs),
		cmocka_unit_test(test_pcr_without_secure_boot),
		cmocka_unit_test(test_what_changes_what),
		cmocka_unit_test(test_known_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
