/* SPDX-License-Identifier: Apache-2.0 */
/* The services of /appliance.conf. */
#include <linux/capability.h>
#include <string.h>
#include <sys/stat.h>

#include "image/abi.h"
#include "image/conf_internal.h"
#include "image/file_capability.h"
#include "lib/cleanup.h"
#include "template/system_calls.h"

_Static_assert(SERVICE_LIMIT == ABI_SERVICES_MAX, "the template takes as many as the init");

/* A service on its way. */
struct service {
	struct render *r;
	const struct template *t;
	const struct template_service *s;
	const struct tree *tree;
	char section[48]; /* "[Init]" or "[Service NAME]", for messages */
	struct account account;
};

/* "[Service NAME] Key", in a static buffer. */
static const char *key_of(const struct service *v, const char *key)
{
	static char text[96];

	snprintf(text, sizeof(text), "%s %s", v->section, key);
	return text;
}

#define CAP(name) (UINT64_C(1) << CAP_##name)
/*
 * What root has without Capabilities=: what containers usually give, without device nodes. Nobody else has any, and does not miss
 * them.
 */
#define ROOT_CAPABILITIES                                                                       \
	(CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(FOWNER) | CAP(FSETID) | CAP(KILL) | CAP(SETGID) | \
	 CAP(SETUID) | CAP(SETPCAP) | CAP(NET_BIND_SERVICE) | CAP(NET_RAW) | CAP(SYS_CHROOT) |  \
	 CAP(AUDIT_WRITE) | CAP(SETFCAP))

static uint64_t capabilities_of(const struct service *v)
{
	if (v->s->has_capabilities)
		return v->s->capabilities;
	return v->account.uid == 0 ? ROOT_CAPABILITIES : 0;
}

/* ExecStartPre=: their argvs one behind the other, and how many words of them are each's. */
static int put_before(const struct service *v, struct error *err)
{
	const struct account root = {0};
	size_t words = 0;

	render_limit(v->r, "Before", v->s->before.len);
	for (size_t i = 0; i < v->s->before.len; i++) {
		const struct template_before *b = &v->s->before.ptr[i];
		int e = conf_check_program(v->t, v->tree, key_of(v, "ExecStartPre"), b->argv.ptr[0],
					   b->as_root ? &root : &v->account, err);

		if (e >= 0 && !b->as_root)
			e = file_capability_check(v->tree, b->argv.ptr[0], capabilities_of(v), v->section,
						  "ExecStartPre", err);
		if (e < 0)
			return e;
		render(v->r, "Before", "%s%s%zu", b->may_fail ? "-" : "", b->as_root ? "+" : "", b->argv.len);
		words += b->argv.len;
		render_list(v->r, "BeforeArg", &b->argv);
	}
	render_limit(v->r, "BeforeArg", words);
	return 0;
}

static int put_account(struct service *v, struct error *err)
{
	int e = account_find(v->tree, v->s->user, v->s->group, &v->account, err);

	if (e < 0) {
		_cleanup_free_ char *why = xstrdup(err->text);

		return error_usage(err, "%s %s", v->section, why);
	}
	render(v->r, "Uid", "%u", v->account.uid);
	render(v->r, "Gid", "%u", v->account.gid);
	render_limit(v->r, "GroupId", v->account.group_count);
	for (size_t i = 0; i < v->account.group_count; i++)
		render(v->r, "GroupId", "%u", v->account.groups[i]);
	return 0;
}

static void put_watch(const struct service *v)
{
	const struct template_service *s = v->s;

	if (s->watch_kind == READY_NOTIFY)
		render(v->r, "WatchNotify", "yes");
	else if (s->watch_port)
		render(v->r, "WatchPort", "%u", s->watch_port);
	else
		return;
	if (s->watch_path)
		render(v->r, "WatchPath", "%s", s->watch_path);
	render(v->r, "WatchInterval", "%u", s->watch_interval);
	render(v->r, "WatchTimeout", "%u", s->watch_timeout);
	render(v->r, "WatchFailures", "%u", s->watch_failures);
}

static int put_ready_and_stop(const struct service *v, struct error *err)
{
	const struct template_service *s = v->s;

	if (s->ready_path && strlen(s->ready_path) > ABI_READY_PATH_MAX)
		return error_usage(err, "%s=: the path is longer than %d bytes", key_of(v, "Ready"),
				   ABI_READY_PATH_MAX);
	if (s->watch_path && strlen(s->watch_path) > ABI_READY_PATH_MAX)
		return error_usage(err, "%s=: the path is longer than %d bytes", key_of(v, "Watch"),
				   ABI_READY_PATH_MAX);
	render(v->r, "ReadyPort", "%u", s->ready_port);
	if (s->ready_path)
		render(v->r, s->ready_kind == READY_FILE ? "ReadyFile" : "ReadyPath", "%s", s->ready_path);
	if (s->ready_kind == READY_NOTIFY)
		render(v->r, "ReadyNotify", "yes");
	put_watch(v);
	render(v->r, "ReadyTimeout", "%u", s->ready_timeout);
	render(v->r, "StopSignal", "%d", s->stop_signal);
	render(v->r, "StopTimeout", "%u", s->stop_timeout);
	return 0;
}

static void put_rights(const struct service *v)
{
	const struct template_service *s = v->s;

	render(v->r, "Capabilities", "%ju", (uintmax_t)capabilities_of(v));
	render(v->r, "NewPrivileges", "%s", s->new_privileges ? "yes" : "no");
	if (s->memory_max)
		render(v->r, "MemoryMax", "%ju", (uintmax_t)s->memory_max);
	if (s->tasks_max)
		render(v->r, "TasksMax", "%ju", (uintmax_t)s->tasks_max);
	for (int i = 0; i < LIMIT_COUNT; i++)
		if (s->limits[i].set)
			render(v->r, "Limit", "%d %ju %ju", i, (uintmax_t)s->limits[i].soft,
			       (uintmax_t)s->limits[i].hard);
}

static void put_system_calls(const struct service *v)
{
	const struct template_service *s = v->s;
	_cleanup_free_ char *text = NULL;

	if (!s->system_calls.len)
		return;
	text = system_calls_text(&s->system_calls, v->t->appliance.arch == ARCH_ARM64, s->system_call_error);
	render(v->r, "SystemCalls", "%s", text);
}

static void put_restart(const struct service *v)
{
	static const char *const policies[] = {
		[RESTART_NO] = "no", [RESTART_ON_FAILURE] = "on-failure", [RESTART_ALWAYS] = "always"};

	if (v->s->restart == RESTART_NO)
		return;
	render(v->r, "Restart", "%s", policies[v->s->restart]);
	render(v->r, "RestartLimit", "%u", v->s->restart_limit);
	render(v->r, "RestartWindow", "%u", v->s->restart_window);
}

/* Of the image, or of what the machine writes below /run. */
static int put_env_files(const struct service *v, struct error *err)
{
	for (size_t i = 0; i < v->s->env_files.len; i++) {
		const char *said = v->s->env_files.ptr[i], *path = said + (*said == '-');
		bool may_miss = *said == '-' || strncmp(path, "/run/", 5) == 0;
		const struct tree_entry *e = tree_resolve(v->tree, path);
		bool there = e && S_ISREG(e->mode);
		int r;

		if (!there && !may_miss)
			return error_usage(
				err,
				"%s=: '%s' is not a file of the image; put '-' in front when it need "
				"not be there",
				key_of(v, "EnvironmentFile"), path);
		r = there ? conf_check_env_file(v->tree, e, key_of(v, "EnvironmentFile"), path, err) : 0;
		if (r < 0)
			return r;
		render(v->r, "EnvFile", "%s", said);
	}
	render_limit(v->r, "EnvFile", v->s->env_files.len);
	return 0;
}

static int put_service(struct service *v, struct error *err)
{
	const struct template_service *s = v->s;
	int e;

	render(v->r, "Service", "%s", s->name);
	render_list(v->r, "After", &s->after);
	render_list(v->r, "Arg", &s->exec);
	e = put_account(v, err);
	if (e >= 0)
		e = put_before(v, err);
	if (e >= 0)
		e = conf_check_program(v->t, v->tree, key_of(v, "Exec"), s->exec.ptr[0], &v->account, err);
	if (e >= 0)
		e = file_capability_check(v->tree, s->exec.ptr[0], capabilities_of(v), v->section, "Exec",
					  err);
	if (e < 0)
		return e;
	render_list(v->r, "Env", &s->environment);
	e = conf_check_directory(v->tree, key_of(v, "WorkingDirectory"), s->working_directory, err);
	if (e < 0)
		return e;
	render(v->r, "WorkingDirectory", "%s", s->working_directory);
	e = put_env_files(v, err);
	if (e < 0)
		return e;
	put_rights(v);
	put_system_calls(v);
	put_restart(v);
	return put_ready_and_stop(v, err);
}

int conf_put_services(struct render *r, const struct template *t, const struct compose_result *c,
		      struct error *err)
{
	const struct template_service *order[SERVICE_LIMIT];
	size_t len = template_services(t, order);

	for (size_t i = 0; i < len; i++) {
		struct service v = {.r = r, .t = t, .s = order[i], .tree = c->tree};
		int e;

		if (order[i]->line)
			snprintf(v.section, sizeof(v.section), "[Service %s]", order[i]->name);
		else
			snprintf(v.section, sizeof(v.section), "[Init]");
		for (size_t j = 0; j < order[i]->after.len; j++)
			if (!t->init.app.exec.len && strcmp(order[i]->after.ptr[j], SERVICE_MAIN) == 0)
				return error_usage(err, "%s=main: [Init] has no Exec=", key_of(&v, "After"));
		e = put_service(&v, err);
		account_free(&v.account);
		if (e < 0)
			return e;
	}
	return 0;
}
