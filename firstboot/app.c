/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app.h"
#include "file.h"
#include "health.h"
#include "image/abi.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define DEFAULT_HOME "HOME=/"

/* What the child tells when it does not get as far as the application. */
struct app_failure {
	int error; /* errno */
	char step[28];
};

static const char *app_env[CONF_LIST_MAX + 3 + HEALTH_ENV_MAX];

static bool env_has(const struct conf_service *c, const char *assignment)
{
	size_t len = (size_t)(strchr(assignment, '=') - assignment) + 1;

	for (size_t i = 0; i < c->env.len; i++)
		if (strncmp(c->env.ptr[i], assignment, len) == 0)
			return true;
	return false;
}

/* Env= and what every program expects. */
static void make_env(const struct conf_service *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->env.len; i++)
		app_env[n++] = c->env.ptr[i];
	if (!env_has(c, DEFAULT_PATH))
		app_env[n++] = DEFAULT_PATH;
	if (!env_has(c, DEFAULT_HOME))
		app_env[n++] = DEFAULT_HOME;
	for (unsigned i = 0; i < HEALTH_ENV_MAX; i++)
		if (health_env(c, i))
			app_env[n++] = health_env(c, i);
	app_env[n] = NULL;
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

/* As systemd gives a service: a soft limit that select(2) can live with, and a hard one to grow to. */
static int set_limits(void)
{
	struct rlimit files = {.rlim_cur = 1024, .rlim_max = 524288};

	return setrlimit(RLIMIT_NOFILE, &files);
}

/* In the child. Returns the step that failed, with errno. */
static const char *become_app(const struct conf_service *c, const struct app_program *program, int output)
{
	union {
		const char *const *constant;
		char *const *plain; /* execve(2) does not change them, POSIX only declares it so */
	} args = {.constant = program->argv}, env = {.constant = app_env};

	if (setsid() < 0)
		return "a new session";
	if (set_stdio(output) < 0)
		return "standard input and output";
	if (set_limits() < 0)
		return "limits";
	if (chdir(c->working_directory) < 0)
		return "WorkingDirectory=";
	if (!program->as_root &&
	    (set_groups(c) < 0 || setgid((gid_t)c->gid) < 0 || setuid((uid_t)c->uid) < 0))
		return "user and groups";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return "no_new_privs";
	if (set_signals() < 0)
		return "signals";
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
	line_printf(why, "%s: %s: %s", program->argv[0], f.step, strerror(f.error));
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

	make_env(c);
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
