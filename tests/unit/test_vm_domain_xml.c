/* SPDX-License-Identifier: Apache-2.0 */
/* The domain's XML: what must be in it, hostile names, and libvirt's own schema as the outside oracle. */
#include "unit.h"
#include "vm_schema.h"

#include <unistd.h>

#include "vm/domain_xml.h"
#include "vm/xml.h"

static const struct forward forwards[] = {{8080, 80}, {8443, 443}};

static struct domain_config sample(void)
{
	return (struct domain_config){
		.name = "m1",
		.arch = "x86_64",
		.machine = "q35",
		.memory = 512,
		.cpus = 2,
		.firmware_code = "/usr/share/OVMF/OVMF_CODE_4M.fd",
		.firmware_vars = "/var/tmp/x/vars.fd",
		.image = "/srv/images/hello-1.0.raw",
		.console_socket = "/var/tmp/x/serial",
		.reboot_ends = true,
		.forwards = forwards,
		.forward_count = 2,
	};
}

static void test_content(void **state)
{
	static const char *const want[] = {
		"<domain xmlns:qemu=\"http://libvirt.org/schemas/domain/qemu/1.0\" type=\"qemu\">",
		"<memory unit=\"MiB\">512</memory>",
		"<vcpu>2</vcpu>",
		"<type arch=\"x86_64\" machine=\"q35\">hvm</type>",
		"<loader readonly=\"yes\" type=\"pflash\">/usr/share/OVMF/OVMF_CODE_4M.fd</loader>",
		"<nvram>/var/tmp/x/vars.fd</nvram>",
		"<source file=\"/srv/images/hello-1.0.raw\"/>",
		"<readonly/>",
		"<boot order=\"1\"/>",
		"<source mode=\"connect\" path=\"/var/tmp/x/serial\"/>",
		"<on_reboot>destroy</on_reboot>",
		"user,id=user0,hostfwd=tcp:127.0.0.1:8080-:80,hostfwd=tcp:127.0.0.1:8443-:443",
		"romfile=",
	};
	struct domain_config c = sample();
	_cleanup_strlist_ struct strlist disks = {0};
	_cleanup_free_ char *xml = domain_xml(&c), *kvm = NULL, *with_disks = NULL, *to_file = NULL,
			    *nvme = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		assert_contains(xml, want[i]);
	c.console_socket = NULL;
	c.console_file = "/srv/g/m/i1/console";
	to_file = domain_xml(&c);
	assert_contains(to_file, "<serial type=\"file\">");
	assert_contains(to_file, "<source path=\"/srv/g/m/i1/console\" append=\"on\"/>");
	assert_null(strstr(to_file, "mode=\"connect\""));
	c = sample();
	assert_null(strstr(xml, "seclabel"));
	assert_null(strstr(xml, "\"vdb\""));
	strlist_add(&disks, "/srv/one.raw");
	strlist_add(&disks, "/srv/two.raw");
	c.disks = &disks;
	with_disks = domain_xml(&c);
	assert_contains(with_disks, "<source file=\"/srv/two.raw\"/>");
	assert_contains(with_disks, "<target dev=\"vdc\" bus=\"virtio\"/>");
	c.disks = NULL;
	c.nvme = true;
	c.image = "/srv/a,b.raw";
	nvme = domain_xml(&c);
	assert_contains(nvme, "value=\"if=none,id=image,format=raw,readonly=on,file=/srv/a,,b.raw\"");
	assert_contains(nvme, "value=\"nvme,drive=image,serial=image,bootindex=1,bus=pcie.0,addr=0x11\"");
	assert_contains(nvme, "virtio-net-pci");
	assert_null(strstr(nvme, "\"vda\""));
	assert_null(strstr(xml, "nvme"));
	c = sample();
	c.kvm = true;
	c.keep_owner = true;
	c.reboot_ends = false;
	kvm = domain_xml(&c);
	assert_contains(kvm, "type=\"kvm\"");
	assert_contains(kvm, "<seclabel model=\"dac\" relabel=\"no\"/>");
	assert_contains(kvm, "<cpu mode=\"host-passthrough\"/>");
	assert_contains(kvm, "<on_reboot>restart</on_reboot>");
}

/* A path is text: nothing in it becomes an element. */
static void test_hostile_path(void **state)
{
	struct domain_config c = sample();
	_cleanup_free_ char *xml = NULL;

	(void)state;
	c.image = "/srv/a'/><disk>&amp;\"<x>\xc3\xa4.raw";
	assert_true(xml_can_hold(c.image));
	xml = domain_xml(&c);
	assert_null(strstr(xml, "<x>"));
	assert_null(strstr(xml, "/><disk>"));
	assert_contains(xml, "&lt;disk&gt;&amp;amp;&quot;");
}

static void test_what_xml_cannot_hold(void **state)
{
	(void)state;
	assert_true(xml_can_hold("/plain"));
	assert_false(xml_can_hold("/a\nb"));
	assert_false(xml_can_hold("/a\x01"));
	assert_false(xml_can_hold("/latin1-\xe4"));
	assert_false(xml_can_hold("/cut-\xc3"));
}

static void test_schema(void **state)
{
	_cleanup_free_ char *xml = NULL;
	struct domain_config c = sample();

	schema_needed();
	xml = domain_xml(&c);
	assert_is_domain(*state, xml);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_content),
		cmocka_unit_test(test_hostile_path),
		cmocka_unit_test(test_what_xml_cannot_hold),
		unit_test_in_dir(test_schema),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
