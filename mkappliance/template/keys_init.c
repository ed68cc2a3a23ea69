/* SPDX-License-Identifier: Apache-2.0 */
/* [Init], and with it the keys of each [Service NAME]. */
#include <sys/resource.h>

#include "template/table.h"

/* What a unit says of it is known only after compose. */
static bool has_ready(const struct template *t, const struct template_service *s)
{
	return s->ready_port != 0 || s->ready_kind != READY_PORT || s->unit ||
	       (s == &t->init.app && template_starts_later(t));
}

static bool has_watch(const struct template *t, const struct template_service *s)
{
	(void)t;
	return s->watch_port != 0 || s->watch_kind != READY_PORT || s->unit;
}

static bool has_watch_probe(const struct template *t, const struct template_service *s)
{
	(void)t;
	return s->watch_port != 0;
}

static const struct service_condition watch = {has_watch, "Watch="};
static const struct service_condition watch_probe = {has_watch_probe, "Watch=http:// or tcp://"};
static const struct service_condition ready = {has_ready, "Ready="};

static bool has_restart(const struct template *t, const struct template_service *s)
{
	(void)t;
	return s->restart != RESTART_NO || s->unit;
}

static bool has_lifetime(const struct template *t)
{
	return t->init.max_lifetime != 0;
}

static bool has_system_calls(const struct template *t, const struct template_service *s)
{
	(void)t;
	return s->system_calls.len > 0;
}

static const struct service_condition system_calls = {has_system_calls, "SystemCallFilter="};
static const struct service_condition restart = {has_restart, "Restart=on-failure or Restart=always"};
static const struct condition lifetime = {has_lifetime, "MaxLifetime="};

#define YEAR (366 * 24 * HOUR)
_Static_assert(RLIM_NLIMITS == LIMIT_COUNT, "one place for each resource");

static const char *const restarts[] = {
	[RESTART_NO] = "no", [RESTART_ON_FAILURE] = "on-failure", [RESTART_ALWAYS] = "always", NULL};
static const char *const yes_no[] = {"yes", "no", NULL};
static const char *const no_yes[] = {"no", "yes", NULL};
static const char *const sysctl_sets[] = {"kernel", "hardened", NULL};
static const char *const lockdowns[] = {[LOCKDOWN_NONE] = "none",
					[LOCKDOWN_INTEGRITY] = "integrity",
					[LOCKDOWN_CONFIDENTIALITY] = "confidentiality",
					NULL};
static const char *const modes[] = {[INIT_APPLIANCE] = "appliance", [INIT_SYSTEM] = "system", NULL};
static const char *const networks[] = {[NETWORK_NONE] = "none",
				       [NETWORK_DHCP] = "dhcp",
				       [NETWORK_STATIC] = "static",
				       [NETWORK_IPV6] = "ipv6",
				       NULL};
static const char *const corruptions[] = {[ON_CORRUPTION_POWEROFF] = "poweroff",
					  [ON_CORRUPTION_REBOOT] = "reboot",
					  [ON_CORRUPTION_PANIC] = "panic",
					  NULL};
static const char *const verifies[] = {[VERIFY_LAZY] = "lazy", [VERIFY_FULL] = "full", NULL};

const struct key keys_init[] = {
	{CHOICE("Init.Mode", init.mode), .choices = modes},
	{STRING("Init.Init", init.init), .check = name_image_path, .only = &key_only_system},

	/* Of each service. */
	{SERVICE_STRING("Unit", unit), .check = name_unit},
	{SERVICE_KEY("Exec", exec, set_exec), .release = release_strlist},
	{SERVICE_KEY("ExecStartPre", before, set_before), .release = release_before, .list = true},
	{SERVICE_STRING("User", user), .check = name_account},
	{SERVICE_STRING("Group", group), .check = name_account},
	{SERVICE_KEY("Environment", environment, set_environment), .release = release_strlist, .list = true,
	 .check = name_environment},
	{SERVICE_STRING("WorkingDirectory", working_directory), .check = name_image_path},
	{SERVICE_WORDS("After", after), .check = name_service_or_main},
	{SERVICE_KEY("Ready", ready_path, set_ready), .release = release_string},
	{SERVICE_SECONDS("ReadyTimeout", ready_timeout), .min = 1, .max = HOUR, .with = &ready},
	{SERVICE_KEY("Watch", watch_path, set_watch), .release = release_string},
	{SERVICE_SECONDS("WatchInterval", watch_interval), .min = 1, .max = HOUR, .with = &watch},
	{SERVICE_SECONDS("WatchTimeout", watch_timeout), .min = 1, .max = HOUR, .with = &watch_probe},
	{SERVICE_KEY("WatchFailures", watch_failures, set_number), .min = 1, .max = 1000, .with = &watch},
	{SERVICE_KEY("StopSignal", stop_signal, set_signal)},
	{SERVICE_SECONDS("StopTimeout", stop_timeout), .min = 1, .max = HOUR},
	{SERVICE_CHOICE("Restart", restart), .choices = restarts},
	{SERVICE_KEY("RestartLimit", restart_limit, set_restart_limit), .with = &restart},
	{SERVICE_KEY("EnvironmentFile", env_files, set_env_file), .release = release_strlist, .list = true},
	{SERVICE_KEY("Capabilities", capabilities, set_capabilities)},
	{SERVICE_KEY("NoNewPrivileges", new_privileges, set_answer), .choices = yes_no},
	{SERVICE_KEY("SystemCallFilter", system_calls, set_system_calls), .release = release_strlist,
	 .list = true},
	{SERVICE_KEY("SystemCallErrorNumber", system_call_error, set_system_call_error),
	 .with = &system_calls},
	{SERVICE_KEY("MemoryMax", memory_max, set_bytes)},
	{SERVICE_KEY("TasksMax", tasks_max, set_tasks)},
	{SERVICE_KEY("LimitCPU", limits[RLIMIT_CPU], set_limit)},
	{SERVICE_KEY("LimitFSIZE", limits[RLIMIT_FSIZE], set_limit)},
	{SERVICE_KEY("LimitDATA", limits[RLIMIT_DATA], set_limit)},
	{SERVICE_KEY("LimitSTACK", limits[RLIMIT_STACK], set_limit)},
	{SERVICE_KEY("LimitCORE", limits[RLIMIT_CORE], set_limit)},
	{SERVICE_KEY("LimitRSS", limits[RLIMIT_RSS], set_limit)},
	{SERVICE_KEY("LimitNOFILE", limits[RLIMIT_NOFILE], set_limit)},
	{SERVICE_KEY("LimitAS", limits[RLIMIT_AS], set_limit)},
	{SERVICE_KEY("LimitNPROC", limits[RLIMIT_NPROC], set_limit)},
	{SERVICE_KEY("LimitMEMLOCK", limits[RLIMIT_MEMLOCK], set_limit)},
	{SERVICE_KEY("LimitLOCKS", limits[RLIMIT_LOCKS], set_limit)},
	{SERVICE_KEY("LimitSIGPENDING", limits[RLIMIT_SIGPENDING], set_limit)},
	{SERVICE_KEY("LimitMSGQUEUE", limits[RLIMIT_MSGQUEUE], set_limit)},
	{SERVICE_KEY("LimitNICE", limits[RLIMIT_NICE], set_limit)},
	{SERVICE_KEY("LimitRTPRIO", limits[RLIMIT_RTPRIO], set_limit)},
	{SERVICE_KEY("LimitRTTIME", limits[RLIMIT_RTTIME], set_limit)},

	/* Of the machine. */
	{STRING("Init.Hostname", init.hostname), .check = name_host, .only = &key_only_appliance},
	{CHOICE("Init.Network", init.network), .choices = networks, .only = &key_only_appliance},
	{WORDS("Init.Writable", init.writable), .check = name_writable, .only = &key_only_appliance},
	{KEY("Init.Status", init.status_port, set_status), .only = &key_only_appliance},
	{SECONDS("Init.MaxLifetime", init.max_lifetime), .min = 1, .max = YEAR, .only = &key_only_appliance},
	{SECONDS("Init.Jitter", init.jitter), .min = 1, .max = YEAR, .only = &lifetime},
	{SECONDS("Init.Drain", init.drain), .min = 1, .max = HOUR, .only = &key_only_appliance},
	{SECONDS("Init.DeviceTimeout", init.device_timeout), .min = 1, .max = HOUR},
	{CHOICE("Init.OnCorruption", init.on_corruption), .choices = corruptions},
	{CHOICE("Init.Verify", init.verify), .choices = verifies},

	{KEY("Sandbox.Sysctls", sandbox.harden, set_answer), .choices = sysctl_sets,
	 .only = &key_only_appliance},
	{KEY("Sandbox.Sysctl", sandbox.sysctls, set_sysctl), .release = release_strlist, .list = true,
	 .only = &key_only_appliance},
	{KEY("Sandbox.ModuleLoading", sandbox.module_loading, set_answer), .choices = no_yes,
	 .only = &key_only_appliance},
	{KEY("Sandbox.Kexec", sandbox.kexec, set_answer), .choices = no_yes, .only = &key_only_appliance},
	{KEY("Sandbox.HideProcesses", sandbox.hide_processes, set_answer), .choices = no_yes,
	 .only = &key_only_appliance},
	{CHOICE("Sandbox.Lockdown", sandbox.lockdown), .choices = lockdowns, .only = &key_only_appliance},
	{KEY("Sandbox.WritableSize", sandbox.writable_size, set_mebibytes), .min = 1, .max = 1024 * 1024,
	 .only = &key_only_appliance},
	{0},
};
