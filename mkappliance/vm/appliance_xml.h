/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The definition of an appliance as a persistent domain (https://libvirt.org/formatdomain.html) of any host: pure, text from values. It differs from
 * domain_xml.h, which runs an image once and here: the host chooses its own firmware and keeps the variables (the paths are its own, not ours), the
 * image is a volume of a pool, and an element of the metadata says what the domain runs.
 */
#ifndef MKAPPLIANCE_VM_APPLIANCE_XML_H
#define MKAPPLIANCE_VM_APPLIANCE_XML_H

#include <stdbool.h>

#include "vm/pool.h"

/* Of our element <appliance> in <metadata>. */
#define APPLIANCE_NAMESPACE "urn:mkappliance:appliance:1"

/* What a domain runs; its element's attributes. All texts. */
struct appliance_marks {
	const char *name;      /* "name": of the appliance */
	const char *version;   /* "version" */
	const char *root_hash; /* "root-hash": hexadecimal */
	const char *blocks;    /* "blocks": digest over the digests of all blocks, hexadecimal */
	const char *pool;      /* "pool" */
	const char *volume;    /* "volume" */
};

struct appliance_config {
	const char *domain; /* its name */
	const char *uuid;   /* of the one that it replaces; NULL: libvirt makes one */
	const char *description;
	struct appliance_marks marks;
	bool kvm;	     /* else TCG */
	const char *arch;    /* "x86_64", "aarch64" */
	const char *machine; /* "q35", "virt" */
	unsigned memory;     /* MiB */
	unsigned cpus;
	const struct pool_volume
		*volume;   /* of marks.pool and .volume: read only, the only thing to boot from */
	const char *nvram; /* file on the host with the firmware's variables: Secure Boot. NULL: without it */
	bool tpm;	   /* a TPM 2.0 of software (swtpm) whose state the host keeps */
	const char *network; /* libvirt's; NULL: user-mode networking */
};

/*
 * To be freed. The element of the metadata has one more attribute "config", a digest of all that is asked for here but the UUID: a domain with
 * the same one needs no new definition (appliance_same()).
 */
char *appliance_xml(const struct appliance_config *c);

/* Whether @marks, our element of a domain's metadata, is of a domain that was defined from the same values. */
bool appliance_same(const char *marks, const struct appliance_config *c);

/* "name", "version", ... of our element; NULL: it has none. To be freed. */
char *appliance_mark(const char *marks, const char *attribute);

#endif
