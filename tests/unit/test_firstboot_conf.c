/* SPDX-License-Identifier: Apache-2.0 */
/* The init's reading of /appliance.conf, and the text that it writes without stdio. */
#include "../../firstboot/conf.h"
#include "../../firstboot/line.h"
#include "unit.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define COMMON                                                                                \
	"Format=1\nName=hello\nVersion=1.0\nRootHash=" HASH "\nSalt=" HASH "\n"               \
	"DataBlocks=16384\nHashStart=1\nRoot=01234567-89ab-cdef-0123-456789abcdef\n"          \
	"Verity=fedcba98-7654-3210-fedc-ba9876543210\nCommandLine=console=ttyS0 a=b\n"        \
	"DeviceTimeout=30\nOnCorruption=panic\nVerify=full\nModule=/m/a.ko\nModule=/m/b.ko\n" \
	"FirstModule=/m/d.ko\nLastModule=/m/e.ko\nHashModule=/m/f.ko\nSideModule=/m/c.ko\n"
#define SYSTEM	COMMON "Mode=system\nInit=/sbin/init\n"
#define MACHINE COMMON "Mode=appliance\nHostname=hello\nNetwork=dhcp\n"
#define OF_SERVICE                                                               \
	"Arg=/usr/bin/hello\nArg=\nArg=80\nUid=33\nGid=34\nWorkingDirectory=/\n" \
	"ReadyPort=80\nReadyTimeout=60\nStopSignal=15\nStopTimeout=10\n"
#define APPLIANCE   MACHINE "Service=main\n" OF_SERVICE
#define ATTEST(use) MACHINE "Attest=" use "\nService=main\n" OF_SERVICE

/* Parses a copy of exactly @len bytes, so that a byte too far is seen by the sanitizer. */
static int parse(const char *text, size_t len, struct conf *c, struct line *detail, char **ret_copy)
{
	*ret_copy = xmemdup(text, len ? len : 1);
	line_reset(detail);
	return conf_parse(*ret_copy, len, c, detail);
}

static void test_system(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct line detail;
	struct conf c;

	(void)state;
	assert_int_equal(parse(SYSTEM, strlen(SYSTEM), &c, &detail, &text), 0);
	assert_string_equal(c.name, "hello");
	assert_string_equal(c.root_hash, HASH);
	assert_string_equal(c.command_line, "console=ttyS0 a=b");
	assert_string_equal(c.init, "/sbin/init");
	assert_int_equal(c.data_blocks, 16384);
	assert_int_equal(c.hash_start, 1);
	assert_int_equal(c.on_corruption, CONF_PANIC);
	assert_int_equal(c.verify_full, 1);
	assert_int_equal(c.system, 1);
	assert_int_equal(c.modules.len, 2);
	assert_string_equal(c.modules.ptr[1], "/m/b.ko");
	assert_null(c.modules.ptr[2]);
	assert_int_equal(c.first_modules.len, 1);
	assert_string_equal(c.first_modules.ptr[0], "/m/d.ko");
	assert_int_equal(c.last_modules.len, 1);
	assert_string_equal(c.last_modules.ptr[0], "/m/e.ko");
	assert_int_equal(c.hash_modules.len, 1);
	assert_string_equal(c.hash_modules.ptr[0], "/m/f.ko");
	assert_int_equal(c.side_modules.len, 1);
	assert_string_equal(c.side_modules.ptr[0], "/m/c.ko");
}

/* The signature of the root hash: asked for by both modes, or not at all. */
static void test_signature(void **state)
{
	static const char with[] = SYSTEM "Signature=00112233-4455-6677-8899-aabbccddeeff\n";
	static const char bad[] = SYSTEM "Signature=00112233-4455-6677-8899-AABBCCDDEEFF\n";
	_cleanup_free_ char *text = NULL, *other = NULL, *none = NULL;
	struct line detail;
	struct conf c;

	(void)state;
	assert_int_equal(parse(with, strlen(with), &c, &detail, &text), 0);
	assert_string_equal(c.signature, "00112233-4455-6677-8899-aabbccddeeff");
	assert_int_equal(parse(SYSTEM, strlen(SYSTEM), &c, &detail, &none), 0);
	assert_null(c.signature);
	assert_int_equal(parse(bad, strlen(bad), &c, &detail, &other), -EINVAL);
}

static void test_appliance(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct line detail;
	struct conf c;
	const char *all = APPLIANCE "Env=A=b=c\nEnv=D=\nGroupId=4\nWritable=/var/lib/x\nReadyPath=/healthz\n"
				    "RootModule=/lib/modules/n.ko\nClockModule=/lib/modules/p.ko\n";

	(void)state;
	assert_int_equal(parse(all, strlen(all), &c, &detail, &text), 0);
	assert_int_equal(c.system, 0);
	assert_int_equal(c.services[0].args.len, 3);
	assert_string_equal(c.services[0].args.ptr[1], "");
	assert_null(c.services[0].args.ptr[3]);
	assert_int_equal(c.services[0].uid, 33);
	assert_int_equal(c.services[0].gid, 34);
	assert_string_equal(c.services[0].env.ptr[0], "A=b=c");
	assert_string_equal(c.services[0].groups.ptr[0], "4");
	assert_string_equal(c.services[0].ready_path, "/healthz");
	assert_string_equal(c.clock_module, "/lib/modules/p.ko");
	assert_int_equal(c.network, 1);
}

static void test_before(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct line detail;
	struct conf_before b;
	struct conf c;
	const char *all = APPLIANCE "Before=2\nBefore=-+1\nBeforeArg=/a\nBeforeArg=\nBeforeArg=/b\n";

	(void)state;
	assert_int_equal(parse(all, strlen(all), &c, &detail, &text), 0);
	assert_int_equal(c.services[0].before.len, 2);
	assert_string_equal(c.services[0].before_args.ptr[2], "/b");
	assert_true(conf_before(c.services[0].before.ptr[0], &b));
	assert_true(b.count == 2 && !b.may_fail && !b.as_root);
	assert_true(conf_before(c.services[0].before.ptr[1], &b));
	assert_true(b.count == 1 && b.may_fail && b.as_root);
	assert_true(conf_before("+7", &b));
	assert_true(b.count == 7 && !b.may_fail && b.as_root);
}

/* One rule a line: what is wrong, and what the operator reads. */
static const struct {
	const char *text, *says;
} refused[] = {
	{"", "not lines"},
	{"Format=1", "not lines"},
	{"Name=x\n", "not Format=1 (line 1)"},
	{"Format=2\n", "not Format=1"},
	{"Format=1\n", "Name= is missing"},
	{SYSTEM "\n", "'' has no '='"},
	{SYSTEM "Format=1\n", "unknown key 'Format'"},
	{SYSTEM "name=x\n", "unknown key 'name' (line 22)"},
	{SYSTEM "Name=x\n", "a second Name="},
	{SYSTEM "Mode=appliance\n", "a second Mode="},
	{SYSTEM "Arg=/x\n", "Arg= stands before the first Service="},
	{APPLIANCE "Init=/x\n", "Init= has no meaning with Mode=appliance"},
	{COMMON "Mode=shell\n", "Mode= does not take 'shell'"},
	{SYSTEM "Service=x\n" OF_SERVICE, "has no meaning with Mode=system"},
	{MACHINE, "Service= is missing"},
	{MACHINE "Arg=/x\n", "Arg= stands before the first Service="},
	{MACHINE "Service=\n", "Service= does not take ''"},
	{MACHINE "Service=012345678901234567890123456789012\n", "Service= does not take"},
	{MACHINE "Service=main\nArg=/x\n", "Uid= is missing (Service=main)"},
	{MACHINE "Service=main\nArg=/x\nService=b\n" OF_SERVICE, "Uid= is missing (Service=main)"},
	{APPLIANCE "Service=main\n", "a second Service=main"},
	{APPLIANCE "Uid=3\n", "a second Uid="},
	{APPLIANCE "After=main\n", "After=main is no Service= before that of 'main'"},
	{APPLIANCE "After=b\nService=b\n" OF_SERVICE, "After=b is no Service= before that of 'main'"},
	{APPLIANCE "Service=b\n" OF_SERVICE "After=c\n", "After=c is no Service= before that of 'b'"},
	{COMMON "Mode=system\n", "Init= is missing"},
	{COMMON "Mode=system\nInit=init\n", "Init= does not take"},
	{COMMON "Mode=appliance\n", "Hostname= is missing"},
	{APPLIANCE "Before=0\n", "Before= does not take '0'"},
	{APPLIANCE "Before=+-1\n", "Before= does not take '+-1'"},
	{APPLIANCE "Before=97\n", "Before= does not take '97'"},
	{APPLIANCE "Before=1\n", "Before=1 has no program among BeforeArg="},
	{APPLIANCE "Before=2\nBeforeArg=/a\n", "Before=2 has no program"},
	{APPLIANCE "Before=2\nBefore=1\nBeforeArg=/a\nBeforeArg=/b\nBeforeArg=c\n",
	 "Before=1 has no program"},
	{APPLIANCE "Before=1\nBeforeArg=/a\nBeforeArg=/b\n", "BeforeArg=/b belongs to no Before="},
	{APPLIANCE "BeforeArg=/b\n", "BeforeArg=/b belongs to no Before="},
	{APPLIANCE "Module=m.ko\n", "Module= does not take"},
	{APPLIANCE "FirstModule=m.ko\n", "FirstModule= does not take"},
	{APPLIANCE "LastModule=m.ko\n", "LastModule= does not take"},
	{APPLIANCE "HashModule=m.ko\n", "HashModule= does not take"},
	{APPLIANCE "SideModule=m.ko\n", "SideModule= does not take"},
	{APPLIANCE "Env==x\n", "Env= does not take"},
	{APPLIANCE "Env=x\n", "Env= does not take"},
	{APPLIANCE "GroupId=-1\n", "GroupId= does not take"},
	{APPLIANCE "GroupId=4294967295\n", "GroupId= does not take"},
	{APPLIANCE "ReadyPath=healthz\n", "ReadyPath= does not take"},
	{"Format=1\nDataBlocks=0\n", "DataBlocks= does not take"},
	{"Format=1\nDataBlocks=1099511627777\n", "DataBlocks= does not take"},
	{"Format=1\nDataBlocks=99999999999999999999999\n", "DataBlocks= does not take"},
	{"Format=1\nDataBlocks=010\n", "DataBlocks= does not take"},
	{"Format=1\nDataBlocks=1 \n", "DataBlocks= does not take"},
	{"Format=1\nRootHash=" HASH "0\n", "RootHash= does not take"},
	{"Format=1\nRootHash=0123\n", "RootHash= does not take"},
	{"Format=1\nRoot=01234567-89AB-cdef-0123-456789abcdef\n", "Root= does not take"},
	{"Format=1\nRoot=01234567-89ab-cdef-0123-456789abcde\n", "Root= does not take"},
	{"Format=1\nName=\n", "Name= does not take ''"},
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		_cleanup_free_ char *text = NULL;
		struct line detail;
		struct conf c;

		assert_int_equal(parse(refused[i].text, strlen(refused[i].text), &c, &detail, &text),
				 -EINVAL);
		assert_contains(detail.text, refused[i].says);
	}
}

static void test_services(void **state)
{
	_cleanup_free_ char *text = NULL, *text2 = NULL;
	_cleanup_buf_ struct buf many = {0};
	struct line detail;
	struct conf c;

	(void)state;
	buf_printf(&many, APPLIANCE "Service=b\nAfter=main\nEnv=A=b\n" OF_SERVICE
				    "Service=c\nAfter=b\n" OF_SERVICE "After=main\n");
	assert_int_equal(parse(many.ptr, many.len, &c, &detail, &text), 0);
	assert_int_equal(c.service_count, 3);
	assert_string_equal(c.services[1].name, "b");
	assert_int_equal(c.services[0].waits_for, 0);
	assert_int_equal(c.services[1].waits_for, 1);
	assert_int_equal(c.services[2].waits_for, 3);
	assert_int_equal(c.services[0].env.len, 0);
	assert_int_equal(c.services[1].env.len, 1);
	for (int i = 0; i < ABI_SERVICES_MAX - 2; i++)
		buf_printf(&many, "Service=n%d\n" OF_SERVICE, i);
	assert_int_equal(parse(many.ptr, many.len, &c, &detail, &text2), -EINVAL);
	assert_contains(detail.text, "more than 16 times Service=");
}

static void test_attest(void **state)
{
	_cleanup_free_ char *text = NULL, *text2 = NULL, *text3 = NULL;
	struct line detail;
	struct conf c;

	(void)state;
	assert_int_equal(parse(APPLIANCE, strlen(APPLIANCE), &c, &detail, &text), 0);
	assert_int_equal(c.attest, CONF_ATTEST_NONE);
	assert_int_equal(parse(ATTEST("tpm"), strlen(ATTEST("tpm")), &c, &detail, &text2), 0);
	assert_int_equal(c.attest, CONF_ATTEST_TPM);
	assert_int_equal(parse(ATTEST("yes"), strlen(ATTEST("yes")), &c, &detail, &text3), -EINVAL);
	assert_contains(detail.text, "Attest=");
}

static void test_ready_path_length(void **state)
{
	(void)state;
	for (size_t len = ABI_READY_PATH_MAX; len <= ABI_READY_PATH_MAX + 1; len++) {
		_cleanup_buf_ struct buf b = {0};
		_cleanup_free_ char *text = NULL;
		struct line detail;
		struct conf c;

		buf_printf(&b, APPLIANCE "ReadyPath=/");
		for (size_t i = 1; i < len; i++)
			buf_printf(&b, "a");
		buf_printf(&b, "\n");
		assert_int_equal(parse(b.ptr, b.len, &c, &detail, &text),
				 len > ABI_READY_PATH_MAX ? -EINVAL : 0);
	}
}

static void test_refused_bytes(void **state)
{
	_cleanup_buf_ struct buf many = {0};
	_cleanup_free_ char *text = NULL, *text2 = NULL, *text3 = NULL;
	struct line detail;
	struct conf c;

	(void)state;
	assert_int_equal(parse("Format=1\nName=a\0b\n", 18, &c, &detail, &text), -EINVAL);
	buf_add(&many, SYSTEM, strlen(SYSTEM));
	for (int i = 0; i < ABI_CONF_LIST_MAX; i++)
		buf_printf(&many, "Module=/%d\n", i);
	assert_int_equal(parse(many.ptr, many.len, &c, &detail, &text2), -EINVAL);
	assert_contains(detail.text, "more than 96 times Module=");
	while (many.len <= ABI_CONF_MAX)
		buf_printf(&many, "Module=/\n");
	assert_int_equal(parse(many.ptr, many.len, &c, &detail, &text3), -EINVAL);
	assert_contains(detail.text, "more than 65536 bytes");
}

/* Lists whose lines stand between each other's are whole all the same, until their moving about fills the pool. */
static void test_mixed_lists(void **state)
{
	static struct conf c;
	struct line detail;

	(void)state;
	for (int count = 5; count <= ABI_CONF_LIST_MAX; count += ABI_CONF_LIST_MAX - 5) {
		_cleanup_buf_ struct buf b = {0};
		_cleanup_free_ char *text = NULL;

		buf_printf(&b, "%s", MACHINE);
		for (int s = 0; s < 2; s++) {
			buf_printf(&b, "Service=s%d\n%s", s, OF_SERVICE);
			for (int i = 0; i < count; i++)
				buf_printf(&b, "Env=A%d=\nEnvFile=/%d\nLimit=%d 1 1\nGroupId=%d\n", i, i,
					   i % 16, i);
		}
		assert_int_equal(parse(b.ptr, b.len, &c, &detail, &text), count == 5 ? 0 : -EINVAL);
		if (count > 5) {
			assert_contains(detail.text, "stand between each other too often");
			continue;
		}
		for (int s = 0; s < 2; s++) {
			assert_int_equal(c.services[s].env.len, 5);
			assert_string_equal(c.services[s].env.ptr[4], "A4=");
			assert_null(c.services[s].env.ptr[5]);
			assert_string_equal(c.services[s].env_files.ptr[0], "/0");
			assert_string_equal(c.services[s].limits.ptr[3], "3 1 1");
			assert_string_equal(c.services[s].groups.ptr[4], "4");
			assert_string_equal(c.services[s].args.ptr[2], "80");
			assert_null(c.services[s].args.ptr[3]);
			assert_null(c.services[s].after.ptr);
		}
	}
}

static void test_line_printf(void **state)
{
	struct line l = {.len = 0};
	char expected[LINE_MAX_BYTES];

	(void)state;
	line_printf(&l, "%s|%c|%d|%d|%u|%llu|%lu|%03u|%02x|%%", "text", 'c', -5, INT32_MIN, UINT32_MAX,
		    (unsigned long long)UINT64_MAX, 7ul, 5u, 10u);
	snprintf(expected, sizeof(expected), "%s|%c|%d|%d|%u|%llu|%lu|%03u|%02x|%%", "text", 'c', -5,
		 INT32_MIN, UINT32_MAX, (unsigned long long)UINT64_MAX, 7ul, 5u, 10u);
	assert_string_equal(l.text, expected);

	for (int i = 0; i < 1000; i++)
		line_printf(&l, "%s", "more than fits");
	assert_int_equal(l.len, LINE_MAX_BYTES - 1);
	assert_int_equal(strlen(l.text), l.len);
}

static void test_line_json(void **state)
{
	struct line l = {.len = 0};

	(void)state;
	line_json(&l, "a\"\\\n\x1b\xc3\xa4\x7f", 100);
	assert_string_equal(l.text, "\"a\\\"\\\\\\u000a\\u001b\\u00c3\\u00a4\\u007f\"");
	/* Cut between characters, never inside an escape. */
	for (size_t max = 2; max < 20; max++) {
		line_reset(&l);
		line_json(&l, "\n\n\n", max);
		assert_true(l.len <= max && (l.len - 2) % 6 == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_system),	    cmocka_unit_test(test_signature),
		cmocka_unit_test(test_appliance),   cmocka_unit_test(test_before),
		cmocka_unit_test(test_refused),	    cmocka_unit_test(test_refused_bytes),
		cmocka_unit_test(test_mixed_lists), cmocka_unit_test(test_line_printf),
		cmocka_unit_test(test_line_json),   cmocka_unit_test(test_services),
		cmocka_unit_test(test_attest),	    cmocka_unit_test(test_ready_path_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
