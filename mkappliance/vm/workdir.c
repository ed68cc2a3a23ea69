/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/workdir.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/log.h"
#include "lib/mem.h"

#define PREFIX	    "mkappliance-vm."
#define PARENT_MAX  48 /* libvirt's longest socket below it then stays under 108 bytes */
#define CMDLINE_MAX 65536
#define KILL_ROUNDS 50 /* of 100 ms, until the processes are gone */

/* Whether process @pid is a qemu of ours that was started with something below @dir. */
static bool runs_from(const char *pid, const char *dir)
{
	_cleanup_free_ char *proc = xasprintf("/proc/%s", pid);
	_cleanup_free_ char *path = xasprintf("%s/cmdline", proc);
	_cleanup_free_ char *below = xasprintf("%s/", dir);
	_cleanup_buf_ struct buf b = {0};
	struct error ignored = ERROR_INIT;
	struct stat st;
	const char *name;

	if (stat(proc, &st) < 0 || st.st_uid != geteuid() ||
	    io_read_file(AT_FDCWD, path, CMDLINE_MAX, &b, &ignored) < 0 || b.len == 0)
		return false;
	name = strrchr(b.ptr, '/') ? strrchr(b.ptr, '/') + 1 : b.ptr;
	return strncmp(name, "qemu", 4) == 0 && memmem(b.ptr, b.len, below, strlen(below));
}

/* Kills them; how many there were. */
static unsigned kill_all_from(const char *dir)
{
	_cleanup_closedir_ DIR *proc = opendir("/proc");
	struct dirent *de;
	unsigned n = 0;

	while (proc && (de = readdir(proc))) {
		if (!isdigit((unsigned char)de->d_name[0]) || !runs_from(de->d_name, dir))
			continue;
		(void)kill((pid_t)atol(de->d_name), SIGKILL);
		n++;
	}
	return n;
}

/* A qemu that is just being started may appear late: it needs the directory. */
void workdir_end_all(const char *dir)
{
	for (int i = 0; i < KILL_ROUNDS && kill_all_from(dir) > 0; i++)
		(void)poll(NULL, 0, 100);
}

/* Ends what runs from @dir and removes it. */
static int clear_away(const char *dir, struct error *err)
{
	workdir_end_all(dir);
	return io_remove_tree(dir, err);
}

/*
 * The keeper: waits until the last copy of the pipe's other end is gone, and clears away what is still
 * there.
 */
static void __attribute__((noreturn)) keep(const char *dir, int pipe_fd)
{
	int null = open("/dev/null", O_RDWR);
	struct error ignored = ERROR_INIT;
	char c;

	(void)setsid();
	for (int i = 1; i < NSIG; i++)
		(void)signal(i, SIG_IGN);
	(void)chdir("/");
	for (int fd = 0; fd < 3; fd++)
		(void)dup2(null, fd);
	while (read(pipe_fd, &c, 1) < 0 && errno == EINTR)
		;
	if (access(dir, F_OK) == 0) {
		(void)poll(NULL, 0, 100); /* a process that was being forked when we died */
		(void)clear_away(dir, &ignored);
	}
	_exit(0);
}

static int start_keeper(struct workdir *w, struct error *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_errno(err, -errno, "pipe");
	w->keeper = fork();
	if (w->keeper == 0) {
		(void)close(fds[1]);
		keep(w->path, fds[0]);
	}
	(void)close(fds[0]);
	w->pipe = fds[1];
	if (w->keeper < 0)
		return error_errno(err, -errno, "starting a process");
	return 0;
}

static void clear_left(const char *path)
{
	log_note("removing %s, left by a run that was killed", path);
	workdir_end_all(path);
}

int workdir_open(struct workdir *ret, struct error *err)
{
	const char *parent = getenv("TMPDIR");
	struct workdir w = WORKDIR_INIT;
	int r;

	if (!parent || parent[0] != '/')
		parent = "/var/tmp";
	if (strlen(parent) > PARENT_MAX)
		return error_set(
			err, -ENAMETOOLONG,
			"TMPDIR '%s' is longer than %d bytes, too long for sockets; choose another one",
			parent, PARENT_MAX);
	r = scratch_open(parent, PREFIX, clear_left, &w.dir, err);
	if (r < 0)
		return r;
	w.path = w.dir.path;
	r = start_keeper(&w, err);
	if (r < 0) {
		workdir_close(&w);
		return r;
	}
	*ret = w;
	return 0;
}

void workdir_close(struct workdir *w)
{
	struct error err = ERROR_INIT;

	if (w->path && clear_away(w->path, &err) < 0)
		log_warning("%s", err.text);
	if (w->pipe >= 0)
		(void)close(w->pipe);
	while (w->keeper > 0 && waitpid(w->keeper, NULL, 0) < 0 && errno == EINTR)
		;
	scratch_close(&w->dir);
	*w = WORKDIR_INIT;
}
