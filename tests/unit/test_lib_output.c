/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *below(void **state, const char *name)
{
	return xasprintf("%s/%s", (char *)*state, name);
}

/* Names in the directory, without "." and "..". */
static unsigned count(void **state)
{
	_cleanup_closedir_ DIR *d = opendir(*state);
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	return n - 2;
}

static void assert_content(const char *path, const char *text)
{
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;

	assert_int_equal(io_read_file(AT_FDCWD, path, 1 << 20, &b, &err), 0);
	assert_string_equal(b.ptr ? b.ptr : "", text);
}

static void test_commit(void **state)
{
	_cleanup_free_ char *path = below(state, "out");
	_cleanup_output_ struct output out = OUTPUT_INIT;
	struct error err = ERROR_INIT;
	struct stat st;

	umask(022);
	assert_int_equal(output_open(path, &out, &err), 0);
	assert_int_equal(io_write_full(out.fd, path, "new", 3, &err), 0);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(output_commit(&out, true, &err), 0);
	assert_int_equal(out.fd, -1);
	assert_content(path, "new");
	assert_int_equal(count(state), 1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
}

static void test_check(void **state)
{
	_cleanup_free_ char *path = below(state, "out"), *nowhere = below(state, "none/out");
	struct error err = ERROR_INIT;

	assert_int_equal(output_check(NULL, &err), 0);
	assert_int_equal(output_check(path, &err), 0);
	assert_int_equal(count(state), 0);
	assert_int_equal(output_check(nowhere, &err), -ENOENT);
	assert_int_equal(output_check(*state, &err), -EISDIR);
}

static void test_replaces_only_at_commit(void **state)
{
	_cleanup_free_ char *path = below(state, "out");
	struct error err = ERROR_INIT;
	struct output out = OUTPUT_INIT;

	assert_int_equal(output_write_file(path, "old", 3, &err), 0);
	assert_int_equal(output_open(path, &out, &err), 0);
	assert_int_equal(io_write_full(out.fd, path, "new", 3, &err), 0);
	assert_content(path, "old");
	output_abort(&out);
	assert_content(path, "old");
	assert_int_equal(count(state), 1);
	assert_int_equal(output_write_file(path, "newer", 5, &err), 0);
	assert_content(path, "newer");
	assert_int_equal(count(state), 1);
	output_abort(&out); /* twice does no harm */
}

static void test_killed_process_leaves_nothing(void **state)
{
	_cleanup_free_ char *path = below(state, "out");
	struct error err = ERROR_INIT;
	struct output out = OUTPUT_INIT;
	pid_t pid = fork();

	if (pid == 0) {
		if (output_open(path, &out, &err) < 0 || io_write_full(out.fd, path, "half", 4, &err) < 0 ||
		    out.temp)
			_exit(out.temp ? 77 : 1);
		(void)raise(SIGKILL);
	}
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip(); /* no O_TMPFILE in the file system of /tmp */
	assert_true(WIFSIGNALED(status));
	assert_int_equal(count(state), 0);
}

/* What a killed process with our number may have left does not stand in the way. */
static void test_left_over_names(void **state)
{
	_cleanup_free_ char *path = below(state, "out"),
			    *left = xasprintf("%s.%ld-0.part", path, (long)getpid());
	_cleanup_close_ int fd = open(left, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	struct error err = ERROR_INIT;

	assert_true(fd >= 0);
	assert_int_equal(output_write_file(path, "new", 3, &err), 0);
	assert_content(path, "new");
	assert_int_equal(count(state), 2);
}

static void test_full_disk(void **state)
{
	_cleanup_free_ char *path = below(state, "out"), *big = xcalloc(1, 200000);
	struct error err = ERROR_INIT;
	struct rlimit old, small;

	assert_int_equal(output_write_file(path, "old", 3, &err), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = (struct rlimit){.rlim_cur = 65536, .rlim_max = old.rlim_max};
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(output_write_file(path, big, 200000, &err), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_contains(err.text, "/out: larger than the file system or 'ulimit -f' allows");
	assert_content(path, "old");
	assert_int_equal(count(state), 1);
}

static void test_impossible_places(void **state)
{
	_cleanup_free_ char *none = below(state, "none/out"), *file = below(state, "f"),
			    *under = below(state, "f/out");
	struct output out = OUTPUT_INIT;
	struct error err = ERROR_INIT;

	assert_int_equal(output_open(none, &out, &err), -ENOENT);
	assert_contains(err.text, "/none: creating a file there: No such file or directory");
	assert_int_equal(output_write_file(file, "", 0, &err), 0);
	assert_int_equal(output_open(under, &out, &err), -ENOTDIR);
	assert_int_equal(output_open(*state, &out, &err), -EISDIR);
	assert_contains(err.text, ": is a directory, a file was to be written there");
	assert_int_equal(out.fd, -1);
	assert_null(out.path);
}

/* The directory is taken away while the file is written. */
static void test_commit_fails(void **state)
{
	_cleanup_free_ char *dir = below(state, "d"), *path = below(state, "d/out");
	_cleanup_output_ struct output out = OUTPUT_INIT;
	struct error err = ERROR_INIT;

	assert_int_equal(mkdir(dir, 0755), 0);
	assert_int_equal(output_open(path, &out, &err), 0);
	assert_int_equal(io_remove_tree(dir, &err), 0);
	assert_int_equal(output_commit(&out, false, &err), -ENOENT);
	assert_int_equal(count(state), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_dir(test_commit),
		unit_test_in_dir(test_check),
		unit_test_in_dir(test_replaces_only_at_commit),
		unit_test_in_dir(test_killed_process_leaves_nothing),
		unit_test_in_dir(test_left_over_names),
		unit_test_in_dir(test_full_disk),
		unit_test_in_dir(test_impossible_places),
		unit_test_in_dir(test_commit_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
