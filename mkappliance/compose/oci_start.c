/* SPDX-License-Identifier: Apache-2.0 */
/* OCI image-spec, config.md ("Properties", config); where it is silent, what runc and Docker do. */
#include "compose/oci_start.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "compose/layer.h"
#include "compose/passwd.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "template/names.h"
#include "template/values.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define SIGNAL_RTMIN 34 /* as libc counts, which keeps two for itself */
#define SIGNAL_MAX   64

/* One image's start, while it goes into a template. */
struct start {
	struct template *t;
	const struct oci_config *c;
	const struct merge *m;
};

static void replace(char **field, char *value)
{
	free(*field);
	*field = value;
}

int oci_user_split(const char *user, char **ret_user, char **ret_group, struct error *err)
{
	size_t len = strcspn(user, ":");
	_cleanup_free_ char *name = xstrndup(user, len);
	const char *group = user[len] ? user + len + 1 : NULL;
	int r = name_account(name, err);

	if (r == 0 && group)
		r = name_account(group, err);
	if (r < 0)
		return r;
	*ret_user = steal_pointer(&name);
	*ret_group = group ? xstrdup(group) : NULL;
	return 0;
}

int oci_signal(const char *text, int *ret, struct error *err)
{
	static const char rtmin[] = "RTMIN";
	const char *name = strncmp(text, "SIG", 3) == 0 ? text + 3 : text;
	struct error other = ERROR_INIT;
	uint64_t number = 0;

	if (value_signal(text, ret, &other) == 0)
		return 0;
	if (strncmp(name, rtmin, strlen(rtmin)) == 0) {
		const char *more = name + strlen(rtmin);

		if (!*more || (*more == '+' &&
			       value_number(more + 1, 0, SIGNAL_MAX - SIGNAL_RTMIN, &number, &other) == 0)) {
			*ret = SIGNAL_RTMIN + (int)number;
			return 0;
		}
	} else if (value_number(text, 1, SIGNAL_MAX, &number, &other) == 0) {
		*ret = (int)number;
		return 0;
	}
	return error_usage(err, "StopSignal '%.40s' is not known; say [Init] StopSignal=", text);
}

static const char *env_value(const struct strlist *env, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < env->len; i++)
		if (strncmp(env->ptr[i], name, len) == 0 && env->ptr[i][len] == '=')
			return env->ptr[i] + len + 1;
	return NULL;
}

static bool is_program(const struct merge *m, const char *path)
{
	const struct tree_entry *e = merge_find(m, path);

	return e && S_ISREG(e->mode) && (e->mode & 0111);
}

/* An absolute path without "." and double slashes; NULL when it cannot be one. To be freed. */
static char *clean_path(const char *directory, const char *path)
{
	_cleanup_free_ char *joined = *path == '/' ? xstrdup(path) : xasprintf("%s/%s", directory, path),
			    *clean = NULL;
	const char *relative = joined + strspn(joined, "/");

	if (layer_clean_path(relative, strlen(relative), &clean))
		return NULL;
	return xasprintf("/%s", clean);
}

char *oci_find_program(const struct merge *m, const char *name, const char *directory,
		       const struct strlist *env)
{
	const char *path = env_value(env, "PATH");

	if (strchr(name, '/'))
		return clean_path(directory, name);
	for (path = path ? path : DEFAULT_PATH; *path;) {
		size_t len = strcspn(path, ":");
		_cleanup_free_ char *place = xasprintf("%.*s/%s", (int)len, path, name);
		_cleanup_free_ char *full = clean_path(directory, place);

		if (len > 0 && full && is_program(m, full))
			return steal_pointer(&full);
		path += len + (path[len] == ':');
	}
	return NULL;
}

/* ---- the fields ---- */

/* The image's, over which the template's of the same name go. */
static int fill_environment(const struct start *s, struct error *err)
{
	struct strlist *own = &s->t->init.app.environment;
	struct strlist all = {0};

	for (size_t i = 0; i < s->c->env.len; i++) {
		const char *text = s->c->env.ptr[i];
		_cleanup_free_ char *name = xstrndup(text, strcspn(text, "="));

		if (!*name || !strchr(text, '=')) {
			strlist_free(&all);
			return error_set(err, -EINVAL, "Env has '%.100s', which is not NAME=value", text);
		}
		if (!env_value(own, name) && !env_value(&all, name))
			strlist_add(&all, text);
	}
	for (size_t i = 0; i < own->len; i++)
		strlist_add(&all, own->ptr[i]);
	strlist_free(own);
	*own = all;
	return 0;
}

/* Exec= replaces entry point and command, as one word after another. */
static int fill_exec(const struct start *s, struct error *err)
{
	struct strlist *exec = &s->t->init.app.exec;
	const struct strlist *first = s->c->entrypoint.len ? &s->c->entrypoint : &s->c->cmd;
	char *program;

	if (template_has(s->t, "Init.Exec"))
		return 0;
	strlist_free(exec);
	if (first->len == 0)
		return error_usage(err, "has neither Entrypoint nor Cmd; say what to run with [Init] Exec=");
	program = oci_find_program(s->m, first->ptr[0], s->t->init.app.working_directory,
				   &s->t->init.app.environment);
	if (!program)
		return error_usage(err,
				   "its program '%.200s' is not in the image's PATH; say what to run with "
				   "[Init] Exec=",
				   first->ptr[0]);
	for (size_t i = 0; i < s->c->entrypoint.len; i++)
		strlist_add(exec, s->c->entrypoint.ptr[i]);
	for (size_t i = 0; i < s->c->cmd.len; i++)
		strlist_add(exec, s->c->cmd.ptr[i]);
	replace(&exec->ptr[0], program);
	return 0;
}

/* Runtimes set HOME, and give a number that nobody has the group 0. */
static int fill_account(const struct start *s, struct error *err)
{
	_cleanup_passwd_ struct passwd_entry entry = {0};
	struct template *t = s->t;
	int r = 0;

	if (!template_has(t, "Init.User") && s->c->user && *s->c->user) {
		_cleanup_free_ char *user = NULL, *group = NULL;

		r = oci_user_split(s->c->user, &user, &group, err);
		if (r < 0)
			return error_prefix(err, "User '%.100s'", s->c->user);
		replace(&t->init.app.user, steal_pointer(&user));
		if (!template_has(t, "Init.Group"))
			replace(&t->init.app.group, steal_pointer(&group));
	}
	r = passwd_find(s->m, t->init.app.user, &entry, err);
	if (r < 0)
		return r;
	if (r == 0 && !t->init.app.group &&
	    strspn(t->init.app.user, "0123456789") == strlen(t->init.app.user))
		t->init.app.group = xstrdup("0");
	if (entry.home && *entry.home == '/' && !env_value(&t->init.app.environment, "HOME"))
		strlist_addf(&t->init.app.environment, "HOME=%s", entry.home);
	return 0;
}

/* Made when it is not there, like a runtime does (see add_skeleton()), and seen from the root when it is relative. */
static int fill_directory(const struct start *s, struct error *err)
{
	const char *dir = s->c->working_dir;
	char *clean;

	if (template_has(s->t, "Init.WorkingDirectory") || !dir || !*dir)
		return 0;
	clean = clean_path("", dir);
	if (!clean)
		return error_set(err, -EINVAL, "WorkingDir '%.200s' is no path", dir);
	if (*dir != '/')
		log_warning("the image's WorkingDir '%.200s' is relative: the program starts in %s", dir,
			    clean);
	replace(&s->t->init.app.working_directory, clean);
	return 0;
}

static bool lies_in(const char *path, const char *directory)
{
	size_t len = strlen(directory);

	return strncmp(path, directory, len) == 0 && (path[len] == '/' || !path[len]);
}

/* A runtime would copy what the image has there into the volume. */
static void add_volume(const struct start *s, const char *path)
{
	_cleanup_free_ char *file = merge_first_file(s->m, path);

	strlist_add(&s->t->init.writable, path);
	if (file)
		log_warning(
			"the image's volume %s becomes a file system in memory, where its %s/%s is not to be seen; "
			"[Init] Writable= of the template takes the place of the image's volumes",
			path, path, file);
}

/* What is not writable already, each directory once. */
static void fill_writable(const struct start *s)
{
	static const char *const have[] = {"/run", "/tmp", "/var/tmp", "/var/log"};
	struct strlist *writable = &s->t->init.writable;

	if (template_has(s->t, "Init.Writable"))
		return;
	for (size_t i = 0; i < s->c->volumes.len; i++) {
		_cleanup_free_ char *path = clean_path("", s->c->volumes.ptr[i]);
		struct error wrong = ERROR_INIT;
		bool covered = false;

		if (!path || name_writable(path, &wrong) < 0) {
			log_warning("the image's volume '%.200s' stays read only: %s", s->c->volumes.ptr[i],
				    path ? wrong.text : "it is no path");
			continue;
		}
		for (size_t n = 0; n < sizeof(have) / sizeof(have[0]); n++)
			covered |= lies_in(path, have[n]);
		for (size_t n = 0; n < writable->len; n++)
			covered |= lies_in(path, writable->ptr[n]);
		if (!covered)
			add_volume(s, path);
	}
}

/* "80", "80/tcp": 1 and the number, 0 for a port of another protocol. What is none is told, and passed over. */
static int tcp_port(const char *text, uint16_t *ret)
{
	const char *slash = strchr(text, '/');
	_cleanup_free_ char *number = xstrndup(text, strcspn(text, "/"));
	struct error wrong = ERROR_INIT;
	uint64_t n;

	if (slash && strcasecmp(slash, "/tcp") != 0)
		return 0;
	if (value_number(number, 1, UINT16_MAX, &n, &wrong) < 0) {
		log_warning("the image's ExposedPorts have '%.100s', which is no port: %s", text, wrong.text);
		return 0;
	}
	*ret = (uint16_t)n;
	return 1;
}

/* The one TCP port, 0 when there is none or more than one. */
static uint16_t only_port(const struct oci_config *c)
{
	uint16_t port = 0, n = 0;
	bool several = false;

	for (size_t i = 0; i < c->ports.len; i++)
		if (tcp_port(c->ports.ptr[i], &n)) {
			several |= port && port != n; /* "80" and "80/tcp" are one */
			port = n;
		}
	return several ? 0 : port;
}

static int fill_all(const struct start *s, const char *name, struct error *err)
{
	struct template *t = s->t;
	int r = fill_directory(s, err);

	if (r == 0)
		r = fill_environment(s, err);
	if (r == 0)
		r = fill_exec(s, err);
	if (r == 0)
		r = fill_account(s, err);
	if (r == 0 && s->c->stop_signal && *s->c->stop_signal && !template_has(t, "Init.StopSignal"))
		r = oci_signal(s->c->stop_signal, &t->init.app.stop_signal, err);
	if (r < 0)
		return r;
	if (!template_has(t, "Init.Ready"))
		t->init.app.ready_port = only_port(s->c);
	fill_writable(s);
	if (s->c->healthcheck)
		log_note("%s: its Healthcheck is not used; [Init] Ready= says when it is ready", name);
	return 0;
}

int oci_start(struct template *t, const struct oci_config *c, const char *name, const struct merge *m,
	      struct error *err)
{
	const struct start s = {.t = t, .c = c, .m = m};

	if (t->init.mode != INIT_APPLIANCE)
		return 0;
	return fill_all(&s, name, err) < 0 ? error_prefix(err, "%s", name) : 0;
}
