/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libfdisk stays in this file. It only works on files, so it gets a sparse one in memory of the disk's size; what it
 * wrote there at both ends is handed out. Every id that it would draw at random is set.
 */
#include "image/gpt.h"

#include <errno.h>
#include <libfdisk.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/io.h"

#define NAME "partition table"

static void context_freep(struct fdisk_context **c)
{
	if (!*c)
		return;
	(void)fdisk_deassign_device(*c, 1); /* 1: without sync() of the whole machine */
	fdisk_unref_context(*c);
}

static void partition_freep(struct fdisk_partition **p)
{
	fdisk_unref_partition(*p);
}

static void type_freep(struct fdisk_parttype **t)
{
	fdisk_unref_parttype(*t);
}

static int failed(struct error *err, int r, const char *what)
{
	return error_errno(err, r < 0 ? r : -EIO, "%s: libfdisk: %s", NAME, what);
}

/* A context on @fd that asks nobody anything, with 512-byte sectors and the positions we say. */
static int open_context(int fd, struct fdisk_context **ret, struct error *err)
{
	_cleanup_(context_freep) struct fdisk_context *c = fdisk_new_context();
	int r;

	if (!c)
		return failed(err, -ENOMEM, "starting");
	r = fdisk_disable_dialogs(c, 1);
	if (r == 0)
		r = fdisk_save_user_sector_size(c, LAYOUT_SECTOR, LAYOUT_SECTOR);
	if (r == 0)
		r = fdisk_save_user_grain(c, LAYOUT_ALIGN);
	if (r != 0)
		return failed(err, r, "setting the sector size");
	r = fdisk_assign_device_by_fd(c, fd, NAME, 0);
	if (r != 0)
		return failed(err, r, "opening");
	*ret = steal_pointer(&c);
	return 0;
}

static int add_partition(struct fdisk_context *c, size_t index, const struct partition *p, struct error *err)
{
	_cleanup_(partition_freep) struct fdisk_partition *pa = fdisk_new_partition();
	_cleanup_(type_freep) struct fdisk_parttype *type = fdisk_new_parttype();
	char text[GUID_TEXT_SIZE];
	int r;

	if (!pa || !type)
		return failed(err, -ENOMEM, "adding a partition");
	guid_format(&p->type, text);
	r = fdisk_parttype_set_typestr(type, text);
	if (r == 0)
		r = fdisk_partition_set_type(pa, type);
	guid_format(&p->uuid, text);
	if (r == 0)
		r = fdisk_partition_set_uuid(pa, text);
	if (r == 0)
		r = fdisk_partition_set_name(pa, p->name);
	if (r == 0)
		r = fdisk_partition_set_partno(pa, index);
	if (r == 0)
		r = fdisk_partition_set_start(pa, p->offset / LAYOUT_SECTOR);
	if (r == 0)
		r = fdisk_partition_set_size(pa, p->size / LAYOUT_SECTOR);
	if (r == 0)
		r = fdisk_partition_size_explicit(pa, 1);
	if (r == 0)
		r = fdisk_add_partition(c, pa, NULL);
	if (r == 0)
		r = fdisk_gpt_set_partition_attrs(c, index, p->attributes);
	if (r != 0)
		return failed(err, r, p->name);
	return 0;
}

static int write_table(int fd, const struct layout *l, struct error *err)
{
	_cleanup_(context_freep) struct fdisk_context *c = NULL;
	char text[GUID_TEXT_SIZE];
	int r;

	r = open_context(fd, &c, err);
	if (r < 0)
		return r;
	r = fdisk_create_disklabel(c, "gpt");
	guid_format(&l->disk_guid, text);
	if (r == 0)
		r = fdisk_set_disklabel_id_from_string(c, text);
	if (r != 0)
		return failed(err, r, "creating");
	for (size_t i = 0; i < l->count; i++) {
		r = add_partition(c, i, &l->part[i], err);
		if (r < 0)
			return r;
	}
	r = fdisk_write_disklabel(c);
	if (r != 0)
		return failed(err, r, "writing");
	return 0;
}

/* What was written says what the layout says: another version of libfdisk must not move a partition unseen. */
static int check_table(const struct layout *l, const uint8_t *primary, const uint8_t *backup,
		       struct error *err)
{
	struct gpt g;
	int r = gpt_parse(primary, backup, l->size, &g, err);

	if (r < 0)
		return error_prefix(err, "what libfdisk wrote");
	if (g.count != l->count || memcmp(&g.disk_guid, &l->disk_guid, sizeof(g.disk_guid)) != 0)
		return error_set(err, -EIO, "%s: libfdisk wrote another table than it was told", NAME);
	for (size_t i = 0; i < l->count; i++) {
		const struct gpt_entry *e = &g.entries[i];
		const struct partition *p = &l->part[i];

		if (e->offset != p->offset || e->size != p->size || e->attributes != p->attributes ||
		    memcmp(&e->type, &p->type, sizeof(e->type)) != 0 ||
		    memcmp(&e->uuid, &p->uuid, sizeof(e->uuid)) != 0 || strcmp(e->name, p->name) != 0)
			return error_set(err, -EIO,
					 "%s: libfdisk wrote partition '%s' otherwise than it was told", NAME,
					 p->name);
	}
	return 0;
}

int gpt_build(const struct layout *l, uint8_t primary[GPT_PRIMARY_SECTORS * LAYOUT_SECTOR],
	      uint8_t backup[GPT_BACKUP_SECTORS * LAYOUT_SECTOR], struct error *err)
{
	const size_t primary_len = GPT_PRIMARY_SECTORS * LAYOUT_SECTOR;
	const size_t backup_len = GPT_BACKUP_SECTORS * LAYOUT_SECTOR;
	uint8_t bytes[(GPT_PRIMARY_SECTORS + GPT_BACKUP_SECTORS) * LAYOUT_SECTOR];
	_cleanup_close_ int fd = memfd_create(NAME, MFD_CLOEXEC);
	int r;

	if (fd < 0)
		return error_errno(err, -errno, "%s: memory file", NAME);
	if (ftruncate(fd, (off_t)l->size) < 0)
		return error_errno(err, -errno, "%s: memory file of the disk's size", NAME);
	r = write_table(fd, l, err);
	if (r < 0)
		return r;
	r = io_pread_full(fd, NAME, bytes, primary_len, 0, err);
	if (r < 0)
		return r;
	r = io_pread_full(fd, NAME, bytes + primary_len, backup_len, l->size - backup_len, err);
	if (r < 0)
		return r;
	r = check_table(l, bytes, bytes + primary_len, err);
	if (r < 0)
		return r;
	memcpy(primary, bytes, primary_len);
	memcpy(backup, bytes + primary_len, backup_len);
	return 0;
}
