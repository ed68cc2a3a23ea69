/* SPDX-License-Identifier: Apache-2.0 */
#include "template/template.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/io.h"
#include "template/check.h"
#include "template/ini.h"
#include "template/keys.h"
#include "template/names.h"
#include "template/services.h"
#include "template/values.h"

#define FILE_NAME "appliance.conf"

/* With the defaults of what is not a string. */
static struct template *template_new(const char *path, const char *dir)
{
	struct template *t = xcalloc(1, sizeof(*t));

	t->path = xstrdup(path);
	t->dir = xstrdup(dir);
	t->appliance.arch =
		ARCH_X86_64; /* not the host's: the same template gives the same bytes everywhere */
	t->appliance.epoch = 1;
	t->init.mode = INIT_APPLIANCE;
	t->init.network = NETWORK_DHCP;
	service_init(&t->init.app, SERVICE_MAIN);
	t->init.device_timeout = 30;
	t->sandbox.harden = t->sandbox.hide_processes = true;
	t->sandbox.lockdown = LOCKDOWN_INTEGRITY;
	t->init.on_corruption = ON_CORRUPTION_POWEROFF;
	t->init.verify = VERIFY_LAZY;
	t->test.timeout = 120;
	t->test.memory = 512;
	t->test.cpus = 1;
	return t;
}

static void set_default(char **field, const char *value)
{
	if (!*field)
		*field = xstrdup(value);
}

/* The defaults of strings and lists, once it is known that the template is whole. */
static void fill_in(struct template *t)
{
	struct template_service *s;

	if (t->base.components.len == 0)
		strlist_add(&t->base.components, "main");
	set_default(&t->kernel.command_line, "");
	if (t->init.mode == INIT_SYSTEM)
		set_default(&t->init.init, "/sbin/init");
	for (size_t i = 0; (s = service_at(t, i)); i++) {
		set_default(&s->user, "0");
		set_default(&s->working_directory, "/");
	}
	set_default(&t->init.hostname, t->appliance.name);
	if (t->data.mount)
		set_default(&t->data.label, "data");
}

static int read_items(struct parse *p, const struct ini *ini, struct error *err)
{
	for (size_t i = 0; i < ini->len; i++) {
		const struct ini_item *item = &ini->items[i];
		const struct key *key;
		int r;

		p->line = item->line;
		r = item->key ? key_find(item->section, item->key, &key, err)
			      : key_open_section(p, item->section, err);
		if (r >= 0 && item->key)
			r = key_set(p, key, item->value, err);
		if (r < 0)
			return error_prefix(err, "%s:%u", p->name, item->line);
	}
	return 0;
}

/* SOURCE_DATE_EPOCH (https://reproducible-builds.org/specs/source-date-epoch/) stands above Epoch=. */
static int read_environment(struct template *t, struct error *err)
{
	const char *value = getenv("SOURCE_DATE_EPOCH");
	uint64_t n;
	int r;

	if (!value)
		return 0;
	r = value_number(value, 1, UINT32_MAX, &n, err);
	if (r < 0)
		return error_prefix(err, "SOURCE_DATE_EPOCH of the environment");
	t->appliance.epoch = (int64_t)n;
	return 0;
}

static int replace_version(struct template *t, const char *version, struct error *err)
{
	int r = name_version(version, err);

	if (r < 0)
		return error_prefix(err, "--version");
	free(t->appliance.version);
	t->appliance.version = xstrdup(version);
	return 0;
}

/* What template_load() and template_parse() have in common. @p->name is set, @p->t is new. */
static int parse_text(struct parse *p, const char *text, size_t len, const char *version, struct error *err)
{
	_cleanup_ini_ struct ini ini = {0};
	int r;

	sha256_of(text, len, &p->t->digest);
	p->t->size = len;
	r = ini_parse(text, len, p->name, &ini, err);
	if (r < 0)
		return r;
	r = read_items(p, &ini, err);
	if (r < 0)
		return r;
	r = version ? replace_version(p->t, version, err) : 0;
	if (r < 0)
		return r;
	r = read_environment(p->t, err);
	if (r < 0)
		return r;
	r = check_template(p, err);
	if (r < 0)
		return r;
	fill_in(p->t);
	for (size_t i = 0; i < KEY_LIMIT; i++)
		p->t->set[i] = p->set_at[i] || p->t->init.app.set_at[i];
	return 0;
}

int template_parse(const char *text, size_t len, const char *name, const char *dir, struct template **ret,
		   struct error *err)
{
	_cleanup_template_ struct template *t = template_new(name, dir);
	struct parse p = {.t = t, .name = name};
	int r;

	r = parse_text(&p, text ? text : "", len, NULL, err);
	if (r < 0)
		return r;
	*ret = steal_pointer(&t);
	return 0;
}

/* The file that @path means: itself, or appliance.conf in it. To be freed. */
static int find_file(const char *path, char **ret, struct error *err)
{
	struct stat st;
	char *file;

	if (stat(path, &st) < 0)
		return error_usage(
			err, "%s: %s; a template is a directory that holds " FILE_NAME ", or such a file",
			path, strerror(errno));
	if (!S_ISDIR(st.st_mode)) {
		*ret = xstrdup(path);
		return 0;
	}
	file = xasprintf("%s%s" FILE_NAME, path, path[strlen(path) - 1] == '/' ? "" : "/");
	if (stat(file, &st) < 0) {
		int code = errno;

		free(file);
		return error_usage(err, "%s: no template, it holds no " FILE_NAME " (%s)", path,
				   strerror(code));
	}
	*ret = file;
	return 0;
}

int template_load(const char *path, const char *version, struct template **ret, struct error *err)
{
	_cleanup_template_ struct template *t = NULL;
	_cleanup_free_ char *file = NULL, *copy = NULL, *dir = NULL;
	_cleanup_buf_ struct buf text = {0};
	struct parse p;
	int r;

	r = find_file(path, &file, err);
	if (r < 0)
		return r;
	r = io_read_file(AT_FDCWD, file, INI_MAX_SIZE, &text, err);
	if (r == -EFBIG)
		return error_usage(err, "%s: larger than %zu bytes; this is not a template", file,
				   INI_MAX_SIZE);
	if (r < 0)
		return r;
	copy = xstrdup(file);
	dir = realpath(dirname(copy), NULL);
	if (!dir)
		return error_errno(err, -errno, "%s: its directory", file);
	t = template_new(file, dir);
	p = (struct parse){.t = t, .name = file, .look_for_files = true};
	r = parse_text(&p, text.ptr ? text.ptr : "", text.len, version, err);
	if (r < 0)
		return r;
	*ret = steal_pointer(&t);
	return 0;
}

bool template_has(const struct template *t, const char *key)
{
	const char *const *names = template_known_keys();

	for (size_t i = 0; names[i]; i++)
		if (strcmp(names[i], key) == 0)
			return t->set[i];
	abort(); /* a name that is not in the table is a bug of ours */
}

static bool may_be_image(const char *path)
{
	const char *dot = strrchr(path, '.');

	return !dot || (strcmp(dot, ".deb") != 0 && strcmp(dot, ".rpm") != 0 && strcmp(dot, ".apk") != 0);
}

bool template_starts_later(const struct template *t)
{
	if (t->base.source == BASE_OCI)
		return true;
	for (size_t i = 0; i < t->package_paths.len; i++)
		if (may_be_image(t->package_paths.ptr[i]))
			return true;
	return false;
}

int template_check_start(const struct template *t, struct error *err)
{
	if (t->init.mode == INIT_APPLIANCE && t->init.app.exec.len == 0 && t->services.len == 0 &&
	    !t->init.app.unit)
		return error_usage(
			err,
			"%s: [Init] Exec= is missing: the program to run (or name the package's Unit=, or "
			"choose Mode=system)",
			t->path);
	return 0;
}

void template_free(struct template *t)
{
	const struct key *k;

	if (!t)
		return;
	free(t->path);
	free(t->dir);
	services_free(t);
	for (size_t i = 0; (k = key_at(i)); i++)
		if (k->release && !k->service)
			k->release((char *)t + k->field);
	free(t);
}

void template_freep(struct template **t)
{
	template_free(*t);
}
