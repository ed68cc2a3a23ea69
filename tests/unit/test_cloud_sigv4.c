/* SPDX-License-Identifier: Apache-2.0 */
/* Against the values of AWS's Signature Version 4 test suite, and what Debian's AWS CLI signed. */
#include "unit.h"

#include "cloud/sigv4.h"
#include "lib/hash.h"
#include "lib/percent.h"

#define TOKEN                                                                                                  \
	"AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRq" \
	"TflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75Y" \
	"U9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9K" \
	"SYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="

/*
 * AWS General Reference, "Signature Version 4 Test Suite"; a header on several lines is several headers, a query is encoded,
 * and Content-Length is not signed.
 */
static const struct {
	const char *name, *method, *path, *query, *body;
	const char *headers[8];
	const char *signature;
} vectors[] = {
	{"get-header-key-duplicate",
	 "GET",
	 "/",
	 NULL,
	 "",
	 {"Host:example.amazonaws.com", "My-Header1:value2", "My-Header1:value2", "My-Header1:value1",
	  "X-Amz-Date:20150830T123600Z"},
	 "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
	{"get-header-value-multiline",
	 "GET",
	 "/",
	 NULL,
	 "",
	 {"Host:example.amazonaws.com", "My-Header1:value1", "My-Header1:value2", "My-Header1:value3",
	  "X-Amz-Date:20150830T123600Z"},
	 "ba17b383a53190154eb5fa66a1b836cc297cc0a3d70a5d00705980573d8ff790"},
	{"get-header-value-order",
	 "GET",
	 "/",
	 NULL,
	 "",
	 {"Host:example.amazonaws.com", "My-Header1:value4", "My-Header1:value1", "My-Header1:value3",
	  "My-Header1:value2", "X-Amz-Date:20150830T123600Z"},
	 "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
	{"get-header-value-trim",
	 "GET",
	 "/",
	 NULL,
	 "",
	 {"Host:example.amazonaws.com", "My-Header1: value1", "My-Header2: \"a   b   c\"",
	  "X-Amz-Date:20150830T123600Z"},
	 "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
	{"get-unreserved",
	 "GET",
	 "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
	 NULL,
	 "",
	 {"Host:example.amazonaws.com", "X-Amz-Date:20150830T123600Z"},
	 "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
	{"get-utf8",
	 "GET",
	 "/ሴ",
	 NULL,
	 "",
	 {"Host:example.amazonaws.com", "X-Amz-Date:20150830T123600Z"},
	 "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
	{"get-vanilla-empty-query-key",
	 "GET",
	 "/",
	 "Param1=value1",
	 "",
	 {"Host:example.amazonaws.com", "X-Amz-Date:20150830T123600Z"},
	 "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
	{"get-vanilla-query-order-key-case",
	 "GET",
	 "/",
	 "Param2=value2&Param1=value1",
	 "",
	 {"Host:example.amazonaws.com", "X-Amz-Date:20150830T123600Z"},
	 "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
	{"get-vanilla-query-order-key",
	 "GET",
	 "/",
	 "Param1=value2&Param1=Value1",
	 "",
	 {"Host:example.amazonaws.com", "X-Amz-Date:20150830T123600Z"},
	 "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1"},
	{"get-vanilla-query-order-value",
	 "GET",
	 "/",
	 "Param1=value2&Param1=value1",
	 "",
	 {"Host:example.amazonaws.com", "X-Amz-Date:20150830T123600Z"},
	 "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"},
	{"get-vanilla-query-unreserved",
	 "GET",
	 "/",
	 "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
	 "",
	 {"Host:example.amazonaws.com", "X-Amz-Date:20150830T123600Z"},
	 "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
	{"get-vanilla-query",
	 "GET",
	 "/",
	 NULL,
	 "",
	 {"Host:example.amazonaws.com", "X-Amz-Date:20150830T123600Z"},
	 "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"get-vanilla-utf8-query",
	 "GET",
	 "/",
	 "%E1%88%B4=bar",
	 "",
	 {"Host:example.amazonaws.com", "X-Amz-Date:20150830T123600Z"},
	 "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
	{"get-vanilla",
	 "GET",
	 "/",
	 NULL,
	 "",
	 {"Host:example.amazonaws.com", "X-Amz-Date:20150830T123600Z"},
	 "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"get-relative-relative",
	 "GET",
	 "/example1/example2/../..",
	 NULL,
	 "",
	 {"Host:example.amazonaws.com", "X-Amz-Date:20150830T123600Z"},
	 "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"get-relative",
	 "GET",
	 "/example/..",
	 NULL,
	 "",
	 {"Host:example.amazonaws.com", "X-Amz-Date:20150830T123600Z"},
	 "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"get-slash-dot-slash",
	 "GET",
	 "/./",
	 NULL,
	 "",
	 {"Host:example.amazonaws.com", "X-Amz-Date:20150830T123600Z"},
	 "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"get-slash-pointless-dot",
	 "GET",
	 "/./example",
	 NULL,
	 "",
	 {"Host:example.amazonaws.com", "X-Amz-Date:20150830T123600Z"},
	 "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"},
	{"get-slash",
	 "GET",
	 "//",
	 NULL,
	 "",
	 {"Host:example.amazonaws.com", "X-Amz-Date:20150830T123600Z"},
	 "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"get-slashes",
	 "GET",
	 "//example//",
	 NULL,
	 "",
	 {"Host:example.amazonaws.com", "X-Amz-Date:20150830T123600Z"},
	 "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
	{"get-space",
	 "GET",
	 "/example space/",
	 NULL,
	 "",
	 {"Host:example.amazonaws.com", "X-Amz-Date:20150830T123600Z"},
	 "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
	{"post-header-key-case",
	 "POST",
	 "/",
	 NULL,
	 "",
	 {"Host:example.amazonaws.com", "X-Amz-Date:20150830T123600Z"},
	 "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
	{"post-header-key-sort",
	 "POST",
	 "/",
	 NULL,
	 "",
	 {"Host:example.amazonaws.com", "My-Header1:value1", "X-Amz-Date:20150830T123600Z"},
	 "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
	{"post-header-value-case",
	 "POST",
	 "/",
	 NULL,
	 "",
	 {"Host:example.amazonaws.com", "My-Header1:VALUE1", "X-Amz-Date:20150830T123600Z"},
	 "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
	{"post-sts-header-before",
	 "POST",
	 "/",
	 NULL,
	 "",
	 {"Host:example.amazonaws.com", "X-Amz-Date:20150830T123600Z", "X-Amz-Security-Token:" TOKEN},
	 "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
	{"post-vanilla-empty-query-value",
	 "POST",
	 "/",
	 "Param1=value1",
	 "",
	 {"Host:example.amazonaws.com", "X-Amz-Date:20150830T123600Z"},
	 "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
	{"post-vanilla-query",
	 "POST",
	 "/",
	 "Param1=value1",
	 "",
	 {"Host:example.amazonaws.com", "X-Amz-Date:20150830T123600Z"},
	 "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
	{"post-vanilla",
	 "POST",
	 "/",
	 NULL,
	 "",
	 {"Host:example.amazonaws.com", "X-Amz-Date:20150830T123600Z"},
	 "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
	{"post-x-www-form-urlencoded-parameters",
	 "POST",
	 "/",
	 NULL,
	 "Param1=value1",
	 {"Content-Type:application/x-www-form-urlencoded; charset=utf8", "Host:example.amazonaws.com",
	  "X-Amz-Date:20150830T123600Z"},
	 "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe"},
	{"post-x-www-form-urlencoded",
	 "POST",
	 "/",
	 NULL,
	 "Param1=value1",
	 {"Content-Type:application/x-www-form-urlencoded", "Host:example.amazonaws.com",
	  "X-Amz-Date:20150830T123600Z"},
	 "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
};

static const struct sigv4_scope scope = {
	.access_key = "AKIDEXAMPLE",
	.secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
	.region = "us-east-1",
	.service = "service",
	.now = 1440938160, /* 2015-08-30 12:36:00 */
};

static char *sign(size_t i)
{
	char hash[SHA256_HEX_SIZE];
	struct sha256 digest;

	sha256_of(vectors[i].body, strlen(vectors[i].body), &digest);
	hex_encode(digest.b, SHA256_SIZE, hash);
	return sigv4_authorization(&(struct sigv4_request){.method = vectors[i].method,
							   .path = vectors[i].path,
							   .query = vectors[i].query,
							   .headers = vectors[i].headers,
							   .payload_hash = hash},
				   &scope);
}

static void published_vectors(void **state)
{
	const size_t count = sizeof(vectors) / sizeof(vectors[0]);

	(void)state;
	assert_int_equal(count, 30);
	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *value = sign(i);

		if (!strstr(value, vectors[i].signature))
			fail_msg("%s: %s", vectors[i].name, value);
		assert_contains(value, "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, ");
	}
}

static void date(void **state)
{
	char text[SIGV4_DATE_SIZE];

	(void)state;
	sigv4_date(scope.now, text);
	assert_string_equal(text, "20150830T123600Z");
}

/* '-' sorts before ':', but x-amz-checksum before x-amz-checksum-algorithm: where libcurl 7.88 goes wrong. */
static void order_of_names(void **state)
{
	static const char *const headers[] = {"x-amz-Checksum-Algorithm: SHA256", "Host: h",
					      "x-amz-Checksum: abc=", NULL};
	_cleanup_free_ char *text = NULL;

	(void)state;
	text = sigv4_canonical(&(struct sigv4_request){.method = "PUT",
						       .path = "/snapshots/snap-1/blocks/7",
						       .query = "b=2&a=1&a-b=3&a=0",
						       .headers = headers,
						       .payload_hash = SIGV4_UNSIGNED});
	assert_string_equal(text, "PUT\n/snapshots/snap-1/blocks/7\na=0&a=1&a-b=3&b=2\n"
				  "host:h\nx-amz-checksum:abc=\nx-amz-checksum-algorithm:SHA256\n\n"
				  "host;x-amz-checksum;x-amz-checksum-algorithm\nUNSIGNED-PAYLOAD");
}

static void encoding(void **state)
{
	_cleanup_buf_ struct buf b = {0};

	(void)state;
	percent_encode(&b, "a/b +=~é", "");
	assert_string_equal(b.ptr, "a%2Fb%20%2B%3D~%C3%A9");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_vectors),
		cmocka_unit_test(date),
		cmocka_unit_test(order_of_names),
		cmocka_unit_test(encoding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
