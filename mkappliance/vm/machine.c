/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/secure_boot.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/io.h"
#include "lib/log.h"
#include "lib/spawn.h"
#include "vm/serial.h"
#include "vm/usernet.h"
#include "vm/xml.h"

#define VARS_MAX    ((size_t)64 << 20)
#define CAPTURE_MAX ((uint64_t)256 << 20) /* an application that writes without end must not fill the disk */
#define END_NS	    5000000000ull	  /* between the end of a domain and the last of its console */
#define CONNECT_MS  5000		  /* qemu connects before libvirt says that it runs */

struct machine {
	struct machine_host *host;
	char *name;
	char *dir; /* below the host's, holds the next two */
	char *vars;
	char *socket;
	struct domain *domain;
	int listener;
	int serial;	   /* the accepted connection */
	int wake;	   /* eventfd: something changed */
	int capture;	   /* file; -1: none */
	uint64_t captured; /* bytes */
	pthread_t reader;
	bool has_reader;
	struct machine_config config;

	pthread_mutex_t lock; /* of what follows */
	struct console *console;
	struct machine_status status;
	bool domain_ended;
	bool console_ended;
};

int machine_host_open(const char *uri, const char *arch, struct machine_host *ret, struct error *err)
{
	struct machine_host h = MACHINE_HOST_INIT;
	int r = host_platform(arch, &h.platform, err);

	if (r < 0)
		return r;
	h.kvm = host_has_kvm(arch, &h.accel);
	h.vars = xstrdup(h.platform.firmware_vars);
	h.shared = uri;
	h.system = uri && strstr(uri, "/system");
	r = workdir_open(&h.dir, err);
	if (r < 0) {
		machine_host_close(&h);
		return r;
	}
	if (h.shared)
		(void)chmod(h.dir.path, 0711);
	r = hypervisor_open(uri, h.dir.path, &h.hypervisor, err);
	if (r < 0) {
		machine_host_close(&h);
		return r;
	}
	*ret = h;
	return 0;
}

static int enrol(struct machine_host *h, const char *dir, struct error *err)
{
	_cleanup_secure_boot_ struct secure_boot sb = {0};
	struct efi_variable variables[SECURE_BOOT_VARIABLES];
	_cleanup_buf_ struct buf store = {0};
	_cleanup_free_ char *path = xasprintf("%s/secure-boot.fd", h->dir.path);
	size_t count;
	int r = host_secure_firmware(&h->platform, err);

	if (r == 0)
		r = secure_boot_read(dir, &sb, err);
	if (r == 0)
		r = io_read_file(AT_FDCWD, h->platform.firmware_vars, VARS_MAX, &store, err);
	if (r < 0)
		return r;
	count = secure_boot_variables(&sb, variables);
	r = efi_store_write((uint8_t *)store.ptr, store.len, variables, count, err);
	if (r == 0)
		r = output_write_file(path, store.ptr, store.len, err);
	if (r < 0)
		return r;
	free(h->vars);
	h->vars = steal_pointer(&path);
	h->secure_boot = true;
	return 0;
}

int machine_host_equip(struct machine_host *h, const char *secure_boot, bool tpm, struct error *err)
{
	if (tpm && !h->shared && !spawn_available("swtpm"))
		return error_set(err, -ENOENT,
				 "'swtpm' is not installed (apt-get install swtpm swtpm-tools)");
	h->tpm = tpm;
	return secure_boot ? enrol(h, secure_boot, err) : 0;
}

void machine_host_close(struct machine_host *h)
{
	free(h->vars);
	hypervisor_close(h->hypervisor);
	workdir_close(&h->dir);
	*h = MACHINE_HOST_INIT;
}

/* Called with the lock held. */
static void note(struct machine *m, unsigned seen)
{
	uint64_t one = 1;

	m->status.seen |= seen;
	if (m->domain_ended && m->console_ended)
		m->status.seen |= SEEN_END;
	(void)!write(m->wake, &one, sizeof(one));
}

/* A line, in the reader's thread with the lock held. */
static void on_line(const struct console_line *line, void *data)
{
	struct machine *m = data;
	unsigned seen = witness_line(&m->status, line);

	if (seen || line->kind == CONSOLE_RECORD)
		note(m, seen);
	if (m->config.on_line)
		m->config.on_line(line, m->config.data);
}

static void capture(struct machine *m, const void *bytes, size_t len)
{
	if (m->capture < 0 || m->captured > CAPTURE_MAX)
		return;
	if (write(m->capture, bytes, len) < 0) {
		log_warning("%s: the console's output ends here: %s", m->config.capture_path,
			    strerror(errno));
		m->captured = UINT64_MAX;
		return;
	}
	m->captured += len;
	if (m->captured > CAPTURE_MAX)
		log_warning("%s: the console's output ends here, after %ju MiB", m->config.capture_path,
			    (uintmax_t)(CAPTURE_MAX >> 20));
}

static void *read_console(void *data)
{
	struct machine *m = data;
	char bytes[8192];
	ssize_t n;

	while ((n = read(m->serial, bytes, sizeof(bytes))) > 0 || (n < 0 && errno == EINTR)) {
		if (n < 0)
			continue;
		capture(m, bytes, (size_t)n);
		pthread_mutex_lock(&m->lock);
		console_feed(m->console, bytes, (size_t)n);
		pthread_mutex_unlock(&m->lock);
	}
	pthread_mutex_lock(&m->lock);
	console_end(m->console);
	m->console_ended = true;
	note(m, 0);
	pthread_mutex_unlock(&m->lock);
	return NULL;
}

static void on_end(enum domain_end end, void *data)
{
	struct machine *m = data;

	pthread_mutex_lock(&m->lock);
	m->status.end = end;
	m->status.end_ns = clock_ns();
	m->domain_ended = true;
	note(m, 0);
	pthread_mutex_unlock(&m->lock);
}

/* The variables are written by the firmware: each machine has its own copy. */
static int copy_vars(struct machine *m, struct error *err)
{
	const char *from = m->config.vars ? m->config.vars : m->host->vars;
	_cleanup_buf_ struct buf b = {0};
	int r = io_read_file(AT_FDCWD, from, VARS_MAX, &b, err);

	return r < 0 ? r : output_write_file(m->vars, b.ptr, b.len, err);
}

static int prepare(struct machine *m, struct error *err)
{
	const struct machine_config *c = &m->config;
	int r = io_make_dirs(m->dir, m->host->shared ? 0711 : 0700, err);

	if (r < 0)
		return r;
	if (!xml_can_hold(c->image))
		return error_set(err, -EINVAL, "%s: libvirt takes only names in UTF-8; rename it", c->image);
	r = copy_vars(m, err);
	if (r < 0)
		return r;
	m->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (m->wake < 0)
		return error_errno(err, -errno, "eventfd");
	if (c->capture_path) {
		m->capture =
			open(c->capture_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
		if (m->capture < 0)
			return error_errno(err, -errno, "%s", c->capture_path);
	}
	return serial_listen(m->socket, m->host->shared, &m->listener, err);
}

static int start_reader(struct machine *m, struct error *err)
{
	sigset_t all, old;
	int r = serial_accept(m->listener, m->host->shared ? domain_user(m->domain) : geteuid(), CONNECT_MS,
			      &m->serial, err);

	if (r < 0)
		return r;
	/* Signals belong to the main thread, whose poll() they end. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&m->reader, NULL, read_console, m);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r != 0)
		return error_errno(err, -r, "starting a thread");
	m->has_reader = true;
	return 0;
}

static int start_domain(struct machine *m, struct error *err)
{
	const struct platform *p = &m->host->platform;
	const struct machine_config *c = &m->config;
	const struct domain_config d = {
		.name = m->name,
		.kvm = m->host->kvm,
		.arch = p->arch,
		.machine = p->machine,
		.memory = c->memory,
		.cpus = c->cpus,
		.firmware_code = p->firmware_code,
		.firmware_vars = m->vars,
		.secure_boot = m->host->secure_boot,
		.tpm = m->host->tpm,
		.image = c->image,
		.nvme = c->nvme,
		.disks = c->disks,
		.console_socket = m->socket,
		.keep_owner = m->host->system,
		.reboot_ends = c->reboot_ends,
		.forwards = c->forwards,
		.forward_count = c->forward_count,
	};

	return domain_start(m->host->hypervisor, &d, on_end, m, &m->domain, err);
}

int machine_start(struct machine_host *h, const struct machine_config *c, struct machine **ret,
		  struct error *err)
{
	_cleanup_machine_ struct machine *m = xcalloc(1, sizeof(*m));
	static unsigned count; /* atomic */
	unsigned number = __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
	int r;

	m->host = h;
	m->config = *c;
	m->listener = m->serial = m->wake = m->capture = -1;
	pthread_mutex_init(&m->lock, NULL);
	m->console = console_new(on_line, m);
	/*
	 * Other people's domains are on a shared connection; in our own a short name keeps libvirt's socket
	 * paths short.
	 */
	m->name = h->shared ? xasprintf("mkappliance-%ld-%u", (long)getpid(), number)
			    : xasprintf("m%u", number);
	m->dir = xasprintf("%s/m%u", h->dir.path, number);
	m->vars = xasprintf("%s/vars.fd", m->dir);
	m->socket = xasprintf("%s/serial", m->dir);
	m->status.started_ns = clock_ns();
	r = prepare(m, err);
	if (r >= 0)
		r = start_domain(m, err);
	if (r >= 0)
		r = start_reader(m, err);
	if (r < 0)
		return r;
	*ret = steal_pointer(&m);
	return 0;
}

struct machine_status machine_status(struct machine *m)
{
	struct machine_status s;

	pthread_mutex_lock(&m->lock);
	s = m->status;
	pthread_mutex_unlock(&m->lock);
	return s;
}

int machine_wait(struct machine *m, unsigned mask, uint64_t deadline, const char *what, struct error *err)
{
	for (;;) {
		struct pollfd fds[2] = {
			{.fd = m->wake, .events = POLLIN},
			{.fd = interrupt_fd(), .events = POLLIN},
		};
		uint64_t now = clock_ns(), drained;
		int r;

		if (machine_status(m).seen & (mask | SEEN_END))
			return 0;
		r = interrupt_check(err);
		if (r < 0)
			return r;
		if (now >= deadline)
			return error_set(err, -ETIMEDOUT, "%s did not come in time", what);
		/* Rounded up, and never so long that a wake-up lost to a full pipe is waited for. */
		(void)poll(fds, 2, deadline - now > 500000000 ? 500 : (int)((deadline - now) / 1000000) + 1);
		(void)!read(m->wake, &drained, sizeof(drained));
	}
}

void machine_tail(struct machine *m, size_t max, struct strlist *ret)
{
	pthread_mutex_lock(&m->lock);
	console_tail(m->console, max, ret);
	pthread_mutex_unlock(&m->lock);
}

bool machine_accepted(struct machine *m, uint16_t host_port)
{
	_cleanup_free_ char *info = NULL;
	struct error ignored = ERROR_INIT;

	return domain_ask_monitor(m->domain, "info usernet", &info, &ignored) == 0 &&
	       usernet_is_established(info, host_port);
}

int machine_press_power(struct machine *m, struct error *err)
{
	struct error ignored = ERROR_INIT;
	int r = domain_press_power(m->domain, err);

	/* It may just have gone by itself. */
	if (r < 0 && machine_wait(m, SEEN_END, clock_ns() + END_NS, "the end", &ignored) == 0)
		return 0;
	return r;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

void machine_free(struct machine *m)
{
	struct error err = ERROR_INIT;

	if (!m)
		return;
	domain_free(m->domain);
	if (m->has_reader) {
		(void)shutdown(m->serial, SHUT_RDWR);
		(void)pthread_join(m->reader, NULL);
	}
	close_fd(m->serial);
	close_fd(m->listener);
	close_fd(m->wake);
	close_fd(m->capture);
	if (io_remove_tree(m->dir, &err) < 0)
		log_warning("%s", err.text);
	console_free(m->console);
	pthread_mutex_destroy(&m->lock);
	free(m->name);
	free(m->dir);
	free(m->vars);
	free(m->socket);
	free(m);
}

void machine_freep(struct machine **m)
{
	machine_free(*m);
}
