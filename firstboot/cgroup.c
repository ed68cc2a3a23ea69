/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "cgroup.h"
#include "file.h"
#include "line.h"

#define ROOT "/sys/fs/cgroup"

static bool mounted;

int cgroup_mount(void)
{
	if (mount("cgroup2", ROOT, "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return errno == ENOENT ? -ENODEV : -errno;
	/* One by one: a kernel may have one of them only. */
	(void)file_write_text(ROOT "/cgroup.subtree_control", "+memory");
	(void)file_write_text(ROOT "/cgroup.subtree_control", "+pids");
	return 0;
}

void cgroup_use(void)
{
	mounted = true;
}

static const char *path_of(const char *name, const char *file)
{
	static struct line path;

	line_reset(&path);
	line_printf(&path, ROOT "/%s%s%s", name, *file ? "/" : "", file);
	return path.text;
}

/* A limit that was not asked for need not be there. */
static int set(const char *name, const char *file, uint64_t value)
{
	struct line text = {.len = 0};

	if (value == 0)
		return 0;
	line_printf(&text, "%llu", (unsigned long long)value);
	return file_write_text(path_of(name, file), text.text);
}

int cgroup_make(const char *name, uint64_t memory, uint64_t tasks)
{
	int r;

	if (!mounted)
		return memory || tasks ? -ENODEV : 0;
	if (mkdir(path_of(name, ""), 0755) < 0 && errno != EEXIST)
		return -errno;
	r = set(name, "memory.max", memory);
	if (r == 0)
		r = set(name, "pids.max", tasks);
	/* Half a service is none. */
	(void)file_write_text(path_of(name, "memory.oom.group"), "1");
	return r;
}

int cgroup_enter(const char *name)
{
	int r = mounted ? file_write_text(path_of(name, "cgroup.procs"), "0") : 0;

	errno = -r;
	return r < 0 ? -1 : 0;
}

void cgroup_kill(const char *name)
{
	if (mounted)
		(void)file_write_text(path_of(name, "cgroup.kill"), "1");
}

uint64_t cgroup_value(const char *text, const char *key)
{
	size_t len = strlen(key);
	uint64_t v = 0;

	while (text && !(strncmp(text, key, len) == 0 && text[len] == ' ')) {
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	for (text = text ? text + len + 1 : ""; *text >= '0' && *text <= '9' && v < UINT64_MAX / 16; text++)
		v = v * 10 + (uint64_t)(*text - '0');
	return v;
}

uint64_t cgroup_oom_kills(const char *name)
{
	char text[512];

	if (!mounted || file_read(AT_FDCWD, path_of(name, "memory.events"), text, sizeof text, NULL) < 0)
		return 0;
	return cgroup_value(text, "oom_kill");
}
