/* SPDX-License-Identifier: Apache-2.0 */
/* Verify=full: the root counts as read when its readers have ended, and not when other children have. */
#include "../../firstboot/read_all.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE (8 * 1024 * 1024)

static void test_another_child_ends_first(void **state)
{
	char path[] = "/tmp/mkappliance-read-all.XXXXXX";
	int fd = mkstemp(path);
	siginfo_t s;
	pid_t other;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, SIZE), 0);
	other = fork();
	if (other == 0)
		_exit(0);
	assert_true(other > 0);
	/* It is there to be reaped before any reader starts. */
	assert_int_equal(waitid(P_PID, (id_t)other, &s, WEXITED | WNOWAIT), 0);
	read_all(path, SIZE);
	assert_int_equal(waitpid(-1, NULL, 0), -1);
	assert_int_equal(errno, ECHILD);
	close(fd);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_another_child_ends_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
