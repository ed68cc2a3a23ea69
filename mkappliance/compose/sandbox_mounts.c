/* SPDX-License-Identifier: Apache-2.0 */
/* What is mounted in a sandbox, and what root may not do there; declared in sandbox_internal.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compose/sandbox_internal.h"
#include "lib/cleanup.h"
#include "lib/log.h"

/* <sys/mount.h> and <linux/mount.h> do not go together in older C libraries. */
extern int mount(const char *source, const char *target, const char *type, unsigned long flags,
		 const void *data);
extern int umount2(const char *target, int flags);
#ifndef MNT_DETACH
#define MNT_DETACH 2
#endif

/* The same on every architecture; Linux 5.12. */
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

static int set_attributes(const char *path, unsigned flags, uint64_t set, uint64_t clear)
{
	struct mount_attr attr = {.attr_set = set, .attr_clr = clear};

	return (int)syscall(SYS_mount_setattr, AT_FDCWD, path, flags, &attr, sizeof(attr));
}

int sandbox_mounts_begin(const char *writable, struct error *err)
{
	const char *const kept[] = {"/tmp", writable};

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return errno == EINVAL
			       ? error_set(
					 err, -EINVAL,
					 "no sandbox in a chroot whose root is no mount point: before chroot(8), mount --bind it onto "
					 "itself")
			       : error_errno(err, -errno, "mounts of the sandbox");
	/* First the one that may hold the other. */
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (mount(kept[i], kept[i], NULL, MS_BIND | MS_REC, NULL) < 0)
			return error_errno(err, -errno, "%s: mounting it onto itself", kept[i]);
	/* The second wall behind chroot(2): an older kernel has only that. */
	if (set_attributes("/", AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0) < 0) {
		log_debug("the host's files stay writable in the sandbox: %s", strerror(errno));
		return 0;
	}
	/* The install root lies there: a node that a script makes in it is none of the host's devices. */
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (set_attributes(kept[i], 0, MOUNT_ATTR_NODEV, MOUNT_ATTR_RDONLY) < 0)
			return error_errno(err, -errno, "%s: mounting it writable", kept[i]);
	return 0;
}

int sandbox_mount_overlay(const char *lower, const char *work_dir, const char *root, bool mapped,
			  struct error *err)
{
	/* Nothing that only a mounted overlay can resolve may get into the upper directory (merge.h). */
	static const char *const variants[] = {",redirect_dir=nofollow,metacopy=off,index=off,volatile",
					       ",redirect_dir=nofollow,metacopy=off,index=off", ""};

	for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
		_cleanup_free_ char *options =
			xasprintf("lowerdir=%s,upperdir=%s/upper,workdir=%s/work%s%s", lower, work_dir,
				  work_dir, mapped ? ",userxattr" : "", variants[i]);

		if (strpbrk(lower, ":\\,"))
			break; /* would have to be escaped */
		if (mount("overlay", root, "overlay", MS_NODEV, options) == 0)
			return 1;
		if (errno == ENOSPC || errno == EROFS)
			return error_errno(err, -errno, "%s: mounting an overlay", root);
		log_debug("overlay (%s): %s", options, strerror(errno));
	}
	return 0;
}

/* The mount point may be a link of the tree: then it is left alone. */
static bool make_point(const char *path, mode_t mode)
{
	struct stat st;

	if (mkdir(path, 0755) == 0)
		(void)chmod(path, mode);
	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int bind_device(const char *root, const char *name, struct error *err)
{
	_cleanup_free_ char *from = xasprintf("/dev/%s", name), *to = xasprintf("%s/dev/%s", root, name);
	_cleanup_close_ int fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);

	if (fd < 0 || mount(from, to, NULL, MS_BIND, NULL) < 0)
		return error_errno(err, -errno, "/dev/%s in the sandbox", name);
	return 0;
}

static int fill_dev(const char *root, struct error *err)
{
	static const char *const devices[] = {"null", "zero", "full", "random", "urandom", "tty"};
	static const char *const links[][2] = {{"/proc/self/fd", "fd"},
					       {"/proc/self/fd/0", "stdin"},
					       {"/proc/self/fd/1", "stdout"},
					       {"/proc/self/fd/2", "stderr"},
					       {"pts/ptmx", "ptmx"}};
	_cleanup_free_ char *pts = xasprintf("%s/dev/pts", root), *shm = xasprintf("%s/dev/shm", root);
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(devices) / sizeof(devices[0]); i++)
		r = bind_device(root, devices[i], err);
	for (size_t i = 0; r == 0 && i < sizeof(links) / sizeof(links[0]); i++) {
		_cleanup_free_ char *path = xasprintf("%s/dev/%s", root, links[i][1]);

		if (symlink(links[i][0], path) < 0)
			r = error_errno(err, -errno, "%s", path);
	}
	/* Nice to have: apt writes its log to a terminal. */
	if (r == 0 && mkdir(pts, 0755) == 0)
		(void)mount("devpts", pts, "devpts", MS_NOSUID | MS_NOEXEC,
			    "newinstance,ptmxmode=0666,mode=620,gid=5");
	if (r == 0 && mkdir(shm, 0755) == 0)
		(void)mount("tmpfs", shm, "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
	return r;
}

struct api {
	const char *path;
	mode_t mode; /* of a mount point that has to be made */
	const char *type;
	unsigned long flags;
	const char *options;
};

static const struct api apis[] = {
	{"/proc", 0555, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
	{"/sys", 0555, NULL, 0, NULL},
	{"/dev", 0755, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755"}, /* its devices are mounts of their own */
	{"/run", 0755, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755"},
	{"/tmp", 01777, "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"},
};
#define API_COUNT (sizeof(apis) / sizeof(apis[0]))

static int mount_api(const char *root, const struct api *api, struct error *err)
{
	_cleanup_free_ char *to = xasprintf("%s%s", root, api->path);
	bool own = api->type != NULL;

	if (!make_point(to, api->mode))
		return 0;
	if (own && mount(api->type, to, api->type, api->flags, api->options) == 0)
		return 0;
	if (own && strcmp(api->type, "proc") != 0)
		return error_errno(err, -errno, "%s in the sandbox", api->path);
	/* sysfs belongs to the network's name space; proc is not to be had where a container hides parts of it. */
	if (mount(api->path, to, NULL, MS_BIND | MS_REC, NULL) < 0)
		return error_errno(err, -errno, "%s in the sandbox", api->path);
	(void)set_attributes(to, AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0);
	return 0;
}

/*
 * What is one for the whole machine, and root here would change for the host: its settings (a package's script that calls sysctl(8)), interrupts,
 * and the keys that reboot it. Older kernels, that cannot, leave it as it is.
 */
static void protect_proc(const char *root)
{
	static const char *const parts[] = {"sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi"};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		_cleanup_free_ char *path = xasprintf("%s/proc/%s", root, parts[i]);

		if (mount(path, path, NULL, MS_BIND | MS_REC, NULL) == 0 &&
		    set_attributes(path, AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0) < 0)
			log_debug("%s stays writable in the sandbox: %s", path, strerror(errno));
	}
}

int sandbox_mount_api(const char *root, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < API_COUNT; i++)
		r = mount_api(root, &apis[i], err);
	if (r < 0)
		return r;
	protect_proc(root);
	return fill_dev(root, err);
}

void sandbox_unmount_api(const char *root)
{
	for (size_t i = 0; i < API_COUNT; i++) {
		_cleanup_free_ char *path = xasprintf("%s%s", root, apis[i].path);

		while (umount2(path, MNT_DETACH) == 0)
			;
	}
}

int sandbox_drop_capabilities(struct error *err)
{
	static const int drop[] = {CAP_SYS_MODULE, CAP_SYS_RAWIO,      CAP_SYS_TIME,  CAP_SYS_BOOT,
				   CAP_SYSLOG,	   CAP_WAKE_ALARM,     CAP_MAC_ADMIN, CAP_MAC_OVERRIDE,
				   CAP_SYS_PACCT,  CAP_LINUX_IMMUTABLE};

	for (size_t i = 0; i < sizeof(drop) / sizeof(drop[0]); i++)
		if (prctl(PR_CAPBSET_DROP, drop[i]) < 0 && errno != EINVAL)
			return error_errno(err, -errno, "capabilities of the sandbox");
	return 0;
}

int sandbox_no_network(struct error *err)
{
	if (unshare(CLONE_NEWNET) < 0)
		return error_errno(err, -errno, "taking the network away from the sandbox");
	return 0;
}
