/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "image/gpt.h"
#include "image/manifest.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/spawn.h"

#define MIB 1048576ull

static struct manifest *make_manifest(void)
{
	struct manifest *m = xcalloc(1, sizeof(*m));
	struct error err = ERROR_INIT;
	struct verity_geometry g;

	m->name = xstrdup("hello");
	m->version = xstrdup("1.4.0~rc1");
	m->arch = xstrdup("x86_64");
	m->tool_version = xstrdup("0.1.0");
	m->epoch = 1700000000;
	m->init_mode = xstrdup("appliance");
	m->command_line = xstrdup("console=ttyS0 panic=5");
	m->kernel_release = xstrdup("6.1.0-1-cloud-amd64");
	m->data_blocks = 5000;
	assert_int_equal(verity_geometry(m->data_blocks, &g, &err), 0);
	m->hash_blocks = g.hash_blocks;
	assert_int_equal(layout_plan("hello", ARCH_X86_64, 64 * MIB, 5000 * 4096, g.hash_blocks * 4096,
				     &m->layout, &err),
			 0);
	sha256_of("root", 4, &m->root_hash);
	layout_set_root_hash(&m->layout, &m->root_hash);
	m->layout.part[PART_ESP].used = 16 * MIB;
	guid_derive("fs", "hello", &m->fs_uuid);
	guid_derive("verity", "hello", &m->verity_uuid);
	m->salt[0] = 1;
	m->uki_size = 15 * MIB;
	m->initrd_size = MIB;
	m->block_count = m->layout.size / LAYOUT_BLOCK;
	m->nonzero_bytes = 20 * MIB;
	manifest_set_dont_care(m);
	m->inputs = xcalloc(1, sizeof(*m->inputs));
	m->inputs[m->input_count++] = (struct compose_input){
		.kind = xstrdup("base"), .name = xstrdup("bookworm"), .size = 42, .arch = xstrdup("amd64")};
	installed_add(&m->packages, "deb", "adduser", "3.134", "all")->sha256 =
		xstrdup("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
	installed_add(&m->packages, "deb", "libc6", "2.36-9+deb12u9", "amd64")->repository =
		xstrdup("http://archive.example.org/debian");
	m->upload = (struct manifest_upload){.encrypt = true, .protect = true, .deprecate_days = 30};
	m->upload.provider = xstrdup("aws");
	m->upload.parameter = xstrdup("/app/{name}");
	m->upload.connect = xstrdup("qemu:///system");
	m->upload.pool = xstrdup("golden");
	strlist_add(&m->upload.regions, "eu-central-1");
	strlist_add(&m->upload.regions, "eu-west-1");
	strlist_add(&m->upload.kms_keys, "eu-west-1=arn:k");
	strlist_add(&m->upload.share, "123456789012");
	m->test = (struct manifest_test){.timeout = 90, .memory = 256, .cpus = 2, .nvme = true, .count = 2};
	m->test.probes = xcalloc(2, sizeof(*m->test.probes));
	m->test.probes[0] = (struct template_probe){.kind = PROBE_HTTP, .port = 8080, .status = 204};
	m->test.probes[0].path = xstrdup("/healthz");
	m->test.probes[0].body = xstrdup("ok");
	m->test.probes[1] = (struct template_probe){.kind = PROBE_TCP, .port = 53};
	return m;
}

static void test_round_trip(void **state)
{
	_cleanup_manifest_ struct manifest *m = make_manifest(), *again = NULL;
	_cleanup_free_ char *text = manifest_text(m), *text_again = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	if (manifest_parse(text, strlen(text), "m.json", &again, &err) < 0)
		fail_msg("%s", err.text);
	text_again = manifest_text(again);
	assert_string_equal(text, text_again);
	assert_string_equal(again->command_line, m->command_line);
	assert_int_equal(again->layout.part[PART_VERITY].offset, m->layout.part[PART_VERITY].offset);
	assert_true(again->layout.part[PART_ROOT].attributes == PARTITION_READ_ONLY);
	assert_int_equal(again->dont_care_count, m->dont_care_count);
	assert_string_equal(again->packages.list[1].version, "2.36-9+deb12u9");
	assert_string_equal(again->packages.list[1].repository, "http://archive.example.org/debian");
	assert_null(again->packages.list[1].sha256);
	assert_string_equal(again->inputs[0].arch, "amd64");
	assert_int_equal(again->test.cpus, 2);
	assert_true(again->test.nvme);
	assert_string_equal(again->upload.provider, "aws");
	assert_string_equal(again->upload.connect, "qemu:///system");
	assert_string_equal(again->upload.pool, "golden");
	assert_int_equal(again->upload.regions.len, 2);
	assert_string_equal(again->upload.regions.ptr[1], "eu-west-1");
	assert_true(again->upload.encrypt && again->upload.protect);
	assert_int_equal(again->upload.deprecate_days, 30);
	assert_int_equal(again->test.probes[0].status, 204);
	assert_int_equal(again->test.probes[1].kind, PROBE_TCP);
}

/* With a signed root hash: a fourth partition, and who signed. */
static void make_signed(struct manifest *m)
{
	layout_add_signature("hello", ARCH_X86_64, &m->layout);
	manifest_set_dont_care(m);
	m->signature.there = m->signature.required = true;
	sha256_of("certificate", 11, &m->signature.certificate);
}

static void test_signature(void **state)
{
	_cleanup_manifest_ struct manifest *m = make_manifest(), *again = NULL;
	_cleanup_free_ char *text = NULL, *text_again = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	make_signed(m);
	text = manifest_text(m);
	if (manifest_parse(text, strlen(text), "m.json", &again, &err) < 0)
		fail_msg("%s", err.text);
	text_again = manifest_text(again);
	assert_string_equal(text, text_again);
	assert_int_equal(again->layout.count, 4);
	assert_true(again->signature.there && again->signature.required);
	assert_memory_equal(&again->signature.certificate, &m->signature.certificate, SHA256_SIZE);
	assert_int_equal(again->dont_care_count, 5);
	assert_int_equal(again->dont_care[3].length, again->layout.part[PART_SIGNATURE].offset -
							     again->layout.part[PART_VERITY].offset -
							     again->layout.part[PART_VERITY].used);
}

/* "test" may be missing: then there is nothing to probe, and the limits have defaults. */
static void test_no_test(void **state)
{
	_cleanup_manifest_ struct manifest *m = make_manifest(), *again = NULL;
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	manifest_test_free(&m->test);
	text = manifest_text(m);
	assert_null(strstr(text, "\"test\""));
	assert_int_equal(manifest_parse(text, strlen(text), "m.json", &again, &err), 0);
	assert_int_equal(again->test.count, 0);
	assert_int_equal(again->test.timeout, 120);
	assert_int_equal(again->test.memory, 512);
}

/* All but the used parts and both partition tables, in order. */
static void test_dont_care(void **state)
{
	_cleanup_manifest_ struct manifest *m = make_manifest();
	const struct partition *p = m->layout.part;
	const struct byte_range want[] = {
		{34 * 512, MIB - 34 * 512},
		{17 * MIB, 48 * MIB},
		{p[PART_ROOT].offset + 5000 * 4096,
		 p[PART_VERITY].offset - p[PART_ROOT].offset - 5000 * 4096},
		{p[PART_VERITY].offset + p[PART_VERITY].used,
		 1024 * MIB - 33 * 512 - p[PART_VERITY].offset - p[PART_VERITY].used},
	};

	(void)state;
	assert_int_equal(m->dont_care_count, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(m->dont_care[i].offset, want[i].offset);
		assert_int_equal(m->dont_care[i].length, want[i].length);
	}
	/* A partition that is used to its end leaves no range behind it. */
	m->layout.part[PART_ESP].used = m->layout.part[PART_ESP].size;
	manifest_set_dont_care(m);
	assert_int_equal(m->dont_care_count, 3);
}

/* @from in the text becomes @to; the manifest must be refused, with @why in the message. */
struct change {
	const char *from, *to, *why;
};

static void assert_all_seen(const struct manifest *m, const struct change *cases, size_t count)
{
	_cleanup_free_ char *text = manifest_text(m);

	for (size_t i = 0; i < count; i++) {
		_cleanup_manifest_ struct manifest *got = NULL;
		const char *at = strstr(text, cases[i].from);
		_cleanup_free_ char *changed = NULL;
		struct error err = ERROR_INIT;

		if (!at)
			fail_msg("not in the text: %s\n%s", cases[i].from, text);
		changed = xasprintf("%.*s%s%s", (int)(at - text), text, cases[i].to,
				    at + strlen(cases[i].from));
		if (manifest_parse(changed, strlen(changed), "m.json", &got, &err) == 0)
			fail_msg("not seen: %s -> %s", cases[i].from, cases[i].to);
		if (err.exit != EXIT_REFUSED || strncmp(err.text, "m.json", 6) != 0 ||
		    !strstr(err.text, cases[i].why))
			fail_msg("%s -> %s: %s", cases[i].from, cases[i].to, err.text);
	}
}

static void test_every_field_of_a_signature_counts(void **state)
{
	static const struct change cases[] = {
		{"\"root-verity-sig\"", "\"root-verity\"", "name"},
		{"\"41092b05", "\"41092b06", "type"},
		{"\"signature\": {", "\"signature\": 1, \"x\": {", "verity.signature.certificate"},
		{"\"certificate\": \"", "\"certificate\": \"0", "verity.signature.certificate"},
		{"\"required\": true", "\"required\": 1", "verity.signature.required"},
		{"\"used\": 4096", "\"used\": 20480", "no signature has more"},
	};
	_cleanup_manifest_ struct manifest *m = make_manifest();
	static const struct change without[] = {
		{"\"root_hash\":",
		 "\"signature\": {\"certificate\": "
		 "\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\", \"required\": true},\n"
		 "\"root_hash\":",
		 "without a partition"},
	};

	(void)state;
	assert_all_seen(m, without, 1);
	make_signed(m);
	assert_all_seen(m, cases, sizeof(cases) / sizeof(cases[0]));
}

static const struct change wrong_fields[] = {
	{"\"format\": 1,\n  \"name\"", "\"format\": 2,\n  \"name\"", "format"},
	{"\"hello\"", "\"../hello\"", "name"},
	{"\"hello\"", "\"\"", "name"},
	{"\"1.4.0~rc1\"", "\"1/4\"", "version"},
	{"\"1.4.0~rc1\"", "14", "version"},
	{"\"x86_64\"", "\"riscv\"", "arch"},
	{"\"x86_64\"", "\"arm64\"", "type"},
	{"\"appliance\"", "\"other\"", "init_mode"},
	{"1700000000", "1.5", "epoch"},
	{"\"sector_size\": 512", "\"sector_size\": 4096", "sector_size"},
	{"\"size\": 1073741824", "\"size\": 1073741825", "disk.size"},
	{"\"size\": 1073741824", "\"size\": 90177536", "disk.size"},
	{"\"size\": 1073741824", "\"size\": -1", "disk.size"},
	{"\"size\": 1073741824", "\"size\": 9000000000000000000", "disk.size"},
	{"\"size\": 1073741824", "\"size\": 17592187092992", "disk.size"}, /* 16 TiB and a bit */
	{"\"offset\": 1048576", "\"offset\": 1048577", "partition 'esp'"},
	{"\"offset\": 1048576", "\"offset\": 0", "partition 'esp'"},
	{"\"offset\": 68157440", "\"offset\": 67108864", "partition 'root'"},
	{"\"used\": 16777216", "\"used\": 0", "partition 'esp'"},
	{"\"used\": 16777216", "\"used\": 90000000", "partition 'esp'"},
	{"\"used\": 20480000", "\"used\": 20484096", "used bytes"},
	{"\"root-verity\"", "\"verity\"", "name"},
	{"\"read_only\": false", "\"read_only\": true", "read_only"},
	{"\"ext4\"", "\"xfs\"", "root.type"},
	{"\"sha256\",", "\"sha1\",", "verity.algorithm"},
	{"\"data_block_size\": 4096", "\"data_block_size\": 512", "data_block_size"},
	{"\"data_blocks\": 5000", "\"data_blocks\": 5001", "used bytes"},
	{"\"data_blocks\": 5000", "\"data_blocks\": 0", "block"},
	{"\"hash_blocks\": 42", "\"hash_blocks\": 41", "hash blocks"},
	{"\"root_hash\": \"48", "\"root_hash\": \"49", "root hash"},
	{"\"root_hash\": \"48", "\"root_hash\": \"", "root_hash"},
	{"\"count\": 2048", "\"count\": 2047", "blocks"},
	{"\"nonzero_bytes\": 20971520", "\"nonzero_bytes\": 1073741825", "blocks"},
	{"\"size\": 15728640", "\"size\": 16777217", "uki"},
	{"\"size\": 15728640", "\"size\": 0", "uki"},
	{"\"length\": 1031168", "\"length\": 1031169", "dont_care[0]"},
	{"\"offset\": 17408", "\"offset\": 17407", "dont_care[0]"},
	{"\"length\": 1031168", "\"length\": 0", "dont_care[0]"},
	{"\"offset\": 17825792", "\"offset\": 17408", "dont_care[1]"},
	{"\"kind\": \"base\"", "\"kind\": null", "inputs[0]"},
	{"\"version\": \"3.134\"", "\"version\": 3", "packages[0]"},
	{"\"version\": \"3.134\"", "\"version\": \"3 134\"", "packages[0]"},
	{"\"version\": \"3.134\"", "\"version\": \"\"", "packages[0]"},
	{"\"name\": \"libc6\"", "\"other\": \"libc6\"", "packages[1]"},
	{"\"type\": \"deb\"", "\"type\": \"\\u0007\"", "packages[0]"},
	{"\"sha256\": \"0011", "\"sha256\": \"001\", \"y\": \"", "packages[0]"},
	{"\"repository\": \"http", "\"repository\": \"\\n", "packages[1]"},
	{"\"arch\": \"amd64\"", "\"arch\": 64", "inputs[0]"},
	{"\"packages\": [", "\"packages\": {}, \"x\": [", "packages"},
	{"\"dont_care\": [", "\"dont_care\": 1, \"x\": [", "dont_care"},
	{"\"disk\": {", "\"disk\": 1, \"x\": {", "disk"},
	{"\"test\": {", "\"test\": [], \"x\": {", "test"},
	{"\"timeout\": 90", "\"timeout\": 0", "test: 'timeout'"},
	{"\"memory\": 256", "\"memory\": 2000000", "test: 'memory'"},
	{"\"port\": 8080", "\"port\": 65536", "probe 1: 'port'"},
	{"\"/healthz\"", "\"healthz\"", "probe 1: 'path'"},
	{"\"/healthz\"", "\"/a b\"", "probe 1: 'path'"},
	{"\"status\": 204", "\"status\": 99", "probe 1: 'status'"},
	{"\"tcp\"", "\"udp\"", "probe 2: 'kind'"},
	{"\"upload\": {", "\"upload\": 1, \"x\": {", "upload"},
	{"\"aws\"", "\"a w\"", "upload: 'provider'"},
	{"\"aws\"", "\"\"", "upload: 'provider'"},
	{"\"regions\": [", "\"regions\": 1, \"y\": [", "upload: 'regions'"},
	{"\"eu-west-1\"", "5", "upload: 'regions'"},
	{"\"123456789012\"", "\"a\\nb\"", "upload: 'share'"},
	{"\"golden\"", "\"a b\"", "upload: 'pool'"},
	{"\"qemu:///system\"", "1", "upload: 'connect'"},
	{"\"encrypt\": true", "\"encrypt\": false", "upload: 'encrypt'"},
	{"\"protect\": true", "\"protect\": 1", "upload: 'protect'"},
	{"\"deprecate_days\": 30", "\"deprecate_days\": 0", "upload: 'deprecate_days'"},
	{"{\n  \"format\"", "[\n  \"format\"", "valid JSON"},
};

static void test_every_field_counts(void **state)
{
	_cleanup_manifest_ struct manifest *m = make_manifest();

	(void)state;
	assert_all_seen(m, wrong_fields, sizeof(wrong_fields) / sizeof(wrong_fields[0]));
}

/* Every prefix is refused; none reads further than it may. */
static void test_truncated(void **state)
{
	_cleanup_manifest_ struct manifest *m = make_manifest();
	_cleanup_free_ char *text = manifest_text(m);

	(void)state;
	for (size_t len = 0; len + 2 < strlen(text); len++) {
		_cleanup_manifest_ struct manifest *got = NULL;
		_cleanup_free_ char *exact = xmemdup(text, len);
		struct error err = ERROR_INIT;

		assert_true(manifest_parse(exact, len, "m.json", &got, &err) < 0);
	}
}

static void test_paths(void **state)
{
	_cleanup_free_ char *a = manifest_path_for("out/hello-1.raw"), *b = blocks_path_for("hello-1.raw"),
			    *c = manifest_path_for("disk");

	(void)state;
	assert_string_equal(a, "out/hello-1.manifest.json");
	assert_string_equal(b, "hello-1.blocks");
	assert_string_equal(c, "disk.manifest.json");
}

static void test_blocks(void **state)
{
	struct block_digests d = {0}, again = {0};
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;
	struct sha256 digest;

	(void)state;
	block_digests_init(&d, 4 * LAYOUT_BLOCK);
	sha256_of("x", 1, &d.ptr[2]);
	blocks_encode(&d, 4 * LAYOUT_BLOCK, &b);
	assert_int_equal(b.len, BLOCKS_HEADER_SIZE + 4 * 32);
	assert_memory_equal(b.ptr, "MKABLOCK\1\0\0\0\0\0\x08\0\0\0\x20\0\0\0\0\0\4\0\0\0\0\0\0\0", 32);
	blocks_digest(&d, &digest);
	assert_memory_equal(b.ptr + 32, digest.b, 32);
	assert_memory_equal(b.ptr + 64 + 2 * 32, d.ptr[2].b, 32);
	assert_int_equal(blocks_parse(b.ptr, b.len, "b", &again, &err), 0);
	assert_int_equal(again.count, 4);
	assert_memory_equal(again.ptr, d.ptr, 4 * 32);
	block_digests_free(&again);

	/* Whatever byte changes is seen, and so is every other length. */
	for (size_t i = 0; i < b.len; i++) {
		b.ptr[i] ^= 1;
		assert_true(blocks_parse(b.ptr, b.len, "b", &again, &err) < 0);
		b.ptr[i] ^= 1;
	}
	for (size_t len = 0; len < b.len; len++) {
		_cleanup_free_ void *exact = xmemdup(b.ptr, len);

		assert_true(blocks_parse(exact, len, "b", &again, &err) < 0);
	}
	buf_add_zero(&b, 1);
	assert_true(blocks_parse(b.ptr, b.len, "b", &again, &err) < 0);
	block_digests_free(&d);
}

/* The schema says the same: what we write is valid, and what lacks a member is not. */
static void test_schema(void **state)
{
	static const char *const script =
		"import json, sys\n"
		"import jsonschema\n"
		"schema = json.load(open('mkappliance/image/manifest.schema.json'))\n"
		"check = jsonschema.Draft202012Validator(schema)\n"
		"check.check_schema(schema)\n"
		"m = json.load(open(sys.argv[1]))\n"
		"check.validate(m)\n"
		"for key in set(m) - {'test', 'upload'}:\n"
		"    assert not check.is_valid({k: v for k, v in m.items() if k != key}), key\n"
		"m['disk']['partitions'].append(m['disk']['partitions'][0])\n"
		"assert not check.is_valid(m)\n";
	char dir[] = "/tmp/mkappliance-test-XXXXXX";
	_cleanup_manifest_ struct manifest *m = make_manifest();
	_cleanup_free_ char *path = NULL;
	struct error err = ERROR_INIT;
	int r;

	(void)state;
	if (access("mkappliance/image/manifest.schema.json", R_OK) < 0 || !spawn_available("python3") ||
	    spawn_run(&(struct spawn){.argv = (const char *[]){"python3", "-c", "import jsonschema", NULL}},
		      &err) < 0)
		skip();
	assert_non_null(mkdtemp(dir));
	path = xasprintf("%s/m.json", dir);
	assert_int_equal(manifest_write(m, path, &err), 0);
	r = spawn_run(&(struct spawn){.argv = (const char *[]){"python3", "-W", "ignore", "-c", script, path,
							       NULL}},
		      &err);
	if (r < 0)
		fail_msg("%s", err.text);
	assert_int_equal(io_remove_tree(dir, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_signature),
		cmocka_unit_test(test_every_field_of_a_signature_counts),
		cmocka_unit_test(test_no_test),
		cmocka_unit_test(test_dont_care),
		cmocka_unit_test(test_every_field_counts),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_schema),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
