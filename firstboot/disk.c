/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "disk.h"
#include "end.h"
#include "file.h"
#include "image/abi.h"
#include "line.h"
#include "memory.h"
#include "ptable.h"
#include "uevent.h"

/* Uevents can be lost; then this is how late a disk is seen. */
#define RESCAN_MS 1000

static struct uevent event;

/* The partition table of the disk seen last in this scan: its partitions come one after the other. */
static struct {
	char disk[48]; /* "254:0"; "": none */
	int result;
	struct ptable table;
	uint64_t sector; /* bytes */
	uint8_t header[PTABLE_SECTOR_MAX];
	uint8_t entries[PTABLE_ENTRIES_MAX];
} gpt;

static int open_block(const char *name)
{
	struct line path = {.len = 0};
	int fd;

	line_printf(&path, "/dev/%s", name);
	fd = open(path.text, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* Reads and checks header and array at @lba. */
static int gpt_read_copy(int fd, uint64_t lba)
{
	int r = file_pread(fd, gpt.header, gpt.sector, lba * gpt.sector);
	uint64_t offset;

	if (r == 0)
		r = ptable_header(gpt.header, gpt.sector, lba, &gpt.table);
	if (r == 0 && __builtin_mul_overflow(gpt.table.entries_lba, gpt.sector, &offset))
		r = -EINVAL;
	if (r == 0)
		r = file_pread(fd, gpt.entries, (size_t)gpt.table.entry_count * gpt.table.entry_size, offset);
	if (r == 0)
		r = ptable_check(&gpt.table, gpt.entries, sizeof gpt.entries);
	return r;
}

/* The primary table, or the backup as the kernel does. */
static int gpt_read(const char *disk_name)
{
	int sector = 0;
	uint64_t size = 0;
	int fd = open_block(disk_name);
	int r;

	if (fd < 0)
		return fd;
	if (ioctl(fd, BLKSSZGET, &sector) < 0 || ioctl(fd, (int)BLKGETSIZE64, &size) < 0) {
		r = -errno;
	} else if (sector < 512 || sector > PTABLE_SECTOR_MAX || size / (uint64_t)sector < 3) {
		r = -EINVAL;
	} else {
		gpt.sector = (uint64_t)sector;
		r = gpt_read_copy(fd, 1);
		if (r < 0)
			r = gpt_read_copy(fd, size / gpt.sector - 1);
	}
	close(fd);
	return r;
}

/* DEVNAME of a uevent file of sysfs, or the value of another key. */
static int sysfs_uevent(int dir, const char *path, const char *key, char *ret, size_t size)
{
	const char *value;
	size_t len;
	int r = file_read(dir, path, event.text, sizeof event.text, &event.len);

	if (r < 0)
		return r;
	/* Lines here, NULs on the socket. */
	for (size_t i = 0; i < event.len; i++)
		if (event.text[i] == '\n')
			event.text[i] = '\0';
	value = uevent_get(&event, key);
	if (!value)
		return -ENOENT;
	len = strlen(value);
	if (len >= size)
		return -ENAMETOOLONG;
	memcpy(ret, value, len + 1);
	return 0;
}

/* A line of sysfs without its end. */
static int sysfs_text(int dir, const char *path, char *ret, size_t size)
{
	size_t len = 0;
	int r = file_read(dir, path, ret, size, &len);

	if (r == 0 && len && ret[len - 1] == '\n')
		ret[len - 1] = '\0';
	return r;
}

/* PARTUUID of the partition whose sysfs directory is @dir: told by the kernel (since 6.9), or from the disk's
 * table. */
static int partition_uuid(int dir, char ret[PTABLE_UUID_TEXT])
{
	char disk[sizeof gpt.disk], name[48];
	uint64_t number, start, first;
	int r = sysfs_uevent(dir, "uevent", "PARTUUID", ret, PTABLE_UUID_TEXT);

	if (r == 0)
		return 0;
	r = file_read_number(dir, "partition", &number);
	if (r == 0)
		r = file_read_number(dir, "start", &start);
	if (r == 0)
		r = sysfs_text(dir, "../dev", disk, sizeof disk);
	if (r < 0)
		return r;
	if (strcmp(gpt.disk, disk) != 0) {
		memcpy(gpt.disk, disk, sizeof disk);
		r = sysfs_uevent(dir, "../uevent", "DEVNAME", name, sizeof name);
		gpt.result = r < 0 ? r : gpt_read(name);
	}
	if (gpt.result < 0)
		return gpt.result;
	r = ptable_partition(&gpt.table, gpt.entries, sizeof gpt.entries, number, ret, &first);
	/* sysfs counts in 512 bytes whatever the disk's sectors are. */
	if (r == 0 && first != start / (gpt.sector / 512))
		r = -ESTALE;
	return r;
}

static int partition_fill(int dir, struct disk_partition *ret)
{
	struct disk_partition p;
	uint64_t sectors;
	int r = sysfs_text(dir, "dev", p.device, sizeof p.device);

	if (r == 0)
		r = sysfs_uevent(dir, "uevent", "DEVNAME", p.name, sizeof p.name);
	if (r == 0)
		r = sysfs_uevent(dir, "../uevent", "DEVNAME", p.disk, sizeof p.disk);
	if (r == 0)
		r = file_read_number(dir, "start", &p.start);
	if (r == 0)
		r = file_read_number(dir, "size", &sectors);
	if (r == 0 && __builtin_mul_overflow(sectors, 512, &p.size))
		r = -ERANGE;
	if (r == 0)
		*ret = p;
	return r;
}

/* It is one of those. A second one with its PARTUUID may be anybody's copy: which of them was meant, nobody can tell. */
static void disk_found(int dir, const char *uuid, struct disk_partition *found)
{
	struct disk_partition p;

	if (partition_fill(dir, &p) < 0)
		return;
	if (!found->device[0])
		*found = p;
	else if (strcmp(found->device, p.device) != 0)
		refuse(ABI_REFUSED_AMBIGUOUS, "two partitions have the PARTUUID %s: %s and %s", uuid,
		       found->name, p.name);
}

/* Looks at one block device; whatever goes wrong with it only means that it is not ours. */
static void disk_look(int class, const char *name, const struct disk_wanted *wanted, size_t count)
{
	char uuid[PTABLE_UUID_TEXT];
	int dir = openat(class, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return;
	if (faccessat(dir, "partition", F_OK, 0) == 0 && partition_uuid(dir, uuid) == 0)
		for (size_t i = 0; i < count; i++)
			if (wanted[i].uuid && strcmp(wanted[i].uuid, uuid) == 0)
				disk_found(dir, uuid, wanted[i].ret);
	close(dir);
}

/* The first of those that are not there yet; NULL: all are. */
static const struct disk_wanted *disk_missing(const struct disk_wanted *wanted, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (wanted[i].uuid && !wanted[i].ret->device[0])
			return &wanted[i];
	return NULL;
}

/* Returns one that is still missing, NULL: none. */
static const struct disk_wanted *disk_scan(const struct disk_wanted *wanted, size_t count)
{
	struct dir d;
	const char *name;
	unsigned char type;

	gpt.disk[0] = '\0';
	if (dir_open(&d, AT_FDCWD, "/sys/class/block") < 0)
		return wanted;
	while (dir_next(&d, &name, &type) > 0)
		disk_look(d.fd, name, wanted, count);
	dir_close(&d);
	return disk_missing(wanted, count);
}

/* Sleeps until a block device changed, or for RESCAN_MS, or to the deadline. */
static void disk_sleep(int uevent_fd, uint64_t deadline)
{
	uint64_t until = clock_ms() + RESCAN_MS;

	if (until > deadline)
		until = deadline;
	for (;;) {
		struct pollfd p = {.fd = uevent_fd, .events = POLLIN};
		uint64_t now = clock_ms();
		int r;

		if (now >= until || (poll(&p, 1, (int)(until - now)) < 0 && errno != EINTR))
			return;
		while ((r = uevent_receive(uevent_fd, &event)) > 0)
			if (uevent_is(&event, "SUBSYSTEM", "block"))
				return;
		if (r < 0)
			return;
	}
}

void disk_wait(const struct disk_wanted *wanted, size_t count, uint64_t timeout, int uevent_fd,
	       void (*again)(const struct conf *conf), const struct conf *conf)
{
	uint64_t deadline = clock_ms() + timeout * 1000;
	const struct disk_wanted *missing;

	for (size_t i = 0; i < count; i++)
		wanted[i].ret->device[0] = '\0';
	while ((missing = disk_scan(wanted, count))) {
		if (clock_ms() >= deadline)
			refuse(ABI_REFUSED_NO_ROOT, "no partition with PARTUUID %s appeared within %llu s",
			       missing->uuid, (unsigned long long)timeout);
		disk_sleep(uevent_fd, deadline);
		again(conf);
	}
	memory_forget(&gpt, sizeof gpt);
}
