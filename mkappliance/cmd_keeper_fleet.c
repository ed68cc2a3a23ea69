/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_keeper_fleet.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "vm/balancer.h"
#include "vm/trial.h"

#define BAD	   (SEEN_DENIED | SEEN_FAILED | SEEN_REFUSED | SEEN_PANIC | SEEN_CORRUPTED)
#define TAIL_LINES 12
#define SLOW_NS \
	(5 *    \
	 1000000000ull) /* from the verified root to a machine that is asked even if it did not say that it is ready */
#define SILENT_NS (20 * 1000000000ull) /* the same from its power on, of one that says nothing */

static const struct balancer_server *server_of(const struct balancer_report *r, const char *id)
{
	for (size_t i = 0; i < r->count; i++)
		if (strcmp(r->servers[i].name, id) == 0)
			return &r->servers[i];
	return NULL;
}

/* What the machine says of itself counts more than what the balancer sees. */
static void judge(const struct member *m, const struct balancer_server *s, struct fleet_reading *ret)
{
	_cleanup_free_ char *end = NULL;

	rollout_copy(ret->id, sizeof(ret->id), m->id);
	ret->ended = m->status.seen & SEEN_END;
	if (s) {
		ret->attached = s->ready;
		ret->connections = s->connections;
		ret->served = s->bytes;
		ret->health = s->verdict == VERDICT_UP	   ? HEALTH_GOOD
			      : s->verdict == VERDICT_DOWN ? HEALTH_BAD
							   : HEALTH_UNKNOWN;
		rollout_copy(ret->reason, sizeof(ret->reason), s->reason);
	}
	if (ret->ended || m->status.seen & BAD) {
		end = trial_describe_end(&m->status);
		ret->health = HEALTH_BAD;
		rollout_copy(ret->reason, sizeof(ret->reason), end);
	}
}

/*
 * qemu takes a connection long before its guest can: a check of a machine that boots hangs for its whole time limit, and delays those that
 * follow by as much. So it is asked from when it says that it is ready; an image with an init of its own does not say it, nor does a console
 * that was begun anew.
 */
static bool can_be_asked(const struct member *m)
{
	const struct machine_status *s = &m->status;
	uint64_t now = clock_ns();

	return s->seen & SEEN_READY || (s->verified_ns && now - s->verified_ns > SLOW_NS) ||
	       now - s->started_ns > SILENT_NS;
}

/* The balancer has whom the group has: one that was started anew gets all of them again, and nobody else. */
static void reconcile(const struct keeper_fleet *f, const struct balancer_report *report)
{
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < members_count(f->members); i++) {
		const struct member *m = members_get(f->members, i);

		if (!(m->status.seen & SEEN_END) && can_be_asked(m) && !server_of(report, m->id) &&
		    balancer_add(f->dir->path, m->id, m->port, m->health_port, &err) < 0)
			log_note("%s: %s", m->id, err.text);
	}
	for (size_t i = 0; i < report->count; i++)
		if (!members_find(f->members, report->servers[i].name))
			(void)balancer_remove(f->dir->path, report->servers[i].name, &err);
}

static int start_balancer(const struct group_dir *d, struct error *err)
{
	const struct balancer_config c = {
		.dir = d->path,
		.address = d->settings.address,
		.port = d->settings.listen,
		.health_path = d->settings.health_path,
		.health_status = d->settings.health_status,
	};

	return balancer_start(&c, err);
}

static int fleet_read(void *data, struct fleet_reading **ret, size_t *ret_count, struct error *err)
{
	struct keeper_fleet *f = data;
	_cleanup_balancer_report_ struct balancer_report report = {0};
	size_t count = members_count(f->members);
	struct fleet_reading *list;
	int r = balancer_read(f->dir->path, &report, err);

	if (r == -EAGAIN) { /* it died: a new one starts with nobody */
		log_note("%s; it is started", err->text);
		r = start_balancer(f->dir, err);
		if (r == 0)
			r = balancer_read(f->dir->path, &report, err);
	}
	if (r < 0)
		return r;
	members_look(f->members);
	list = xcalloc(count + 1, sizeof(*list));
	for (size_t i = 0; i < count; i++) {
		const struct member *m = members_get(f->members, i);

		judge(m, server_of(&report, m->id), &list[i]);
	}
	reconcile(f, &report);
	*ret = list;
	*ret_count = count;
	return 0;
}

static int fleet_launch(void *data, const char *id, const char *image, struct error *err)
{
	struct keeper_fleet *f = data;
	const struct group_settings *s = &f->dir->settings;
	_cleanup_free_ char *path = group_dir_image(f->dir, image);
	_cleanup_free_ char *manifest = manifest_path_for(path);
	_cleanup_manifest_ struct manifest *m = NULL;
	int r = manifest_read(manifest, &m, err);

	if (r < 0)
		return r;
	return members_launch(f->members,
			      &(const struct member_launch){
				      .id = id,
				      .image = image,
				      .path = path,
				      .memory = s->memory ? s->memory : m->test.memory,
				      .cpus = s->cpus ? s->cpus : m->test.cpus,
				      .nvme = m->test.nvme,
				      .port = s->port,
				      .health_port = s->health_port,
			      },
			      err);
}

static int fleet_attach(void *data, const char *id, struct error *err)
{
	struct keeper_fleet *f = data;

	return balancer_set_ready(f->dir->path, id, true, err);
}

static int fleet_drain(void *data, const char *id, struct error *err)
{
	struct keeper_fleet *f = data;

	return balancer_set_ready(f->dir->path, id, false, err);
}

static void tell_last_words(const struct keeper_fleet *f, const struct member *m)
{
	_cleanup_strlist_ struct strlist tail = {0};

	if (!(m->status.seen & BAD))
		return;
	members_tail(f->members, m->id, TAIL_LINES, &tail);
	for (size_t i = 0; i < tail.len; i++)
		log_note("  %s: %s", m->id, tail.ptr[i]);
}

/* First the balancer forgets it, then it is asked to stop, and when it has, or must, all it had goes. */
static int fleet_terminate(void *data, const char *id, bool force, struct error *err)
{
	struct keeper_fleet *f = data;
	const struct member *m = members_find(f->members, id);
	int r;

	if (!m)
		return 0;
	if (!force && !(m->status.seen & (SEEN_END | BAD))) {
		r = balancer_set_ready(f->dir->path, id, false, err);
		members_press_power(f->members, id);
		return r;
	}
	tell_last_words(f, m);
	r = balancer_remove(f->dir->path, id, err);
	if (r < 0 && !force)
		return r;
	return members_remove(f->members, id, err);
}

struct fleet keeper_fleet_interface(struct keeper_fleet *f)
{
	return (struct fleet){
		.read = fleet_read,
		.launch = fleet_launch,
		.attach = fleet_attach,
		.drain = fleet_drain,
		.terminate = fleet_terminate,
		.data = f,
	};
}

void keeper_fleet_strike(struct keeper_fleet *f, const char *id)
{
	members_strike(f->members, id);
}

int keeper_fleet_open(const struct group_dir *d, struct keeper_fleet *ret, struct error *err)
{
	const struct members_config c = {
		.dir = d->path, .uri = d->settings.connect, .group = d->name, .arch = d->settings.arch};
	int r;

	ret->dir = d;
	r = start_balancer(d, err);
	return r < 0 ? r : members_open(&c, &ret->members, err);
}

void keeper_fleet_close(struct keeper_fleet *f)
{
	members_close(f->members);
	f->members = NULL;
}

int keeper_fleet_shut(struct keeper_fleet *f, struct error *err)
{
	return balancer_stop(f->dir->path, err);
}
