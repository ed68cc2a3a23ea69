/* SPDX-License-Identifier: Apache-2.0 */
/* upload --to libvirt: what is looked at before anything is sent; declared in cmd_upload_libvirt.h. */
#include "cmd_upload_libvirt.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "image/efi_vars.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/log.h"
#include "vm/appliance_xml.h"
#include "vm/host.h"
#include "vm/xml.h"

#define DEFAULT_NETWORK "default"
#define USER_NETWORK	"user"
#define STORE_MAX	((size_t)64 << 20)
#define MEMORY_MIN	128 /* MiB; with less the firmware hangs without a word */
#define NAME_MAX_LEN	200u

int libvirt_check_name(const char *option, const char *name, struct error *err)
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

int libvirt_check_settings(const struct upload_settings *s, struct error *err)
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

static int read_nvram(struct libvirt_session *s, struct error *err)
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

static int check_host(struct libvirt_session *s, struct error *err)
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

static int choose_network(struct libvirt_session *s, struct error *err)
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
static int check_domain(struct libvirt_session *s, struct error *err)
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
static int check_volume(struct libvirt_session *s, bool *ret_there, struct error *err)
{
	const char *name = s->u->result.name, *pool = pool_name(s->pool), *uri = pool_uri(s->pool);
	_cleanup_free_ char *marker = xasprintf("%s" LIBVIRT_MARKER, name);
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
		r = libvirt_compare(s, &same, err);
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
static int check_room(struct libvirt_session *s, struct error *err)
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

int libvirt_preflight(void *session, struct upload *u, bool *ret_there, struct error *err)
{
	struct libvirt_session *s = session;
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
