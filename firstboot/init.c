/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The init of an appliance: PID 1 in the initrd, and in Mode=appliance for the rest of the machine's life.
 * No allocation, no stdio, no threads; all buffers are static. main() is the table of contents.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "beside.h"
#include "cgroup.h"
#include "cmdline.h"
#include "conf.h"
#include "console.h"
#include "disk.h"
#include "end.h"
#include "file.h"
#include "guard.h"
#include "hurry.h"
#include "image/abi.h"
#include "read_all.h"
#include "record.h"
#include "root.h"
#include "signature.h"
#include "start.h"
#include "steps.h"
#include "supervise.h"
#include "uevent.h"
#include "verity.h"

static struct conf conf;
static char conf_text[ABI_CONF_MAX + 1];
static int uevent_fd = -1;

/* No signal may end or interrupt us; those that matter are read from a signalfd in stage 2. */
static void block_signals(sigset_t *ret_before)
{
	sigset_t all;

	(void)sigfillset(&all);
	/* Cannot fail with a valid first argument. */
	(void)sigprocmask(SIG_SETMASK, &all, ret_before);
}

/* The kernel opens 0, 1 and 2 only when the initrd has a console node; nothing else of ours may get these
 * numbers. */
static void open_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

static void load_conf(void)
{
	struct line detail = {.len = 0};
	size_t len = 0;
	int r = file_read(AT_FDCWD, ABI_CONF_PATH, conf_text, sizeof conf_text, &len);

	if (r < 0)
		refuse(ABI_REFUSED_CONFIG, "%s: %s", ABI_CONF_PATH, strerror(-r));
	if (conf_parse(conf_text, len, &conf, &detail) < 0)
		refuse(ABI_REFUSED_CONFIG, "%s: %s", ABI_CONF_PATH, detail.text);
	end_set_policy(conf.on_corruption == CONF_REBOOT  ? END_REBOOT
		       : conf.on_corruption == CONF_PANIC ? END_PANIC
							  : END_POWEROFF);
}

static void record_init(void)
{
	record_begin(ABI_EVENT_INIT);
	record_text("name", conf.name);
	record_text("version", conf.version);
	record_end();
}

static void load_modules(void)
{
	struct line why = {.len = 0};

	if (start_load(&conf.modules, &why) < 0 || beside_end(START_FIRST, &why) < 0 ||
	    start_load(&conf.last_modules, &why) < 0 || beside_end(START_SIDE, &why) < 0)
		refuse(ABI_REFUSED_MODULE, "%s", why.text);
	steps_end(STEP_MODULES);
}

static void open_root(void)
{
	struct disk_partition data = {.size = 0}, hash = {.size = 0}, signature = {.size = 0};
	const struct disk_wanted wanted[] = {
		{conf.root, &data}, {conf.verity, &hash}, {conf.signature, &signature}};
	struct verity_device device;

	disk_wait(wanted, sizeof wanted / sizeof wanted[0], conf.device_timeout, uevent_fd, start_load_late,
		  &conf);
	steps_end(STEP_DISK);
	if (conf.signature)
		signature_load(&signature);
	verity_open(&conf, &data, &hash, &device);
	guard_start(uevent_fd, &device, &data, &hash);
	steps_end(STEP_VERITY);
	if (conf.verify_full) {
		read_all(device.path, conf.data_blocks * ABI_BLOCK_SIZE);
		steps_end(STEP_READ);
	}
	root_mount(device.path);
	steps_end(STEP_MOUNT);
}

/* While /sys is still where it was. */
static void set_up(void)
{
	struct line why = {.len = 0};
	int r = beside_end(START_SETUP, &why);

	if (r < 0)
		fail(ABI_FAILED_SETUP, "%s", why.text);
	if (r > 0)
		cgroup_use();
}

static void record_verified(void)
{
	record_begin(ABI_EVENT_VERIFIED);
	record_text("root_hash", conf.root_hash);
	record_number("ms", steps_total());
	record_text("verify", conf.verify_full ? "full" : "lazy");
	if (conf.signature)
		record_text("signature", "kernel");
	steps_record();
	record_end();
}

/* Mode=system: the root's own init, as any initrd would start it. */
static _Noreturn void become_system_init(char **argv, const sigset_t *signals)
{
	char *const args[] = {(char *)(uintptr_t)conf.init, NULL};
	char home[] = "HOME=/", term[] = "TERM=linux"; /* what the kernel gives an init */
	char *const env[] = {home, term, NULL};
	int r = verity_ends_by_itself(conf.on_corruption) ? 0 : guard_leave_behind(argv[0]);

	if (r < 0)
		refuse(ABI_REFUSED_VERITY, "the guard against corruption does not start: %s", strerror(-r));
	beside_reap();
	hurry_end();
	(void)sigprocmask(SIG_SETMASK, signals, NULL);
	(void)execve(conf.init, args, env);
	fail(ABI_FAILED_EXEC, "%s: %s", conf.init, strerror(errno));
}

int main(int argc, char **argv)
{
	sigset_t signals;
	int r;

	(void)argc;
	block_signals(&signals);
	if (getpid() != 1)
		return 1;
	steps_begin();
	(void)umask(022);

	/* Stage 1, in the initrd: whatever fails ends in refuse(). */
	r = root_mount_early();
	open_standard_fds();
	console_open();
	load_conf();
	if (r < 0)
		refuse(ABI_REFUSED_MOUNT, "/dev, /proc or /sys of the initrd: %s", strerror(-r));
	hurry_begin();
	start_beside(&conf);
	record_init();
	cmdline_check(conf.command_line);
	uevent_fd = uevent_open();
	if (uevent_fd < 0)
		refuse(ABI_REFUSED_NO_ROOT, "no socket for uevents: %s", strerror(-uevent_fd));
	steps_skip();
	load_modules();
	open_root();
	record_verified();
	if (!conf.system)
		set_up();
	root_switch();
	beside_root();

	/* Stage 2. */
	if (conf.system) {
		root_free_initrd();
		become_system_init(argv, &signals);
	}
	supervise_run(&conf, uevent_fd);
}
