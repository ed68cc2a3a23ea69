/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of stage 1, and those of the machine in stage 2. */
#include "conf_internal.h"

static const char *const choices_on_corruption[] = {"poweroff", "reboot", "panic", NULL};
static const char *const choices_verify[] = {"lazy", "full", NULL};
static const char *const choices_mode[] = {"appliance", "system", NULL};
static const char *const choices_no_yes[] = {"no", "yes", NULL};
static const char *const choices_lockdown[] = {"none", "integrity", "confidentiality", NULL};
static const char *const choices_network[] = {"none", "dhcp", "static", "ipv6", NULL};
static const char *const choices_metadata[] = {"none", "aws", "openstack", "nocloud", NULL};
static const char *const choices_userdata[] = {"no", "env", NULL};
static const char *const choices_attest[] = {"none", "auto", "tpm", NULL};
static const char *const choices_ipv6[] = {"auto", "no", NULL};

#define AT(field) .offset = offsetof(struct conf, field)

const struct conf_key conf_boot_keys[] = {
	{"Name", KIND_TEXT, MODE_BOTH, AT(name)},
	{"Version", KIND_TEXT, MODE_BOTH, AT(version)},
	{"RootHash", KIND_HEX, MODE_BOTH, AT(root_hash)},
	{"Salt", KIND_HEX, MODE_BOTH, AT(salt)},
	{"DataBlocks", KIND_NUMBER, MODE_BOTH, AT(data_blocks), .min = 1, .max = (uint64_t)1 << 40},
	{"HashStart", KIND_NUMBER, MODE_BOTH, AT(hash_start), .min = 0, .max = (uint64_t)1 << 40},
	{"Root", KIND_UUID, MODE_BOTH, AT(root)},
	{"Verity", KIND_UUID, MODE_BOTH, AT(verity)},
	{"Signature", KIND_UUID, MODE_BOTH, AT(signature), .optional = true},
	{"CommandLine", KIND_ANY, MODE_BOTH, AT(command_line)},
	{"DeviceTimeout", KIND_NUMBER, MODE_BOTH, AT(device_timeout), .min = 0, .max = 86400},
	{"OnCorruption", KIND_CHOICE, MODE_BOTH, AT(on_corruption), .choices = choices_on_corruption},
	{"Verify", KIND_CHOICE, MODE_BOTH, AT(verify_full), .choices = choices_verify},
	{"Module", KIND_PATHS, MODE_BOTH, AT(modules), .optional = true},
	{"FirstModule", KIND_PATHS, MODE_BOTH, AT(first_modules), .optional = true},
	{"LastModule", KIND_PATHS, MODE_BOTH, AT(last_modules), .optional = true},
	{"HashModule", KIND_PATHS, MODE_BOTH, AT(hash_modules), .optional = true},
	{"SideModule", KIND_PATHS, MODE_BOTH, AT(side_modules), .optional = true},
	{"Mode", KIND_CHOICE, MODE_BOTH, AT(system), .choices = choices_mode},
	{"Init", KIND_PATH, MODE_SYSTEM, AT(init)},
	{0},
};

const struct conf_key conf_machine_keys[] = {
	{"RootModule", KIND_PATHS, MODE_APPLIANCE, AT(root_modules), .optional = true},
	{"ClockModule", KIND_PATH, MODE_APPLIANCE, AT(clock_module), .optional = true},
	{"Hostname", KIND_TEXT, MODE_APPLIANCE, AT(hostname)},
	{"Network", KIND_CHOICE, MODE_APPLIANCE, AT(network), .choices = choices_network},
	{"Interface", KIND_ARGS, MODE_APPLIANCE, AT(interfaces), .optional = true},
	{"Address", KIND_ARGS, MODE_APPLIANCE, AT(addresses), .optional = true},
	{"Gateway", KIND_ARGS, MODE_APPLIANCE, AT(gateways), .optional = true},
	{"DNS", KIND_ARGS, MODE_APPLIANCE, AT(dns), .optional = true},
	{"Search", KIND_ARGS, MODE_APPLIANCE, AT(search), .optional = true},
	{"IPv6", KIND_CHOICE, MODE_APPLIANCE, AT(ipv6), .choices = choices_ipv6, .optional = true},
	{"Metadata", KIND_CHOICE, MODE_APPLIANCE, AT(metadata), .choices = choices_metadata,
	 .optional = true},
	{"UserData", KIND_CHOICE, MODE_APPLIANCE, AT(userdata_env), .choices = choices_userdata,
	 .optional = true},
	{"Attest", KIND_CHOICE, MODE_APPLIANCE, AT(attest), .choices = choices_attest, .optional = true},
	{"StatusPort", KIND_NUMBER, MODE_APPLIANCE, AT(status_port), .optional = true, .min = 1,
	 .max = 65535},
	{"DataMount", KIND_PATH, MODE_APPLIANCE, AT(data_mount), .optional = true},
	{"DataLabel", KIND_TEXT, MODE_APPLIANCE, AT(data_label), .optional = true},
	{"DataCheck", KIND_PATH, MODE_APPLIANCE, AT(data_check), .optional = true},
	{"DataMake", KIND_PATH, MODE_APPLIANCE, AT(data_make), .optional = true},
	{"Writable", KIND_PATHS, MODE_APPLIANCE, AT(writable), .optional = true},
	{"WritableSize", KIND_TEXT, MODE_APPLIANCE, AT(writable_size), .optional = true},
	{"MaxLifetime", KIND_NUMBER, MODE_APPLIANCE, AT(max_lifetime), .max = UINT32_MAX, .optional = true},
	{"Jitter", KIND_NUMBER, MODE_APPLIANCE, AT(jitter), .max = UINT32_MAX, .optional = true},
	{"Drain", KIND_NUMBER, MODE_APPLIANCE, AT(drain), .max = 86400, .optional = true},
	{"HidePid", KIND_CHOICE, MODE_APPLIANCE, AT(hide_pid), .choices = choices_no_yes, .optional = true},
	{"Lockdown", KIND_CHOICE, MODE_APPLIANCE, AT(lockdown), .choices = choices_lockdown,
	 .optional = true},
	{"Sysctl", KIND_SYSCTL, MODE_APPLIANCE, AT(sysctls), .optional = true},
	{0},
};
