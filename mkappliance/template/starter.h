/* SPDX-License-Identifier: Apache-2.0 */
/* mkappliance new: a commented template that builds as it stands. */
#ifndef MKAPPLIANCE_TEMPLATE_STARTER_H
#define MKAPPLIANCE_TEMPLATE_STARTER_H

#include "lib/error.h"
#include "lib/mem.h"

/* What the user said; NULL: nothing. */
struct starter {
	const char *source; /* as in Source=; NULL: by the package, else debian */
	const char *name;   /* of the appliance; NULL: that of the directory */
	const char *image;  /* oci: directory, archive or reference; disk: file; tar, directory: the base */
	const char *repository; /* rpm: URL or directory */
	const char *gpgkey;	/* rpm: the key of its signatures; "none" */
	const char *package;	/* the application: .deb, .rpm, .apk, tar or directory */
	const char *exec;	/* the command line that starts it */
	const char *unit;	/* or the unit of systemd that does */
	const char *program;	/* none: the static program that is copied when nothing else is named */
};

/*
 * Writes the template as the directory @dir, whole or not at all: it is loaded, as build does it, before it is put there. A directory
 * that holds anything is refused. @ret_files: what was written, by name.
 */
int starter_write(const char *dir, const struct starter *s, struct strlist *ret_files, struct error *err);

/* The sources that there are templates for, "debian|rpm|...". */
#define STARTER_SOURCES "debian|rpm|disk|oci|tar|directory|none"

#endif
