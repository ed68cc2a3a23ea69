/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/domain_xml.h"

#include <libxml/tree.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/mem.h"

#define QEMU_NAMESPACE "http://libvirt.org/schemas/domain/qemu/1.0"

/* libxml2 says NULL only for lack of memory: nothing here is read from outside. */
static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static const xmlChar *x(const char *s)
{
	return (const xmlChar *)s;
}

static xmlNodePtr add(xmlNodePtr parent, const char *name)
{
	return must(xmlNewChild(parent, NULL, x(name), NULL));
}

static xmlNodePtr add_text(xmlNodePtr parent, const char *name, const char *text)
{
	return must(xmlNewTextChild(parent, NULL, x(name), x(text)));
}

static void set(xmlNodePtr node, const char *name, const char *value)
{
	must(xmlNewProp(node, x(name), x(value)));
}

static void add_number(xmlNodePtr parent, const char *name, unsigned n)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", n);
	add_text(parent, name, text);
}

static void add_os(xmlNodePtr domain, const struct domain_config *c)
{
	xmlNodePtr os = add(domain, "os"), node;

	node = add_text(os, "type", "hvm");
	set(node, "arch", c->arch);
	set(node, "machine", c->machine);
	node = add_text(os, "loader", c->firmware_code);
	set(node, "readonly", "yes");
	set(node, "type", "pflash");
	if (c->secure_boot)
		set(node, "secure", "yes");
	add_text(os, "nvram", c->firmware_vars);
}

static void add_cpu(xmlNodePtr domain, const struct domain_config *c)
{
	set(add(domain, "cpu"), "mode", c->kvm ? "host-passthrough" : "maximum");
}

/* What happens at the end of the guest; a crash of qemu itself always ends it. */
static void add_ends(xmlNodePtr domain, const struct domain_config *c)
{
	add_text(domain, "on_poweroff", "destroy");
	add_text(domain, "on_reboot", c->reboot_ends ? "destroy" : "restart");
	add_text(domain, "on_crash", "destroy");
}

/* A raw file as the virtio disk @target ("vda"). */
static xmlNodePtr add_raw(xmlNodePtr devices, const struct domain_config *c, const char *file,
			  const char *target)
{
	xmlNodePtr disk = add(devices, "disk"), node;

	set(disk, "type", "file");
	set(disk, "device", "disk");
	node = add(disk, "driver");
	set(node, "name", "qemu");
	set(node, "type", "raw");
	node = add(disk, "source");
	set(node, "file", file);
	if (c->keep_owner) {
		node = add(node, "seclabel");
		set(node, "model", "dac");
		set(node, "relabel", "no");
	}
	node = add(disk, "target");
	set(node, "dev", target);
	set(node, "bus", "virtio");
	return disk;
}

static void add_disks(xmlNodePtr devices, const struct domain_config *c)
{
	xmlNodePtr image = add_raw(devices, c, c->image, "vda");
	char target[] = "vdb";

	add(image, "readonly");
	set(add(image, "boot"), "order", "1");
	for (size_t i = 0; c->disks && i < c->disks->len; i++, target[2]++)
		(void)add_raw(devices, c, c->disks->ptr[i], target);
}

static void add_console(xmlNodePtr devices, const struct domain_config *c)
{
	xmlNodePtr serial = add(devices, "serial"), source = add(serial, "source");

	set(serial, "type", c->console_file ? "file" : "unix");
	if (!c->console_file)
		set(source, "mode", "connect");
	set(source, "path", c->console_file ? c->console_file : c->console_socket);
	if (c->console_file)
		set(source, "append", "on");
	set(add(serial, "target"), "port", "0");
}

static void add_tpm(xmlNodePtr devices)
{
	xmlNodePtr tpm = add(devices, "tpm"), backend = add(tpm, "backend"), banks;

	set(tpm, "model", "tpm-crb");
	set(backend, "type", "emulator");
	set(backend, "version", "2.0");
	banks = add(backend, "active_pcr_banks");
	add(banks, "sha256");
	add(banks, "sha384");
}

static void add_devices(xmlNodePtr domain, const struct domain_config *c)
{
	xmlNodePtr devices = add(domain, "devices"), node;

	if (c->emulator)
		add_text(devices, "emulator", c->emulator);
	add_disks(devices, c);
	add_console(devices, c);
	if (c->tpm)
		add_tpm(devices);
	/* Nothing more than a cloud instance has: no USB, no balloon. */
	node = add(devices, "controller");
	set(node, "type", "usb");
	set(node, "model", "none");
	set(add(devices, "memballoon"), "model", "none");
}

/*
 * User-mode networking behind libvirt's back: its own <interface type='user'> forwards no ports before
 * passt (9.2). The slot on the root bus is far above those that libvirt hands out. No boot ROM, or the
 * firmware would try the network.
 */
static void add_network(xmlNodePtr domain, xmlNsPtr ns, const struct domain_config *c)
{
	xmlNodePtr line = must(xmlNewChild(domain, ns, x("commandline"), NULL));
	struct buf netdev = {0};
	const char *args[4] = {
		"-netdev", NULL, "-device",
		"virtio-net-pci,netdev=user0,romfile=,mac=52:54:00:6d:6b:61,bus=pcie.0,addr=0x10"};

	buf_printf(&netdev, "user,id=user0");
	for (size_t i = 0; i < c->forward_count; i++)
		buf_printf(&netdev, ",hostfwd=tcp:127.0.0.1:%u-:%u", c->forwards[i].host,
			   c->forwards[i].guest);
	args[1] = netdev.ptr;
	for (size_t i = 0; i < 4; i++) {
		xmlNodePtr arg = must(xmlNewChild(line, ns, x("arg"), NULL));

		set(arg, "value", args[i]);
	}
	buf_free(&netdev);
}

bool domain_xml_can_hold(const char *text)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20)
			return false;
	return xmlCheckUTF8((const unsigned char *)text);
}

char *domain_xml(const struct domain_config *c)
{
	xmlDocPtr doc = must(xmlNewDoc(x("1.0")));
	xmlNodePtr domain = must(xmlNewNode(NULL, x("domain"))), node;
	xmlNsPtr ns = must(xmlNewNs(domain, x(QEMU_NAMESPACE), x("qemu")));
	xmlChar *text = NULL;
	char *copy;
	int len;

	xmlDocSetRootElement(doc, domain);
	set(domain, "type", c->kvm ? "kvm" : "qemu");
	add_text(domain, "name", c->name);
	add_number(domain, "memory", c->memory);
	set(domain->last, "unit", "MiB");
	add_number(domain, "vcpu", c->cpus);
	add_os(domain, c);
	node = add(domain, "features");
	add(node, "acpi");
	add(node, "apic");
	if (c->secure_boot)
		set(add(node, "smm"), "state", "on");
	add_cpu(domain, c);
	set(add(domain, "clock"), "offset", "utc");
	add_ends(domain, c);
	add_devices(domain, c);
	add_network(domain, ns, c);

	xmlDocDumpFormatMemory(doc, &text, &len, 1);
	copy = xstrndup(must(text), (size_t)len);
	xmlFree(text);
	xmlFreeDoc(doc);
	return copy;
}
