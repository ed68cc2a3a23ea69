/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/nvram.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "lib/guid.h"
#include "lib/mem.h"

#define VOLUME_SIGNATURE  40 /* "_FVH" in EFI_FIRMWARE_VOLUME_HEADER */
#define VOLUME_HEADER_LEN 48 /* its u16 length */
#define VOLUME_HEADER_MIN 56
#define STORE_HEADER	  28 /* GUID, u32 size, format, state, reserved */
#define STORE_FORMATTED	  0x5a
#define STORE_HEALTHY	  0xfe
#define VARIABLE_START	  0x55aa
#define VARIABLE_ADDED	  0x3f
#define ATTRIBUTES	  7u /* non-volatile, boot service, runtime */
#define GLOBAL_VARIABLE	  "8be4df61-93ca-11d2-aa0d-00e098032b8c"
#define AUTHENTICATED	  "aaf32c78-947b-439a-a180-2e144ec37792"

static void add_u16(struct buf *b, uint16_t v)
{
	v = htole16(v);
	buf_add(b, &v, sizeof(v));
}

static void add_u32(struct buf *b, uint32_t v)
{
	v = htole32(v);
	buf_add(b, &v, sizeof(v));
}

static void add_u64(struct buf *b, uint64_t v)
{
	v = htole64(v);
	buf_add(b, &v, sizeof(v));
}

static void add_guid(struct buf *b, const struct guid *g)
{
	uint8_t raw[16];

	guid_to_gpt(g, raw);
	buf_add(b, raw, sizeof(raw));
}

/* With the terminating 0. */
static void add_utf16(struct buf *b, const char *ascii)
{
	do
		add_u16(b, (unsigned char)*ascii);
	while (*ascii++);
}

/*
 * The partition by number and GUID, and the file in it: the firmware finds the disk itself. UEFI 2.10,
 * section 10.3.5.
 */
static void add_device_path(struct buf *b, const struct nvram_entry *e)
{
	const uint8_t end[4] = {0x7f, 0xff, 4, 0};
	const uint8_t gpt_by_guid[2] = {2, 2};

	add_u16(b, 0x0104); /* media, hard drive */
	add_u16(b, 42);
	add_u32(b, e->number);
	add_u64(b, e->esp->offset / LAYOUT_SECTOR);
	add_u64(b, e->esp->size / LAYOUT_SECTOR);
	add_guid(b, &e->esp->uuid);
	buf_add(b, gpt_by_guid, sizeof(gpt_by_guid));
	add_u16(b, 0x0404); /* media, file path */
	add_u16(b, (uint16_t)(4 + 2 * (strlen(e->file) + 1)));
	add_utf16(b, e->file);
	buf_add(b, end, sizeof(end));
}

/* EFI_LOAD_OPTION: UEFI 2.10, section 3.1.3. */
static void load_option(struct buf *b, const struct nvram_entry *e)
{
	struct buf path = {0};

	add_device_path(&path, e);
	add_u32(b, 1); /* active */
	add_u16(b, (uint16_t)path.len);
	add_utf16(b, "mkappliance");
	buf_add(b, path.ptr, path.len);
	add_utf16(b, e->options);
	buf_free(&path);
}

/* AUTHENTICATED_VARIABLE_HEADER, name, data, padded to 4 bytes with what erased flash reads as. */
static void add_variable(struct buf *b, const char *name, const void *data, size_t len)
{
	const uint8_t state[2] = {VARIABLE_ADDED, 0};
	struct guid vendor;

	(void)guid_parse(GLOBAL_VARIABLE, &vendor);
	add_u16(b, VARIABLE_START);
	buf_add(b, state, sizeof(state));
	add_u32(b, ATTRIBUTES);
	buf_add_zero(b, 8 + 16 + 4); /* monotonic count, time, public key */
	add_u32(b, (uint32_t)(2 * (strlen(name) + 1)));
	add_u32(b, (uint32_t)len);
	add_guid(b, &vendor);
	add_utf16(b, name);
	buf_add(b, data, len);
	while (b->len % 4)
		buf_add(b, "\xff", 1);
}

/* Where the variables begin and end in the file. */
static int find_store(const uint8_t *p, size_t len, size_t *ret_start, size_t *ret_end, struct error *err)
{
	uint16_t header;
	uint32_t size;
	struct guid type, want;

	(void)guid_parse(AUTHENTICATED, &want);
	if (len < VOLUME_HEADER_MIN || memcmp(p + VOLUME_SIGNATURE, "_FVH", 4) != 0)
		return error_set(err, -EINVAL, "not a firmware volume");
	memcpy(&header, p + VOLUME_HEADER_LEN, sizeof(header));
	header = le16toh(header);
	if (header < VOLUME_HEADER_MIN || header > len || len - header < STORE_HEADER)
		return error_set(err, -EINVAL, "a firmware volume whose header does not fit");
	p += header;
	guid_from_gpt(p, &type);
	memcpy(&size, p + 16, sizeof(size));
	size = le32toh(size);
	if (memcmp(&type, &want, sizeof(type)) != 0 || p[20] != STORE_FORMATTED || p[21] != STORE_HEALTHY)
		return error_set(err, -EINVAL, "not a formatted store of authenticated variables");
	if (size < STORE_HEADER || size > len - header)
		return error_set(err, -EINVAL, "a variable store whose size does not fit");
	*ret_start = (size_t)header + STORE_HEADER;
	*ret_end = (size_t)header + size;
	return 0;
}

int nvram_add_entry(uint8_t *store, size_t len, const struct nvram_entry *e, struct error *err)
{
	struct buf option = {0}, variables = {0};
	const uint8_t order[2] = {0, 0};
	size_t start = 0, end = 0;
	int r = find_store(store, len, &start, &end, err);

	if (r < 0)
		return error_prefix(err, "firmware variables");
	load_option(&option, e);
	add_variable(&variables, "Boot0000", option.ptr, option.len);
	add_variable(&variables, "BootOrder", order, sizeof(order));
	if (end - start >= 2 && (store[start] != 0xff || store[start + 1] != 0xff))
		r = error_set(err, -EEXIST, "firmware variables: the store is not empty");
	else if (variables.len > end - start)
		r = error_set(err, -ENOSPC, "firmware variables: no room for a boot entry");
	else
		memcpy(store + start, variables.ptr, variables.len);
	buf_free(&option);
	buf_free(&variables);
	return r;
}
