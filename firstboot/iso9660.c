/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "file.h"
#include "iso9660.h"

#define BLOCK	   2048u
#define DESCRIPTOR 16u /* block of the primary volume descriptor; the first of at most a few */
#define LABEL_AT   40
#define LABEL_LEN  32
#define ROOT_AT	   156 /* directory record of the root */
#define ROOT_MAX   (64 * 1024u)
#define RECORD_MIN 34

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

int iso9660_open(int fd, const char *label, struct iso9660 *ret)
{
	uint8_t d[BLOCK];
	size_t len = LABEL_LEN;
	int r = file_pread(fd, d, sizeof d, (uint64_t)DESCRIPTOR * BLOCK);

	if (r < 0)
		return r;
	if (d[0] != 1 || memcmp(d + 1, "CD001", 5) != 0)
		return -ENOENT;
	while (len && (d[LABEL_AT + len - 1] == ' ' || d[LABEL_AT + len - 1] == '\0'))
		len--;
	if (len != strlen(label) || strncasecmp((const char *)d + LABEL_AT, label, len) != 0)
		return -ENOENT;
	ret->root_at = le32(d + ROOT_AT + 2);
	ret->root_len = le32(d + ROOT_AT + 10);
	return ret->root_len && ret->root_len <= ROOT_MAX ? 0 : -EINVAL;
}

/* Whether the Rock Ridge name in the @len bytes of system use at @p is @name; one that is continued elsewhere is not. */
static bool has_name(const uint8_t *p, size_t len, const char *name)
{
	size_t name_len = strlen(name);

	while (len >= 4 && p[2] >= 4 && p[2] <= len) {
		if (p[0] == 'N' && p[1] == 'M' && p[2] >= 5 && p[4] == 0)
			return p[2] - 5u == name_len && memcmp(p + 5, name, name_len) == 0;
		len -= p[2];
		p += p[2];
	}
	return false;
}

/* The record at @p, of which @len bytes are there, when it is a file called @name. */
static bool is_file(const uint8_t *p, size_t len, const char *name)
{
	size_t id_len = p[32];
	size_t use = 33 + id_len + (id_len % 2 == 0);

	/* A directory, one of several extents, or a record that is cut. */
	return !(p[25] & 0x82) && use <= len && has_name(p + use, len - use, name);
}

int iso9660_read(int fd, const struct iso9660 *i, const char *name, char *buf, size_t size, size_t *ret_len)
{
	uint8_t block[BLOCK];

	for (uint32_t at = 0; at < i->root_len; at += BLOCK) {
		int r = file_pread(fd, block, sizeof block, ((uint64_t)i->root_at + at / BLOCK) * BLOCK);

		if (r < 0)
			return r;
		/* Records do not cross blocks; a length of 0 ends one. */
		for (size_t k = 0; k + RECORD_MIN <= BLOCK && block[k] >= RECORD_MIN && k + block[k] <= BLOCK;
		     k += block[k]) {
			const uint8_t *p = block + k;

			if (!is_file(p, block[k], name))
				continue;
			if (le32(p + 10) > size)
				return -EFBIG;
			*ret_len = le32(p + 10);
			return file_pread(fd, buf, *ret_len, (uint64_t)le32(p + 2) * BLOCK);
		}
	}
	return -ENOENT;
}
