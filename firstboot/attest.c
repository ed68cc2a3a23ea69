/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attest.h"
#include "end.h"
#include "file.h"
#include "image/abi.h"
#include "record.h"

#define SECURITY "/sys/kernel/security"
#define LOG	 SECURITY "/tpm0/binary_bios_measurements"
#define LOG_MAX	 (16u << 20) /* bytes; /run is in memory */
#define VERSION	 "/sys/class/tpm/tpm0/tpm_version_major"
#define MANAGER	 "/dev/tpmrm0"

/* A file of the directory, of which only its content is missing. */
static int create(const char *name)
{
	struct line path = {.len = 0};
	int fd;

	line_printf(&path, ATTEST_DIRECTORY "/%s", name);
	fd = open(path.text, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
	return fd < 0 ? -errno : fd;
}

static int put_line(const char *name, const char *text)
{
	struct line line = {.len = 0};
	int r, fd = create(name);

	if (fd < 0)
		return fd;
	line_printf(&line, "%s\n", text);
	r = file_write(fd, line.text, line.len);
	close(fd);
	return r;
}

/* @from to its end. */
static int copy(int from, int to)
{
	static char buf[4096];
	size_t sum = 0;

	for (;;) {
		ssize_t n = read(from, buf, sizeof buf);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		sum += (size_t)n;
		r = sum > LOG_MAX ? -EFBIG : file_write(to, buf, (size_t)n);
		if (r < 0)
			return r;
	}
}

/* -ENOENT: the firmware gave the kernel none. */
static int put_log(void)
{
	int r = 0, from, to;

	/* Nothing else of ours needs it mounted, and the fewer ways there are into the kernel the better. */
	if (mount("securityfs", SECURITY, "securityfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return -errno;
	from = open(LOG, O_RDONLY | O_CLOEXEC);
	if (from < 0)
		r = -errno;
	to = r < 0 ? -1 : create("eventlog");
	if (r == 0)
		r = to < 0 ? to : copy(from, to);
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	if (umount(SECURITY) < 0 && r == 0)
		r = -errno;
	return r;
}

static const struct conf_service *main_service(const struct conf *c)
{
	for (size_t i = 0; i < c->service_count; i++)
		if (strcmp(c->services[i].name, ABI_SERVICE_MAIN) == 0)
			return &c->services[i];
	return &c->services[0];
}

/* The TPM, for the application alone. */
static int hand_over(const struct conf *c)
{
	const struct conf_service *s = main_service(c);
	uint64_t version = 0;
	int r = file_read_number(AT_FDCWD, VERSION, &version);

	if (r == 0 && version != 2)
		r = -ENOENT;
	if (r < 0)
		return r;
	if (chown(MANAGER, (uid_t)s->uid, (gid_t)s->gid) < 0 || chmod(MANAGER, 0600) < 0)
		return -errno;
	return 0;
}

/* What Attest=auto does without: nobody shall wonder later why no verifier is content. */
static void record_missing(const char *what)
{
	record_begin(ABI_EVENT_ATTEST);
	record_text("missing", what);
	record_end();
}

void attest_start(const struct conf *c)
{
	bool must = c->attest == CONF_ATTEST_TPM;
	int r;

	if (c->attest == CONF_ATTEST_NONE)
		return;
	if ((r = mkdir(ATTEST_DIRECTORY, 0755) < 0 ? -errno : 0) < 0 || (r = put_line("name", c->name)) < 0 ||
	    (r = put_line("version", c->version)) < 0 || (r = put_line("root-hash", c->root_hash)) < 0)
		fail(ABI_FAILED_SETUP, ATTEST_DIRECTORY ": %s", strerror(-r));
	r = hand_over(c);
	if (r == -ENOENT && !must) {
		record_missing("tpm");
		return;
	}
	if (r < 0)
		fail(ABI_FAILED_SETUP, "Attest=: no TPM 2.0, or it cannot be used: %s", strerror(-r));
	r = put_log();
	if (r == -ENOENT && !must)
		record_missing("eventlog");
	else if (r < 0)
		fail(ABI_FAILED_SETUP, "Attest=: the firmware's event log: %s", strerror(-r));
}
