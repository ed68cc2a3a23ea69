/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_group.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/io.h"
#include "lib/log.h"
#include "template/names.h"
#include "vm/members.h"

#define SETTINGS_MAX 65536u
#define KEEPER_S     60 /* until a keeper that was started has its lock, and until it has taken a request in */
#define LOG_TAIL     400u

int64_t group_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int group_dir_open(const char *name, struct group_dir *ret, struct error *err)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	_cleanup_free_ char *path = NULL;
	int r;

	if (!name)
		return error_usage(err, "missing argument: --group=NAME");
	r = name_appliance(name, err);
	if (r < 0)
		return error_prefix(err, "--group");
	if (state && state[0] == '/')
		path = xasprintf("%s/mkappliance/groups/%s", state, name);
	else if (home && home[0] == '/')
		path = xasprintf("%s/.local/state/mkappliance/groups/%s", home, name);
	else
		return error_set(err, -ENOENT, "neither XDG_STATE_HOME nor HOME says where groups are kept");
	if (strlen(path) > MEMBERS_PATH_MAX)
		return error_set(
			err, -ENAMETOOLONG,
			"%s: longer than %d bytes, too long for sockets; set XDG_STATE_HOME to a shorter path",
			path, MEMBERS_PATH_MAX);
	ret->path = steal_pointer(&path);
	ret->name = xstrdup(name);
	return 0;
}

static void settings_free(struct group_settings *s)
{
	free(s->arch);
	free(s->connect);
	free(s->address);
	free(s->health_path);
	*s = (struct group_settings){0};
}

void group_dir_close(struct group_dir *d)
{
	settings_free(&d->settings);
	free(d->path);
	free(d->name);
	*d = (struct group_dir){0};
}

char *group_dir_file(const struct group_dir *d, const char *name)
{
	return xasprintf("%s/%s", d->path, name);
}

char *group_dir_image(const struct group_dir *d, const char *id)
{
	return xasprintf("%s/images/%s.raw", d->path, id);
}

bool group_dir_exists(const struct group_dir *d)
{
	_cleanup_free_ char *path = group_dir_file(d, "settings.json");

	return access(path, F_OK) == 0;
}

int group_dir_need(const struct group_dir *d, struct error *err)
{
	if (group_dir_exists(d))
		return 0;
	return error_set(err, -ENOENT,
			 "there is no group '%s' here (mkappliance deploy IMAGE --group %s --to libvirt)",
			 d->name, d->name);
}

int group_dir_write_settings(const struct group_dir *d, struct error *err)
{
	_cleanup_free_ char *path = group_dir_file(d, "settings.json");
	_cleanup_json_ struct json *j = js_object_new();
	const struct group_settings *s = &d->settings;
	_cleanup_free_ char *text = NULL;

	js_set_string(j, "arch", s->arch);
	js_set_string(j, "connect", s->connect ? s->connect : "");
	js_set_string(j, "address", s->address);
	js_set_int(j, "listen", s->listen);
	js_set_int(j, "port", s->port);
	js_set_int(j, "health_port", s->health_port);
	js_set_string(j, "health_path", s->health_path);
	js_set_int(j, "health_status", s->health_status);
	js_set_int(j, "memory", s->memory);
	js_set_int(j, "cpus", s->cpus);
	text = js_text(j, false);
	return output_write_file(path, text, strlen(text), err);
}

static int parse_settings(const struct json *j, struct group_settings *ret, struct error *err)
{
	const char *arch, *connect, *address, *path;
	int64_t listen, port, health, status, memory, cpus;
	int r;

	if ((r = js_need_string(j, "arch", &arch, err)) < 0 ||
	    (r = js_need_string(j, "connect", &connect, err)) < 0 ||
	    (r = js_need_string(j, "address", &address, err)) < 0 ||
	    (r = js_need_string(j, "health_path", &path, err)) < 0 ||
	    (r = js_need_int(j, "listen", 1, 65535, &listen, err)) < 0 ||
	    (r = js_need_int(j, "port", 1, 65535, &port, err)) < 0 ||
	    (r = js_need_int(j, "health_port", 1, 65535, &health, err)) < 0 ||
	    (r = js_need_int(j, "health_status", 100, 599, &status, err)) < 0 ||
	    (r = js_need_int(j, "memory", 0, 1 << 24, &memory, err)) < 0 ||
	    (r = js_need_int(j, "cpus", 0, 1024, &cpus, err)) < 0)
		return r;
	settings_free(ret);
	*ret = (struct group_settings){
		.arch = xstrdup(arch),
		.connect = connect[0] ? xstrdup(connect) : NULL,
		.address = xstrdup(address),
		.health_path = xstrdup(path),
		.health_status = (int)status,
		.listen = (uint16_t)listen,
		.port = (uint16_t)port,
		.health_port = (uint16_t)health,
		.memory = (unsigned)memory,
		.cpus = (unsigned)cpus,
	};
	return 0;
}

int group_dir_read_settings(struct group_dir *d, struct error *err)
{
	_cleanup_free_ char *path = group_dir_file(d, "settings.json");
	_cleanup_json_ struct json *j = NULL;
	_cleanup_buf_ struct buf b = {0};
	int r = io_read_file(AT_FDCWD, path, SETTINGS_MAX, &b, err);

	if (r == 0)
		r = js_parse(b.ptr ? b.ptr : "", b.len, path, &j, err);
	if (r < 0)
		return r;
	r = parse_settings(j, &d->settings, err);
	return r < 0 ? error_prefix(err, "%s", path) : 0;
}

int group_dir_read_state(const struct group_dir *d, struct group *ret, struct error *err)
{
	_cleanup_free_ char *path = group_dir_file(d, "state.json");
	int r = group_dir_check_state(d, err);

	return r < 0 ? r : journal_read(path, ret, err);
}

char *group_dir_image_name(const struct group_dir *d, const char *id)
{
	_cleanup_free_ char *raw = group_dir_image(d, id);
	_cleanup_free_ char *path = manifest_path_for(raw);
	_cleanup_manifest_ struct manifest *m = NULL;
	struct error ignored = ERROR_INIT;

	if (!id[0])
		return xstrdup("nothing");
	if (manifest_read(path, &m, &ignored) < 0)
		return xasprintf("%.12s", id);
	return xasprintf("%s %s", m->name, m->version);
}

int group_dir_find_image(const struct group_dir *d, const char *text, char ret[ROLLOUT_IMAGE_SIZE],
			 struct error *err)
{
	_cleanup_free_ char *path = group_dir_file(d, "images");
	_cleanup_closedir_ DIR *dir = opendir(path);
	char found[ROLLOUT_IMAGE_SIZE] = "";
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		const char *dot = strrchr(e->d_name, '.');
		char id[ROLLOUT_IMAGE_SIZE] = "";
		_cleanup_free_ char *name = NULL;
		const char *version;

		if (!dot || strcmp(dot, ".raw") != 0 || (size_t)(dot - e->d_name) >= sizeof(id))
			continue;
		memcpy(id, e->d_name, (size_t)(dot - e->d_name));
		name = group_dir_image_name(d, id);
		version = strchr(name, ' ');
		if (strncmp(id, text, strlen(text)) != 0 && !(version && strcmp(version + 1, text) == 0))
			continue;
		if (found[0])
			return error_set(err, -EINVAL, "'%s' names more than one image of the group", text);
		rollout_copy(found, sizeof(found), id);
	}
	if (!found[0])
		return error_set(err, -ENOENT, "the group has no image '%s'", text);
	rollout_copy(ret, ROLLOUT_IMAGE_SIZE, found);
	return 0;
}

int group_dir_lock(const struct group_dir *d, bool wait, int *ret, struct error *err)
{
	_cleanup_free_ char *path = group_dir_file(d, "client.lock");
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return error_errno(err, -errno, "%s", path);
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (!wait)
			return error_set(err, -EBUSY, "another command is at work on group '%s'", d->name);
		(void)poll(NULL, 0, 100);
		if (interrupt_check(err) < 0)
			return err->code;
	}
	*ret = steal_fd(&fd);
	return 0;
}

bool group_keeper_runs(const struct group_dir *d)
{
	_cleanup_free_ char *path = group_dir_file(d, "lock");
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0;
}

/* The process that is to be the keeper: of its own session, with its log for all that it says. */
static void __attribute__((noreturn)) become_keeper(const struct group_dir *d, int log, const char *exe)
{
	const char *const argv[] = {"mkappliance", "deploy",  "--group",      d->name,
				    "--to",	   "libvirt", "--foreground", NULL};
	int null = open("/dev/null", O_RDWR);
	char *const *args = (char *const *)(uintptr_t)argv;

	(void)setsid();
	(void)chdir("/");
	if (fork() != 0) /* so that nobody has to wait for it */
		_exit(0);
	(void)dup2(null, 0);
	(void)dup2(log, 1);
	(void)dup2(log, 2);
	(void)execv(exe, args);
	_exit(127);
}

/* What the keeper said last: the reason why there is none. */
static char *last_words(const char *log)
{
	_cleanup_buf_ struct buf b = {0};
	struct error ignored = ERROR_INIT;
	char *line;

	if (io_read_file(AT_FDCWD, log, (size_t)64 << 20, &b, &ignored) < 0 || !b.len)
		return xstrdup("it said nothing");
	while (b.len && b.ptr[b.len - 1] == '\n')
		b.ptr[--b.len] = 0;
	line = strrchr(b.ptr, '\n');
	return xasprintf("%.*s", (int)LOG_TAIL, line ? line + 1 : b.ptr);
}

int group_keeper_start(const struct group_dir *d, struct error *err)
{
	_cleanup_free_ char *log = group_dir_file(d, "keeper.log");
	_cleanup_free_ char *ready = group_dir_file(d, "ready");
	_cleanup_close_ int fd = -1;
	uint64_t deadline = clock_ns() + KEEPER_S * 1000000000ull;
	pid_t pid;

	if (group_keeper_runs(d))
		return 0;
	fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_errno(err, -errno, "%s", log);
	(void)unlink(ready);
	pid = fork();
	if (pid < 0)
		return error_errno(err, -errno, "starting a process");
	if (pid == 0)
		become_keeper(d, fd, "/proc/self/exe");
	(void)waitpid(pid, NULL, 0);
	for (unsigned gone = 0; clock_ns() < deadline; gone++) {
		_cleanup_free_ char *words = NULL;

		(void)poll(NULL, 0, 100);
		if (interrupt_check(err) < 0)
			return err->code;
		if (group_keeper_runs(d)) {
			gone = 0;
			if (access(ready, F_OK) == 0)
				return 0;
		} else if (gone > 30) { /* 3 s without a lock */
			words = last_words(log);
			return error_set(err, -EIO, "the keeper of group '%s' does not run: %s", d->name,
					 words);
		}
	}
	return error_set(err, -ETIMEDOUT, "the keeper of group '%s' does not start; see %s", d->name, log);
}

int group_wait(const struct group_dir *d, struct error *err)
{
	struct pollfd p = {.fd = interrupt_fd(), .events = POLLIN};

	(void)poll(&p, 1, 100);
	if (interrupt_check(err) < 0)
		return err->code;
	if (group_keeper_runs(d) || !group_dir_exists(d))
		return 0;
	log_note("the keeper of group '%s' is gone; starting it again", d->name);
	return group_keeper_start(d, err);
}

static int write_request(const struct group_dir *d, const char *kind, struct json *more, char *id,
			 size_t size, struct error *err)
{
	_cleanup_free_ char *path = group_dir_file(d, "request.json");
	_cleanup_json_ struct json *j = more ? more : js_object_new();
	_cleanup_free_ char *text = NULL;

	snprintf(id, size, "%ld-%lld", (long)getpid(), (long long)clock_ns());
	js_set_string(j, "id", id);
	js_set_string(j, "kind", kind);
	text = js_text(j, false);
	return output_write_file(path, text, strlen(text), err);
}

int group_request(const struct group_dir *d, const char *kind, struct json *more, struct error *err)
{
	uint64_t deadline = clock_ns() + KEEPER_S * 1000000000ull;
	char id[ROLLOUT_ID_SIZE];
	int r = write_request(d, kind, more, id, sizeof(id), err);

	while (r == 0) {
		_cleanup_group_ struct group g = {0};
		struct error ignored = ERROR_INIT;

		if (!group_dir_exists(d) && strcmp(kind, "destroy") == 0)
			return 0;
		if (group_dir_read_state(d, &g, &ignored) == 0 && strcmp(g.request, id) == 0)
			return g.refusal[0] ? error_set(err, -EINVAL, "group '%s': %s", d->name, g.refusal)
					    : 0;
		if (clock_ns() > deadline)
			return error_set(err, -ETIMEDOUT,
					 "the keeper of group '%s' does not answer; see %s/keeper.log",
					 d->name, d->path);
		r = group_wait(d, err);
	}
	return r;
}
