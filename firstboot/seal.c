/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "end.h"
#include "file.h"
#include "image/abi.h"
#include "seal.h"

#define SECURITY "/sys/kernel/security"

void seal_path(const char *name, size_t len, struct line *ret)
{
	line_printf(ret, "/proc/sys/");
	for (size_t i = 0; i < len; i++)
		line_bytes(ret, name[i] == '.' ? "/" : &name[i], 1);
}

/* "NAME=VALUE", behind '-' when the kernel need not have it. */
static void set_sysctl(const char *text)
{
	struct line path = {.len = 0};
	bool may_miss = *text == '-';
	const char *value = strchr(text, '=') + 1; /* checked by conf_parse() */
	int r;

	text += may_miss;
	seal_path(text, (size_t)(value - 1 - text), &path);
	r = file_write_text(path.text, value);
	if (r < 0 && !(may_miss && r == -ENOENT))
		fail(ABI_FAILED_SETUP, "Sysctl=%s: %s", text, strerror(-r));
}

/* A kernel without lockdown, or one that was told more on its command line, is as it is. */
static void lock_down(unsigned level)
{
	static const char *const levels[] = {"none", "integrity", "confidentiality"};
	int r;

	if (level == 0)
		return;
	r = mount("securityfs", SECURITY, "securityfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 ? -errno
												    : 0;
	if (r == 0) {
		r = file_write_text(SECURITY "/lockdown", levels[level]);
		(void)umount(SECURITY);
	} else if (r == -ENODEV) {
		r = -ENOENT; /* a kernel without securityfs has no lockdown either */
	}
	if (r < 0 && r != -ENOENT && r != -EPERM)
		fail(ABI_FAILED_SETUP, "Lockdown=%s: %s", levels[level], strerror(-r));
}

void seal(const struct conf *c)
{
	if (c->hide_pid &&
	    mount(NULL, "/proc", NULL, MS_REMOUNT | MS_NOSUID | MS_NOEXEC | MS_NODEV, "hidepid=2") < 0)
		fail(ABI_FAILED_SETUP, "/proc with hidepid: %s", strerror(errno));
	for (size_t i = 0; i < c->sysctls.len; i++)
		set_sysctl(c->sysctls.ptr[i]);
	lock_down(c->lockdown);
}
