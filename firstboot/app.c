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
#include "console.h"
#include "end.h"
#include "file.h"
#include "image/abi.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define DEFAULT_HOME "HOME=/"
#define OUTPUT_LINE  1000  /* bytes; longer lines are folded */
#define OUTPUT_READ  512   /* bytes at once: on a slow console even as many empty lines take but a moment */
#define OUTPUT_MS    250   /* at a time, so that a flood does not keep us from everything else */
#define REST_MS	     10000 /* for the last words: a full pipe at 115200 baud takes 6 s */

/* What the child tells when it does not get as far as the application. */
struct app_failure {
	int error; /* errno */
	char step[28];
};

static const char *app_env[CONF_LIST_MAX + 3];

static bool env_has(const struct conf *c, const char *assignment)
{
	size_t len = (size_t)(strchr(assignment, '=') - assignment) + 1;

	for (size_t i = 0; i < c->env.len; i++)
		if (strncmp(c->env.ptr[i], assignment, len) == 0)
			return true;
	return false;
}

/* Env= and what every program expects. */
static void make_env(const struct conf *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->env.len; i++)
		app_env[n++] = c->env.ptr[i];
	if (!env_has(c, DEFAULT_PATH))
		app_env[n++] = DEFAULT_PATH;
	if (!env_has(c, DEFAULT_HOME))
		app_env[n++] = DEFAULT_HOME;
	app_env[n] = NULL;
}

static int set_groups(const struct conf *c)
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
static const char *become_app(const struct conf *c, const struct app_program *program, int output)
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

static _Noreturn void app_child(const struct conf *c, const struct app_program *program, int output,
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
static void wait_exec(const char *program, pid_t pid, int status)
{
	struct app_failure f = {.error = 0};
	ssize_t n;

	do
		n = read(status, &f, sizeof f);
	while (n < 0 && errno == EINTR);
	close(status);
	if (n == 0)
		return;
	(void)waitpid(pid, NULL, 0);
	f.step[sizeof f.step - 1] = '\0';
	fail(ABI_FAILED_EXEC, "%s: %s: %s", program, f.step, strerror(f.error));
}

void app_start(const struct conf *c, const struct app_program *program, struct app *ret)
{
	int output[2], status[2];
	pid_t pid;

	make_env(c);
	if (pipe2(output, O_CLOEXEC) < 0 || pipe2(status, O_CLOEXEC) < 0)
		fail(ABI_FAILED_EXEC, "pipes: %s", strerror(errno));
	/* The pipe is the application's, so that it can open /dev/stdout as another user than root. */
	if (fchown(output[1], program->as_root ? 0 : (uid_t)c->uid, program->as_root ? 0 : (gid_t)c->gid) <
		    0 ||
	    fcntl(output[0], F_SETFL, O_NONBLOCK) < 0)
		fail(ABI_FAILED_EXEC, "the pipe for its output: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		fail(ABI_FAILED_EXEC, "fork: %s", strerror(errno));
	if (pid == 0)
		app_child(c, program, output[1], status[1]);
	close(output[1]);
	close(status[1]);
	wait_exec(program->argv[0], pid, status[0]);
	ret->pid = pid;
	ret->output_fd = output[0];
}

static char out_line[sizeof ABI_APP_PREFIX + OUTPUT_LINE + 1] = ABI_APP_PREFIX;
static size_t out_len = sizeof ABI_APP_PREFIX - 1;
static unsigned out_lost;

/*
 * The kernel may put a message of its own, with its line end, into the middle of ours; what follows it then
 * begins a line. So the text that begins a record must not occur in ours at all.
 */
static void out_disarm(void)
{
	static const char prefix[] = ABI_RECORD_PREFIX;
	char *at = out_line;

	while ((at = memmem(at, (size_t)(out_line + out_len - at), prefix, sizeof prefix - 1))) {
		at += sizeof prefix - 1;
		at[-2] = '?'; /* its colon */
	}
}

static void out_flush(void)
{
	struct line lost = {.len = 0};

	out_disarm();
	out_line[out_len++] = '\n';
	if (out_lost && console_ready()) {
		line_printf(&lost, ABI_APP_PREFIX "(%u lines lost: the console is too slow)\n", out_lost);
		if (console_write(lost.text, lost.len) == 0)
			out_lost = 0;
	}
	/* After one line that found no room the others do not wait for it again. */
	if ((out_lost && !console_ready()) || console_write(out_line, out_len) < 0)
		out_lost++;
	out_len = sizeof ABI_APP_PREFIX - 1;
}

/* Control characters could move the cursor and so put text where only records begin. */
static void out_byte(char c)
{
	if (c == '\n') {
		out_flush();
		return;
	}
	if (out_len >= sizeof ABI_APP_PREFIX - 1 + OUTPUT_LINE)
		out_flush();
	out_line[out_len++] = ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f ? '?' : c;
}

void app_forward(struct app *a, bool rest)
{
	uint64_t until = clock_ms() + (rest ? REST_MS : OUTPUT_MS);
	char buf[OUTPUT_READ];
	ssize_t n = -1;

	while (a->output_fd >= 0 && clock_ms() < until) {
		n = read(a->output_fd, buf, sizeof buf);
		if (n <= 0)
			break;
		for (ssize_t k = 0; k < n; k++)
			if (buf[k] != '\r' || k + 1 == n || buf[k + 1] != '\n')
				out_byte(buf[k]);
	}
	if (n == 0 && a->output_fd >= 0) {
		close(a->output_fd);
		a->output_fd = -1;
	}
	if ((rest || a->output_fd < 0) && out_len > sizeof ABI_APP_PREFIX - 1)
		out_flush();
}

void app_close(struct app *a)
{
	if (a->output_fd >= 0)
		close(a->output_fd);
	a->output_fd = -1;
}
