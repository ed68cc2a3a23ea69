/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Glance takes an image in one stream, without parts, holes or going on: what can be saved is the whole of it. The id is ours, made of
 * project, name and content, so that the same image is found again whatever happened, and two uploads of it cannot make two.
 */
#include "cloud/openstack_upload.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cloud/credentials.h"
#include "cloud/glance.h"
#include "image/layout.h"
#include "lib/cleanup.h"
#include "lib/guid.h"
#include "lib/interrupt.h"
#include "lib/io.h"
#include "lib/log.h"

#define ATTEMPTS       16u /* ids of images that were deleted stay taken */
#define PROPERTIES_MAX 16u
#define READ_BACK      (UINT64_C(8) * LAYOUT_BLOCK)
#define ACTIVE_NS      (UINT64_C(120) * 1000000000)
#define GIB	       (UINT64_C(1) << 30)

struct session {
	struct upload *u;
	struct openstack *o;
	char id[GUID_TEXT_SIZE];
	bool exists;	     /* an image with this id, that waits for its bytes */
	struct sha512 *hash; /* of what is sent */
	char sha512[SHA512_HEX_SIZE];
	uint8_t *block;	   /* LAYOUT_BLOCK bytes: the one that is being sent */
	uint64_t in_block; /* its number; UINT64_MAX: none */
	struct error failure;
};

static int os_open(struct upload *u, void **ret_session, struct error *err)
{
	struct session *s = xcalloc(1, sizeof(*s));
	struct openstack_config config = {0};
	int r;

	s->u = u;
	s->block = xmalloc(LAYOUT_BLOCK);
	s->in_block = UINT64_MAX;
	s->failure = ERROR_INIT;
	*ret_session = s;
	if (u->settings.regions->len > 1)
		return error_usage(
			err,
			"OpenStack copies nothing to further regions: upload to each --region by itself");
	credentials_guard();
	r = openstack_config_load(u->settings.profile,
				  u->settings.regions->len ? u->settings.regions->ptr[0] : NULL, &config,
				  err);
	if (r < 0)
		return r;
	if (u->settings.endpoint_url) {
		free(config.image_endpoint);
		config.image_endpoint = xstrdup(u->settings.endpoint_url);
	}
	r = openstack_open(&config, &s->o, err);
	if (r == 0)
		r = openstack_authenticate(s->o, 60, err);
	if (r < 0)
		return r;
	u->result.account = xstrdup(openstack_project(s->o));
	log_note("uploading to region %s as %s of project %s", openstack_region(s->o), openstack_user(s->o),
		 openstack_project(s->o));
	return 0;
}

static void os_close(void *session)
{
	struct session *s = session;

	if (!s)
		return;
	openstack_close(s->o);
	sha512_freep(&s->hash);
	free(s->block);
	free(s);
}

/* ---- preflight ---- */

static void choose_id(struct session *s, unsigned attempt)
{
	_cleanup_free_ char *name = xasprintf("%s:%s:%s:%u", openstack_project(s->o), s->u->result.name,
					      s->u->image.digest, attempt);
	struct guid g;

	guid_derive("openstack-image", name, &g);
	guid_format(&g, s->id);
}

/* Names need not be unique there; that two images go by one name helps nobody all the same. Chooses the id. */
static int check_name(struct session *s, struct error *err)
{
	_cleanup_glance_image_ struct glance_image i = {0};
	bool found;
	int r = glance_find(s->o, s->u->result.name, &found, &i, err);

	choose_id(s, 0);
	if (r < 0 || !found)
		return r;
	if (i.blocks && strcmp(i.blocks, s->u->image.digest) == 0) {
		/* One that was made after an earlier one had been deleted has a later id. */
		for (unsigned attempt = 1; attempt < ATTEMPTS && strcmp(s->id, i.id) != 0; attempt++)
			choose_id(s, attempt);
		if (strcmp(s->id, i.id) != 0)
			choose_id(s, 0);
		return 0;
	}
	return error_set(
		err, -EEXIST,
		"the name '%s' is taken by image %s, which is another one; raise the version or choose another "
		"--name",
		s->u->result.name, i.id);
}

static int load_block(struct session *s, uint64_t number, struct error *err)
{
	const struct upload_image *image = &s->u->image;
	struct sha256 digest;
	int r = interrupt_check(err);

	if (r == 0)
		r = io_pread_full(image->fd, image->path, s->block, LAYOUT_BLOCK, number * LAYOUT_BLOCK, err);
	if (r < 0)
		return r;
	sha256_of(s->block, LAYOUT_BLOCK, &digest);
	if (memcmp(&digest, &image->blocks.ptr[number], sizeof(digest)) != 0)
		return error_refuse(err, "%s: block %" PRIu64 " is not what was built: it changed since",
				    image->path, number);
	s->in_block = number;
	return 0;
}

static bool is_stored(const struct session *s, const struct glance_image *i)
{
	return i->size == s->u->image.m->layout.size && i->sha512 && strcmp(i->sha512, s->sha512) == 0;
}

/* All bytes are there, but whoever sent them was stopped before it could see that they are the right ones. */
static int check_unseen(struct session *s, const struct glance_image *i, struct error *err)
{
	int r = 0;

	s->hash = sha512_new();
	for (uint64_t n = 0; r == 0 && n < s->u->image.blocks.count; n++) {
		r = load_block(s, n, err);
		if (r == 0)
			sha512_add(s->hash, s->block, LAYOUT_BLOCK);
	}
	s->in_block = UINT64_MAX;
	if (r < 0)
		return r;
	sha512_final(s->hash, s->sha512);
	if (is_stored(s, i))
		return 0;
	return error_refuse(
		err,
		"image %s was left by an upload that did not come to its end, and holds other bytes; delete it",
		s->id);
}

/* @ret_there: with all of its bytes. */
static int look(struct session *s, bool *ret_there, struct error *err)
{
	_cleanup_glance_image_ struct glance_image i = {0};
	int r = glance_get(s->o, s->id, &s->exists, &i, err);

	if (r < 0 || !s->exists)
		return r;
	if (strcmp(i.status, "active") == 0) {
		if (i.size != s->u->image.m->layout.size || !i.blocks ||
		    strcmp(i.blocks, s->u->image.digest) != 0)
			return error_set(err, -EEXIST, "image %s is there, but is not this one; delete it",
					 s->id);
		*ret_there = true;
		return i.state && strcmp(i.state, "ready") == 0 ? 0 : check_unseen(s, &i, err);
	}
	if (strcmp(i.status, "queued") == 0)
		return 0;
	if (strcmp(i.status, "saving") == 0)
		return error_set(
			err, -EBUSY,
			"image %s is being uploaded already; wait for that, or until the service has "
			"noticed that it ended",
			s->id);
	return error_set(err, -EEXIST, "image %s is '%s'; delete it, then upload again", s->id, i.status);
}

static int os_preflight(void *session, struct upload *u, bool *ret_there, struct error *err)
{
	struct session *s = session;
	int r;

	for (size_t i = 0; u->settings.share->len > 1 && i < u->settings.share->len; i++)
		if (strcmp(u->settings.share->ptr[i], "all") == 0)
			return error_usage(err, "--share=all goes with no other --share");
	u->result.name = u->settings.name ? xstrdup(u->settings.name)
					  : xasprintf("%s-%s", u->image.m->name, u->image.m->version);
	r = check_name(s, err);
	if (r == 0)
		r = look(s, ret_there, err);
	if (r < 0)
		return r;
	if (*ret_there)
		log_note("image %s is there already, with the same content", s->id);
	else
		log_note("%.1f MiB to send: an image goes there in one stream, zeros too",
			 (double)u->image.m->layout.size / 1048576);
	return 0;
}

/* ---- transfer ---- */

static size_t properties_of(struct session *s, struct glance_property *p)
{
	const struct manifest *m = s->u->image.m;
	bool arm = strcmp(m->arch, "arm64") == 0;
	size_t n = 0;

	p[n++] = (struct glance_property){"hw_firmware_type", "uefi"};
	p[n++] = (struct glance_property){"hw_machine_type", arm ? "virt" : "q35"};
	p[n++] = (struct glance_property){"architecture", arm ? "aarch64" : "x86_64"};
	p[n++] = (struct glance_property){"os_type", "linux"};
	if (!s->u->settings.no_tpm) {
		p[n++] = (struct glance_property){"hw_tpm_version", "2.0"};
		p[n++] = (struct glance_property){"hw_tpm_model", arm ? "tpm-tis" : "tpm-crb"};
	}
	if (s->u->settings.secure_boot)
		p[n++] = (struct glance_property){"os_secure_boot", "required"};
	if (s->u->settings.description)
		p[n++] = (struct glance_property){"description", s->u->settings.description};
	p[n++] = (struct glance_property){"mkappliance_name", m->name};
	p[n++] = (struct glance_property){"mkappliance_version", m->version};
	p[n++] = (struct glance_property){"mkappliance_blocks", s->u->image.digest};
	p[n++] = (struct glance_property){"mkappliance_state", "uploading"};
	return n;
}

static const char *visibility_of(const struct upload *u)
{
	if (!u->settings.share->len)
		return "private";
	return strcmp(u->settings.share->ptr[0], "all") == 0 ? "public" : "shared";
}

static int create(struct session *s, struct error *err)
{
	struct glance_property properties[PROPERTIES_MAX];
	struct glance_create c = {.id = s->id,
				  .name = s->u->result.name,
				  .visibility = visibility_of(s->u),
				  .min_disk_gib = (s->u->image.m->layout.size + GIB - 1) / GIB,
				  .protect = s->u->settings.protect,
				  .properties = properties,
				  .property_count = properties_of(s, properties)};
	_cleanup_glance_image_ struct glance_image made = {0};
	bool there = false;
	int r = -EEXIST;

	/* The id of an image that was deleted is not free again, though nobody is shown such an image. */
	for (unsigned attempt = 0; r == -EEXIST && attempt < ATTEMPTS; attempt++) {
		*err = ERROR_INIT;
		choose_id(s, attempt);
		r = look(s, &there, err);
		if (r == 0 && there)
			return error_set(err, -EBUSY, "image %s has come meanwhile; the same command goes on",
					 s->id);
		if (r < 0 || s->exists)
			return r;
		r = glance_create(s->o, &c, &made, err);
	}
	return r;
}

/* For http_request.read: each block is compared with what was built before a byte of it goes out. */
static int64_t give(void *user, uint64_t offset, void *buf, size_t size)
{
	struct session *s = user;
	uint64_t number = offset / LAYOUT_BLOCK, in = offset % LAYOUT_BLOCK;
	size_t len = size < LAYOUT_BLOCK - in ? size : (size_t)(LAYOUT_BLOCK - in);

	if (number != s->in_block) {
		int r = load_block(s, number, &s->failure);

		if (r < 0)
			return r;
		if (number == 0) {
			sha512_freep(&s->hash);
			s->hash = sha512_new();
		}
		sha512_add(s->hash, s->block, LAYOUT_BLOCK);
		meter_add(&s->u->meter, 1);
		meter_show(&s->u->meter, 1, NULL);
	}
	memcpy(buf, s->block + in, len);
	return (int64_t)len;
}

static int wait_active(struct session *s, struct glance_image *ret, struct error *err)
{
	uint64_t end = clock_ns() + ACTIVE_NS;

	for (;;) {
		bool found;
		int r = glance_get(s->o, s->id, &found, ret, err);

		if (r < 0)
			return r;
		if (!found)
			return error_set(err, -ENOENT, "image %s is gone", s->id);
		if (strcmp(ret->status, "saving") != 0 && strcmp(ret->status, "importing") != 0)
			return 0;
		if (clock_ns() > end)
			return error_set(err, -ETIMEDOUT, "image %s is still '%s' after 2 minutes", s->id,
					 ret->status);
		glance_image_free(ret);
		r = interrupt_sleep(UINT64_C(1000000000), err);
		if (r < 0)
			return r;
	}
}

/* What the service stored by its own count and hash; an image that differs is ours to take away again. */
static int check_stored(struct session *s, struct error *err)
{
	_cleanup_glance_image_ struct glance_image i = {0};
	struct error ignored = ERROR_INIT;
	int r = wait_active(s, &i, err);

	if (r < 0)
		return r;
	if (strcmp(i.status, "active") == 0 && is_stored(s, &i))
		return 0;
	r = error_refuse(err,
			 "image %s: sent were %" PRIu64 " bytes with SHA-512 %.16s..., stored are %" PRIu64
			 " with %.16s... in state '%s'; it was deleted",
			 s->id, s->u->image.m->layout.size, s->sha512, i.size, i.sha512 ? i.sha512 : "none",
			 i.status);
	(void)glance_delete(s->o, s->id, &ignored);
	return r;
}

static int send_all(struct session *s, struct error *err)
{
	struct upload *u = s->u;
	int r;

	meter_start(&u->meter, "sending", u->image.blocks.count);
	r = glance_put(s->o, s->id, u->image.m->layout.size, give, s, err);
	if (s->failure.code < 0) {
		*err = s->failure;
		r = err->code;
	}
	if (r < 0)
		return r;
	meter_end(&u->meter, NULL, NULL);
	sha512_final(s->hash, s->sha512);
	u->result.sent_bytes = u->image.m->layout.size;
	return 0;
}

/* --check=full: every byte again. */
static int read_back(struct session *s, struct error *err)
{
	const struct upload_image *image = &s->u->image;
	uint64_t size = image->m->layout.size;

	meter_start(&s->u->meter, "reading back", image->blocks.count);
	for (uint64_t at = 0; at < size; at += READ_BACK) {
		size_t len = size - at < READ_BACK ? (size_t)(size - at) : (size_t)READ_BACK;
		_cleanup_buf_ struct buf part = {0};
		int r = glance_read(s->o, s->id, at, len, &part, err);

		if (r < 0)
			return r;
		for (size_t in = 0; in < len; in += LAYOUT_BLOCK) {
			uint64_t number = (at + in) / LAYOUT_BLOCK;
			struct sha256 digest;

			sha256_of(part.ptr + in, LAYOUT_BLOCK, &digest);
			if (memcmp(&digest, &image->blocks.ptr[number], sizeof(digest)) != 0)
				return error_refuse(err, "image %s: block %" PRIu64 " came back altered",
						    s->id, number);
			s->u->result.checked++;
		}
		meter_add(&s->u->meter, len / LAYOUT_BLOCK);
		meter_show(&s->u->meter, 1, NULL);
	}
	meter_end(&s->u->meter, NULL, NULL);
	return 0;
}

static int os_transfer(void *session, struct upload *u, struct error *err)
{
	struct session *s = session;
	int r = s->exists ? 0 : create(s, err);

	if (r == 0)
		r = send_all(s, err);
	if (r == 0)
		r = check_stored(s, err);
	if (r == 0 && u->settings.check == UPLOAD_CHECK_FULL)
		r = read_back(s, err);
	return r;
}

/* ---- publish ---- */

/* An image that was there before gets what is asked for now and was not then; nothing is taken away. */
static int complete(struct session *s, struct error *err)
{
	const struct upload_settings *set = &s->u->settings;
	_cleanup_glance_image_ struct glance_image i = {0};
	const char *visibility = visibility_of(s->u);
	bool found;
	int r = glance_get(s->o, s->id, &found, &i, err);

	if (r == 0 && !found)
		return error_set(err, -ENOENT, "image %s is gone", s->id);
	if (r == 0 && set->share->len && (!i.visibility || strcmp(i.visibility, visibility) != 0))
		r = glance_set(s->o, s->id, "visibility", visibility, err);
	if (r == 0 && set->secure_boot)
		r = glance_set(s->o, s->id, "os_secure_boot", "required", err);
	return r < 0 || !set->protect ? r : glance_protect(s->o, s->id, err);
}

static int os_publish(void *session, struct upload *u, struct error *err)
{
	struct session *s = session;
	const struct strlist *share = u->settings.share;
	bool public = strcmp(visibility_of(u), "public") == 0;
	int r = u->result.already ? complete(s, err) : 0;

	for (size_t i = 0; r == 0 && !public && i < share->len; i++)
		r = glance_share(s->o, s->id, share->ptr[i], err);
	if (r == 0)
		r = glance_set(s->o, s->id, "mkappliance_state", "ready", err);
	if (r < 0)
		return r;
	upload_add_place(u, openstack_region(s->o), s->id, NULL)->made = !u->result.already;
	u->result.retries = *openstack_retries(s->o);
	return 0;
}

static const char *const options[] = {"no-tpm",	 "secure-boot", "yes",		"share",
				      "protect", "profile",	"endpoint-url", NULL};

const struct provider provider_openstack = {
	.name = "openstack",
	.summary = "OpenStack's image service (Glance)",
	.options = options,
	.open = os_open,
	.preflight = os_preflight,
	.transfer = os_transfer,
	.publish = os_publish,
	.close = os_close,
};
