/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The services of supervise.sh: load WHAT. Each says what it finds on standard output; 'stay' waits for a signal.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void stay(void)
{
	for (;;)
		pause();
}

/* How often this was called before, in a file of /tmp. */
static int calls(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_APPEND, 0600);
	struct stat st = {.st_size = 0};

	if (fd < 0 || fstat(fd, &st) < 0 || write(fd, "x", 1) != 1)
		printf("%s: %s\n", name, strerror(errno));
	close(fd);
	return (int)st.st_size;
}

static void print_file(const char *path, const char *const *keys)
{
	char line[512];
	FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof line, f))
		for (int i = 0; keys[i]; i++)
			if (strncmp(line, keys[i], strlen(keys[i])) == 0)
				printf("%s %s", path, line);
	if (f)
		fclose(f);
}

/* Three bad ends, then it stays. */
static int crash(void)
{
	int n = calls("/tmp/crash");

	printf("crash %d\n", n);
	if (n == 1)
		raise(SIGSEGV);
	if (n < 3)
		return 7;
	stay();
	return 0;
}

static int oom(void)
{
	if (calls("/tmp/oom") == 0)
		for (;;)
			memset(malloc(1 << 20), 1, 1 << 20);
	printf("oom: again\n");
	stay();
	return 0;
}

static int bomb(void)
{
	int n = 0;

	while (fork() > 0 && n < 1000)
		n++;
	if (getpid() == getsid(0)) {
		printf("bomb: %d children, %s\n", n, strerror(errno));
		fflush(stdout);
	}
	stay();
	return 0;
}

/* A daemon that closes nothing and outlives its parent, and a hundred orphans that end at once. */
static int orphans(void)
{
	signal(SIGTERM, SIG_IGN);
	for (int i = 0; i < 100; i++)
		if (fork() == 0)
			_exit(fork() == 0 ? 3 : 0);
	if (fork() == 0) {
		setsid();
		if (fork() == 0) {
			stay();
		}
		_exit(0);
	}
	printf("orphans: made\n");
	fflush(stdout);
	stay();
	return 0;
}

/* Leaves a daemon behind and ends badly; started again it says what became of that. */
static int orphan(void)
{
	int fd = open("/tmp/orphan", O_RDWR | O_CREAT, 0600), wanted[2];
	pid_t pid = 0;

	if (read(fd, &pid, sizeof pid) == sizeof pid) {
		for (int i = 0; i < 50 && kill(pid, 0) == 0; i++) /* killed it may be, and not yet reaped */
			usleep(100000);
		printf("orphan: the daemon %s\n", kill(pid, 0) == 0 ? "lives" : "is gone");
		fflush(stdout);
		stay();
	}
	if (pipe(wanted) == 0 && fork() == 0) {
		setsid();
		pid = fork();
		if (pid == 0)
			stay();
		while (pwrite(fd, &pid, sizeof pid, 0) != sizeof pid) /* /tmp may be full: see inside() */
			usleep(10000);
		_exit(write(wanted[1], "", 1) != 1);
	}
	return read(wanted[0], &pid, 1) == 1 ? 7 : 8;
}

static void fill(const char *path)
{
	static char block[65536];
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	long n = 0;

	while (fd >= 0 && write(fd, block, sizeof block) > 0)
		n++;
	printf("%s: %s\n", path, strerror(errno));
	close(fd);
}

static void try_open(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	printf("open %s: %s\n", path, fd < 0 ? strerror(errno) : "done");
	if (fd >= 0)
		close(fd);
}

static void look_at_rights(void)
{
	static const char *const status[] = {"CapEff", "CapBnd", "CapAmb", "NoNewPrivs", NULL};
	static const char *const mounts[] = {"/dev/dm-0 ", "tmpfs ", "proc ", NULL};
	struct rlimit l;

	print_file("/proc/self/status", status);
	print_file("/proc/mounts", mounts);
	getrlimit(RLIMIT_NOFILE, &l);
	printf("nofile %ld:%ld\n", (long)l.rlim_cur, (long)l.rlim_max);
	printf("env A=%s B=%s C=%s\n", getenv("A"), getenv("B"), getenv("C"));
	printf("pid 1 is %s\n", access("/proc/1", F_OK) == 0 ? "seen" : "hidden");
}

static int inside(void)
{
	look_at_rights();
	try_open("/file", O_WRONLY | O_CREAT);
	try_open("/tmp/node", O_WRONLY | O_CREAT);
	fill("/tmp/big");
	try_open("/run/still", O_WRONLY | O_CREAT);
	unlink("/tmp/big");
	fflush(stdout);
	stay();
	return 0;
}

static void print_first(const char *path)
{
	char text[256] = "";
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, text, sizeof text - 1);

	if (n > 0)
		text[strcspn(text, "\n")] = '\0';
	printf("%s: %s\n", path, n > 0 ? text : strerror(errno));
	close(fd);
}

/* As root with all capabilities. */
static int root(void)
{
	static const char *const rss[] = {"Rss:", NULL};

	sleep(1);				 /* then all services have started */
	print_file("/proc/1/smaps_rollup", rss); /* status is up to 63 pages off */
	mount("securityfs", "/sys/kernel/security", "securityfs", 0, NULL);
	print_first("/sys/kernel/security/lockdown");
	print_first("/proc/sys/kernel/modules_disabled");
	print_first("/proc/sys/kernel/kexec_load_disabled");
	print_first("/proc/sys/kernel/kptr_restrict");
	fflush(stdout);
	stay();
	return 0;
}

/* A system call that the filter forbids, in a child. */
static int forbidden(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		mount("none", "/tmp", "tmpfs", 0, NULL);
		printf("mount: %s\n", strerror(errno));
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	printf("mount: signal %d\n", WTERMSIG(status));
	fflush(stdout);
	stay();
	return 0;
}

/* The same in the service itself. */
static int mounts(void)
{
	mount("none", "/tmp", "tmpfs", 0, NULL);
	stay();
	return 0;
}

static void wait_for_file(const char *path)
{
	while (access(path, F_OK) < 0)
		usleep(20000);
}

static void make_file(const char *path)
{
	int fd;

	while ((fd = open(path, O_WRONLY | O_CREAT, 0600)) < 0) /* /tmp may be full: see inside() */
		usleep(20000);
	close(fd);
}

/* Ready by its file; ends badly when it is told to, and is ready again only when it is told that too. */
static int brittle(void)
{
	if (access("/tmp/break", F_OK) < 0) {
		make_file("/tmp/brittle");
		wait_for_file("/tmp/break");
		unlink("/tmp/brittle");
		return 7;
	}
	wait_for_file("/tmp/back");
	make_file("/tmp/brittle");
	stay();
	return 0;
}

/* The status code of the status port, once it is @wanted. */
static int status_becomes(int wanted)
{
	static const char ask[] = "GET / HTTP/1.1\r\n\r\n";
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(9000), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	char answer[13];

	for (int code = 0;; usleep(20000)) {
		int s = socket(AF_INET, SOCK_STREAM, 0);

		memset(answer, 0, sizeof answer);
		if (connect(s, (struct sockaddr *)&to, sizeof to) == 0 &&
		    write(s, ask, sizeof ask - 1) == sizeof ask - 1 &&
		    recv(s, answer, sizeof answer - 1, MSG_WAITALL) == sizeof answer - 1)
			code = atoi(answer + 9);
		close(s);
		if (code == wanted)
			return code;
	}
}

/* What the port says while another service is started again. */
static int status(void)
{
	int before = status_becomes(200), between;

	make_file("/tmp/break");
	between = status_becomes(503);
	make_file("/tmp/back");
	printf("status: %d, %d, %d\n", before, between, status_becomes(200));
	stay();
	return 0;
}

/* Everything that could end process 1. It is still there when its words come out. */
static int kill_all(void)
{
	for (int round = 0; round < 3; round++)
		for (int i = 1; i <= 64; i++)
			if (i != SIGTERM && i != SIGINT && i != SIGPWR)
				kill(1, i);
	for (int i = 0; i < 2000; i++)
		if (fork() == 0)
			_exit(fork() == 0 ? i & 127 : 0);
	kill(-1, SIGKILL);
	sleep(1);
	printf("kill-all: process 1 %s\n", kill(1, 0) == 0 ? "lives" : "is gone");
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(void);
	} all[] = {{"crash", crash},   {"oom", oom},	   {"bomb", bomb},	   {"orphans", orphans},
		   {"inside", inside}, {"root", root},	   {"kill-all", kill_all}, {"forbidden", forbidden},
		   {"mounts", mounts}, {"orphan", orphan}, {"brittle", brittle},   {"status", status}};

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; argc == 2 && i < sizeof all / sizeof all[0]; i++)
		if (strcmp(argv[1], all[i].name) == 0)
			return all[i].run();
	if (argc == 2 && strcmp(argv[1], "stay") == 0)
		stay();
	return argc == 2 ? atoi(argv[1]) : 99;
}
