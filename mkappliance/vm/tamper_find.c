/* SPDX-License-Identifier: Apache-2.0 */
/* Where the things are that tamper_edit.c alters. */
#include <errno.h>
#include <string.h>

#include "image/abi.h"
#include "image/esp.h"
#include "image/ext4.h"
#include "image/initrd.h"
#include "image/pe.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "vm/tamper_edit.h"

#define UKI_MAX ((size_t)1 << 30)
#define STEP	512u

/* The file system of the ESP has the UKI in one piece; its first bytes and then all of it are looked for. */
static int find_uki(int fd, const char *name, const struct partition *esp, const uint8_t *uki, size_t len,
		    uint64_t *ret, struct error *err)
{
	_cleanup_free_ uint8_t *found = xmalloc(len);
	uint8_t head[STEP];

	for (uint64_t at = 0; at + len <= esp->used; at += STEP) {
		int r = io_pread_full(fd, name, head, sizeof(head), esp->offset + at, err);

		if (r < 0)
			return r;
		if (len < STEP || memcmp(head, uki, STEP) != 0)
			continue;
		r = io_pread_full(fd, name, found, len, esp->offset + at, err);
		if (r < 0)
			return r;
		if (memcmp(found, uki, len) == 0) {
			*ret = esp->offset + at;
			return 0;
		}
	}
	return error_set(err, -ENOENT, "%s: the UKI does not lie in one piece in the ESP", name);
}

/* What is wanted of the initrd's members; they point into the UKI. */
struct members {
	const uint8_t *init;
	const char *conf;
	size_t conf_len;
};

static int take_member(const struct initrd_file *file, void *user, struct error *err)
{
	struct members *m = user;

	(void)err;
	if (strcmp(file->path, "init") == 0)
		m->init = file->data;
	if (strcmp(file->path, &ABI_CONF_PATH[1]) == 0) {
		m->conf = file->data;
		m->conf_len = file->len;
	}
	return 0;
}

/* The value of the first line "KEY=value"; its length in @ret_len. NULL when there is none. */
static const char *conf_value(const struct members *m, const char *key, size_t *ret_len)
{
	const char *line = m->conf, *end = m->conf + m->conf_len;
	size_t key_len = strlen(key);

	while (line < end) {
		const char *nl = memchr(line, '\n', (size_t)(end - line));
		size_t len = (size_t)((nl ? nl : end) - line);

		if (len > key_len && memcmp(line, key, key_len) == 0 && line[key_len] == '=') {
			*ret_len = len - key_len - 1;
			return line + key_len + 1;
		}
		line += len + 1;
	}
	return NULL;
}

static int find_in_initrd(const uint8_t *uki, const struct pe_section *initrd, uint64_t base,
			  const char *name, struct tamper_places *p, struct error *err)
{
	struct members m = {0};
	const char *hash, *program;
	size_t len = 0;
	int r = initrd_read(uki + initrd->file_offset, initrd->virtual_size, take_member, &m, err);

	if (r < 0)
		return error_prefix(err, "%s", name);
	if (!m.init || !m.conf)
		return error_set(err, -ENOENT, "%s: /init or %s is not in the initrd", name, ABI_CONF_PATH);
	hash = conf_value(&m, "RootHash", &len);
	if (!hash || len != 2 * SHA256_SIZE)
		return error_set(err, -ENOENT, "%s: no RootHash= in %s", name, ABI_CONF_PATH);
	p->root_hash = base + (uint64_t)((const uint8_t *)hash - uki);
	p->init = base + (uint64_t)(m.init - uki);
	program = conf_value(&m, "Arg", &len);
	if (!program)
		program = conf_value(&m, "Init", &len);
	if (!program)
		return error_set(err, -ENOENT, "%s: neither Arg= nor Init= in %s", name, ABI_CONF_PATH);
	p->program_path = xstrndup(program, len);
	return 0;
}

static int find_in_uki(const uint8_t *uki, size_t len, uint64_t base, const char *name,
		       struct tamper_places *p, struct error *err)
{
	const struct pe_section *command_line, *kernel, *initrd;
	struct pe pe;
	int r = pe_parse(uki, len, name, &pe, err);

	if (r < 0)
		return r;
	command_line = pe_find(&pe, ".cmdline");
	kernel = pe_find(&pe, ".linux");
	initrd = pe_find(&pe, ".initrd");
	if (!command_line || !kernel || !initrd || command_line->virtual_size == 0 ||
	    kernel->virtual_size < 4096 || initrd->virtual_size > initrd->file_size)
		return error_set(err, -ENOENT, "%s: the UKI has no usable .cmdline, .linux or .initrd", name);
	p->command_line = base + command_line->file_offset;
	p->command_line_len = command_line->virtual_size;
	p->kernel = base + kernel->file_offset;
	p->kernel_len = kernel->virtual_size;
	return find_in_initrd(uki, initrd, base, name, p, err);
}

int tamper_find(int fd, const char *name, const struct manifest *m, struct tamper_places *ret,
		struct error *err)
{
	enum architecture arch =
		strcmp(m->arch, architecture_name(ARCH_ARM64)) == 0 ? ARCH_ARM64 : ARCH_X86_64;
	const struct partition *esp = &m->layout.part[PART_ESP], *root = &m->layout.part[PART_ROOT];
	struct tamper_places p = {.manifest = m};
	_cleanup_free_ void *uki = NULL;
	uint64_t base = 0, block = 0;
	size_t len = 0;
	int r;

	if ((r = esp_read_file(fd, name, esp->offset, esp->size, esp_boot_file_name(arch), UKI_MAX, &uki,
			       &len, err)) < 0 ||
	    (r = find_uki(fd, name, esp, uki, len, &base, err)) < 0)
		return r;
	r = find_in_uki(uki, len, base, name, &p, err);
	if (r >= 0)
		r = ext4_first_block(fd, root->offset, p.program_path, &block, err);
	if (r < 0) {
		tamper_places_free(&p);
		return r;
	}
	p.program = root->offset + block * VERITY_BLOCK;
	*ret = p;
	return 0;
}

void tamper_places_free(struct tamper_places *p)
{
	free(p->program_path);
	*p = (struct tamper_places){0};
}
