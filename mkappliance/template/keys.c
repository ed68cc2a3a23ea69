/* SPDX-License-Identifier: Apache-2.0 */
#include "template/keys.h"

#include <stdint.h>
#include <string.h>

#include "lib/cleanup.h"
#include "template/setters.h"
#include "template/suggest.h"

/* ---- when a key means something ---- */

static bool from_debian(const struct template *t)
{
	return t->base.source == BASE_DEBIAN;
}

static bool from_archive(const struct template *t)
{
	return t->base.source == BASE_DEBIAN || t->base.source == BASE_OCI || t->kernel.package;
}

static bool from_path(const struct template *t)
{
	return t->base.source == BASE_DIRECTORY || t->base.source == BASE_TAR;
}

static bool from_image(const struct template *t)
{
	return t->base.source == BASE_OCI || t->base.source == BASE_DISK;
}

static bool has_checksum(const struct template *t)
{
	return t->base.source == BASE_TAR || from_image(t);
}

static bool from_disk(const struct template *t)
{
	return t->base.source == BASE_DISK;
}

static bool from_debian_or_disk(const struct template *t)
{
	return from_debian(t) || from_disk(t);
}

static bool without_kernel(const struct template *t)
{
	return !from_path(t) && !from_disk(t);
}

static bool has_scripts(const struct template *t)
{
	return t->scripts.run.len > 0;
}

static bool has_kernel_image(const struct template *t)
{
	return t->kernel.image != NULL;
}

static bool is_appliance(const struct template *t)
{
	return t->init.mode == INIT_APPLIANCE;
}

static bool is_system(const struct template *t)
{
	return t->init.mode == INIT_SYSTEM;
}

static bool has_ready(const struct template *t)
{
	return is_appliance(t) && (t->init.ready_port != 0 || template_starts_later(t));
}

static bool has_network(const struct template *t)
{
	return is_system(t) || t->init.dhcp;
}

static const struct condition archive = {from_archive, "Source=debian, Source=oci or [Kernel] Package="};
static const struct condition base_path = {from_path, "Source=directory or Source=tar"};
static const struct condition image = {from_image, "Source=oci or Source=disk"};
static const struct condition checksum = {has_checksum, "Source=tar, Source=disk or Source=oci"};
static const struct condition disk = {from_disk, "Source=disk"};
static const struct condition installs = {from_debian_or_disk, "Source=debian or Source=disk"};
static const struct condition scripts = {has_scripts, "[Scripts] Run="};
static const struct condition kernel_package = {without_kernel, "Source=debian, Source=oci or Source=none"};
static const struct condition kernel_image = {has_kernel_image, "[Kernel] Image="};
static const struct condition appliance = {is_appliance, "Mode=appliance"};
static const struct condition system_mode = {is_system, "Mode=system"};
static const struct condition ready = {has_ready, "Ready="};
static const struct condition network = {has_network, "Network=dhcp"};

/* ---- the names of the enums, in their order ---- */

static const char *const architectures[] = {[ARCH_X86_64] = "x86_64", [ARCH_ARM64] = "arm64", NULL};
static const char *const sources[] = {[BASE_NONE] = "none",
				      [BASE_DEBIAN] = "debian",
				      [BASE_DIRECTORY] = "directory",
				      [BASE_TAR] = "tar",
				      [BASE_OCI] = "oci",
				      [BASE_DISK] = "disk",
				      NULL};
static const char *const modes[] = {[INIT_APPLIANCE] = "appliance", [INIT_SYSTEM] = "system", NULL};
static const char *const networks[] = {"none", "dhcp", NULL};
static const char *const answers[] = {"no", "yes", NULL};
static const char *const corruptions[] = {[ON_CORRUPTION_POWEROFF] = "poweroff",
					  [ON_CORRUPTION_REBOOT] = "reboot",
					  [ON_CORRUPTION_PANIC] = "panic",
					  NULL};
static const char *const verifies[] = {[VERIFY_LAZY] = "lazy", [VERIFY_FULL] = "full", NULL};

/* ---- the table ---- */

#define KEY(name, member, setter) name, offsetof(struct template, member), setter
#define STRING(name, member)	  KEY(name, member, set_string), .release = release_string
#define PATH(name, member)	  KEY(name, member, set_path), .release = release_string
#define WORDS(name, member)	  KEY(name, member, set_words), .release = release_strlist, .list = true
#define CHOICE(name, member)	  KEY(name, member, set_choice)
#define SECONDS(name, member)	  KEY(name, member, set_seconds)
#define HOUR			  3600

/* In the order of appliance.conf(5). */
const struct key keys[] = {
	{STRING("Appliance.Name", appliance.name), .check = name_appliance},
	{STRING("Appliance.Version", appliance.version), .check = name_version},
	{CHOICE("Appliance.Architecture", appliance.arch), .choices = architectures},
	/* 0 is "no time given" to libext2fs, and 32 bits are what FAT and ext4 have in common. */
	{KEY("Appliance.Epoch", appliance.epoch, set_epoch), .min = 1, .max = UINT32_MAX},

	{CHOICE("Base.Source", base.source), .choices = sources},
	{STRING("Base.Suite", base.suite), .check = name_suite, .only = &archive},
	{STRING("Base.Mirror", base.mirror), .check = name_mirror, .only = &archive},
	{STRING("Base.Snapshot", base.snapshot), .check = name_snapshot, .only = &archive},
	{PATH("Base.Keyring", base.keyring), .kind = PATH_FILE, .only = &archive},
	{WORDS("Base.Components", base.components), .check = name_component, .only = &archive},
	{WORDS("Base.Packages", base.packages), .check = name_package, .only = &installs},
	{PATH("Base.Path", base.path), .kind = PATH_ANY, .only = &base_path},
	{STRING("Base.Image", base.image), .only = &image},
	{STRING("Base.Checksum", base.checksum), .check = name_checksum, .only = &checksum},
	{KEY("Base.Network", base.network, set_network), .choices = answers, .only = &disk},

	{KEY("Scripts.Run", scripts.run, set_path_list), .release = release_strlist, .list = true,
	 .kind = PATH_FILE, .only = &disk},
	{KEY("Scripts.Network", scripts.network, set_network), .choices = answers, .only = &scripts},

	{KEY("Package.Path", package_paths, set_path_list), .release = release_strlist, .list = true,
	 .kind = PATH_PACKAGE},

	{KEY("Files.Copy", files, set_copy), .release = release_files, .list = true, .kind = PATH_ANY},

	{STRING("Kernel.Package", kernel.package), .check = name_package, .only = &kernel_package},
	{PATH("Kernel.Image", kernel.image), .kind = PATH_FILE},
	{PATH("Kernel.ModulesDirectory", kernel.modules_dir), .kind = PATH_DIRECTORY, .only = &kernel_image},
	{KEY("Kernel.CommandLine", kernel.command_line, set_command_line), .release = release_string,
	 .list = true, .check = name_kernel_command_line},
	{WORDS("Kernel.InitrdModules", kernel.initrd_modules), .check = name_module},
	{WORDS("Kernel.Modules", kernel.modules), .check = name_module, .only = &appliance},
	{PATH("Kernel.Stub", kernel.stub), .kind = PATH_FILE},

	{CHOICE("Init.Mode", init.mode), .choices = modes},
	{STRING("Init.Init", init.init), .check = name_image_path, .only = &system_mode},
	{STRING("Init.Unit", init.unit), .check = name_unit, .only = &appliance},
	{KEY("Init.Exec", init.exec, set_exec), .release = release_strlist, .only = &appliance},
	{KEY("Init.ExecStartPre", init.before, set_before), .release = release_before, .list = true,
	 .only = &appliance},
	{STRING("Init.User", init.user), .check = name_account, .only = &appliance},
	{STRING("Init.Group", init.group), .check = name_account, .only = &appliance},
	{KEY("Init.Environment", init.environment, set_environment), .release = release_strlist, .list = true,
	 .check = name_environment, .only = &appliance},
	{STRING("Init.WorkingDirectory", init.working_directory), .check = name_image_path,
	 .only = &appliance},
	{STRING("Init.Hostname", init.hostname), .check = name_host, .only = &appliance},
	{KEY("Init.Network", init.dhcp, set_network), .choices = networks, .only = &appliance},
	{WORDS("Init.Writable", init.writable), .check = name_writable, .only = &appliance},
	{KEY("Init.Ready", init.ready_path, set_ready), .release = release_string, .only = &appliance},
	{SECONDS("Init.ReadyTimeout", init.ready_timeout), .min = 1, .max = HOUR, .only = &ready},
	{KEY("Init.StopSignal", init.stop_signal, set_signal), .only = &appliance},
	{SECONDS("Init.StopTimeout", init.stop_timeout), .min = 1, .max = HOUR, .only = &appliance},
	{SECONDS("Init.DeviceTimeout", init.device_timeout), .min = 1, .max = HOUR},
	{CHOICE("Init.OnCorruption", init.on_corruption), .choices = corruptions},
	{CHOICE("Init.Verify", init.verify), .choices = verifies},

	{KEY("Sign.SecureBootKey", sign.secure_boot_key, set_private_key), .release = release_string,
	 .kind = PATH_FILE},
	{PATH("Sign.SecureBootCertificate", sign.secure_boot_certificate), .kind = PATH_FILE},
	{PATH("Sign.SecureBootVariables", sign.secure_boot_variables), .kind = PATH_DIRECTORY},

	{KEY("Test.Get", test, set_probe), .release = release_http_probes, .list = true, .only = &network},
	{KEY("Test.Connect", test, set_probe), .release = release_tcp_probes, .list = true, .only = &network},
	{SECONDS("Test.Timeout", test.timeout), .min = 1, .max = 24 * HOUR},
	{KEY("Test.Memory", test.memory, set_mebibytes), .min = 64, .max = 1024 * 1024},
	{KEY("Test.CPUs", test.cpus, set_number), .min = 1, .max = 256},
	{0},
};

#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]) - 1)
_Static_assert(KEY_COUNT < KEY_LIMIT, "raise KEY_LIMIT");

const char *const *template_known_keys(void)
{
	static const char *names[KEY_COUNT + 1];

	for (size_t i = 0; i < KEY_COUNT; i++)
		names[i] = keys[i].name;
	return names;
}

const char *architecture_name(enum architecture arch)
{
	return architectures[arch];
}

/* ---- finding ---- */

const char *key_short_name(const struct key *key)
{
	return strchr(key->name, '.') + 1;
}

static bool in_section(const struct key *key, const char *section)
{
	size_t len = strlen(section);

	return strncmp(key->name, section, len) == 0 && key->name[len] == '.';
}

/* The section of @key; to be freed. */
static char *section_of(const struct key *key)
{
	return xstrndup(key->name, strcspn(key->name, "."));
}

int key_find_section(const char *section, struct error *err)
{
	_cleanup_free_ char *best = NULL;
	struct suggestion s = {.word = section};

	for (const struct key *k = keys; k->name; k++) {
		_cleanup_free_ char *name = section_of(k);

		if (in_section(k, section))
			return 0;
		suggest_offer(&s, name);
		if (s.best == name) {
			free(best);
			s.best = best = steal_pointer(&name);
		}
	}
	if (best)
		return error_usage(err, "unknown section [%s]; did you mean '%s'?", section, best);
	return error_usage(err, "unknown section [%s]; see appliance.conf(5)", section);
}

int key_find(const char *section, const char *name, const struct key **ret, struct error *err)
{
	struct suggestion s = {.word = name};
	const struct key *elsewhere = NULL;

	for (const struct key *k = keys; k->name; k++) {
		bool here = in_section(k, section);
		bool same = strcmp(key_short_name(k), name) == 0;

		if (here && same) {
			*ret = k;
			return 0;
		}
		if (here)
			suggest_offer(&s, key_short_name(k));
		else if (same)
			elsewhere = k;
	}
	if (elsewhere)
		return error_usage(err, "unknown key %s= in [%s]; did you mean '[%.*s] %s'?", name, section,
				   (int)strcspn(elsewhere->name, "."), elsewhere->name, name);
	if (s.best)
		return error_usage(err, "unknown key %s= in [%s]; did you mean '%s'?", name, section, s.best);
	return error_usage(err, "unknown key %s= in [%s]; see appliance.conf(5)", name, section);
}

unsigned key_line(const struct parse *p, const char *name)
{
	for (size_t i = 0; i < KEY_COUNT; i++)
		if (strcmp(keys[i].name, name) == 0)
			return p->set_at[i];
	abort(); /* a name that is not in the table is a bug of ours */
}

/* ---- setting ---- */

/* "Source=none ; or debian" fails because of what was meant as a comment. */
static int hint_at_comment(const char *value, struct error *err)
{
	_cleanup_free_ char *message = xstrdup(err->text);

	if ((!strstr(value, " #") && !strstr(value, " ;")) || strstr(message, "a comment"))
		return err->code;
	return error_usage(err, "%s (a comment needs a line of its own)", message);
}

int key_set(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	void *field = (char *)p->t + key->field;
	unsigned *set_at = &p->set_at[key - keys];
	int r;

	if (key->list && !*value) {
		key->release(field);
		*set_at = 0;
		return 0;
	}
	if (!*value)
		return error_usage(err, "%s=: the value is empty; remove the line to get the default",
				   key_short_name(key));
	if (!key->list && *set_at)
		return error_usage(err, "%s= is set already in line %u; remove one of the two",
				   key_short_name(key), *set_at);
	r = key->set(p, key, value, err);
	if (r < 0) {
		(void)error_prefix(err, "%s=", key_short_name(key));
		return hint_at_comment(value, err);
	}
	*set_at = p->line;
	return 0;
}
