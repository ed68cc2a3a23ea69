/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A storage pool of a host that libvirt runs (any URI, https://libvirt.org/uri.html), and the domains that live beside it: what 'upload --to
 * libvirt' needs. One thread; everything goes over one connection.
 */
#ifndef MKAPPLIANCE_VM_POOL_H
#define MKAPPLIANCE_VM_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

struct pool;

/*
 * Connects to @uri (NULL: $LIBVIRT_DEFAULT_URI, else qemu:///system) and finds the pool @name. Nothing is made or started. Each way in which
 * that fails says the cure: nobody there, not allowed, no such pool (with those that are there), a pool that is not active.
 */
int pool_open(const char *uri, const char *name, struct pool **ret, struct error *err);
/* Accepts NULL. */
void pool_close(struct pool *p);
void pool_closep(struct pool **p);
#define _cleanup_pool_ __attribute__((cleanup(pool_closep)))

/* Borrowed. */
const char *pool_uri(const struct pool *p);  /* as libvirt says it */
const char *pool_name(const struct pool *p); /* as it was opened */
const char *pool_type(
	const struct pool *p); /* "dir", "logical", ...: https://libvirt.org/formatstorage.html */

/* Whether the host is this machine. */
bool pool_is_local(const struct pool *p);
/* Whether its volumes are files: those begin as holes, and a domain can be given their paths. */
bool pool_holds_files(const struct pool *p);

/* Bytes that are free in it. */
int pool_room(struct pool *p, uint64_t *ret, struct error *err);

/* ---- volumes (pool_volume.c) ---- */

/* How a domain is given a volume. */
enum pool_volume_kind { POOL_VOLUME_FILE, POOL_VOLUME_BLOCK, POOL_VOLUME_OTHER };

struct pool_volume {
	uint64_t size; /* bytes that a guest sees */
	enum pool_volume_kind kind;
	char *path; /* on the host */
};

void pool_volume_free(struct pool_volume *v);
#define _cleanup_pool_volume_ __attribute__((cleanup(pool_volume_free)))

/* *@ret_there false: there is none of that name, and @ret is empty. */
int pool_find(struct pool *p, const char *volume, bool *ret_there, struct pool_volume *ret,
	      struct error *err);

/* Makes a raw volume that reads as zeros; -EEXIST when there is one of that name. */
int pool_create(struct pool *p, const char *volume, uint64_t size, struct error *err);

/* One that is not there is deleted already. */
int pool_delete(struct pool *p, const char *volume, struct error *err);

/*
 * Streams @size bytes into a volume that reads as zeros, from its start: @give is called for each 512 KiB in their order (the last one may be
 * shorter) and fills @buf. Where there are 4 MiB of zeros and more one stream ends and the next begins behind them, so they cost neither line nor
 * room. (Not by VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM: when a write fails on the host in such a stream, as in a pool that is full,
 * libvirt 9.0 drops the holes that follow without an answer, and virStreamFinish() waits for ever.) A failure of @give (with @err set) breaks the
 * stream off, and leaves the volume with a part of it.
 */
int pool_send(struct pool *p, const char *volume, uint64_t size,
	      int (*give)(void *user, uint64_t offset, void *buf, size_t len, struct error *err), void *user,
	      struct error *err);

/* The other way round: @take gets each 512 KiB of the volume's first @size bytes. -ENODATA when it has fewer. */
int pool_receive(struct pool *p, const char *volume, uint64_t size,
		 int (*take)(void *user, uint64_t offset, const void *buf, size_t len, struct error *err),
		 void *user, struct error *err);

/* ---- the host and its domains (pool_domain.c) ---- */

struct pool_host {
	bool kvm;	  /* hardware virtualisation, as far as the host says */
	bool efi;	  /* UEFI firmware of libvirt's choice (<os firmware='efi'>) */
	bool secure_boot; /* that knows Secure Boot */
	bool tpm;	  /* swtpm */
};

/* @arch, @machine as libvirt calls them. -ENOTSUP when the host runs no such machine. */
int pool_ask_host(struct pool *p, const char *arch, const char *machine, struct pool_host *ret,
		  struct error *err);

/* Whether there is a network @name; *@ret_active: and it is up. */
bool pool_has_network(struct pool *p, const char *name, bool *ret_active);

/* A persistent or transient domain that is there. */
struct pool_domain {
	char uuid[37];
	bool running;
	bool persistent;
	char *marks; /* our element of its metadata (appliance_xml.h); NULL: it is not ours */
};

void pool_domain_free(struct pool_domain *d);
#define _cleanup_pool_domain_ __attribute__((cleanup(pool_domain_free)))

int pool_find_domain(struct pool *p, const char *name, bool *ret_there, struct pool_domain *ret,
		     struct error *err);

/* Defines the domain, or defines it anew when there is one of its name and UUID; starts nothing. */
int pool_define(struct pool *p, const char *xml, struct error *err);

#endif
