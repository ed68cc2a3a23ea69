/* SPDX-License-Identifier: Apache-2.0 */
/* upload --to libvirt: a volume of a storage pool, and a domain that boots it. */
#include "cmd_upload_libvirt.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/io.h"
#include "lib/log.h"
#include "lib/zero.h"
#include "vm/appliance_xml.h"
#include "vm/domain.h"

#define DEFAULT_POOL "default"
#define MARKER_SIZE  4096u

/* ---- open ---- */

static int libvirt_open(struct upload *u, void **ret_session, struct error *err)
{
	const struct upload_settings *set = &u->settings;
	const struct manifest *m = u->image.m;
	struct libvirt_session *s = xcalloc(1, sizeof(*s));
	int r;

	hypervisor_silence();
	*ret_session = s;
	s->u = u;
	s->differs = UINT64_MAX;
	s->domain = xstrdup(set->domain ? set->domain : m->name);
	u->result.name = set->name ? xstrdup(set->name) : xasprintf("%s-%s", m->name, m->version);
	r = libvirt_check_settings(set, err);
	if (r == 0)
		r = libvirt_check_name("--name", u->result.name, err);
	if (r == 0)
		r = libvirt_check_name("--domain", s->domain, err);
	if (r == 0)
		r = pool_open(set->connect, set->pool ? set->pool : DEFAULT_POOL, &s->pool, err);
	if (r < 0)
		return r;
	u->result.account = xstrdup(pool_uri(s->pool));
	log_note("uploading to pool '%s' (%s) of %s", pool_name(s->pool), pool_type(s->pool),
		 pool_uri(s->pool));
	return 0;
}

static void libvirt_close(void *session)
{
	struct libvirt_session *s = session;

	if (!s)
		return;
	pool_close(s->pool);
	pool_domain_free(&s->found);
	buf_free(&s->nvram);
	free(s->nvram_name);
	free(s->domain);
	free(s);
}

/* ---- what goes there, what comes back ---- */

/* Most of a disk is zeros, which are sooner seen than hashed. */
static bool is_block(const struct upload_image *image, uint64_t number, const void *buf, size_t len)
{
	struct sha256 digest = *plan_zero_digest();

	if (len != LAYOUT_BLOCK || !is_zero(buf, len))
		sha256_of(buf, len, &digest);
	return memcmp(&digest, &image->blocks.ptr[number], sizeof(digest)) == 0;
}

/* Each block is compared with what was built before a byte of it goes out. */
static int give_block(void *user, uint64_t offset, void *buf, size_t len, struct error *err)
{
	struct libvirt_session *s = user;
	const struct upload_image *image = &s->u->image;
	uint64_t number = offset / LAYOUT_BLOCK;
	int r = interrupt_check(err);

	if (r == 0)
		r = io_pread_full(image->fd, image->path, buf, len, offset, err);
	if (r < 0)
		return r;
	if (!is_block(image, number, buf, len))
		return error_refuse(err, "%s: block %" PRIu64 " is not what was built: it changed since",
				    image->path, number);
	if (!is_zero(buf, len))
		s->u->result.sent_bytes += len;
	meter_add(&s->u->meter, 1);
	meter_show(&s->u->meter, 1, NULL);
	return 0;
}

/* -ECANCELED at the first block that is another one. */
static int compare_block(void *user, uint64_t offset, const void *buf, size_t len, struct error *err)
{
	struct libvirt_session *s = user;
	uint64_t number = offset / LAYOUT_BLOCK;
	int r = interrupt_check(err);

	if (r < 0)
		return r;
	if (!is_block(&s->u->image, number, buf, len)) {
		s->differs = number;
		return error_set(err, -ECANCELED, "block %" PRIu64 " differs", number);
	}
	s->u->result.checked++;
	meter_add(&s->u->meter, 1);
	meter_show(&s->u->meter, 1, NULL);
	return 0;
}

int libvirt_compare(struct libvirt_session *s, bool *ret_same, struct error *err)
{
	struct upload *u = s->u;
	struct error first = ERROR_INIT;
	int r;

	s->differs = UINT64_MAX;
	u->result.checked = 0;
	meter_start(&u->meter, "reading back", u->image.blocks.count);
	r = pool_receive(s->pool, u->result.name, u->image.m->layout.size, compare_block, s, &first);
	*ret_same = r == 0;
	if (r == 0)
		meter_end(&u->meter, NULL, NULL);
	if (r == 0 || s->differs != UINT64_MAX)
		return 0;
	*err = first;
	return r;
}

/* ---- transfer ---- */

struct content {
	const char *volume;
	uint64_t size;
	int (*send)(struct libvirt_session *s, const struct content *c,
		    struct error *err); /* and reads it back */
};

/* The volume with its content, or none; see cmd_upload.h for the marker. What is there by its name is of an upload that was broken off. */
static int put(struct libvirt_session *s, const struct content *c, struct error *err)
{
	_cleanup_free_ char *marker = xasprintf("%s" LIBVIRT_MARKER, c->volume);
	struct error ignored = ERROR_INIT;
	int r;

	r = pool_create(s->pool, marker, MARKER_SIZE, err);
	if (r == -EEXIST) {
		*err = ERROR_INIT;
		r = pool_delete(s->pool, c->volume, err);
	}
	if (r < 0)
		return r;
	r = pool_create(s->pool, c->volume, c->size, err);
	if (r == 0) {
		r = c->send(s, c, err);
		if (r < 0)
			(void)pool_delete(s->pool, c->volume, &ignored);
	}
	if (r < 0) {
		(void)pool_delete(s->pool, marker, &ignored);
		return r;
	}
	return pool_delete(s->pool, marker, err);
}

static int send_image(struct libvirt_session *s, const struct content *c, struct error *err)
{
	struct upload *u = s->u;
	bool same = false;
	int r;

	u->result.sent_bytes = 0;
	meter_start(&u->meter, "sending", u->image.blocks.count);
	r = pool_send(s->pool, c->volume, c->size, give_block, s, err);
	if (r < 0)
		return r;
	meter_end(&u->meter, NULL, NULL);
	if (u->settings.check == UPLOAD_CHECK_NONE)
		return 0;
	r = libvirt_compare(s, &same, err);
	if (r < 0 || same)
		return r;
	return error_refuse(err,
			    "volume '%s' of pool '%s': block %" PRIu64 " came back altered; it was deleted",
			    c->volume, pool_name(s->pool), s->differs);
}

static int libvirt_transfer(void *session, struct upload *u, struct error *err)
{
	const struct content image = {
		.volume = u->result.name, .size = u->image.m->layout.size, .send = send_image};

	return put(session, &image, err);
}

/* ---- publish ---- */

static int give_nvram(void *user, uint64_t offset, void *buf, size_t len, struct error *err)
{
	struct libvirt_session *s = user;

	memcpy(buf, s->nvram.ptr + offset, len);
	return interrupt_check(err);
}

static int compare_nvram(void *user, uint64_t offset, const void *buf, size_t len, struct error *err)
{
	struct libvirt_session *s = user;

	if (memcmp(buf, s->nvram.ptr + offset, len) == 0)
		return interrupt_check(err);
	return error_refuse(err, "volume '%s' came back altered; it was deleted", s->nvram_name);
}

static int send_nvram(struct libvirt_session *s, const struct content *c, struct error *err)
{
	int r = pool_send(s->pool, c->volume, c->size, give_nvram, s, err);

	return r < 0 ? r : pool_receive(s->pool, c->volume, c->size, compare_nvram, s, err);
}

/* The domain's own variables; when they are there already, the firmware has them and may have written to them. */
static int put_nvram(struct libvirt_session *s, struct pool_volume *ret, struct error *err)
{
	const struct content nvram = {.volume = s->nvram_name, .size = s->nvram.len, .send = send_nvram};
	_cleanup_free_ char *marker = xasprintf("%s" LIBVIRT_MARKER, s->nvram_name);
	_cleanup_pool_volume_ struct pool_volume mark = {0};
	bool there = false, unfinished;
	int r;

	r = pool_find(s->pool, marker, &unfinished, &mark, err);
	if (r == 0)
		r = pool_find(s->pool, s->nvram_name, &there, ret, err);
	if (r < 0 || (there && !unfinished))
		return r;
	pool_volume_free(ret);
	r = put(s, &nvram, err);
	return r < 0 ? r : pool_find(s->pool, s->nvram_name, &there, ret, err);
}

static int define(struct libvirt_session *s, const struct pool_volume *volume, const char *nvram,
		  bool *ret_made, struct error *err)
{
	const struct upload *u = s->u;
	const struct manifest *m = u->image.m;
	char root_hash[SHA256_HEX_SIZE];
	struct appliance_config c = {
		.domain = s->domain,
		.uuid = s->has_domain ? s->found.uuid : NULL,
		.description = u->settings.description,
		.marks = {m->name, m->version, root_hash, u->image.digest, pool_name(s->pool),
			  u->result.name},
		.kvm = s->host.kvm,
		.arch = s->arch,
		.machine = s->machine,
		.memory = u->settings.memory ? u->settings.memory : m->test.memory,
		.cpus = u->settings.cpus ? u->settings.cpus : m->test.cpus,
		.volume = volume,
		.nvram = nvram,
		.tpm = !u->settings.no_tpm,
		.network = s->network,
	};
	_cleanup_free_ char *xml = NULL;

	hex_encode(m->root_hash.b, SHA256_SIZE, root_hash);
	*ret_made = !s->has_domain || !appliance_same(s->found.marks, &c);
	if (!*ret_made)
		return 0;
	xml = appliance_xml(&c);
	return pool_define(s->pool, xml, err);
}

static int libvirt_publish(void *session, struct upload *u, struct error *err)
{
	_cleanup_pool_volume_ struct pool_volume volume = {0}, nvram = {0};
	struct libvirt_session *s = session;
	bool there = false, made = false;
	int r;

	r = pool_find(s->pool, u->result.name, &there, &volume, err);
	if (r == 0 && !there)
		r = error_set(err, -ENOENT, "volume '%s' is gone", u->result.name);
	if (r == 0 && s->nvram.len > 0)
		r = put_nvram(s, &nvram, err);
	if (r == 0)
		r = define(s, &volume, nvram.path, &made, err);
	if (r < 0)
		return r;
	upload_add_place(u, pool_name(s->pool), u->result.name, NULL)->made = !u->result.already;
	u->result.domain = xstrdup(s->domain);
	log_note("domain '%s' %s; it starts by: virsh -c %s start %s", s->domain,
		 !made		    ? "is defined so already"
		 : !s->has_domain   ? "is defined"
		 : s->found.running ? "is defined anew, which its next start shows"
				    : "is defined anew",
		 pool_uri(s->pool), s->domain);
	return 0;
}

static const char *const options[] = {"connect", "pool",   "domain",	"network", "memory",
				      "cpus",	 "no-tpm", "uefi-data", NULL};

const struct provider provider_libvirt = {
	.name = "libvirt",
	.summary = "a storage pool and a domain of libvirt",
	.options = options,
	.open = libvirt_open,
	.preflight = libvirt_preflight,
	.transfer = libvirt_transfer,
	.publish = libvirt_publish,
	.close = libvirt_close,
};
