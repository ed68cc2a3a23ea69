/* SPDX-License-Identifier: Apache-2.0 */
#include "template/keys.h"

#include <stdint.h>
#include <string.h>

#include "lib/cleanup.h"
#include "template/services.h"
#include "template/setters.h"
#include "template/suggest.h"
#include "template/table.h"

/* ---- when a key means something ---- */

static bool from_debian(const struct template *t)
{
	return t->base.source == BASE_DEBIAN;
}

static bool from_rpm(const struct template *t)
{
	return t->base.source == BASE_RPM;
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

static bool from_repositories(const struct template *t)
{
	return from_debian(t) || from_rpm(t);
}

static bool from_manager(const struct template *t)
{
	return from_debian(t) || from_rpm(t) || from_disk(t);
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

static bool has_network(const struct template *t)
{
	return is_system(t) || t->init.network != NETWORK_NONE;
}

static bool has_verity_certificate(const struct template *t)
{
	return t->sign.verity_certificate != NULL;
}

static const struct condition rpm = {from_rpm, "Source=rpm"};
static const struct condition repositories = {from_repositories, "Source=debian or Source=rpm"};
static const struct condition archive = {from_archive, "Source=debian, Source=oci or [Kernel] Package="};
static const struct condition base_path = {from_path, "Source=directory or Source=tar"};
static const struct condition image = {from_image, "Source=oci or Source=disk"};
static const struct condition checksum = {has_checksum, "Source=tar, Source=disk or Source=oci"};
static const struct condition disk = {from_disk, "Source=disk"};
static const struct condition installs = {from_manager, "Source=debian, Source=rpm or Source=disk"};
static const struct condition scripts = {has_scripts, "[Scripts] Run="};
static const struct condition kernel_package = {without_kernel,
						"Source=debian, Source=rpm, Source=oci or Source=none"};
static const struct condition kernel_image = {has_kernel_image, "[Kernel] Image="};
const struct condition key_only_appliance = {is_appliance, "Mode=appliance"};
const struct condition key_only_system = {is_system, "Mode=system"};
static const struct condition signs_root = {has_verity_certificate, "VerityCertificate="};
static const struct condition network = {has_network, "a Network= that is not none"};

/* ---- the names of the enums, in their order ---- */

static const char *const architectures[] = {[ARCH_X86_64] = "x86_64", [ARCH_ARM64] = "arm64", NULL};
static const char *const sources[] = {
	[BASE_NONE] = "none", [BASE_DEBIAN] = "debian", [BASE_RPM] = "rpm",   [BASE_DIRECTORY] = "directory",
	[BASE_TAR] = "tar",   [BASE_OCI] = "oci",	[BASE_DISK] = "disk", NULL};
static const char *const answers[] = {"no", "yes", NULL};
static const char *const test_disks[] = {[TEST_DISK_VIRTIO] = "virtio", [TEST_DISK_NVME] = "nvme", NULL};

/* ---- the table, but for keys_init.c ---- */

/* In the order of appliance.conf(5). */
const struct key keys_image[] = {
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
	{STRING("Base.Release", base.release), .check = name_release, .only = &rpm},
	{KEY("Base.Repository", base.repositories, set_repository), .release = release_repositories,
	 .list = true, .only = &repositories},
	{KEY("Base.WeakDependencies", base.weak_dependencies, set_answer), .choices = answers, .only = &rpm},
	{WORDS("Base.Packages", base.packages), .check = name_any_package, .only = &installs},
	{PATH("Base.Path", base.path), .kind = PATH_ANY, .only = &base_path},
	{STRING("Base.Image", base.image), .only = &image},
	{STRING("Base.Checksum", base.checksum), .check = name_checksum, .only = &checksum},
	{KEY("Base.Network", base.network, set_answer), .choices = answers, .only = &disk},

	{KEY("Scripts.Run", scripts.run, set_path_list), .release = release_strlist, .list = true,
	 .kind = PATH_FILE, .only = &disk},
	{KEY("Scripts.Network", scripts.network, set_answer), .choices = answers, .only = &scripts},

	{KEY("Package.Path", package_paths, set_path_list), .release = release_strlist, .list = true,
	 .kind = PATH_PACKAGE},
	{KEY("Package.GPGKey", package_keys, set_key_list), .release = release_strlist, .list = true,
	 .only = &rpm},

	{KEY("Files.Copy", files, set_copy), .release = release_files, .list = true, .kind = PATH_ANY},

	{STRING("Kernel.Package", kernel.package), .check = name_any_package, .only = &kernel_package},
	{PATH("Kernel.Image", kernel.image), .kind = PATH_FILE},
	{PATH("Kernel.ModulesDirectory", kernel.modules_dir), .kind = PATH_DIRECTORY, .only = &kernel_image},
	{KEY("Kernel.CommandLine", kernel.command_line, set_command_line), .release = release_string,
	 .list = true, .check = name_kernel_command_line},
	{WORDS("Kernel.InitrdModules", kernel.initrd_modules), .check = name_module},
	{WORDS("Kernel.Modules", kernel.modules), .check = name_module, .only = &key_only_appliance},
	{PATH("Kernel.Stub", kernel.stub), .kind = PATH_FILE},
	{0},
};

const struct key keys_test[] = {
	{KEY("Sign.SecureBootKey", sign.secure_boot_key, set_private_key), .release = release_string,
	 .kind = PATH_FILE},
	{PATH("Sign.SecureBootCertificate", sign.secure_boot_certificate), .kind = PATH_FILE},
	{PATH("Sign.SecureBootVariables", sign.secure_boot_variables), .kind = PATH_DIRECTORY},
	{KEY("Sign.ProvenanceKey", sign.provenance_key, set_private_key), .release = release_string,
	 .kind = PATH_FILE},
	{KEY("Sign.VerityKey", sign.verity_key, set_private_key), .release = release_string,
	 .kind = PATH_FILE},
	{PATH("Sign.VerityCertificate", sign.verity_certificate), .kind = PATH_FILE},
	{KEY("Sign.VerityRequired", sign.verity_required, set_answer), .choices = answers,
	 .only = &signs_root},

	{KEY("Test.Get", test, set_probe), .release = release_http_probes, .list = true, .only = &network},
	{KEY("Test.Connect", test, set_probe), .release = release_tcp_probes, .list = true, .only = &network},
	{SECONDS("Test.Timeout", test.timeout), .min = 1, .max = 24 * HOUR},
	{KEY("Test.Memory", test.memory, set_mebibytes), .min = 64, .max = 1024 * 1024},
	{KEY("Test.CPUs", test.cpus, set_number), .min = 1, .max = 256},
	{CHOICE("Test.Disk", test.disk), .choices = test_disks},
	{0},
};

static const struct key *const tables[] = {keys_image, keys_init, keys_machine, keys_test, keys_upload};

const struct key *key_at(size_t i)
{
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (const struct key *k = tables[t]; k->name; k++)
			if (i-- == 0)
				return k;
	return NULL;
}

size_t key_index(const struct key *key)
{
	const struct key *k;
	size_t i;

	for (i = 0; (k = key_at(i)) != key; i++)
		if (!k || i + 1 >= KEY_LIMIT)
			abort(); /* not of the table, or KEY_LIMIT must be raised */
	return i;
}

const char *const *template_known_keys(void)
{
	static const char *names[KEY_LIMIT + 1];

	for (size_t i = 0; i < KEY_LIMIT && key_at(i); i++)
		names[i] = key_at(i)->name;
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

/* Whether [section] takes @key. */
static bool in_section(const struct key *key, const char *section)
{
	size_t len = strcspn(section, " ");

	if (section[len])
		return key->service; /* [Service NAME] */
	return strncmp(key->name, section, len) == 0 && key->name[len] == '.';
}

/* The section of @key; to be freed. */
static char *section_of(const struct key *key)
{
	return xstrndup(key->name, strcspn(key->name, "."));
}

static int unknown_section(const char *section, struct error *err)
{
	_cleanup_free_ char *best = NULL;
	struct suggestion s = {.word = section};
	const struct key *k;

	for (size_t i = 0; (k = key_at(i)); i++) {
		_cleanup_free_ char *name = section_of(k);

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

int key_open_section(struct parse *p, const char *section, struct error *err)
{
	const struct key *k;

	p->service = NULL;
	if (strcmp(section, "Service") == 0 || strncmp(section, "Service ", 8) == 0)
		return service_open(p, section + strcspn(section, " "), err);
	if (strcmp(section, "Init") == 0)
		p->service = &p->t->init.app;
	for (size_t i = 0; (k = key_at(i)); i++)
		if (!strchr(section, ' ') && in_section(k, section))
			return 0;
	return unknown_section(section, err);
}

int key_find(const char *section, const char *name, const struct key **ret, struct error *err)
{
	struct suggestion s = {.word = name};
	const struct key *elsewhere = NULL, *k;

	for (size_t i = 0; (k = key_at(i)); i++) {
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

unsigned key_set_at(const struct parse *p, const struct template_service *s, const struct key *key)
{
	return s ? s->set_at[key_index(key)] : p->set_at[key_index(key)];
}

unsigned key_line(const struct parse *p, const char *name)
{
	const struct key *k;

	for (size_t i = 0; (k = key_at(i)); i++)
		if (strcmp(k->name, name) == 0)
			return key_set_at(p, k->service ? &p->t->init.app : NULL, k);
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
	void *field = setter_field(p, key);
	unsigned *set_at = &(key->service ? p->service->set_at : p->set_at)[key_index(key)];
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
