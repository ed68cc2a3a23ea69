/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/domain_xml.h"

#include "vm/xml.h"

#define QEMU_NAMESPACE "http://libvirt.org/schemas/domain/qemu/1.0"

static void add_os(struct xml_node *domain, const struct domain_config *c)
{
	struct xml_node *os = xml_add(domain, "os"), *node;

	node = xml_add_text(os, "type", "hvm");
	xml_set(node, "arch", c->arch);
	xml_set(node, "machine", c->machine);
	node = xml_add_text(os, "loader", c->firmware_code);
	xml_set(node, "readonly", "yes");
	xml_set(node, "type", "pflash");
	if (c->secure_boot)
		xml_set(node, "secure", "yes");
	xml_add_text(os, "nvram", c->firmware_vars);
}

static void add_cpu(struct xml_node *domain, const struct domain_config *c)
{
	xml_set(xml_add(domain, "cpu"), "mode", c->kvm ? "host-passthrough" : "maximum");
}

/* What happens at the end of the guest; a crash of qemu itself always ends it. */
static void add_ends(struct xml_node *domain, const struct domain_config *c)
{
	xml_add_text(domain, "on_poweroff", "destroy");
	xml_add_text(domain, "on_reboot", c->reboot_ends ? "destroy" : "restart");
	xml_add_text(domain, "on_crash", "destroy");
}

/* A raw file as the virtio disk @target ("vda"). */
static struct xml_node *add_raw(struct xml_node *devices, const struct domain_config *c, const char *file,
				const char *target)
{
	struct xml_node *disk = xml_add(devices, "disk"), *node;

	xml_set(disk, "type", "file");
	xml_set(disk, "device", "disk");
	node = xml_add(disk, "driver");
	xml_set(node, "name", "qemu");
	xml_set(node, "type", "raw");
	node = xml_add(disk, "source");
	xml_set(node, "file", file);
	if (c->keep_owner) {
		node = xml_add(node, "seclabel");
		xml_set(node, "model", "dac");
		xml_set(node, "relabel", "no");
	}
	node = xml_add(disk, "target");
	xml_set(node, "dev", target);
	xml_set(node, "bus", "virtio");
	return disk;
}

static void add_disks(struct xml_node *devices, const struct domain_config *c)
{
	char target[] = "vdb";

	if (!c->nvme) {
		struct xml_node *image = add_raw(devices, c, c->image, "vda");

		xml_add(image, "readonly");
		xml_set(xml_add(image, "boot"), "order", "1");
	}
	for (size_t i = 0; c->disks && i < c->disks->len; i++, target[2]++)
		(void)add_raw(devices, c, c->disks->ptr[i], target);
}

static void add_console(struct xml_node *devices, const struct domain_config *c)
{
	struct xml_node *serial = xml_add(devices, "serial"), *source = xml_add(serial, "source");

	xml_set(serial, "type", c->console_file ? "file" : "unix");
	if (!c->console_file)
		xml_set(source, "mode", "connect");
	xml_set(source, "path", c->console_file ? c->console_file : c->console_socket);
	if (c->console_file)
		xml_set(source, "append", "on");
	xml_set(xml_add(serial, "target"), "port", "0");
}

static void add_tpm(struct xml_node *devices)
{
	struct xml_node *tpm = xml_add(devices, "tpm"), *backend = xml_add(tpm, "backend"), *banks;

	xml_set(tpm, "model", "tpm-crb");
	xml_set(backend, "type", "emulator");
	xml_set(backend, "version", "2.0");
	banks = xml_add(backend, "active_pcr_banks");
	xml_add(banks, "sha256");
	xml_add(banks, "sha384");
}

static void add_devices(struct xml_node *domain, const struct domain_config *c)
{
	struct xml_node *devices = xml_add(domain, "devices"), *node;

	if (c->emulator)
		xml_add_text(devices, "emulator", c->emulator);
	add_disks(devices, c);
	add_console(devices, c);
	if (c->tpm)
		add_tpm(devices);
	/* Nothing more than a cloud instance has: no USB, no balloon. */
	node = xml_add(devices, "controller");
	xml_set(node, "type", "usb");
	xml_set(node, "model", "none");
	xml_set(xml_add(devices, "memballoon"), "model", "none");
}

static void add_option(struct xml_node *line, const char *option, const char *value)
{
	xml_set(xml_add_in(line, "qemu", "arg"), "value", option);
	xml_set(xml_add_in(line, "qemu", "arg"), "value", value);
}

/*
 * User-mode networking behind libvirt's back: its own <interface type='user'> forwards no ports before
 * passt (9.2). The slot on the root bus is far above those that libvirt hands out. No boot ROM, or the
 * firmware would try the network.
 */
static void add_network(struct xml_node *line, const struct domain_config *c)
{
	struct buf netdev = {0};

	buf_printf(&netdev, "user,id=user0");
	for (size_t i = 0; i < c->forward_count; i++)
		buf_printf(&netdev, ",hostfwd=tcp:127.0.0.1:%u-:%u", c->forwards[i].host,
			   c->forwards[i].guest);
	add_option(line, "-netdev", netdev.ptr);
	add_option(line, "-device",
		   "virtio-net-pci,netdev=user0,romfile=,mac=52:54:00:6d:6b:61,bus=pcie.0,addr=0x10");
	buf_free(&netdev);
}

/* Behind libvirt's back too: it has no such controller before 11.5. */
static void add_nvme(struct xml_node *line, const struct domain_config *c)
{
	struct buf drive = {0};

	buf_printf(&drive, "if=none,id=image,format=raw,readonly=on,file=");
	/* A comma ends the value unless there are two. */
	for (const char *p = c->image; *p; p++)
		buf_printf(&drive, *p == ',' ? ",%c" : "%c", *p);
	add_option(line, "-drive", drive.ptr);
	add_option(line, "-device", "nvme,drive=image,serial=image,bootindex=1,bus=pcie.0,addr=0x11");
	buf_free(&drive);
}

char *domain_xml(const struct domain_config *c)
{
	struct xml_node *domain = xml_new("domain"), *node, *line;

	xml_declare(domain, "qemu", QEMU_NAMESPACE);
	xml_set(domain, "type", c->kvm ? "kvm" : "qemu");
	xml_add_text(domain, "name", c->name);
	xml_set(xml_add_number(domain, "memory", c->memory), "unit", "MiB");
	xml_add_number(domain, "vcpu", c->cpus);
	add_os(domain, c);
	node = xml_add(domain, "features");
	xml_add(node, "acpi");
	xml_add(node, "apic");
	if (c->secure_boot)
		xml_set(xml_add(node, "smm"), "state", "on");
	add_cpu(domain, c);
	xml_set(xml_add(domain, "clock"), "offset", "utc");
	add_ends(domain, c);
	add_devices(domain, c);
	line = xml_add_in(domain, "qemu", "commandline");
	add_network(line, c);
	if (c->nvme)
		add_nvme(line, c);
	return xml_finish(domain);
}
