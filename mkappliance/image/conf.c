/* SPDX-License-Identifier: Apache-2.0 */
#include "image/conf.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "image/abi.h"
#include "image/conf_internal.h"
#include "image/program.h"
#include "lib/cleanup.h"
#include "lib/guid.h"

#define CLOCK_MODULE "ptp_kvm" /* nothing depends on it, so it may be loaded behind the others */

void render(struct render *r, const char *key, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		abort();
	va_end(ap);
	if (strchr(text, '\n') && !r->newline_in)
		r->newline_in = key;
	buf_printf(&r->text, "%s=%s\n", key, text);
}

void render_limit(struct render *r, const char *key, size_t count)
{
	if (count > ABI_CONF_LIST_MAX && !r->too_many)
		r->too_many = key;
}

void render_list(struct render *r, const char *key, const struct strlist *list)
{
	render_limit(r, key, list->len);
	for (size_t i = 0; i < list->len; i++)
		render(r, key, "%s", list->ptr[i]);
}

/* ---- what must be in the tree ---- */

int conf_check_program(const struct template *t, const struct tree *tree, const char *what, const char *path,
		       const struct account *account, struct error *err)
{
	int e = program_check(tree, path, account, t->appliance.arch, err);

	if (e < 0)
		return error_prefix(err, "%s=", what);
	return 0;
}

int conf_check_directory(const struct tree *tree, const char *what, const char *path, struct error *err)
{
	const struct tree_entry *e = tree_resolve(tree, path);

	if (!path[1])
		return 0;
	if (!e)
		return error_usage(err, "%s=: the directory '%s' is not in the image", what, path);
	if (!S_ISDIR(e->mode))
		return error_usage(err, "%s=: '%s' is not a directory in the image", what, path);
	return 0;
}

/* ---- the parts, in the order of image/abi.h ---- */

static void put_root(struct render *r, const struct layout *l, const struct verity_superblock *sb,
		     const struct sha256 *root_hash, bool signature)
{
	char hash[SHA256_HEX_SIZE], salt[2 * ABI_SALT_SIZE + 1], uuid[GUID_TEXT_SIZE];

	_Static_assert(sizeof(sb->salt) == ABI_SALT_SIZE && VERITY_BLOCK == ABI_BLOCK_SIZE,
		       "the init assumes these");
	hex_encode(root_hash->b, sizeof(root_hash->b), hash);
	render(r, "RootHash", "%s", hash);
	hex_encode(sb->salt, sizeof(sb->salt), salt);
	render(r, "Salt", "%s", salt);
	render(r, "DataBlocks", "%ju", (uintmax_t)sb->data_blocks);
	render(r, "HashStart", "1"); /* the tree lies behind the superblock */
	guid_format(&l->part[PART_ROOT].uuid, uuid);
	render(r, "Root", "%s", uuid);
	guid_format(&l->part[PART_VERITY].uuid, uuid);
	render(r, "Verity", "%s", uuid);
	if (!signature)
		return;
	guid_format(&l->part[PART_SIGNATURE].uuid, uuid);
	render(r, "Signature", "%s", uuid);
}

static void put_module(struct render *r, const char *key, const char *path, const struct kernel_module *m)
{
	render(r, key, "%s%s%s", path, m->devices ? " " : "", m->devices ? m->devices : "");
}

static void put_boot(struct render *r, const struct template *t, const struct kernel *k,
		     const char *command_line)
{
	static const char *const turns[] = {[MODULE_MAIN] = "Module",
					    [MODULE_FIRST] = "FirstModule",
					    [MODULE_LAST] = "LastModule",
					    [MODULE_HASH] = "HashModule",
					    [MODULE_SIDE] = "SideModule"};
	static const char *const corruptions[] = {[ON_CORRUPTION_POWEROFF] = "poweroff",
						  [ON_CORRUPTION_REBOOT] = "reboot",
						  [ON_CORRUPTION_PANIC] = "panic"};

	render(r, "CommandLine", "%s", command_line);
	render(r, "DeviceTimeout", "%u", t->init.device_timeout);
	render(r, "OnCorruption", "%s", corruptions[t->init.on_corruption]);
	render(r, "Verify", "%s", t->init.verify == VERIFY_FULL ? "full" : "lazy");
	render_limit(r, "Module", k->initrd_len);
	for (size_t i = 0; i < k->initrd_len; i++) {
		_cleanup_free_ char *path = xasprintf(CONF_MODULE_DIR "/%s.ko", k->initrd[i].name);

		put_module(r, turns[k->initrd[i].turn], path, &k->initrd[i]);
	}
}

static int put_system(struct render *r, const struct template *t, const struct tree *tree, struct error *err)
{
	const struct account root = {0};

	render(r, "Mode", "system");
	render(r, "Init", "%s", t->init.init);
	return conf_check_program(t, tree, "[Init] Init", t->init.init, &root, err);
}

static int put_appliance(struct render *r, const struct template *t, const struct compose_result *c,
			 struct error *err)
{
	int e = 0;

	render(r, "Mode", "appliance");
	render_limit(r, "RootModule", c->kernel.root_len);
	for (size_t i = 0; i < c->kernel.root_len; i++) {
		const struct kernel_module *m = &c->kernel.root[i];
		_cleanup_free_ char *path = xasprintf("/%s", m->path);

		put_module(r, strcmp(m->name, CLOCK_MODULE) == 0 ? "ClockModule" : "RootModule", path, m);
	}
	render(r, "Hostname", "%s", t->init.hostname);
	conf_put_network(r, t);
	for (size_t i = 0; e >= 0 && i < t->init.writable.len; i++)
		e = conf_check_directory(c->tree, "[Init] Writable", t->init.writable.ptr[i], err);
	render_list(r, "Writable", &t->init.writable);
	if (e >= 0)
		e = conf_put_data(r, t, c->tree, err);
	if (t->init.max_lifetime)
		render(r, "MaxLifetime", "%u", t->init.max_lifetime);
	if (t->init.jitter)
		render(r, "Jitter", "%u", t->init.jitter);
	if (t->init.drain)
		render(r, "Drain", "%u", t->init.drain);
	conf_put_sandbox(r, t);
	return e < 0 ? e : conf_put_services(r, t, c, err);
}

static int check_text(const struct render *r, struct error *err)
{
	if (r->newline_in)
		return error_usage(err, "a value of %s= has a newline; " ABI_CONF_PATH " cannot say that",
				   r->newline_in);
	if (r->too_many)
		return error_usage(err, "%s= would repeat more than %d times; the init takes no more",
				   r->too_many, ABI_CONF_LIST_MAX);
	if (r->text.len > ABI_CONF_MAX)
		return error_usage(err,
				   ABI_CONF_PATH " would have %zu bytes, the init takes %d; shorten Exec= or "
						 "Environment=",
				   r->text.len, ABI_CONF_MAX);
	return 0;
}

int conf_render(const struct template *t, const struct compose_result *c, const struct layout *l,
		const struct verity_superblock *sb, const struct sha256 *root_hash, const char *command_line,
		struct buf *ret, struct error *err)
{
	struct render r = {0};
	int e;

	render(&r, "Format", "%d", ABI_FORMAT);
	render(&r, "Name", "%s", t->appliance.name);
	render(&r, "Version", "%s", t->appliance.version);
	put_root(&r, l, sb, root_hash, t->sign.verity_required);
	put_boot(&r, t, &c->kernel, command_line);
	e = t->init.mode == INIT_SYSTEM ? put_system(&r, t, c->tree, err) : put_appliance(&r, t, c, err);
	if (e >= 0)
		e = check_text(&r, err);
	if (e >= 0)
		buf_add(ret, r.text.ptr, r.text.len);
	else
		e = error_prefix(err, "%s", t->path);
	buf_free(&r.text);
	return e;
}
