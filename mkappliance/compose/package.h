/* SPDX-License-Identifier: Apache-2.0 */
/* [Package] Path= and [Base] Source=tar: archives and directories as layers. */
#ifndef MKAPPLIANCE_COMPOSE_PACKAGE_H
#define MKAPPLIANCE_COMPOSE_PACKAGE_H

#include "compose/cache.h"
#include "compose/dpkg.h"
#include "compose/layer.h"

/* What a file turned out to be, listed. */
struct package {
	struct layer layer;
	enum archive_kind kind; /* ARCHIVE_NOT: a directory */
	struct sha256 digest;	/* of the file, or of the directory's listing without content */
	uint64_t size;
	struct dpkg control;	/* .deb: its one paragraph */
	struct strlist scripts; /* .deb: maintainer scripts that installing it would run */
};

#define PACKAGE_INIT ((struct package){.layer = LAYER_INIT})

/* A tar is listed where it lies, anything compressed by way of the cache. */
int package_open(const char *path, const struct cache *cache, struct package *ret, struct error *err);
void package_free(struct package *p);
#define _cleanup_package_ __attribute__((cleanup(package_free)))

/*
 * Reads of a .deb what it says of itself, not its content: p->layer.fd is then the file, p->layer.stamp from before its digest was taken.
 * p->kind says whether it is one at all.
 */
int package_read_deb(const char *path, struct package *ret, struct error *err);

/*
 * Whether .deb @p can work on what is installed (@installed NULL: no database, which is a warning):
 * architecture and dependencies; warns of scripts, which are not run. @name is for messages.
 */
int package_check_deb(const struct package *p, const char *name, const char *architecture,
		      const struct dpkg *installed, struct error *err);

/* The first part of it. */
int package_check_architecture(const struct package *p, const char *name, const char *architecture,
			       struct error *err);

#endif
