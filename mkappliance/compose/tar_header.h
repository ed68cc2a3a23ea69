/* SPDX-License-Identifier: Apache-2.0 */
/* One header of a tar, between tar_header.c, which understands it, and tar.c, which goes from one to the next. */
#ifndef MKAPPLIANCE_COMPOSE_TAR_HEADER_H
#define MKAPPLIANCE_COMPOSE_TAR_HEADER_H

#include <assert.h>

#include "compose/tar.h"

/* POSIX.1-2017, pax, "ustar Interchange Format". Fields need not end in a NUL. */
struct ustar {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char link[100];
	char magic[8]; /* "ustar\0" "00" of POSIX, "ustar  \0" of GNU; neither: version 7 */
	char user[32];
	char group[32];
	char major[8];
	char minor[8];
	char prefix[155];
	char pad[12];
};
static_assert(sizeof(struct ustar) == TAR_BLOCK, "a tar header is one block");

/* The sum of all bytes with the checksum itself as spaces; old programs added signed bytes. */
bool tar_checksum_good(const struct ustar *h);
/* Whether the TAR_BLOCK bytes are zeros: the end of an archive. */
bool tar_all_zero(const void *block);

/* The member's name for messages: at most 200 bytes of it. To be freed. */
char *tar_header_name(const struct tar_ext *x, const struct ustar *h);

/*
 * Everything of a member but its content, as @x corrects the header: fills @e, *@ret_size (bytes in the archive), and *@link with the path
 * that a hard link leads to (to be freed). @rooted: as in struct layer. NULL, or what is wrong with it: "has no name".
 */
const char *tar_header_take(struct tar_ext *x, const struct ustar *h, bool rooted, struct tree_entry *e,
			    uint64_t *ret_size, char **link);

#endif
