/* SPDX-License-Identifier: Apache-2.0 */
/* libguestfs: the system on the disk and its files. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "compose/disk_guest_internal.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/log.h"

#define WORK	 "/.mkappliance"
#define LOG_MAX	 ((size_t)16 << 20)
#define LOG_TAIL 20 /* lines that are shown of what failed */

static void free_list(char ***list)
{
	for (char **p = *list; p && *p; p++)
		free(*p);
	free(*list);
}

void guest_system_free(struct guest_system *s)
{
	free(s->name);
	free(s->product);
	free(s->arch);
	free(s->manager);
	*s = (struct guest_system){0};
}

/* ---- the system ---- */

static bool has_filesystem(struct guest *g, const char *device)
{
	_cleanup_(free_list) char **list = guestfs_list_filesystems(g->handle);

	for (char **p = list; p && p[0] && p[1]; p += 2)
		if (strcmp(p[0], device) == 0)
			return true;
	return false;
}

/* libguestfs' list of file systems leaves encrypted ones out. */
static int no_system(struct guest *g, struct error *err)
{
	_cleanup_(free_list) char **partitions = guestfs_list_partitions(g->handle);
	_cleanup_buf_ struct buf seen = {0};

	if (!partitions)
		return guest_error(g, "listing its partitions", err);
	for (char **p = partitions; *p; p++) {
		_cleanup_free_ char *type = guestfs_vfs_type(g->handle, *p);

		if (type && (strcmp(type, "crypto_LUKS") == 0 || strcmp(type, "BitLocker") == 0))
			return error_set(err, -EMEDIUMTYPE,
					 "%s is encrypted (%s); a base must be readable without a key", *p,
					 type);
		buf_printf(&seen, "%s%s %s", seen.len ? ", " : "", *p, type && *type ? type : "unknown");
	}
	return error_set(err, -EMEDIUMTYPE, "no operating system was found on it (partitions: %s)",
			 seen.len ? seen.ptr : "none");
}

static char *answer(char *s)
{
	char *copy = xstrdup(s ? s : "unknown");

	free(s);
	return copy;
}

/* Which of them is meant nobody says. */
static int several_systems(struct guest *g, char *const *roots, struct error *err)
{
	_cleanup_free_ char *first = answer(guestfs_inspect_get_product_name(g->handle, roots[0]));
	_cleanup_free_ char *second = answer(guestfs_inspect_get_product_name(g->handle, roots[1]));

	return error_set(err, -EMEDIUMTYPE,
			 "has several operating systems: '%s' on %s, '%s' on %s; a base has one", first,
			 roots[0], second, roots[1]);
}

static int by_length(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;
	size_t m = strlen(*x), n = strlen(*y);

	return m < n ? -1 : m > n ? 1 : strcmp(*x, *y);
}

/* What its fstab says, the shorter path first. */
static int mount_all(struct guest *g, const char *root, struct error *err)
{
	_cleanup_(free_list) char **pairs = guestfs_inspect_get_mountpoints(g->handle, root);
	size_t len = 0;

	if (!pairs)
		return guest_error(g, "reading its fstab", err);
	while (pairs[2 * len])
		len++;
	qsort(pairs, len, 2 * sizeof(*pairs), by_length);
	for (size_t i = 0; i < len; i++) {
		const char *point = pairs[2 * i], *device = pairs[2 * i + 1];

		log_debug("mounting %s at %s", device, point);
		if (guestfs_mount(g->handle, device, point) == 0)
			continue;
		if (guest_error(g, point, err) == -EINTR || strcmp(point, "/") == 0 ||
		    has_filesystem(g, device))
			return err->code;
		log_warning("the base's fstab wants %s at %s, which is not on this disk", device, point);
	}
	return 0;
}

int guest_open_system(struct guest *g, struct guest_system *ret, struct error *err)
{
	_cleanup_guest_system_ struct guest_system s = {0};
	_cleanup_(free_list) char **roots = NULL;
	_cleanup_free_ char *type = NULL;
	int r;

	roots = guestfs_inspect_os(g->handle);
	if (!roots)
		return guest_error(g, "looking for an operating system", err);
	if (!roots[0])
		return no_system(g, err);
	if (roots[1])
		return several_systems(g, roots, err);
	type = answer(guestfs_inspect_get_type(g->handle, roots[0]));
	s.name = answer(guestfs_inspect_get_distro(g->handle, roots[0]));
	s.product = answer(guestfs_inspect_get_product_name(g->handle, roots[0]));
	s.arch = answer(guestfs_inspect_get_arch(g->handle, roots[0]));
	s.manager = answer(guestfs_inspect_get_package_management(g->handle, roots[0]));
	if (strcmp(type, "linux") != 0)
		return error_set(err, -EMEDIUMTYPE, "holds %s (%s), not Linux", s.product, type);
	r = mount_all(g, roots[0], err);
	if (r < 0)
		return r;
	*ret = s;
	s = (struct guest_system){0};
	return 0;
}

/* ---- files ---- */

int guest_make_dir(struct guest *g, char **ret, struct error *err)
{
	/* Always the same: programs write it down in the files that they make. */
	if (guestfs_mkdir_mode(g->handle, WORK, 0755) < 0)
		return guest_error(g, "making a directory on the base", err);
	g->work = xstrdup(WORK);
	*ret = xstrdup(WORK);
	return 0;
}

int guest_upload(struct guest *g, const char *host, const char *path, unsigned mode, struct error *err)
{
	if (guestfs_upload(g->handle, host, path) < 0)
		return guest_error(g, host, err);
	return guestfs_chmod(g->handle, (int)mode, path) < 0 ? guest_error(g, path, err) : 0;
}

int guest_write(struct guest *g, const char *path, unsigned mode, const char *text, struct error *err)
{
	if (guestfs_write(g->handle, path, text, strlen(text)) < 0 ||
	    guestfs_chmod(g->handle, (int)mode, path) < 0)
		return guest_error(g, path, err);
	return 0;
}

bool guest_exists(struct guest *g, const char *path)
{
	return guestfs_exists(g->handle, path) == 1;
}

bool guest_is_file(struct guest *g, const char *path)
{
	return guestfs_is_file(g->handle, path) == 1;
}

int guest_glob(struct guest *g, const char *pattern, struct strlist *ret, struct error *err)
{
	_cleanup_(free_list) char **list =
		guestfs_glob_expand_opts(g->handle, pattern, GUESTFS_GLOB_EXPAND_OPTS_DIRECTORYSLASH, 0, -1);

	if (!list)
		return guest_error(g, pattern, err);
	for (char **p = list; *p; p++)
		strlist_add(ret, *p);
	return 0;
}

int guest_list_files(struct guest *g, const char *path, struct strlist *ret, struct error *err)
{
	_cleanup_(free_list) char **names = NULL;

	if (guestfs_is_dir(g->handle, path) != 1)
		return 0;
	names = guestfs_find(g->handle, path);
	if (!names)
		return guest_error(g, path, err);
	for (char **p = names; *p; p++) {
		/* find(1) with the path cut off: a slash is in front. */
		_cleanup_free_ char *full = xasprintf("%s/%s", path, *p + strspn(*p, "/"));

		if (guestfs_is_dir(g->handle, full) != 1)
			strlist_add(ret, full);
	}
	return 0;
}

int guest_remove(struct guest *g, const char *path, struct error *err)
{
	return guestfs_rm_rf(g->handle, path) < 0 ? guest_error(g, path, err) : 0;
}

int guest_truncate(struct guest *g, const char *path, struct error *err)
{
	return guestfs_truncate(g->handle, path) < 0 ? guest_error(g, path, err) : 0;
}

uint64_t guest_space(struct guest *g)
{
	struct guestfs_statvfs *s = guestfs_statvfs(g->handle, "/");
	uint64_t bytes = s ? (uint64_t)s->bavail * (uint64_t)s->frsize : UINT64_MAX;

	guestfs_free_statvfs(s);
	return bytes;
}

/* ---- programs ---- */

/* Its output, line by line: the last ones to the person when it *@failed; *@ret_why is the last one or the one that says why, to be freed. */
static void show_output(struct guest *g, const char *log, disk_reason *reason, bool *failed, char **ret_why)
{
	_cleanup_free_ char *why = NULL;
	_cleanup_free_ char *host = xasprintf("%s/log", g->dir);
	_cleanup_strlist_ struct strlist lines = {0};
	_cleanup_buf_ struct buf b = {0};
	struct error ignored = ERROR_INIT;

	if (guestfs_download(g->handle, log, host) < 0 ||
	    io_read_file(AT_FDCWD, host, LOG_MAX, &b, &ignored) < 0)
		return;
	for (const char *p = b.ptr ? b.ptr : ""; *p;) {
		size_t len = strcspn(p, "\n");

		if (len > 0)
			strlist_addf(&lines, "%.*s", (int)len, p);
		p += len + (p[len] == '\n');
	}
	why = reason ? reason(&lines, *failed) : NULL;
	*failed |= why != NULL;
	if (!why && lines.len)
		why = xstrdup(lines.ptr[lines.len - 1]);
	for (size_t i = 0; i < lines.len; i++)
		if (*failed && i + LOG_TAIL >= lines.len)
			log_note("    %s", lines.ptr[i]);
		else
			log_debug("    %s", lines.ptr[i]);
	*ret_why = steal_pointer(&why);
}

int guest_run(struct guest *g, const char *what, const char *command, bool network, disk_reason *reason,
	      struct error *err)
{
	static const char environment[] =
		"export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
		"export HOME=/root LC_ALL=C TERM=dumb DEBIAN_FRONTEND=noninteractive\n"
		"cd /\n";
	bool cut_off = g->network && !network;
	_cleanup_free_ char *run = xasprintf("%s/run", g->work);
	_cleanup_free_ char *log = xasprintf("%s/log", g->work);
	_cleanup_free_ char *text = xasprintf("%s%s\n", environment, command);
	_cleanup_free_ char *line =
		xasprintf("%s/bin/sh %s >%s 2>&1 </dev/null", cut_off ? "unshare -n " : "", run, log);
	_cleanup_free_ char *output = NULL, *why = NULL;
	bool failed;
	int r;

	if (cut_off && !guest_exists(g, "/usr/bin/unshare") && !guest_exists(g, "/bin/unshare"))
		return error_set(
			err, -ENOENT,
			"%s: the base has no 'unshare' to run it without network; give it the network, or "
			"take it from everything",
			what);
	r = guest_write(g, run, 0644, text, err);
	if (r < 0)
		return error_prefix(err, "%s", what);
	log_debug("in the base: %s", command);
	output = guestfs_sh(g->handle, line);
	if (!output) {
		r = guest_error(g, what, err);
		if (r == -EINTR || r == -ENOSPC)
			return r;
	}
	failed = !output;
	show_output(g, log, reason, &failed, &why);
	if (!failed)
		return 0;
	if (guest_space(g) < (uint64_t)1 << 20)
		return error_set(
			err, -ENOSPC,
			"%s: the base's own file system is full; make the image larger (virt-resize)", what);
	return error_set(err, -EPIPE, "%s failed%s%s", what, why ? ": " : "", why ? why : "");
}

/* ---- the tree ---- */

int guest_take_tree(struct guest *g, const char *const *excludes, int fd, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("/dev/fd/%d", fd);
	_cleanup_strlist_ struct strlist patterns = {0};

	for (; *excludes; excludes++)
		strlist_add(&patterns, *excludes);
	/*
	 * GNU tar with --xattrs stores every attribute there is, of all name spaces: ACLs in their binary form, SELinux
	 * labels and capabilities among them. --acls and --selinux would only say the same once more, in other words.
	 */
	if (guestfs_tar_out_opts(g->handle, "/", path, GUESTFS_TAR_OUT_OPTS_NUMERICOWNER, 1,
				 GUESTFS_TAR_OUT_OPTS_XATTRS, 1, GUESTFS_TAR_OUT_OPTS_EXCLUDES, patterns.ptr,
				 -1) < 0)
		return guest_error(g, "taking the tree out", err);
	return 0;
}
