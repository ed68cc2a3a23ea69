/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/nvram.h"

#include <errno.h>
#include <string.h>

#include "image/efi_vars.h"
#include "lib/guid.h"
#include "lib/mem.h"

#define ATTRIBUTES (EFI_NON_VOLATILE | EFI_BOOT_SERVICE | EFI_RUNTIME)

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
		buf_add_le16(b, (unsigned char)*ascii);
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

	buf_add_le16(b, 0x0104); /* media, hard drive */
	buf_add_le16(b, 42);
	buf_add_le32(b, e->number);
	buf_add_le64(b, e->esp->offset / LAYOUT_SECTOR);
	buf_add_le64(b, e->esp->size / LAYOUT_SECTOR);
	add_guid(b, &e->esp->uuid);
	buf_add(b, gpt_by_guid, sizeof(gpt_by_guid));
	buf_add_le16(b, 0x0404); /* media, file path */
	buf_add_le16(b, (uint16_t)(4 + 2 * (strlen(e->file) + 1)));
	add_utf16(b, e->file);
	buf_add(b, end, sizeof(end));
}

/* EFI_LOAD_OPTION: UEFI 2.10, section 3.1.3. */
static void load_option(struct buf *b, const struct nvram_entry *e)
{
	struct buf path = {0};

	add_device_path(&path, e);
	buf_add_le32(b, 1); /* active */
	buf_add_le16(b, (uint16_t)path.len);
	add_utf16(b, "mkappliance");
	buf_add(b, path.ptr, path.len);
	add_utf16(b, e->options);
	buf_free(&path);
}

int nvram_add_entry(uint8_t *store, size_t len, const struct nvram_entry *e, struct error *err)
{
	static const uint8_t order[2];
	_cleanup_buf_ struct buf option = {0};
	struct efi_variable variables[2] = {
		{.name = "Boot0000", .vendor = EFI_GLOBAL_VARIABLE, .attributes = ATTRIBUTES},
		{.name = "BootOrder",
		 .vendor = EFI_GLOBAL_VARIABLE,
		 .attributes = ATTRIBUTES,
		 .data = order,
		 .len = sizeof(order)},
	};

	load_option(&option, e);
	variables[0].data = option.ptr;
	variables[0].len = option.len;
	return efi_store_write(store, len, variables, 2, err);
}
