/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vectors made by tpm2-tools 5.4 with swtpm 0.7.1: PCR 4, 7 and 11 extended once by the digests of "4", "7" and "11", then quoted with the
 * nonce 0011223344 by keys of each kind.
 */
#include "unit.h"

#include <fcntl.h>

#include "check/attest.h"
#include "check/event_log.h"

#define VECTORS "tests/fuzz/corpus/tpm/"

static const uint8_t nonce[] = {0x00, 0x11, 0x22, 0x33, 0x44};

/* Inputs that are changed by tests, and the manifest that is right. */
struct fixture {
	struct buf quote, signature, key, pcrs, log;
	struct manifest manifest;
	struct attest_input in;
	struct attest_report report;
	struct error err;
};

static void load(const char *name, const char *suffix, struct buf *b, struct attest_file *ret)
{
	_cleanup_free_ char *path = xasprintf(VECTORS "%s%s", name, suffix);
	struct error err = ERROR_INIT;

	assert_int_equal(io_read_file(AT_FDCWD, path, 1 << 20, b, &err), 0);
	*ret = (struct attest_file){.name = suffix, .data = b->ptr, .len = b->len};
}

static void predict(struct manifest *m)
{
	static const struct {
		unsigned pcr;
		const char *text;
	} events[] = {{4, "4"}, {7, "7"}, {11, "11"}};
	struct measurements measured = {0};

	for (size_t i = 0; i < 3; i++) {
		const struct hash_part part = {events[i].text, strlen(events[i].text)};
		struct measured_event *e = &measured.events[measured.count++];

		e->pcr = events[i].pcr;
		e->type = EVENT_SECTION;
		strcpy(e->what, events[i].text);
		bank_digest_of(&part, 1, &e->digest);
	}
	manifest_pcrs_set(&m->pcrs, false, &measured);
}

static void setup(struct fixture *f, const char *name, const char *key)
{
	*f = (struct fixture){.err = ERROR_INIT};
	load(name, ".msg", &f->quote, &f->in.quote);
	load(name, ".sig", &f->signature, &f->in.signature);
	load(key, "", &f->key, &f->in.key);
	predict(&f->manifest);
	f->in.manifest = &f->manifest;
	f->in.nonce = nonce;
	f->in.nonce_len = sizeof(nonce);
}

static void teardown(struct fixture *f)
{
	buf_free(&f->quote);
	buf_free(&f->signature);
	buf_free(&f->key);
	buf_free(&f->pcrs);
	buf_free(&f->log);
	manifest_pcrs_free(&f->manifest.pcrs);
	attest_report_free(&f->report);
}

/* Runs; the detail of the step that differs is to have @text, NULL: nothing differs. */
static void expect(struct fixture *f, const char *name, const char *text)
{
	const struct check_step *bad;

	attest_report_free(&f->report);
	assert_int_equal(attest(&f->in, &f->report, &f->err), 0);
	bad = check_steps_bad(&f->report.steps);
	assert_int_equal(f->report.ok, !bad);
	assert_int_equal(!text, !bad);
	if (bad && text && (strcmp(bad->name, name) != 0 || !strstr(bad->detail, text)))
		fail_msg("%s: %s", bad->name, bad->detail);
}

static void refuses(struct fixture *f, const char *text)
{
	attest_report_free(&f->report);
	f->err = ERROR_INIT;
	assert_true(attest(&f->in, &f->report, &f->err) < 0);
	assert_int_equal(f->err.exit, EXIT_REFUSED);
	if (!strstr(f->err.text, text))
		fail_msg("%s", f->err.text);
}

static void test_every_kind_of_key(void **state)
{
	static const char *const kinds[] = {"rsa-rsassa", "rsa-rsapss", "ecc-ecdsa", "ecc384-ecdsa"};

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		_cleanup_free_ char *key = xasprintf("%s.%s", kinds[i / 2], i % 2 ? "pem" : "tss");
		struct fixture f;

		setup(&f, kinds[i / 2], key);
		expect(&f, NULL, NULL);
		assert_int_equal(f.report.quote.nonce_len, sizeof(nonce));
		/* One bit of the signature, or of what was signed. */
		f.signature.ptr[f.signature.len - 1] ^= 1;
		expect(&f, "signature", "was not made by the key");
		f.signature.ptr[f.signature.len - 1] ^= 1;
		f.quote.ptr[0x3f] ^= 1;
		expect(&f, "signature", "was not made by the key");
		teardown(&f);
	}
}

static void test_key_of_somebody_else(void **state)
{
	static const char *const others[] = {"rsa-rsapss.pem", "ecc-ecdsa.tss", "ecc384-ecdsa.pem"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct fixture f;

		setup(&f, "rsa-rsassa", others[i]);
		expect(&f, "signature", "was not made by the key");
		teardown(&f);
	}
}

static void test_nonce(void **state)
{
	static const uint8_t other[] = {0x00, 0x11, 0x22, 0x33, 0x45};
	struct fixture f;

	(void)state;
	setup(&f, "rsa-rsassa", "rsa-rsassa.tss");
	f.in.nonce = other;
	expect(&f, "nonce", "the quote answers '0011223344' and not '0011223345'");
	f.in.nonce = nonce;
	f.in.nonce_len = 4;
	expect(&f, "nonce", "and not '00112233'");
	teardown(&f);
}

/* Another value of PCR 11 in the manifest: yes or no, then which one, then which event. */
static void test_other_pcr(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, "rsa-rsassa", "rsa-rsassa.tss");
	f.manifest.pcrs.value[2].b[BANK_SHA256][0] ^= 1;
	f.manifest.pcrs.events[2].digest.b[BANK_SHA256][0] ^= 1;
	expect(&f, "PCRs", "their digest is not that of the manifest's");
	load("rsa-rsassa", ".pcrs", &f.pcrs, &f.in.pcrs);
	expect(&f, "sha256:11", "the manifest says");
	load("log", "", &f.log, &f.in.log);
	expect(&f, "sha256:11", "event 1 of it (EV_IPL, the log's 4) is not the manifest's '11'");
	f.in.pcrs.data = NULL;
	expect(&f, "sha256:11", "event 1 of it (EV_IPL, the log's 4) is not the manifest's '11'");
	f.manifest.pcrs.event_count = 2;
	expect(&f, "sha256:11", "event 1 of it (EV_IPL, the log's 4) is one more than the manifest has");
	teardown(&f);
}

static void test_event_of_another_pcr(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, "rsa-rsassa", "rsa-rsassa.tss");
	load("log", "", &f.log, &f.in.log);
	f.manifest.pcrs.value[3].b[BANK_SHA256][0] ^= 1;
	f.manifest.pcrs.events[0].pcr = 12;
	expect(&f, "sha256:12", "the manifest's '4' is not in the log");
	teardown(&f);
}

static void test_pcrs_and_log(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, "both", "rsa-rsassa.tss");
	load("both", ".pcrs", &f.pcrs, &f.in.pcrs);
	load("log", "", &f.log, &f.in.log);
	expect(&f, NULL, NULL);
	assert_int_equal(f.report.steps.len, 5 + 8);
	teardown(&f);
	setup(&f, "values", "rsa-rsassa.tss");
	load("values", ".pcrs", &f.pcrs, &f.in.pcrs);
	expect(&f, NULL, NULL);
	/* PCRs that the TPM did not sign. */
	f.pcrs.ptr[5] ^= 1;
	expect(&f, "PCRs", "has not the digest that the TPM signed");
	f.pcrs.ptr[5] ^= 1;
	/* A log that the TPM did not sign: the last digest, by SHA-384, of PCR 11. */
	load("log", "", &f.log, &f.in.log);
	f.log.ptr[f.log.len - 7] ^= 1;
	expect(&f, "event log", "does not lead to the PCR sha384:11 that the TPM signed");
	f.in.pcrs.data = NULL;
	expect(&f, "event log", "does not lead to the digest that the TPM signed");
	teardown(&f);
}

static void test_replay(void **state)
{
	struct buf b = {0};
	struct attest_file file;
	struct event_log log = {0};
	struct pcr_values v;
	struct error err = ERROR_INIT;
	struct manifest m = {0};

	(void)state;
	load("log", "", &b, &file);
	predict(&m);
	assert_int_equal(event_log_parse(b.ptr, b.len, "log", &log, &err), 0);
	assert_int_equal(log.count, 4);
	event_log_replay(&log, &v);
	assert_memory_equal(v.value[4].b[BANK_SHA384], m.pcrs.value[0].b[BANK_SHA384], SHA384_SIZE);
	assert_int_equal(v.value[0].b[BANK_SHA256][31], 3); /* the locality */
	assert_int_equal(v.known[BANK_SHA256], 0xffff);
	event_log_free(&log);
	manifest_pcrs_free(&m.pcrs);
	buf_free(&b);
}

/* Cut anywhere, or longer: never taken. */
static void test_truncated(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, "ecc-ecdsa", "ecc-ecdsa.tss");
	load("log", "", &f.log, &f.in.log);
	for (f.in.quote.len = 0; f.in.quote.len < f.quote.len; f.in.quote.len++)
		refuses(&f, "");
	for (f.in.signature.len = 0; f.in.signature.len < f.signature.len; f.in.signature.len++)
		refuses(&f, "");
	for (f.in.key.len = 0; f.in.key.len < f.key.len; f.in.key.len++)
		refuses(&f, "");
	f.in.log.len = f.log.len - 1;
	refuses(&f, "event 4 is truncated");
	f.in.log.len = 40;
	refuses(&f, "Spec ID Event03");
	f.in.log.len = f.log.len;
	buf_add(&f.quote, "x", 1);
	f.in.quote = (struct attest_file){"quote", f.quote.ptr, f.quote.len};
	refuses(&f, "1 bytes too many behind the quote");
	teardown(&f);
}

static void test_refused(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, "rsa-rsassa", "rsa-rsassa.tss");
	f.quote.ptr[0] ^= 1;
	refuses(&f, "was not made by a TPM");
	f.quote.ptr[0] ^= 1;
	f.quote.ptr[5] ^= 1; /* TPM_ST_ATTEST_... */
	refuses(&f, "is not a quote");
	f.quote.ptr[5] ^= 1;
	f.quote.ptr[0x4f] = 4; /* the bank is SHA-1 */
	refuses(&f, "bank 0x0004");
	f.quote.ptr[0x4f] = 0xb;
	f.signature.ptr[3] = 4;
	refuses(&f, "signed by the hash 0x0004");
	f.signature.ptr[3] = 0xb;
	load("plain", ".sig", &f.signature, &f.in.signature);
	refuses(&f, "tpm2_quote -f tss");
	load("rsa-rsassa", ".sig", &f.signature, &f.in.signature);
	load("key-not-restricted", "", &f.key, &f.in.key);
	refuses(&f, "not an attestation key");
	load("key-point-not-on-curve", "", &f.key, &f.in.key);
	refuses(&f, "public key: point is not on curve");
	load("rsa-rsassa.tss", "", &f.key, &f.in.key);
	f.manifest.pcrs.known = false;
	refuses(&f, "the manifest has no PCRs");
	f.manifest.pcrs.known = true;
	load("both", ".pcrs", &f.pcrs, &f.in.pcrs);
	refuses(&f, "has other PCRs than the quote");
	load("quote-cut", "", &f.pcrs, &f.in.pcrs);
	refuses(&f, "not the PCRs that tpm2_quote -o writes");
	f.in.pcrs.data = NULL;
	expect(&f, NULL, NULL);
	teardown(&f);
}

/* A quote of other PCRs is no proof, whatever they hold. */
static void test_selection(void **state)
{
	struct tpm_quote q;
	struct fixture f;

	(void)state;
	setup(&f, "rsa-rsassa", "rsa-rsassa.tss");
	assert_int_equal(tpm_quote_parse(f.quote.ptr, f.quote.len, "x", &q, &f.err), 0);
	assert_int_equal(q.selection_count, 1);
	assert_int_equal(q.selection[0].mask, 1 << 4 | 1 << 7 | 1 << 11 | 1 << 12);
	f.quote.ptr[0x51] &= 0x7f; /* without PCR 7; the signature is wrong then as well */
	assert_int_equal(attest(&f.in, &f.report, &f.err), 0);
	assert_int_equal(f.report.steps.len, 3);
	assert_false(f.report.steps.list[2].ok);
	assert_string_equal(f.report.steps.list[2].detail,
			    "PCR 7 is not in the quote; 4, 7, 11 and 12 must be");
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_kind_of_key),
		cmocka_unit_test(test_key_of_somebody_else),
		cmocka_unit_test(test_nonce),
		cmocka_unit_test(test_other_pcr),
		cmocka_unit_test(test_event_of_another_pcr),
		cmocka_unit_test(test_pcrs_and_log),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_selection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
