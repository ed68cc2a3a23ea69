/* SPDX-License-Identifier: Apache-2.0 */
/* Between the pool's files. */
#ifndef MKAPPLIANCE_VM_POOL_INTERNAL_H
#define MKAPPLIANCE_VM_POOL_INTERNAL_H

#include <libvirt/libvirt.h>

#include "vm/pool.h"

struct pool {
	virConnectPtr connection;
	virStoragePoolPtr pool;
	char *uri, *name, *type;
};

#endif
