/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/members.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/log.h"
#include "vm/host.h"
#include "vm/workdir.h"
#include "vm/xml.h"

#define VARS_MAX       ((size_t)64 << 20)
#define MEMBER_MAX     4096u
#define CONSOLE_MAX    ((off_t)16 << 20)
#define READ_SIZE      65536u
#define PRESS_AGAIN_NS 5000000000ull
#define NOT_ENDED      -1

/* One machine; its address is known to libvirt's thread, so it never moves. */
struct running {
	struct member member;
	struct members *all;
	char *dir;
	struct domain *domain; /* NULL: ended, or was gone when we came */
	int ended;	       /* atomic: NOT_ENDED or enum domain_end, from libvirt's thread */
	int console_fd;	       /* -1: not there yet */
	off_t console_at;
	struct console *console;
	uint64_t pressed_ns;
};

struct members {
	char *dir;
	char *prefix; /* of the domains' names */
	struct hypervisor *hypervisor;
	struct platform platform;
	bool kvm;
	bool shared;
	bool system;
	struct running **list;
	size_t count;
	size_t cap;
};

static void on_end(enum domain_end end, void *data)
{
	struct running *n = data;

	__atomic_store_n(&n->ended, (int)end, __ATOMIC_RELEASE);
}

static void on_line(const struct console_line *line, void *data)
{
	struct running *n = data;

	n->member.status.seen |= witness_line(&n->member.status, line);
}

static struct running *running_new(struct members *m, const char *id)
{
	struct running *n = xcalloc(1, sizeof(*n));

	n->all = m;
	n->dir = xasprintf("%s/m/%s", m->dir, id);
	snprintf(n->member.id, sizeof(n->member.id), "%s", id);
	n->console_fd = -1;
	n->ended = NOT_ENDED;
	n->console = console_new(on_line, n);
	n->member.status.started_ns = clock_ns();
	return n;
}

/* Its domain runs on. */
static void running_free(struct running *n)
{
	if (!n)
		return;
	domain_leave(n->domain);
	cleanup_closep(&n->console_fd);
	console_free(n->console);
	free(n->dir);
	free(n);
}

static void add(struct members *m, struct running *n)
{
	array_grow(m->list, m->count, m->cap);
	m->list[m->count++] = n;
}

static struct running *find(const struct members *m, const char *id)
{
	for (size_t i = 0; i < m->count; i++)
		if (strcmp(m->list[i]->member.id, id) == 0)
			return m->list[i];
	return NULL;
}

static char *domain_name(const struct members *m, const char *id)
{
	return xasprintf("%s%s", m->prefix, id);
}

static int write_member(const struct running *n, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/member", n->dir);
	_cleanup_free_ char *text =
		xasprintf("%u %u %s\n", n->member.port, n->member.health_port, n->member.image);

	return output_write_file(path, text, strlen(text), err);
}

static int read_member(struct running *n, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/member", n->dir);
	_cleanup_buf_ struct buf b = {0};
	unsigned port = 0, health = 0;
	int r = io_read_file(AT_FDCWD, path, MEMBER_MAX, &b, err);

	if (r < 0)
		return r;
	if (!b.ptr || sscanf(b.ptr, "%u %u %79s", &port, &health, n->member.image) != 3 || port > 65535 ||
	    health > 65535)
		return error_set(err, -EINVAL, "%s: not as it was written", path);
	n->member.port = (uint16_t)port;
	n->member.health_port = (uint16_t)health;
	return 0;
}

/* It was started; whoever finds it without this was killed in the middle of that. */
static int mark_started(const struct running *n, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/started", n->dir);

	return output_write_file(path, "", 0, err);
}

static bool was_started(const struct running *n)
{
	_cleanup_free_ char *path = xasprintf("%s/started", n->dir);

	return access(path, F_OK) == 0;
}

/* Nothing of it counts: it is launched again. */
static void forget(struct running *n)
{
	struct error ignored = ERROR_INIT;

	workdir_end_all(n->dir);
	(void)io_remove_tree(n->dir, &ignored);
	running_free(n);
}

/*
 * What an earlier process started. One whose domain is gone is listed as ended: what its console says is the reason. But one that it was
 * just starting when it was killed has not failed.
 */
static void take_over(struct members *m, const char *id)
{
	struct running *n = running_new(m, id);
	_cleanup_free_ char *name = domain_name(m, id);
	struct error err = ERROR_INIT;
	int r = read_member(n, &err);

	if (r == 0)
		r = domain_attach(m->hypervisor, name, on_end, n, &n->domain, &err);
	if (r < 0 && !was_started(n)) {
		log_note("%s: was being started: %s", id, err.text);
		forget(n);
		return;
	}
	if (r == 0 && mark_started(n, &err) < 0)
		log_warning("%s", err.text);
	if (r < 0) {
		log_note("%s: %s", id, err.text);
		n->ended = DOMAIN_CRASHED;
	}
	add(m, n);
}

static int take_over_all(struct members *m, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/m", m->dir);
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *e;
	int r = io_make_dirs(path, m->shared ? 0711 : 0700, err);

	if (r < 0)
		return r;
	d = opendir(path);
	if (!d)
		return error_errno(err, -errno, "%s", path);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.' && strlen(e->d_name) < MEMBER_ID_SIZE)
			take_over(m, e->d_name);
	return 0;
}

int members_open(const struct members_config *c, struct members **ret, struct error *err)
{
	struct members *m = xcalloc(1, sizeof(*m));
	_cleanup_free_ char *root = xasprintf("%s/v", c->dir);
	const char *accel;
	int r;

	m->dir = xstrdup(c->dir);
	m->prefix = c->uri ? xasprintf("mkappliance-%s-", c->group) : xstrdup("");
	m->shared = c->uri;
	m->system = c->uri && strstr(c->uri, "/system");
	m->kvm = host_has_kvm(c->arch, &accel);
	if ((r = host_platform(c->arch, &m->platform, err)) < 0 || (r = io_make_dirs(root, 0700, err)) < 0 ||
	    (r = hypervisor_open(c->uri, root, &m->hypervisor, err)) < 0 || (r = take_over_all(m, err)) < 0) {
		members_close(m);
		return r;
	}
	log_note("virtual machines: %s", accel);
	*ret = m;
	return 0;
}

void members_close(struct members *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->count; i++)
		running_free(m->list[i]);
	hypervisor_close(m->hypervisor);
	free(m->list);
	free(m->prefix);
	free(m->dir);
	free(m);
}

/* New bytes of the console. qemu appends, so that a file that was cut goes on at its new end. */
static void read_console(struct running *n)
{
	_cleanup_free_ char *path = xasprintf("%s/console", n->dir);
	char bytes[READ_SIZE];
	ssize_t len;

	if (n->console_fd < 0)
		n->console_fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (n->console_fd < 0)
		return;
	while ((len = pread(n->console_fd, bytes, sizeof(bytes), n->console_at)) > 0) {
		console_feed(n->console, bytes, (size_t)len);
		n->console_at += len;
	}
	if (n->console_at > CONSOLE_MAX && ftruncate(n->console_fd, 0) == 0)
		n->console_at = 0;
}

void members_look(struct members *m)
{
	for (size_t i = 0; i < m->count; i++) {
		struct running *n = m->list[i];
		int ended = __atomic_load_n(&n->ended, __ATOMIC_ACQUIRE);

		if (n->member.status.seen & SEEN_END)
			continue;
		read_console(n);
		if (ended == NOT_ENDED)
			continue;
		console_end(n->console);
		n->member.status.end = (enum domain_end)ended;
		n->member.status.end_ns = clock_ns();
		n->member.status.seen |= SEEN_END;
	}
}

size_t members_count(const struct members *m)
{
	return m->count;
}

const struct member *members_get(const struct members *m, size_t i)
{
	return &m->list[i]->member;
}

const struct member *members_find(const struct members *m, const char *id)
{
	const struct running *n = find(m, id);

	return n ? &n->member : NULL;
}

void members_tail(const struct members *m, const char *id, size_t max, struct strlist *ret)
{
	const struct running *n = find(m, id);

	if (n)
		console_tail(n->console, max, ret);
}

static int copy_vars(const struct running *n, const char *from, const char *to, struct error *err)
{
	_cleanup_buf_ struct buf b = {0};
	int r = io_make_dirs(n->dir, n->all->shared ? 0711 : 0700, err);

	if (r == 0)
		r = io_read_file(AT_FDCWD, from, VARS_MAX, &b, err);
	return r < 0 ? r : output_write_file(to, b.ptr, b.len, err);
}

/* Free ports; somebody may take them before qemu does, which is a launch that failed and is tried again. */
static int choose_ports(struct running *n, const struct member_launch *l, struct error *err)
{
	const bool two = l->health_port != l->port;
	struct forward f[2] = {{0, l->port}, {0, l->health_port}};
	int r = host_free_ports(f, two ? 2 : 1, err);

	n->member.port = f[0].host;
	n->member.health_port = f[two].host;
	return r;
}

/* Its ports are chosen. */
static int start(struct running *n, const struct member_launch *l, struct error *err)
{
	struct members *m = n->all;
	_cleanup_free_ char *name = domain_name(m, l->id);
	_cleanup_free_ char *vars = xasprintf("%s/vars.fd", n->dir);
	_cleanup_free_ char *console = xasprintf("%s/console", n->dir);
	const struct forward forwards[2] = {{n->member.port, l->port},
					    {n->member.health_port, l->health_port}};
	const struct domain_config d = {
		.name = name,
		.kvm = m->kvm,
		.arch = m->platform.arch,
		.machine = m->platform.machine,
		.memory = l->memory,
		.cpus = l->cpus,
		.firmware_code = m->platform.firmware_code,
		.firmware_vars = vars,
		.image = l->path,
		.nvme = l->nvme,
		.console_file = console,
		.keep_owner = m->system,
		.stays = true,
		.reboot_ends = true,
		.forwards = forwards,
		.forward_count = l->health_port == l->port ? 1 : 2,
	};
	int r;

	if (!xml_can_hold(l->path) || !xml_can_hold(console))
		return error_set(err, -EINVAL, "%s: libvirt takes only names in UTF-8", l->path);
	if ((r = copy_vars(n, m->platform.firmware_vars, vars, err)) < 0 || (r = write_member(n, err)) < 0)
		return r;
	return domain_start(m->hypervisor, &d, on_end, n, &n->domain, err);
}

int members_launch(struct members *m, const struct member_launch *l, struct error *err)
{
	struct running *n;
	struct error ignored = ERROR_INIT;
	int r;

	if (find(m, l->id))
		return 0;
	n = running_new(m, l->id);
	snprintf(n->member.image, sizeof(n->member.image), "%s", l->image);
	r = choose_ports(n, l, err);
	if (r == 0)
		r = start(n, l, err);
	if (r == 0)
		r = mark_started(n, err);
	if (r < 0) {
		domain_free(steal_pointer(&n->domain));
		(void)io_remove_tree(n->dir, &ignored);
		running_free(n);
		return r;
	}
	add(m, n);
	return 0;
}

void members_press_power(struct members *m, const char *id)
{
	struct running *n = find(m, id);
	struct error err = ERROR_INIT;
	uint64_t now = clock_ns();

	if (!n || !n->domain || n->member.status.seen & SEEN_END ||
	    (n->pressed_ns && now - n->pressed_ns < PRESS_AGAIN_NS))
		return;
	n->pressed_ns = now;
	if (domain_press_power(n->domain, &err) < 0)
		log_debug("%s: %s", id, err.text);
}

void members_strike(struct members *m, const char *id)
{
	struct running *n = find(m, id);

	if (n && n->domain)
		domain_destroy(n->domain);
}

int members_remove(struct members *m, const char *id, struct error *err)
{
	int r;

	for (size_t i = 0; i < m->count; i++) {
		struct running *n = m->list[i];

		if (strcmp(n->member.id, id) != 0)
			continue;
		domain_free(steal_pointer(&n->domain));
		r = io_remove_tree(n->dir, err);
		running_free(n);
		m->list[i] = m->list[--m->count];
		return r;
	}
	return 0;
}
