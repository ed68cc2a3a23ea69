/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/debian.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compose/apt_root.h"
#include "compose/debian_kernel.h"
#include "compose/debian_note.h"
#include "compose/debian_pins.h"
#include "compose/sandbox_ids.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/log.h"
#include "lib/scratch.h"
#include "lib/spawn.h"

#define KEYRING_MAX ((size_t)64 << 20)

/* With a date within its first day shadow(5) would say that every password must be changed. */
#define EPOCH_MIN 86400

/*
 * mmdebstrap copies the host's resolv.conf and hostname, and leaves its own options behind: an image must not
 * know where and how it was built.
 */
#define DROP_TRACES                                                          \
	"--customize-hook=rm -f \"$1/etc/resolv.conf\" \"$1/etc/hostname\" " \
	"\"$1/etc/dpkg/dpkg.cfg.d/99mmdebstrap\" \"$1/etc/apt/apt.conf.d/99mmdebstrap\""

/* What would be the same on every machine, and another in each build. A line that begins so becomes a warning: on_line(). */
#define DROP_HOST_KEYS                                                                    \
	"--customize-hook=ls \"$1\"/etc/ssh/ssh_host_* >/dev/null 2>&1 || exit 0; rm -f " \
	"\"$1\"/etc/ssh/ssh_host_*; echo 'W: " NO_HOST_KEYS "' >&2"

/* Some scripts write the host's name to a file: it is the same wherever an image is built. */
#define SET_HOSTNAME "--setup-hook=hostname localhost || :"

/* Nor which file of the host the keys came from. */
#define DROP_SIGNED_BY "--customize-hook=sed -i 's/ \\[[^]]*\\]//' \"$1/etc/apt/sources.list\""

/* Nor where on the host a repository was. */
#define DROP_FILES "--customize-hook=sed -i '/^deb file:/d' \"$1/etc/apt/sources.list\""

#define MODE_ROOT "--mode=root"
#define UNSHARE	  "unshare"

#define FILE_HOOKS "/usr/share/mmdebstrap/hooks/file-mirror-automount"

/* One call of mmdebstrap. */
struct bootstrap {
	const struct template *t;
	const char *what; /* for messages: "base bookworm" */
	const char *variant;
	const struct strlist *packages;
	const struct installed *locked; /* versions that it must be; NULL: any */
	char *pins;			/* the file that says so to apt; owned while it runs */
	bool installs;			/* rather than only unpacks */
	const char *dir; /* ours: apt's indexes of packages go there, and as root it works there */
	char *failure;	 /* first error that it printed */
};

const char *debian_architecture(enum architecture arch)
{
	return arch == ARCH_ARM64 ? "arm64" : "amd64";
}

/* How it can run here: as root directly, as a user in a name space of subordinate ids. */
static int choose_mode(const char **ret, struct error *err)
{
	struct sandbox_ids ids;
	int r = sandbox_ids_find(&ids, err);

	*ret = r == 0 && ids.needed ? "--mode=unshare" : MODE_ROOT;
	return r;
}

/* mmdebstrap's and apt's lines: "I: running apt-get update...", "E: Unable to locate package x". */
static void on_line(const char *line, void *data)
{
	struct bootstrap *b = data;
	if (strncmp(line, "E: ", 3) == 0 && !b->failure)
		b->failure = xstrdup(line + 3);
	if (strncmp(line, "W: ", 3) == 0 && !strstr(line, "W: skipping "))
		log_warning("mmdebstrap: %s", line + 3);
	else if (strncmp(line, "I: ", 3) == 0 && strstr(line, "..."))
		log_note("    %s", line + 3);
	else
		log_debug("    %s", line);
}

/* The mirror with the snapshot's date in it; NULL: mmdebstrap's own. To be freed. */
static char *mirror_url(const struct template *t)
{
	const char *at = t->base.mirror ? strstr(t->base.mirror, SNAPSHOT_MARK) : NULL;

	if (!at || !t->base.snapshot)
		return t->base.mirror ? xstrdup(t->base.mirror) : NULL;
	return xasprintf("%.*s%s%s", (int)(at - t->base.mirror), t->base.mirror, t->base.snapshot,
			 at + strlen(SNAPSHOT_MARK));
}

static char *join_list(const struct strlist *l)
{
	_cleanup_buf_ struct buf b = {0};

	for (size_t i = 0; i < l->len; i++)
		buf_printf(&b, "%s%s", i ? "," : "", l->ptr[i]);
	return buf_steal(&b);
}

/*
 * Where mmdebstrap fetches from. Its --keyring only adds to the keys that the host trusts; a whole line of sources.list
 * with signed-by is what makes the template's keyring the only one.
 */
static char *archive_line(const struct template *t)
{
	_cleanup_free_ char *mirror = mirror_url(t);
	_cleanup_buf_ struct buf line = {0};

	if (!t->base.keyring || !mirror)
		return steal_pointer(&mirror);
	buf_printf(&line, "deb [signed-by=%s] %s %s", t->base.keyring, mirror, t->base.suite);
	for (size_t i = 0; i < t->base.components.len; i++)
		buf_printf(&line, " %s", t->base.components.ptr[i]);
	return buf_steal(&line);
}

/* A Repository= as a line of sources.list, without its end; to be freed. */
static char *source_line(const struct template_deb_source *s)
{
	_cleanup_buf_ struct buf b = {0};

	buf_printf(&b, "deb ");
	if (s->keyring)
		buf_printf(&b, "[signed-by=%s%s] ", s->keyring, s->trusted ? " trusted=yes" : "");
	else if (s->trusted)
		buf_printf(&b, "[trusted=yes] ");
	buf_printf(&b, "%s %s", s->uri, s->suite);
	for (size_t i = 0; i < s->components.len; i++)
		buf_printf(&b, " %s", s->components.ptr[i]);
	return buf_steal(&b);
}

/* apt inside of the tree sees no file:// of the host but by mmdebstrap's own hooks. */
static bool fetches_files(const struct template *t)
{
	bool files = t->base.mirror && strncmp(t->base.mirror, "file:", 5) == 0;

	for (size_t i = 0; i < t->base.deb_sources.len; i++)
		files |= strncmp(t->base.deb_sources.ptr[i].uri, "file:", 5) == 0;
	return files && access(FILE_HOOKS, R_OK) == 0;
}

char *debian_sources(const struct template *t)
{
	_cleanup_free_ char *mirror = mirror_url(t), *archive = archive_line(t);
	_cleanup_buf_ struct buf b = {0};

	if (!mirror)
		return NULL;
	if (t->base.keyring) {
		buf_printf(&b, "%s\n", archive);
	} else {
		buf_printf(&b, "deb %s %s", mirror, t->base.suite);
		for (size_t i = 0; i < t->base.components.len; i++)
			buf_printf(&b, " %s", t->base.components.ptr[i]);
		buf_printf(&b, "\n");
	}
	for (size_t i = 0; i < t->base.deb_sources.len; i++) {
		_cleanup_free_ char *line = source_line(&t->base.deb_sources.ptr[i]);

		buf_printf(&b, "%s\n", line);
	}
	return buf_steal(&b);
}

/*
 * As root mmdebstrap mounts /proc, /sys and more on the host itself, where they stay when it is killed or one of its hooks fails, and a package's
 * script may rename the host. In name spaces of its own all of that ends with it; for another user it makes them itself. False: there are none,
 * as in a chroot whose root directory is no mount point.
 */
static bool add_name_spaces(const char *mode, struct strlist *argv)
{
	const char *const probe[] = {UNSHARE, "--mount", "--uts", "--ipc", "true", NULL};
	struct error ignored = ERROR_INIT;

	if (strcmp(mode, MODE_ROOT) != 0)
		return true;
	if (spawn_run(&(struct spawn){.argv = probe}, &ignored) < 0)
		return false;
	for (size_t i = 0; i < 4; i++)
		strlist_add(argv, probe[i]);
	return true;
}

static void make_argv(const struct bootstrap *b, const char *mode, struct strlist *argv)
{
	const struct template *t = b->t;
	_cleanup_free_ char *components = join_list(&t->base.components);
	_cleanup_free_ char *packages = join_list(b->packages);
	_cleanup_free_ char *archive = archive_line(t);
	bool own_name = add_name_spaces(mode, argv);

	strlist_add(argv, "mmdebstrap");
	strlist_add(argv, mode);
	strlist_addf(argv, "--variant=%s", b->variant);
	strlist_addf(argv, "--architectures=%s", debian_architecture(t->appliance.arch));
	strlist_add(argv, "--format=tar");
	if (*components)
		strlist_addf(argv, "--components=%s", components);
	if (*packages)
		strlist_addf(argv, "--include=%s", packages);
	if (t->base.snapshot) /* whose lists of packages expired long ago */
		strlist_add(argv, "--aptopt=Acquire::Check-Valid-Until \"false\"");
	if (b->installs) {
		/* dpkg syncs every file of a tree that is thrown away when the machine goes down. */
		strlist_add(argv, "--dpkgopt=force-unsafe-io");
		if (own_name)
			strlist_add(argv, SET_HOSTNAME);
		strlist_add(argv, DROP_TRACES);
		strlist_add(argv, DROP_HOST_KEYS);
		if (t->base.keyring || t->base.deb_sources.len)
			strlist_add(argv, DROP_SIGNED_BY);
		if (t->base.deb_sources.len)
			strlist_add(argv, DROP_FILES);
		strlist_addf(argv, "--customize-hook=copy-out /var/lib/apt/lists '%s'", b->dir);
	}
	if (b->pins) {
		strlist_addf(argv, "--setup-hook=upload %s " DEBIAN_PINS_PATH, b->pins);
		if (b->installs)
			strlist_add(argv, "--customize-hook=rm \"$1" DEBIAN_PINS_PATH "\"");
	}
	if (b->installs && fetches_files(t))
		strlist_add(argv, "--hook-dir=" FILE_HOOKS);
	strlist_add(argv, t->base.suite);
	strlist_add(argv, "-");
	if (archive)
		strlist_add(argv, archive);
	for (size_t i = 0; i < t->base.deb_sources.len; i++) {
		_cleanup_free_ char *line = source_line(&t->base.deb_sources.ptr[i]);

		strlist_add(argv, line);
	}
}

int64_t debian_epoch(const struct template *t)
{
	return t->appliance.epoch > EPOCH_MIN ? t->appliance.epoch : EPOCH_MIN;
}

/* What mends an archive whose signature does not fit. */
static const char *signature_hint(const struct template *t, const char *failure)
{
	if (!strstr(failure, "is not signed") && !strstr(failure, "NO_PUBKEY"))
		return "";
	return t->base.keyring
		       ? " Keyring= has no key that signed it: name the file with the keys of that archive"
		       : " The host has no key that signed it: name a file with the archive's keys in Keyring=";
}

/* "'unshare' failed with exit code 1" is about what it runs. */
static int name_program(struct error *err)
{
	static const char begin[] = "'" UNSHARE "'";
	_cleanup_free_ char *text = xstrdup(err->text);

	if (strncmp(text, begin, strlen(begin)) != 0)
		return err->code;
	return error_set(err, err->code, "'mmdebstrap'%s", text + strlen(begin));
}

static int run_mmdebstrap(int fd, struct bootstrap *b, struct error *err)
{
	_cleanup_strlist_ struct strlist argv = {0};
	_cleanup_free_ char *failure = NULL, *epoch = NULL, *tmp = xasprintf("TMPDIR=%s", b->dir);
	struct spawn s = {.package = "mmdebstrap", .stdout_fd = fd, .on_line = on_line, .data = b};
	const char *env[3] = {NULL};
	const char *mode;
	int r;

	if (!spawn_available("mmdebstrap"))
		return error_set(err, -ENOENT, "'mmdebstrap' is not installed (apt-get install mmdebstrap)");
	r = choose_mode(&mode, err);
	if (r < 0)
		return r;
	r = b->locked ? debian_pins_write(b->locked, &b->pins, err) : 0;
	if (r < 0)
		return r;
	make_argv(b, mode, &argv);
	env[0] = epoch = xasprintf("SOURCE_DATE_EPOCH=%" PRId64, debian_epoch(b->t));
	if (strcmp(mode, MODE_ROOT) == 0) /* as another user it leaves files that we may not remove */
		env[1] = tmp;
	s.argv = (const char *const *)argv.ptr;
	s.env = env;
	r = spawn_run(&s, err);
	if (b->pins)
		(void)unlink(b->pins);
	free(b->pins);
	b->pins = NULL;
	failure = steal_pointer(&b->failure);
	/* Its last line only says that it failed, the first error says why. */
	if (r == -EPIPE && failure)
		return error_set(err, r, "mmdebstrap: %s%s", failure, signature_hint(b->t, failure));
	return r == -EPIPE ? name_program(err) : r;
}

/* For cache_get(): the tar goes to @fd. */
static int bootstrap(int fd, struct buf *note, void *data, struct error *err)
{
	struct bootstrap *b = data;
	_cleanup_scratch_ struct scratch dir = SCRATCH_INIT;
	int r;

	r = scratch_open(NULL, "mkappliance-lists-", NULL, &dir, err);
	/* In a name space of its own the package manager is nobody here. */
	if (r == 0 && chmod(dir.path, 0755) < 0)
		r = error_errno(err, -errno, "%s", dir.path);
	if (r == 0) {
		_cleanup_free_ char *lists = xasprintf("%s/lists", dir.path);

		b->dir = dir.path;
		r = run_mmdebstrap(fd, b, err);
		b->dir = NULL;
		/* A package manager that is not the real one leaves none. */
		if (r == 0 && b->installs && access(lists, R_OK) == 0)
			r = debian_note(fd, b->what, lists, note, err);
	}
	return r < 0 ? error_prefix(err, "%s", b->what) : 0;
}

/* A keyring by its path, which is in what is made, and its content. */
static int key_add_keyring(const char *path, struct buf *key, struct error *err)
{
	_cleanup_buf_ struct buf content = {0};
	char hex[SHA256_HEX_SIZE];
	struct sha256 digest;
	struct stat st;
	int r;

	cache_key_add(key, "keyring", path);
	if (!path || stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	r = io_read_file(AT_FDCWD, path, KEYRING_MAX, &content, err);
	if (r < 0)
		return r;
	sha256_of(content.ptr ? content.ptr : "", content.len, &digest);
	hex_encode(digest.b, sizeof(digest.b), hex);
	cache_key_add(key, "keyring-sha256", hex);
	return 0;
}

int debian_key_add_keyrings(const struct template *t, struct buf *key, struct error *err)
{
	int r = key_add_keyring(t->base.keyring, key, err);

	for (size_t i = 0; r == 0 && i < t->base.deb_sources.len; i++) {
		_cleanup_free_ char *line = source_line(&t->base.deb_sources.ptr[i]);

		cache_key_add(key, "repository", line);
		r = key_add_keyring(t->base.deb_sources.ptr[i].keyring, key, err);
	}
	return r;
}

/* Everything of [Base] that decides what mmdebstrap gives. */
static int key_of(const struct bootstrap *b, const char *kind, struct buf *key, struct error *err)
{
	const struct template *t = b->t;
	_cleanup_free_ char *epoch = xasprintf("%" PRId64, debian_epoch(t));
	_cleanup_free_ char *mirror = mirror_url(t);

	cache_key_add(key, "format", CACHE_FORMAT);
	cache_key_add(key, "kind", kind);
	cache_key_add(key, "architecture", debian_architecture(t->appliance.arch));
	cache_key_add(key, "suite", t->base.suite);
	cache_key_add(key, "mirror", mirror);
	cache_key_add(key, "snapshot", t->base.snapshot);
	cache_key_add(key, "epoch", epoch);
	for (size_t i = 0; i < t->base.components.len; i++)
		cache_key_add(key, "component", t->base.components.ptr[i]);
	for (size_t i = 0; i < b->packages->len; i++)
		cache_key_add(key, "package", b->packages->ptr[i]);
	return debian_key_add_keyrings(t, key, err);
}

int debian_base(const struct template *t, const struct cache *cache, struct cached *ret, struct error *err)
{
	_cleanup_free_ char *what = xasprintf("base %s", t->base.suite);
	struct bootstrap b = {.t = t,
			      .locked = cache->locked,
			      .what = what,
			      .variant = "minbase",
			      .packages = &t->base.packages,
			      .installs = true};
	_cleanup_buf_ struct buf key = {0};
	int r;

	cache_key_add(&key, "note", "installed"); /* layers from before had none */
	r = key_of(&b, "debian-base", &key, err);
	return r < 0 ? r : cache_get(cache, &key, what, true, bootstrap, &b, ret, err);
}

/*
 * Fetches package and dependencies to a file without a name, and writes the few of its members that count
 * to @fd.
 */
static int make_kernel(int fd, struct buf *note, void *data, struct error *err)
{
	struct bootstrap *b = data;
	const char *package = b->packages->ptr[0];
	_cleanup_close_ int all = -EBADF;
	_cleanup_scratch_ struct scratch dir = SCRATCH_INIT;
	int r;

	r = scratch_open(NULL, "mkappliance-kernel-", NULL, &dir, err);
	if (r < 0)
		return r;
	all = openat(AT_FDCWD, dir.path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	r = all < 0 ? error_errno(err, -errno, "%s: creating a file there", dir.path)
		    : bootstrap(all, note, b, err);
	return r < 0 ? r : kernel_layer_write(all, package, dir.path, fd, err);
}

static int get_kernel(const struct template *t, const struct cache *cache, const char *package,
		      const struct sha256 *only, struct cached *ret, struct error *err)
{
	_cleanup_strlist_ struct strlist packages = {0};
	_cleanup_free_ char *what = xasprintf("kernel %s", package);
	struct bootstrap b = {
		.t = t, .locked = cache->locked, .what = what, .variant = "extract", .packages = &packages};
	_cleanup_buf_ struct buf key = {0};
	int r;

	strlist_add(&packages, package);
	r = key_of(&b, "debian-kernel", &key, err);
	if (r < 0 || !only)
		return r < 0 ? r : cache_get(cache, &key, what, true, make_kernel, &b, ret, err);
	r = cache_find(cache, &key, what, ret, err);
	if (r == 0 && memcmp(&ret->digest, only, sizeof(*only)) != 0) {
		cached_free(ret);
		r = error_set(err, -ENOENT, "%s: is another one by now", what);
	}
	return r;
}

/* The package that [Kernel] Package= led to in the build of the manifest; NULL: it is not known. */
static const struct compose_input *locked_kernel(const struct cache *cache, const char *package)
{
	for (size_t i = 0; cache->locked && i < cache->locked_input_count; i++) {
		const struct compose_input *in = &cache->locked_inputs[i];

		if (strcmp(in->kind, "kernel") == 0 && strcmp(in->name, package) == 0 && in->package &&
		    in->version && debian_may_pin(in->package, in->version))
			return in;
	}
	return NULL;
}

/* A metapackage moves on from one kernel's package to the next: by the name of that package the older one is still to be had. */
static int get_locked_kernel(const struct template *t, const struct cache *cache,
			     const struct compose_input *was, struct cached *ret, struct error *err)
{
	_cleanup_free_ char *exact = xasprintf("%s=%s", was->package, was->version);
	struct error ignored = ERROR_INIT;
	int r;

	if (get_kernel(t, cache, t->kernel.package, &was->digest, ret, &ignored) == 0)
		return 0;
	r = get_kernel(t, cache, exact, NULL, ret, err);
	if (r == -EPIPE &&
	    (strstr(err->text, "Unable to locate package") || strstr(err->text, " was not found")))
		return error_refuse(
			err,
			"[Kernel] Package=%s: %s %s of the manifest is in no repository of the template any more",
			t->kernel.package, was->package, was->version);
	return r;
}

int debian_kernel(const struct template *t, const struct cache *cache, struct cached *ret, struct error *err)
{
	const struct compose_input *was = locked_kernel(cache, t->kernel.package);

	if (!t->base.suite)
		return error_usage(err,
				   "[Kernel] Package=%s: [Base] Suite= must say of which Debian (or give "
				   "Image= and Modules=)",
				   t->kernel.package);
	return was ? get_locked_kernel(t, cache, was, ret, err)
		   : get_kernel(t, cache, t->kernel.package, NULL, ret, err);
}
