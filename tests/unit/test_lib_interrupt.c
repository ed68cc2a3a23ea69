/* SPDX-License-Identifier: Apache-2.0 */
/* Signals from outside, as the terminal, timeout(1) and other programs send them. */
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/interrupt.h"
#include "lib/log.h"

#define APART_NS    300000000ull
#define TOGETHER_NS 200000000ull
#define TRIES	    50

/* A signal to this process from another one. */
static void signal_from_outside(int number)
{
	pid_t parent = getpid(), child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(kill(parent, number) < 0);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}

/* Runs @body in a process of its own; its wait status. */
static int status_of(int (*body)(void))
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		interrupt_setup();
		_exit(body());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* 2: the machine was too slow for them to be at nearly the same moment. */
static int two_together(void)
{
	uint64_t start = clock_ns();

	for (int i = 0; i < 2; i++)
		signal_from_outside(SIGTERM);
	return clock_ns() - start > TOGETHER_NS ? 2 : interrupt_signal() != SIGTERM;
}

/* The second comes when the first was taken back already: boot presses the power button for the first. */
static int cleared_between(void)
{
	uint64_t start = clock_ns();

	signal_from_outside(SIGINT);
	interrupt_clear();
	signal_from_outside(SIGINT);
	return clock_ns() - start > TOGETHER_NS ? 2 : interrupt_pending();
}

static void assert_one(int (*body)(void))
{
	int status = 0;

	for (int i = 0; i < TRIES; i++) {
		status = status_of(body);
		/* One that was too slow saw two, and ended as it should then. */
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			return;
		if (!WIFEXITED(status) || WEXITSTATUS(status) == 1)
			break;
	}
	fail_msg("status %#x", (unsigned)status);
}

static void test_two_together_are_one(void **state)
{
	(void)state;
	assert_one(two_together);
	assert_one(cleared_between);
}

static int two_apart(void)
{
	signal_from_outside(SIGTERM);
	usleep(APART_NS / 1000);
	signal_from_outside(SIGTERM);
	return 0;
}

static int two_of_ours(void)
{
	(void)raise(SIGHUP);
	(void)raise(SIGHUP);
	return 0;
}

static void test_a_second_ends_at_once(void **state)
{
	int status = status_of(two_apart);

	(void)state;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 128 + SIGTERM);
	status = status_of(two_of_ours);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 128 + SIGHUP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_together_are_one),
		cmocka_unit_test(test_a_second_ends_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
