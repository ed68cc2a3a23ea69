/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/appliance_xml.h"

#include <string.h>

#include "lib/cleanup.h"
#include "lib/hash.h"
#include "lib/mem.h"
#include "vm/xml.h"

static bool is_arm(const struct appliance_config *c)
{
	return strcmp(c->arch, "aarch64") == 0;
}

/* @config NULL: without that attribute. */
static void add_marks(struct xml_node *domain, const struct appliance_config *c, const char *config)
{
	struct xml_node *node = xml_add(xml_add(domain, "metadata"), "appliance");

	xml_declare(node, NULL, APPLIANCE_NAMESPACE);
	xml_set(node, "name", c->marks.name);
	xml_set(node, "version", c->marks.version);
	xml_set(node, "root-hash", c->marks.root_hash);
	xml_set(node, "blocks", c->marks.blocks);
	xml_set(node, "pool", c->marks.pool);
	xml_set(node, "volume", c->marks.volume);
	if (config)
		xml_set(node, "config", config);
}

static void add_feature(struct xml_node *firmware, const char *name, bool enabled)
{
	struct xml_node *feature = xml_add(firmware, "feature");

	xml_set(feature, "enabled", enabled ? "yes" : "no");
	xml_set(feature, "name", name);
}

/*
 * The host chooses its firmware. Where that has no keys of its own and the variables have ours, only what they signed starts. (Since
 * libvirt 9.0 takes no <nvram template=> beside its own choice, the variables are this domain's file, not a template.)
 */
static void add_os(struct xml_node *domain, const struct appliance_config *c)
{
	struct xml_node *os = xml_add(domain, "os"), *node;

	xml_set(os, "firmware", "efi");
	node = xml_add_text(os, "type", "hvm");
	xml_set(node, "arch", c->arch);
	xml_set(node, "machine", c->machine);
	node = xml_add(os, "firmware");
	add_feature(node, "secure-boot", c->nvram != NULL);
	if (c->nvram) {
		add_feature(node, "enrolled-keys", false);
		xml_add_text(os, "nvram", c->nvram);
	}
}

static void add_features(struct xml_node *domain, const struct appliance_config *c)
{
	struct xml_node *features = xml_add(domain, "features");

	xml_add(features, "acpi");
	if (!is_arm(c))
		xml_add(features, "apic");
	if (c->nvram)
		xml_set(xml_add(features, "smm"), "state", "on");
}

/*
 * By its path where it has one: AppArmor's helper knows no pools (<disk type='volume'>), and would keep the machine from its disk.
 */
static void add_disk(struct xml_node *devices, const struct appliance_config *c)
{
	struct xml_node *disk = xml_add(devices, "disk"), *node;
	enum pool_volume_kind kind = c->volume->kind;

	xml_set(disk, "type",
		kind == POOL_VOLUME_FILE    ? "file"
		: kind == POOL_VOLUME_BLOCK ? "block"
					    : "volume");
	xml_set(disk, "device", "disk");
	node = xml_add(disk, "driver");
	xml_set(node, "name", "qemu");
	xml_set(node, "type", "raw");
	node = xml_add(disk, "source");
	if (kind == POOL_VOLUME_OTHER) {
		xml_set(node, "pool", c->marks.pool);
		xml_set(node, "volume", c->marks.volume);
	} else {
		xml_set(node, kind == POOL_VOLUME_FILE ? "file" : "dev", c->volume->path);
	}
	node = xml_add(disk, "target");
	xml_set(node, "dev", "vda");
	xml_set(node, "bus", "virtio");
	xml_add(disk, "readonly");
	xml_set(xml_add(disk, "boot"), "order", "1");
}

/* No boot ROM, or the firmware would try the network. */
static void add_network(struct xml_node *devices, const struct appliance_config *c)
{
	struct xml_node *interface = xml_add(devices, "interface");

	xml_set(interface, "type", c->network ? "network" : "user");
	if (c->network)
		xml_set(xml_add(interface, "source"), "network", c->network);
	xml_set(xml_add(interface, "model"), "type", "virtio");
	xml_set(xml_add(interface, "rom"), "enabled", "no");
}

static void add_tpm(struct xml_node *devices, const struct appliance_config *c)
{
	struct xml_node *tpm = xml_add(devices, "tpm"), *backend = xml_add(tpm, "backend");

	xml_set(tpm, "model", is_arm(c) ? "tpm-tis" : "tpm-crb");
	xml_set(backend, "type", "emulator");
	xml_set(backend, "version", "2.0");
}

static void add_devices(struct xml_node *domain, const struct appliance_config *c)
{
	struct xml_node *devices = xml_add(domain, "devices"), *node;

	add_disk(devices, c);
	add_network(devices, c);
	node = xml_add(devices, "serial");
	xml_set(node, "type", "pty");
	xml_set(xml_add(node, "target"), "port", "0");
	if (c->tpm)
		add_tpm(devices, c);
	/* Nothing more than a cloud instance has: no USB, no balloon. */
	node = xml_add(devices, "controller");
	xml_set(node, "type", "usb");
	xml_set(node, "model", "none");
	xml_set(xml_add(devices, "memballoon"), "model", "none");
}

static char *write_xml(const struct appliance_config *c, const char *uuid, const char *config)
{
	struct xml_node *domain = xml_new("domain");

	xml_set(domain, "type", c->kvm ? "kvm" : "qemu");
	xml_add_text(domain, "name", c->domain);
	if (uuid)
		xml_add_text(domain, "uuid", uuid);
	if (c->description)
		xml_add_text(domain, "description", c->description);
	add_marks(domain, c, config);
	xml_set(xml_add_number(domain, "memory", c->memory), "unit", "MiB");
	xml_add_number(domain, "vcpu", c->cpus);
	add_os(domain, c);
	add_features(domain, c);
	xml_set(xml_add(domain, "cpu"), "mode", c->kvm ? "host-passthrough" : "maximum");
	xml_set(xml_add(domain, "clock"), "offset", "utc");
	xml_add_text(domain, "on_poweroff", "destroy");
	xml_add_text(domain, "on_reboot", "restart");
	xml_add_text(domain, "on_crash", "destroy");
	add_devices(domain, c);
	return xml_finish(domain);
}

static void digest_of(const struct appliance_config *c, char ret[SHA256_HEX_SIZE])
{
	_cleanup_free_ char *plain = write_xml(c, NULL, NULL);
	struct sha256 digest;

	sha256_of(plain, strlen(plain), &digest);
	hex_encode(digest.b, SHA256_SIZE, ret);
}

char *appliance_xml(const struct appliance_config *c)
{
	char config[SHA256_HEX_SIZE];

	digest_of(c, config);
	return write_xml(c, c->uuid, config);
}

char *appliance_mark(const char *marks, const char *attribute)
{
	_cleanup_free_ char *path = xasprintf("/*/@%s", attribute);

	return xml_value(marks, path);
}

bool appliance_same(const char *marks, const struct appliance_config *c)
{
	_cleanup_free_ char *said = appliance_mark(marks, "config");
	char config[SHA256_HEX_SIZE];

	digest_of(c, config);
	return said && strcmp(said, config) == 0;
}
