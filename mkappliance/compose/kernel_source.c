/* SPDX-License-Identifier: Apache-2.0 */
/* Where a kernel comes from: a package of its own, files of the host, or the tree of the base. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "compose/compose_internal.h"
#include "compose/debian.h"
#include "compose/directory.h"
#include "compose/kernel_source.h"
#include "compose/tar.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/log.h"

#define IMAGE_MAX ((size_t)256 << 20)
#define CURE	  "[Kernel] Package= (such as linux-image-cloud-amd64) or Image="

void kernel_source_free(struct kernel_source *s)
{
	merge_free(s->own);
	layer_free(&s->modules_layer);
	modules_free(s->modules);
	free(s->release);
	free(s->dir);
	for (size_t i = 0; i < s->input_count; i++)
		compose_input_free(&s->inputs[i]);
	*s = KERNEL_SOURCE_INIT;
}

static struct compose_input *add_input(struct kernel_source *s, const char *name, const struct sha256 *digest,
				       uint64_t size)
{
	struct compose_input *in = &s->inputs[s->input_count++];

	*in = (struct compose_input){
		.kind = xstrdup("kernel"), .name = xstrdup(name), .digest = *digest, .size = size};
	return in;
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

/* The release that a kernel image says it is. NULL: it does not say. To be freed. */
static char *release_of_image(const uint8_t *image, size_t len)
{
	_cleanup_free_ char *text = version_text(image, len);
	size_t n = text ? strcspn(text, " /") : 0;

	return n > 0 && n < 128 ? xstrndup(text, n) : NULL;
}

/* Whether the file at @path says that it is the kernel of @release. */
static bool is_kernel_of(const struct merge *m, const char *path, const char *release)
{
	_cleanup_free_ char *says = NULL;
	struct error ignored = ERROR_INIT;
	_cleanup_free_ void *image = NULL;
	size_t len = 0;

	if (merge_read(m, path, IMAGE_MAX, &image, &len, &ignored) == 0)
		says = release_of_image(image, len);
	return says && strcmp(says, release) == 0;
}

/* Alpine's are called by their flavour: boot/vmlinuz-virt. To be freed. */
static char *image_by_content(const struct merge *m, const char *release)
{
	_cleanup_strlist_ struct strlist names = {0};

	merge_list(m, "boot", &names);
	for (size_t i = 0; i < names.len; i++) {
		_cleanup_free_ char *path = xasprintf("boot/%s", names.ptr[i]);

		if (strncmp(names.ptr[i], "vmlinuz-", 8) == 0 && is_kernel_of(m, path, release))
			return steal_pointer(&path);
	}
	return NULL;
}

/* Where in a tree the kernel of @release is that has its modules in @dir; NULL: nowhere. To be freed. */
static char *image_path(const struct merge *m, const char *release, const char *dir)
{
	_cleanup_free_ char *in_boot = xasprintf("boot/vmlinuz-%s", release);
	_cleanup_free_ char *beside = xasprintf("%s/vmlinuz", dir);

	if (merge_find(m, in_boot))
		return steal_pointer(&in_boot);
	return merge_find(m, beside) ? steal_pointer(&beside) : image_by_content(m, release);
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
static int find_in_tree(struct kernel_source *s, const char *where, const char *cure, struct kernel *k,
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
static void add_kernel_package(const struct template *t, const struct kernel *k, struct kernel_source *s,
			       const struct cached *c)
{
	struct compose_input *in = add_input(s, t->kernel.package, &c->digest, c->size);

	in->version = debian_version(k->image, k->image_len);
	if (!in->version)
		return;
	in->package = xasprintf("linux-image-%s", s->release);
	in->arch = xstrdup(debian_architecture(t->appliance.arch));
}

static int find_package(const struct template *t, const struct cache *cache, struct kernel_source *s,
			struct kernel *k, struct error *err)
{
	_cleanup_layer_ struct layer look = LAYER_INIT;
	_cleanup_cached_ struct cached c = CACHED_INIT;
	int r;

	r = debian_kernel(t, cache, &c, err);
	if (r == 0)
		r = open_cached(&c, t->kernel.package, &look, err);
	if (r == 0 && t->init.mode == INIT_SYSTEM)
		r = open_cached(&c, t->kernel.package, &s->modules_layer, err);
	if (r < 0)
		return r;
	s->m = s->own = merge_new();
	r = merge_layer(s->own, &look, 0, 0, err);
	if (r < 0)
		return r;
	r = find_in_tree(s, t->kernel.package, CURE, k, err);
	if (r == 0)
		add_kernel_package(t, k, s, &c);
	return r;
}

/* The release that image and directory of modules must be of. */
static int take_release(const struct template *t, struct kernel_source *s, struct error *err)
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

/* [Kernel] Image=, and ModulesDirectory= where there is one. */
static int find_files(const struct template *t, struct kernel_source *s, struct kernel *k, struct error *err)
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
	(void)add_input(s, t->kernel.image, &digest, image.len);
	s->release = release_of_image((const uint8_t *)image.ptr, image.len);
	k->path = xstrdup(t->kernel.image);
	k->image_len = image.len;
	k->image = buf_steal(&image);
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
		r = directory_list(t->kernel.modules_dir, s->dir, &s->modules_layer, err);
	if (r == 0)
		r = layer_listing_digest(&look, &digest, &size, err);
	if (r < 0)
		return r;
	(void)add_input(s, t->kernel.modules_dir, &digest, size);
	return merge_layer(s->own, &look, 0, MERGE_NO_WHITEOUTS, err);
}

int kernel_source_open(const struct template *t, const struct cache *cache, struct kernel_source *s,
		       struct kernel *k, bool *ret_found, struct error *err)
{
	/* A base of RPMs without a suite of Debian gets the package by its own package manager. */
	bool package = t->kernel.package && !(t->base.source == BASE_RPM && !t->base.suite);
	int r = 0;

	if (package)
		r = find_package(t, cache, s, k, err);
	else if (t->kernel.image)
		r = find_files(t, s, k, err);
	if (r == 0)
		*ret_found = package || t->kernel.image;
	return r;
}

int kernel_source_of_base(const struct template *t, struct merge *m, const char *modules_root,
			  struct kernel_source *s, struct kernel *k, struct error *err)
{
	if (t->base.source == BASE_DISK)
		keep_newest(m, modules_root);
	s->m = m;
	return find_in_tree(s, "the base",
			    t->base.source == BASE_DISK ? "[Base] Packages= or [Kernel] Image=" : CURE, k,
			    err);
}
