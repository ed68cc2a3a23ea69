/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenStack's image service, version 2 (docs.openstack.org/api-ref/image/v2). An image is made without bytes ("queued"), gets them in one
 * stream ("saving") and is "active" from then on, for good.
 */
#ifndef MKAPPLIANCE_CLOUD_GLANCE_H
#define MKAPPLIANCE_CLOUD_GLANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "cloud/openstack.h"

struct glance_property {
	const char *name, *value;
};

/* What is asked for; borrowed. */
struct glance_create {
	const char *id; /* chosen by us: whoever makes it again gets -EEXIST */
	const char *name;
	const char *visibility; /* "private", "shared", "public" */
	uint64_t min_disk_gib;
	bool protect;
	const struct glance_property *properties;
	size_t property_count;
};

/* What is there. */
struct glance_image {
	char *id, *name, *status;
	char *sha512;	  /* of its bytes; NULL: none, or the service uses another hash */
	char *blocks;	  /* our property "mkappliance_blocks"; NULL */
	char *state;	  /* and "mkappliance_state" */
	char *visibility; /* NULL: it does not say */
	uint64_t size;	  /* 0: no bytes yet */
};

void glance_image_free(struct glance_image *i);
#define _cleanup_glance_image_ __attribute__((cleanup(glance_image_free)))

int glance_create(struct openstack *o, const struct glance_create *c, struct glance_image *ret,
		  struct error *err);
/* *@ret_found false: there is none, or it was deleted. */
int glance_get(struct openstack *o, const char *id, bool *ret_found, struct glance_image *ret,
	       struct error *err);
/* The newest of that name in our project. */
int glance_find(struct openstack *o, const char *name, bool *ret_found, struct glance_image *ret,
		struct error *err);
/* The bytes, by @read (struct http_request); not tried again. */
int glance_put(struct openstack *o, const char *id, uint64_t len,
	       int64_t (*read)(void *user, uint64_t offset, void *buf, size_t size), void *user,
	       struct error *err);
/* Bytes @offset to @offset + @len; other than that many are -EBADMSG. */
int glance_read(struct openstack *o, const char *id, uint64_t offset, size_t len, struct buf *ret,
		struct error *err);
/* Adds or replaces a property, one of our own or of the service's. */
int glance_set(struct openstack *o, const char *id, const char *name, const char *value, struct error *err);
/* Protects it from deletion. */
int glance_protect(struct openstack *o, const char *id, struct error *err);
/* Another project may see it; its visibility must be "shared". One that may already is fine. */
int glance_share(struct openstack *o, const char *id, const char *project, struct error *err);
int glance_delete(struct openstack *o, const char *id, struct error *err);

#endif
