/* SPDX-License-Identifier: Apache-2.0 */
/* Writing the manifest; reading is in manifest_read.c. */
#include "image/manifest.h"

#include <string.h>

#include "image/gpt.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/json.h"

static void set_guid(struct json *object, const char *key, const struct guid *g)
{
	char text[GUID_TEXT_SIZE];

	guid_format(g, text);
	js_set_string(object, key, text);
}

static void set_digest(struct json *object, const char *key, const struct sha256 *digest)
{
	js_set_bytes(object, key, digest->b, sizeof(digest->b));
}

static struct json *partition_json(const struct partition *p)
{
	struct json *j = js_object_new();

	js_set_string(j, "name", p->name);
	set_guid(j, "type", &p->type);
	set_guid(j, "uuid", &p->uuid);
	js_set_int(j, "offset", (int64_t)p->offset);
	js_set_int(j, "size", (int64_t)p->size);
	js_set_int(j, "used", (int64_t)p->used);
	js_set_bool(j, "read_only", p->attributes == PARTITION_READ_ONLY);
	return j;
}

static struct json *disk_json(const struct layout *l)
{
	struct json *j = js_object_new();
	struct json *partitions = js_array_new();

	js_set_int(j, "size", (int64_t)l->size);
	js_set_int(j, "sector_size", LAYOUT_SECTOR);
	set_guid(j, "guid", &l->disk_guid);
	for (size_t i = 0; i < l->count; i++)
		js_append(partitions, partition_json(&l->part[i]));
	js_set(j, "partitions", partitions);
	return j;
}

static struct json *verity_json(const struct manifest *m)
{
	struct json *j = js_object_new();

	js_set_int(j, "format", 1);
	js_set_string(j, "algorithm", "sha256");
	js_set_int(j, "data_block_size", VERITY_BLOCK);
	js_set_int(j, "hash_block_size", VERITY_BLOCK);
	js_set_int(j, "data_blocks", (int64_t)m->data_blocks);
	js_set_int(j, "hash_blocks", (int64_t)m->hash_blocks);
	js_set_bytes(j, "salt", m->salt, sizeof(m->salt));
	set_guid(j, "uuid", &m->verity_uuid);
	set_digest(j, "root_hash", &m->root_hash);
	if (m->signature.there) {
		struct json *signature = js_object_new();

		set_digest(signature, "certificate", &m->signature.certificate);
		js_set_bool(signature, "required", m->signature.required);
		js_set(j, "signature", signature);
	}
	return j;
}

static struct json *file_json(const struct sha256 *digest, uint64_t size)
{
	struct json *j = js_object_new();

	set_digest(j, "sha256", digest);
	js_set_int(j, "size", (int64_t)size);
	return j;
}

static struct json *blocks_json(const struct manifest *m)
{
	struct json *j = js_object_new();

	js_set_int(j, "size", LAYOUT_BLOCK);
	js_set_int(j, "count", (int64_t)m->block_count);
	set_digest(j, "sha256_linear", &m->blocks_digest);
	js_set_int(j, "nonzero_bytes", (int64_t)m->nonzero_bytes);
	return j;
}

static struct json *dont_care_json(const struct manifest *m)
{
	struct json *list = js_array_new();

	for (size_t i = 0; i < m->dont_care_count; i++) {
		struct json *j = js_object_new();

		js_set_int(j, "offset", (int64_t)m->dont_care[i].offset);
		js_set_int(j, "length", (int64_t)m->dont_care[i].length);
		js_append(list, j);
	}
	return list;
}

static void set_if(struct json *object, const char *key, const char *value)
{
	if (value)
		js_set_string(object, key, value);
}

char *manifest_text(const struct manifest *m)
{
	_cleanup_json_ struct json *j = js_object_new();
	struct json *kernel = js_object_new(), *root = js_object_new();
	struct json *test = manifest_test_json(&m->test), *upload = manifest_upload_json(&m->upload);
	struct json *pcrs = manifest_pcrs_json(&m->pcrs);

	js_set_int(j, "format", MANIFEST_FORMAT);
	js_set_string(j, "name", m->name);
	js_set_string(j, "version", m->version);
	js_set_string(j, "arch", m->arch);
	js_set_string(j, "tool_version", m->tool_version);
	js_set_int(j, "epoch", m->epoch);
	js_set_string(j, "init_mode", m->init_mode);
	js_set_string(kernel, "release", m->kernel_release);
	js_set_string(kernel, "command_line", m->command_line);
	js_set(j, "kernel", kernel);
	js_set(j, "disk", disk_json(&m->layout));
	js_set_string(root, "type", "ext4");
	set_guid(root, "uuid", &m->fs_uuid);
	set_if(root, "os", m->os_id);
	set_if(root, "os_version", m->os_version);
	js_set(j, "root", root);
	js_set(j, "verity", verity_json(m));
	js_set(j, "uki", file_json(&m->uki_digest, m->uki_size));
	js_set(j, "initrd", file_json(&m->initrd_digest, m->initrd_size));
	if (pcrs)
		js_set(j, "pcrs", pcrs);
	js_set(j, "blocks", blocks_json(m));
	js_set(j, "dont_care", dont_care_json(m));
	js_set(j, "inputs", manifest_inputs_json(m));
	js_set(j, "packages", installed_json(&m->packages));
	if (test)
		js_set(j, "test", test);
	if (upload)
		js_set(j, "upload", upload);
	return js_text(j, false);
}

int manifest_write(const struct manifest *m, const char *path, struct error *err)
{
	_cleanup_free_ char *text = manifest_text(m);

	return output_write_file(path, text, strlen(text), err);
}

void manifest_set_dont_care(struct manifest *m)
{
	const struct layout *l = &m->layout;
	uint64_t at = (uint64_t)GPT_PRIMARY_SECTORS * LAYOUT_SECTOR;

	free(m->dont_care);
	m->dont_care = xcalloc(l->count + 1, sizeof(*m->dont_care));
	m->dont_care_count = 0;
	for (size_t i = 0; i <= l->count; i++) {
		uint64_t end = i < l->count ? l->part[i].offset
					    : l->size - (uint64_t)GPT_BACKUP_SECTORS * LAYOUT_SECTOR;

		if (end > at)
			m->dont_care[m->dont_care_count++] = (struct byte_range){at, end - at};
		if (i < l->count)
			at = l->part[i].offset + l->part[i].used;
	}
}

/* IMAGE.raw, or any other name, with @suffix in the place of ".raw". */
static char *path_beside(const char *image_path, const char *suffix)
{
	size_t len = strlen(image_path);

	if (len > 4 && strcmp(image_path + len - 4, ".raw") == 0)
		len -= 4;
	return xasprintf("%.*s%s", (int)len, image_path, suffix);
}

char *manifest_path_for(const char *image_path)
{
	return path_beside(image_path, ".manifest.json");
}

char *blocks_path_for(const char *image_path)
{
	return path_beside(image_path, ".blocks");
}

char *spdx_path_for(const char *image_path)
{
	return path_beside(image_path, ".spdx.json");
}

char *cyclonedx_path_for(const char *image_path)
{
	return path_beside(image_path, ".cdx.json");
}

char *provenance_path_for(const char *image_path)
{
	return path_beside(image_path, ".intoto.json");
}

void manifest_free(struct manifest *m)
{
	if (!m)
		return;
	free(m->name);
	free(m->version);
	free(m->arch);
	free(m->tool_version);
	free(m->init_mode);
	free(m->command_line);
	free(m->kernel_release);
	free(m->os_id);
	free(m->os_version);
	free(m->dont_care);
	for (size_t i = 0; i < m->input_count; i++)
		compose_input_free(&m->inputs[i]);
	free(m->inputs);
	installed_free(&m->packages);
	manifest_pcrs_free(&m->pcrs);
	manifest_test_free(&m->test);
	manifest_upload_free(&m->upload);
	free(m);
}

void manifest_freep(struct manifest **m)
{
	manifest_free(*m);
}
