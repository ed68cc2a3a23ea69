/* SPDX-License-Identifier: Apache-2.0 */
#include "image/efi_vars.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#define VOLUME_SIGNATURE   40 /* "_FVH" in EFI_FIRMWARE_VOLUME_HEADER */
#define VOLUME_HEADER_LEN  48 /* its u16 length */
#define VOLUME_HEADER_MIN  56
#define STORE_HEADER	   28 /* GUID, u32 size, format, state, reserved */
#define STORE_FORMATTED	   0x5a
#define STORE_HEALTHY	   0xfe
#define VARIABLE_START	   0x55aa
#define VARIABLE_ADDED	   0x3f
#define VARIABLE_STATE	   2  /* where it stands in the header */
#define VARIABLE_NAME_SIZE 36 /* u32, then u32 size of the data */
#define VARIABLE_HEADER	   60
#define AUTHENTICATED	   "aaf32c78-947b-439a-a180-2e144ec37792"

#define CERT_X509	 "a5c059a1-94e4-4aa7-87b5-ab155c2bf072"
#define LIST_HEADER	 28 /* type, u32 list size, u32 header size, u32 signature size */
#define AWS_MAGIC	 "AMZNUEFI"
#define AWS_DIGEST_SIZE	 32
#define CRC32C_REFLECTED 0x82f63b78u

/* A GUID that is in this program as text. */
static void add_guid(struct buf *b, const char *text)
{
	struct guid g;
	uint8_t raw[16];

	if (!guid_parse(text, &g))
		abort();
	guid_to_gpt(&g, raw);
	buf_add(b, raw, sizeof(raw));
}

void efi_time(int64_t seconds, uint8_t ret[EFI_TIME_SIZE])
{
	time_t t = seconds;
	struct tm tm;

	memset(ret, 0, EFI_TIME_SIZE);
	if (!gmtime_r(&t, &tm))
		return;
	ret[0] = (uint8_t)((tm.tm_year + 1900) & 0xff);
	ret[1] = (uint8_t)((tm.tm_year + 1900) >> 8);
	ret[2] = (uint8_t)(tm.tm_mon + 1);
	ret[3] = (uint8_t)tm.tm_mday;
	ret[4] = (uint8_t)tm.tm_hour;
	ret[5] = (uint8_t)tm.tm_min;
	ret[6] = (uint8_t)tm.tm_sec;
}

/* ---- the store of OVMF and AAVMF ---- */

/* AUTHENTICATED_VARIABLE_HEADER, name, data, padded to 4 bytes with what erased flash reads as. */
static void add_variable(struct buf *b, const struct efi_variable *v)
{
	const uint8_t state[2] = {VARIABLE_ADDED, 0};

	buf_add_le16(b, VARIABLE_START);
	buf_add(b, state, sizeof(state));
	buf_add_le32(b, v->attributes);
	buf_add_zero(b, 8); /* monotonic count */
	buf_add(b, v->time, sizeof(v->time));
	buf_add_zero(b, 4); /* index of a public key */
	buf_add_le32(b, (uint32_t)(2 * (strlen(v->name) + 1)));
	buf_add_le32(b, (uint32_t)v->len);
	add_guid(b, v->vendor);
	for (const char *c = v->name;; c++) {
		buf_add_le16(b, (unsigned char)*c);
		if (!*c)
			break;
	}
	buf_add(b, v->data, v->len);
	while (b->len % 4)
		buf_add(b, "\xff", 1);
}

/* Where the variables begin and end in the file. */
static int find_store(const uint8_t *p, size_t len, size_t *ret_start, size_t *ret_end, struct error *err)
{
	uint16_t header;
	uint32_t size;
	struct guid type, want;

	if (!guid_parse(AUTHENTICATED, &want))
		abort();
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

static bool has_name(const uint8_t *name, size_t len, const char *ascii)
{
	size_t n = strlen(ascii) + 1;

	if (len != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (name[2 * i] != (uint8_t)ascii[i] || name[2 * i + 1])
			return false;
	return true;
}

/* Goes over what is there up to the first erased byte; *@at is moved. */
static int skip_variables(const uint8_t *store, size_t *at, size_t end, const struct efi_variable *variables,
			  size_t count, struct error *err)
{
	while (end - *at >= 2 && (store[*at] != 0xff || store[*at + 1] != 0xff)) {
		const uint8_t *v = store + *at;
		uint64_t size;
		uint32_t name, data;

		if (end - *at < VARIABLE_HEADER || v[0] != (VARIABLE_START & 0xff) ||
		    v[1] != VARIABLE_START >> 8)
			return error_set(err, -EINVAL, "a variable store that does not hold together");
		memcpy(&name, v + VARIABLE_NAME_SIZE, sizeof(name));
		memcpy(&data, v + VARIABLE_NAME_SIZE + 4, sizeof(data));
		name = le32toh(name);
		data = le32toh(data);
		size = ((uint64_t)VARIABLE_HEADER + name + data + 3) & ~(uint64_t)3;
		if (size > end - *at)
			return error_set(err, -EINVAL, "a variable that does not fit its store");
		for (size_t i = 0; i < count; i++)
			if (v[VARIABLE_STATE] == VARIABLE_ADDED &&
			    has_name(v + VARIABLE_HEADER, name, variables[i].name))
				return error_set(err, -EEXIST, "%s is set already", variables[i].name);
		*at += size;
	}
	return 0;
}

int efi_store_write(uint8_t *store, size_t len, const struct efi_variable *variables, size_t count,
		    struct error *err)
{
	_cleanup_buf_ struct buf b = {0};
	size_t at = 0, end = 0;
	int r = find_store(store, len, &at, &end, err);

	if (r == 0)
		r = skip_variables(store, &at, end, variables, count, err);
	if (r < 0)
		return error_prefix(err, "firmware variables");
	for (size_t i = 0; i < count; i++)
		add_variable(&b, &variables[i]);
	if (b.len > end - at)
		return error_set(err, -ENOSPC,
				 "firmware variables: %zu bytes do not fit into the %zu that are free", b.len,
				 end - at);
	if (b.len)
		memcpy(store + at, b.ptr, b.len);
	return 0;
}

/* ---- AWS ---- */

static uint32_t crc32c(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t crc = UINT32_MAX;

	while (len--) {
		crc ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? CRC32C_REFLECTED : 0);
	}
	return ~crc;
}

static void add_counted(struct buf *b, const void *data, size_t len)
{
	buf_add_le64(b, len);
	buf_add(b, data, len);
}

/*
 * "AMZNUEFI", CRC-32C of what follows it, version 0, zlib stream of the variables. AWS's own writer presets the compressor with a
 * dictionary of common certificates; a stream without one says so in its header, and unpacks without it.
 */
void efi_aws_blob(const struct efi_variable *variables, size_t count, struct buf *ret)
{
	_cleanup_buf_ struct buf plain = {0}, checked = {0};
	uLongf packed;

	buf_add_le64(&plain, count);
	for (size_t i = 0; i < count; i++) {
		const struct efi_variable *v = &variables[i];

		add_counted(&plain, v->name, strlen(v->name));
		add_counted(&plain, v->data, v->len);
		add_guid(&plain, v->vendor);
		buf_add_le32(&plain, v->attributes);
		if (v->attributes & EFI_TIME_BASED_AUTH) {
			buf_add(&plain, v->time, sizeof(v->time));
			/* Of the certificate that owns a private authenticated variable: the databases have none. */
			buf_add_le64(&plain, AWS_DIGEST_SIZE);
			buf_add_zero(&plain, AWS_DIGEST_SIZE);
		}
	}
	buf_add_le32(&checked, 0);
	packed = compressBound(plain.len);
	if (compress2((Bytef *)buf_room(&checked, packed), &packed, (const Bytef *)plain.ptr, plain.len,
		      Z_BEST_COMPRESSION) != Z_OK)
		abort(); /* only for lack of memory */
	checked.len += packed;
	buf_add(ret, AWS_MAGIC, strlen(AWS_MAGIC));
	buf_add_le32(ret, crc32c(checked.ptr, checked.len));
	buf_add(ret, checked.ptr, checked.len);
}

/* ---- signature lists ---- */

void efi_signature_list(const struct guid *owner, const void *certificate, size_t len, struct buf *ret)
{
	uint8_t raw[EFI_SIGNATURE_OWNER_SIZE];

	guid_to_gpt(owner, raw);
	add_guid(ret, CERT_X509);
	buf_add_le32(ret, (uint32_t)(LIST_HEADER + sizeof(raw) + len));
	buf_add_le32(ret, 0);
	buf_add_le32(ret, (uint32_t)(sizeof(raw) + len));
	buf_add(ret, raw, sizeof(raw));
	buf_add(ret, certificate, len);
}

int efi_signatures_walk(const void *data, size_t len, const char *name,
			int (*each)(const uint8_t *signature, size_t len, void *user), void *user,
			struct error *err)
{
	const uint8_t *p = data;

	while (len > 0) {
		uint32_t sizes[3]; /* of the list, of its own header, of one signature */
		size_t at;

		if (len < LIST_HEADER)
			return error_set(err, -EBADMSG, "%s: a signature list is cut off", name);
		memcpy(sizes, p + 16, sizeof(sizes));
		for (size_t i = 0; i < 3; i++)
			sizes[i] = le32toh(sizes[i]);
		if (sizes[0] < LIST_HEADER || sizes[0] > len || sizes[1] > sizes[0] - LIST_HEADER ||
		    sizes[2] <= EFI_SIGNATURE_OWNER_SIZE || (sizes[0] - LIST_HEADER - sizes[1]) % sizes[2])
			return error_set(err, -EBADMSG, "%s: the sizes of a signature list do not fit", name);
		for (at = LIST_HEADER + sizes[1]; at < sizes[0]; at += sizes[2]) {
			int r = each(p + at, sizes[2], user);

			if (r)
				return r;
		}
		p += sizes[0];
		len -= sizes[0];
	}
	return 0;
}
