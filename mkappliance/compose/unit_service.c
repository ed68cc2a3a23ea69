/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/unit_service.h"

#include <string.h>

#include "compose/unit_env.h"
#include "lib/cleanup.h"

/* A unit while it is being read. */
struct reading {
	const struct unit_file *u;
	const struct unit_names *names;
	bool own_start;
	struct unit_service *s;
	const struct unit_item *remain_after_exit;
	const struct unit_item *bus_name;
};

typedef int taker(struct reading *r, const struct unit_item *item, size_t which, struct error *err);

/* ---- what takers share ---- */

static int take_string(struct reading *r, const struct unit_item *item, char **ret, struct error *err)
{
	free(*ret);
	*ret = NULL;
	return *item->value ? unit_specifiers(item->value, r->names, ret, err) : 0;
}

/* The words of a list, each with its specifiers replaced; an empty value empties it. */
static int take_words(struct reading *r, const struct unit_item *item, struct strlist *ret, struct error *err)
{
	_cleanup_strlist_ struct strlist words = {0};
	int e = unit_words(item->value, &words, err);

	if (e >= 0 && !*item->value)
		strlist_free(ret);
	for (size_t i = 0; e >= 0 && i < words.len; i++) {
		_cleanup_free_ char *word = NULL;

		e = unit_specifiers(words.ptr[i], r->names, &word, err);
		if (e >= 0)
			strlist_add(ret, word);
	}
	return e;
}

static void no_foreground(struct reading *r, const struct unit_item *item, const char *text)
{
	if (r->s->no_foreground)
		return;
	r->s->no_foreground = item;
	r->s->no_foreground_text = text;
}

/* ---- each ---- */

static int take_commands(struct reading *r, const struct unit_item *item, size_t which, struct error *err)
{
	if (!which && r->own_start)
		return 0;
	return unit_commands_take(which ? &r->s->before : &r->s->start, item, r->names, err);
}

static int take_type(struct reading *r, const struct unit_item *item, size_t which, struct error *err)
{
	static const char *const good[] = {"simple", "exec", "idle", "notify", "notify-reload", "oneshot"};

	(void)which;
	r->s->type = item;
	r->s->oneshot = strcmp(item->value, "oneshot") == 0;
	r->s->notify = strncmp(item->value, "notify", 6) == 0;
	if (r->s->no_foreground && strcmp(r->s->no_foreground->key, "Type") == 0)
		r->s->no_foreground = NULL;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (strcmp(item->value, good[i]) == 0)
			return 0;
	if (strcmp(item->value, "forking") == 0)
		no_foreground(
			r, item,
			"the program goes into the background, and the init needs one that stays in front");
	else if (strcmp(item->value, "dbus") == 0)
		no_foreground(r, item, "there is no message bus");
	else if (*item->value)
		return error_usage(err, "'%s' is not a type of service", item->value);
	return 0;
}

static int take_remain(struct reading *r, const struct unit_item *item, size_t which, struct error *err)
{
	(void)which;
	(void)err;
	r->remain_after_exit = unit_boolean(item->value) == 1 ? item : NULL;
	return 0;
}

static int take_bus_name(struct reading *r, const struct unit_item *item, size_t which, struct error *err)
{
	(void)which;
	(void)err;
	r->bus_name = *item->value ? item : NULL;
	return 0;
}

static int take_account(struct reading *r, const struct unit_item *item, size_t which, struct error *err)
{
	return take_string(r, item, which ? &r->s->group : &r->s->user, err);
}

static int take_dynamic(struct reading *r, const struct unit_item *item, size_t which, struct error *err)
{
	(void)which;
	(void)err;
	r->s->dynamic_user = unit_boolean(item->value) == 1;
	return 0;
}

static int take_environment(struct reading *r, const struct unit_item *item, size_t which, struct error *err)
{
	_cleanup_strlist_ struct strlist words = {0};
	int e = take_words(r, item, &words, err);

	(void)which;
	if (!*item->value)
		strlist_free(&r->s->environment);
	for (size_t i = 0; e >= 0 && i < words.len; i++) {
		if (!env_is_assignment(words.ptr[i]))
			return error_usage(err, "'%s' is not NAME=value; a value with blanks needs quotes",
					   words.ptr[i]);
		env_set(&r->s->environment, words.ptr[i]);
	}
	return e;
}

static int take_environment_file(struct reading *r, const struct unit_item *item, size_t which,
				 struct error *err)
{
	_cleanup_free_ char *path = NULL;
	int e = take_string(r, item, &path, err);

	(void)which;
	if (e < 0)
		return e;
	if (!path) {
		strlist_free(&r->s->environment_files);
		return 0;
	}
	if (path[*path == '-'] != '/')
		return error_usage(err, "'%s' is not an absolute path", path);
	if (strpbrk(path, "*?["))
		return error_usage(err, "'%s': a pattern; name the files", path);
	strlist_add(&r->s->environment_files, path);
	return 0;
}

static int take_unset(struct reading *r, const struct unit_item *item, size_t which, struct error *err)
{
	(void)which;
	return take_words(r, item, &r->s->unset_environment, err);
}

static int take_directory(struct reading *r, const struct unit_item *item, size_t which, struct error *err)
{
	(void)which;
	return take_string(r, item, &r->s->working_directory, err);
}

/* The directories below /run and so on: relative, and within. What stands behind a ':' is another name for it. */
static int take_directories(struct reading *r, const struct unit_item *item, size_t which, struct error *err)
{
	struct strlist *ret = &r->s->directories[which];
	size_t i = ret->len;
	int e = take_words(r, item, ret, err);

	for (; e >= 0 && i < ret->len; i++) {
		char *path = ret->ptr[i];

		path[strcspn(path, ":")] = 0;
		if (*path == '/' || !*path || strstr(path, "..") || strstr(path, "//"))
			return error_usage(err, "'%s' is not the name of a directory", path);
	}
	return e;
}

static int take_mode(struct reading *r, const struct unit_item *item, size_t which, struct error *err)
{
	char *end;
	unsigned long mode = strtoul(item->value, &end, 8);

	if (*end || mode > 07777)
		return error_usage(err, "'%s' is not an octal mode", item->value);
	r->s->directory_modes[which] = *item->value ? (mode_t)mode : 0755;
	return 0;
}

/* Null is what the program gets; a file or a socket it would miss. */
static int take_input(struct reading *r, const struct unit_item *item, size_t which, struct error *err)
{
	(void)which;
	(void)err;
	if (r->s->no_foreground && strcmp(r->s->no_foreground->key, "StandardInput") == 0)
		r->s->no_foreground = NULL;
	if (*item->value && strcmp(item->value, "null") != 0)
		no_foreground(r, item, "the init gives a program no input but /dev/null");
	return 0;
}

static int take_output(struct reading *r, const struct unit_item *item, size_t which, struct error *err)
{
	(void)which;
	(void)err;
	strlist_addf(strchr(item->value, ':') ? &r->s->not_done : &r->s->harmless, "%s=%s", item->key,
		     item->value);
	return 0;
}

/* A socket that passes a connection on is part of how the program is started. */
static int take_required(struct reading *r, const struct unit_item *item, size_t which, struct error *err)
{
	_cleanup_strlist_ struct strlist units = {0};
	int e = take_words(r, item, &units, err);

	(void)which;
	for (size_t i = 0; e >= 0 && i < units.len; i++) {
		const char *dot = strrchr(units.ptr[i], '.');

		if (dot && strcmp(dot, ".socket") == 0)
			no_foreground(r, item,
				      "the init opens no sockets for a program, which has to open its own");
		else if (dot && (strcmp(dot, ".service") == 0 || strcmp(dot, ".mount") == 0))
			strlist_addf(&r->s->not_done, "%s=%s", item->key, units.ptr[i]);
	}
	return e;
}

static const struct {
	const char *section;
	const char *key;
	taker *take;
	size_t which;
} takers[] = {
	{"Unit", "Requires", take_required, 0},
	{"Unit", "Requisite", take_required, 0},
	{"Unit", "BindsTo", take_required, 0},
	{"Service", "Type", take_type, 0},
	{"Service", "RemainAfterExit", take_remain, 0},
	{"Service", "BusName", take_bus_name, 0},
	{"Service", "ExecStart", take_commands, 0},
	{"Service", "ExecStartPre", take_commands, 1},
	{"Service", "User", take_account, 0},
	{"Service", "Group", take_account, 1},
	{"Service", "DynamicUser", take_dynamic, 0},
	{"Service", "Environment", take_environment, 0},
	{"Service", "EnvironmentFile", take_environment_file, 0},
	{"Service", "UnsetEnvironment", take_unset, 0},
	{"Service", "WorkingDirectory", take_directory, 0},
	{"Service", "RuntimeDirectory", take_directories, UNIT_RUNTIME},
	{"Service", "StateDirectory", take_directories, UNIT_STATE},
	{"Service", "CacheDirectory", take_directories, UNIT_CACHE},
	{"Service", "LogsDirectory", take_directories, UNIT_LOGS},
	{"Service", "ConfigurationDirectory", take_directories, UNIT_CONFIGURATION},
	{"Service", "RuntimeDirectoryMode", take_mode, UNIT_RUNTIME},
	{"Service", "StateDirectoryMode", take_mode, UNIT_STATE},
	{"Service", "CacheDirectoryMode", take_mode, UNIT_CACHE},
	{"Service", "LogsDirectoryMode", take_mode, UNIT_LOGS},
	{"Service", "ConfigurationDirectoryMode", take_mode, UNIT_CONFIGURATION},
	{"Service", "StandardInput", take_input, 0},
	{"Service", "StandardOutput", take_output, 0},
	{"Service", "StandardError", take_output, 0},
};

/* ---- the whole ---- */

/* Whether a later assignment of the same key takes this one back. */
static bool is_overridden(const struct unit_file *u, const struct unit_item *item)
{
	for (const struct unit_item *i = item + 1; i < u->items + u->len; i++)
		if (strcmp(i->key, item->key) == 0 && strcmp(i->section, item->section) == 0 &&
		    (!*i->value || unit_boolean(i->value) >= 0))
			return true;
	return false;
}

/* A key that nobody takes. */
static int judge(struct reading *r, const struct unit_item *item, struct error *err)
{
	const char *text = NULL;
	enum unit_treatment treatment = unit_key_treatment(item->section, item->key, &text);
	struct strlist *list = NULL;

	if (!*item->value || is_overridden(r->u, item))
		return 0;
	switch (treatment) {
	case UNIT_START:
		no_foreground(r, item, text);
		return 0;
	case UNIT_REFUSED:
		if (unit_boolean(item->value) == 0)
			return 0;
		if (*item->value != '-')
			return error_usage(
				err,
				"%s (a drop-in with an empty %s= takes it back, when the program can do "
				"without)",
				text, item->key);
		list = &r->s->not_done; /* it may be missing */
		break;
	case UNIT_CONFINES:
		list = unit_boolean(item->value) == 0 ? &r->s->harmless : &r->s->not_confined;
		break;
	case UNIT_UNKNOWN:
		/* Whole sections are for other kinds of units, "X-" is for other programs. */
		list = strcmp(item->section, "Service") != 0 || strncmp(item->key, "X-", 2) == 0
			       ? &r->s->harmless
			       : &r->s->not_done;
		break;
	case UNIT_NOT_DONE:
		list = &r->s->not_done;
		break;
	case UNIT_HARMLESS:
		list = &r->s->harmless;
		break;
	}
	strlist_addf(list, "%s=%s", item->key, item->value);
	return 0;
}

static int take_item(struct reading *r, const struct unit_item *item, struct error *err)
{
	int e = unit_supervision_take(&r->s->supervision, item, err);

	if (e != 0)
		return e;
	for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++)
		if (strcmp(takers[i].section, item->section) == 0 && strcmp(takers[i].key, item->key) == 0)
			return takers[i].take(r, item, takers[i].which, err);
	return judge(r, item, err);
}

/* All but the last ExecStart= of a oneshot are what runs before it. */
static int check_start(struct reading *r, struct error *err)
{
	struct unit_service *s = r->s;

	if (r->own_start)
		return 0;
	if (s->oneshot && r->remain_after_exit)
		no_foreground(
			r, r->remain_after_exit,
			"nothing would be running, and the machine goes off when the program has ended");
	if (r->bus_name && (!s->type || !*s->type->value))
		no_foreground(r, r->bus_name,
			      "without a Type= that makes it Type=dbus, and there is no message bus");
	if (s->no_foreground)
		return error_usage(err,
				   "%s: %s=%s: %s; say in the template, with Exec=, how to start it so, or "
				   "choose Mode=system",
				   unit_item_place(r->u, s->no_foreground), s->no_foreground->key,
				   s->no_foreground->value, s->no_foreground_text);
	if (s->start.len == 0)
		return error_usage(err, "%s: has no ExecStart=; it is not a program that could be started",
				   r->u->names.ptr[0]);
	if (s->start.len > 1 && !s->oneshot)
		return error_usage(err, "%s: a second ExecStart=, which only Type=oneshot may have",
				   unit_item_place(r->u, s->start.ptr[1].item));
	while (s->start.len > 1) {
		array_grow(s->before.ptr, s->before.len, s->before.cap);
		s->before.ptr[s->before.len++] = s->start.ptr[0];
		memmove(s->start.ptr, s->start.ptr + 1, --s->start.len * sizeof(*s->start.ptr));
	}
	return 0;
}

int unit_service_read(const struct unit_file *u, const struct unit_names *names, bool own_start,
		      struct unit_service *ret, struct error *err)
{
	struct reading r = {.u = u, .names = names, .own_start = own_start, .s = ret};

	for (size_t i = 0; i < UNIT_DIRECTORIES; i++)
		ret->directory_modes[i] = 0755;
	for (size_t i = 0; i < u->len; i++)
		if (take_item(&r, &u->items[i], err) < 0)
			return error_prefix(err, "%s: %s=", unit_item_place(u, &u->items[i]),
					    u->items[i].key);
	return check_start(&r, err);
}

void unit_service_free(struct unit_service *s)
{
	unit_commands_free(&s->start);
	unit_commands_free(&s->before);
	free(s->user);
	free(s->group);
	free(s->working_directory);
	strlist_free(&s->environment);
	strlist_free(&s->environment_files);
	strlist_free(&s->unset_environment);
	for (size_t i = 0; i < UNIT_DIRECTORIES; i++)
		strlist_free(&s->directories[i]);
	unit_supervision_free(&s->supervision);
	strlist_free(&s->not_confined);
	strlist_free(&s->not_done);
	strlist_free(&s->harmless);
	*s = (struct unit_service){0};
}
