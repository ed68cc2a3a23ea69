/* SPDX-License-Identifier: Apache-2.0 */
/* What stands before the root: partition table, ESP, UKI, initrd, and the verity superblock. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check/verify_internal.h"
#include "image/abi.h"
#include "image/esp.h"
#include "image/gpt.h"
#include "image/initrd.h"
#include "image/pe.h"
#include "lib/cleanup.h"
#include "lib/io.h"

#define UKI_LIMIT ((size_t)1 << 30)

/* The first thing that differs between what the table says and what was built, to be freed; NULL: nothing. */
static char *table_difference(const struct gpt *got, const struct layout *want)
{
	if (memcmp(&got->disk_guid, &want->disk_guid, sizeof(got->disk_guid)) != 0)
		return xstrdup("the disk GUID differs");
	if (got->count != want->count)
		return xasprintf("%u partitions, built were %zu", got->count, want->count);
	for (unsigned i = 0; i < want->count; i++) {
		const struct gpt_entry *e = &got->entries[i];
		const struct partition *p = &want->part[i];
		char uuid[GUID_TEXT_SIZE];

		if (strcmp(e->name, p->name) != 0)
			return xasprintf("partition %u is named '%s', built was '%s'", i + 1, e->name,
					 p->name);
		if (memcmp(&e->type, &p->type, sizeof(p->type)) != 0)
			return xasprintf("the type of partition '%s' differs", p->name);
		if (e->offset != p->offset || e->size != p->size)
			return xasprintf("partition '%s' has %ju bytes at %ju, built were %ju at %ju",
					 p->name, (uintmax_t)e->size, (uintmax_t)e->offset,
					 (uintmax_t)p->size, (uintmax_t)p->offset);
		guid_format(&e->uuid, uuid);
		if (memcmp(&e->uuid, &p->uuid, sizeof(p->uuid)) != 0)
			return xasprintf("partition '%s' has UUID %s: it is of another build", p->name, uuid);
	}
	return NULL;
}

int verify_table(struct verify *v, struct error *err)
{
	uint8_t primary[GPT_PRIMARY_SECTORS * LAYOUT_SECTOR], backup[GPT_BACKUP_SECTORS * LAYOUT_SECTOR];
	_cleanup_free_ struct gpt *gpt = xcalloc(1, sizeof(*gpt));
	_cleanup_free_ char *difference = NULL;
	struct error bad = ERROR_INIT;
	int r;

	r = io_pread_full(v->fd, v->name, primary, sizeof(primary), 0, err);
	if (r >= 0)
		r = io_pread_full(v->fd, v->name, backup, sizeof(backup), v->m->layout.size - sizeof(backup),
				  err);
	if (r < 0)
		return r;
	if (gpt_parse(primary, backup, v->m->layout.size, gpt, &bad) < 0) {
		report_bad(v, "partition table", "%s", bad.text);
		return 0;
	}
	difference = table_difference(gpt, &v->m->layout);
	if (difference)
		report_bad(v, "partition table", "%s", difference);
	else
		report_ok(v, "partition table", "GPT and its backup, %u partitions", gpt->count);
	return 0;
}

/* The value of the line "KEY=..." of the configuration, to be freed; NULL when it is not there. */
static char *conf_value(const char *text, size_t len, const char *key)
{
	size_t key_len = strlen(key);

	for (size_t at = 0; at < len;) {
		const char *nl = memchr(text + at, '\n', len - at);
		size_t line = nl ? (size_t)(nl - text) - at : len - at;

		if (line > key_len && memcmp(text + at, key, key_len) == 0 && text[at + key_len] == '=')
			return xstrndup(text + at + key_len + 1, line - key_len - 1);
		at += line + 1;
	}
	return NULL;
}

static bool conf_says(const char *text, size_t len, const char *key, const char *want)
{
	_cleanup_free_ char *got = conf_value(text, len, key);

	return got && strcmp(got, want) == 0;
}

/* What was seen while the initrd is read. */
struct members {
	const struct manifest *m;
	unsigned count;
	bool init;
	bool conf;
	char *difference; /* owned; the first one */
};

/* Whether the init is told what the manifest says; to be freed, NULL when it is. */
static char *conf_difference(const struct manifest *m, const char *text, size_t len)
{
	char root_hash[SHA256_HEX_SIZE], salt[2 * VERITY_SALT_SIZE + 1], number[32], uuid[GUID_TEXT_SIZE];

	if (!conf_says(text, len, "Name", m->name) || !conf_says(text, len, "Version", m->version))
		return xstrdup("name and version of /appliance.conf are not the manifest's");
	hex_encode(m->root_hash.b, SHA256_SIZE, root_hash);
	if (!conf_says(text, len, "RootHash", root_hash))
		return xstrdup("the root hash of /appliance.conf is not the manifest's");
	hex_encode(m->salt, sizeof(m->salt), salt);
	if (!conf_says(text, len, "Salt", salt))
		return xstrdup("the salt of /appliance.conf is not the manifest's");
	snprintf(number, sizeof(number), "%" PRIu64, m->data_blocks);
	if (!conf_says(text, len, "DataBlocks", number))
		return xstrdup("the number of blocks in /appliance.conf is not the manifest's");
	guid_format(&m->layout.part[PART_ROOT].uuid, uuid);
	if (!conf_says(text, len, "Root", uuid))
		return xstrdup("the root partition of /appliance.conf is not the manifest's");
	guid_format(&m->layout.part[PART_VERITY].uuid, uuid);
	if (!conf_says(text, len, "Verity", uuid))
		return xstrdup("the verity partition of /appliance.conf is not the manifest's");
	guid_format(&m->layout.part[PART_SIGNATURE].uuid, uuid);
	if (m->signature.required && !conf_says(text, len, "Signature", uuid))
		return xstrdup(
			"/appliance.conf does not ask for the signature that the manifest says is required");
	if (!conf_says(text, len, "CommandLine", m->command_line))
		return xstrdup("the command line of /appliance.conf is not the manifest's");
	return NULL;
}

static bool is_module(const char *path)
{
	size_t len = strlen(path);

	return len > 3 && strcmp(path + len - 3, ".ko") == 0;
}

static int see_member(const struct initrd_file *file, void *user, struct error *err)
{
	struct members *s = user;

	(void)err;
	s->count++;
	if (strcmp(file->path, "init") == 0)
		s->init = true;
	else if (strcmp(file->path, &ABI_CONF_PATH[1]) == 0 && !s->conf) {
		s->conf = true;
		if (!s->difference)
			s->difference = conf_difference(s->m, file->data, file->len);
	} else if ((file->mode & 0170000) != 0040000 && !is_module(file->path) && !s->difference)
		s->difference = xasprintf("'/%s' does not belong there", file->path);
	return 0;
}

static void verify_initrd(struct verify *v, const uint8_t *data, size_t len)
{
	struct members s = {.m = v->m};
	struct error bad = ERROR_INIT;
	struct sha256 digest;

	if (initrd_read(data, len, see_member, &s, &bad) < 0) {
		report_bad(v, "initrd", "%s", bad.text);
		free(s.difference);
		return;
	}
	sha256_of(data, len, &digest);
	if (s.difference)
		report_bad(v, "initrd", "%s", s.difference);
	else if (!s.init || !s.conf)
		report_bad(v, "initrd", "%s is missing", s.init ? ABI_CONF_PATH : "/init");
	else if (len != v->m->initrd_size || memcmp(&digest, &v->m->initrd_digest, sizeof(digest)) != 0)
		report_bad(v, "initrd",
			   "its digest is not the manifest's: the init or a kernel module was altered");
	else
		report_ok(v, "initrd", "%u members, tells the init this root hash", s.count);
	free(s.difference);
}

static void verify_sections(struct verify *v, const struct pe *pe)
{
	const struct pe_section *cmdline = pe_find(pe, ".cmdline"), *initrd = pe_find(pe, ".initrd");

	if (!cmdline || cmdline->data_size != strlen(v->m->command_line) ||
	    memcmp(pe_section_data(pe, cmdline), v->m->command_line, cmdline->data_size) != 0)
		report_bad(v, "command line", "section .cmdline of the UKI does not say '%s'",
			   v->m->command_line);
	else
		report_ok(v, "command line", "'%s'", v->m->command_line);
	if (!initrd)
		report_bad(v, "initrd", "the UKI has no section .initrd");
	else
		verify_initrd(v, pe_section_data(pe, initrd), initrd->data_size);
}

static void verify_uki(struct verify *v, const uint8_t *data, size_t len)
{
	_cleanup_free_ struct pe *pe = xcalloc(1, sizeof(*pe));
	struct error bad = ERROR_INIT;
	struct sha256 digest;

	sha256_of(data, len, &digest);
	if (len != v->m->uki_size)
		report_bad(v, "UKI", "%zu bytes, built were %ju", len, (uintmax_t)v->m->uki_size);
	else if (memcmp(&digest, &v->m->uki_digest, sizeof(digest)) != 0)
		report_bad(v, "UKI", "its SHA-256 is not the manifest's");
	else
		report_ok(v, "UKI", "%zu bytes, SHA-256 as built", len);
	if (pe_parse(data, len, "UKI", pe, &bad) < 0)
		report_bad(v, "command line", "%s", bad.text);
	else
		verify_sections(v, pe);
}

int verify_boot_files(struct verify *v, struct error *err)
{
	const struct partition *esp = &v->m->layout.part[PART_ESP];
	const char *name = strcmp(v->m->arch, "arm64") == 0 ? esp_boot_file_name(ARCH_ARM64)
							    : esp_boot_file_name(ARCH_X86_64);
	_cleanup_free_ void *data = NULL;
	struct error bad = ERROR_INIT;
	size_t len = 0;
	int r;

	r = esp_read_file(v->fd, v->name, esp->offset, esp->size, name, UKI_LIMIT, &data, &len, &bad);
	if (r == -EIO || r == -EINTR) {
		*err = bad;
		return r;
	}
	if (r < 0) {
		report_bad(v, "ESP", "%s", bad.text);
		return 0;
	}
	report_ok(v, "ESP", "/EFI/BOOT/%s, %zu bytes", name, len);
	verify_uki(v, data, len);
	return verify_pcrs(v, data, len, err);
}

int verify_superblock(struct verify *v, struct error *err)
{
	const struct check_steps *steps = &v->report->steps;
	uint8_t block[VERITY_BLOCK];
	struct verity_superblock sb;
	struct error bad = ERROR_INIT;
	int r;

	r = io_pread_full(v->fd, v->name, block, sizeof(block), v->m->layout.part[PART_VERITY].offset, err);
	if (r < 0)
		return r;
	if (verity_superblock_decode(block, sizeof(block), &sb, &bad) < 0)
		report_bad(v, "superblock", "%s", bad.text);
	else if (memcmp(&sb.uuid, &v->m->verity_uuid, sizeof(sb.uuid)) != 0)
		report_bad(v, "superblock", "its UUID is not the manifest's");
	else if (sb.data_blocks != v->m->data_blocks)
		report_bad(v, "superblock", "%ju data blocks, built were %ju", (uintmax_t)sb.data_blocks,
			   (uintmax_t)v->m->data_blocks);
	else if (memcmp(sb.salt, v->m->salt, sizeof(sb.salt)) != 0)
		report_bad(v, "superblock", "its salt is not the manifest's");
	else
		report_ok(v, "superblock", "dm-verity format 1, SHA-256, %ju data blocks",
			  (uintmax_t)sb.data_blocks);
	if (!v->report->ok && steps->len > 0 && !steps->list[steps->len - 1].ok)
		report_place(v, v->m->layout.part[PART_VERITY].name, 0, NULL);
	return 0;
}
