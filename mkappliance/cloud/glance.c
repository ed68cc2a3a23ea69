/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/glance.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/sigv4.h"
#include "lib/cleanup.h"
#include "lib/percent.h"

#define IMAGES	    "/v2/images"
#define PATCH_TYPE  "application/openstack-images-v2.1-json-patch"
#define STREAM_TYPE "application/octet-stream"

static const int created_before[] = {409, 0};
static const int not_found[] = {404, 0};

void glance_image_free(struct glance_image *i)
{
	free(i->id);
	free(i->name);
	free(i->status);
	free(i->sha512);
	free(i->blocks);
	free(i->state);
	free(i->visibility);
	*i = (struct glance_image){0};
}

static char *copy_string(const struct json *j, const char *member)
{
	const char *text = js_string(js_member(j, member));

	return text ? xstrdup(text) : NULL;
}

static int read_image(const struct json *j, struct glance_image *ret, struct error *err)
{
	_cleanup_glance_image_ struct glance_image i = {0};
	const char *algorithm = js_string(js_member(j, "os_hash_algo"));
	int64_t size = 0;

	i.id = copy_string(j, "id");
	i.status = copy_string(j, "status");
	i.name = copy_string(j, "name");
	i.blocks = copy_string(j, "mkappliance_blocks");
	i.state = copy_string(j, "mkappliance_state");
	i.visibility = copy_string(j, "visibility");
	if (algorithm && strcmp(algorithm, "sha512") == 0)
		i.sha512 = copy_string(j, "os_hash_value");
	if (js_int(js_member(j, "size"), &size) && size > 0)
		i.size = (uint64_t)size;
	if (!i.id || !i.status)
		return error_set(err, -EBADMSG,
				 "the image service's answer is no image: no 'id' or 'status'");
	*ret = i;
	i = (struct glance_image){0};
	return 0;
}

static int parse(const struct http_reply *reply, struct json **ret, struct error *err)
{
	return js_parse(reply->body.ptr ? reply->body.ptr : "", reply->body.len, "the image service's answer",
			ret, err);
}

int glance_create(struct openstack *o, const struct glance_create *c, struct glance_image *ret,
		  struct error *err)
{
	_cleanup_json_ struct json *body = js_object_new(), *answer = NULL;
	_cleanup_reply_ struct http_reply reply = {0};
	int r;

	js_set_string(body, "id", c->id);
	js_set_string(body, "name", c->name);
	js_set_string(body, "disk_format", "raw");
	js_set_string(body, "container_format", "bare");
	js_set_string(body, "visibility", c->visibility);
	js_set_int(body, "min_disk", (int64_t)c->min_disk_gib);
	js_set_bool(body, "protected", c->protect);
	for (size_t i = 0; i < c->property_count; i++)
		js_set_string(body, c->properties[i].name, c->properties[i].value);
	r = openstack_call(o,
			   &(struct openstack_call){
				   .action = "image:create", .method = "POST", .path = IMAGES, .json = body},
			   NULL, &reply, err);
	if (r == 0)
		r = parse(&reply, &answer, err);
	return r < 0 ? r : read_image(answer, ret, err);
}

int glance_get(struct openstack *o, const char *id, bool *ret_found, struct glance_image *ret,
	       struct error *err)
{
	_cleanup_free_ char *path = xasprintf(IMAGES "/%s", id);
	_cleanup_json_ struct json *answer = NULL;
	_cleanup_reply_ struct http_reply reply = {0};
	int r = openstack_call(o,
			       &(struct openstack_call){.action = "image:get", .method = "GET", .path = path},
			       not_found, &reply, err);

	if (r < 0)
		return r;
	*ret_found = reply.status != 404;
	if (!*ret_found)
		return 0;
	r = parse(&reply, &answer, err);
	return r < 0 ? r : read_image(answer, ret, err);
}

int glance_find(struct openstack *o, const char *name, bool *ret_found, struct glance_image *ret,
		struct error *err)
{
	_cleanup_buf_ struct buf path = {0};
	_cleanup_json_ struct json *answer = NULL;
	_cleanup_reply_ struct http_reply reply = {0};
	const struct json *list;
	int r;

	buf_printf(&path, IMAGES "?sort=created_at:desc&limit=1&owner=%s&name=", openstack_project(o));
	percent_encode(&path, name, "");
	r = openstack_call(
		o, &(struct openstack_call){.action = "image:list", .method = "GET", .path = path.ptr}, NULL,
		&reply, err);
	if (r == 0)
		r = parse(&reply, &answer, err);
	if (r < 0)
		return r;
	list = js_member(answer, "images");
	*ret_found = js_array_len(list) > 0;
	return *ret_found ? read_image(js_array_get(list, 0), ret, err) : 0;
}

int glance_put(struct openstack *o, const char *id, uint64_t len,
	       int64_t (*read)(void *user, uint64_t offset, void *buf, size_t size), void *user,
	       struct error *err)
{
	_cleanup_free_ char *path = xasprintf(IMAGES "/%s/file", id);
	_cleanup_reply_ struct http_reply reply = {0};

	return openstack_call(o,
			      &(struct openstack_call){.action = "image:upload",
						       .method = "PUT",
						       .path = path,
						       .content_type = STREAM_TYPE,
						       .read = read,
						       .read_user = user,
						       .read_len = len},
			      NULL, &reply, err);
}

int glance_read(struct openstack *o, const char *id, uint64_t offset, size_t len, struct buf *ret,
		struct error *err)
{
	_cleanup_free_ char *path = xasprintf(IMAGES "/%s/file", id);
	_cleanup_free_ char *range = xasprintf("bytes=%" PRIu64 "-%" PRIu64, offset, offset + len - 1);
	_cleanup_reply_ struct http_reply reply = {0};
	int r = openstack_call(o,
			       &(struct openstack_call){.action = "image:download",
							.method = "GET",
							.path = path,
							.range = range,
							.response_max = len + 4096},
			       NULL, &reply, err);

	if (r < 0)
		return r;
	if (reply.status != 206 || reply.body.len != len)
		return error_set(err, -EBADMSG,
				 "image:download: %zu bytes asked for by a range, %zu came with status %d",
				 len, reply.body.len, reply.status);
	*ret = reply.body;
	reply.body = (struct buf){0};
	return 0;
}

/* @text NULL: true. */
static int set_value(struct openstack *o, const char *id, const char *name, const char *text,
		     struct error *err)
{
	_cleanup_free_ char *path = xasprintf(IMAGES "/%s", id), *pointer = xasprintf("/%s", name);
	_cleanup_json_ struct json *patch = js_array_new();
	_cleanup_reply_ struct http_reply reply = {0};
	struct json *one = js_object_new();

	js_set_string(one, "op", "add"); /* which replaces, too: RFC 6902, section 4.1 */
	js_set_string(one, "path", pointer);
	if (text)
		js_set_string(one, "value", text);
	else
		js_set_bool(one, "value", true);
	js_append(patch, one);
	return openstack_call(o,
			      &(struct openstack_call){.action = "image:update",
						       .method = "PATCH",
						       .path = path,
						       .content_type = PATCH_TYPE,
						       .json = patch},
			      NULL, &reply, err);
}

int glance_set(struct openstack *o, const char *id, const char *name, const char *value, struct error *err)
{
	return set_value(o, id, name, value, err);
}

int glance_protect(struct openstack *o, const char *id, struct error *err)
{
	return set_value(o, id, "protected", NULL, err);
}

int glance_share(struct openstack *o, const char *id, const char *project, struct error *err)
{
	_cleanup_free_ char *path = xasprintf(IMAGES "/%s/members", id);
	_cleanup_json_ struct json *body = js_object_new();
	_cleanup_reply_ struct http_reply reply = {0};

	js_set_string(body, "member", project);
	return openstack_call(
		o,
		&(struct openstack_call){
			.action = "image:add_member", .method = "POST", .path = path, .json = body},
		created_before, &reply, err);
}

int glance_delete(struct openstack *o, const char *id, struct error *err)
{
	_cleanup_free_ char *path = xasprintf(IMAGES "/%s", id);
	_cleanup_reply_ struct http_reply reply = {0};

	return openstack_call(
		o, &(struct openstack_call){.action = "image:delete", .method = "DELETE", .path = path},
		not_found, &reply, err);
}
