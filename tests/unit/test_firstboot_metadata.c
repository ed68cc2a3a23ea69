/* SPDX-License-Identifier: Apache-2.0 */
/* What the init takes of a cloud's answers, and what not. */
#include "../../firstboot/metadata.h"
#include "unit.h"

#define OF(text) (text), sizeof(text) - 1

static void test_hostname(void **state)
{
	static const char *const bad[] = {"",	 " ",	"-a",	"a-",	  "a..b",     ".a", "a.",
					  "a b", "a_b", "a\nb", "../etc", "\xc3\xa4", NULL};
	char name[METADATA_HOST_MAX + 1], many[80];

	(void)state;
	assert_true(metadata_hostname(OF(" ip-10-0-0-1.ec2.internal\n"), name));
	assert_string_equal(name, "ip-10-0-0-1.ec2.internal");
	for (size_t i = 0; bad[i]; i++)
		assert_false(metadata_hostname(bad[i], strlen(bad[i]), name));
	memset(many, 'a', sizeof(many));
	assert_true(metadata_hostname(many, 63, name));
	assert_false(metadata_hostname(many, 64, name)); /* one label of 64 */
	many[30] = '.';
	assert_true(metadata_hostname(many, 64, name));
	assert_false(metadata_hostname(many, 65, name));
	assert_false(metadata_hostname("a\0b", 3, name));
}

static const char *json(const char *text, const char *key)
{
	static char out[100];
	const char *value = NULL;
	size_t len = 0;

	if (!metadata_json(text, strlen(text), key, &value, &len))
		return "none";
	memcpy(out, value, len);
	out[len] = 0;
	return out;
}

static void test_json(void **state)
{
	(void)state;
	assert_string_equal(json("{\"a\": 1, \"hostname\" : \"web-1\", \"b\": []}", "hostname"), "web-1");
	/* In another object, as a value, with an escape, cut off: not it. */
	assert_string_equal(json("{\"meta\": {\"hostname\": \"x\"}, \"hostname\": \"y\"}", "hostname"), "y");
	assert_string_equal(json("{\"a\": \"hostname\", \"hostname\": \"y\"}", "hostname"), "y");
	assert_string_equal(json("{\"a\": \"\\\"hostname\\\": \\\"x\\\"\", \"hostname\": \"y\"}", "hostname"),
			    "y");
	assert_string_equal(json("{\"hostname\": \"a\\u0041\"}", "hostname"), "none");
	assert_string_equal(json("{\"hostname\": 5}", "hostname"), "none");
	assert_string_equal(json("{\"hostname\": \"cut", "hostname"), "none");
	assert_string_equal(json("[{\"hostname\": \"x\"}]", "hostname"), "none");
	assert_string_equal(json("", "hostname"), "none");
}

static void test_yaml(void **state)
{
	const char *value = NULL;
	size_t len = 0;

	(void)state;
	assert_true(
		metadata_yaml(OF("instance-id: i\nlocal-hostname: web\n"), "local-hostname", &value, &len));
	assert_int_equal(len, 4);
	assert_memory_equal(value, " web", 4);
	assert_false(metadata_yaml(OF("x:\n  local-hostname: web\n"), "local-hostname", &value, &len));
	assert_false(metadata_yaml(OF("local-hostname"), "local-hostname", &value, &len));
}

static int env(const char *text, size_t *count, struct line *why)
{
	static const char *list[METADATA_ENV_MAX + 1];
	static char copy[METADATA_MAX + 1];
	size_t len = strlen(text);

	memcpy(copy, text, len);
	line_reset(why);
	return metadata_parse_env(copy, len, list, count, why);
}

static void test_env(void **state)
{
	static const struct {
		const char *text;
		const char *why;
	} bad[] = {
		{"A=1\nexport B=2\n", "line 2 has no name that user data may set"},
		{"#cloud-config\nusers: []\n", "line 2 is not NAME=value"},
		{"#!/bin/sh\nrm -rf /\n", "line 2 is not NAME=value"},
		{"PATH=/tmp\n", "line 1 has no name that user data may set"},
		{"LD_PRELOAD=/x\n", "line 1 has no name that user data may set"},
		{"NOTIFY_SOCKET=x\n", "line 1 has no name that user data may set"},
		{"A=1\nA=2\n", "line 2 sets a name again"},
		{"A=a\033[0m\n", "line 1 has a control character"},
		{"1A=\n", "line 1 has no name that user data may set"},
		{"=x\n", "line 1 has no name that user data may set"},
		{"\xef\xbb\xbf"
		 "A=1\n",
		 "line 1 has no name that user data may set"},
	};
	_cleanup_buf_ struct buf many = {0};
	struct line why = {.len = 0};
	size_t count = 0;

	(void)state;
	assert_int_equal(env("# comment\r\n\nA=1\r\nB_2=x y=z\nC=", &count, &why), 0);
	assert_int_equal(count, 3);
	assert_int_equal(env("", &count, &why), 0);
	assert_int_equal(count, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(env(bad[i].text, &count, &why), -EINVAL);
		assert_string_equal(why.text, bad[i].why);
	}
	for (int i = 0; i < 65; i++)
		buf_printf(&many, "V%d=x\n", i);
	buf_add(&many, "", 1);
	assert_int_equal(env((const char *)many.ptr, &count, &why), -EINVAL);
	assert_string_equal(why.text, "line 65 is one variable too many");
}

static int http(const char *text, bool closed, size_t *len)
{
	const char *body = NULL;

	return metadata_http(text, strlen(text), closed, &body, len);
}

static void test_http(void **state)
{
	size_t len = 0;

	(void)state;
	assert_int_equal(http("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", false, &len), 200);
	assert_int_equal(len, 3);
	assert_int_equal(http("HTTP/1.1 200 OK\r\ncontent-length:3\r\n\r\nabcmore", false, &len), 200);
	assert_int_equal(len, 3);
	assert_int_equal(http("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", false, &len), 0);
	assert_int_equal(http("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", true, &len), -EBADMSG);
	assert_int_equal(http("HTTP/1.0 404 no\r\n\r\nab", false, &len), 0);
	assert_int_equal(http("HTTP/1.0 404 no\r\n\r\nab", true, &len), 404);
	assert_int_equal(http("HTTP/1.1 200", false, &len), 0);
	assert_int_equal(http("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true, &len), -EBADMSG);
	assert_int_equal(http("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", true, &len), -EBADMSG);
	assert_int_equal(http("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", true, &len), -EBADMSG);
	assert_int_equal(http("SSH-2.0-x\r\n\r\n              ", true, &len), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hostname), cmocka_unit_test(test_json), cmocka_unit_test(test_yaml),
		cmocka_unit_test(test_env),	 cmocka_unit_test(test_http),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
