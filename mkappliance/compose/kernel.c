/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/kernel.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>

#include "compose/compose_internal.h"
#include "compose/kernel_devices.h"
#include "compose/kernel_share.h"
#include "lib/cleanup.h"

#define MODULE_MAX	((size_t)64 << 20)
#define MODULES_DEP_MAX ((size_t)32 << 20)

/*
 * To find the disk and to mount it. Those that a kernel does not have, or has built in, are passed over.
 * Those of the crypto library come before those that ask for their algorithm by name, which no modprobe
 * is there to answer.
 */
static const char *const initrd_defaults[] = {"crc32c_generic", "sha256_generic", "virtio_pci", "virtio_blk",
					      "nvme",		"ext4",		  NULL};

/*
 * The same, but as much work as all of these: a second processor can do it beside them. dm-verity takes the fastest SHA-256 that there is
 * when it starts.
 */
static const char *const side_defaults[] = {"sha256_ssse3", "sha2_ce", "dm_verity", NULL};

/*
 * Of these, what only makes SHA-256 faster. The kernel tests each of its ways when it is loaded, which takes as long as reading about
 * SMALL_ROOT bytes is longer without.
 */
static const char *const only_faster[] = {"sha256_ssse3", "sha2_ce", NULL};
#define SMALL_ROOT (4u << 20)

/* The power button; the hypervisor's clock. */
static const char *const root_defaults[] = {"button", "ptp_kvm", NULL};

/* Network of virtual machines and of EC2; packet sockets for DHCP. Where there is a network only. */
static const char *const network_defaults[] = {"virtio_net", "ena", "af_packet", NULL};

/* The interfaces of TPM 2.0, where a quote is to be had. */
static const char *const tpm_defaults[] = {"tpm_crb", "tpm_tis", NULL};

static void module_list_free(struct kernel_module *list, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		free(list[i].name);
		free(list[i].path);
		free(list[i].data);
		free(list[i].devices);
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
	free(k->builtin_info);
	*k = (struct kernel){0};
}

static int read_modules(struct kernel_source *s, struct error *err)
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

/* How the modules that are built in were configured, where somebody asks: nothing else tells. */
static int read_builtin_info(const struct template *t, const struct kernel_source *s, struct kernel *k,
			     struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/modules.builtin.modinfo", s->dir ? s->dir : "");

	if (!t->sign.verity_required || !merge_find(s->m, path))
		return 0;
	return merge_read(s->m, path, MODULES_DEP_MAX, &k->builtin_info, &k->builtin_info_len, err);
}

/* Reads one module; a compressed one is unpacked, because finit_module(2) of most kernels takes ELF only. */
static int read_module(const struct kernel_source *s, const char *path, struct kernel_module *ret,
		       struct error *err)
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
static int resolve_all(const struct template *t, struct kernel_source *s, const char *const *defaults,
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
static int read_list(const struct kernel_source *s, const struct strlist *paths, size_t from,
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

static bool is_listed(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *one = module_name_of(names[i], strlen(names[i]));

		if (strcmp(one, name) == 0)
			return true;
	}
	return false;
}

static int choose_modules(const struct template *t, struct kernel_source *s, struct kernel *k,
			  struct error *err)
{
	static const char *const *const of_initrd[] = {initrd_defaults, side_defaults, NULL};
	static const char *const *const of_root[] = {network_defaults, tpm_defaults, root_defaults, NULL};
	_cleanup_strlist_ struct strlist paths = {0};
	const struct strlist none = {0};
	size_t initrd;
	int r;

	r = resolve_all(t, s, initrd_defaults, "InitrdModules", &none, &paths, err);
	if (r == 0)
		r = resolve_all(t, s, side_defaults, "InitrdModules", &t->kernel.initrd_modules, &paths, err);
	if (r == 0)
		r = read_list(s, &paths, 0, &k->initrd, &k->initrd_len, err);
	if (r == 0)
		r = kernel_share(s->modules, side_defaults, only_faster, k->initrd, k->initrd_len, err);
	if (r == 0)
		r = kernel_devices(s->modules, t, of_initrd, k->initrd, k->initrd_len, err);
	if (r < 0 || t->init.mode != INIT_APPLIANCE)
		return r;
	/* What the initrd has loaded is not loaded again. */
	initrd = paths.len;
	if (t->init.network != NETWORK_NONE)
		r = resolve_all(t, s, network_defaults, "Modules", &none, &paths, err);
	if (r == 0 && t->attest.use != ATTEST_NONE)
		r = resolve_all(t, s, tpm_defaults, "Modules", &none, &paths, err);
	if (r == 0)
		r = resolve_all(t, s, root_defaults, "Modules", &t->kernel.modules, &paths, err);
	if (r == 0)
		r = read_list(s, &paths, initrd, &k->root, &k->root_len, err);
	return r < 0 ? r : kernel_devices(s->modules, t, of_root, k->root, k->root_len, err);
}

void kernel_fit(struct kernel *k, const struct strlist *named, uint64_t bytes)
{
	const size_t count = sizeof(only_faster) / sizeof(only_faster[0]) - 1;
	size_t kept = 0;

	if (bytes >= SMALL_ROOT)
		return;
	for (size_t i = 0; i < k->initrd_len; i++) {
		struct kernel_module *m = &k->initrd[i];

		if (is_listed(only_faster, count, m->name) &&
		    !is_listed((const char *const *)named->ptr, named->len, m->name)) {
			free(m->name);
			free(m->path);
			free(m->data);
			free(m->devices);
			continue;
		}
		k->initrd[kept++] = *m;
	}
	k->initrd_len = kept;
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
static void move_paths(const struct kernel_source *s, struct kernel_module *list, size_t len,
		       const char *root)
{
	for (size_t i = 0; i < len; i++) {
		char *path = xasprintf("%s/%s%s", root, s->release, list[i].path + strlen(s->dir));

		free(list[i].path);
		list[i].path = path;
	}
}

/* What went in, in the order in which the manifest has it: behind the base. */
static void hand_over(struct kernel_source *s, struct compose_result *result)
{
	for (size_t i = 0; i < s->input_count; i++) {
		struct compose_input *in = &s->inputs[i];

		if (in->package)
			installed_add(&result->packages, "deb", in->package, in->version, in->arch);
		compose_take_input(result, in);
	}
	s->input_count = 0;
}

int kernel_compose(const struct template *t, struct kernel_source *s, struct merge *m, unsigned number,
		   struct compose_result *result, struct error *err)
{
	struct kernel *k = &result->kernel;
	const char *root = modules_root(m);
	int r = 0;

	if (!s->m)
		r = kernel_source_of_base(t, m, root, s, k, err);
	if (r == 0)
		r = read_modules(s, err);
	if (r == 0)
		r = choose_modules(t, s, k, err);
	if (r == 0)
		r = read_builtin_info(t, s, k, err);
	if (r < 0)
		return r;
	hand_over(s, result);
	k->release = xstrdup(s->release);
	move_paths(s, k->initrd, k->initrd_len, root);
	move_paths(s, k->root, k->root_len, root);
	remove_boot_files(m);
	if (t->init.mode == INIT_APPLIANCE) {
		merge_remove(m, root);
		return add_root_modules(m, number, k, err);
	}
	return s->modules_layer.len ? add_all_modules(m, number, &s->modules_layer, root, err) : 0;
}
