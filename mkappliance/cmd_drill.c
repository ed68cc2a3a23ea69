/* SPDX-License-Identifier: Apache-2.0 */
/* mkappliance drill: planned failures of a group, and whether it recovers as it must. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "cmd_group.h"
#include "image/layout.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/log.h"
#include "rollout/drill.h"
#include "vm/domain.h"
#include "vm/http_probe.h"
#include "vm/junit.h"
#include "vm/tamper_edit.h"

#define ARGS_MAX      32
#define ASK_MS	      50    /* between two requests of the client */
#define ASK_PATIENCE  20000 /* for one answer, milliseconds */
#define HISTORY_MAX   100
#define HISTORY_BYTES ((size_t)16 << 20)

/* Somebody who asks the balancer all the time. */
struct client {
	pthread_t thread;
	const struct group_settings *settings;
	bool runs;
	bool stop; /* atomic */
	uint64_t requests, lost;
};

struct drills {
	const struct group_dir *dir;
	const char *image; /* for bad-image; NULL: one that cannot boot is made */
	unsigned deadline;
	bool say;
	struct drill list[ARGS_MAX];
	size_t count;
};

static void *ask_all_the_time(void *data)
{
	struct client *c = data;

	while (!__atomic_load_n(&c->stop, __ATOMIC_ACQUIRE)) {
		_cleanup_http_answer_ struct http_answer a = {0};
		struct error ignored = ERROR_INIT;

		c->requests++;
		if (http_probe(c->settings->listen, "/", ASK_PATIENCE, &a, &ignored) < 0 || a.status >= 500)
			c->lost++;
		(void)poll(NULL, 0, ASK_MS);
	}
	return NULL;
}

/* Signals belong to the main thread. It asks 127.0.0.1, so the balancer has to serve there. */
static void client_start(struct client *c, const struct group_settings *s)
{
	sigset_t all, old;

	*c = (struct client){.settings = s};
	if (strncmp(s->address, "127.", 4) != 0 && strcmp(s->address, "0.0.0.0") != 0 &&
	    strcmp(s->address, "*") != 0) {
		log_note("the balancer does not serve at 127.0.0.1: lost requests are not counted");
		return;
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	c->runs = pthread_create(&c->thread, NULL, ask_all_the_time, c) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void client_stop(struct client *c)
{
	if (!c->runs)
		return;
	__atomic_store_n(&c->stop, true, __ATOMIC_RELEASE);
	(void)pthread_join(c->thread, NULL);
	c->runs = false;
}

/* One byte of the program that is started first. */
static int alter_program(int fd, const struct manifest *m, struct error *err)
{
	struct tamper_places p = {0};
	int r = tamper_find(fd, "the group's image", m, &p, err);

	if (r == 0)
		r = tamper_program(fd, &p, err);
	tamper_places_free(&p);
	return r;
}

/* The ESP's first sectors: no firmware finds anything to start. */
static int make_unbootable(int fd, const struct manifest *m, struct error *err)
{
	static const char zeros[64 * LAYOUT_SECTOR];

	return io_pwrite_full(fd, "copy of the image", zeros, sizeof(zeros), m->layout.part[PART_ESP].offset,
			      err);
}

/* The image that a drill deploys; its id says what it is. */
static int prepare_image(const struct drills *all, enum drill_kind kind, const struct group *g,
			 char id[ROLLOUT_IMAGE_SIZE], struct error *err)
{
	bool tampered = kind == DRILL_TAMPERED;

	if (kind == DRILL_BAD_IMAGE && all->image)
		return group_import(all->dir, all->image, true, id, err);
	snprintf(id, ROLLOUT_IMAGE_SIZE, "%s-%.40s", tampered ? "tampered" : "unbootable", g->current);
	return group_import_altered(all->dir, g->current, id, tampered ? alter_program : make_unbootable,
				    err);
}

static int act(const struct group_dir *d, const struct drill *drill, enum drill_action action,
	       struct error *err)
{
	static const char *const requests[] = {[DRILL_WAIT] = "",
					       [DRILL_STRIKE] = "strike",
					       [DRILL_CONDEMN] = "condemn",
					       [DRILL_EXPIRE] = "expire",
					       [DRILL_DEPLOY] = "deploy"};
	struct json *more;

	if (action == DRILL_WAIT)
		return 0;
	more = js_object_new();
	if (action == DRILL_DEPLOY)
		js_set_string(more, "image", drill->image);
	else
		js_set_string(more, "instance", drill->victim);
	return group_request(d, requests[action], more, err);
}

/* From its beginning to its end; the lock is held, so nobody deploys in between. */
static int watch(const struct drills *all, struct drill *d, struct error *err)
{
	for (;;) {
		_cleanup_group_ struct group g = {0};
		int r = group_dir_read_state(all->dir, &g, err);

		if (r == 0 && drill_observe(d, &g, group_now())) {
			drill_judge(d, &g);
			return 0;
		}
		if (r == 0)
			r = act(all->dir, d, drill_action(d, &g), err);
		if (r == 0)
			r = group_wait(all->dir, err);
		if (r < 0)
			return r;
	}
}

static int hold(const struct drills *all, struct drill *d, enum drill_kind kind, struct error *err)
{
	_cleanup_group_ struct group before = {0}, after = {0};
	char image[ROLLOUT_IMAGE_SIZE] = "";
	struct client client;
	int r;

	if ((r = group_dir_read_state(all->dir, &before, err)) < 0 || (r = drill_check(&before, err)) < 0)
		return r;
	if (kind == DRILL_BAD_IMAGE || kind == DRILL_TAMPERED)
		r = prepare_image(all, kind, &before, image, err);
	if (r < 0)
		return r;
	log_note("%s: %s", drill_name(kind), drill_expectation(kind));
	client_start(&client, &all->dir->settings);
	drill_begin(d, kind, &before, image, all->deadline, group_now());
	r = watch(all, d, err);
	client_stop(&client);
	if (r < 0)
		return r;
	d->requests = client.requests;
	d->lost = client.lost;
	r = group_dir_read_state(all->dir, &after, err);
	if (r == 0)
		drill_judge(d, &after);
	return r;
}

static void seconds_text(char *text, size_t size, double s)
{
	if (s < 0)
		snprintf(text, size, "never");
	else
		snprintf(text, size, "%.1f s", s);
}

static void print_drill(const struct drill *d)
{
	char detect[32], recover[32];

	seconds_text(detect, sizeof(detect), drill_detect_seconds(d));
	seconds_text(recover, sizeof(recover), drill_recover_seconds(d));
	printf("%-4s  %-15s detected %8s  recovered %8s  lowest %u of %u  lost %ju of %ju  %s\n",
	       d->ok ? "ok" : "FAIL", drill_name(d->kind), detect, recover, d->lowest, d->size,
	       (uintmax_t)d->lost, (uintmax_t)d->requests, d->detail);
	(void)fflush(stdout);
}

static bool all_ok(const struct drills *all)
{
	for (size_t i = 0; i < all->count; i++)
		if (!all->list[i].ok)
			return false;
	return true;
}

static struct json *report_json(const struct drills *all)
{
	struct json *j = js_object_new(), *list = js_array_new();

	js_set_string(j, "group", all->dir->name);
	js_set_bool(j, "ok", all_ok(all));
	for (size_t i = 0; i < all->count; i++)
		js_append(list, drill_json(&all->list[i]));
	js_set(j, "drills", list);
	return j;
}

static int write_report(const struct drills *all, const char *path, struct error *err)
{
	_cleanup_json_ struct json *j = report_json(all);
	_cleanup_free_ char *text = js_text(j, false);

	return output_write_file(path, text, strlen(text), err);
}

static int write_junit(const struct drills *all, const char *path, struct error *err)
{
	struct junit j = {0};
	int r;

	for (size_t i = 0; i < all->count; i++) {
		const struct drill *d = &all->list[i];
		double s = drill_recover_seconds(d);

		junit_add(&j, "drill", drill_name(d->kind), s < 0 ? d->deadline : s, d->ok, d->detail, NULL);
	}
	r = junit_write(&j, all->dir->name, path, err);
	junit_free(&j);
	return r;
}

/* The last ones, oldest first, in drills.json of the group. */
static int keep_history(const struct drills *all, struct error *err)
{
	_cleanup_free_ char *path = group_dir_file(all->dir, "drills.json");
	_cleanup_json_ struct json *before = NULL, *list = js_array_new();
	_cleanup_free_ char *text = NULL;
	_cleanup_buf_ struct buf b = {0};
	struct error ignored = ERROR_INIT;
	size_t count, first;

	if (io_read_file(AT_FDCWD, path, HISTORY_BYTES, &b, &ignored) == 0)
		(void)js_parse(b.ptr ? b.ptr : "", b.len, path, &before, &ignored);
	count = js_array_len(before) + all->count;
	first = count > HISTORY_MAX ? count - HISTORY_MAX : 0;
	for (size_t i = first; i < js_array_len(before); i++)
		js_append(list, js_share(js_array_get(before, i)));
	for (size_t i = 0; i < all->count; i++)
		js_append(list, drill_json(&all->list[i]));
	text = js_text(list, false);
	return output_write_file(path, text, strlen(text), err);
}

static int hold_all(struct drills *all, const enum drill_kind *kinds, size_t count, struct error *err)
{
	_cleanup_close_ int lock = -1;
	int r = group_dir_lock(all->dir, true, &lock, err);

	if (r == 0)
		r = group_keeper_start(all->dir, err);
	for (size_t i = 0; i < count && r == 0; i++) {
		r = hold(all, &all->list[all->count], kinds[i], err);
		if (r < 0)
			return r;
		all->count++;
		if (all->say)
			print_drill(&all->list[i]);
	}
	return r < 0 ? r : keep_history(all, err);
}

static int finish(const struct drills *all, const char *report, const char *junit, bool json,
		  struct error *err)
{
	_cleanup_json_ struct json *j = NULL;
	unsigned failed = 0;
	int r = report ? write_report(all, report, err) : 0;

	if (r == 0 && junit)
		r = write_junit(all, junit, err);
	if (r == 0 && json) {
		j = report_json(all);
		r = cmd_print_json(j, err);
	}
	for (size_t i = 0; i < all->count; i++)
		failed += !all->list[i].ok;
	if (r == 0 && failed)
		r = error_set(err, -EIO, "group '%s': %u of %zu drills did not end as they must",
			      all->dir->name, failed, all->count);
	return r;
}

static int run(const struct command *self, int argc, char **argv, struct error *err)
{
	const char *group = NULL, *report = NULL, *junit = NULL;
	struct drills all = {0};
	const struct option_spec options[] = {
		{"group", 0, OPTION_STRING, "NAME", "the group", &group},
		{"image", 0, OPTION_STRING, "FILE",
		 "what bad-image deploys: one whose readiness never comes (default: a copy that does not boot)",
		 &all.image},
		{"deadline", 0, OPTION_NUMBER, "SECONDS", "for each (default: from the group's own)",
		 &all.deadline},
		{"report", 0, OPTION_STRING, "FILE", "write what came of them as JSON", &report},
		{"junit", 0, OPTION_STRING, "FILE", "write a JUnit report", &junit},
		{0},
	};
	_cleanup_group_dir_ struct group_dir d = {0};
	enum drill_kind kinds[ARGS_MAX] = {0};
	struct common_options common;
	const char *args[ARGS_MAX];
	size_t count;
	int r;

	hypervisor_silence();
	r = cmd_parse(self, options, argc, argv, 0, ARGS_MAX, args, &count, &common, err);
	if (r != 0)
		return r;
	for (size_t i = 0; i < count; i++)
		if ((r = drill_parse(args[i], &kinds[i], err)) < 0)
			return r;
	for (bool none = count == 0; none && count < DRILL_KINDS; count++)
		kinds[count] = (enum drill_kind)count;
	if ((r = group_dir_open(group, &d, err)) < 0 || (r = group_dir_need(&d, err)) < 0 ||
	    (r = group_dir_read_settings(&d, err)) < 0)
		return r;
	all.dir = &d;
	all.say = !common.json && !common.quiet;
	r = hold_all(&all, kinds, count, err);
	return r < 0 ? r : finish(&all, report, junit, common.json, err);
}

const struct command cmd_drill = {
	.name = "drill",
	.arguments = "[KIND...]",
	.summary = "Make planned failures in a group, and see that it recovers",
	.run = run,
};
