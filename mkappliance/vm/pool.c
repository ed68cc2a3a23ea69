/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/pool.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "vm/pool_internal.h"
#include "vm/virt.h"
#include "vm/xml.h"

#define DEFAULT_URI "qemu:///system"

void pool_close(struct pool *p)
{
	if (!p)
		return;
	if (p->pool)
		(void)virStoragePoolFree(p->pool);
	if (p->connection)
		(void)virConnectClose(p->connection);
	free(p->uri);
	free(p->name);
	free(p->type);
	free(p);
}

void pool_closep(struct pool **p)
{
	pool_close(*p);
}

const char *pool_uri(const struct pool *p)
{
	return p->uri;
}

const char *pool_name(const struct pool *p)
{
	return p->name;
}

const char *pool_type(const struct pool *p)
{
	return p->type;
}

/* A URI without a host: "qemu:///system", "qemu+unix:///session". */
bool pool_is_local(const struct pool *p)
{
	return strstr(p->uri, ":///") != NULL;
}

bool pool_holds_files(const struct pool *p)
{
	return strcmp(p->type, "dir") == 0 || strcmp(p->type, "fs") == 0 || strcmp(p->type, "netfs") == 0;
}

static int connection_error(const char *uri, struct error *err)
{
	_cleanup_free_ char *what = xasprintf("libvirt (%s)", uri), *said = NULL;
	int r = virt_error(err, what);

	said = xstrdup(err->text);
	return error_set(
		err, r,
		"%s; is it the right --connect=URI, does libvirt run there, and may you use it (group "
		"'libvirt')?",
		said);
}

static int connect_to(struct pool *p, const char *uri, struct error *err)
{
	char *said;

	virt_silence();
	p->connection = virConnectOpen(uri);
	if (!p->connection)
		return connection_error(uri, err);
	said = virConnectGetURI(p->connection);
	p->uri = xstrdup(said ? said : uri);
	free(said);
	return 0;
}

/* "a, b", or "none". */
static char *list_pools(struct pool *p)
{
	virStoragePoolPtr *list = NULL;
	int count = virConnectListAllStoragePools(p->connection, &list, 0);
	struct buf names = {0};

	for (int i = 0; i < count; i++) {
		buf_printf(&names, "%s%s", i ? ", " : "", virStoragePoolGetName(list[i]));
		(void)virStoragePoolFree(list[i]);
	}
	free(list);
	if (names.len == 0)
		buf_printf(&names, "none");
	return buf_steal(&names);
}

static int find_pool(struct pool *p, struct error *err)
{
	_cleanup_free_ char *what = xasprintf("storage pool '%s' of %s", p->name, p->uri), *known = NULL;
	const virError *last;

	p->pool = virStoragePoolLookupByName(p->connection, p->name);
	if (p->pool)
		return 0;
	last = virGetLastError();
	if (!last || last->code != VIR_ERR_NO_STORAGE_POOL)
		return virt_error(err, what);
	known = list_pools(p);
	return error_set(err, -ENOENT,
			 "%s has no storage pool '%s' (it has: %s): name one by --pool, or make it: virsh -c "
			 "%s pool-create-as %s dir --target DIRECTORY",
			 p->uri, p->name, known, p->uri, p->name);
}

static int check_active(struct pool *p, struct error *err)
{
	if (virStoragePoolIsActive(p->pool) == 1)
		return 0;
	return error_set(err, -EAGAIN, "storage pool '%s' of %s is not active: virsh -c %s pool-start %s",
			 p->name, p->uri, p->uri, p->name);
}

/*
 * What came into the pool without libvirt, and the room that is left, libvirt knows only after a refresh. It refuses one while volumes are
 * being made, which is no matter; one that fails makes the pool inactive.
 */
static int refresh(struct pool *p, struct error *err)
{
	_cleanup_free_ char *what = xasprintf("storage pool '%s' of %s", p->name, p->uri), *xml = NULL;

	if (virStoragePoolRefresh(p->pool, 0) < 0) {
		if (virStoragePoolIsActive(p->pool) != 1)
			return virt_error(err, what);
		log_debug("%s is not refreshed: %s", what, virGetLastErrorMessage());
	}
	xml = virStoragePoolGetXMLDesc(p->pool, 0);
	p->type = xml ? xml_value(xml, "/pool/@type") : NULL;
	return p->type ? 0 : virt_error(err, what);
}

int pool_open(const char *uri, const char *name, struct pool **ret, struct error *err)
{
	const char *by_default = getenv("LIBVIRT_DEFAULT_URI");
	_cleanup_pool_ struct pool *p = xcalloc(1, sizeof(*p));
	int r;

	if (!uri)
		uri = by_default && by_default[0] ? by_default : DEFAULT_URI;
	p->name = xstrdup(name);
	r = connect_to(p, uri, err);
	if (r == 0)
		r = find_pool(p, err);
	if (r == 0)
		r = check_active(p, err);
	if (r == 0)
		r = refresh(p, err);
	if (r < 0)
		return r;
	*ret = steal_pointer(&p);
	return 0;
}

int pool_room(struct pool *p, uint64_t *ret, struct error *err)
{
	virStoragePoolInfo info;

	if (virStoragePoolGetInfo(p->pool, &info) < 0)
		return virt_error(err, p->name);
	*ret = info.available;
	return 0;
}
