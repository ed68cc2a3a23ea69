/* SPDX-License-Identifier: Apache-2.0 */
#include "image/boot.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "image/abi.h"
#include "image/conf.h"
#include "image/initrd.h"
#include "image/uki.h"
#include "lib/cleanup.h"
#include "lib/io.h"

#define INIT_NAME  "mkappliance-init"
#define INIT_LIMIT (8u << 20)

/* ---- what comes from the host ---- */

/* The directory of the running program; NULL when /proc does not say. */
static char *program_dir(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path));
	char *slash;

	if (n <= 0 || (size_t)n >= sizeof(path))
		return NULL;
	path[n] = 0;
	slash = strrchr(path, '/');
	return slash ? xstrndup(path, (size_t)(slash - path)) : NULL;
}

static int find_init(const char *given, char **ret, struct error *err)
{
	const char *from_env = getenv("MKAPPLIANCE_INIT");
	_cleanup_free_ char *dir = program_dir();
	_cleanup_free_ char *beside = xasprintf("%s/%s", dir ? dir : ".", INIT_NAME);

	if (!given && from_env && *from_env)
		given = from_env;
	if (!given)
		given = access(beside, R_OK) == 0 ? beside : LIBEXECDIR "/" INIT_NAME;
	if (access(given, R_OK) < 0)
		return error_errno(
			err, -errno,
			"%s: the init is needed ('make' builds it; MKAPPLIANCE_INIT= names another)", given);
	*ret = xstrdup(given);
	return 0;
}

static int find_stub(const struct template *t, struct boot_parts *p, struct error *err)
{
	struct stat st;
	const char *path = t->kernel.stub;

	if (!path)
		path = t->appliance.arch == ARCH_ARM64 ? "/usr/lib/systemd/boot/efi/linuxaa64.efi.stub"
						       : "/usr/lib/systemd/boot/efi/linuxx64.efi.stub";
	if (access(path, R_OK) < 0 || stat(path, &st) < 0)
		return error_errno(
			err, -errno,
			"%s: the systemd-stub is needed: apt-get install systemd-boot-efi, or [Kernel] Stub=",
			path);
	p->stub_path = xstrdup(path);
	p->stub_size = (uint64_t)st.st_size;
	return 0;
}

/* Neither a file that is no program, nor the build host's own init in an image for another machine, would ever start. */
static int check_init(const struct template *t, const struct buf *init, const char *path, struct error *err)
{
	const unsigned other = t->appliance.arch == ARCH_ARM64 ? EM_X86_64 : EM_AARCH64;
	const uint8_t *p = (const uint8_t *)init->ptr;
	const size_t at = offsetof(Elf64_Ehdr, e_machine);

	if (init->len < SELFMAG || memcmp(p, ELFMAG, SELFMAG) != 0)
		return error_set(err, -ENOEXEC, "%s: not an ELF program, so it cannot be the init", path);
	if (init->len >= at + 2 && (p[at] | (unsigned)p[at + 1] << 8) == other)
		return error_set(
			err, -ENOEXEC,
			"%s: an init for another machine than Architecture=%s (MKAPPLIANCE_INIT= names another)",
			path, architecture_name(t->appliance.arch));
	return 0;
}

int boot_parts_load(const struct template *t, const char *init_path, struct boot_parts *ret,
		    struct error *err)
{
	_cleanup_boot_parts_ struct boot_parts p = {0};
	_cleanup_free_ char *init = NULL;
	int r;

	r = find_stub(t, &p, err);
	if (r < 0)
		return r;
	r = find_init(init_path, &init, err);
	if (r < 0)
		return r;
	r = io_read_file(AT_FDCWD, init, INIT_LIMIT, &p.init, err);
	if (r < 0)
		return r;
	if (t->sign.secure_boot_key)
		r = signer_open(t->sign.secure_boot_key, t->sign.secure_boot_certificate, time(NULL),
				&p.signer, err);
	if (r < 0)
		return error_prefix(err, "[Sign]");
	r = check_init(t, &p.init, init, err);
	if (r < 0)
		return r;
	*ret = p;
	p = (struct boot_parts){0};
	return 0;
}

void boot_parts_free(struct boot_parts *p)
{
	free(p->stub_path);
	buf_free(&p->init);
	signer_free(p->signer);
	*p = (struct boot_parts){0};
}

/* ---- the command line ---- */

char *boot_command_line(const struct template *t)
{
	/*
	 * In front, so that the template may say otherwise: errors and worse on the console. A serial line takes a
	 * second for every 11 KB, and the records of the init must not drown.
	 */
	static const char *const defaults = "loglevel=4";
	/*
	 * Behind, so that it stands whatever the template says. A kernel that panics for a reason of its own must not leave a
	 * machine that neither works nor is seen to be dead: it restarts. With OnCorruption=panic somebody wants to look
	 * at the console, so the template decides, and the kernel stays where it is unless told otherwise.
	 */
	const char *needed = t->init.on_corruption == ON_CORRUPTION_PANIC ? "" : " panic=5";
	const char *own = t->kernel.command_line;

	return xasprintf("%s%s%s%s", defaults, *own ? " " : "", own, needed);
}

/* ---- initrd and UKI ---- */

/* The template allows no character in name and version that would need quoting here. */
static char *os_release(const struct template *t)
{
	const char *name = t->appliance.name, *version = t->appliance.version;

	return xasprintf("ID=%s\nNAME=\"%s\"\nVERSION_ID=\"%s\"\nPRETTY_NAME=\"%s %s\"\n", name, name,
			 version, name, version);
}

static void build_initrd(const struct kernel *k, const struct buf *init, const struct buf *conf,
			 struct buf *out)
{
	const size_t fixed = 3;
	_cleanup_free_ struct initrd_file *files = xcalloc(k->initrd_len + fixed, sizeof(*files));
	_cleanup_strlist_ struct strlist paths = {0};
	size_t n = 0;

	files[n++] = (struct initrd_file){"init", S_IFREG | 0755, init->ptr, init->len};
	files[n++] = (struct initrd_file){&ABI_CONF_PATH[1], S_IFREG | 0444, conf->ptr, conf->len};
	files[n++] = (struct initrd_file){&CONF_MODULE_DIR[1], S_IFDIR | 0755, NULL, 0};
	for (size_t i = 0; i < k->initrd_len; i++) {
		strlist_addf(&paths, "%s/%s.ko", &CONF_MODULE_DIR[1], k->initrd[i].name);
		files[n++] = (struct initrd_file){paths.ptr[i], S_IFREG | 0444, k->initrd[i].data,
						  k->initrd[i].len};
	}
	initrd_write(files, n, out);
}

/* /init, /appliance.conf with that root hash, and the modules. */
static int render_initrd(const struct template *t, const struct compose_result *c,
			 const struct boot_parts *parts, const struct layout *l,
			 const struct verity_superblock *sb, const struct sha256 *root_hash, struct buf *ret,
			 struct error *err)
{
	_cleanup_buf_ struct buf conf = {0};
	_cleanup_free_ char *command_line = boot_command_line(t);
	int r = conf_render(t, c, l, sb, root_hash, command_line, &conf, err);

	if (r == 0)
		build_initrd(&c->kernel, &parts->init, &conf, ret);
	return r;
}

int boot_plan(const struct template *t, const struct compose_result *c, const struct boot_parts *parts,
	      const struct layout *l, const struct verity_superblock *sb, struct boot *ret, struct error *err)
{
	const struct sha256 unknown = {{0}};
	_cleanup_free_ char *command_line = boot_command_line(t);
	_cleanup_free_ char *release = os_release(t);
	size_t growth = 0;
	int r;

	r = render_initrd(t, c, parts, l, sb, &unknown, &ret->initrd, err);
	if (r < 0)
		return r;
	r = uki_build(&(struct uki_params){.stub_path = parts->stub_path,
					   .os_release = release,
					   .command_line = command_line,
					   .kernel = &c->kernel,
					   .initrd = ret->initrd.ptr,
					   .initrd_len = ret->initrd.len},
		      &ret->uki, &ret->stub_digest, err);
	if (r == 0 && parts->signer)
		r = sign_pe_growth(parts->signer, ret->uki.len, &growth, err);
	if (r < 0)
		return r;
	ret->uki_size = ret->uki.len + growth;
	return 0;
}

int boot_finish(const struct template *t, const struct compose_result *c, const struct boot_parts *parts,
		const struct layout *l, const struct verity_superblock *sb, const struct sha256 *root_hash,
		struct boot *b, struct error *err)
{
	size_t planned = b->initrd.len;
	int r;

	b->initrd.len = 0;
	r = render_initrd(t, c, parts, l, sb, root_hash, &b->initrd, err);
	if (r == 0 && b->initrd.len != planned)
		r = error_set(err, -EPROTO, "the initrd has %zu bytes, planned were %zu", b->initrd.len,
			      planned);
	if (r == 0)
		r = uki_replace_initrd(&b->uki, b->initrd.ptr, b->initrd.len, err);
	if (r == 0 && parts->signer)
		r = sign_pe(parts->signer, &b->uki, "UKI", err);
	if (r == 0 && parts->signer && b->uki.len != b->uki_size)
		r = error_set(err, -EPROTO, "the signed UKI has %zu bytes, planned were %zu", b->uki.len,
			      b->uki_size);
	return r;
}

void boot_free(struct boot *b)
{
	buf_free(&b->initrd);
	buf_free(&b->uki);
	*b = (struct boot){0};
}
