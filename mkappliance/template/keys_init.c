/* SPDX-License-Identifier: Apache-2.0 */
/* [Init], and with it the keys of each [Service NAME]. */
#include "template/table.h"

static bool has_ready(const struct template *t, const struct template_service *s)
{
	return s->ready_port != 0 || s->ready_kind != READY_PORT ||
	       (s == &t->init.app && template_starts_later(t));
}

static bool has_watch(const struct template *t, const struct template_service *s)
{
	(void)t;
	return s->watch_port != 0 || s->watch_kind != READY_PORT;
}

static bool has_watch_probe(const struct template *t, const struct template_service *s)
{
	(void)t;
	return s->watch_port != 0;
}

static const struct service_condition watch = {has_watch, "Watch="};
static const struct service_condition watch_probe = {has_watch_probe, "Watch=http:// or tcp://"};
static const struct service_condition ready = {has_ready, "Ready="};

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
	{STRING("Init.Unit", init.unit), .check = name_unit, .only = &key_only_appliance},

	/* Of each service. */
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

	/* Of the machine. */
	{STRING("Init.Hostname", init.hostname), .check = name_host, .only = &key_only_appliance},
	{CHOICE("Init.Network", init.network), .choices = networks, .only = &key_only_appliance},
	{WORDS("Init.Writable", init.writable), .check = name_writable, .only = &key_only_appliance},
	{KEY("Init.Status", init.status_port, set_status), .only = &key_only_appliance},
	{SECONDS("Init.DeviceTimeout", init.device_timeout), .min = 1, .max = HOUR},
	{CHOICE("Init.OnCorruption", init.on_corruption), .choices = corruptions},
	{CHOICE("Init.Verify", init.verify), .choices = verifies},
	{0},
};
