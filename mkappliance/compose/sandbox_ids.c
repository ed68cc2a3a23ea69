/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/sandbox_ids.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/spawn.h"

#define SUBID_FILE_MAX ((size_t)1 << 20)
#define CAP_SYS_ADMIN  21 /* linux/capability.h */

/* Digits up to @end, which must be the character behind them. */
static bool parse_id(const char **p, char end, uint32_t *ret)
{
	char *stop;
	unsigned long v;

	if (**p < '0' || **p > '9')
		return false;
	v = strtoul(*p, &stop, 10);
	if (*stop != end && !(end == '\n' && *stop == 0))
		return false;
	if (v >= UINT32_MAX)
		return false;
	*ret = (uint32_t)v;
	*p = stop + (*stop != 0);
	return true;
}

static bool parse_line(const char *line, const char *who, struct id_range *ret)
{
	size_t len = strlen(who);
	const char *p = line + len + 1;
	struct id_range range;

	if (len == 0 || strncmp(line, who, len) != 0 || line[len] != ':')
		return false;
	if (!parse_id(&p, ':', &range.start) || !parse_id(&p, '\n', &range.count))
		return false;
	if (range.count == 0 || range.count > UINT32_MAX - range.start)
		return false;
	*ret = range;
	return true;
}

bool sandbox_ids_parse(const char *text, const char *name, uint32_t id, struct id_range *ret)
{
	char number[16];

	snprintf(number, sizeof(number), "%u", id);
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
		if ((name && parse_line(line, name, ret)) || parse_line(line, number, ret))
			return true;
	return false;
}

static bool read_range(const char *path, const char *name, uint32_t id, struct id_range *ret)
{
	_cleanup_buf_ struct buf b = {0};
	struct error ignored = ERROR_INIT;

	return io_read_file(AT_FDCWD, path, SUBID_FILE_MAX, &b, &ignored) == 0 && b.ptr &&
	       sandbox_ids_parse(b.ptr, name, id, ret);
}

static bool can_mount(void)
{
	_cleanup_buf_ struct buf b = {0};
	struct error ignored = ERROR_INIT;
	const char *line;

	if (io_read_file(AT_FDCWD, "/proc/self/status", 65536, &b, &ignored) < 0)
		return true; /* let mount(2) find out */
	line = strstr(b.ptr, "CapEff:");
	return !line || (strtoull(line + 7, NULL, 16) >> CAP_SYS_ADMIN & 1);
}

int sandbox_ids_find(struct sandbox_ids *ret, struct error *err)
{
	struct sandbox_ids ids = {.needed = true};
	const struct passwd *pw;
	char uid[16];

	if (geteuid() == 0) {
		if (!can_mount())
			return error_set(
				err, -EPERM,
				"root here may not mount (CAP_SYS_ADMIN is missing: a "
				"container?); run it privileged, or as a user listed in /etc/subuid");
		*ret = (struct sandbox_ids){0};
		return 0;
	}
	pw = getpwuid(geteuid());
	snprintf(uid, sizeof(uid), "%u", geteuid());
	if (!read_range("/etc/subuid", pw ? pw->pw_name : NULL, geteuid(), &ids.uids) ||
	    !read_range("/etc/subgid", pw ? pw->pw_name : NULL, geteuid(), &ids.gids))
		return error_set(err, -EPERM,
				 "user %s has no subordinate ids in /etc/subuid and /etc/subgid; as root: "
				 "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 %s",
				 pw ? pw->pw_name : uid, pw ? pw->pw_name : uid);
	if (!spawn_available("newuidmap"))
		return error_set(err, -ENOENT, "'newuidmap' is not installed (apt-get install uidmap)");
	*ret = ids;
	return 0;
}

static int map(const char *program, pid_t pid, uint32_t self, struct id_range range, struct error *err)
{
	_cleanup_strlist_ struct strlist argv = {0};
	struct spawn s = {.package = "uidmap"};

	strlist_add(&argv, program);
	strlist_addf(&argv, "%d", (int)pid);
	strlist_add(&argv, "0");
	strlist_addf(&argv, "%u", self);
	strlist_add(&argv, "1");
	strlist_add(&argv, "1");
	strlist_addf(&argv, "%u", range.start);
	strlist_addf(&argv, "%u", range.count);
	s.argv = (const char *const *)argv.ptr;
	return spawn_run(&s, err);
}

int sandbox_ids_map(const struct sandbox_ids *ids, pid_t pid, struct error *err)
{
	int r = map("newuidmap", pid, geteuid(), ids->uids, err);

	return r < 0 ? r : map("newgidmap", pid, getegid(), ids->gids, err);
}
