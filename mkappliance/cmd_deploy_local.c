/* SPDX-License-Identifier: Apache-2.0 */
/* deploy --to libvirt: a group of machines of this host, which its keeper moves; declared in cmd_deploy.h. */
#include "cmd_deploy.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/io.h"
#include "lib/log.h"
#include "vm/balancer.h"
#include "vm/host.h"
#include "vm/subject.h"
#include "vm/workdir.h"

#define PAUSE_MS    200
#define GONE_PAUSES 10

static bool parse_port(const char *text, uint16_t *ret)
{
	unsigned long n = 0;

	for (const char *p = text; *p; p++) {
		if (!isdigit((unsigned char)*p) || p - text >= 5)
			return false;
		n = n * 10 + (unsigned long)(*p - '0');
	}
	*ret = (uint16_t)n;
	return n >= 1 && n <= 65535;
}

/* PORT or ADDRESS:PORT; without it a free port of 127.0.0.1. */
static int choose_listen(const char *text, struct group_settings *s, struct error *err)
{
	const char *colon = text ? strrchr(text, ':') : NULL;
	_cleanup_free_ char *address = xstrdup("127.0.0.1");

	if (!text) {
		s->address = steal_pointer(&address);
		return host_free_port(&s->listen, err);
	}
	if (colon) {
		free(address);
		address = xstrndup(text, (size_t)(colon - text));
	}
	if (!address[0] || address[strspn(address, "0123456789abcdefABCDEF.:*[]")] ||
	    !parse_port(colon ? colon + 1 : text, &s->listen))
		return error_usage(err, "--listen: '%s' is not PORT or ADDRESS:PORT", text);
	s->address = steal_pointer(&address);
	return 0;
}

/* ":PORT/PATH" for the check. Clients go to the first port that [Test] asks. */
static int choose_health(const char *text, const struct manifest *m, struct group_settings *s,
			 struct error *err)
{
	const struct template_probe *probe = NULL;
	_cleanup_free_ char *port = NULL;
	const char *slash;

	for (size_t i = 0; i < m->test.count && !probe; i++)
		if (m->test.probes[i].kind == PROBE_HTTP)
			probe = &m->test.probes[i];
	if (!probe)
		return error_usage(
			err,
			"%s %s: its template has no Get= in [Test]: no port for clients and nothing to check",
			m->name, m->version);
	s->port = s->health_port = probe->port;
	s->health_status = probe->status;
	s->health_path = xstrdup(probe->path);
	if (text) {
		slash = strchr(text, '/');
		port = xstrndup(text + (text[0] == ':'), slash ? (size_t)(slash - text - 1) : 0);
		if (text[0] != ':' || !slash || !parse_port(port, &s->health_port))
			return error_usage(err, "--health: '%s' is not :PORT/PATH", text);
		free(s->health_path);
		s->health_path = xstrdup(slash);
		s->health_status = 200;
	}
	if (!balancer_path_is_plain(s->health_path))
		return error_usage(err,
				   "the balancer cannot ask for '%s'; say another one (--health=:PORT/PATH)",
				   s->health_path);
	return 0;
}

/* The group's own settings, from its first image. */
static int create(struct group_dir *d, const struct deploy_options *o, const char *image, struct error *err)
{
	_cleanup_subject_ struct subject subject = {0};
	struct group_settings *s = &d->settings;
	int r = subject_open(image, &subject, err);

	if (r < 0)
		return r;
	s->arch = xstrdup(subject.manifest->arch);
	s->connect = o->connect ? xstrdup(o->connect) : NULL;
	if ((r = choose_listen(o->listen, s, err)) < 0 ||
	    (r = choose_health(o->health, subject.manifest, s, err)) < 0)
		return r;
	s->memory = o->memory;
	s->cpus = o->cpus;
	return group_dir_write_settings(d, err);
}

/*
 * The group's directory, made where it is not there, and the lock in it: whoever makes the group first makes it, and whoever was sooner and
 * failed has taken the directory away, with the lock that was waited for.
 */
static int take_place(const struct group_dir *d, bool shared, int *ret_lock, struct error *err)
{
	_cleanup_free_ char *path = group_dir_file(d, "client.lock");

	for (;;) {
		_cleanup_close_ int lock = -1;
		struct stat held, named;
		int r = io_make_dirs(d->path, shared ? 0711 : 0700, err);

		if (r == 0)
			r = group_dir_lock(d, true, &lock, err);
		if (r == -ENOENT)
			continue; /* it went between the two */
		if (r < 0)
			return r;
		if (fstat(lock, &held) == 0 && stat(path, &named) == 0 && held.st_ino == named.st_ino) {
			*ret_lock = steal_fd(&lock);
			return 0;
		}
	}
}

/* Nothing is made over what is left of a group that was damaged: its machines may run. */
static int check_left(const struct group_dir *d, struct error *err)
{
	_cleanup_free_ char *state = group_dir_file(d, "state.json");

	if (access(state, F_OK) < 0)
		return 0;
	return error_set(
		err, -ENOENT,
		"group '%s': %s/settings.json is gone, and its state is there; put it back, or end the group "
		"(mkappliance deploy --group %s --destroy)",
		d->name, d->path, d->name);
}

/* What a group keeps for its whole life cannot be said again. */
static int update(struct group_dir *d, const struct deploy_options *o, struct error *err)
{
	int r = group_dir_read_settings(d, err);

	if (r < 0)
		return r;
	if (o->listen || o->health || o->connect)
		return error_usage(
			err,
			"--listen, --health and --connect are of a group's first deployment; '%s' is there",
			d->name);
	if (!o->memory && !o->cpus)
		return 0;
	if (o->memory)
		d->settings.memory = o->memory;
	if (o->cpus)
		d->settings.cpus = o->cpus;
	return group_dir_write_settings(d, err);
}

/* Ctrl-C on a terminal: is it to go on by itself, or to go back? */
static int ask_to_go_back(const struct group_dir *d, struct error *err)
{
	char answer[16] = "";

	interrupt_clear();
	if (isatty(STDIN_FILENO) && log_is_terminal()) {
		fprintf(stderr, "Roll back to the previous image? [y/N] ");
		if (fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
			return group_request(d, "rollback", NULL, err);
	}
	return error_set(err, -EINTR,
			 "interrupted; the deployment goes on (mkappliance status --group %s, or rollback)",
			 d->name);
}

static int print_result(const struct group_dir *d, const struct group *g, const struct deploy_options *o,
			struct error *err)
{
	_cleanup_free_ char *name = group_dir_image_name(d, g->current);
	_cleanup_json_ struct json *j = NULL;

	if (o->common.json) {
		j = group_status_json(d, g);
		return cmd_print_json(j, err);
	}
	if (!o->common.quiet)
		printf("%s: %s (%.12s), %u of %u serve at http://%s:%u/\n", g->name, name, g->current,
		       group_serving(g), g->size, d->settings.address, d->settings.listen);
	return 0;
}

/* Nothing is to be deployed: until the group is as it is to be, of another size perhaps. */
static int await_well(const struct group_dir *d, struct group *ret, struct error *err)
{
	uint64_t start = clock_ns();

	for (;;) {
		_cleanup_group_ struct group g = {0};
		int r = group_dir_read_state(d, &g, err);

		if (r == 0 && (group_is_well(&g) || !g.current[0])) {
			*ret = g;
			g = (struct group){0};
			return 0;
		}
		if (r == 0 && clock_ns() - start > g.plan.deadline * 1000000000ull)
			r = error_set(err, -ETIMEDOUT, "group '%s': %u of %u serve after %u s", g.name,
				      group_serving(&g), g.size, g.plan.deadline);
		if (r == 0)
			r = group_wait(d, err);
		if (r < 0)
			return r;
	}
}

/* Follows the deployment that is under way to its end, or the one that has begun since number @before. */
static int follow(const struct group_dir *d, const struct deploy_options *o, unsigned before,
		  struct error *err)
{
	_cleanup_group_ struct group now = {0}, end = {0};
	int r = group_dir_read_state(d, &now, err);

	if (r == 0 && now.deployment.phase == PHASE_NONE && now.deployment.number == before) {
		r = await_well(d, &end, err);
		return r < 0 ? r : print_result(d, &end, o, err);
	}
	while (r == 0) {
		r = group_follow(d, now.deployment.number, &end, err);
		if (r != -EINTR)
			break;
		r = ask_to_go_back(d, err);
	}
	if (r == 0)
		r = print_result(d, &end, o, err);
	return r < 0 ? r : group_judge(&end, err);
}

static int pause_a_while(struct error *err)
{
	struct pollfd p = {.fd = interrupt_fd(), .events = POLLIN};

	(void)poll(&p, 1, PAUSE_MS);
	return interrupt_check(err);
}

/* A group of no size has no keeper: it ends with the last machine. */
static int await_rest(const struct group_dir *d, struct error *err)
{
	int r = 0;

	while (r == 0 && group_keeper_runs(d))
		r = pause_a_while(err);
	return r;
}

static struct json *deploy_request(const struct deploy_options *o, const char *id)
{
	struct json *j = js_object_new();

	if (id)
		js_set_string(j, "image", id);
	if (o->size != DEPLOY_UNSET)
		js_set_int(j, "size", o->size);
	if (o->allow_drill)
		js_set_bool(j, "drill", true);
	js_set(j, "plan", rollout_plan_json(&o->plan));
	return j;
}

static int check_plan(const struct group_dir *d, const struct deploy_options *o, struct error *err)
{
	_cleanup_json_ struct json *j = rollout_plan_json(&o->plan);
	_cleanup_group_ struct group g = {.size = DEPLOY_SIZE, .plan = ROLLOUT_PLAN_DEFAULT};
	struct error ignored = ERROR_INIT;
	int r;

	if (group_dir_read_state(d, &g, &ignored) < 0)
		g = (struct group){.size = DEPLOY_SIZE, .plan = ROLLOUT_PLAN_DEFAULT};
	r = rollout_plan_parse(j, &g.plan, err);
	return r < 0 ? r : rollout_plan_check(&g.plan, o->size == DEPLOY_UNSET ? g.size : o->size, err);
}

/* All that happens with the lock held. @ret_before: of a group that was there. */
static int order(struct group_dir *d, struct deploy_options *o, const char *image, bool is_new,
		 struct group *ret_before, struct error *err)
{
	struct error ignored = ERROR_INIT;
	char id[ROLLOUT_IMAGE_SIZE];
	int r = is_new ? create(d, o, image, err) : update(d, o, err);

	if (r == 0)
		r = group_dir_check_state(d, err);
	if (r == 0 && image)
		r = group_import(d, image, !o->unverified, id, err);
	if (r == 0)
		r = group_keeper_start(d, err);
	if (r < 0)
		return r;
	if (!is_new)
		(void)group_dir_read_state(d, ret_before, &ignored);
	return group_request(d, "deploy", deploy_request(o, image ? id : NULL), err);
}

int deploy_local(struct group_dir *d, struct deploy_options *o, const char *image, struct error *err)
{
	_cleanup_group_ struct group before = {0};
	_cleanup_close_ int lock = -1;
	struct error ignored = ERROR_INIT;
	bool is_new = !group_dir_exists(d);
	int r = is_new && !image ? group_dir_need(d, err) : check_plan(d, o, err);

	if (r < 0 || (is_new && (r = check_left(d, err)) < 0) ||
	    (r = take_place(d, o->connect, &lock, err)) < 0)
		return r;
	is_new = !group_dir_exists(d); /* somebody else may have been sooner */
	if (is_new && !image) {
		(void)io_remove_tree(d->path, &ignored);
		return group_dir_need(d, err);
	}
	if (is_new && o->size == DEPLOY_UNSET)
		o->size = DEPLOY_SIZE;
	r = order(d, o, image, is_new, &before, err);
	if (r < 0 && is_new && !group_keeper_runs(d))
		(void)io_remove_tree(d->path, &ignored);
	cleanup_closep(&lock);
	lock = -1;
	if (r < 0)
		return r;
	return o->size == 0 ? await_rest(d, err) : follow(d, o, before.deployment.number, err);
}

/* No keeper can be had without its settings: what runs from the directory, the balancer, and then all of it. */
static int end_by_hand(const struct group_dir *d, const struct error *why, struct error *err)
{
	struct error ignored = ERROR_INIT;

	log_warning("%s; what runs from %s is ended (machines of a --connect are not: virsh list)", why->text,
		    d->path);
	workdir_end_all(d->path);
	(void)balancer_stop(d->path, &ignored);
	return io_remove_tree(d->path, err);
}

/*
 * What cannot be read is put aside, and what is gone is made anew: a keeper whose state has no machine ends all that run.
 */
static int empty_state(const struct group_dir *d, struct error *err)
{
	_cleanup_free_ char *state = group_dir_file(d, "state.json");
	_cleanup_free_ char *aside = group_dir_file(d, "state.json.damaged");
	_cleanup_group_ struct group g = {0}, empty = {.plan = ROLLOUT_PLAN_DEFAULT};
	struct error why = ERROR_INIT;

	if (group_dir_read_state(d, &g, &why) == 0)
		return 0;
	log_warning("%s", why.text);
	if (rename(state, aside) < 0 && errno != ENOENT)
		return error_errno(err, -errno, "%s", state);
	rollout_copy(empty.name, sizeof(empty.name), d->name);
	return journal_write(state, &empty, err);
}

int deploy_local_destroy(struct group_dir *d, struct error *err)
{
	_cleanup_close_ int lock = -1;
	struct error why = ERROR_INIT;
	int r = access(d->path, F_OK) == 0 ? 0 : group_dir_need(d, err);

	if (r < 0 || (r = group_dir_lock(d, true, &lock, err)) < 0)
		return r;
	if (!group_keeper_runs(d) && group_dir_read_settings(d, &why) < 0)
		return end_by_hand(d, &why, err);
	if ((!group_keeper_runs(d) && (r = empty_state(d, err)) < 0) ||
	    (r = group_keeper_start(d, err)) < 0 || (r = group_request(d, "destroy", NULL, err)) < 0)
		return r;
	/* Its files go with it, the lock too; one that was killed before that is started again. */
	for (unsigned gone = 0; r == 0 && access(d->path, F_OK) == 0; r = pause_a_while(err)) {
		gone = group_keeper_runs(d) ? 0 : gone + 1;
		if (gone > GONE_PAUSES && group_keeper_start(d, err) < 0)
			return err->code;
	}
	return r;
}
