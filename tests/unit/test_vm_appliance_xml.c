/* SPDX-License-Identifier: Apache-2.0 */
/* The persistent domain of an appliance: what must be in it, what it says of itself, hostile names, and libvirt's own schema. */
#include "unit.h"
#include "vm_schema.h"

#include <unistd.h>

#include "vm/appliance_xml.h"
#include "vm/xml.h"

static char file_path[] = "/srv/pool/hello-1", block_path[] = "/dev/vg/hello-1";
static const struct pool_volume file_volume = {.size = 1, .kind = POOL_VOLUME_FILE, .path = file_path};
static const struct pool_volume block_volume = {.size = 1, .kind = POOL_VOLUME_BLOCK, .path = block_path};
static const struct pool_volume other_volume = {.size = 1, .kind = POOL_VOLUME_OTHER, .path = file_path};

static struct appliance_config sample(void)
{
	return (struct appliance_config){
		.domain = "web",
		.marks = {.name = "hello",
			  .version = "1",
			  .root_hash = "aa",
			  .blocks = "bb",
			  .pool = "golden",
			  .volume = "hello-1"},
		.arch = "x86_64",
		.machine = "q35",
		.memory = 512,
		.cpus = 2,
		.volume = &file_volume,
		.network = "default",
		.tpm = true,
	};
}

static bool has(const char *xml, const char *path)
{
	_cleanup_free_ char *value = xml_value(xml, path);

	return value != NULL;
}

#define assert_has(xml, path)                             \
	do {                                              \
		if (!has(xml, path))                      \
			fail_msg("no %s: %s", path, xml); \
	} while (0)

static void test_content(void **state)
{
	static const char *const want[] = {
		"/domain[@type = 'qemu']/name[. = 'web']",
		"/domain/memory[@unit = 'MiB'][. = '512']",
		"/domain/vcpu[. = '2']",
		"/domain/os[@firmware = 'efi']/type[@arch = 'x86_64'][@machine = 'q35'][. = 'hvm']",
		"/domain/os/firmware/feature[@enabled = 'no'][@name = 'secure-boot']",
		"/domain/devices/disk[@type = 'file'][readonly]/source[@file = '/srv/pool/hello-1']",
		"/domain/devices/disk/driver[@type = 'raw']",
		"/domain/devices/disk/boot[@order = '1']",
		"/domain/devices/interface[@type = 'network'][rom/@enabled = 'no']/source[@network = 'default']",
		"/domain/devices/serial[@type = 'pty']",
		"/domain/devices/tpm[@model = 'tpm-crb']/backend[@type = 'emulator'][@version = '2.0']",
		"/domain/metadata/*[namespace-uri() = 'urn:mkappliance:appliance:1'][@name = 'hello'][@root-hash = 'aa']"
		"[@blocks = 'bb'][@pool = 'golden'][@volume = 'hello-1']",
	};
	struct appliance_config c = sample();
	_cleanup_free_ char *xml = appliance_xml(&c);

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		assert_has(xml, want[i]);
	assert_false(has(xml, "/domain/uuid"));
	assert_false(has(xml, "//nvram"));
	assert_false(has(xml, "//smm"));
}

static void test_variants(void **state)
{
	struct appliance_config c = sample();
	_cleanup_free_ char *block = NULL, *secure = NULL, *arm = NULL;

	(void)state;
	c.volume = &block_volume;
	c.network = NULL;
	c.tpm = false;
	c.kvm = true;
	block = appliance_xml(&c);
	assert_has(block, "/domain[@type = 'kvm']/cpu[@mode = 'host-passthrough']");
	assert_has(block, "//disk[@type = 'block']/source[@dev = '/dev/vg/hello-1']");
	assert_has(block, "//interface[@type = 'user'][not(source)]");
	assert_false(has(block, "//tpm"));

	c = sample();
	c.uuid = "532972f7-144d-4ef7-b8a5-ad66a634b7ad";
	c.nvram = "/srv/pool/web-01234567.nvram";
	secure = appliance_xml(&c);
	assert_has(secure, "/domain/uuid[. = '532972f7-144d-4ef7-b8a5-ad66a634b7ad']");
	assert_has(secure, "//os/firmware/feature[@enabled = 'yes'][@name = 'secure-boot']");
	assert_has(secure, "//os/firmware/feature[@enabled = 'no'][@name = 'enrolled-keys']");
	assert_has(secure, "//os/nvram[. = '/srv/pool/web-01234567.nvram']");
	assert_has(secure, "//features/smm[@state = 'on']");

	c = sample();
	c.volume = &other_volume;
	c.arch = "aarch64";
	c.machine = "virt";
	arm = appliance_xml(&c);
	assert_has(arm, "//disk[@type = 'volume']/source[@pool = 'golden'][@volume = 'hello-1']");
	assert_has(arm, "//tpm[@model = 'tpm-tis']");
	assert_false(has(arm, "//apic"));
}

/* Two definitions are the same when all that was asked for is, whatever UUID libvirt gave. */
static void test_same(void **state)
{
	struct appliance_config c = sample(), other = sample();
	_cleanup_free_ char *xml = NULL, *config = NULL, *marks = NULL, *name = NULL;

	(void)state;
	xml = appliance_xml(&c);
	config = xml_value(xml, "/domain/metadata/*/@config");
	assert_non_null(config);
	marks = xasprintf("<appliance xmlns='" APPLIANCE_NAMESPACE "' name='hello' config='%s'/>", config);
	other.uuid = "532972f7-144d-4ef7-b8a5-ad66a634b7ad";
	assert_true(appliance_same(marks, &other));
	other.memory++;
	assert_false(appliance_same(marks, &other));
	other = sample();
	other.marks.blocks = "cc";
	assert_false(appliance_same(marks, &other));
	assert_false(appliance_same("<appliance/>", &c));
	assert_false(appliance_same("no XML", &c));
	name = appliance_mark(marks, "name");
	assert_string_equal(name, "hello");
	assert_null(appliance_mark(marks, "none"));
}

/* A name is text: nothing in it becomes an element. */
static void test_hostile_names(void **state)
{
	struct appliance_config c = sample();
	_cleanup_free_ char *xml = NULL, *name = NULL;

	(void)state;
	c.domain = "a'/><x>&amp;\"</name>";
	c.marks.name = "\"/><x/>";
	xml = appliance_xml(&c);
	assert_false(has(xml, "//x"));
	name = xml_value(xml, "/domain/name");
	assert_string_equal(name, c.domain);
}

static void test_values(void **state)
{
	static const char pool[] = "<pool type='dir'><name>a</name><name>b</name></pool>";
	_cleanup_free_ char *type = xml_value(pool, "/pool/@type"), *first = xml_value(pool, "//name");

	(void)state;
	assert_string_equal(type, "dir");
	assert_string_equal(first, "a");
	assert_null(xml_value(pool, "/pool/@none"));
	assert_null(xml_value(pool, "count(//name)"));
	assert_null(xml_value("<pool", "/pool"));
	assert_null(xml_value("", "/pool"));
}

static void test_schema(void **state)
{
	_cleanup_free_ char *xml = NULL;
	struct appliance_config c = sample();

	schema_needed();
	c.nvram = "/srv/pool/web-01234567.nvram";
	c.description = "a page";
	xml = appliance_xml(&c);
	assert_is_domain(*state, xml);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_content), cmocka_unit_test(test_variants),
		cmocka_unit_test(test_same),	cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_values),	unit_test_in_dir(test_schema),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
