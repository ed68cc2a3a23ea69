/* SPDX-License-Identifier: Apache-2.0 */
/* The keys behind a Service=. */
#include <errno.h>
#include <string.h>

#include "conf_internal.h"
#include "image/abi.h"

static const char *const choices_restart[] = {"no", "on-failure", "always", NULL};
static const char *const choices_privileges[] = {"no", "yes", NULL};

#define AT(field) .offset = offsetof(struct conf_service, field)

static const char *const choices_notify[] = {"no", "yes", NULL};

const struct conf_key conf_service_keys[] = {
	{"After", KIND_TEXTS, MODE_APPLIANCE, AT(after), .optional = true},
	{"Arg", KIND_ARGS, MODE_APPLIANCE, AT(args)},
	{"Before", KIND_BEFORE, MODE_APPLIANCE, AT(before), .optional = true},
	{"BeforeArg", KIND_ARGS, MODE_APPLIANCE, AT(before_args), .optional = true},
	{"Uid", KIND_NUMBER, MODE_APPLIANCE, AT(uid), .min = 0, .max = CONF_ID_MAX},
	{"Gid", KIND_NUMBER, MODE_APPLIANCE, AT(gid), .min = 0, .max = CONF_ID_MAX},
	{"GroupId", KIND_NUMBERS, MODE_APPLIANCE, AT(groups), .min = 0, .max = CONF_ID_MAX, .optional = true},
	{"Env", KIND_ENV, MODE_APPLIANCE, AT(env), .optional = true},
	{"WorkingDirectory", KIND_PATH, MODE_APPLIANCE, AT(working_directory)},
	{"ReadyPort", KIND_NUMBER, MODE_APPLIANCE, AT(ready_port), .min = 0, .max = 65535},
	{"ReadyPath", KIND_PATH, MODE_APPLIANCE, AT(ready_path), .max = ABI_READY_PATH_MAX, .optional = true},
	{"ReadyFile", KIND_PATH, MODE_APPLIANCE, AT(ready_file), .optional = true},
	{"ReadyNotify", KIND_CHOICE, MODE_APPLIANCE, AT(ready_notify), .choices = choices_notify,
	 .optional = true},
	{"WatchPort", KIND_NUMBER, MODE_APPLIANCE, AT(watch_port), .min = 1, .max = 65535, .optional = true},
	{"WatchPath", KIND_PATH, MODE_APPLIANCE, AT(watch_path), .max = ABI_READY_PATH_MAX, .optional = true},
	{"WatchNotify", KIND_CHOICE, MODE_APPLIANCE, AT(watch_notify), .choices = choices_notify,
	 .optional = true},
	{"WatchInterval", KIND_NUMBER, MODE_APPLIANCE, AT(watch_interval), .min = 1, .max = 86400,
	 .optional = true},
	{"WatchTimeout", KIND_NUMBER, MODE_APPLIANCE, AT(watch_timeout), .min = 1, .max = 86400,
	 .optional = true},
	{"WatchFailures", KIND_NUMBER, MODE_APPLIANCE, AT(watch_failures), .min = 1, .max = 1000,
	 .optional = true},
	{"ReadyTimeout", KIND_NUMBER, MODE_APPLIANCE, AT(ready_timeout), .min = 0, .max = 86400},
	{"StopSignal", KIND_NUMBER, MODE_APPLIANCE, AT(stop_signal), .min = 1, .max = 64},
	{"StopTimeout", KIND_NUMBER, MODE_APPLIANCE, AT(stop_timeout), .min = 0, .max = 86400},
	{"Restart", KIND_CHOICE, MODE_APPLIANCE, AT(restart), .choices = choices_restart, .optional = true},
	{"RestartLimit", KIND_NUMBER, MODE_APPLIANCE, AT(restart_limit), .max = 1000000, .optional = true},
	{"RestartWindow", KIND_NUMBER, MODE_APPLIANCE, AT(restart_window), .max = 31536000, .optional = true},
	{"Limit", KIND_LIMIT, MODE_APPLIANCE, AT(limits), .optional = true},
	{"EnvFile", KIND_ENV_FILE, MODE_APPLIANCE, AT(env_files), .optional = true},
	{"Capabilities", KIND_NUMBER, MODE_APPLIANCE, AT(capabilities), .max = UINT64_MAX, .optional = true},
	{"NewPrivileges", KIND_CHOICE, MODE_APPLIANCE, AT(new_privileges), .choices = choices_privileges,
	 .optional = true},
	{"SystemCalls", KIND_FILTER, MODE_APPLIANCE, AT(system_calls), .optional = true},
	{"MemoryMax", KIND_NUMBER, MODE_APPLIANCE, AT(memory_max), .max = UINT64_MAX / 2, .optional = true},
	{"TasksMax", KIND_NUMBER, MODE_APPLIANCE, AT(tasks_max), .max = UINT32_MAX, .optional = true},
	{0},
};

bool conf_before(const char *text, struct conf_before *ret)
{
	uint64_t count;

	*ret = (struct conf_before){.may_fail = *text == '-'};
	text += ret->may_fail;
	ret->as_root = *text == '+';
	text += ret->as_root;
	if (!conf_number(text, 1, CONF_LIST_MAX, &count))
		return false;
	ret->count = (size_t)count;
	return true;
}

/* That each program of Before= has its arguments, beginning with a path, and that none is left over. */
static int conf_check_before(const struct conf_service *s, struct line *detail)
{
	struct conf_before before;
	size_t at = 0;

	for (size_t i = 0; i < s->before.len; i++) {
		(void)conf_before(s->before.ptr[i], &before);
		if (before.count > s->before_args.len - at || s->before_args.ptr[at][0] != '/') {
			line_printf(detail, "Before=%s has no program among BeforeArg=", s->before.ptr[i]);
			return -EINVAL;
		}
		at += before.count;
	}
	if (at == s->before_args.len)
		return 0;
	line_printf(detail, "BeforeArg=%s belongs to no Before=", s->before_args.ptr[at]);
	return -EINVAL;
}

/* Only what is started before can be waited for: so there is no circle. */
static int conf_check_after(const struct conf *conf, struct conf_service *s, struct line *detail)
{
	s->waits_for = 0;
	for (size_t i = 0; i < s->after.len; i++) {
		size_t k = 0;

		while (k < conf->service_count && &conf->services[k] != s &&
		       strcmp(conf->services[k].name, s->after.ptr[i]) != 0)
			k++;
		if (k == conf->service_count || &conf->services[k] == s) {
			line_printf(detail, "After=%s is no Service= before that of '%s'", s->after.ptr[i],
				    s->name);
			return -EINVAL;
		}
		s->waits_for |= UINT32_C(1) << k;
	}
	return 0;
}

/* One way to be ready, one to be watched, and then all of its numbers. */
static int conf_check_health(const struct conf_service *s, struct line *detail)
{
	bool watch = s->watch_port || s->watch_notify;

	if ((s->ready_port != 0) + (s->ready_file != NULL) + s->ready_notify > 1 ||
	    (s->watch_port && s->watch_notify) || (s->watch_path && !s->watch_port) ||
	    (watch ? !s->watch_interval || !s->watch_timeout || !s->watch_failures
		   : s->watch_interval || s->watch_timeout || s->watch_failures)) {
		line_printf(detail, "Ready...= or Watch...= contradict each other");
		return -EINVAL;
	}
	return 0;
}

int conf_check_service(const struct conf *conf, struct conf_service *s, struct line *detail)
{
	int r;

	if (s->args.ptr[0][0] != '/') {
		line_printf(detail, "Arg= does not start with an absolute path");
		return -EINVAL;
	}
	r = conf_check_before(s, detail);
	if (r == 0)
		r = conf_check_health(s, detail);
	return r < 0 ? r : conf_check_after(conf, s, detail);
}
