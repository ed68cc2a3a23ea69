/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/debian_kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compose/directory.h"
#include "compose/layer.h"
#include "compose/tar.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/io.h"
#include "lib/spawn.h"

/* In front of the path of a module, before and after the /usr merge. */
static const char *const module_roots[] = {"lib/modules/", "usr/lib/modules/"};

/* "RELEASE/..." of a path below one of the roots, NULL for any other. */
static const char *below_modules(const char *path)
{
	for (size_t i = 0; i < sizeof(module_roots) / sizeof(module_roots[0]); i++)
		if (strncmp(path, module_roots[i], strlen(module_roots[i])) == 0)
			return path + strlen(module_roots[i]);
	return NULL;
}

/* The one release that the package holds. To be freed. */
static int find_release(const struct layer *l, const char *package, char **ret, struct error *err)
{
	static const char image[] = "boot/vmlinuz-";
	const char *found = NULL;

	for (size_t i = 0; i < l->len; i++) {
		const char *path = l->entries[i].entry->path;

		if (strncmp(path, image, strlen(image)) != 0)
			continue;
		if (found)
			return error_set(err, -EINVAL, "%s: brings two kernels, '%s' and '%s'; name one",
					 package, found, path + strlen(image));
		found = path + strlen(image);
	}
	if (!found || !*found || strchr(found, '/'))
		return error_set(err, -ENOENT, "%s: has no boot/vmlinuz-*; is it a kernel's package?",
				 package);
	*ret = xstrdup(found);
	return 0;
}

/* Copies one file of the tar to @path on the disk. */
static int extract(const struct tree *t, const struct tree_entry *e, const char *path, struct error *err)
{
	_cleanup_free_ char *parent = xstrdup(path);
	_cleanup_free_ void *data = NULL;
	_cleanup_close_ int fd = -EBADF;
	size_t len = 0;
	int r;

	r = io_make_dirs(dirname(parent), 0755, err);
	if (r == 0)
		r = tree_read_all(t, e, (size_t)256 << 20, &data, &len, err);
	if (r < 0)
		return r;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return error_errno(err, -errno, "%s", path);
	return io_write_full(fd, path, data, len, err);
}

/* Unpacks kernel and modules below @dir; only plain files, to places that we name. */
static int extract_all(const struct layer *l, const char *release, const char *dir, struct error *err)
{
	struct tree_source source = {.fd = l->fd, .name = l->name};
	const struct tree t = {.sources = &source, .source_count = 1};
	_cleanup_free_ char *image = xasprintf("boot/vmlinuz-%s", release);
	size_t len = strlen(release);

	for (size_t i = 0; i < l->len; i++) {
		const struct tree_entry *e = l->entries[i].entry;
		const char *below = below_modules(e->path);
		_cleanup_free_ char *path = NULL;
		int r;

		if (strcmp(e->path, image) == 0)
			path = xasprintf("%s/%s", dir, image);
		else if (below && strncmp(below, release, len) == 0 && below[len] == '/')
			path = xasprintf("%s/usr/lib/modules/%s", dir, below);
		if (!path || !S_ISREG(e->mode) || l->entries[i].link)
			continue;
		r = extract(&t, e, path, err);
		if (r == 0)
			r = interrupt_check(err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* depmod(8) looks below lib/modules of the directory it is given. */
static int run_depmod(const char *dir, const char *release, struct error *err)
{
	const char *argv[] = {"depmod", "-b", dir, release, NULL};
	struct spawn s = {.argv = argv, .package = "kmod", .timeout_ns = UINT64_C(300000000000)};
	_cleanup_free_ char *modules = xasprintf("%s/usr/lib/modules/%s", dir, release);
	_cleanup_free_ char *lib = xasprintf("%s/lib", dir);
	int r;

	/* A kernel without modules is one too. */
	r = io_make_dirs(modules, 0755, err);
	if (r < 0)
		return r;
	if (symlink("usr/lib", lib) < 0)
		return error_errno(err, -errno, "%s", lib);
	/* Users often have no sbin in PATH. */
	if (!spawn_available("depmod") && access("/usr/sbin/depmod", X_OK) == 0)
		argv[0] = "/usr/sbin/depmod";
	r = spawn_run(&s, err);
	if (r == 0 && unlink(lib) < 0)
		return error_errno(err, -errno, "%s", lib);
	return r;
}

/* The same bytes whoever made it, and when. */
static void normalise(struct layer *l)
{
	for (size_t i = 0; i < l->len; i++) {
		struct tree_entry *e = l->entries[i].entry;

		e->mode = S_ISDIR(e->mode) ? S_IFDIR | 0755 : S_IFREG | 0644;
		e->uid = e->gid = 0;
		e->mtime = 0;
		for (size_t x = 0; x < e->xattr_count; x++) {
			free(e->xattrs[x].name);
			free(e->xattrs[x].value);
		}
		e->xattr_count = 0;
	}
}

int kernel_layer_write(int all, const char *package, const char *dir, int fd, struct error *err)
{
	_cleanup_layer_ struct layer unpacked = LAYER_INIT, kernel = LAYER_INIT;
	_cleanup_free_ char *release = NULL;
	int r;

	unpacked.name = xstrdup(package);
	unpacked.fd = fcntl(all, F_DUPFD_CLOEXEC, 3);
	if (unpacked.fd < 0)
		return error_errno(err, -errno, "%s", package);
	r = tar_index(all, package, &unpacked, err);
	if (r == 0)
		r = find_release(&unpacked, package, &release, err);
	if (r == 0)
		r = extract_all(&unpacked, release, dir, err);
	if (r == 0)
		r = run_depmod(dir, release, err);
	if (r == 0)
		r = directory_list(dir, "", &kernel, err);
	if (r < 0)
		return r;
	normalise(&kernel);
	return archive_write_tar(&kernel, fd, package, err);
}
