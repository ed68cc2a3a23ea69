/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a manifest. What comes out is consistent in itself: sizes add up, the tree's geometry and the PARTUUIDs follow
 * from what they must follow from, and no don't-care range covers a byte that counts.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "image/abi.h"
#include "image/gpt.h"
#include "image/manifest.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/json.h"

#define MAX_TEXT (64u << 20)
#define MAX_SIZE (1ll << 44) /* 16 TiB, as in blocks.c: what is allocated for an image stays below 2 GiB */

static int need_text(const struct json *j, const char *path, char **ret, struct error *err)
{
	const char *s = NULL;
	int r = js_need_string(j, path, &s, err);

	if (r < 0)
		return r;
	*ret = xstrdup(s);
	return 0;
}

static int may_have_text(const struct json *j, const char *path, char **ret, struct error *err)
{
	return js_get(j, path) ? need_text(j, path, ret, err) : 0;
}

static int need_size(const struct json *j, const char *path, uint64_t *ret, struct error *err)
{
	int64_t v = 0;
	int r = js_need_int(j, path, 0, MAX_SIZE, &v, err);

	if (r < 0)
		return r;
	*ret = (uint64_t)v;
	return 0;
}

static int need_guid(const struct json *j, const char *path, struct guid *ret, struct error *err)
{
	const char *s = NULL;
	int r = js_need_string(j, path, &s, err);

	if (r < 0)
		return r;
	if (!guid_parse(s, ret))
		return error_set(err, -EINVAL, "'%s' is '%s', not a UUID", path, s);
	return 0;
}

static int need_exact_int(const struct json *j, const char *path, int64_t want, struct error *err)
{
	int64_t v = 0;

	return js_need_int(j, path, want, want, &v, err);
}

static int need_exact_text(const struct json *j, const char *path, const char *want, struct error *err)
{
	const char *s = NULL;
	int r = js_need_string(j, path, &s, err);

	if (r < 0)
		return r;
	if (strcmp(s, want) != 0)
		return error_set(err, -EINVAL, "'%s' is '%s', only '%s' is known", path, s, want);
	return 0;
}

/* Name and version become file names, so they are held to the template's rules. */
static int check_word(const char *path, const char *s, const char *allowed, size_t max, struct error *err)
{
	if (!*s || strspn(s, allowed) != strlen(s) || strlen(s) > max)
		return error_set(err, -EINVAL, "'%s' is '%s', not a valid %s", path, s, path);
	return 0;
}

static int read_head(const struct json *j, struct manifest *m, struct error *err)
{
	static const char lower[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	static const char any[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+~_-";
	int r;

	if ((r = need_text(j, "name", &m->name, err)) < 0 ||
	    (r = check_word("name", m->name, lower, 63, err)) < 0 ||
	    (r = need_text(j, "version", &m->version, err)) < 0 ||
	    (r = check_word("version", m->version, any, 64, err)) < 0 ||
	    (r = need_text(j, "arch", &m->arch, err)) < 0 ||
	    (r = need_text(j, "tool_version", &m->tool_version, err)) < 0 ||
	    (r = js_need_int(j, "epoch", INT64_MIN, INT64_MAX, &m->epoch, err)) < 0 ||
	    (r = need_text(j, "init_mode", &m->init_mode, err)) < 0 ||
	    (r = need_text(j, "kernel.release", &m->kernel_release, err)) < 0 ||
	    (r = need_text(j, "kernel.command_line", &m->command_line, err)) < 0)
		return r;
	if (strcmp(m->init_mode, "appliance") != 0 && strcmp(m->init_mode, "system") != 0)
		return error_set(err, -EINVAL, "'init_mode' is '%s', known are appliance and system",
				 m->init_mode);
	return 0;
}

static int read_partition(const struct json *j, const struct partition *want, struct partition *ret,
			  struct error *err)
{
	struct partition p = *want;
	bool read_only = false;
	int r;

	if ((r = need_exact_text(j, "name", want->name, err)) < 0 ||
	    (r = need_guid(j, "type", &p.type, err)) < 0 || (r = need_guid(j, "uuid", &p.uuid, err)) < 0 ||
	    (r = need_size(j, "offset", &p.offset, err)) < 0 ||
	    (r = need_size(j, "size", &p.size, err)) < 0 || (r = need_size(j, "used", &p.used, err)) < 0)
		return r;
	if (memcmp(&p.type, &want->type, sizeof(p.type)) != 0)
		return error_set(err, -EINVAL, "'type' is not the one of this architecture");
	if (!js_bool(js_get(j, "read_only"), &read_only) ||
	    read_only != (want->attributes == PARTITION_READ_ONLY))
		return error_set(err, -EINVAL,
				 "'read_only' is missing or not what it must be for this partition");
	if (p.used == 0 || p.used > p.size || p.size % LAYOUT_ALIGN || p.offset % LAYOUT_ALIGN)
		return error_set(err, -EINVAL,
				 "offset %" PRIu64 ", size %" PRIu64 " and used %" PRIu64
				 " are not whole MiB or do not fit",
				 p.offset, p.size, p.used);
	*ret = p;
	return 0;
}

static int read_disk(const struct json *j, struct manifest *m, struct error *err)
{
	enum architecture arch =
		strcmp(m->arch, architecture_name(ARCH_ARM64)) == 0 ? ARCH_ARM64 : ARCH_X86_64;
	const struct json *list = js_get(j, "disk.partitions");
	struct layout *l = &m->layout;
	struct layout want; /* for names, types and attributes */
	uint64_t at = LAYOUT_ALIGN;
	int r;

	if (strcmp(m->arch, architecture_name(arch)) != 0)
		return error_set(err, -EINVAL, "'arch' is '%s', known are x86_64 and arm64", m->arch);
	r = layout_plan(m->name, arch, LAYOUT_ALIGN, VERITY_BLOCK, VERITY_BLOCK, &want, err);
	if (r < 0)
		return r;
	if ((r = need_size(j, "disk.size", &l->size, err)) < 0 ||
	    (r = need_exact_int(j, "disk.sector_size", LAYOUT_SECTOR, err)) < 0 ||
	    (r = need_guid(j, "disk.guid", &l->disk_guid, err)) < 0)
		return r;
	layout_add_signature(m->name, arch, &want);
	l->count = js_array_len(list);
	if (l->count < PART_SIGNATURE || l->count > PART_COUNT)
		return error_set(err, -EINVAL, "'disk.partitions' is not a list of %d or %d", PART_SIGNATURE,
				 PART_COUNT);
	for (size_t i = 0; i < l->count; i++) {
		r = read_partition(js_array_get(list, i), &want.part[i], &l->part[i], err);
		if (r < 0)
			return error_prefix(err, "partition '%s'", want.part[i].name);
		if (l->part[i].offset < at)
			return error_set(err, -EINVAL,
					 "partition '%s' begins before the one in front of it ends",
					 l->part[i].name);
		at = l->part[i].offset + l->part[i].size;
	}
	if (l->size % LAYOUT_BLOCK || at + GPT_BACKUP_SECTORS * LAYOUT_SECTOR > l->size)
		return error_set(err, -EINVAL, "'disk.size' %" PRIu64 " has no room for the partitions",
				 l->size);
	return 0;
}

static int read_verity(const struct json *j, struct manifest *m, struct error *err)
{
	int r;

	if ((r = need_exact_text(j, "root.type", "ext4", err)) < 0 ||
	    (r = need_guid(j, "root.uuid", &m->fs_uuid, err)) < 0 ||
	    (r = may_have_text(j, "root.os", &m->os_id, err)) < 0 ||
	    (r = may_have_text(j, "root.os_version", &m->os_version, err)) < 0 ||
	    (r = need_exact_int(j, "verity.format", 1, err)) < 0 ||
	    (r = need_exact_text(j, "verity.algorithm", "sha256", err)) < 0 ||
	    (r = need_exact_int(j, "verity.data_block_size", VERITY_BLOCK, err)) < 0 ||
	    (r = need_exact_int(j, "verity.hash_block_size", VERITY_BLOCK, err)) < 0 ||
	    (r = need_size(j, "verity.data_blocks", &m->data_blocks, err)) < 0 ||
	    (r = need_size(j, "verity.hash_blocks", &m->hash_blocks, err)) < 0 ||
	    (r = js_need_bytes(j, "verity.salt", m->salt, sizeof(m->salt), err)) < 0 ||
	    (r = need_guid(j, "verity.uuid", &m->verity_uuid, err)) < 0 ||
	    (r = js_need_bytes(j, "verity.root_hash", m->root_hash.b, sizeof(m->root_hash.b), err)) < 0)
		return r;
	return 0;
}

static int read_signature(const struct json *j, struct manifest *m, struct error *err)
{
	int r;

	if (m->layout.count == PART_COUNT && m->layout.part[PART_SIGNATURE].used > ABI_SIGNATURE_MAX)
		return error_set(err, -EINVAL, "no signature has more than %d bytes", ABI_SIGNATURE_MAX);
	m->signature.there = js_get(j, "verity.signature");
	if (!m->signature.there)
		return 0;
	if (m->layout.count != PART_COUNT)
		return error_set(err, -EINVAL, "'verity.signature' without a partition for it");
	r = js_need_bytes(j, "verity.signature.certificate", m->signature.certificate.b, SHA256_SIZE, err);
	if (r == 0 && !js_bool(js_get(j, "verity.signature.required"), &m->signature.required))
		return error_set(err, -EINVAL, "'verity.signature.required' is missing or no boolean");
	return r;
}

static int read_digests(const struct json *j, struct manifest *m, struct error *err)
{
	int r;

	if ((r = js_need_bytes(j, "uki.sha256", m->uki_digest.b, sizeof(m->uki_digest.b), err)) < 0 ||
	    (r = need_size(j, "uki.size", &m->uki_size, err)) < 0 ||
	    (r = js_need_bytes(j, "initrd.sha256", m->initrd_digest.b, sizeof(m->initrd_digest.b), err)) <
		    0 ||
	    (r = need_size(j, "initrd.size", &m->initrd_size, err)) < 0 ||
	    (r = need_exact_int(j, "blocks.size", LAYOUT_BLOCK, err)) < 0 ||
	    (r = need_size(j, "blocks.count", &m->block_count, err)) < 0 ||
	    (r = js_need_bytes(j, "blocks.sha256_linear", m->blocks_digest.b, sizeof(m->blocks_digest.b),
			       err)) < 0 ||
	    (r = need_size(j, "blocks.nonzero_bytes", &m->nonzero_bytes, err)) < 0)
		return r;
	return 0;
}

static int read_dont_care(const struct json *j, struct manifest *m, struct error *err)
{
	const struct json *list = js_get(j, "dont_care");

	if (!js_is_array(list))
		return error_set(err, -EINVAL, "'dont_care' is missing or not a list");
	m->dont_care = xcalloc(js_array_len(list) + 1, sizeof(*m->dont_care));
	for (size_t i = 0; i < js_array_len(list); i++) {
		struct byte_range *range = &m->dont_care[i];
		int r;

		if ((r = need_size(js_array_get(list, i), "offset", &range->offset, err)) < 0 ||
		    (r = need_size(js_array_get(list, i), "length", &range->length, err)) < 0)
			return error_prefix(err, "dont_care[%zu]", i);
		m->dont_care_count++;
	}
	return 0;
}

/* What the numbers of different members must have to do with each other. */
static int check_sums(const struct manifest *m, struct error *err)
{
	const struct partition *part = m->layout.part;
	struct verity_geometry g;
	int r;

	r = verity_geometry(m->data_blocks, &g, err);
	if (r < 0)
		return r;
	if (g.hash_blocks != m->hash_blocks)
		return error_set(err, -EINVAL,
				 "%" PRIu64 " data blocks have %" PRIu64 " hash blocks, not %" PRIu64,
				 m->data_blocks, g.hash_blocks, m->hash_blocks);
	if (part[PART_ROOT].used != m->data_blocks * VERITY_BLOCK ||
	    part[PART_VERITY].used != m->hash_blocks * VERITY_BLOCK)
		return error_set(err, -EINVAL,
				 "the used bytes of root and root-verity are not those of 'verity'");
	if (memcmp(part[PART_ROOT].uuid.b, m->root_hash.b, 16) != 0 ||
	    memcmp(part[PART_VERITY].uuid.b, m->root_hash.b + 16, 16) != 0)
		return error_set(err, -EINVAL,
				 "the UUIDs of root and root-verity are not those of the root hash");
	if (m->block_count != m->layout.size / LAYOUT_BLOCK || m->nonzero_bytes > m->layout.size)
		return error_set(err, -EINVAL, "'blocks' does not fit a disk of %" PRIu64 " bytes",
				 m->layout.size);
	if (m->uki_size == 0 || m->uki_size > part[PART_ESP].used || m->initrd_size > m->uki_size)
		return error_set(err, -EINVAL,
				 "'uki' of %" PRIu64 " bytes does not fit the ESP, or 'initrd' not the UKI",
				 m->uki_size);
	return 0;
}

/* A manifest must not be able to blind its reader. */
static int check_dont_care(const struct manifest *m, struct error *err)
{
	const uint64_t backup = m->layout.size - GPT_BACKUP_SECTORS * LAYOUT_SECTOR;
	uint64_t at = GPT_PRIMARY_SECTORS * LAYOUT_SECTOR;

	for (size_t i = 0; i < m->dont_care_count; i++) {
		uint64_t start = m->dont_care[i].offset, end = start + m->dont_care[i].length;

		if (start < at || end <= start || end > backup)
			return error_set(err, -EINVAL,
					 "dont_care[%zu] is empty, out of order or over the partition table",
					 i);
		for (size_t p = 0; p < m->layout.count; p++)
			if (start < m->layout.part[p].offset + m->layout.part[p].used &&
			    m->layout.part[p].offset < end)
				return error_set(err, -EINVAL,
						 "dont_care[%zu] covers bytes of partition '%s'", i,
						 m->layout.part[p].name);
		at = end;
	}
	return 0;
}

static int read_document(const struct json *j, struct manifest *m, struct error *err)
{
	int r;

	if ((r = need_exact_int(j, "format", MANIFEST_FORMAT, err)) < 0 || (r = read_head(j, m, err)) < 0 ||
	    (r = read_disk(j, m, err)) < 0 || (r = read_verity(j, m, err)) < 0 ||
	    (r = read_signature(j, m, err)) < 0 || (r = read_digests(j, m, err)) < 0 ||
	    (r = read_dont_care(j, m, err)) < 0 ||
	    (r = manifest_inputs_read(js_get(j, "inputs"), m, err)) < 0 ||
	    (r = installed_read(js_get(j, "packages"), &m->packages, err)) < 0 ||
	    (r = manifest_pcrs_read(js_get(j, "pcrs"), &m->pcrs, err)) < 0 ||
	    (r = manifest_test_read(js_get(j, "test"), &m->test, err)) < 0 ||
	    (r = manifest_upload_read(js_get(j, "upload"), &m->upload, err)) < 0 ||
	    (r = check_sums(m, err)) < 0 || (r = check_dont_care(m, err)) < 0)
		return r;
	return 0;
}

int manifest_parse(const char *text, size_t len, const char *name, struct manifest **ret, struct error *err)
{
	_cleanup_manifest_ struct manifest *m = xcalloc(1, sizeof(*m));
	_cleanup_json_ struct json *j = NULL;
	int r;

	r = js_parse(text, len, name, &j, err);
	if (r == 0) {
		r = read_document(j, m, err);
		if (r < 0)
			r = error_prefix(err, "%s", name);
	}
	if (r < 0) {
		err->exit = EXIT_REFUSED; /* nothing may be concluded about an image from it */
		return r;
	}
	sha256_of(text, len, &m->text_digest);
	*ret = steal_pointer(&m);
	return 0;
}

int manifest_read(const char *path, struct manifest **ret, struct error *err)
{
	_cleanup_buf_ struct buf b = {0};
	int r;

	r = io_read_file(AT_FDCWD, path, MAX_TEXT, &b, err);
	if (r < 0)
		return r;
	return manifest_parse(b.ptr ? b.ptr : "", b.len, path, ret, err);
}
