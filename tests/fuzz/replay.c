/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over files and directories of files, so that a corpus is an ordinary test. */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static unsigned long replayed;

static int replay_file(const char *path)
{
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;
	_cleanup_free_ void *exact = NULL;

	if (io_read_file(AT_FDCWD, path, (size_t)64 << 20, &b, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return -1;
	}
	/* An allocation of exactly that size, so that one byte too far is seen. */
	exact = xmemdup(b.ptr ? b.ptr : "", b.len);
	LLVMFuzzerTestOneInput(exact, b.len);
	replayed++;
	return 0;
}

static int replay(const char *path)
{
	_cleanup_closedir_ DIR *dir = opendir(path);
	struct dirent *de;

	if (!dir)
		return replay_file(path);
	while ((de = readdir(dir))) {
		_cleanup_free_ char *child = xasprintf("%s/%s", path, de->d_name);

		if (de->d_name[0] != '.' && replay(child) < 0)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (replay(argv[i]) < 0)
			return 1;
	printf("%lu inputs\n", replayed);
	return replayed ? 0 : 1;
}
