/* SPDX-License-Identifier: Apache-2.0 */
/* NAME-VERSION.blocks; format and declarations in image/manifest.h. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "image/manifest.h"
#include "lib/io.h"

#define MAGIC	"MKABLOCK"
#define VERSION 1
/* 16 TiB, the most that EBS has in one volume of the common types. */
#define MAX_BLOCKS (1ull << 25)

struct header {
	char magic[8];
	uint32_t version;
	uint32_t block_size;
	uint64_t image_size;
	uint64_t count;
	uint8_t digest[SHA256_SIZE];
};

_Static_assert(sizeof(struct header) == BLOCKS_HEADER_SIZE, "format of .blocks");
_Static_assert(sizeof(struct sha256) == SHA256_SIZE, "digests are stored as they lie in memory");

void blocks_digest(const struct block_digests *d, struct sha256 *ret)
{
	sha256_of(d->ptr, d->count * sizeof(*d->ptr), ret);
}

void blocks_encode(const struct block_digests *d, uint64_t image_size, struct buf *ret)
{
	struct header h = {
		.version = htole32(VERSION),
		.block_size = htole32(LAYOUT_BLOCK),
		.image_size = htole64(image_size),
		.count = htole64(d->count),
	};
	struct sha256 digest;

	blocks_digest(d, &digest);
	memcpy(h.magic, MAGIC, sizeof(h.magic));
	memcpy(h.digest, digest.b, sizeof(h.digest));
	buf_add(ret, &h, sizeof(h));
	buf_add(ret, d->ptr, d->count * sizeof(*d->ptr));
}

int blocks_write(const struct block_digests *d, uint64_t image_size, const char *path, struct error *err)
{
	_cleanup_buf_ struct buf b = {0};

	blocks_encode(d, image_size, &b);
	return output_write_file(path, b.ptr, b.len, err);
}

static int check_header(const struct header *h, size_t len, const char *name, struct error *err)
{
	uint64_t count = le64toh(h->count);

	if (memcmp(h->magic, MAGIC, sizeof(h->magic)) != 0)
		return error_refuse(err, "%s: not a list of blocks", name);
	if (le32toh(h->version) != VERSION || le32toh(h->block_size) != LAYOUT_BLOCK)
		return error_refuse(
			err, "%s: version %" PRIu32 " with blocks of %" PRIu32 " bytes, known are %d and %u",
			name, le32toh(h->version), le32toh(h->block_size), VERSION, LAYOUT_BLOCK);
	if (count == 0 || count > MAX_BLOCKS || le64toh(h->image_size) != count * LAYOUT_BLOCK)
		return error_refuse(err, "%s: %" PRIu64 " blocks for an image of %" PRIu64 " bytes", name,
				    count, le64toh(h->image_size));
	if (len - sizeof(*h) != count * SHA256_SIZE)
		return error_refuse(err, "%s: has %zu bytes, %" PRIu64 " blocks need %" PRIu64, name, len,
				    count, sizeof(*h) + count * SHA256_SIZE);
	return 0;
}

int blocks_parse(const void *data, size_t len, const char *name, struct block_digests *ret, struct error *err)
{
	struct header h;
	struct block_digests d;
	struct sha256 digest;
	int r;

	if (len < sizeof(h))
		return error_refuse(err, "%s: has %zu bytes, at least %zu are expected", name, len,
				    sizeof(h));
	memcpy(&h, data, sizeof(h));
	r = check_header(&h, len, name, err);
	if (r < 0)
		return r;
	d.count = le64toh(h.count);
	sha256_of((const uint8_t *)data + sizeof(h), len - sizeof(h), &digest);
	if (memcmp(digest.b, h.digest, sizeof(digest.b)) != 0)
		return error_refuse(err, "%s: is damaged: its digests are not those it was written with",
				    name);
	d.ptr = xmemdup((const uint8_t *)data + sizeof(h), len - sizeof(h));
	*ret = d;
	return 0;
}

int blocks_read(const char *path, struct block_digests *ret, struct error *err)
{
	_cleanup_buf_ struct buf b = {0};
	int r;

	r = io_read_file(AT_FDCWD, path, BLOCKS_HEADER_SIZE + MAX_BLOCKS * SHA256_SIZE, &b, err);
	if (r < 0)
		return r;
	return blocks_parse(b.ptr ? b.ptr : "", b.len, path, ret, err);
}
