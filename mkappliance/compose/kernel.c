/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>

#include "compose/compose_internal.h"
#include "compose/debian.h"
#include "compose/directory.h"
#include "compose/modules.h"
#include "compose/tar.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/log.h"

#define IMAGE_MAX	((size_t)256 << 20)
#define MODULE_MAX	((size_t)64 << 20)
#define CURE		"[Kernel] Package= (such as linux-image-cloud-amd64) or Image="
#define MODULES_DEP_MAX ((size_t)32 << 20)

/*
 * To find the disk and to mount it. Those that a kernel does not have, or has built in, are passed over.
 * The two of the crypto library come before those that ask for their algorithm by name, which no modprobe
 * is there to answer.
 */
static const char *const initrd_defaults[] = {"crc32c_generic", "sha256_generic", "virtio_pci", "virtio_blk",
					      "nvme",		"ext4",		  "dm_verity",	NULL};

/* Network of virtual machines and of EC2; packet sockets for DHCP; the power button. */
static const char *const root_defaults[] = {"virtio_net", "ena", "af_packet", "button", NULL};

/* Where the kernel comes from while it is looked at: a tree that has it, with the modules below @dir. */
struct source {
	const struct merge *m; /* borrowed: the base's tree, or that of @own */
	struct merge *own;
	char *release;
	char *dir; /* "usr/lib/modules/RELEASE" in @m */
	struct modules *modules;
};

static void source_free(struct source *s)
{
	merge_free(s->own);
	modules_free(s->modules);
	free(s->release);
	free(s->dir);
}

static void module_list_free(struct kernel_module *list, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		free(list[i].name);
		free(list[i].path);
		free(list[i].data);
	}
	free(list);
}

void kernel_free(struct kernel *k)
{
	module_list_free(k->initrd, k->initrd_len);
	module_list_free(k->root, k->root_len);
	free(k->release);
	free(k->path);
	free(k->image);
	*k = (struct kernel){0};
}

/* The releases below lib/modules that have a modules.dep. */
static void list_releases(const struct merge *m, struct strlist *ret)
{
	_cleanup_strlist_ struct strlist names = {0};

	merge_list(m, "usr/lib/modules", &names);
	if (!names.len)
		merge_list(m, "lib/modules", &names);
	for (size_t i = 0; i < names.len; i++) {
		_cleanup_free_ char *usr = xasprintf("usr/lib/modules/%s/modules.dep", names.ptr[i]);

		if (merge_find(m, usr) || merge_find(m, usr + strlen("usr/")))
			strlist_add(ret, names.ptr[i]);
	}
}

/* Where in a tree the kernel of @release is that has its modules in @dir; NULL: nowhere. To be freed. */
static char *image_path(const struct merge *m, const char *release, const char *dir)
{
	_cleanup_free_ char *in_boot = xasprintf("boot/vmlinuz-%s", release);
	_cleanup_free_ char *beside = xasprintf("%s/vmlinuz", dir);

	if (merge_find(m, in_boot))
		return steal_pointer(&in_boot);
	return merge_find(m, beside) ? steal_pointer(&beside) : NULL;
}

/* A disk that was upgraded has older kernels as well: only the newest stays. */
static void keep_newest(struct merge *m, const char *root)
{
	_cleanup_strlist_ struct strlist releases = {0};
	const char *newest = NULL;

	list_releases(m, &releases);
	for (size_t i = 0; i < releases.len; i++) {
		_cleanup_free_ char *dir = xasprintf("%s/%s", root, releases.ptr[i]);
		_cleanup_free_ char *image = image_path(m, releases.ptr[i], dir);

		if (image && (!newest || strverscmp(releases.ptr[i], newest) > 0))
			newest = releases.ptr[i];
	}
	for (size_t i = 0; newest && i < releases.len; i++) {
		_cleanup_free_ char *dir = xasprintf("%s/%s", root, releases.ptr[i]);

		if (releases.ptr[i] == newest)
			continue;
		log_note("the base has an older kernel as well; left out: %s", releases.ptr[i]);
		merge_remove(m, dir);
	}
}

/* The one kernel of a tree: its release, its image and where its modules are. */
static int find_in_tree(struct source *s, const char *where, const char *cure, struct kernel *k,
			struct error *err)
{
	_cleanup_free_ char *image = NULL, *modules = NULL;
	_cleanup_strlist_ struct strlist releases = {0};

	list_releases(s->m, &releases);
	if (releases.len == 0)
		return error_usage(err, "%s has no kernel: name one with %s", where, cure);
	if (releases.len > 1)
		return error_usage(err, "%s has %zu kernels ('%s', '%s'...): name one with %s", where,
				   releases.len, releases.ptr[0], releases.ptr[1], cure);
	s->release = xstrdup(releases.ptr[0]);
	modules = xasprintf("usr/lib/modules/%s", s->release);
	s->dir = merge_real_path(s->m, merge_find(s->m, modules) ? modules : modules + strlen("usr/"));
	image = image_path(s->m, s->release, s->dir);
	if (!image)
		return error_usage(err, "%s has modules of kernel %s but not the kernel (boot/vmlinuz-%s)",
				   where, s->release, s->release);
	k->path = xasprintf("/%s", image);
	return merge_read(s->m, image, IMAGE_MAX, &k->image, &k->image_len, err);
}

/* A layer of the cache, listed. */
static int open_cached(const struct cached *c, const char *name, struct layer *ret, struct error *err)
{
	ret->name = xstrdup(name);
	ret->fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 3);
	if (ret->fd < 0)
		return error_errno(err, -errno, "%s", c->path);
	return tar_index(ret->fd, name, ret, err);
}

/*
 * The text in which a kernel image says what it is (Documentation/arch/x86/boot.rst: kernel_version, protocol 2.00 and
 * later): "6.1.0-56-cloud-amd64 (...) #1 SMP PREEMPT_DYNAMIC Debian 6.1.174-1 (2026-10-01)". To be freed; NULL: it does not say.
 */
static char *version_text(const uint8_t *image, size_t len)
{
	size_t at, n;

	if (len < 0x210 || memcmp(image + 0x202, "HdrS", 4) != 0)
		return NULL;
	at = (size_t)(image[0x20e] | image[0x20f] << 8) + 0x200;
	if (at == 0x200 || at >= len)
		return NULL;
	for (n = 0; at + n < len && n < 512 && image[at + n] >= ' ' && image[at + n] < 0x7f; n++)
		;
	return xstrndup((const char *)image + at, n);
}

/* Debian's kernels say of which version of the package they are. To be freed; NULL: it does not say. */
static char *debian_version(const uint8_t *image, size_t len)
{
	static const char mark[] = " Debian ";
	_cleanup_free_ char *text = version_text(image, len);
	const char *at = text ? strstr(text, mark) : NULL;
	size_t n = at ? strcspn(at + strlen(mark), " ") : 0;

	return n ? xstrndup(at + strlen(mark), n) : NULL;
}

/* The package that the kernel was in, which no database of the tree knows. */
static void add_kernel_package(const struct template *t, const struct kernel *k, const char *release,
			       const struct cached *c, struct compose_result *result)
{
	struct compose_input *in =
		compose_add_input(result, "kernel", t->kernel.package, &c->digest, c->size);
	_cleanup_free_ char *version = debian_version(k->image, k->image_len);
	_cleanup_free_ char *name = xasprintf("linux-image-%s", release);

	if (!version)
		return;
	in->package = xstrdup(name);
	in->version = xstrdup(version);
	in->arch = xstrdup(debian_architecture(t->appliance.arch));
	installed_add(&result->packages, "deb", name, version, in->arch);
}

/* @layer gets all of the modules, for Mode=system. */
static int find_package(const struct template *t, const struct cache *cache, struct source *s,
			struct layer *layer, struct compose_result *result, struct error *err)
{
	_cleanup_layer_ struct layer look = LAYER_INIT;
	_cleanup_cached_ struct cached c = CACHED_INIT;
	int r;

	r = debian_kernel(t, cache, &c, err);
	if (r == 0)
		r = open_cached(&c, t->kernel.package, &look, err);
	if (r == 0 && t->init.mode == INIT_SYSTEM)
		r = open_cached(&c, t->kernel.package, layer, err);
	if (r < 0)
		return r;
	s->m = s->own = merge_new();
	r = merge_layer(s->own, &look, 0, 0, err);
	if (r < 0)
		return r;
	r = find_in_tree(s, t->kernel.package, CURE, &result->kernel, err);
	if (r == 0)
		add_kernel_package(t, &result->kernel, s->release, &c, result);
	return r;
}

/* The release that a kernel image says it is. NULL: it does not say. To be freed. */
static char *release_of_image(const uint8_t *image, size_t len)
{
	_cleanup_free_ char *text = version_text(image, len);
	size_t n = text ? strcspn(text, " /") : 0;

	return n > 0 && n < 128 ? xstrndup(text, n) : NULL;
}

/* The release that image and directory of modules must be of. */
static int take_release(const struct template *t, struct source *s, struct error *err)
{
	const char *slash = strrchr(t->kernel.modules_dir, '/');
	const char *name = slash ? slash + 1 : t->kernel.modules_dir;

	if (!s->release)
		s->release = xstrdup(name);
	if (strcmp(s->release, name) != 0)
		return error_usage(err, "[Kernel] Image=%s is of kernel %s, ModulesDirectory=%s of another",
				   t->kernel.image, s->release, t->kernel.modules_dir);
	return 0;
}

/* [Kernel] Image=, and ModulesDirectory= where there is one. @layer as in find_package(). */
static int find_files(const struct template *t, struct source *s, struct layer *layer,
		      struct compose_result *result, struct error *err)
{
	_cleanup_layer_ struct layer look = LAYER_INIT;
	_cleanup_buf_ struct buf image = {0};
	struct sha256 digest;
	uint64_t size;
	int r;

	r = io_read_file(AT_FDCWD, t->kernel.image, IMAGE_MAX, &image, err);
	if (r < 0)
		return r;
	sha256_of(image.ptr ? image.ptr : "", image.len, &digest);
	compose_add_input(result, "kernel", t->kernel.image, &digest, image.len);
	s->release = release_of_image((const uint8_t *)image.ptr, image.len);
	result->kernel.path = xstrdup(t->kernel.image);
	result->kernel.image_len = image.len;
	result->kernel.image = buf_steal(&image);
	s->m = s->own = merge_new();
	if (!t->kernel.modules_dir) {
		if (!s->release)
			s->release = xstrdup("unknown");
		return 0;
	}
	r = take_release(t, s, err);
	if (r < 0)
		return r;
	s->dir = xasprintf("usr/lib/modules/%s", s->release);
	r = directory_list(t->kernel.modules_dir, s->dir, &look, err);
	if (r == 0 && t->init.mode == INIT_SYSTEM)
		r = directory_list(t->kernel.modules_dir, s->dir, layer, err);
	if (r == 0)
		r = layer_listing_digest(&look, &digest, &size, err);
	if (r < 0)
		return r;
	compose_add_input(result, "kernel", t->kernel.modules_dir, &digest, size);
	return merge_layer(s->own, &look, 0, MERGE_NO_WHITEOUTS, err);
}

static int read_modules(struct source *s, struct error *err)
{
	_cleanup_free_ char *dep_path = xasprintf("%s/modules.dep", s->dir ? s->dir : "");
	_cleanup_free_ char *builtin_path = xasprintf("%s/modules.builtin", s->dir ? s->dir : "");
	_cleanup_free_ void *dep = NULL, *builtin = NULL;
	size_t dep_len = 0, builtin_len = 0;
	int r = 0;

	if (s->dir && !merge_find(s->m, dep_path))
		return error_set(err, -ENOENT,
				 "kernel %s: no modules.dep; run 'depmod %s' where the modules are",
				 s->release, s->release);
	if (s->dir)
		r = merge_read(s->m, dep_path, MODULES_DEP_MAX, &dep, &dep_len, err);
	if (r == 0 && merge_find(s->m, builtin_path))
		r = merge_read(s->m, builtin_path, MODULES_DEP_MAX, &builtin, &builtin_len, err);
	return r < 0 ? r : modules_parse(dep, dep_len, builtin, builtin_len, s->release, &s->modules, err);
}

/* Reads one module; a compressed one is unpacked, because finit_module(2) of most kernels takes ELF only. */
static int read_module(const struct source *s, const char *path, struct kernel_module *ret, struct error *err)
{
	_cleanup_free_ char *full = xasprintf("%s/%s", s->dir, path);
	_cleanup_buf_ struct buf plain = {0};
	_cleanup_free_ void *data = NULL;
	size_t len = 0, keep;
	int r;

	r = merge_read(s->m, full, MODULE_MAX, &data, &len, err);
	if (r < 0)
		return r;
	keep = strlen(full);
	if (archive_kind_of(data, len) == ARCHIVE_COMPRESSED) {
		const char *dot = strrchr(full, '.');

		r = archive_decompress_memory(data, len, full, MODULE_MAX, &plain, err);
		if (r < 0)
			return r;
		keep = dot ? (size_t)(dot - full) : keep;
		free(data);
		len = plain.len;
		data = buf_steal(&plain);
	}
	ret->name = module_name_of(path, strlen(path));
	ret->path = xstrndup(full, keep);
	ret->len = len;
	ret->data = steal_pointer(&data);
	return 0;
}

/* The @defaults that this kernel has, and all that the template's @key names. */
static int resolve_all(const struct template *t, struct source *s, const char *const *defaults,
		       const char *key, const struct strlist *named, struct strlist *paths, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && defaults[i]; i++)
		r = modules_resolve(s->modules, defaults[i], true, paths, err);
	for (size_t i = 0; r == 0 && i < named->len; i++) {
		r = modules_resolve(s->modules, named->ptr[i], false, paths, err);
		if (r < 0)
			return error_prefix(err, "%s: [Kernel] %s=", t->path, key);
	}
	return r;
}

/* The modules of @paths from number @from on. */
static int read_list(const struct source *s, const struct strlist *paths, size_t from,
		     struct kernel_module **ret, size_t *ret_len, struct error *err)
{
	size_t len = paths->len - from;

	*ret = xcalloc(len, sizeof(**ret));
	for (*ret_len = 0; *ret_len < len; (*ret_len)++) {
		int r = read_module(s, paths->ptr[from + *ret_len], &(*ret)[*ret_len], err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int choose_modules(const struct template *t, struct source *s, struct kernel *k, struct error *err)
{
	_cleanup_strlist_ struct strlist paths = {0};
	size_t initrd;
	int r;

	r = resolve_all(t, s, initrd_defaults, "InitrdModules", &t->kernel.initrd_modules, &paths, err);
	if (r == 0)
		r = read_list(s, &paths, 0, &k->initrd, &k->initrd_len, err);
	if (r < 0 || t->init.mode != INIT_APPLIANCE)
		return r;
	/* What the initrd has loaded is not loaded again. */
	initrd = paths.len;
	r = resolve_all(t, s, root_defaults, "Modules", &t->kernel.modules, &paths, err);
	return r < 0 ? r : read_list(s, &paths, initrd, &k->root, &k->root_len, err);
}

/* What only other boot loaders look at. */
static void remove_boot_files(struct merge *m)
{
	static const char *const in_boot[] = {"vmlinuz-*",   "vmlinuz",	     "initrd.img-*", "initrd.img",
					      "initramfs-*", "System.map-*", "config-*"};
	static const char *const in_root[] = {"vmlinuz", "vmlinuz.old", "initrd.img", "initrd.img.old"};
	_cleanup_strlist_ struct strlist names = {0};

	merge_list(m, "boot", &names);
	for (size_t i = 0; i < names.len; i++)
		for (size_t p = 0; p < sizeof(in_boot) / sizeof(in_boot[0]); p++)
			if (fnmatch(in_boot[p], names.ptr[i], 0) == 0) {
				_cleanup_free_ char *path = xasprintf("boot/%s", names.ptr[i]);

				merge_remove(m, path);
				break;
			}
	for (size_t i = 0; i < sizeof(in_root) / sizeof(in_root[0]); i++)
		merge_remove(m, in_root[i]);
}

/* Where the tree wants its modules: kmod looks in /lib/modules, which may be a link. */
static const char *modules_root(const struct merge *m)
{
	_cleanup_free_ char *lib = merge_real_path(m, "lib");

	return lib && strcmp(lib, "lib") == 0 ? "lib/modules" : "usr/lib/modules";
}

/* Mode=appliance: the modules that stage 2 loads, and no others. */
static int add_root_modules(struct merge *m, unsigned number, struct kernel *k, struct error *err)
{
	_cleanup_layer_ struct layer l = LAYER_INIT;

	l.name = xasprintf("modules of kernel %s", k->release);
	for (size_t i = 0; i < k->root_len; i++) {
		struct kernel_module *mod = &k->root[i];

		layer_add(&l, entry_new_file(mod->path, 0644, mod->data, mod->len), NULL);
	}
	return merge_layer(m, &l, number, 0, err);
}

/* Mode=system: all of them, as they are. The kernel itself stays out. */
static int add_all_modules(struct merge *m, unsigned number, struct layer *from, const char *root,
			   struct error *err)
{
	static const char below[] = "usr/lib/modules/";
	_cleanup_layer_ struct layer l = LAYER_INIT;

	l.name = xstrdup(from->name);
	l.fd = steal_fd(&from->fd);
	for (size_t i = 0; i < from->len; i++) {
		struct tree_entry *e = from->entries[i].entry;
		char *path;

		if (strncmp(e->path, below, strlen(below)) != 0)
			continue;
		path = xasprintf("%s/%s", root, e->path + strlen(below));
		free(e->path);
		e->path = path;
		e->uid = e->gid = 0;
		layer_add(&l, steal_pointer(&from->entries[i].entry), steal_pointer(&from->entries[i].link));
	}
	return merge_layer(m, &l, number, MERGE_KEEP_LINKS | MERGE_NO_WHITEOUTS, err);
}

/* The paths by which init and initrd know the modules are those in the image's root. */
static void move_paths(const struct source *s, struct kernel_module *list, size_t len, const char *root)
{
	for (size_t i = 0; i < len; i++) {
		char *path = xasprintf("%s/%s%s", root, s->release, list[i].path + strlen(s->dir));

		free(list[i].path);
		list[i].path = path;
	}
}

int kernel_compose(const struct template *t, const struct cache *cache, struct merge *m, unsigned number,
		   struct compose_result *result, struct error *err)
{
	_cleanup_(source_free) struct source s = {.m = m};
	_cleanup_layer_ struct layer layer = LAYER_INIT;
	struct kernel *k = &result->kernel;
	const char *root = modules_root(m);
	int r;

	if (t->base.source == BASE_DISK && !t->kernel.image)
		keep_newest(m, root);
	if (t->kernel.package && !(t->base.source == BASE_RPM && !t->base.suite)) /* else it is in the base */
		r = find_package(t, cache, &s, &layer, result, err);
	else if (t->kernel.image)
		r = find_files(t, &s, &layer, result, err);
	else
		r = find_in_tree(&s, "the base",
				 t->base.source == BASE_DISK ? "[Base] Packages= or [Kernel] Image=" : CURE,
				 k, err);
	if (r == 0)
		r = read_modules(&s, err);
	if (r == 0)
		r = choose_modules(t, &s, k, err);
	if (r < 0)
		return r;
	k->release = steal_pointer(&s.release);
	s.release = xstrdup(k->release);
	move_paths(&s, k->initrd, k->initrd_len, root);
	move_paths(&s, k->root, k->root_len, root);
	remove_boot_files(m);
	if (t->init.mode == INIT_APPLIANCE) {
		merge_remove(m, root);
		return add_root_modules(m, number, k, err);
	}
	return s.own && layer.len ? add_all_modules(m, number, &layer, root, err) : 0;
}
