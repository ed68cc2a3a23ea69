/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session with an OpenStack cloud: Keystone's Identity API v3 gives a token and the catalog, in which the image service is found
 * (docs.openstack.org/api-ref/identity/v3: "Password authentication with scoped authorization", "Authenticating with an Application Credential").
 * One thread.
 */
#ifndef MKAPPLIANCE_CLOUD_OPENSTACK_H
#define MKAPPLIANCE_CLOUD_OPENSTACK_H

#include "cloud/http.h"
#include "cloud/openstack_config.h"
#include "cloud/retry.h"
#include "lib/json.h"

struct openstack;

/* Takes over @config, also when it fails. Makes no request. */
int openstack_open(struct openstack_config *config, struct openstack **ret, struct error *err);
void openstack_close(struct openstack *o);

/* Gets a token, unless there is one that is good for @seconds still. Wrong credentials are -EKEYREJECTED. */
int openstack_authenticate(struct openstack *o, unsigned seconds, struct error *err);

/* Of the token; borrowed. */
const char *openstack_project(const struct openstack *o); /* id */
const char *openstack_user(const struct openstack *o);	  /* name */
const char *openstack_region(const struct openstack *o);  /* of the image service */
const struct retry_stats *openstack_retries(const struct openstack *o);

struct openstack_call {
	const char *action; /* for messages: "image:create" */
	const char *method;
	const char *path;	  /* of the image service, "/v2/images" */
	const char *content_type; /* of @json or @read; NULL: application/json */
	const struct json *json;  /* the body; NULL: none */
	/* A body that is not in memory, sent once: see struct http_request. */
	int64_t (*read)(void *user, uint64_t offset, void *buf, size_t size);
	void *read_user;
	uint64_t read_len;
	const char *range;   /* "bytes=0-524287"; NULL: all */
	size_t response_max; /* 0: 1 MiB */
};

/*
 * One call of the image service, tried again as retry.h says (but a body by @read: once). 0 for an answer with a status of 2xx or one of
 * @expected (ends in 0; may be NULL). Otherwise -errno with action, status and the service's own words: -EACCES 403, -ENOENT 404, -EEXIST 409,
 * -EDQUOT 413, -EIO the rest. @ret is always to be freed.
 */
int openstack_call(struct openstack *o, const struct openstack_call *call, const int *expected,
		   struct http_reply *ret, struct error *err);

#endif
