/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packages that a tree was made of, whatever manager installed them. Sources note down with their layer what only they
 * know (repository and digest of each package file); names, versions and architectures come from the databases in the tree.
 */
#ifndef MKAPPLIANCE_COMPOSE_INSTALLED_H
#define MKAPPLIANCE_COMPOSE_INSTALLED_H

#include <stddef.h>

#include "lib/error.h"
#include "lib/json.h"
#include "lib/mem.h"

/* All strings are owned; NULL where it is not known, but for the first four. */
struct installed_package {
	char *type; /* as in a package URL: "deb", "rpm", "apk" */
	char *name;
	char *version;	  /* as its manager writes it: "1:2.3-4", an epoch in front only where there is one */
	char *arch;	  /* as its manager writes it: "amd64", "x86_64", "noarch" */
	char *source;	  /* "NAME VERSION" of the source package */
	char *repository; /* where it came from: the URL of the repository or of the file */
	char *sha256;	  /* hex digits: of the package file */
	char *license;	  /* as the package says it */
	char *vendor;	  /* who made it: "Debian" */
};

struct installed {
	struct installed_package *list;
	size_t len;
	size_t cap;
};

/* Appends; copies the strings. The result stays valid until the next call: for the fields that may be NULL. */
struct installed_package *installed_add(struct installed *l, const char *type, const char *name,
					const char *version, const char *arch);
/* By name, version, architecture, type. */
void installed_sort(struct installed *l);
/*
 * Keeps each package of sorted @l once, and fills in what is not known of it from its doubles and from the packages of @notes with the same
 * type, name, version and architecture.
 */
void installed_join(struct installed *l, const struct installed *notes);
void installed_free(struct installed *l);
#define _cleanup_installed_ __attribute__((cleanup(installed_free)))

/*
 * As a list of objects, which is how a manifest has it, and back. installed_read() appends; -EINVAL for what is not such a list:
 * every name, version and architecture is a word, a digest is one, and nothing has control characters.
 */
struct json *installed_json(const struct installed *l);
int installed_read(const struct json *list, struct installed *ret, struct error *err);

/* The same as text: the form in which a source keeps it beside its layer (cache.h, note). @name is for messages. */
void installed_note(const struct installed *l, struct buf *note);
int installed_parse(const char *note, const char *name, struct installed *ret, struct error *err);

#endif
