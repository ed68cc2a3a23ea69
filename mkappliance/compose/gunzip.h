/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gzip (RFC 1952) with its checksums: libarchive unpacks it too, but believes whatever comes out. zlib lives
 * in gunzip.c and nowhere else.
 */
#ifndef MKAPPLIANCE_COMPOSE_GUNZIP_H
#define MKAPPLIANCE_COMPOSE_GUNZIP_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Hands out the next bytes of the stream, which stay valid until the next call: how many (at first two,
 * where there are two), 0 at the end, -1 when there is an error.
 */
typedef ssize_t gunzip_read(void *data, const void **ret);

struct gunzip;

struct gunzip *gunzip_new(gunzip_read *read, void *data);
void gunzip_free(struct gunzip *g);

/*
 * The same for what the stream holds. One that does not begin like gzip comes out as it is. After -1,
 * *@ret_wrong says what is wrong with the data, or is NULL when it was @read that failed.
 */
ssize_t gunzip_next(struct gunzip *g, const void **ret, const char **ret_wrong);

/* For gunzip_new(): a stream that is in memory, all of it. */
struct gunzip_memory {
	const void *data;
	size_t len;
};
gunzip_read gunzip_read_memory;

/* After the first bytes: whether it is gzip. */
bool gunzip_is_gzip(const struct gunzip *g);

#endif
