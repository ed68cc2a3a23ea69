/* SPDX-License-Identifier: Apache-2.0 */
/* OpenStack's Glance as a place for images. */
#ifndef MKAPPLIANCE_CLOUD_OPENSTACK_UPLOAD_H
#define MKAPPLIANCE_CLOUD_OPENSTACK_UPLOAD_H

#include "cloud/provider.h"

extern const struct provider provider_openstack;

#endif
