/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "end.h"
#include "file.h"
#include "image/abi.h"
#include "root.h"

#define NEW_ROOT     "/sysroot"
#define INITRD_DEPTH 16 /* of directories; lib/modules/RELEASE/kernel/... has 8 */

static int initrd_fd = -1;

static int mount_at(const char *type, const char *where, unsigned long flags, const char *options)
{
	if (mkdir(where, 0755) < 0 && errno != EEXIST)
		return -errno;
	return mount(type, where, type, flags, options) < 0 ? -errno : 0;
}

int root_mount_early(void)
{
	int r = mount_at("devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC, "mode=0755");

	if (r == 0)
		r = mount_at("proc", "/proc", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL);
	if (r == 0)
		r = mount_at("sysfs", "/sys", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL);
	return r;
}

void root_mount(const char *device)
{
	if (mkdir(NEW_ROOT, 0755) < 0 && errno != EEXIST)
		refuse(ABI_REFUSED_MOUNT, "%s: %s", NEW_ROOT, strerror(errno));
	if (mount(device, NEW_ROOT, "ext4", MS_RDONLY | MS_NODEV, NULL) < 0)
		refuse(ABI_REFUSED_MOUNT, "%s as ext4: %s", device, strerror(errno));
}

/* Removes what is below @at/@name on file system @dev; the memory matters, so what cannot be removed stays.
 */
static void remove_below(int at, const char *name, dev_t dev, unsigned depth)
{
	struct dir d;
	const char *child;
	unsigned char type;
	struct stat st;

	if (depth == 0 || dir_open(&d, at, name) < 0)
		return;
	if (fstat(d.fd, &st) == 0 && st.st_dev == dev)
		while (dir_next(&d, &child, &type) > 0) {
			if (type == DT_DIR)
				remove_below(d.fd, child, dev, depth - 1);
			(void)unlinkat(d.fd, child, type == DT_DIR ? AT_REMOVEDIR : 0);
		}
	dir_close(&d);
}

void root_switch(void)
{
	static const char *const moved[] = {"/dev", "/proc", "/sys"};
	static const char *const to[] = {NEW_ROOT "/dev", NEW_ROOT "/proc", NEW_ROOT "/sys"};

	initrd_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (initrd_fd < 0)
		refuse(ABI_REFUSED_MOUNT, "/ of the initrd: %s", strerror(errno));
	for (size_t i = 0; i < sizeof moved / sizeof moved[0]; i++)
		if (mount(moved[i], to[i], NULL, MS_MOVE, NULL) < 0)
			refuse(ABI_REFUSED_MOUNT, "the root has no usable directory %s: %s", moved[i],
			       strerror(errno));

	/*
	 * The point of no return. From here on there is no initrd to go back to; /proc for the panic policy
	 * and the console are open or moved, and everything else that a refusal needs is in this process.
	 */
	if (chdir(NEW_ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
	    chdir("/") < 0)
		refuse(ABI_REFUSED_MOUNT, "changing to the new root: %s", strerror(errno));
}

void root_free_initrd(void)
{
	struct stat st;

	/* Behind the old root's "/" the new one is mounted, so it is reached by this descriptor alone. */
	if (fstat(initrd_fd, &st) == 0)
		remove_below(initrd_fd, ".", st.st_dev, INITRD_DEPTH);
	close(initrd_fd);
	initrd_fd = -1;
}
