/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox of /appliance.conf: what is switched off unless [Sandbox] says that the application needs it. */
#include <string.h>

#include "image/conf_internal.h"

/* Sysctls=hardened. Any of them may be missing, as kernels are built in many ways. Documented in appliance.conf(5). */
static const char *const hardened[] = {
	"kernel.kptr_restrict=2",
	"kernel.dmesg_restrict=1",
	"kernel.perf_event_paranoid=3",
	"kernel.unprivileged_bpf_disabled=1",
	"kernel.yama.ptrace_scope=2",
	"kernel.sysrq=0",
	"kernel.panic_on_oops=1",
	"kernel.randomize_va_space=2",
	"kernel.core_pattern=|/bin/false",
	"fs.protected_hardlinks=1",
	"fs.protected_symlinks=1",
	"fs.protected_fifos=2",
	"fs.protected_regular=2",
	"fs.suid_dumpable=0",
	"dev.tty.ldisc_autoload=0",
	"vm.unprivileged_userfaultfd=0",
	"user.max_user_namespaces=0",
	"net.core.bpf_jit_harden=2",
	"net.ipv4.tcp_syncookies=1",
	"net.ipv4.icmp_echo_ignore_broadcasts=1",
	"net.ipv4.conf.all.accept_redirects=0",
	"net.ipv4.conf.default.accept_redirects=0",
	"net.ipv4.conf.all.send_redirects=0",
	"net.ipv4.conf.default.send_redirects=0",
	"net.ipv4.conf.all.accept_source_route=0",
	"net.ipv6.conf.all.accept_redirects=0",
	"net.ipv6.conf.default.accept_redirects=0",
};

/* Whether the template says it itself. */
static bool is_said(const struct template *t, const char *sysctl)
{
	size_t len = strcspn(sysctl, "=") + 1;

	for (size_t i = 0; i < t->sandbox.sysctls.len; i++)
		if (strncmp(t->sandbox.sysctls.ptr[i], sysctl, len) == 0)
			return true;
	return false;
}

static void put_sysctls(struct render *r, const struct template *t)
{
	const size_t count = sizeof(hardened) / sizeof(hardened[0]);

	for (size_t i = 0; t->sandbox.harden && i < count; i++)
		if (!is_said(t, hardened[i]))
			render(r, "Sysctl", "-%s", hardened[i]);
	for (size_t i = 0; i < t->sandbox.sysctls.len; i++)
		render(r, "Sysctl", "%s", t->sandbox.sysctls.ptr[i]);
	if (!t->sandbox.kexec && !is_said(t, "kernel.kexec_load_disabled="))
		render(r, "Sysctl", "-kernel.kexec_load_disabled=1");
	if (!t->sandbox.module_loading && !is_said(t, "kernel.modules_disabled="))
		render(r, "Sysctl", "-kernel.modules_disabled=1");
	render_limit(r, "Sysctl", t->sandbox.sysctls.len + count + 2);
}

void conf_put_sandbox(struct render *r, const struct template *t)
{
	static const char *const lockdowns[] = {[LOCKDOWN_NONE] = "none",
						[LOCKDOWN_INTEGRITY] = "integrity",
						[LOCKDOWN_CONFIDENTIALITY] = "confidentiality"};

	if (t->sandbox.writable_size)
		render(r, "WritableSize", "%uM", t->sandbox.writable_size);
	render(r, "HidePid", "%s", t->sandbox.hide_processes ? "yes" : "no");
	render(r, "Lockdown", "%s", lockdowns[t->sandbox.lockdown]);
	put_sysctls(r, t);
}
