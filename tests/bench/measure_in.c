/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In the machine of bench boot: the resident memory of process 1, and how fast dd(1) reads the verity device with as many readers as
 * there are processors, each a part of it. measure_in BYTES
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB (1024 * 1024)

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void print_resident(void)
{
	char line[256];
	FILE *f = fopen("/proc/1/smaps_rollup", "re"); /* status is up to 63 pages off */

	while (f && fgets(line, sizeof line, f))
		if (strncmp(line, "Rss:", 4) == 0)
			printf("resident %ld\n", strtol(line + 4, NULL, 10));
}

static void start_dd(long skip, long count)
{
	char skip_text[40], count_text[40];

	snprintf(skip_text, sizeof skip_text, "skip=%ld", skip);
	snprintf(count_text, sizeof count_text, "count=%ld", count);
	if (fork() == 0) {
		execl("/bin/dd", "dd", "if=/dev/dm-0", "of=/dev/null", "bs=1M", "iflag=direct", "status=none",
		      skip_text, count_text, NULL);
		_exit(127);
	}
}

int main(int argc, char **argv)
{
	long pieces = argc == 2 ? strtol(argv[1], NULL, 10) / MIB : 0, start, at = 0;
	cpu_set_t set;
	int readers, status, bad = 0;

	if (pieces <= 0 || sched_getaffinity(0, sizeof set, &set) < 0)
		return 2;
	readers = CPU_COUNT(&set);
	print_resident();
	start = now_ms();
	for (int i = 0; i < readers; i++) {
		long count = pieces * (i + 1) / readers - at;

		start_dd(at, count);
		at += count;
	}
	while (wait(&status) > 0)
		bad |= status;
	printf("dd %ld ms of %ld bytes with %d readers, status %d\n", now_ms() - start, pieces * MIB, readers,
	       bad);
	fflush(stdout);
	for (;;)
		pause();
}
