/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/mem.h"
#include "vm/serial.h"

#define STRANGER 65534

static char dir[] = "/tmp/test-serial.XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) && chmod(dir, 0711) == 0 ? 0 : -1;
}

static int remove_dir(void **state)
{
	_cleanup_free_ char *command = xasprintf("rm -r %s", dir);

	(void)state;
	return system(command);
}

/* A child that connects as @user, says @word and ends; waits until it has. Whether it could. */
static bool connects(const char *path, uid_t user, const char *word)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		strcpy(a.sun_path, path);
		if (setresuid(user, user, user) < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
		    write(fd, word, strlen(word)) < 0)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status == 0;
}

/* What the one says that is accepted; the error's text when nobody is. */
static void assert_accepts(int listener, uid_t user, const char *expected)
{
	_cleanup_close_ int fd = -1;
	struct error err = ERROR_INIT;
	char said[16] = "";
	int r = serial_accept(listener, user, strcmp(expected, "nobody") == 0 ? 100 : 60000, &fd, &err);

	if (strcmp(expected, "nobody") == 0) {
		assert_int_equal(r, -EIO);
		assert_string_equal(err.text, "the virtual machine does not connect its console");
		return;
	}
	assert_int_equal(r, 0);
	assert_true(read(fd, said, sizeof(said) - 1) > 0);
	assert_string_equal(said, expected);
}

static void test_ours(void **state)
{
	_cleanup_free_ char *path = xasprintf("%s/ours", dir);
	_cleanup_close_ int listener = -1;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(serial_listen(path, false, &listener, &err), 0);
	assert_accepts(listener, geteuid(), "nobody");
	assert_true(connects(path, geteuid(), "machine"));
	assert_accepts(listener, geteuid(), "machine");
}

/* Whoever comes first: only the machine's own user, and who may do everything anyway. */
static void test_strangers(void **state)
{
	_cleanup_free_ char *path = xasprintf("%s/shared", dir);
	_cleanup_close_ int listener = -1;
	struct error err = ERROR_INIT;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(serial_listen(path, true, &listener, &err), 0);
	for (int i = 0; i < 3; i++)
		assert_true(connects(path, STRANGER, "stranger"));
	assert_true(connects(path, 64055, "machine"));
	assert_accepts(listener, 64055, "machine");
	assert_true(connects(path, STRANGER, "stranger"));
	assert_accepts(listener, 64055, "nobody");
	assert_true(connects(path, STRANGER, "stranger"));
	assert_true(connects(path, 0, "root"));
	assert_accepts(listener, 64055, "root");
}

/* Where it is not shared nobody else gets so far. */
static void test_private(void **state)
{
	_cleanup_free_ char *path = xasprintf("%s/private", dir);
	_cleanup_close_ int listener = -1;
	struct error err = ERROR_INIT;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(serial_listen(path, false, &listener, &err), 0);
	assert_false(connects(path, STRANGER, "stranger"));
	assert_int_equal(serial_listen(path, false, &listener, &err), -EADDRINUSE);
}

static void test_long_path(void **state)
{
	_cleanup_free_ char *path = xasprintf("%s/%0120d", dir, 1);
	struct error err = ERROR_INIT;
	int listener = -1;

	(void)state;
	assert_int_equal(serial_listen(path, false, &listener, &err), -ENAMETOOLONG);
	assert_int_equal(listener, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ours),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_private),
		cmocka_unit_test(test_long_path),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
