/* SPDX-License-Identifier: Apache-2.0 */
#include "template/system_calls.h"

#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/syscall.h"
#include "template/suggest.h"

#define WORD_MAX 48

/* The names are those of systemd.exec(5), so that who knows them knows these; what is in them is chosen here. A set comes behind
 * those that it has in it. */
static const struct {
	const char *name, *words;
} sets[] = {
	/* What every program does before it is itself, and what the init needs to start it. */
	{"@default",
	 "arch_prctl brk clock_getres clock_gettime clock_nanosleep execve exit exit_group futex futex_requeue futex_wait "
	 "futex_waitv futex_wake get_robust_list getcpu getegid geteuid getgid getgroups getpgid getpgrp getpid getppid "
	 "getrandom getresgid getresuid getrlimit getrusage getsid gettid gettimeofday getuid madvise map_shadow_stack "
	 "membarrier mmap mprotect mseal munmap nanosleep prlimit64 restart_syscall rseq rt_sigreturn sched_getaffinity "
	 "sched_yield set_robust_list set_tid_address sysinfo time uname write"},
	{"@aio",
	 "io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit io_uring_enter io_uring_register "
	 "io_uring_setup"},
	{"@basic-io",
	 "close close_range dup dup2 dup3 lseek pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readv "
	 "write writev"},
	{"@chown", "chown fchown fchownat lchown"},
	{"@clock", "adjtimex clock_adjtime clock_settime settimeofday"},
	{"@debug",
	 "kcmp lookup_dcookie perf_event_open pidfd_getfd process_vm_readv process_vm_writev ptrace"},
	{"@file-system",
	 "access cachestat chdir chmod close copy_file_range creat faccessat faccessat2 fadvise64 fallocate fchdir fchmod "
	 "fchmodat fchmodat2 fcntl fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstatfs ftruncate futimesat "
	 "getcwd getdents getdents64 getxattr getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch "
	 "lgetxattr link linkat listxattr listxattrat llistxattr lremovexattr lsetxattr lstat mkdir mkdirat mknod mknodat "
	 "newfstatat open openat openat2 readlink readlinkat removexattr removexattrat rename renameat renameat2 rmdir "
	 "setxattr setxattrat stat statfs statx symlink symlinkat truncate umask unlink unlinkat utime utimensat utimes"},
	{"@io-event",
	 "epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 poll ppoll "
	 "pselect6 select"},
	{"@ipc",
	 "memfd_create mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv "
	 "msgsnd pipe pipe2 semctl semget semop semtimedop shmat shmctl shmdt shmget"},
	{"@keyring", "add_key keyctl request_key"},
	{"@memlock", "mlock mlock2 mlockall munlock munlockall"},
	{"@module", "delete_module finit_module init_module"},
	{"@mount",
	 "chroot fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree pivot_root umount2"},
	{"@namespace", "setns unshare"},
	{"@network-io",
	 "accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg "
	 "sendmmsg sendmsg sendto setsockopt shutdown socket socketpair"},
	{"@obsolete",
	 "_sysctl afs_syscall create_module epoll_ctl_old epoll_wait_old get_kernel_syms get_thread_area "
	 "getpmsg modify_ldt nfsservctl putpmsg query_module security set_thread_area sysfs tuxcall uselib "
	 "ustat vserver"},
	{"@process",
	 "capget capset clone clone3 execveat fork getpriority kill personality pidfd_open pidfd_send_signal "
	 "prctl process_madvise process_mrelease rt_sigqueueinfo rt_tgsigqueueinfo setpgid setsid tgkill tkill "
	 "vfork wait4 waitid"},
	{"@raw-io", "ioperm iopl"},
	{"@reboot", "kexec_file_load kexec_load reboot"},
	{"@resources",
	 "get_mempolicy ioprio_get ioprio_set mbind migrate_pages move_pages sched_get_priority_max "
	 "sched_get_priority_min sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval "
	 "sched_setaffinity sched_setattr sched_setparam sched_setscheduler set_mempolicy "
	 "set_mempolicy_home_node setpriority setrlimit"},
	{"@sandbox", "landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp"},
	{"@setuid", "setfsgid setfsuid setgid setgroups setregid setresgid setresuid setreuid setuid"},
	{"@signal",
	 "pause rt_sigaction rt_sigpending rt_sigprocmask rt_sigsuspend rt_sigtimedwait sigaltstack signalfd "
	 "signalfd4"},
	{"@swap", "swapoff swapon"},
	{"@sync", "fdatasync fsync msync sync sync_file_range syncfs"},
	{"@timer",
	 "alarm getitimer setitimer timer_create timer_delete timer_getoverrun timer_gettime timer_settime "
	 "timerfd_create timerfd_gettime timerfd_settime times"},
	{"@privileged",
	 "@chown @clock @module @mount @raw-io @reboot @setuid @swap acct bpf capset fanotify_init "
	 "fanotify_mark open_by_handle_at quotactl quotactl_fd setdomainname sethostname syslog vhangup"},
	{"@system-service",
	 "@aio @basic-io @chown @default @file-system @io-event @ipc @keyring @memlock @network-io @process @resources "
	 "@sandbox @setuid @signal @sync @timer ioctl mincore mremap name_to_handle_at pkey_alloc pkey_free pkey_mprotect "
	 "readahead remap_file_pages sendfile splice tee userfaultfd vmsplice"},
};

#define SETS (sizeof(sets) / sizeof(sets[0]))

const char *system_calls_set(size_t i, const char **ret_words)
{
	if (i >= SETS)
		return NULL;
	*ret_words = sets[i].words;
	return sets[i].name;
}

/* SETS: there is none of that name. */
static size_t find_set(const char *name)
{
	size_t i = 0;

	while (i < SETS && strcmp(sets[i].name, name) != 0)
		i++;
	return i;
}

int system_calls_check(const char *word, struct error *err)
{
	struct suggestion s = {.word = word + (*word == '~')};
	const struct system_call *c;

	if (find_set(s.word) < SETS || system_call_find(s.word))
		return 0;
	for (size_t i = 0; i < SETS; i++)
		suggest_offer(&s, sets[i].name);
	for (size_t i = 0; (c = system_call_at(i)); i++)
		suggest_offer(&s, c->name);
	return error_usage(
		err, "'%s' is neither a system call nor a set of them, such as @system-service%s%s%s", s.word,
		s.best ? "; did you mean '" : "", s.best ? s.best : "", s.best ? "'?" : "");
}

/* Sets come behind those that they have in them, so this ends. */
static void put(const char *word, unsigned arch, bool value, bool named[SYSTEM_CALL_MAX])
{
	size_t set = find_set(word);
	const struct system_call *c = set == SETS ? system_call_find(word) : NULL;
	char one[WORD_MAX];

	if (c && c->number[arch] >= 0 && c->number[arch] < SYSTEM_CALL_MAX)
		named[c->number[arch]] = value;
	for (const char *p = set < SETS ? sets[set].words : ""; *p; p += strspn(p, " ")) {
		size_t n = strcspn(p, " ");

		snprintf(one, sizeof(one), "%.*s", (int)n, p);
		put(one, arch, value, named);
		p += n;
	}
}

void system_calls_resolve(const struct strlist *words, unsigned arch, bool *ret_allow,
			  bool ret_named[SYSTEM_CALL_MAX])
{
	bool allow = words->len == 0 || *words->ptr[0] != '~';

	memset(ret_named, 0, SYSTEM_CALL_MAX * sizeof(*ret_named));
	for (size_t i = 0; i < words->len; i++) {
		const char *word = words->ptr[i];
		bool negated = *word == '~';

		put(word + negated, arch, negated != allow, ret_named);
	}
	/* Last: it cannot be taken out. */
	put("@default", arch, allow, ret_named);
	*ret_allow = allow;
}

char *system_calls_text(const struct strlist *words, unsigned arch, unsigned error)
{
	bool named[SYSTEM_CALL_MAX], allow;
	_cleanup_buf_ struct buf text = {0};

	system_calls_resolve(words, arch, &allow, named);
	buf_printf(&text, "%s %u", allow ? "allow" : "deny", error);
	for (unsigned i = 0; i < SYSTEM_CALL_MAX; i++) {
		unsigned first = i;

		while (i < SYSTEM_CALL_MAX && named[i])
			i++;
		if (i == first + 1)
			buf_printf(&text, " %u", first);
		else if (i > first)
			buf_printf(&text, " %u-%u", first, i - 1);
	}
	return buf_steal(&text);
}
