/* SPDX-License-Identifier: Apache-2.0 */
#include "beside.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file.h"

/* What the child says of a part; a pipe takes it whole or not at all. */
struct answer {
	int value;
	struct line why;
};

static struct {
	const struct beside_part *parts;
	size_t count;
	const struct conf *conf;
	pid_t child;	/* 0: there is none */
	int answers_fd; /* what it says */
	int root_fd;	/* a byte here tells it that the root is there */
} beside = {.answers_fd = -1, .root_fd = -1};

unsigned beside_processors(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	/* A machine with more than fit into the set has more than one. */
	return sched_getaffinity(0, sizeof set, &set) < 0 ? CPU_SETSIZE : (unsigned)CPU_COUNT(&set);
}

static void do_part(size_t part, struct answer *ret)
{
	line_reset(&ret->why);
	ret->value = beside.parts[part].work(beside.conf, &ret->why);
}

/* What it cannot tell, process 1 misses. */
static _Noreturn void be_child(int answers, int root)
{
	struct answer a;
	char byte;

	for (size_t i = 0; i < beside.count; i++) {
		if (beside.parts[i].not_beside)
			continue;
		if (beside.parts[i].of_root && read(root, &byte, 1) != 1)
			break;
		do_part(i, &a);
		if (file_write(answers, (const char *)&a, sizeof a) < 0 || a.value < 0)
			break;
	}
	_exit(0);
}

static void close_all(int a[2], int b[2])
{
	for (int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
}

void beside_begin(const struct beside_part *parts, size_t count, unsigned processors, const struct conf *c)
{
	int answers[2], root[2];
	pid_t pid;

	beside.parts = parts;
	beside.count = count;
	beside.conf = c;
	beside.child = 0;
	if (processors < 2 || pipe2(answers, O_CLOEXEC) < 0)
		return;
	if (pipe2(root, O_CLOEXEC) < 0) {
		close(answers[0]);
		close(answers[1]);
		return;
	}
	/* fork(2), but with one root and working directory for both. */
	pid = (pid_t)syscall(SYS_clone, CLONE_FS | SIGCHLD, 0, 0, 0, 0);
	if (pid < 0) {
		close_all(answers, root);
		return;
	}
	if (pid == 0) {
		close(answers[0]);
		close(root[1]);
		be_child(answers[1], root[0]);
	}
	close(answers[1]);
	close(root[0]);
	beside.child = pid;
	beside.answers_fd = answers[0];
	beside.root_fd = root[1];
}

void beside_root(void)
{
	/* A child that is gone is missed by beside_end(). */
	if (beside.root_fd >= 0)
		(void)file_write(beside.root_fd, "", 1);
}

int beside_fd(void)
{
	return beside.answers_fd;
}

/* Waits for what the child says. */
static void read_answer(struct answer *ret)
{
	ssize_t n;

	do
		n = read(beside.answers_fd, ret, sizeof *ret);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)sizeof *ret)
		return;
	ret->value = -ECHILD;
	line_reset(&ret->why);
	line_printf(&ret->why, "the process beside process 1 is gone");
}

int beside_end(size_t part, struct line *why)
{
	struct answer a;

	if (beside.child && !beside.parts[part].not_beside)
		read_answer(&a);
	else
		do_part(part, &a);
	if (beside.child && (part + 1 == beside.count || a.value < 0)) {
		close(beside.answers_fd);
		close(beside.root_fd);
		beside.answers_fd = beside.root_fd = -1;
	}
	*why = a.why;
	return a.value;
}

void beside_reap(void)
{
	if (beside.child)
		(void)waitpid(beside.child, NULL, 0);
	beside.child = 0;
}
