/* SPDX-License-Identifier: Apache-2.0 */
/* Drills in a local group: its keeper is asked for what is to fail; declared in cmd_drill.h. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cmd_drill.h"
#include "cmd_group.h"
#include "image/layout.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/log.h"
#include "vm/tamper_edit.h"

#define HISTORY_MAX   100
#define HISTORY_BYTES ((size_t)16 << 20)

struct local {
	struct group_dir dir;
	const char *image; /* for bad-image; NULL: one that cannot boot is made */
	int lock;
};

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

/* The image's id says what it is. */
static int prepare(void *data, enum drill_kind kind, const struct group *g, char ret[ROLLOUT_IMAGE_SIZE],
		   struct error *err)
{
	struct local *l = data;
	bool tampered = kind == DRILL_TAMPERED;

	if (!tampered && kind != DRILL_BAD_IMAGE)
		return 0;
	if (!tampered && l->image)
		return group_import(&l->dir, l->image, true, ret, err);
	snprintf(ret, ROLLOUT_IMAGE_SIZE, "%s-%.40s", tampered ? "tampered" : "unbootable", g->current);
	return group_import_altered(&l->dir, g->current, ret, tampered ? alter_program : make_unbootable,
				    err);
}

static int look(void *data, struct group *ret, struct error *err)
{
	return group_dir_read_state(&((struct local *)data)->dir, ret, err);
}

static int act(void *data, struct drill *d, enum drill_action action, struct error *err)
{
	static const char *const requests[] = {[DRILL_WAIT] = "",
					       [DRILL_STRIKE] = "strike",
					       [DRILL_CONDEMN] = "condemn",
					       [DRILL_EXPIRE] = "expire",
					       [DRILL_DEPLOY] = "deploy"};
	struct local *l = data;
	struct json *more = js_object_new();

	if (action == DRILL_DEPLOY)
		js_set_string(more, "image", d->image);
	else
		js_set_string(more, "instance", d->victim);
	return group_request(&l->dir, requests[action], more, err);
}

static int wait_a_turn(void *data, struct error *err)
{
	return group_wait(&((struct local *)data)->dir, err);
}

static int64_t now(void *data)
{
	(void)data;
	return group_now();
}

/* The last ones, oldest first, in drills.json of the group. */
static int keep(void *data, const struct drill *d, struct error *err)
{
	_cleanup_free_ char *path = group_dir_file(&((struct local *)data)->dir, "drills.json");
	_cleanup_json_ struct json *before = NULL, *list = js_array_new();
	_cleanup_free_ char *text = NULL;
	_cleanup_buf_ struct buf b = {0};
	struct error ignored = ERROR_INIT;
	size_t count;

	if (io_read_file(AT_FDCWD, path, HISTORY_BYTES, &b, &ignored) == 0)
		(void)js_parse(b.ptr ? b.ptr : "", b.len, path, &before, &ignored);
	count = js_array_len(before);
	for (size_t i = count >= HISTORY_MAX ? count - HISTORY_MAX + 1 : 0; i < count; i++)
		js_append(list, js_share(js_array_get(before, i)));
	js_append(list, drill_json(d));
	text = js_text(list, false);
	return output_write_file(path, text, strlen(text), err);
}

/* The keeper goes on by itself. */
static int interrupted(void *data, const struct drill *d, struct error *err)
{
	const char *name = ((const struct local *)data)->dir.name;

	return error_set(err, -EINTR,
			 "interrupted in drill %s: group '%s' %s (mkappliance status --group %s --watch)",
			 drill_name(d->kind), name,
			 d->image[0] ? "rolls back by itself" : "replaces what is missing by itself", name);
}

static void close_local(void *data)
{
	struct local *l = data;

	if (l->lock >= 0)
		cleanup_closep(&l->lock);
	group_dir_close(&l->dir);
	free(l);
}

/* It asks 127.0.0.1, so the balancer has to serve there. */
static char *url_of(const struct group_settings *s)
{
	if (strncmp(s->address, "127.", 4) == 0 || strcmp(s->address, "0.0.0.0") == 0 ||
	    strcmp(s->address, "*") == 0)
		return xasprintf("http://%s:%u/", s->address[0] == '1' ? s->address : "127.0.0.1", s->listen);
	log_note("the balancer does not serve at 127.0.0.1: lost requests are not counted (--url)");
	return NULL;
}

static int open_local(struct local *l, const struct drill_options *o, struct error *err)
{
	int r;

	if (o->per_zone)
		return error_usage(err, "--per-zone: a local group has no zones");
	if ((r = group_dir_open(o->group, &l->dir, err)) < 0 || (r = group_dir_need(&l->dir, err)) < 0 ||
	    (r = group_dir_read_settings(&l->dir, err)) < 0 ||
	    (r = group_dir_lock(&l->dir, true, &l->lock, err)) < 0)
		return r;
	return group_keeper_start(&l->dir, err);
}

int drill_ground_local(const struct drill_options *o, struct drill_ground *ret, struct error *err)
{
	struct local *l = xcalloc(1, sizeof(*l));
	int r;

	l->lock = -1;
	l->image = drill_image_of(o, DRILL_BAD_IMAGE);
	r = open_local(l, o, err);
	if (r < 0) {
		close_local(l);
		return r;
	}
	*ret = (struct drill_ground){
		.stage = {.look = look, .act = act, .wait = wait_a_turn, .now = now, .data = l},
		.name = l->dir.name,
		.url = o->url ? xstrdup(o->url) : url_of(&l->dir.settings),
		.prepare = prepare,
		.keep = keep,
		.interrupted = interrupted,
		.close = close_local};
	return 0;
}
