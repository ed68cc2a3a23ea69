/* SPDX-License-Identifier: Apache-2.0 */
/* Between openstack.c and keystone.c. */
#ifndef MKAPPLIANCE_CLOUD_OPENSTACK_INTERNAL_H
#define MKAPPLIANCE_CLOUD_OPENSTACK_INTERNAL_H

#include <stdbool.h>
#include <time.h>

#include "cloud/openstack.h"

struct openstack {
	struct openstack_config config;
	struct http *http;
	struct retry_stats stats;
	char *token;
	time_t expires;
	char *project, *user, *region;
	char *endpoint; /* of the image service, without "/v2" and slash at its end */
};

/* An error of what was answered, or not answered, in the service's own words. */
int openstack_fail(const char *action, const struct http_reply *reply, struct error *err);

/* Waits before another attempt when that is worth it; *@ret false: it is not. */
int openstack_wait_again(struct openstack *o, struct retry *state, const struct http_reply *reply, bool *ret,
			 struct error *err);

#endif
