/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/unit_start.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "compose/passwd.h"
#include "compose/unit_env.h"
#include "compose/unit_load.h"
#include "compose/unit_service.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "template/names.h"
#include "template/services.h"

#define ENV_FILE_MAX ((size_t)1 << 20)

/* The range of systemd's dynamic users (uid-range.h there, "Users, Groups, UIDs and GIDs on systemd systems"). */
#define DYNAMIC_FIRST 61184u
#define DYNAMIC_COUNT (65519u - DYNAMIC_FIRST + 1)

/* A start-up on its way from unit to template. */
struct starting {
	struct template *t;
	struct template_service *to;
	struct merge *m;
	unsigned number; /* of the layer */
	struct unit_file file;
	char *id; /* "app.service" */
	struct unit_service s;
	struct passwd_entry account; /* of the user it runs as; name is NULL without one */
	struct strlist environment;
};

static void starting_free(struct starting *s)
{
	unit_file_free(&s->file);
	unit_service_free(&s->s);
	passwd_entry_free(&s->account);
	strlist_free(&s->environment);
	free(s->id);
}

static void replace(char **field, const char *value)
{
	char *copy = xstrdup(value);

	free(*field);
	*field = copy;
}

/* ---- who ---- */

/* As systemd does it: a number that follows from the unit's name, the same in every build. */
static int take_dynamic_user(struct starting *s, struct error *err)
{
	const char *name = s->s.user ? s->s.user : s->id;
	_cleanup_free_ char *number = NULL;
	uint32_t hash = 2166136261u; /* FNV-1a */
	int r = s->s.user ? passwd_find(s->m, s->s.user, &s->account, err) : 0;

	if (r < 0)
		return r;
	if (r > 0) {
		replace(&s->to->user, s->s.user);
		return 0;
	}
	for (const char *p = name; *p; p++)
		hash = (hash ^ (uint8_t)*p) * 16777619u;
	s->account.uid = s->account.gid = DYNAMIC_FIRST + hash % DYNAMIC_COUNT;
	number = xasprintf("%u", s->account.uid);
	replace(&s->to->user, number);
	replace(&s->to->group, number);
	log_note("%s: DynamicUser=: it runs as user and group %s, which have no name", s->id, number);
	return 0;
}

static int take_account(struct starting *s, struct error *err)
{
	bool own = service_has(s->to, "User");
	uint32_t gid;
	int r;

	if (!own && s->s.dynamic_user)
		return take_dynamic_user(s, err);
	if (!own && s->s.user)
		replace(&s->to->user, s->s.user);
	if (!own && !service_has(s->to, "Group") && s->s.group)
		replace(&s->to->group, s->s.group);
	r = passwd_find(s->m, s->to->user, &s->account, err);
	if (r < 0)
		return r;
	if (r == 0) {
		r = passwd_id(s->m, "etc/passwd", "User", s->to->user, &s->account.uid, err);
		if (r < 0)
			return error_prefix(err, "%s", s->id);
	}
	if (!s->to->group)
		return 0;
	r = passwd_id(s->m, "etc/group", "Group", s->to->group, &gid, err);
	if (r < 0)
		return error_prefix(err, "%s", s->id);
	s->account.gid = gid;
	return 0;
}

/* ---- environment ---- */

static int read_environment_file(struct starting *s, const char *path, struct error *err)
{
	bool may_miss = *path == '-';
	_cleanup_free_ void *text = NULL;
	const struct tree_entry *e;
	size_t len = 0;
	int r;

	path += may_miss;
	e = merge_find(s->m, path + strspn(path, "/"));
	if (!e && may_miss)
		return 0;
	if (!e || !S_ISREG(e->mode))
		return error_usage(err, "%s: EnvironmentFile=%s is not a file of the image", s->id, path);
	r = merge_read(s->m, path + strspn(path, "/"), ENV_FILE_MAX, &text, &len, err);
	if (r < 0)
		return error_prefix(err, "%s: EnvironmentFile=%s", s->id, path);
	env_parse_file(text, len, path, &s->environment);
	return 0;
}

static void set_variable(struct starting *s, const char *name, const char *value)
{
	_cleanup_free_ char *assignment = xasprintf("%s=%s", name, value);

	env_set(&s->environment, assignment);
}

/* What systemd sets for a service with User=. */
static void describe_account(struct starting *s)
{
	const char *shell = s->account.shell;
	const char *base = shell ? strrchr(shell, '/') : NULL;

	if (!s->s.user || !s->account.name)
		return;
	set_variable(s, "HOME", *s->account.home ? s->account.home : "/");
	set_variable(s, "LOGNAME", s->account.name);
	set_variable(s, "USER", s->account.name);
	if (base && strcmp(base, "/nologin") != 0 && strcmp(base, "/false") != 0)
		set_variable(s, "SHELL", shell);
}

static const struct {
	const char *parent;
	const char *variable;
	bool writable; /* needs a file system of its own to be that */
	bool of_user;
} kinds[] = {
	[UNIT_RUNTIME] = {"run", "RUNTIME_DIRECTORY", false, true},
	[UNIT_STATE] = {"var/lib", "STATE_DIRECTORY", true, true},
	[UNIT_CACHE] = {"var/cache", "CACHE_DIRECTORY", true, true},
	[UNIT_LOGS] = {"var/log", "LOGS_DIRECTORY", false, true},
	[UNIT_CONFIGURATION] = {"etc", "CONFIGURATION_DIRECTORY", false, false},
};

static void name_directories(struct starting *s)
{
	for (size_t k = 0; k < UNIT_DIRECTORIES; k++) {
		const struct strlist *l = &s->s.directories[k];
		_cleanup_buf_ struct buf all = {0};

		for (size_t i = 0; i < l->len; i++)
			buf_printf(&all, "%s/%s/%s", i ? ":" : "", kinds[k].parent, l->ptr[i]);
		if (l->len)
			set_variable(s, kinds[k].variable, all.ptr);
	}
}

static void unset_variables(struct starting *s)
{
	struct strlist kept = {0};

	for (size_t i = 0; i < s->environment.len; i++) {
		const char *e = s->environment.ptr[i];
		size_t len = strcspn(e, "=");
		bool gone = false;

		for (size_t u = 0; u < s->s.unset_environment.len; u++) {
			const char *name = s->s.unset_environment.ptr[u];

			gone |= strcmp(name, e) == 0 || (strlen(name) == len && memcmp(name, e, len) == 0);
		}
		if (!gone)
			strlist_add(&kept, e);
	}
	strlist_free(&s->environment);
	s->environment = kept;
}

/* Later ones win: what every service has, the unit's, its files', the template's. */
static int take_environment(struct starting *s, struct error *err)
{
	struct strlist *own = &s->to->environment;

	describe_account(s);
	name_directories(s);
	for (size_t i = 0; i < s->s.environment.len; i++)
		env_set(&s->environment, s->s.environment.ptr[i]);
	for (size_t i = 0; i < s->s.environment_files.len; i++) {
		int r = read_environment_file(s, s->s.environment_files.ptr[i], err);

		if (r < 0)
			return r;
	}
	unset_variables(s);
	for (size_t i = 0; i < own->len; i++)
		env_set(&s->environment, own->ptr[i]);
	strlist_free(own);
	*own = s->environment;
	s->environment = (struct strlist){0};
	return 0;
}

/* ---- commands ---- */

/* Replaces a bare name by its path in the image, as systemd looks for it. False: it is not there. */
static bool find_program(const struct starting *s, char **word)
{
	static const char *const dirs[] = {"usr/local/sbin", "usr/local/bin", "usr/sbin",
					   "usr/bin",	     "sbin",	      "bin"};
	const char *name = *word;

	if (*name == '/')
		return merge_find(s->m, name + strspn(name, "/"));
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		_cleanup_free_ char *path = xasprintf("/%s/%s", dirs[i], name);

		if (!merge_find(s->m, path + 1))
			continue;
		replace(word, path);
		return true;
	}
	return false;
}

/* The words that it is run with. 0: it is not there, and need not be. */
static int make_argv(struct starting *s, const struct unit_command *c, struct strlist *ret, struct error *err)
{
	const char *place = unit_item_place(&s->file, c->item);
	_cleanup_strlist_ struct strlist unset = {0};
	int r = 0;

	if (!c->no_expansion)
		r = env_expand(&c->words, &s->to->environment, ret, &unset, err);
	for (size_t i = 0; c->no_expansion && i < c->words.len; i++)
		strlist_add(ret, c->words.ptr[i]);
	if (r < 0)
		return error_prefix(err, "%s: %s=", place, c->item->key);
	for (size_t i = 0; i < unset.len; i++)
		log_note("%s: %s=: $%s is set nowhere and so is empty, as it is with systemd", place,
			 c->item->key, unset.ptr[i]);
	if (ret->len == 0 || strchr(c->words.ptr[0], '$'))
		return error_usage(err, "%s: %s=: the program itself cannot be a variable", place,
				   c->item->key);
	if (find_program(s, &ret->ptr[0])) {
		r = name_image_path(ret->ptr[0], err);
		return r < 0 ? error_prefix(err, "%s: %s=", place, c->item->key) : 1;
	}
	if (c->may_fail)
		return 0;
	return error_usage(
		err,
		"%s: %s=: the program '%s' is not in the image; add its package, or say Exec= in the "
		"template",
		place, c->item->key, ret->ptr[0]);
}

static int take_before(struct starting *s, struct error *err)
{
	if (service_has(s->to, "ExecStartPre"))
		return 0;
	for (size_t i = 0; i < s->s.before.len; i++) {
		const struct unit_command *c = &s->s.before.ptr[i];
		struct template_before b = {.may_fail = c->may_fail, .as_root = c->as_root};
		int r = make_argv(s, c, &b.argv, err);

		if (r <= 0) {
			strlist_free(&b.argv);
			if (r < 0)
				return r;
			continue;
		}
		array_grow(s->to->before.ptr, s->to->before.len, s->to->before.cap);
		s->to->before.ptr[s->to->before.len++] = b;
	}
	return 0;
}

static int take_start(struct starting *s, struct error *err)
{
	const struct unit_command *c = s->s.start.ptr;
	_cleanup_strlist_ struct strlist argv = {0};
	int r;

	if (service_has(s->to, "Exec"))
		return 0;
	if (c->as_root && s->account.uid != 0)
		return error_usage(
			err,
			"%s: ExecStart=: '+' and '!' start it as root while User= is %s; say User=0 and "
			"Exec= in the template when that is meant",
			unit_item_place(&s->file, c->item), s->to->user);
	r = make_argv(s, c, &argv, err);
	if (r == 0)
		r = error_usage(err, "%s: ExecStart=: the program '%s' is not in the image",
				unit_item_place(&s->file, c->item), argv.ptr[0]);
	if (r < 0)
		return r;
	strlist_free(&s->to->exec); /* a container image may have said one */
	s->to->exec = argv;
	argv = (struct strlist){0};
	if (s->s.oneshot)
		log_note("%s: Type=oneshot: the machine goes off when it has ended", s->id);
	return 0;
}

/* ---- places and times ---- */

static int take_working_directory(struct starting *s, struct error *err)
{
	const char *dir = s->s.working_directory;
	bool may_miss = dir && *dir == '-';
	int r;

	if (!dir || service_has(s->to, "WorkingDirectory"))
		return 0;
	dir += may_miss;
	if (strcmp(dir, "~") == 0)
		dir = s->account.home && *s->account.home ? s->account.home : "/root";
	r = name_image_path(dir, err);
	if (r < 0)
		return error_prefix(err, "%s: WorkingDirectory=", s->id);
	if (may_miss && !merge_find(s->m, dir + strspn(dir, "/")))
		dir = "/";
	replace(&s->to->working_directory, dir);
	return 0;
}

/* Whether a directory at or above @path is written to in memory already. */
static bool is_writable(const struct template *t, const char *path)
{
	for (size_t i = 0; i < t->init.writable.len; i++) {
		const char *w = t->init.writable.ptr[i];
		size_t len = strlen(w);

		if (strncmp(w, path, len) == 0 && (path[len] == '/' || !path[len]))
			return true;
	}
	return false;
}

/* What lies in it is covered by the file system in memory, which begins with its directories only. */
static void make_writable(struct starting *s, const char *path)
{
	_cleanup_free_ char *file = NULL;

	if (is_writable(s->t, path))
		return;
	strlist_add(&s->t->init.writable, path);
	file = merge_first_file(s->m, path + 1);
	if (file)
		log_warning(
			"%s: %s becomes a file system in memory, where %s/%s of the image is not to be seen",
			s->id, path, path, file);
}

static int make_directories(struct starting *s, struct error *err)
{
	_cleanup_layer_ struct layer l = LAYER_INIT;

	l.name = xasprintf("the directories of %s", s->id);
	for (size_t k = 0; k < UNIT_DIRECTORIES; k++) {
		for (size_t i = 0; i < s->s.directories[k].len; i++) {
			_cleanup_free_ char *path =
				xasprintf("/%s/%s", kinds[k].parent, s->s.directories[k].ptr[i]);
			struct tree_entry *e;
			int r = name_image_path(path, err);

			if (r < 0)
				return error_prefix(err, "%s: %s", s->id, kinds[k].variable);
			if (kinds[k].writable)
				make_writable(s, path);
			e = entry_new(path + 1, S_IFDIR | s->s.directory_modes[k]);
			e->uid = kinds[k].of_user ? s->account.uid : 0;
			e->gid = kinds[k].of_user ? s->account.gid : 0;
			layer_add(&l, e, NULL);
		}
	}
	return l.len ? merge_layer(s->m, &l, s->number, MERGE_KEEP_LINKS | MERGE_NO_WHITEOUTS, err) : 0;
}

/* ---- what is told ---- */

static void tell(const struct starting *s, const char *what, const struct strlist *l, bool loud)
{
	_cleanup_buf_ struct buf all = {0};

	for (size_t i = 0; i < l->len; i++) {
		_cleanup_free_ char *one = xstrndup(l->ptr[i], 80);

		error_one_line(one);
		buf_printf(&all, "%s%s", i ? ", " : "", one);
	}
	if (l->len && loud)
		log_note("%s: %s: %s", s->id, what, all.ptr);
	else if (l->len)
		log_debug("%s: %s: %s", s->id, what, all.ptr);
}

static void tell_all(const struct starting *s)
{
	tell(s, "the init does not do", &s->s.not_done, true);
	tell(s, "the init does not do", &s->s.supervision.not_done, true);
	tell(s, "would confine it more, and the init does not", &s->s.not_confined, true);
	tell(s, "means nothing here", &s->s.harmless, false);
}

static int take_all(struct starting *s, struct error *err)
{
	int r = take_account(s, err);

	if (r >= 0)
		r = take_environment(s, err);
	if (r >= 0)
		r = take_before(s, err);
	if (r >= 0)
		r = take_start(s, err);
	if (r >= 0)
		r = take_working_directory(s, err);
	if (r >= 0)
		r = make_directories(s, err);
	if (r >= 0)
		r = unit_supervision_apply(&s->s.supervision, &s->file, s->s.notify, s->account.uid, s->to,
					   err);
	if (r < 0)
		return r;
	tell_all(s);
	return 0;
}

static int start_one(struct template *t, struct template_service *to, struct merge *m, unsigned number,
		     struct error *err)
{
	__attribute__((cleanup(starting_free))) struct starting s = {
		.t = t, .to = to, .m = m, .number = number};
	struct unit_names names = {.hostname = t->init.hostname,
				   .machine = t->appliance.arch == ARCH_ARM64 ? "arm64" : "x86-64"};
	int r = unit_load(m, to->unit, &s.file, &s.id, err);

	names.name = s.id;
	if (r >= 0)
		r = unit_service_read(&s.file, &names, service_has(to, "Exec"), &s.s, err);
	return r < 0 ? r : take_all(&s, err);
}

int unit_start(struct template *t, struct merge *m, unsigned number, struct error *err)
{
	struct template_service *to;

	for (size_t i = 0; (to = service_at(t, i)); i++) {
		if (to->unit && start_one(t, to, m, number, err) < 0) {
			_cleanup_free_ char *section = service_section(to);

			return error_prefix(err, "%s: %s Unit=", t->path, section);
		}
	}
	return 0;
}
