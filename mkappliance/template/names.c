/* SPDX-License-Identifier: Apache-2.0 */
#include "template/names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"
#include "lib/mem.h"
#include "template/values.h"

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define ALNUM  LOWER UPPER DIGITS

/*
 * The kernel takes 2048 bytes with the closing 0 (COMMAND_LINE_SIZE on x86 and arm64); the tool adds its
 * own words.
 */
#define COMMAND_LINE_MAX 1536

/* 1 to @max bytes, the first one of @first, the others of @others. */
static bool is_made_of(const char *s, const char *first, const char *others, size_t max)
{
	size_t len = strlen(s);

	return len >= 1 && len <= max && strchr(first, *s) && strspn(s + 1, others) == len - 1;
}

int name_appliance(const char *value, struct error *err)
{
	if (!is_made_of(value, LOWER DIGITS, LOWER DIGITS "-", 63) || value[strlen(value) - 1] == '-')
		return error_usage(
			err,
			"'%s' is not a name of a-z, 0-9 and '-' (at most 63, no '-' at either end); it is "
			"the host name too",
			value);
	return 0;
}

int name_version(const char *value, struct error *err)
{
	if (!is_made_of(value, ALNUM, ALNUM ".+~_-", 64))
		return error_usage(
			err,
			"'%s' is not a version of letters, digits and . + ~ _ - (at most 64, beginning with "
			"a letter or a digit)",
			value);
	return 0;
}

int name_host(const char *value, struct error *err)
{
	size_t len = strlen(value), label = 0;
	bool good = len >= 1 && len <= 64;

	for (size_t i = 0; good && i < len; i += label + 1) {
		label = strspn(value + i, ALNUM "-");
		good = label >= 1 && label <= 63 && value[i] != '-' && value[i + label - 1] != '-' &&
		       (i + label == len || (value[i + label] == '.' && i + label + 1 < len));
	}
	if (!good)
		return error_usage(err, "'%s' is not a host name (RFC 1123, at most 64 characters)", value);
	return 0;
}

int name_account(const char *value, struct error *err)
{
	uint64_t number;

	/* 2^32 - 1 means "no such id" to the kernel. */
	if (strchr(DIGITS, *value) && *value)
		return value_number(value, 0, UINT32_MAX - 1, &number, err);
	if (!is_made_of(value, LOWER UPPER "_", ALNUM "_.-", 32))
		return error_usage(err, "'%s' is neither the name nor the number of an account", value);
	return 0;
}

int name_service(const char *value, struct error *err)
{
	size_t len = strlen(value);

	if (!is_made_of(value, LOWER DIGITS, LOWER DIGITS "-", 32) || value[len - 1] == '-')
		return error_usage(
			err,
			"'%s' is not the name of a service: at most 32 of a-z, 0-9 and '-', such as cache",
			value);
	if (strcmp(value, "main") == 0)
		return error_usage(err, "'main' is the program of [Init]; choose another name");
	return 0;
}

int name_service_or_main(const char *value, struct error *err)
{
	return strcmp(value, "main") == 0 ? 0 : name_service(value, err);
}

int name_suite(const char *value, struct error *err)
{
	if (!is_made_of(value, ALNUM, ALNUM ".+_/-", 64))
		return error_usage(err, "'%s' is not the name of a suite, such as bookworm", value);
	return 0;
}

int name_unit(const char *value, struct error *err)
{
	if (!is_made_of(value, ALNUM "_", ALNUM ":_.@\\-", 255))
		return error_usage(err, "'%s' is not the name of a unit, such as app.service", value);
	return 0;
}

int name_component(const char *value, struct error *err)
{
	if (!is_made_of(value, ALNUM, ALNUM ".+_/-", 64))
		return error_usage(err, "'%s' is not the name of a component, such as main", value);
	return 0;
}

int name_package(const char *value, struct error *err)
{
	/* apt takes a '-' at the end as the wish to remove. */
	if (!is_made_of(value, LOWER DIGITS, ALNUM "+.:=~/_-", 255) || value[strlen(value) - 1] == '-')
		return error_usage(err, "'%s' is not the name of a package; several are parted by blanks",
				   value);
	return 0;
}

int name_any_package(const char *value, struct error *err)
{
	if (!is_made_of(value, ALNUM "@/_", ALNUM "+.:=~^@/_-", 255) || value[strlen(value) - 1] == '-')
		return error_usage(err, "'%s' is not the name of a package; several are parted by blanks",
				   value);
	return 0;
}

int name_release(const char *value, struct error *err)
{
	if (!is_made_of(value, ALNUM, ALNUM "._-", 63))
		return error_usage(err, "'%s' is not the release of a distribution, such as 9", value);
	return 0;
}

int name_repository(const char *value, struct error *err)
{
	/* The section of dnf's configuration that is no repository. */
	if (strcmp(value, "main") == 0)
		return error_usage(err, "'main' is no name for a repository: dnf keeps it for itself");
	if (!is_made_of(value, ALNUM, ALNUM "._-", 63))
		return error_usage(err, "'%s' is not a name for a repository (A-Z a-z 0-9 . _ -)", value);
	return 0;
}

int name_module(const char *value, struct error *err)
{
	if (!is_made_of(value, ALNUM "_", ALNUM "_-", 55))
		return error_usage(err, "'%s' is not the name of a kernel module, such as virtio_net", value);
	return 0;
}

int name_mirror(const char *value, struct error *err)
{
	static const char *const schemes[] = {"http://", "https://", "file:///"};
	bool known = false;

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		known |= strncmp(value, schemes[i], strlen(schemes[i])) == 0 && value[strlen(schemes[i])];
	if (!known || strspn(value, ALNUM "-._~:/?@!$&'()*+,;=%") != strlen(value))
		return error_usage(
			err, "'%s' is not an address that begins with http://, https:// or file:///", value);
	return 0;
}

int name_snapshot(const char *value, struct error *err)
{
	static const char form[] = "00000000T000000Z";
	bool good = strlen(value) == sizeof(form) - 1;

	for (size_t i = 0; good && form[i]; i++)
		good = form[i] == '0' ? value[i] >= '0' && value[i] <= '9' : value[i] == form[i];
	if (!good)
		return error_usage(err, "'%s' is not a time like 20240131T120000Z", value);
	return 0;
}

int name_checksum(const char *value, struct error *err)
{
	struct sha256 digest;

	if (strncmp(value, "sha256:", 7) != 0 || !hex_decode(value + 7, &digest, sizeof(digest)))
		return error_usage(err, "'%s' is not sha256: and 64 hexadecimal digits", value);
	return 0;
}

int name_environment(const char *value, struct error *err)
{
	size_t len = strcspn(value, "=");

	if (value[len] != '=' || len == 0 || strchr(DIGITS, *value) || strspn(value, ALNUM "_") != len)
		return error_usage(
			err,
			"'%s' is not NAME=value; several are parted by blanks, blanks in a value need "
			"quotes: \"NAME=a b\"",
			value);
	return 0;
}

/* Words that would start something else than what was verified, or that nothing reads. */
static int refuse_word(const char *word, size_t len, struct error *err)
{
	static const char *const refused[] = {"init=", "rdinit=", "initrd=", "root=", "roothash="};

	if (*word == '#' || *word == ';')
		return error_usage(err, "'%s': a comment needs a line of its own", word);
	/* The tool's own words come behind, and are for the kernel. */
	if (len == 2 && memcmp(word, "--", len) == 0)
		return error_usage(err, "'--': what follows is for the init, which takes nothing; remove it");
	/* The kernel takes a quote in front of a word away: next_arg() in its lib/cmdline.c. */
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (strncmp(word + (*word == '"'), refused[i], strlen(refused[i])) == 0)
			return error_usage(
				err,
				"'%.*s': the verified root and its init cannot be chosen on the command "
				"line; remove it",
				(int)len, word);
	return 0;
}

int name_kernel_command_line(const char *value, struct error *err)
{
	bool quoted = false;

	if (strlen(value) > COMMAND_LINE_MAX)
		return error_usage(err, "longer than %d bytes; the kernel takes 2047 in all",
				   COMMAND_LINE_MAX);
	for (const char *p = value; *p; p++)
		if (*p < ' ' || *p > '~')
			return error_usage(err,
					   "column %zu: only printable ASCII comes through the firmware "
					   "unchanged",
					   (size_t)(p - value) + 1);
	for (const char *p = value; *p;) {
		size_t len = strcspn(p, " ");
		int r = quoted ? 0 : refuse_word(p, len, err);

		if (r < 0)
			return r;
		for (size_t i = 0; i < len; i++)
			quoted ^= p[i] == '"';
		p += len + strspn(p + len, " ");
	}
	/* It would swallow the words that the tool puts behind. */
	if (quoted)
		return error_usage(err, "a quote (\") is opened and never closed");
	return 0;
}

int name_image_path(const char *value, struct error *err)
{
	if (*value != '/')
		return error_usage(err, "'%s' is not an absolute path in the image", value);
	if (strlen(value) > 4095)
		return error_usage(err, "a path of more than 4095 bytes");
	for (const char *p = value; value[1] && *p;) {
		size_t len = strcspn(++p, "/");

		if (len == 0)
			return error_usage(err, "'%s': remove the '/' that is too much", value);
		if (len > 255)
			return error_usage(err, "'%s': a name of more than 255 bytes", value);
		if ((len == 1 && *p == '.') || (len == 2 && p[0] == '.' && p[1] == '.'))
			return error_usage(err, "'%s': '.' and '..' are not allowed in a path of the image",
					   value);
		p += len;
	}
	return 0;
}

int name_writable(const char *value, struct error *err)
{
	static const char *const kept[] = {"/proc", "/sys", "/dev"};
	int r = name_image_path(value, err);

	if (r < 0)
		return r;
	if (!value[1])
		return error_usage(
			err, "'/': the root is verified and stays read only; name a directory below it");
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		size_t len = strlen(kept[i]);

		if (strncmp(value, kept[i], len) == 0 && (value[len] == '/' || !value[len]))
			return error_usage(err, "'%s': %s is the kernel's", value, kept[i]);
	}
	return 0;
}
