/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "image/provenance.h"
#include "image/sign_dsse.h"

/* The key of RFC 8032, section 7.1, test 1. */
static const char private_key[] = "-----BEGIN PRIVATE KEY-----\n"
				  "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
				  "-----END PRIVATE KEY-----\n";
static const char public_key[] = "-----BEGIN PUBLIC KEY-----\n"
				 "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
				 "-----END PUBLIC KEY-----\n";

/* openssl pkeyutl -sign -rawin over "DSSEv1 28 application/vnd.in-toto+json 2 {}", and the SHA-256 of the key's SubjectPublicKeyInfo. */
static const char envelope[] =
	"{\n"
	"  \"payload\": \"e30=\",\n"
	"  \"payloadType\": \"application/vnd.in-toto+json\",\n"
	"  \"signatures\": [\n"
	"    {\n"
	"      \"keyid\": \"06e3fd8fda29bb60ab59557de61edb0aecdb231134be30e75b455f8e1b792fa9\",\n"
	"      \"sig\": \"vW8iDoS+pQIrO8G9pV+VHVGcvY/XcGMh2vfWpJJwwrH/m4CRZswsl9wIASL/n2XN7RSNIqdiogwYkqskDFZiAQ==\"\n"
	"    }\n"
	"  ]\n"
	"}\n";

/* A file of the test's own directory; to be freed. */
static char *put(void **state, const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", (char *)*state, name);
	struct error err = ERROR_INIT;

	assert_int_equal(output_write_file(path, text, strlen(text), &err), 0);
	return path;
}

static void test_envelope(void **state)
{
	_cleanup_free_ char *key = put(state, "key", private_key), *pub = put(state, "pub", public_key);
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ struct json *j = NULL;
	_cleanup_buf_ struct buf payload = {0};
	struct error err = ERROR_INIT;

	assert_int_equal(dsse_sign(key, PROVENANCE_PAYLOAD_TYPE, "{}", &text, &err), 0);
	assert_string_equal(text, envelope);
	assert_int_equal(js_parse(text, strlen(text), "x", &j, &err), 0);
	assert_int_equal(dsse_open(j, PROVENANCE_PAYLOAD_TYPE, pub, &payload, &err), 0);
	assert_string_equal(payload.ptr, "{}");
}

/* @from of the envelope becomes @to. */
static int open_changed(const char *from, const char *to, const char *key, struct error *err)
{
	const char *at = strstr(envelope, from);
	_cleanup_free_ char *text =
		xasprintf("%.*s%s%s", (int)(at - envelope), envelope, to, at + strlen(from));
	_cleanup_json_ struct json *j = NULL;
	_cleanup_buf_ struct buf payload = {0};

	*err = ERROR_INIT;
	assert_int_equal(js_parse(text, strlen(text), "x", &j, err), 0);
	return dsse_open(j, PROVENANCE_PAYLOAD_TYPE, key, &payload, err);
}

static void test_envelope_refused(void **state)
{
	static const char *const changes[][2] = {
		{"\"e30=\"", "\"e30\""},
		{"\"e30=\"", "\"e31=\""},
		{"\"e30=\"", "\"\""},
		{"\"e30=\"", "\"====\""},
		{"\"e30=\"", "\"e=0=\""},
		{"\"e30=\"", "7"},
		{"in-toto", "in-toto2"},
		{"\"payloadType\"", "\"type\""},
		{"\"signatures\"", "\"none\""},
		{"\"sig\": \"vW8i", "\"sig\": \"vW8j"},
		{"\"sig\": \"vW8i", "\"sig\": \""},
		{"\"sig\"", "\"signature\""},
	};
	_cleanup_free_ char *pub = put(state, "pub", public_key), *none = put(state, "none", "no key");
	struct error err;

	assert_int_equal(open_changed("e30=", "e30=", pub, &err), 0);
	assert_int_equal(open_changed("\"sig\": \"vW8i", "\"sig\": \"", NULL, &err), 0);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		assert_true(open_changed(changes[i][0], changes[i][1], pub, &err) < 0);
		assert_int_equal(err.exit, EXIT_REFUSED);
	}
	assert_true(open_changed("e30=", "e30=", none, &err) < 0);
	assert_int_equal(err.exit, EXIT_USAGE);
}

#define STATEMENT(type, subjects)                                                            \
	"{\"_type\": \"https://in-toto.io/Statement/v1\", \"predicateType\": \"" type "\", " \
	"\"subject\": [" subjects "]}"
#define SUBJECT(name, algorithm, digest) \
	"{\"name\": \"" name "\", \"digest\": {\"" algorithm "\": \"" digest "\"}}"
#define ONES "1111111111111111111111111111111111111111111111111111111111111111"
#define TWOS "2222222222222222222222222222222222222222222222222222222222222222"
#define SLSA "https://slsa.dev/provenance/v1"
#define SPDX SUBJECT("x-1.spdx.json", "sha256", ONES)
#define BOTH SUBJECT("x-1.raw", "sha256_linear", ONES) "," SUBJECT("x-1.manifest.json", "sha256", TWOS)

static void test_statement(void **state)
{
	static const char *const bad[] = {
		"",
		"{}",
		"[]",
		STATEMENT("https://slsa.dev/provenance/v0.2", BOTH),
		STATEMENT(SLSA, ""),
		STATEMENT(SLSA, SUBJECT("x-1.raw", "sha256_linear", ONES)),
		STATEMENT(SLSA, BOTH "," BOTH),
		STATEMENT(SLSA, BOTH "," SPDX "," SPDX),
		STATEMENT(SLSA, BOTH "," SUBJECT("x-1.spdx.json", "sha256", "11")),
		STATEMENT(SLSA, SUBJECT("x-1.raw", "sha256", ONES) "," SUBJECT("x-1.manifest.json", "sha256",
									       TWOS)),
		STATEMENT(SLSA, SUBJECT("x-1.raw", "sha256_linear", "11") "," SUBJECT("x-1.manifest.json",
										      "sha256", TWOS)),
	};
	static const char good[] = STATEMENT(SLSA, BOTH), with_bill[] = STATEMENT(SLSA, BOTH "," SPDX);
	struct error err = ERROR_INIT;
	struct provenance p = {0};

	(void)state;
	assert_int_equal(provenance_parse(good, strlen(good), "x", NULL, &p, &err), 0);
	assert_int_equal(p.blocks_digest.b[0], 0x11);
	assert_int_equal(p.manifest_digest.b[31], 0x22);
	assert_false(p.is_signed || p.spdx.there || p.cyclonedx.there);
	assert_int_equal(provenance_parse(with_bill, strlen(with_bill), "x", NULL, &p, &err), 0);
	assert_true(p.spdx.there && !p.cyclonedx.there);
	assert_int_equal(p.spdx.digest.b[0], 0x11);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err = ERROR_INIT;
		assert_true(provenance_parse(bad[i], strlen(bad[i]), "x", NULL, &p, &err) < 0);
		assert_int_equal(err.exit, EXIT_REFUSED);
	}
	/* The payload of the envelope is JSON, but no statement. */
	err = ERROR_INIT;
	assert_true(provenance_parse(envelope, strlen(envelope), "x", NULL, &p, &err) < 0);
	assert_int_equal(err.exit, EXIT_REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_envelope, unit_make_dir, unit_remove_dir),
		cmocka_unit_test_setup_teardown(test_envelope_refused, unit_make_dir, unit_remove_dir),
		cmocka_unit_test(test_statement),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
