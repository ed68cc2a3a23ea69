/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "end.h"
#include "file.h"
#include "image/abi.h"
#include "read_all.h"

#define READ_SIZE   (1024 * 1024)
#define READERS_MAX 64

/* What a reader that failed says before it ends. */
struct failure {
	uint64_t at;
	int code; /* errno */
};

static unsigned processors(void)
{
	cpu_set_t set;
	int n;

	if (sched_getaffinity(0, sizeof set, &set) < 0)
		return 1;
	n = CPU_COUNT(&set);
	return n < 1 ? 1 : n > READERS_MAX ? READERS_MAX : (unsigned)n;
}

/* Every @step-th piece of READ_SIZE bytes, from the @first on. In a process of its own, which ends here. */
static _Noreturn void reader(const char *device, uint64_t size, unsigned first, unsigned step, int report)
{
	static _Alignas(4096) char buf[READ_SIZE];
	struct failure f = {.at = 0};
	int fd = open(device, O_RDONLY | O_CLOEXEC | O_DIRECT);

	if (fd < 0 && errno == EINVAL)
		fd = open(device, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		f.code = errno;
	for (uint64_t at = (uint64_t)first * READ_SIZE; !f.code && at < size;
	     at += (uint64_t)step * READ_SIZE) {
		int r = file_pread(fd, buf, size - at < READ_SIZE ? (size_t)(size - at) : READ_SIZE, at);

		if (r < 0) {
			f.at = at;
			f.code = -r;
		}
	}
	if (f.code)
		(void)!write(report, &f, sizeof f); /* of less than PIPE_BUF bytes: in one piece */
	_exit(f.code ? 1 : 0);
}

static void start_readers(pid_t *pids, unsigned count, const char *device, uint64_t size, int report)
{
	for (unsigned i = 0; i < count; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			refuse(ABI_REFUSED_VERITY, "starting a reader: %s", strerror(errno));
		if (pids[i] == 0)
			reader(device, size, i, count, report);
	}
}

static bool is_one_of(pid_t pid, const pid_t *pids, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/*
 * Waits until all readers have ended well, or the first one badly: nobody waits for the others to read a disk that is of no use.
 * Other children may end meanwhile (that of beside.h does); they are reaped and do not count. False: a reader ended badly.
 */
static bool wait_for_readers(const pid_t *pids, unsigned count)
{
	int status = 0;

	for (unsigned left = count; left > 0;) {
		pid_t pid = waitpid(-1, &status, 0);

		if (pid < 0 && errno != EINTR)
			return false;
		if (pid <= 0 || !is_one_of(pid, pids, count))
			continue;
		if (status != 0)
			return false;
		left--;
	}
	return true;
}

void read_all(const char *device, uint64_t size)
{
	pid_t pids[READERS_MAX];
	unsigned count = processors();
	struct failure f;
	int report[2];

	if (pipe2(report, O_CLOEXEC) < 0)
		refuse(ABI_REFUSED_VERITY, "a pipe: %s", strerror(errno));
	start_readers(pids, count, device, size, report[1]);
	close(report[1]);
	if (!wait_for_readers(pids, count)) {
		/* Empty when it was killed: then this waits for the others to end, too. */
		if (read(report[0], &f, sizeof f) == sizeof f)
			refuse(ABI_REFUSED_CORRUPTION, "reading the root at byte %llu: %s",
			       (unsigned long long)f.at, strerror(f.code));
		refuse(ABI_REFUSED_CORRUPTION, "a reader of the root ended early");
	}
	close(report[0]);
}
