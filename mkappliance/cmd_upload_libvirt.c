/* SPDX-License-Identifier: Apache-2.0 */
/* upload --to libvirt: a volume of a storage pool, and a domain that boots it. */
#include "cmd_upload.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "image/efi_vars.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/io.h"
#include "lib/log.h"
#include "lib/zero.h"
#include "vm/appliance_xml.h"
#include "vm/domain.h"
#include "vm/host.h"
#include "vm/pool.h"
#include "vm/xml.h"

#define DEFAULT_POOL	"default"
#define DEFAULT_NETWORK "default"
#define USER_NETWORK	"user"
#define MARKER		".uploading"
#define MARKER_SIZE	4096u
#define STORE_MAX	((size_t)64 << 20)
#define MEMORY_MIN	128 /* MiB; with less the firmware hangs without a word */
#define NAME_MAX_LEN	200u

struct session {
	struct upload *u;
	struct pool *pool;
	char *domain; /* its name */
	struct pool_domain found;
	bool has_domain;  /* one of that name, which is ours */
	struct buf nvram; /* the firmware's variables with the keys of Secure Boot; empty: without it */
	char *nvram_name; /* of their volume */
	struct pool_host host;
	const char *arch, *machine;
	const char *network; /* NULL: user-mode networking */
	uint64_t differs;    /* the first block that is another one than was built; UINT64_MAX */
};

/* ---- open ---- */

/* Names of volumes and domains: they end up in paths of the host. */
static int check_name(const char *option, const char *name, struct error *err)
{
	if (!name[0] || name[0] == '.' || strlen(name) > NAME_MAX_LEN || strchr(name, '/') ||
	    !xml_can_hold(name))
		return error_usage(
			err,
			"%s: '%s' is no name for libvirt: 1 to %u characters without '/', the first "
			"of them no '.'",
			option, name, NAME_MAX_LEN);
	return 0;
}

/* What the template wants and libvirt has nothing like; options are refused already. */
static int check_settings(const struct upload_settings *s, struct error *err)
{
	if (s->regions->len > 0)
		return error_usage(
			err, "libvirt has no regions: the host is named by --connect, the pool by --pool");
	if (s->encrypt || s->kms_keys->len > 0)
		return error_usage(
			err, "libvirt: volumes are not encrypted ([Upload] Encrypt=, KMSKey=): use a pool "
			     "on an encrypted disk, and leave the setting out");
	if (s->share->len > 0)
		return error_usage(err, "libvirt has no accounts to share with ([Upload] Share=)");
	if (s->memory && s->memory < MEMORY_MIN)
		return error_usage(err, "--memory: %u MiB are too few, at least %d", s->memory, MEMORY_MIN);
	return 0;
}

static int libvirt_open(struct upload *u, void **ret_session, struct error *err)
{
	const struct upload_settings *set = &u->settings;
	const struct manifest *m = u->image.m;
	struct session *s = xcalloc(1, sizeof(*s));
	int r;

	hypervisor_silence();
	*ret_session = s;
	s->u = u;
	s->differs = UINT64_MAX;
	s->domain = xstrdup(set->domain ? set->domain : m->name);
	u->result.name = set->name ? xstrdup(set->name) : xasprintf("%s-%s", m->name, m->version);
	r = check_settings(set, err);
	if (r == 0)
		r = check_name("--name", u->result.name, err);
	if (r == 0)
		r = check_name("--domain", s->domain, err);
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
	struct session *s = session;

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
	struct session *s = user;
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
	struct session *s = user;
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

/* Whether the volume holds the image; s->differs says where it does not. */
static int compare_volume(struct session *s, bool *ret_same, struct error *err)
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

/* ---- preflight ---- */

static int read_nvram(struct session *s, struct error *err)
{
	const char *path = s->u->settings.uefi_data;
	char hex[SHA256_HEX_SIZE];
	struct sha256 digest;
	int r;

	if (!path && s->u->image.m->signature.required)
		return error_usage(err,
				   "the kernel of this image starts only where the firmware has its keys: "
				   "--uefi-data=FILE (mkappliance uefi-vars DIR -o FILE)");
	if (!path)
		return 0;
	if (!pool_holds_files(s->pool))
		return error_usage(
			err, "--uefi-data: pool '%s' is of type '%s' and holds no files; use one of type dir",
			pool_name(s->pool), pool_type(s->pool));
	r = io_read_file(AT_FDCWD, path, STORE_MAX, &s->nvram, err);
	if (r == 0)
		r = efi_store_write((uint8_t *)s->nvram.ptr, s->nvram.len, NULL, 0, err);
	if (r < 0)
		return error_prefix(err, "--uefi-data: %s", path);
	/* Named by what is in it: the firmware writes to it later, and other keys must not go into the old one. */
	sha256_of(s->nvram.ptr, s->nvram.len, &digest);
	hex_encode(digest.b, SHA256_SIZE, hex);
	s->nvram_name = xasprintf("%s-%.8s.nvram", s->domain, hex);
	return 0;
}

static int check_host(struct session *s, struct error *err)
{
	bool arm = strcmp(s->u->image.m->arch, "arm64") == 0;
	const char *uri = pool_uri(s->pool), *why;
	int r;

	s->arch = arm ? "aarch64" : "x86_64";
	s->machine = arm ? "virt" : "q35";
	r = pool_ask_host(s->pool, s->arch, s->machine, &s->host, err);
	if (r < 0)
		return r;
	if (!s->host.efi)
		return error_set(err, -ENOTSUP, "%s has no UEFI firmware for %s (apt-get install %s there)",
				 uri, s->arch, arm ? "qemu-efi-aarch64" : "ovmf");
	if (s->nvram.len > 0 && !s->host.secure_boot)
		return error_set(err, -ENOTSUP, "%s has no firmware with Secure Boot for %s", uri, s->arch);
	if (!s->u->settings.no_tpm && !s->host.tpm)
		return error_set(err, -ENOTSUP,
				 "%s has no TPM for machines: apt-get install swtpm swtpm-tools there, or "
				 "--no-tpm",
				 uri);
	/* Of this machine it is known better than libvirt says. */
	if (pool_is_local(s->pool))
		s->host.kvm = host_has_kvm(s->u->image.m->arch, &why);
	return 0;
}

static int choose_network(struct session *s, struct error *err)
{
	const char *asked = s->u->settings.network;
	bool active = false;

	if (asked && strcmp(asked, USER_NETWORK) == 0)
		return 0;
	s->network = asked ? asked : DEFAULT_NETWORK;
	if (pool_has_network(s->pool, s->network, &active)) {
		if (!active)
			log_warning("network '%s' is not active: virsh -c %s net-start %s", s->network,
				    pool_uri(s->pool), s->network);
		return 0;
	}
	if (asked)
		return error_set(err, -ENOENT,
				 "%s has no network '%s': another --network, or --network=" USER_NETWORK,
				 pool_uri(s->pool), asked);
	log_note("there is no network '" DEFAULT_NETWORK "': the domain gets user-mode networking");
	s->network = NULL;
	return 0;
}

/* A domain of that name must be one that an upload of this appliance defined. */
static int check_domain(struct session *s, struct error *err)
{
	_cleanup_free_ char *name = NULL;
	bool there = false;
	int r = pool_find_domain(s->pool, s->domain, &there, &s->found, err);

	if (r < 0 || !there)
		return r;
	name = s->found.marks ? appliance_mark(s->found.marks, "name") : NULL;
	s->has_domain = name && strcmp(name, s->u->image.m->name) == 0;
	if (s->has_domain)
		return 0;
	return error_set(err, -EEXIST, "domain '%s' of %s is %s%s and is left alone: choose another --domain",
			 s->domain, pool_uri(s->pool), name ? "of appliance " : "not ours", name ? name : "");
}

/* @ret_there: whole, and with the same content. */
static int check_volume(struct session *s, bool *ret_there, struct error *err)
{
	const char *name = s->u->result.name, *pool = pool_name(s->pool), *uri = pool_uri(s->pool);
	_cleanup_free_ char *marker = xasprintf("%s" MARKER, name);
	_cleanup_pool_volume_ struct pool_volume v = {0}, mark = {0};
	bool there = false, unfinished, same = false;
	char where[64] = "it has another size";
	int r;

	r = pool_find(s->pool, marker, &unfinished, &mark, err);
	if (r == 0)
		r = pool_find(s->pool, name, &there, &v, err);
	if (r < 0 || !there)
		return r;
	if (unfinished) {
		log_note("volume '%s' was left by an upload that did not come to its end: it is made anew",
			 name);
		return 0;
	}
	if (v.size >= s->u->image.m->layout.size) {
		r = compare_volume(s, &same, err);
		snprintf(where, sizeof(where), "block %" PRIu64 " differs", s->differs);
	}
	*ret_there = same;
	if (r < 0 || same)
		return r;
	return error_set(
		err, -EEXIST,
		"volume '%s' of pool '%s' is there and is not this image (%s): raise the version, choose "
		"another --name, or virsh -c %s vol-delete --pool %s %s",
		name, pool, where, uri, pool, name);
}

/* What the pool needs: of a file only what is not zero. */
static int check_room(struct session *s, struct error *err)
{
	const struct upload_image *image = &s->u->image;
	uint64_t need = image->m->layout.size, room;
	int r = pool_room(s->pool, &room, err);

	if (r == 0 && pool_holds_files(s->pool)) {
		need = 0;
		for (uint64_t i = 0; i < image->blocks.count; i++)
			if (memcmp(&image->blocks.ptr[i], plan_zero_digest(), SHA256_SIZE) != 0)
				need += LAYOUT_BLOCK;
	}
	if (r < 0)
		return r;
	if (room < need)
		return error_set(
			err, -ENOSPC,
			"pool '%s' of %s has %.1f MiB free, the image needs %.1f MiB: make room there, "
			"or name another --pool",
			pool_name(s->pool), pool_uri(s->pool), (double)room / 1048576,
			(double)need / 1048576);
	log_note("%.1f MiB to send", (double)need / 1048576);
	return 0;
}

static int libvirt_preflight(void *session, struct upload *u, bool *ret_there, struct error *err)
{
	struct session *s = session;
	int r;

	if ((r = read_nvram(s, err)) < 0 || (r = check_host(s, err)) < 0 ||
	    (r = choose_network(s, err)) < 0 || (r = check_domain(s, err)) < 0 ||
	    (r = check_volume(s, ret_there, err)) < 0)
		return r;
	if (!*ret_there)
		return check_room(s, err);
	log_note("volume %s is there already, with the same content", u->result.name);
	return 0;
}

/* ---- transfer ---- */

struct content {
	const char *volume;
	uint64_t size;
	int (*send)(struct session *s, const struct content *c, struct error *err); /* and reads it back */
};

/* The volume with its content, or none; see cmd_upload.h for the marker. What is there by its name is of an upload that was broken off. */
static int put(struct session *s, const struct content *c, struct error *err)
{
	_cleanup_free_ char *marker = xasprintf("%s" MARKER, c->volume);
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

static int send_image(struct session *s, const struct content *c, struct error *err)
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
	r = compare_volume(s, &same, err);
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
	struct session *s = user;

	memcpy(buf, s->nvram.ptr + offset, len);
	return interrupt_check(err);
}

static int compare_nvram(void *user, uint64_t offset, const void *buf, size_t len, struct error *err)
{
	struct session *s = user;

	if (memcmp(buf, s->nvram.ptr + offset, len) == 0)
		return interrupt_check(err);
	return error_refuse(err, "volume '%s' came back altered; it was deleted", s->nvram_name);
}

static int send_nvram(struct session *s, const struct content *c, struct error *err)
{
	int r = pool_send(s->pool, c->volume, c->size, give_nvram, s, err);

	return r < 0 ? r : pool_receive(s->pool, c->volume, c->size, compare_nvram, s, err);
}

/* The domain's own variables; when they are there already, the firmware has them and may have written to them. */
static int put_nvram(struct session *s, struct pool_volume *ret, struct error *err)
{
	const struct content nvram = {.volume = s->nvram_name, .size = s->nvram.len, .send = send_nvram};
	_cleanup_free_ char *marker = xasprintf("%s" MARKER, s->nvram_name);
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

static int define(struct session *s, const struct pool_volume *volume, const char *nvram, bool *ret_made,
		  struct error *err)
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
	struct session *s = session;
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
