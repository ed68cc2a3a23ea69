/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compose/directory.h"
#include "compose/sandbox_internal.h"
#include "lib/background.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/io.h"
#include "lib/log.h"

#define HOSTNAME "localhost" /* in there, on every machine that builds: some scripts write it to a file */
#define NOTE_MAX ((size_t)16 << 20)
#define GRACE_NS UINT64_C(15000000000) /* longer than spawn.c gives its programs */

/* What the child says when it is done; @note follows. */
struct report {
	int result;
	struct error err;
};

/* Both sides of one run. */
struct run {
	const struct sandbox_options *o;
	struct sandbox_ids ids;
	int out;     /* where the tar goes; -1: nothing is to be done but to clean up */
	int go[2];   /* closed by us when the child's ids are mapped; its end is also ours */
	int told[2]; /* the report */
	pid_t pid;
	bool stopped; /* was told to end */
};

/* ---- the child ---- */

/* A world in which it does not matter who called us, and where from. */
static int child_environment(const struct sandbox_options *o, struct error *err)
{
	static const char *const kept[] = {"http_proxy", "https_proxy", "ftp_proxy", "no_proxy",
					   "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY"};
	_cleanup_strlist_ struct strlist values = {0};
	_cleanup_free_ char *epoch = xasprintf("%" PRId64, o->epoch);

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		strlist_add(&values, getenv(kept[i]) ? getenv(kept[i]) : "");
	if (clearenv() != 0)
		return error_set(err, -ENOMEM, "the environment cannot be cleared");
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (*values.ptr[i])
			(void)setenv(kept[i], values.ptr[i], 1);
	(void)setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	(void)setenv("HOME", "/root", 1);
	(void)setenv("SOURCE_DATE_EPOCH", epoch, 1);
	(void)umask(022);
	return chdir("/") < 0 ? error_errno(err, -errno, "/") : 0;
}

/* Waits until we are root here, and dies with who started us. */
static int child_begin(struct run *run, struct error *err)
{
	char c;

	(void)setpgid(0, 0); /* Ctrl-C comes from who started us, not from the terminal: once */
	interrupt_setup();
	cleanup_closep(&run->go[1]);
	cleanup_closep(&run->told[0]);
	if (read(run->go[0], &c, 1) != 1)
		return error_set(err, -ECANCELED, "the sandbox was not started");
	if (run->ids.needed && (setresgid(0, 0, 0) < 0 || setgroups(0, NULL) < 0 || setresuid(0, 0, 0) < 0))
		return error_errno(err, -errno, "becoming root in a user name space");
	(void)prctl(PR_SET_DUMPABLE, 1);
	/* After the change of ids, which takes it back. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return error_errno(err, -errno, "PR_SET_PDEATHSIG");
	if (fcntl(run->go[0], F_SETFL, O_NONBLOCK) < 0 || read(run->go[0], &c, 1) == 0)
		_exit(127); /* it was gone before */
	if (sethostname(HOSTNAME, strlen(HOSTNAME)) < 0)
		return error_errno(err, -errno, "the host name of the sandbox");
	return child_environment(run->o, err);
}

/* What overlayfs keeps for itself differs from run to run; only "opaque" says something. */
static void drop_overlay_xattrs(struct tree_entry *e)
{
	size_t kept = 0;

	for (size_t i = 0; i < e->xattr_count; i++) {
		struct tree_xattr x = e->xattrs[i];
		const char *key = strstr(x.name, ".overlay.");
		bool own = key && (key == x.name + strlen("user") || key == x.name + strlen("trusted"));

		if (!own || (strcmp(key, ".overlay.opaque") == 0 && x.len == 1 && *(char *)x.value == 'y')) {
			e->xattrs[kept++] = x;
			continue;
		}
		free(x.name);
		free(x.value);
	}
	e->xattr_count = kept;
}

/* Writes the tree, or what of it is new, to run->out. */
static int take_out(const struct run *run, const char *path, const struct snapshot *before, struct error *err)
{
	_cleanup_layer_ struct layer l = LAYER_INIT;
	struct progress p;
	int r;

	progress_start(&p, "take the tree out", NULL, 0);
	r = directory_list(path, "", &l, err);
	if (r < 0)
		return r;
	if (before)
		snapshot_difference(before, path, &l);
	for (size_t i = 0; i < l.len; i++) {
		struct tree_entry *e = l.entries[i].entry;

		drop_overlay_xattrs(e);
		if (e->mtime > run->o->epoch)
			e->mtime = run->o->epoch;
	}
	r = archive_write_tar(&l, run->out, run->o->what, err);
	if (r == 0)
		progress_end(&p, NULL);
	return r;
}

/* The work on a root that is ready; what is left running there ends with it. */
static int child_work(const struct run *run, const struct sandbox_work *w, struct buf *note,
		      struct error *err)
{
	const struct sandbox s = {.root = w->root, .scratch = w->scratch, .mapped = run->ids.needed};
	int r = sandbox_mount_api(w->root, err);

	if (r == 0)
		r = sandbox_drop_capabilities(err);
	if (r == 0)
		r = run->o->work(&s, note, run->o->data, err);
	(void)kill(-1, SIGKILL);
	sandbox_unmount_api(w->root);
	return r;
}

/* The base below, work, and the result. */
static int child_compose(struct run *run, const struct sandbox_work *w, struct buf *note, struct error *err)
{
	_cleanup_free_ char *base = NULL, *upper = xasprintf("%s/upper", w->dir);
	_cleanup_snapshot_ struct snapshot *before = NULL;
	_cleanup_close_ int base_lock = -EBADF;
	const char *out = w->root;
	int r, overlay = 0;

	if (run->o->base_count) {
		r = sandbox_base_open(run->o, &run->ids, &base, &base_lock, err);
		if (r == 0)
			r = overlay = sandbox_mount_overlay(base, w->dir, w->root, run->ids.needed, err);
		if (r == 0) {
			log_note("    no overlayfs here: the base is extracted for every run");
			r = sandbox_base_extract(run->o, run->ids.needed, w->root, err);
		}
		if (r >= 0 && !overlay && !run->o->whole)
			r = snapshot_take(w->root, &before, err);
		if (r < 0)
			return r;
	}
	r = child_work(run, w, note, err);
	if (overlay && !run->o->whole)
		out = upper;
	return r < 0 ? r : take_out(run, out, before, err);
}

static int child_run(struct run *run, struct buf *note, struct error *err)
{
	struct sandbox_work w = SANDBOX_WORK_INIT;
	struct error closing = ERROR_INIT;
	int r, c;

	r = child_begin(run, err);
	if (r == 0)
		r = sandbox_mounts_begin(run->o->cache->dir, err);
	if (r < 0)
		return r;
	sandbox_work_clean(run->o->cache->dir);
	if (run->out < 0)
		return 0;
	r = sandbox_work_open(run->o->cache->dir, &w, err);
	if (r == 0)
		r = child_compose(run, &w, note, err);
	if (w.root)
		(void)umount2(w.root, MNT_DETACH);
	c = sandbox_work_close(&w, &closing);
	if (r == 0 && c < 0)
		*err = closing;
	return r < 0 ? r : c;
}

static void __attribute__((noreturn)) child_main(struct run *run)
{
	struct report report = {.err = ERROR_INIT};
	_cleanup_buf_ struct buf note = {0};
	struct error ignored;
	int r;

	report.result = child_run(run, &note, &report.err);
	r = io_write_full(run->told[1], "report", &report, sizeof(report), &ignored);
	if (r == 0 && note.len)
		r = io_write_full(run->told[1], "report", note.ptr, note.len, &ignored);
	_exit(r < 0);
}

/* ---- our side ---- */

static int start(struct run *run, struct error *err)
{
	int flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | SIGCHLD;
	int r;

	if (run->ids.needed)
		flags |= CLONE_NEWUSER;
	if (pipe2(run->go, O_CLOEXEC) < 0 || pipe2(run->told, O_CLOEXEC) < 0)
		return error_errno(err, -errno, "pipe of the sandbox");
	/* fork(2) into name spaces, for a child that goes on in our code: there must be one thread here. */
	background_settle();
	run->pid = (pid_t)syscall(SYS_clone, (long)flags, NULL, NULL, NULL, NULL);
	if (run->pid == 0)
		child_main(run);
	if (run->pid < 0 && run->ids.needed)
		return error_errno(err, -errno,
				   "making a user name space (is kernel.unprivileged_userns_clone or "
				   "user.max_user_namespaces 0? as root it works without one)");
	if (run->pid < 0)
		return error_errno(err, -errno, "making name spaces for a sandbox");
	cleanup_closep(&run->go[0]);
	cleanup_closep(&run->told[1]);
	run->go[0] = run->told[1] = -1;
	r = run->ids.needed ? sandbox_ids_map(&run->ids, run->pid, err) : 0;
	if (r == 0 && write(run->go[1], "", 1) != 1)
		r = error_errno(err, -errno, "starting the sandbox");
	return r;
}

/* Everything that the child says, until it closes. */
static int listen_to(struct run *run, struct buf *said, struct error *err)
{
	uint64_t deadline = 0;

	for (;;) {
		struct pollfd fds[] = {{.fd = run->told[0], .events = POLLIN},
				       {.fd = run->stopped ? -1 : interrupt_fd(), .events = POLLIN}};
		ssize_t n;

		if (poll(fds, 2, 200) < 0 && errno != EINTR)
			return error_errno(err, -errno, "waiting for the sandbox");
		if (interrupt_pending() && !run->stopped) {
			run->stopped = true;
			deadline = clock_ns() + GRACE_NS;
			(void)kill(run->pid, SIGTERM);
		}
		if (deadline && clock_ns() > deadline)
			return interrupt_check(err);
		if (!fds[0].revents)
			continue;
		n = read(run->told[0], buf_room(said, 65536), 65536);
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return error_errno(err, -errno, "listening to the sandbox");
		said->len += n > 0 ? (size_t)n : 0;
		if (said->len > NOTE_MAX)
			return error_set(err, -EFBIG, "the sandbox says more than %zu bytes", NOTE_MAX);
	}
}

/* Its last words, or how it died. */
static int judge(const struct run *run, const struct buf *said, int status, struct buf *note,
		 struct error *err)
{
	struct report report;

	if (said->len < sizeof(report)) {
		int r = interrupt_check(err);

		if (r < 0)
			return r;
		if (WIFSIGNALED(status))
			return error_set(err, -EPIPE, "%s: the sandbox was killed by signal %d (%s)",
					 run->o->what, WTERMSIG(status), strsignal(WTERMSIG(status)));
		return error_set(err, -EPIPE, "%s: the sandbox ended without a word (exit code %d)",
				 run->o->what, WEXITSTATUS(status));
	}
	memcpy(&report, said->ptr, sizeof(report));
	if (report.result < 0) {
		*err = report.err;
		return report.result;
	}
	if (note)
		buf_add(note, said->ptr + sizeof(report), said->len - sizeof(report));
	return 0;
}

static int run_child(struct run *run, struct buf *note, struct error *err)
{
	_cleanup_buf_ struct buf said = {0};
	int status = 0;
	int r = start(run, err);

	if (r == 0)
		r = listen_to(run, &said, err);
	if (r < 0 && run->pid > 0)
		(void)kill(run->pid, SIGKILL); /* and with process 1 everything in there */
	if (run->pid > 0)
		while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR)
			;
	for (size_t i = 0; i < 2; i++) {
		cleanup_closep(&run->go[i]);
		cleanup_closep(&run->told[i]);
	}
	return r < 0 ? r : judge(run, &said, status, note, err);
}

int sandbox_make(const struct sandbox_options *o, int fd, struct buf *note, struct error *err)
{
	struct run run = {.o = o, .out = fd, .go = {-1, -1}, .told = {-1, -1}};
	int r = sandbox_ids_find(&run.ids, err);

	if (r == 0)
		r = interrupt_check(err);
	if (r == 0)
		r = run_child(&run, note, err);
	if (r == -EPIPE || r == -EFBIG || r == -EINTR) {
		/* It may not have cleaned up behind itself. */
		struct run again = {
			.o = o, .ids = run.ids, .out = -1, .go = {-1, -1}, .told = {-1, -1}, .stopped = true};
		struct error ignored = ERROR_INIT;

		(void)run_child(&again, NULL, &ignored);
	}
	return r;
}
