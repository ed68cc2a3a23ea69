/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_keeper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "cmd_keeper_fleet.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/io.h"
#include "lib/log.h"

#define STEP_MS	    100 /* while something is under way, and to a request */
#define REST_STEPS  3
#define REQUEST_MAX 65536u
#define BACKOFF_MS  2000 /* after a step that failed */

struct keeper {
	struct group_dir *dir;
	struct keeper_fleet fleet;
	struct controller controller;
	char *state;
	char *saved;	 /* text of what is on the disk */
	int trouble;	 /* group_trouble_open() */
	bool troubled;	 /* something stands in it */
	int client_lock; /* -1, until it ends */
	bool closing;
};

static void note(const char *line, void *data)
{
	int64_t now = group_now();

	(void)data;
	log_note("%lld.%03d %s", (long long)(now / 1000), (int)(now % 1000), line);
}

/* Only what differs is written: a group at rest costs no writes. But what somebody has taken away is there again. */
static int save(const struct group *g, void *data, struct error *err)
{
	struct keeper *k = data;
	_cleanup_json_ struct json *j = group_json(g);
	_cleanup_free_ char *text = js_text(j, false);
	int r;

	if (k->saved && access(k->state, F_OK) < 0)
		log_warning("%s is gone; it is written again", k->state);
	else if (k->saved && strcmp(text, k->saved) == 0)
		return 0;
	r = output_write_file(k->state, text, strlen(text), err);
	if (r < 0)
		return r;
	free(k->saved);
	k->saved = steal_pointer(&text);
	return 0;
}

static int take_deploy(struct keeper *k, const struct json *j, struct error *err)
{
	struct group *g = &k->controller.group;
	const char *image = js_string(js_get(j, "image"));
	struct rollout_plan plan = g->plan;
	int64_t size = g->size;
	bool drill = g->drill;
	int r;

	(void)js_int(js_get(j, "size"), &size);
	(void)js_bool(js_get(j, "drill"), &drill);
	r = rollout_plan_parse(js_get(j, "plan"), &plan, err);
	if (r == 0 && (size < 0 || size > GROUP_SIZE_MAX))
		r = error_set(err, -EINVAL, "a size of %lld", (long long)size);
	if (r == 0)
		r = rollout_plan_check(&plan, (unsigned)size, err);
	if (r == 0)
		r = group_dir_read_settings(k->dir, err);
	if (r == 0 && image && strcmp(image, g->current) != 0)
		r = controller_deploy(&k->controller, image, group_now(), err);
	if (r < 0)
		return r;
	g->plan = plan;
	g->size = (unsigned)size;
	g->drill = drill;
	return 0;
}

/* Everything goes: a deployment under way too. */
static void take_destroy(struct keeper *k)
{
	struct group *g = &k->controller.group;
	_cleanup_free_ char *path = group_dir_file(k->dir, "closing");
	struct error err = ERROR_INIT;

	if (output_write_file(path, "", 0, &err) < 0)
		log_warning("%s", err.text);
	k->closing = true;
	g->size = 0;
	g->current[0] = 0;
	g->deployment.phase = PHASE_NONE;
}

static int take_instance(struct keeper *k, const char *kind, const struct json *j, struct error *err)
{
	const char *id = js_string(js_get(j, "instance"));
	struct instance *i = id ? group_find(&k->controller.group, id) : NULL;

	if (!i)
		return error_set(err, -ENOENT, "no instance '%s'", id ? id : "");
	if (strcmp(kind, "condemn") == 0) {
		i->condemned = true;
		rollout_copy(i->reason, sizeof(i->reason), "said to be unhealthy");
	} else if (strcmp(kind, "expire") == 0) {
		i->expired = true;
		rollout_copy(i->reason, sizeof(i->reason), "its lifetime is over");
	} else {
		keeper_fleet_strike(&k->fleet, id);
	}
	return 0;
}

static int take(struct keeper *k, const struct json *j, struct error *err)
{
	const char *kind = js_string(js_get(j, "kind"));
	const char *image = js_string(js_get(j, "image"));

	if (!kind)
		return error_set(err, -EINVAL, "a request without a kind");
	if (k->closing)
		return error_set(err, -EBUSY, "the group is being destroyed");
	if (strcmp(kind, "deploy") == 0)
		return take_deploy(k, j, err);
	if (strcmp(kind, "rollback") == 0)
		return controller_rollback(&k->controller, image, group_now(), err);
	if (strcmp(kind, "destroy") == 0) {
		take_destroy(k);
		return 0;
	}
	if (strcmp(kind, "condemn") == 0 || strcmp(kind, "expire") == 0 || strcmp(kind, "strike") == 0)
		return take_instance(k, kind, j, err);
	return error_set(err, -EINVAL, "unknown request '%s'", kind);
}

/*
 * A request is taken in once: its id stands in the state, and the file goes after that. One that was struck by our death in between is
 * only taken away.
 */
static int look_for_request(struct keeper *k, struct error *err)
{
	_cleanup_free_ char *path = group_dir_file(k->dir, "request.json");
	struct group *g = &k->controller.group;
	_cleanup_json_ struct json *j = NULL;
	_cleanup_buf_ struct buf b = {0};
	struct error refusal = ERROR_INIT;
	const char *id;
	int r;

	if (access(path, F_OK) < 0)
		return 0;
	if (io_read_file(AT_FDCWD, path, REQUEST_MAX, &b, &refusal) < 0 ||
	    js_parse(b.ptr ? b.ptr : "", b.len, path, &j, &refusal) < 0 || !js_string(js_get(j, "id"))) {
		log_warning("request.json is not understood and goes: %s", refusal.text);
		(void)unlink(path);
		return 0;
	}
	id = js_string(js_get(j, "id"));
	if (strcmp(id, g->request) != 0) {
		g->refusal[0] = 0;
		if (take(k, j, &refusal) < 0)
			rollout_copy(g->refusal, sizeof(g->refusal), refusal.text);
		rollout_copy(g->request, sizeof(g->request), id);
		r = save(g, k, err);
		if (r < 0)
			return r;
	}
	(void)unlink(path);
	return 0;
}

static bool is_needed(const struct group *g, const char *id)
{
	bool deploys = g->deployment.phase != PHASE_NONE;

	if (strcmp(id, g->current) == 0 || strcmp(id, g->previous) == 0 ||
	    (deploys && (strcmp(id, g->deployment.to) == 0 || strcmp(id, g->deployment.from) == 0)))
		return true;
	for (size_t i = 0; i < g->count; i++)
		if (strcmp(id, g->instances[i].image) == 0)
			return true;
	return false;
}

/* Images that nothing refers to. False while a command, which may be about to ask for one, holds the lock. */
static bool remove_images(struct keeper *k)
{
	_cleanup_free_ char *path = group_dir_file(k->dir, "images");
	_cleanup_closedir_ DIR *d = opendir(path);
	struct error ignored = ERROR_INIT;
	_cleanup_close_ int lock = -1;
	struct dirent *e;

	if (!d || group_dir_lock(k->dir, false, &lock, &ignored) < 0)
		return false;
	while ((e = readdir(d))) {
		char id[256] = "";

		rollout_copy(id, sizeof(id), e->d_name);
		if (id[0] == '.' || !strchr(id, '.'))
			continue;
		*strchr(id, '.') = 0;
		if (!is_needed(&k->controller.group, id))
			(void)unlinkat(dirfd(d), e->d_name, 0);
	}
	return true;
}

/* Nothing to do, and no command that is about to want something; from then on none can. */
static bool can_rest(const struct keeper *k, int *lock)
{
	const struct group *g = &k->controller.group;
	struct error ignored = ERROR_INIT;

	return g->size == 0 && g->count == 0 && g->deployment.phase == PHASE_NONE &&
	       (k->closing || group_dir_lock(k->dir, false, lock, &ignored) == 0);
}

static bool is_at_rest(const struct group *g)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->instances[i].lifecycle != INSTANCE_SERVING)
			return false;
	return g->deployment.phase == PHASE_NONE;
}

/* A group at rest is looked at less often, but a request is taken in at once. */
static void pause_for(const struct keeper *k, bool failed)
{
	_cleanup_free_ char *request = group_dir_file(k->dir, "request.json");
	unsigned steps = is_at_rest(&k->controller.group) ? REST_STEPS : 1;
	struct pollfd p = {.fd = interrupt_fd(), .events = POLLIN};

	if (failed) {
		(void)poll(&p, 1, BACKOFF_MS);
		return;
	}
	while (steps-- && poll(&p, 1, STEP_MS) == 0)
		if (access(request, F_OK) == 0)
			return;
}

/* Status reads why nothing goes on. */
static void tell_trouble(struct keeper *k, const char *text)
{
	if (text[0] || k->troubled)
		group_trouble_set(k->trouble, text);
	k->troubled = text[0];
}

/* Until a signal, or until there is nothing left to do. */
static int keep(struct keeper *k, struct error *err)
{
	struct group *g = &k->controller.group;
	unsigned seen = ~0u;

	for (;;) {
		struct error step = ERROR_INIT;
		int r = look_for_request(k, &step);

		if (r == 0)
			r = controller_step(&k->controller, group_now(), &step);
		if (r < 0)
			log_warning("%s", step.text);
		tell_trouble(k, r < 0 ? step.text : "");
		if (r == 0 && g->deployment.phase == PHASE_NONE && g->deployment.number != seen &&
		    remove_images(k))
			seen = g->deployment.number;
		if (r == 0 && can_rest(k, &k->client_lock))
			return 0;
		pause_for(k, r < 0);
		if (interrupt_check(err) < 0)
			return err->code;
	}
}

static int load(struct keeper *k, struct error *err)
{
	_cleanup_free_ char *closing = group_dir_file(k->dir, "closing");
	struct group *g = &k->controller.group;
	int r = group_dir_check_state(k->dir, err);

	if (r == 0 && access(k->state, F_OK) == 0)
		r = journal_read(k->state, g, err);
	else
		g->plan = ROLLOUT_PLAN_DEFAULT;
	rollout_copy(g->name, sizeof(g->name), k->dir->name);
	k->closing = access(closing, F_OK) == 0;
	return r;
}

static int take_lock(const struct group_dir *d, int *ret, struct error *err)
{
	_cleanup_free_ char *path = group_dir_file(d, "lock");
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return error_errno(err, -errno, "%s", path);
	/* Somebody who merely looks holds it for a moment. */
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		if (i == 10)
			return error_set(err, -EBUSY, "group '%s' has a keeper already", d->name);
		(void)poll(NULL, 0, 50);
	}
	*ret = steal_fd(&fd);
	return 0;
}

static int run(struct keeper *k, struct error *err)
{
	_cleanup_free_ char *ready = group_dir_file(k->dir, "ready");
	int r = load(k, err);

	if (r == 0)
		r = keeper_fleet_open(k->dir, &k->fleet, err);
	if (r < 0)
		return r;
	k->controller.fleet = keeper_fleet_interface(&k->fleet);
	if ((r = output_write_file(ready, "", 0, err)) < 0 || (r = keep(k, err)) < 0)
		return r;
	return keeper_fleet_shut(&k->fleet, err);
}

int keeper_run(struct group_dir *d, struct error *err)
{
	struct keeper k = {.dir = d,
			   .trouble = -1,
			   .client_lock = -1,
			   .controller = {.save = save, .note = note, .data = &k}};
	_cleanup_close_ int lock = -1;
	int r = take_lock(d, &lock, err);

	if (r == 0)
		r = group_trouble_open(d, &k.trouble, err);
	if (r < 0)
		return r;
	k.state = group_dir_file(d, "state.json");
	r = group_dir_read_settings(d, err);
	if (r == 0)
		r = run(&k, err);
	if (r < 0 && r != -EINTR)
		tell_trouble(&k, err->text);
	keeper_fleet_close(&k.fleet);
	if (r == 0 && k.closing)
		r = io_remove_tree(d->path, err);
	cleanup_closep(&k.client_lock);
	cleanup_closep(&k.trouble);
	group_free(&k.controller.group);
	free(k.state);
	free(k.saved);
	return r;
}
