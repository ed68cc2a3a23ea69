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

void read_all(const char *device, uint64_t size)
{
	struct failure f;
	unsigned count = processors(), started = 0;
	int report[2], status;
	bool failed = false;

	if (pipe2(report, O_CLOEXEC) < 0)
		refuse(ABI_REFUSED_VERITY, "a pipe: %s", strerror(errno));
	for (; started < count; started++) {
		pid_t pid = fork();

		if (pid < 0)
			refuse(ABI_REFUSED_VERITY, "starting a reader: %s", strerror(errno));
		if (pid == 0)
			reader(device, size, started, count, report[1]);
	}
	close(report[1]);
	while (started > 0) {
		pid_t pid = waitpid(-1, &status, 0);

		if (pid < 0 && errno != EINTR)
			break;
		if (pid > 0) {
			started--;
			failed |= status != 0;
		}
		/* The first bad byte ends it; nobody waits for the others to read a disk that is of no use. */
		if (failed)
			break;
	}
	if (failed && read(report[0], &f, sizeof f) == sizeof f)
		refuse(ABI_REFUSED_CORRUPTION, "reading the root at byte %llu: %s", (unsigned long long)f.at,
		       strerror(f.code));
	if (failed || started > 0)
		refuse(ABI_REFUSED_CORRUPTION, "a reader of the root ended early");
	close(report[0]);
}
