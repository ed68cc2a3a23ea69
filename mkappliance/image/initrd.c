/* SPDX-License-Identifier: Apache-2.0 */
#include "image/initrd.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "compose/tree.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define MAGIC	    "070701"
#define HEADER_SIZE 110u /* the magic and 13 numbers of 8 hexadecimal digits */
#define TRAILER	    "TRAILER!!!"

/* Where a number stands in the header. */
#define FIELD_MODE	14u
#define FIELD_FILE_SIZE 54u
#define FIELD_NAME_SIZE 94u

/* Name and data are padded to this, counted from the start of the archive. */
#define ALIGN 4u

static size_t padding(size_t position)
{
	return -position & (ALIGN - 1);
}

/* The one form in which a member's header is written, and so the only one that is accepted. */
static void encode_header(uint32_t ino, uint32_t mode, uint32_t file_size, uint32_t name_size,
			  char out[HEADER_SIZE + 1])
{
	const uint32_t uid = 0, gid = 0, mtime = 0, dev = 0, check = 0;
	const uint32_t nlink = S_ISDIR(mode) ? 2 : 1;
	const uint32_t field[] = {ino, mode, uid, gid, nlink,	  mtime, file_size,
				  dev, dev,  dev, dev, name_size, check};
	char *p = out + sizeof(MAGIC) - 1;

	memcpy(out, MAGIC, sizeof(MAGIC));
	for (size_t i = 0; i < sizeof(field) / sizeof(field[0]); i++, p += 8)
		snprintf(p, 9, "%08" PRIX32, field[i]);
}

/* Relative, no empty component, no "." and no "..". */
static bool path_is_plain(const char *path)
{
	for (const char *p = path;; p++) {
		size_t n = strcspn(p, "/");

		if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		p += n;
		if (!*p)
			return true;
	}
}

/*
 * Whether @file may follow @previous (NULL: it is the first): greater in path order, and its directory was
 * there. In this order a directory is followed by all it holds, so a look at the one before is enough.
 */
static const char *order_fault(const struct initrd_file *previous, const struct initrd_file *file)
{
	const char *slash = strrchr(file->path, '/');
	size_t n = slash ? (size_t)(slash - file->path) : 0;

	if (previous && tree_path_compare(previous->path, file->path) >= 0)
		return "is there twice or out of order";
	if (!slash)
		return NULL;
	if (!previous || strncmp(previous->path, file->path, n) != 0)
		return "has no parent directory";
	if (previous->path[n] == '/' || (previous->path[n] == 0 && S_ISDIR(previous->mode)))
		return NULL;
	return "has no parent directory";
}

/* What is wrong with a member behind @previous, NULL when nothing is. */
static const char *member_fault(const struct initrd_file *previous, const struct initrd_file *file)
{
	if (!path_is_plain(file->path) || strlen(file->path) >= PATH_MAX)
		return "is not a plain relative path";
	if (strcmp(file->path, TRAILER) == 0)
		return "is the name that ends an archive";
	if (!S_ISREG(file->mode) && !S_ISDIR(file->mode))
		return "is neither a regular file nor a directory";
	if (file->mode & ~(uint32_t)(S_IFMT | 07777))
		return "has an unknown mode";
	if (S_ISDIR(file->mode) && file->len > 0)
		return "is a directory with content";
	if (file->len > UINT32_MAX)
		return "is larger than 4 GiB";
	return order_fault(previous, file);
}

/* ---- writing ---- */

static void add_member(uint32_t ino, const struct initrd_file *file, size_t start, struct buf *out)
{
	size_t name_size = strlen(file->path) + 1;
	char header[HEADER_SIZE + 1];

	encode_header(ino, file->mode, (uint32_t)file->len, (uint32_t)name_size, header);
	buf_add(out, header, HEADER_SIZE);
	buf_add(out, file->path, name_size);
	buf_add_zero(out, padding(out->len - start));
	buf_add(out, file->data, file->len);
	buf_add_zero(out, padding(out->len - start));
}

static int compare_files(const void *a, const void *b)
{
	const struct initrd_file *const *fa = a, *const *fb = b;

	return tree_path_compare((*fa)->path, (*fb)->path);
}

void initrd_write(const struct initrd_file *files, size_t count, struct buf *out)
{
	_cleanup_free_ const struct initrd_file **sorted = xcalloc(count, sizeof(struct initrd_file *));
	const struct initrd_file trailer = {.path = TRAILER};
	size_t start = out->len;

	for (size_t i = 0; i < count; i++)
		sorted[i] = &files[i];
	qsort(sorted, count, sizeof(struct initrd_file *), compare_files);
	for (size_t i = 0; i < count; i++) {
		const char *fault = member_fault(i ? sorted[i - 1] : NULL, sorted[i]);

		if (fault) {
			_cleanup_free_ char *text = xasprintf("initrd: '%s' %s", sorted[i]->path, fault);

			log_error(text);
			abort();
		}
		add_member((uint32_t)(i + 1), sorted[i], start, out);
	}
	add_member(0, &trailer, start, out);
}

/* ---- reading ---- */

/* Eight digits; anything else gives a number that encode_header() will not turn into the same digits. */
static uint32_t decode_number(const uint8_t *digits)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < 8; i++) {
		unsigned d = digits[i];

		value = value << 4 | ((d >= 'A' ? d - 'A' + 10 : d - '0') & 0xf);
	}
	return value;
}

static bool all_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != 0)
			return false;
	return true;
}

/* Cuts @len bytes and their padding from position @pos of the archive; NULL when they are not there. */
static const uint8_t *take(const uint8_t *data, size_t len, size_t *pos, size_t want)
{
	const uint8_t *p = data + *pos;
	size_t pad;

	if (want > len - *pos)
		return NULL;
	pad = padding(*pos + want);
	if (pad > len - *pos - want || !all_zero(p + want, pad))
		return NULL;
	*pos += want + pad;
	return p;
}

/* The member at @pos, which moves behind it. */
static int read_member(const uint8_t *data, size_t len, size_t *pos, uint32_t ino, struct initrd_file *ret,
		       struct error *err)
{
	char expected[HEADER_SIZE + 1];
	uint32_t mode, file_size, name_size;
	const uint8_t *head = data + *pos, *name, *content;
	size_t at = *pos;

	if (len - at < HEADER_SIZE || memcmp(head, MAGIC, sizeof(MAGIC) - 1) != 0)
		return error_refuse(err, "initrd: no member's header at byte %zu", at);
	mode = decode_number(head + FIELD_MODE);
	file_size = decode_number(head + FIELD_FILE_SIZE);
	name_size = decode_number(head + FIELD_NAME_SIZE);
	/* Name and header are padded together. */
	if (name_size < 2 || !take(data, len, pos, HEADER_SIZE + (size_t)name_size))
		return error_refuse(err, "initrd: the name of the member at byte %zu is cut off", at);
	name = head + HEADER_SIZE;
	if (memchr(name, 0, name_size) != name + name_size - 1)
		return error_refuse(
			err, "initrd: the name of the member at byte %zu does not end where it says", at);
	content = take(data, len, pos, file_size);
	if (!content)
		return error_refuse(err, "initrd: '%s' is cut off or not padded with zeros",
				    (const char *)name);

	/* The trailer has no number of its own. */
	if (strcmp((const char *)name, TRAILER) == 0)
		ino = 0;
	encode_header(ino, mode, file_size, name_size, expected);
	if (memcmp(head, expected, HEADER_SIZE) != 0)
		return error_refuse(err, "initrd: the header of '%s' is not as this tool writes it",
				    (const char *)name);
	*ret = (struct initrd_file){
		.path = (const char *)name, .mode = mode, .data = content, .len = file_size};
	return 0;
}

int initrd_read(const uint8_t *data, size_t len,
		int (*member)(const struct initrd_file *file, void *user, struct error *err), void *user,
		struct error *err)
{
	struct initrd_file previous = {0}, file = {0};
	size_t pos = 0;

	for (uint32_t ino = 1;; ino++) {
		const char *fault;
		int r = read_member(data, len, &pos, ino, &file, err);

		if (r < 0)
			return r;
		if (strcmp(file.path, TRAILER) == 0)
			break;
		fault = member_fault(previous.path ? &previous : NULL, &file);
		if (fault)
			return error_refuse(err, "initrd: '%s' %s", file.path, fault);
		r = member(&file, user, err);
		if (r < 0)
			return r;
		previous = file;
	}
	if (file.mode != 0 || file.len != 0)
		return error_refuse(err, "initrd: the trailer is not as this tool writes it");
	if (pos != len)
		return error_refuse(err, "initrd: %zu bytes behind its end", len - pos);
	return 0;
}
