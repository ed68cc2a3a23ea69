/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rpm's database format ndb, as openSUSE has it: Packages.db, whose blobs are the headers of packages. Read by ourselves, since the rpm of
 * a machine may not know the format.
 *
 * Formats: rpm's lib/backend/ndb/rpmpkg.c, version 0 (numbers little endian, in blocks of 16 bytes); a header is that of the package
 * format, "Header Format" in https://rpm-software-management.github.io/rpm/manual/format_header.html (big endian), without magic.
 */
#ifndef MKAPPLIANCE_COMPOSE_RPM_NDB_H
#define MKAPPLIANCE_COMPOSE_RPM_NDB_H

#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "lib/mem.h"

/*
 * Appends what rpm would print of the packages with RPMDB_FORMAT (rpmdb.h). Parser of untrusted bytes; @name is for messages. -EINVAL for
 * what is no such database, or a package in it that is damaged.
 */
int rpm_ndb_text(const void *data, size_t len, const char *name, struct buf *ret, struct error *err);

/* Every package says when it was written to the database: sets that to @time (seconds), and its checksum. */
int rpm_ndb_set_time(void *data, size_t len, const char *name, uint32_t time, struct error *err);

#endif
