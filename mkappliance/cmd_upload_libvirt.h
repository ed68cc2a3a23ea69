/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of an upload to libvirt: what is looked at (cmd_upload_libvirt_check.c), and what is done (cmd_upload_libvirt.c). */
#ifndef MKAPPLIANCE_CMD_UPLOAD_LIBVIRT_H
#define MKAPPLIANCE_CMD_UPLOAD_LIBVIRT_H

#include "cloud/provider.h"
#include "cmd_upload.h"
#include "lib/mem.h"
#include "vm/pool.h"

#define LIBVIRT_MARKER ".uploading" /* behind the name of a volume that is not whole */

struct libvirt_session {
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

/* Names of volumes and domains: they end up in paths of the host. @option: for the message. */
int libvirt_check_name(const char *option, const char *name, struct error *err);
/* What the template wants and libvirt has nothing like; options are refused already. */
int libvirt_check_settings(const struct upload_settings *s, struct error *err);

/*
 * Everything that can be known before a byte is sent: the host, its network, the domain of that name, the volume and the room for it, all of it
 * noted in the session (struct provider's preflight). *ret_there: the volume is there, whole, with the same content.
 */
int libvirt_preflight(void *session, struct upload *u, bool *ret_there, struct error *err);

/* Whether the volume holds the image, by reading all of it; s->differs says where it does not. */
int libvirt_compare(struct libvirt_session *s, bool *ret_same, struct error *err);

#endif
