/* SPDX-License-Identifier: Apache-2.0 */
#include "image/conf.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "image/abi.h"
#include "image/accounts.h"
#include "image/program.h"
#include "lib/cleanup.h"
#include "lib/guid.h"

/* The text on its way. What cannot be said in it is noted, and refused once at the end. */
struct render {
	struct buf text;
	const char *newline_in; /* key whose value has one: it would begin a line of its own */
	const char *too_many;	/* key that repeats more often than the init takes */
};

/* "Key=value". */
static void put(struct render *r, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void put(struct render *r, const char *key, const char *format, ...)
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

static void limit(struct render *r, const char *key, size_t count)
{
	if (count > ABI_CONF_LIST_MAX && !r->too_many)
		r->too_many = key;
}

static void put_list(struct render *r, const char *key, const struct strlist *list)
{
	limit(r, key, list->len);
	for (size_t i = 0; i < list->len; i++)
		put(r, key, "%s", list->ptr[i]);
}

/* ---- what must be in the tree ---- */

/* @path as [Init] @key= names it, a program that @account may run. */
static int check_program(const struct template *t, const struct tree *tree, const char *key, const char *path,
			 const struct account *account, struct error *err)
{
	int e = program_check(tree, path, account, t->appliance.arch, err);

	if (e < 0)
		return error_prefix(err, "[Init] %s=", key);
	return 0;
}

static int check_directory(const struct tree *tree, const char *key, const char *path, struct error *err)
{
	const struct tree_entry *e = tree_resolve(tree, path);

	if (!path[1])
		return 0;
	if (!e)
		return error_usage(err, "[Init] %s=: the directory '%s' is not in the image", key, path);
	if (!S_ISDIR(e->mode))
		return error_usage(err, "[Init] %s=: '%s' is not a directory in the image", key, path);
	return 0;
}

/* ---- the parts, in the order of image/abi.h ---- */

static void put_root(struct render *r, const struct layout *l, const struct verity_superblock *sb,
		     const struct sha256 *root_hash)
{
	char hash[SHA256_HEX_SIZE], salt[2 * ABI_SALT_SIZE + 1], uuid[GUID_TEXT_SIZE];

	_Static_assert(sizeof(sb->salt) == ABI_SALT_SIZE && VERITY_BLOCK == ABI_BLOCK_SIZE,
		       "the init assumes these");
	hex_encode(root_hash->b, sizeof(root_hash->b), hash);
	put(r, "RootHash", "%s", hash);
	hex_encode(sb->salt, sizeof(sb->salt), salt);
	put(r, "Salt", "%s", salt);
	put(r, "DataBlocks", "%ju", (uintmax_t)sb->data_blocks);
	put(r, "HashStart", "1"); /* the tree lies behind the superblock */
	guid_format(&l->part[PART_ROOT].uuid, uuid);
	put(r, "Root", "%s", uuid);
	guid_format(&l->part[PART_VERITY].uuid, uuid);
	put(r, "Verity", "%s", uuid);
}

static void put_boot(struct render *r, const struct template *t, const struct kernel *k,
		     const char *command_line)
{
	static const char *const corruptions[] = {[ON_CORRUPTION_POWEROFF] = "poweroff",
						  [ON_CORRUPTION_REBOOT] = "reboot",
						  [ON_CORRUPTION_PANIC] = "panic"};

	put(r, "CommandLine", "%s", command_line);
	put(r, "DeviceTimeout", "%u", t->init.device_timeout);
	put(r, "OnCorruption", "%s", corruptions[t->init.on_corruption]);
	put(r, "Verify", "%s", t->init.verify == VERIFY_FULL ? "full" : "lazy");
	limit(r, "Module", k->initrd_len);
	for (size_t i = 0; i < k->initrd_len; i++)
		put(r, "Module", CONF_MODULE_DIR "/%s.ko", k->initrd[i].name);
}

static int put_system(struct render *r, const struct template *t, const struct tree *tree, struct error *err)
{
	const struct account root = {0};

	put(r, "Mode", "system");
	put(r, "Init", "%s", t->init.init);
	return check_program(t, tree, "Init", t->init.init, &root, err);
}

/* ExecStartPre=: their argvs one behind the other, and how many words of them are each's. */
static int put_before(struct render *r, const struct template *t, const struct tree *tree,
		      const struct account *account, struct error *err)
{
	const struct account root = {0};
	size_t words = 0;

	limit(r, "Before", t->init.before.len);
	for (size_t i = 0; i < t->init.before.len; i++) {
		const struct template_before *b = &t->init.before.ptr[i];
		int e = check_program(t, tree, "ExecStartPre", b->argv.ptr[0], b->as_root ? &root : account,
				      err);

		if (e < 0)
			return e;
		put(r, "Before", "%s%s%zu", b->may_fail ? "-" : "", b->as_root ? "+" : "", b->argv.len);
		words += b->argv.len;
		put_list(r, "BeforeArg", &b->argv);
	}
	limit(r, "BeforeArg", words);
	return 0;
}

static int put_account(struct render *r, const struct template *t, const struct tree *tree, struct error *err)
{
	_cleanup_account_ struct account account = {0};
	int e = account_find(tree, t->init.user, t->init.group, &account, err);

	if (e < 0)
		return e;
	put(r, "Uid", "%u", account.uid);
	put(r, "Gid", "%u", account.gid);
	limit(r, "GroupId", account.group_count);
	for (size_t i = 0; i < account.group_count; i++)
		put(r, "GroupId", "%u", account.groups[i]);
	e = put_before(r, t, tree, &account, err);
	return e < 0 ? e : check_program(t, tree, "Exec", t->init.exec.ptr[0], &account, err);
}

static int put_places(struct render *r, const struct template *t, const struct tree *tree, struct error *err)
{
	int e = check_directory(tree, "WorkingDirectory", t->init.working_directory, err);

	for (size_t i = 0; e >= 0 && i < t->init.writable.len; i++)
		e = check_directory(tree, "Writable", t->init.writable.ptr[i], err);
	put(r, "WorkingDirectory", "%s", t->init.working_directory);
	put_list(r, "Writable", &t->init.writable);
	return e;
}

static void put_ready_and_stop(struct render *r, const struct template *t)
{
	put(r, "Network", "%s", t->init.dhcp ? "dhcp" : "none");
	put(r, "ReadyPort", "%u", t->init.ready_port);
	if (t->init.ready_path)
		put(r, "ReadyPath", "%s", t->init.ready_path);
	put(r, "ReadyTimeout", "%u", t->init.ready_timeout);
	put(r, "StopSignal", "%d", t->init.stop_signal);
	put(r, "StopTimeout", "%u", t->init.stop_timeout);
}

static int put_appliance(struct render *r, const struct template *t, const struct compose_result *c,
			 struct error *err)
{
	int e;

	put(r, "Mode", "appliance");
	limit(r, "RootModule", c->kernel.root_len);
	for (size_t i = 0; i < c->kernel.root_len; i++)
		put(r, "RootModule", "/%s", c->kernel.root[i].path);
	put(r, "Hostname", "%s", t->init.hostname);
	put_list(r, "Arg", &t->init.exec);
	e = put_account(r, t, c->tree, err);
	if (e < 0)
		return e;
	put_list(r, "Env", &t->init.environment);
	e = put_places(r, t, c->tree, err);
	if (e < 0)
		return e;
	if (t->init.ready_path && strlen(t->init.ready_path) > ABI_READY_PATH_MAX)
		return error_usage(err, "[Init] Ready=: the path is longer than %d bytes",
				   ABI_READY_PATH_MAX);
	put_ready_and_stop(r, t);
	return 0;
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

	put(&r, "Format", "%d", ABI_FORMAT);
	put(&r, "Name", "%s", t->appliance.name);
	put(&r, "Version", "%s", t->appliance.version);
	put_root(&r, l, sb, root_hash);
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
