/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/mem.h"
#include "vm/appliance_xml.h"
#include "vm/pool_internal.h"
#include "vm/virt.h"
#include "vm/xml.h"

static bool says(const char *capabilities, const char *path)
{
	_cleanup_free_ char *value = xml_value(capabilities, path);

	return value != NULL;
}

/* https://libvirt.org/formatdomaincaps.html */
int pool_ask_host(struct pool *p, const char *arch, const char *machine, struct pool_host *ret,
		  struct error *err)
{
	_cleanup_free_ char *plain = NULL, *kvm = NULL, *what = NULL;

	plain = virConnectGetDomainCapabilities(p->connection, NULL, arch, machine, "qemu", 0);
	if (!plain) {
		what = xasprintf("%s: virtual machines of %s, %s (is their qemu installed there?)", p->uri,
				 arch, machine);
		return virt_error(err, what);
	}
	kvm = virConnectGetDomainCapabilities(p->connection, NULL, arch, machine, "kvm", 0);
	*ret = (struct pool_host){
		.kvm = kvm != NULL,
		.efi = says(plain, "/domainCapabilities/os/enum[@name = 'firmware']/value[. = 'efi']"),
		.secure_boot =
			says(plain, "/domainCapabilities/os/loader/enum[@name = 'secure']/value[. = 'yes']"),
		.tpm = says(plain, "/domainCapabilities/devices/tpm[@supported = 'yes']"
				   "/enum[@name = 'backendModel']/value[. = 'emulator']"),
	};
	return 0;
}

bool pool_has_network(struct pool *p, const char *name, bool *ret_active)
{
	virNetworkPtr network = virNetworkLookupByName(p->connection, name);

	if (!network)
		return false;
	*ret_active = virNetworkIsActive(network) == 1;
	(void)virNetworkFree(network);
	return true;
}

void pool_domain_free(struct pool_domain *d)
{
	free(d->marks);
	*d = (struct pool_domain){0};
}

int pool_find_domain(struct pool *p, const char *name, bool *ret_there, struct pool_domain *ret,
		     struct error *err)
{
	_cleanup_free_ char *what = xasprintf("domain '%s' of %s", name, p->uri);
	virDomainPtr found = virDomainLookupByName(p->connection, name);
	const virError *last = virGetLastError();
	struct pool_domain d = {.uuid = ""};
	int r = 0;

	*ret = d;
	*ret_there = found != NULL;
	if (!found)
		return last && last->code == VIR_ERR_NO_DOMAIN ? 0 : virt_error(err, what);
	d.running = virDomainIsActive(found) == 1;
	d.persistent = virDomainIsPersistent(found) == 1;
	if (virDomainGetUUIDString(found, d.uuid) < 0)
		r = virt_error(err, what);
	if (r == 0 && d.persistent)
		d.marks = virDomainGetMetadata(found, VIR_DOMAIN_METADATA_ELEMENT, APPLIANCE_NAMESPACE,
					       VIR_DOMAIN_AFFECT_CONFIG);
	(void)virDomainFree(found);
	if (r == 0)
		*ret = d;
	return r;
}

int pool_define(struct pool *p, const char *xml, struct error *err)
{
	_cleanup_free_ char *what = xasprintf("defining the domain at %s", p->uri);
	virDomainPtr made = virDomainDefineXML(p->connection, xml);

	if (!made)
		return virt_error(err, what);
	(void)virDomainFree(made);
	return 0;
}
