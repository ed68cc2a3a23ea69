/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/kernel_devices.h"

#include <string.h>

#include "lib/cleanup.h"

/*
 * Patterns of modaliases, as the kernel has them in sysfs (drivers/pci/pci-sysfs.c, drivers/virtio/virtio.c):
 * a disk or network interface by virtio (Virtual I/O Device 1.2, 4.1.2: vendor 1AF4, device 1000 and 1001 of the transitional kind, else
 * 1040 and the type), NVMe (PCI Code and ID Assignment 1.15, 1.2: class 01, 08, 02), Amazon's network interface (vendor 1D0F, class 02).
 */
#define VIRTIO_NETWORK "pci:v00001AF4d00001000sv* pci:v00001AF4d00001041sv*"
#define VIRTIO_DISK    "pci:v00001AF4d00001001sv* pci:v00001AF4d00001042sv*"

static const struct {
	const char *module;
	const char *devices;
	const char *of_network; /* NULL, or these too where there is one */
} drivers[] = {
	{"virtio_pci", VIRTIO_DISK, VIRTIO_NETWORK}, {"virtio_blk", "virtio:d00000002v*", NULL},
	{"virtio_net", "virtio:d00000001v*", NULL},  {"nvme", "pci:v*bc01sc08i02*", NULL},
	{"ena", "pci:v00001D0Fd*bc02sc*", NULL},
};

/* Why a module is there: the names of what needs it. */
struct reason {
	struct strlist needs; /* names of modules, its own too */
	char *devices;	      /* NULL: for every machine */
};

struct reasons {
	struct reason *ptr;
	size_t len;
};

static void reasons_free(struct reasons *r)
{
	for (size_t i = 0; i < r->len; i++) {
		strlist_free(&r->ptr[i].needs);
		free(r->ptr[i].devices);
	}
	free(r->ptr);
}

static char *devices_of(const struct template *t, const char *module)
{
	bool network = t->init.mode == INIT_SYSTEM || t->init.network != NETWORK_NONE;

	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (strcmp(drivers[i].module, module) == 0)
			return drivers[i].of_network && network
				       ? xasprintf("%s %s", drivers[i].devices, drivers[i].of_network)
				       : xstrdup(drivers[i].devices);
	return NULL;
}

/* @devices is taken over. */
static int add_reason(struct modules *m, const char *module, char *devices, struct reasons *to,
		      struct error *err)
{
	struct reason *r = &to->ptr[to->len++];

	*r = (struct reason){.devices = devices};
	return modules_needs(m, module, true, &r->needs, err);
}

/* A driver of another device of the same kind that the template names: what brings such devices is for every machine then. */
static bool needs_virtio(const struct reasons *r)
{
	for (size_t i = 0; i < r->len; i++)
		if (!r->ptr[i].devices && strlist_has(&r->ptr[i].needs, "virtio"))
			return true;
	return false;
}

static int find_reasons(struct modules *m, const struct template *t, const char *const *const *defaults,
			struct reasons *ret, struct error *err)
{
	const struct strlist *named[] = {&t->kernel.initrd_modules, &t->kernel.modules};
	size_t count = named[0]->len + named[1]->len;
	bool all;
	int r = 0;

	for (size_t d = 0; defaults[d]; d++)
		for (size_t i = 0; defaults[d][i]; i++)
			count++;
	ret->ptr = xcalloc(count, sizeof(*ret->ptr));
	for (size_t n = 0; n < 2; n++)
		for (size_t i = 0; r == 0 && i < named[n]->len; i++)
			r = add_reason(m, named[n]->ptr[i], NULL, ret, err);
	all = needs_virtio(ret);
	for (size_t d = 0; defaults[d]; d++)
		for (size_t i = 0; r == 0 && defaults[d][i]; i++) {
			const char *name = defaults[d][i];
			bool every = all && strcmp(name, "virtio_pci") == 0;

			r = add_reason(m, name, every ? NULL : devices_of(t, name), ret, err);
		}
	return r;
}

/* NULL when one of the reasons is for every machine. */
static char *devices_for(const struct reasons *r, const char *module)
{
	_cleanup_buf_ struct buf text = {0};

	for (size_t i = 0; i < r->len; i++) {
		if (!strlist_has(&r->ptr[i].needs, module))
			continue;
		if (!r->ptr[i].devices)
			return NULL;
		buf_printf(&text, "%s%s", text.len ? " " : "", r->ptr[i].devices);
	}
	return text.len ? buf_steal(&text) : NULL;
}

int kernel_devices(struct modules *m, const struct template *t, const char *const *const *defaults,
		   struct kernel_module *list, size_t len, struct error *err)
{
	_cleanup_(reasons_free) struct reasons reasons = {0};
	int r = find_reasons(m, t, defaults, &reasons, err);

	for (size_t i = 0; r == 0 && i < len; i++)
		list[i].devices = devices_for(&reasons, list[i].name);
	return r;
}
