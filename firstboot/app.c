/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app.h"
#include "capability.h"
#include "cgroup.h"
#include "envfile.h"
#include "file.h"
#include "filter.h"
#include "health.h"
#include "image/abi.h"
#include "metadata.h"

#define DEFAULT_PATH  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define DEFAULT_HOME  "HOME=/"
#define ENV_FILE_VARS 256 /* of all files of EnvFile= */

/* What the child tells when it does not get as far as the application. */
struct app_failure {
	int error; /* errno; 0: the step says it all */
	char step[160];
};

static const char *app_vars[CONF_LIST_MAX + ENV_FILE_VARS + 3 + HEALTH_ENV_MAX + METADATA_ENV_MAX];
static struct env app_env = {.ptr = app_vars, .max = sizeof app_vars / sizeof app_vars[0] - 1};
static char app_text[ENVFILE_SIZE + 2]; /* of all files of EnvFile= */
static size_t app_text_len;

/* In the child: the step that failed, with errno. */
static const char *env_file_failed(const char *path, const char *what, int error)
{
	static struct line step;

	line_printf(&step, "EnvironmentFile=%s%s", path, what);
	errno = error;
	return step.text;
}

/* One file of EnvFile=, @fd. Returns NULL, or what failed, with errno. */
static const char *take_env_file(int fd, const char *path)
{
	char *text = app_text + app_text_len;
	size_t room = ENVFILE_SIZE - app_text_len, len = 0;
	struct line what = {.len = 0};
	struct stat st;
	unsigned number;
	ssize_t n;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return env_file_failed(path, " is no file", 0);
	do {
		n = read(fd, text + len, room - len);
		len += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	if (n < 0)
		return env_file_failed(path, "", errno);
	if (len == room)
		return env_file_failed(path, "", EFBIG);
	number = envfile_parse(text, len, &app_env);
	if (number) {
		line_printf(&what, ": line %u is not NAME=value, or one variable too many", number);
		return env_file_failed(path, what.text, 0);
	}
	app_text_len += len + 1;
	return NULL;
}

/* The same by its name, which may have '-' in front. */
static const char *load_env_file(const char *path)
{
	bool may_miss = *path == '-';
	const char *step;
	int fd;

	path += may_miss;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return may_miss && errno == ENOENT ? NULL : env_file_failed(path, "", errno);
	step = take_env_file(fd, path);
	close(fd);
	return step;
}

/* Env=, what stands in the files of EnvFile=, and what every program expects. In the child: it is the child's memory. */
static const char *make_env(const struct conf_service *c)
{
	const char *step = NULL;

	for (size_t i = 0; i < c->env.len; i++)
		(void)env_set(&app_env, c->env.ptr[i]);
	for (size_t i = 0; i < c->env_files.len && !step; i++)
		step = load_env_file(c->env_files.ptr[i]);
	/* What the template says of a variable stands above the user data. */
	for (const char *const *v = metadata_env(); *v && !step; v++)
		if (!env_has(&app_env, *v))
			(void)env_set(&app_env, *v);
	if (!env_has(&app_env, DEFAULT_PATH))
		(void)env_set(&app_env, DEFAULT_PATH);
	if (!env_has(&app_env, DEFAULT_HOME))
		(void)env_set(&app_env, DEFAULT_HOME);
	for (unsigned i = 0; i < HEALTH_ENV_MAX; i++)
		if (health_env(c, i))
			(void)env_set(&app_env, health_env(c, i));
	return step;
}

static int set_groups(const struct conf_service *c)
{
	gid_t groups[CONF_LIST_MAX];

	for (size_t i = 0; i < c->groups.len; i++) {
		uint64_t v = 0;

		(void)conf_number(c->groups.ptr[i], 0, UINT32_MAX, &v); /* checked by conf_parse() */
		groups[i] = (gid_t)v;
	}
	return setgroups(c->groups.len, groups);
}

static int set_stdio(int output)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
		return -1;
	return 0;
}

static int set_signals(void)
{
	sigset_t none;

	(void)sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL);
}

/* As systemd gives a service: a soft limit that select(2) can live with, and a hard one to grow to. Limit= says others. */
static int set_limits(const struct conf_service *c)
{
	struct rlimit l = {.rlim_cur = 1024, .rlim_max = 524288};
	uint64_t soft, hard;
	int resource;

	if (setrlimit(RLIMIT_NOFILE, &l) < 0)
		return -1;
	for (size_t i = 0; i < c->limits.len; i++) {
		(void)conf_limit(c->limits.ptr[i], &resource, &soft, &hard); /* checked by conf_parse() */
		l = (struct rlimit){.rlim_cur = soft, .rlim_max = hard};
		if (setrlimit(resource, &l) < 0)
			return -1;
	}
	return 0;
}

/* User, groups and capabilities. Returns NULL, or the step that failed, with errno. */
static const char *become_user(const struct conf_service *c)
{
	if (capability_bound(c->capabilities) < 0)
		return "Capabilities= (bounding set)";
	if (set_groups(c) < 0 || setgid((gid_t)c->gid) < 0 || setuid((uid_t)c->uid) < 0)
		return "user and groups";
	if (capability_set(c->capabilities) < 0)
		return "Capabilities=";
	return NULL;
}

/* In the child. Returns the step that failed, with errno. */
static const char *become_app(const struct conf_service *c, const struct app_program *program, int output)
{
	union {
		const char *const *constant;
		char *const *plain; /* execve(2) does not change them, POSIX only declares it so */
	} args = {.constant = program->argv}, env;
	const char *step;

	if (setsid() < 0)
		return "a new session";
	if (cgroup_enter(c->name) < 0)
		return "its control group";
	if (set_stdio(output) < 0)
		return "standard input and output";
	if (set_limits(c) < 0)
		return "limits";
	step = make_env(c);
	if (step)
		return step;
	env.constant = app_env.ptr;
	if (chdir(c->working_directory) < 0)
		return "WorkingDirectory=";
	step = program->as_root ? NULL : become_user(c);
	if (step)
		return step;
	if (!c->new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return "no_new_privs";
	if (set_signals() < 0)
		return "signals";
	/* Last: what follows is only what every filter lets pass. */
	if (c->system_calls && !program->as_root && filter_enter(c->system_calls) < 0)
		return "SystemCallFilter=";
	(void)execve(program->argv[0], args.plain, env.plain);
	return "execve";
}

static _Noreturn void app_child(const struct conf_service *c, const struct app_program *program, int output,
				int status)
{
	struct app_failure f = {.error = 0};
	const char *step = become_app(c, program, output);

	f.error = errno;
	for (size_t i = 0; i < sizeof f.step - 1 && step[i]; i++)
		f.step[i] = step[i];
	(void)file_write(status, (const char *)&f, sizeof f);
	_exit(127);
}

/* Waits for the child to become the application: then the status pipe closes without a word. */
static int wait_exec(const struct app_program *program, pid_t pid, int status, struct line *why)
{
	struct app_failure f = {.error = 0};
	ssize_t n;

	do
		n = read(status, &f, sizeof f);
	while (n < 0 && errno == EINTR);
	close(status);
	if (n == 0)
		return 0;
	(void)waitpid(pid, NULL, 0);
	f.step[sizeof f.step - 1] = '\0';
	line_printf(why, "%s: %s", program->argv[0], f.step);
	if (f.error)
		line_printf(why, ": %s", strerror(f.error));
	return -1;
}

/* Two pipes: for the output, whose write end belongs to the program, and for the status. */
static int make_pipes(const struct conf_service *c, const struct app_program *program, int output[2],
		      int status[2])
{
	if (pipe2(output, O_CLOEXEC) < 0)
		return -1;
	if (pipe2(status, O_CLOEXEC) < 0) {
		close(output[0]);
		close(output[1]);
		return -1;
	}
	/* So that it can open /dev/stdout as another user than root. */
	if (fchown(output[1], program->as_root ? 0 : (uid_t)c->uid, program->as_root ? 0 : (gid_t)c->gid) ==
		    0 &&
	    fcntl(output[0], F_SETFL, O_NONBLOCK) == 0)
		return 0;
	close(output[0]);
	close(output[1]);
	close(status[0]);
	close(status[1]);
	return -1;
}

int app_start(const struct conf_service *c, const struct app_program *program, struct child *ret,
	      struct output *ret_output, struct line *why)
{
	int output[2], status[2];
	pid_t pid;

	if (make_pipes(c, program, output, status) < 0) {
		line_printf(why, "pipes for its output: %s", strerror(errno));
		return -1;
	}
	pid = fork();
	if (pid == 0)
		app_child(c, program, output[1], status[1]);
	if (pid < 0)
		line_printf(why, "fork: %s", strerror(errno));
	close(output[1]);
	close(status[1]);
	if (pid < 0)
		close(status[0]);
	if (pid < 0 || wait_exec(program, pid, status[0], why) < 0) {
		close(output[0]);
		return -1;
	}
	child_add(ret, pid);
	out_open(ret_output, output[0]);
	return 0;
}
