/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blank.h"
#include "data.h"
#include "end.h"
#include "file.h"
#include "image/abi.h"
#include "line.h"
#include "record.h"
#include "tool.h"

#define DATA_DISKS_MAX 32
#define LOOK_MS	       250 /* between two looks for a disk */
#define FSCK_REPAIRED  1   /* e2fsck(8): bits of its exit code; from 4 on it left errors, or failed */
#define FSCK_REBOOT    2

static struct data_disk disks[DATA_DISKS_MAX];
static size_t disk_count;

enum data_choice data_choose(const struct data_disk *list, size_t count, bool may_format, size_t *ret_index)
{
	size_t ours = 0, locked = 0, blank = 0, blank_at = 0;

	for (size_t i = 0; i < count; i++) {
		if (list[i].kind == DATA_OURS && ours++ == 0)
			*ret_index = i;
		locked += list[i].kind == DATA_LOCKED;
		if (list[i].kind == DATA_BLANK && blank++ == 0)
			blank_at = i;
	}
	if (ours)
		return ours == 1 ? DATA_MOUNT : DATA_AMBIGUOUS;
	/* The volume is there, though nobody may write to it: another one in its place would hide that. */
	if (!may_format || !blank || locked)
		return DATA_NONE;
	*ret_index = blank_at;
	return blank == 1 ? DATA_FORMAT : DATA_AMBIGUOUS;
}

/* ---- what there is ---- */

/* Made by the kernel of something else, or nothing to keep data on. */
static bool is_virtual(const char *name)
{
	static const char *const prefixes[] = {"loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd", NULL};

	for (size_t i = 0; prefixes[i]; i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

/* Opens it for nobody else: so what the root lies on, and whatever else is in use, is not even looked at. */
static int open_alone(const char *name, uint64_t *ret_size, int *ret_read_only)
{
	struct line path = {.len = 0};
	int fd;

	line_printf(&path, "/dev/%s", name);
	fd = open(path.text, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, (int)BLKGETSIZE64, ret_size) < 0 || ioctl(fd, (int)BLKROGET, ret_read_only) < 0 ||
	    *ret_size == 0) {
		close(fd);
		return -ENXIO;
	}
	return fd;
}

/* A disk without ext4; an error of reading makes it something else, and not a blank one. */
static enum data_kind kind_of_other(int fd, uint64_t size, bool read_only, const char **ret_what)
{
	uint64_t at = 0;
	int r = blank_check(fd, size, ret_what, &at);

	if (r == 1 && !read_only)
		return DATA_BLANK;
	if (r != 0)
		*ret_what = r < 0 ? "something that cannot be read" : "only zeros, and is read only";
	return DATA_OTHER;
}

/* What @name is for us. */
static void look(const char *name, bool partition, const char *label)
{
	struct data_disk *d = &disks[disk_count];
	char found[BLANK_LABEL_MAX + 1];
	uint64_t size = 0;
	int read_only = 0, fd = open_alone(name, &size, &read_only), r;

	if (fd < 0)
		return;
	d->what = "something that cannot be read";
	d->kind = DATA_OTHER;
	r = blank_ext4_label(fd, found);
	if (r == 0) {
		d->what = "ext4 with another label";
		if (strcmp(found, label) == 0)
			d->kind = read_only ? DATA_LOCKED : DATA_OURS;
	} else if (r == -ENOENT && !partition) {
		d->kind = kind_of_other(fd, size, read_only != 0, &d->what);
	}
	close(fd);
	/* Of partitions only those that are ours count; their disk speaks for the rest. */
	if (partition && d->kind != DATA_OURS && d->kind != DATA_LOCKED)
		return;
	memcpy(d->name, name, strlen(name) + 1);
	disk_count++;
}

static int look_at_all(const char *label)
{
	struct dir d;
	const char *name;
	unsigned char type;
	int r = dir_open(&d, AT_FDCWD, "/sys/class/block");

	disk_count = 0;
	if (r < 0)
		return r;
	while ((r = dir_next(&d, &name, &type)) > 0) {
		struct line partition = {.len = 0};

		line_printf(&partition, "%s/partition", name);
		if (is_virtual(name) || strlen(name) >= sizeof disks[0].name)
			continue;
		if (disk_count == DATA_DISKS_MAX) {
			r = -E2BIG;
			break;
		}
		look(name, faccessat(d.fd, partition.text, F_OK, 0) == 0, label);
	}
	dir_close(&d);
	return r;
}

/* ---- messages ---- */

/* "vdb is blank, vdc holds LUKS". */
static void describe(struct line *l)
{
	for (size_t i = 0; i < disk_count; i++) {
		const struct data_disk *d = &disks[i];

		line_printf(l, "%s%s ", i ? ", " : "", d->name);
		if (d->kind == DATA_OTHER)
			line_printf(l, "holds %s", d->what);
		else
			line_printf(l, d->kind == DATA_OURS	? "has the label"
				       : d->kind == DATA_LOCKED ? "has the label, and is read only"
								: "is blank");
	}
	if (disk_count == 0)
		line_printf(l, "there is no disk beside the image's");
}

static _Noreturn void give_up(const struct conf *c, bool ambiguous)
{
	struct line what = {.len = 0};
	bool blank = false;

	for (size_t i = 0; i < disk_count; i++)
		blank |= disks[i].kind == DATA_BLANK;
	describe(&what);
	if (ambiguous)
		fail(ABI_FAILED_DATA, "more than one disk could be the data volume '%s': %s", c->data_label,
		     what.text);
	fail(ABI_FAILED_DATA, "no ext4 file system labelled '%s'%s: %s", c->data_label,
	     !blank || c->data_make ? ""
				    : ", and Format=blank does not say that a blank disk may be formatted",
	     what.text);
}

/* ---- what is done ---- */

/* Who may write to a new volume: the owner that its directory has in the verified root, or, when that is root, the user of
 * the service "main" (of the first one where there is none). */
static void print_owner(const struct conf *c, const struct stat *st, struct line *l)
{
	const struct conf_service *s = &c->services[0];

	for (size_t i = 0; i < c->service_count; i++)
		if (strcmp(c->services[i].name, "main") == 0)
			s = &c->services[i];
	if (st->st_uid != 0)
		line_printf(l, "root_owner=%u:%u", st->st_uid, st->st_gid);
	else
		line_printf(l, "root_owner=%u:%u", (unsigned)s->uid, (unsigned)s->gid);
}

static void format(const struct conf *c, const struct data_disk *d, struct events *e)
{
	struct line device = {.len = 0}, owner = {.len = 0}, why = {.len = 0};
	struct stat st;
	int status;

	if (stat(c->data_mount, &st) < 0)
		fail(ABI_FAILED_DATA, "%s: %s", c->data_mount, strerror(errno));
	line_printf(&device, "/dev/%s", d->name);
	print_owner(c, &st, &owner);
	/* Without -F: what is mounted or in use mke2fs refuses then. That the disk is blank it does not check: it does so only for
	 * somebody at a terminal. */
	const char *const argv[] = {c->data_make,  "-q", "-t",	     "ext4",	  "-L",
				    c->data_label, "-E", owner.text, device.text, NULL};

	status = tool_run(argv, e, &why);
	if (!e->stop && status != 0)
		fail(ABI_FAILED_DATA, "mke2fs of %s ended with %d: %s", d->name, status, why.text);
}

/* True: it had to repair something. */
static bool check(const struct conf *c, const struct data_disk *d, struct events *e)
{
	struct line device = {.len = 0}, why = {.len = 0};
	int status;

	line_printf(&device, "/dev/%s", d->name);
	const char *const argv[] = {c->data_check, "-p", device.text, NULL};

	status = tool_run(argv, e, &why);
	if (!e->stop && (status < 0 || status > (FSCK_REPAIRED | FSCK_REBOOT)))
		fail(ABI_FAILED_DATA, "e2fsck of %s ended with %d: %s", d->name, status, why.text);
	return status > 0;
}

/* Nothing is executed from it: what survives must not decide what runs. */
static void mount_it(const struct conf *c, const struct data_disk *d, bool fresh)
{
	struct line device = {.len = 0};
	struct stat st;

	if (stat(c->data_mount, &st) < 0)
		fail(ABI_FAILED_DATA, "%s: %s", c->data_mount, strerror(errno));
	line_printf(&device, "/dev/%s", d->name);
	if (mount(device.text, c->data_mount, "ext4", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		fail(ABI_FAILED_DATA, "%s as ext4 on %s: %s", d->name, c->data_mount, strerror(errno));
	if (fresh && chmod(c->data_mount, st.st_mode & 07777) < 0)
		fail(ABI_FAILED_DATA, "%s: %s", c->data_mount, strerror(errno));
}

static void record(const struct data_disk *d, bool formatted, bool repaired)
{
	record_begin(ABI_EVENT_DATA);
	record_text("device", d->name);
	record_text("state", formatted ? "formatted" : repaired ? "repaired" : "clean");
	record_end();
}

static void use(const struct conf *c, const struct data_disk *d, bool formatted, struct events *e)
{
	bool repaired = false;

	if (formatted)
		format(c, d, e);
	if (!e->stop)
		repaired = check(c, d, e);
	if (e->stop)
		return;
	mount_it(c, d, formatted);
	record(d, formatted, repaired);
}

void data_start(const struct conf *c, struct events *e)
{
	uint64_t deadline = clock_ms() + c->device_timeout * 1000;

	while (c->data_mount && !e->stop) {
		size_t i = 0;
		int r = look_at_all(c->data_label);
		enum data_choice choice = data_choose(disks, disk_count, c->data_make != NULL, &i);

		if (r < 0)
			fail(ABI_FAILED_DATA, "looking for disks: %s", strerror(-r));
		if (choice == DATA_MOUNT || choice == DATA_FORMAT) {
			use(c, &disks[i], choice == DATA_FORMAT, e);
			return;
		}
		if (choice == DATA_AMBIGUOUS || clock_ms() >= deadline)
			give_up(c, choice == DATA_AMBIGUOUS);
		events_wait(e, NULL, 0, clock_ms() + LOOK_MS);
	}
}

void data_end(const struct conf *c)
{
	if (c->data_mount && umount2(c->data_mount, 0) < 0)
		(void)mount(NULL, c->data_mount, NULL, MS_REMOUNT | MS_RDONLY, NULL);
}
