/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/domain.h"

#include <errno.h>
#include <fcntl.h>
#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "vm/virt.h"

#define LOG_OUTPUTS "LIBVIRT_LOG_OUTPUTS"
#define CMDLINE_MAX ((size_t)4 << 20)
#define TICK_MS	    200 /* how late the event thread notices that it is to end */

struct hypervisor {
	virConnectPtr connection;
	pthread_t thread;
	bool stop;  /* atomic */
	int timer;  /* wakes the event loop now and then */
	bool embed; /* domains live and die inside this process */
};

/*
 * Held by its owner and, while registered, by libvirt's callback, which may just be running when the owner
 * lets go.
 */
struct domain {
	unsigned refs; /* atomic */
	struct hypervisor *h;
	virDomainPtr domain;
	int callback; /* -1: none registered */
	pthread_mutex_t lock;
	bool ended;
	void (*on_end)(enum domain_end end, void *data);
	void *data;
};

static void tick(int timer, void *data)
{
	(void)timer;
	(void)data;
}

static void *run_events(void *data)
{
	struct hypervisor *h = data;

	while (!__atomic_load_n(&h->stop, __ATOMIC_ACQUIRE))
		if (virEventRunDefaultImpl() < 0)
			break;
	return NULL;
}

/* Signals belong to the main thread, whose poll() they end. */
static int start_thread(struct hypervisor *h)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&h->thread, NULL, run_events, h);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -r;
}

/*
 * qemu.conf of the embedded driver: no security driver, no cgroups, no helper daemons, and as root qemu runs as root: it
 * has to read whatever images root builds.
 */
static int write_settings(const char *dir, struct error *err)
{
	static const char text[] = "security_driver = \"none\"\n"
				   "dynamic_ownership = 0\n"
				   "remember_owner = 0\n"
				   "namespaces = []\n"
				   "cgroup_controllers = []\n"
				   "stdio_handler = \"file\"\n";
	static const char root[] = "user = \"+0\"\ngroup = \"+0\"\n"
				   "swtpm_user = \"root\"\nswtpm_group = \"root\"\n";
	_cleanup_free_ char *all = xasprintf("%s%s", text, geteuid() == 0 ? root : "");
	_cleanup_free_ char *etc = xasprintf("%s/etc", dir);
	_cleanup_free_ char *path = xasprintf("%s/qemu.conf", etc);
	int r = io_make_dirs(etc, 0700, err);

	return r < 0 ? r : output_write_file(path, all, strlen(all), err);
}

/*
 * libvirt asks qemu what it can, which takes seconds, and keeps the answer in DIR/cache as long as qemu and
 * libvirt stay the same. Kept for the next run in the user's cache; where that cannot be made it merely
 * takes the seconds again.
 */
static void keep_cache(const char *dir)
{
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	_cleanup_free_ char *link = xasprintf("%s/cache", dir);
	_cleanup_free_ char *cache = NULL;
	struct error err = ERROR_INIT;

	if (xdg && xdg[0] == '/')
		cache = xasprintf("%s/mkappliance/libvirt", xdg);
	else if (home && home[0] == '/')
		cache = xasprintf("%s/.cache/mkappliance/libvirt", home);
	else
		return;
	if (io_make_dirs(cache, 0700, &err) < 0 || access(cache, W_OK) < 0 || symlink(cache, link) < 0)
		log_debug("libvirt's knowledge of qemu is not kept: %s", err.text[0] ? err.text : cache);
}

static int start_events(struct hypervisor *h, struct error *err)
{
	static bool registered; /* libvirt has one event loop a process, for ever */
	int r;

	if (!registered && virEventRegisterDefaultImpl() < 0)
		return virt_error(err, "libvirt's event loop");
	registered = true;
	h->timer = virEventAddTimeout(TICK_MS, tick, NULL, NULL);
	r = start_thread(h);
	if (r < 0)
		return error_errno(err, r, "starting a thread");
	return 0;
}

static void stop_events(struct hypervisor *h)
{
	__atomic_store_n(&h->stop, true, __ATOMIC_RELEASE);
	(void)pthread_join(h->thread, NULL);
	(void)virEventRemoveTimeout(h->timer);
}

void hypervisor_silence(void)
{
	_cleanup_buf_ struct buf line = {0};
	_cleanup_free_ char **argv = NULL;
	struct error ignored = ERROR_INIT;
	size_t count = 0, cap = 0;

	if (getenv(LOG_OUTPUTS) || setenv(LOG_OUTPUTS, "4:file:/dev/null", 1) < 0 ||
	    io_read_file(AT_FDCWD, "/proc/self/cmdline", CMDLINE_MAX, &line, &ignored) < 0)
		return;
	for (size_t at = 0; at < line.len; at += strlen(line.ptr + at) + 1) {
		array_grow(argv, count, cap);
		argv[count++] = line.ptr + at;
	}
	array_grow(argv, count, cap);
	argv[count] = NULL;
	(void)execv("/proc/self/exe", argv);
}

static int open_connection(struct hypervisor *h, const char *uri, const char *dir, struct error *err)
{
	_cleanup_free_ char *own = xasprintf("qemu:///embed?root=%s", dir);
	_cleanup_free_ char *what = xasprintf("libvirt (%s)", uri ? uri : "qemu:///embed");
	int r;

	h->connection = virConnectOpen(uri ? uri : own);
	if (h->connection)
		return 0;
	r = virt_error(err, what);
	/* As root, libvirt looks its own user up before it reads the settings that say it is not wanted. */
	if (strstr(err->text, "Failed to parse user"))
		return error_set(
			err, r,
			"%s: libvirt's own user does not exist (apt-get install libvirt-daemon-system)",
			what);
	return r;
}

int hypervisor_open(const char *uri, const char *dir, struct hypervisor **ret, struct error *err)
{
	_cleanup_free_ struct hypervisor *h = xcalloc(1, sizeof(*h));
	int r;

	virt_silence();
	if (virInitialize() < 0)
		return virt_error(err, "libvirt");
	h->embed = !uri;
	r = h->embed ? write_settings(dir, err) : 0;
	if (r < 0)
		return r;
	if (h->embed)
		keep_cache(dir);
	r = start_events(h, err);
	if (r < 0)
		return r;
	r = open_connection(h, uri, dir, err);
	if (r < 0) {
		stop_events(h);
		return r;
	}
	*ret = steal_pointer(&h);
	return 0;
}

void hypervisor_close(struct hypervisor *h)
{
	if (!h)
		return;
	(void)virConnectClose(h->connection);
	stop_events(h);
	free(h);
}

static enum domain_end end_of(int event, int detail)
{
	if (event == VIR_DOMAIN_EVENT_CRASHED)
		return DOMAIN_CRASHED;
	switch (detail) {
	case VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN:
		return DOMAIN_SHUT_DOWN;
	case VIR_DOMAIN_EVENT_STOPPED_DESTROYED:
		return DOMAIN_DESTROYED;
	default:
		return DOMAIN_CRASHED;
	}
}

static int on_lifecycle(virConnectPtr connection, virDomainPtr domain, int event, int detail, void *data)
{
	struct domain *d = data;
	bool first;

	(void)connection;
	(void)domain;
	if (event != VIR_DOMAIN_EVENT_STOPPED && event != VIR_DOMAIN_EVENT_CRASHED)
		return 0;
	pthread_mutex_lock(&d->lock);
	first = !d->ended;
	d->ended = true;
	if (first && d->on_end)
		d->on_end(end_of(event, detail), d->data);
	pthread_mutex_unlock(&d->lock);
	return 0;
}

static void unref(void *data)
{
	struct domain *d = data;

	if (__atomic_sub_fetch(&d->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	pthread_mutex_destroy(&d->lock);
	free(d);
}

static int listen_for_end(struct domain *d, struct error *err)
{
	__atomic_add_fetch(&d->refs, 1, __ATOMIC_RELAXED);
	d->callback =
		virConnectDomainEventRegisterAny(d->h->connection, d->domain, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
						 VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle), d, unref);
	if (d->callback >= 0)
		return 0;
	unref(d);
	return virt_error(err, "listening to the virtual machine");
}

/*
 * The embedded driver refuses AUTODESTROY (vm/workdir.c sees to its processes); any other one must not keep
 * the domain when we die. It is started paused so that no event of its life comes before somebody listens.
 */
static int create(struct domain *d, const struct domain_config *c, struct error *err)
{
	unsigned flags =
		VIR_DOMAIN_START_PAUSED | (d->h->embed || c->stays ? 0 : VIR_DOMAIN_START_AUTODESTROY);
	_cleanup_free_ char *xml = domain_xml(c);

	d->domain = virDomainCreateXML(d->h->connection, xml, flags);
	if (!d->domain)
		return virt_error(err, "starting the virtual machine");
	if (listen_for_end(d, err) < 0)
		return err->code;
	if (virDomainResume(d->domain) < 0)
		return virt_error(err, "starting the virtual machine");
	return 0;
}

static struct domain *domain_new(struct hypervisor *h, void (*on_end)(enum domain_end end, void *data),
				 void *data)
{
	struct domain *d = xcalloc(1, sizeof(*d));

	*d = (struct domain){.refs = 1, .h = h, .callback = -1, .on_end = on_end, .data = data};
	pthread_mutex_init(&d->lock, NULL);
	return d;
}

int domain_start(struct hypervisor *h, const struct domain_config *c,
		 void (*on_end)(enum domain_end end, void *data), void *data, struct domain **ret,
		 struct error *err)
{
	struct domain *d = domain_new(h, on_end, data);
	int r = create(d, c, err);

	if (r < 0) {
		domain_free(d);
		return r;
	}
	*ret = d;
	return 0;
}

/*
 * The embedded driver first has to find the qemu of the domain again, in a thread of its own. A question to the monitor waits for that,
 * and fails when qemu is gone.
 */
static bool still_runs(struct domain *d)
{
	char *answer = NULL;
	int r = virDomainQemuMonitorCommand(d->domain, "info status", &answer,
					    VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP);

	free(answer);
	return r == 0 && virDomainIsActive(d->domain) == 1;
}

int domain_attach(struct hypervisor *h, const char *name, void (*on_end)(enum domain_end end, void *data),
		  void *data, struct domain **ret, struct error *err)
{
	virDomainPtr found = virDomainLookupByName(h->connection, name);
	struct domain *d;
	int r;

	if (!found)
		return error_set(err, -ENOENT, "no virtual machine '%s'", name);
	d = domain_new(h, on_end, data);
	d->domain = found;
	r = listen_for_end(d, err);
	if (r == 0 && !still_runs(d))
		r = error_set(err, -ENOENT, "virtual machine '%s' has ended", name);
	/* Killed between its creation and its first instruction. */
	if (r == 0)
		(void)virDomainResume(found);
	if (r < 0) {
		domain_free(d);
		return r;
	}
	*ret = d;
	return 0;
}

/* libvirt's driver of owners (DAC) has labels like "+64055:+64055" (https://libvirt.org/formatdomain.html#security-label). */
uid_t domain_user(struct domain *d)
{
	virSecurityLabelPtr labels = NULL;
	int n = virDomainGetSecurityLabelList(d->domain, &labels);
	uid_t user = geteuid();
	unsigned uid, gid;
	char end;

	for (int i = 0; i < n; i++)
		if (sscanf(labels[i].label, "+%u:+%u%c", &uid, &gid, &end) == 2)
			user = uid;
	free(labels);
	return user;
}

int domain_press_power(struct domain *d, struct error *err)
{
	if (virDomainShutdownFlags(d->domain, VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN) < 0)
		return virt_error(err, "pressing the power button");
	return 0;
}

int domain_ask_monitor(struct domain *d, const char *command, char **ret, struct error *err)
{
	char *answer = NULL;

	if (virDomainQemuMonitorCommand(d->domain, command, &answer, VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP) < 0)
		return virt_error(err, "asking qemu's monitor");
	*ret = answer;
	return 0;
}

void domain_destroy(struct domain *d)
{
	(void)virDomainDestroy(d->domain);
}

void domain_leave(struct domain *d)
{
	if (!d)
		return;
	pthread_mutex_lock(&d->lock);
	d->on_end = NULL;
	pthread_mutex_unlock(&d->lock);
	if (d->domain) {
		if (d->callback >= 0)
			(void)virConnectDomainEventDeregisterAny(d->h->connection, d->callback);
		(void)virDomainFree(d->domain);
		d->domain = NULL;
	}
	unref(d);
}

void domain_free(struct domain *d)
{
	if (!d)
		return;
	pthread_mutex_lock(&d->lock);
	d->on_end = NULL;
	pthread_mutex_unlock(&d->lock);
	if (d->domain)
		domain_destroy(d);
	domain_leave(d);
}
