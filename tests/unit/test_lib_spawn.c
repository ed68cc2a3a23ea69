/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/interrupt.h"
#include "lib/log.h"
#include "lib/spawn.h"

#define SECOND 1000000000ull

#define SH(script) ((const char *const[]){"sh", "-c", (script), NULL})

/* Runs it, and returns what it wrote to standard output. */
static char *output_of(const struct spawn *spec)
{
	struct spawn s = *spec;
	struct error err = ERROR_INIT;
	struct buf b = {0};

	s.output = &b;
	if (spawn_run(&s, &err) < 0)
		fail_msg("%s", err.text);
	return buf_steal(&b);
}

static void assert_fails(const struct spawn *s, int code, const char *message)
{
	struct error err = ERROR_INIT;

	assert_int_equal(spawn_run(s, &err), code);
	assert_string_equal(err.text, message);
	assert_int_equal(err.exit, EXIT_FAILED);
}

static void test_output(void **state)
{
	_cleanup_free_ char *text = output_of(&(struct spawn){.argv = SH("echo out; echo err >&2")});

	(void)state;
	assert_string_equal(text, "out\n");
}

static void add_line(const char *line, void *data)
{
	buf_printf(data, "<%s>", line);
}

static void test_log_and_lines(void **state)
{
	_cleanup_buf_ struct buf log = {0}, lines = {0};
	struct spawn s = {
		.argv = SH("printf 'a\\n\\nb' >&2"), .log = &log, .on_line = add_line, .data = &lines};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(spawn_run(&s, &err), 0);
	assert_string_equal(log.ptr, "a\n\nb");
	assert_string_equal(lines.ptr, "<a><><b>");
}

static void count_line(const char *line, void *data)
{
	if (strlen(line) == 99)
		++*(unsigned *)data;
}

static void test_long_log_is_cut_at_its_start(void **state)
{
	_cleanup_buf_ struct buf log = {0};
	unsigned lines = 0;
	struct spawn s = {
		.argv = SH("i=0; while [ $i -lt 5000 ]; do printf '%099d\\n' $i; i=$((i+1)); done >&2"),
		.log = &log,
		.on_line = count_line,
		.data = &lines};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(spawn_run(&s, &err), 0);
	assert_int_equal(lines, 5000);
	assert_true(log.len >= 65536 && log.len <= 2 * 65536 + 8192);
	assert_string_equal(log.ptr + log.len - 6, "04999\n");
}

static void test_endless_line(void **state)
{
	_cleanup_buf_ struct buf log = {0};
	struct spawn s = {.argv = SH("head -c 1000000 /dev/zero | tr '\\0' x >&2"), .log = &log};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(spawn_run(&s, &err), 0);
	assert_true(log.len >= 65536 && log.len <= 2 * 65536 + 8192);
}

static void test_output_is_limited(void **state)
{
	_cleanup_buf_ struct buf b = {0};

	(void)state;
	assert_fails(&(struct spawn){.argv = SH("exec cat /dev/zero"), .output = &b}, -EFBIG,
		     "'sh' wrote more than 16777216 bytes");
}

static void test_big_output(void **state)
{
	_cleanup_buf_ struct buf b = {0};
	struct spawn s = {.argv = SH("head -c 5000000 /dev/zero; echo end >&2"), .output = &b};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(spawn_run(&s, &err), 0);
	assert_int_equal(b.len, 5000000);
}

/* ---- failures ---- */

static void test_missing_program(void **state)
{
	(void)state;
	assert_fails(
		&(struct spawn){.argv = (const char *const[]){"no-such-program", NULL}, .package = "nsp"},
		-ENOENT, "'no-such-program' is not installed (apt-get install nsp)");
	assert_fails(&(struct spawn){.argv = (const char *const[]){"/no/such/program", NULL}}, -ENOENT,
		     "'/no/such/program' is not installed");
	assert_false(spawn_available("no-such-program"));
	assert_true(spawn_available("sh"));
	assert_true(spawn_available("/bin/sh"));
}

static void test_program_that_does_not_start(void **state)
{
	_cleanup_free_ char *path = xasprintf("%s/p", (char *)*state), *message = NULL;
	const char *argv[] = {path, NULL};
	struct error err = ERROR_INIT;

	assert_int_equal(output_write_file(path, "#!/no/such/interpreter\n", 23, &err), 0);
	assert_int_equal(chmod(path, 0755), 0);
	message = xasprintf("starting '%s': No such file or directory", path);
	assert_fails(&(struct spawn){.argv = argv}, -ENOENT, message);
	assert_fails(&(struct spawn){.argv = SH("true"), .cwd = "/no/such"}, -ENOENT,
		     "starting 'sh' in the directory '/no/such': No such file or directory");
}

static void test_exit_code(void **state)
{
	(void)state;
	assert_fails(&(struct spawn){.argv = SH("echo first >&2; echo 'E: no space' >&2; echo >&2; exit 7")},
		     -EPIPE, "'sh' failed with exit code 7: E: no space");
	assert_fails(&(struct spawn){.argv = SH("exit 127")}, -EPIPE, "'sh' failed with exit code 127");
}

static void test_signal(void **state)
{
	(void)state;
	assert_fails(&(struct spawn){.argv = SH("echo oops >&2; kill -KILL $$")}, -EPIPE,
		     "'sh' was killed by signal 9 (Killed): oops");
}

/* ---- time ---- */

static void test_timeout(void **state)
{
	uint64_t start = clock_ns();

	(void)state;
	assert_fails(&(struct spawn){.argv = SH("sleep 100"), .timeout_ns = SECOND / 4}, -ETIMEDOUT,
		     "'sh' did not end within 0.25 s");
	assert_true(clock_ns() - start < 60 * SECOND);
}

/* Its streams say nothing about whether it runs. */
static void test_timeout_of_a_silent_program(void **state)
{
	uint64_t start = clock_ns();

	(void)state;
	assert_fails(&(struct spawn){.argv = SH("exec sleep 100 >/dev/null 2>&1"), .timeout_ns = SECOND / 4},
		     -ETIMEDOUT, "'sh' did not end within 0.25 s");
	assert_true(clock_ns() - start < 60 * SECOND);
}

/* The program gets its time to clean up, and can still write. */
static void test_timeout_lets_it_clean_up(void **state)
{
	_cleanup_buf_ struct buf log = {0};
	struct spawn s = {.argv = SH("trap 'head -c 300000 /dev/zero >&2; echo clean >&2; exit 1' TERM; "
				     "sleep 100 & wait"),
			  .timeout_ns = SECOND / 2,
			  .log = &log};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(spawn_run(&s, &err), -ETIMEDOUT);
	assert_true(log.len > 6);
	assert_string_equal(log.ptr + log.len - 6, "clean\n");
}

/* A daemon that keeps the pipes does not keep us. */
static void test_what_is_left_behind(void **state)
{
	_cleanup_free_ char *text = NULL;
	uint64_t start = clock_ns();
	pid_t left;

	(void)state;
	text = output_of(&(struct spawn){.argv = SH("sleep 100 & echo $!")});
	assert_true(clock_ns() - start < 60 * SECOND);
	left = (pid_t)strtol(text, NULL, 10);
	assert_true(left > 1);
	/* It was in the group, so it is gone (or a zombie that waits for init). */
	for (int i = 0; i < 100 && kill(left, 0) == 0; i++) {
		_cleanup_free_ char *stat_path = xasprintf("/proc/%d/stat", (int)left);
		_cleanup_buf_ struct buf b = {0};
		struct error err = ERROR_INIT;

		if (io_read_file(AT_FDCWD, stat_path, 4096, &b, &err) < 0 || strstr(b.ptr, ") Z "))
			return;
		usleep(20000);
	}
	assert_int_not_equal(kill(left, 0), 0);
}

/* Still in the group when its parent ends, as HAProxy may be. */
/* It writes as fast as it is read: there is always more. */
static void test_what_is_left_behind_and_writes(void **state)
{
	const struct spawn s = {.argv = SH("yes >&2 & echo done"), .timeout_ns = 60 * SECOND};
	_cleanup_free_ char *text = output_of(&s);

	(void)state;
	assert_string_equal(text, "done\n");
}

static void test_daemon_that_has_not_left_yet(void **state)
{
	_cleanup_free_ char *text =
		output_of(&(struct spawn){.argv = SH("sleep 100 & echo $!"), .daemon = true});
	pid_t left = (pid_t)strtol(text, NULL, 10);
	_cleanup_free_ char *stat_path = xasprintf("/proc/%d/stat", (int)left);
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;

	(void)state;
	assert_true(left > 1);
	usleep(50000);
	assert_int_equal(io_read_file(AT_FDCWD, stat_path, 4096, &b, &err), 0);
	assert_null(strstr(b.ptr, ") Z "));
	assert_int_equal(kill(left, SIGKILL), 0);
}

static void test_daemon_that_left_the_group(void **state)
{
	_cleanup_free_ char *text = NULL;
	uint64_t start = clock_ns();
	pid_t left;

	(void)state;
	if (!spawn_available("setsid"))
		skip();
	text = output_of(&(struct spawn){.argv = SH("setsid sleep 100 & echo $!")});
	assert_true(clock_ns() - start < 60 * SECOND);
	left = (pid_t)strtol(text, NULL, 10);
	assert_true(left > 1);
	(void)kill(left, SIGKILL);
}

static void test_no_time_is_lost(void **state)
{
	uint64_t start = clock_ns();
	struct error err = ERROR_INIT;

	(void)state;
	for (int i = 0; i < 200; i++)
		assert_int_equal(spawn_run(&(struct spawn){.argv = SH("exit 0")}, &err), 0);
	assert_true(clock_ns() - start < 60 * SECOND);
}

/* ---- what the child gets ---- */

static void test_environment(void **state)
{
	static const char *const env[] = {"UNIT_A=new", "UNIT_C=c", NULL};
	static const char *const locale[] = {"LC_ALL=C.UTF-8", NULL};
	_cleanup_free_ char *plain = NULL, *own = NULL;

	(void)state;
	setenv("UNIT_A", "old", 1);
	setenv("UNIT_B", "kept", 1);
	setenv("LC_ALL", "de_DE.UTF-8", 1);
	plain = output_of(&(struct spawn){
		.argv = SH("echo $UNIT_A $UNIT_B $UNIT_C $LC_ALL; env | grep -c ^UNIT_A"), .env = env});
	assert_string_equal(plain, "new kept c C\n1\n");
	own = output_of(&(struct spawn){.argv = SH("echo $LC_ALL; env | grep -c ^LC_ALL"), .env = locale});
	assert_string_equal(own, "C.UTF-8\n1\n");
	unsetenv("LC_ALL");
}

static void test_working_directory(void **state)
{
	_cleanup_free_ char *text = output_of(&(struct spawn){.argv = SH("pwd -P"), .cwd = "/usr"});

	(void)state;
	assert_string_equal(text, "/usr\n");
}

static void test_arguments_are_not_interpreted(void **state)
{
	const char *argv[] = {"printf", "%s|", "a b", "$HOME", "*", "'", "", NULL};
	_cleanup_free_ char *text = output_of(&(struct spawn){.argv = argv});

	(void)state;
	assert_string_equal(text, "a b|$HOME|*|'||");
}

static void test_streams(void **state)
{
	_cleanup_free_ char *in = xasprintf("%s/in", (char *)*state),
			    *out = xasprintf("%s/out", (char *)*state);
	_cleanup_free_ char *empty = NULL;
	_cleanup_close_ int in_fd = -EBADF, out_fd = -EBADF;
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;

	assert_int_equal(output_write_file(in, "words", 5, &err), 0);
	in_fd = open(in, O_RDONLY | O_CLOEXEC);
	out_fd = open(out, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(
		spawn_run(&(struct spawn){.argv = SH("cat"), .stdin_fd = in_fd, .stdout_fd = out_fd}, &err),
		0);
	assert_int_equal(io_read_file(AT_FDCWD, out, 100, &b, &err), 0);
	assert_string_equal(b.ptr, "words");
	empty = output_of(&(struct spawn){.argv = SH("cat")}); /* /dev/null */
	assert_string_equal(empty, "");
}

static void test_no_descriptor_is_inherited(void **state)
{
	const char *argv[] = {"ls", "/proc/self/fd", NULL};
	int leak = fcntl(2, F_DUPFD, 50); /* not marked close-on-exec */
	_cleanup_free_ char *text = output_of(&(struct spawn){.argv = argv});

	(void)state;
	assert_true(leak >= 50);
	assert_string_equal(text, "0\n1\n2\n3\n"); /* 3 is the directory that is being listed */
	(void)close(leak);
}

static unsigned open_descriptors(void)
{
	_cleanup_closedir_ DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	return n;
}

static void test_none_of_ours_is_leaked(void **state)
{
	unsigned before = open_descriptors();
	struct error err = ERROR_INIT;
	struct buf b = {0};

	(void)state;
	(void)spawn_run(&(struct spawn){.argv = SH("echo x"), .output = &b}, &err);
	(void)spawn_run(&(struct spawn){.argv = SH("exit 1"), .output = &b}, &err);
	(void)spawn_run(&(struct spawn){.argv = SH("true"), .cwd = "/no/such", .output = &b}, &err);
	(void)spawn_run(&(struct spawn){.argv = SH("sleep 9"), .timeout_ns = 1, .output = &b}, &err);
	buf_free(&b);
	assert_int_equal(open_descriptors(), before);
}

/* "mkappliance >&-": pipes get the numbers of the standard streams. */
static void test_with_closed_streams(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		struct buf b = {0}, log = {0};
		struct error err = ERROR_INIT;
		int r;

		(void)close(0);
		(void)close(1);
		(void)close(2);
		r = spawn_run(
			&(struct spawn){.argv = SH("echo out; echo err >&2"), .output = &b, .log = &log},
			&err);
		_exit(r < 0					  ? 10
		      : !b.ptr || strcmp(b.ptr, "out\n") != 0	  ? 11
		      : !log.ptr || strcmp(log.ptr, "err\n") != 0 ? 12
								  : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_signals_are_default(void **state)
{
	_cleanup_free_ char *text = NULL;

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	text = output_of(
		&(struct spawn){.argv = SH("grep -E '^Sig(Ign|Blk)' /proc/self/status | cut -f2 | sort -u")});
	assert_string_equal(text, "0000000000000000\n");
}

/* ---- Ctrl-C ---- */

static void test_interrupt(void **state)
{
	struct error err = ERROR_INIT;
	uint64_t start = clock_ns();

	(void)state;
	interrupt_setup();
	assert_int_equal(spawn_run(&(struct spawn){.argv = SH("kill -INT $PPID; sleep 100")}, &err), -EINTR);
	assert_string_equal(err.text, "interrupted");
	assert_true(interrupt_pending());
	assert_int_equal(interrupt_signal(), SIGINT);
	assert_true(clock_ns() - start < 60 * SECOND);
	interrupt_clear();
	assert_false(interrupt_pending());
	assert_int_equal(spawn_run(&(struct spawn){.argv = SH("true")}, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_output),
		cmocka_unit_test(test_log_and_lines),
		cmocka_unit_test(test_long_log_is_cut_at_its_start),
		cmocka_unit_test(test_endless_line),
		cmocka_unit_test(test_output_is_limited),
		cmocka_unit_test(test_big_output),
		cmocka_unit_test(test_missing_program),
		unit_test_in_dir(test_program_that_does_not_start),
		cmocka_unit_test(test_exit_code),
		cmocka_unit_test(test_signal),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_timeout_of_a_silent_program),
		cmocka_unit_test(test_timeout_lets_it_clean_up),
		cmocka_unit_test(test_what_is_left_behind),
		cmocka_unit_test(test_what_is_left_behind_and_writes),
		cmocka_unit_test(test_daemon_that_has_not_left_yet),
		cmocka_unit_test(test_daemon_that_left_the_group),
		cmocka_unit_test(test_no_time_is_lost),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_working_directory),
		cmocka_unit_test(test_arguments_are_not_interpreted),
		unit_test_in_dir(test_streams),
		cmocka_unit_test(test_no_descriptor_is_inherited),
		cmocka_unit_test(test_none_of_ours_is_leaked),
		cmocka_unit_test(test_with_closed_streams),
		cmocka_unit_test(test_signals_are_default),
		cmocka_unit_test(test_interrupt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
