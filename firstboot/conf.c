/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "conf.h"
#include "image/abi.h"

enum conf_kind {
	KIND_TEXT,    /* not empty */
	KIND_ANY,     /* may be empty */
	KIND_HEX,     /* 64 lower case hex digits */
	KIND_UUID,    /* lower case */
	KIND_PATH,    /* absolute, at most max bytes where that is not 0 */
	KIND_NUMBER,  /* min to max */
	KIND_CHOICE,  /* an index into choices */
	KIND_NUMBERS, /* the rest are lists: the line repeats */
	KIND_PATHS,
	KIND_ARGS,
	KIND_BEFORE,
	KIND_ENV,
};

enum conf_mode { MODE_BOTH, MODE_SYSTEM, MODE_APPLIANCE };

struct conf_key {
	const char *name;
	enum conf_kind kind;
	enum conf_mode mode; /* where it may stand, and must, unless optional */
	bool optional;
	size_t offset; /* in struct conf */
	uint64_t min;
	uint64_t max;
	const char *const *choices;
};

static const char *const choices_on_corruption[] = {"poweroff", "reboot", "panic", NULL};
static const char *const choices_verify[] = {"lazy", "full", NULL};
static const char *const choices_mode[] = {"appliance", "system", NULL};
static const char *const choices_network[] = {"none", "dhcp", "static", "ipv6", NULL};
static const char *const choices_ipv6[] = {"auto", "no", NULL};

#define AT(field) .offset = offsetof(struct conf, field)
#define ID_MAX	  ((uint64_t)UINT32_MAX - 1) /* the last one means "no change" to the kernel */

static const struct conf_key conf_keys[] = {
	{"Name", KIND_TEXT, MODE_BOTH, AT(name)},
	{"Version", KIND_TEXT, MODE_BOTH, AT(version)},
	{"RootHash", KIND_HEX, MODE_BOTH, AT(root_hash)},
	{"Salt", KIND_HEX, MODE_BOTH, AT(salt)},
	{"DataBlocks", KIND_NUMBER, MODE_BOTH, AT(data_blocks), .min = 1, .max = (uint64_t)1 << 40},
	{"HashStart", KIND_NUMBER, MODE_BOTH, AT(hash_start), .min = 0, .max = (uint64_t)1 << 40},
	{"Root", KIND_UUID, MODE_BOTH, AT(root)},
	{"Verity", KIND_UUID, MODE_BOTH, AT(verity)},
	{"CommandLine", KIND_ANY, MODE_BOTH, AT(command_line)},
	{"DeviceTimeout", KIND_NUMBER, MODE_BOTH, AT(device_timeout), .min = 0, .max = 86400},
	{"OnCorruption", KIND_CHOICE, MODE_BOTH, AT(on_corruption), .choices = choices_on_corruption},
	{"Verify", KIND_CHOICE, MODE_BOTH, AT(verify_full), .choices = choices_verify},
	{"Module", KIND_PATHS, MODE_BOTH, AT(modules), .optional = true},
	{"Mode", KIND_CHOICE, MODE_BOTH, AT(system), .choices = choices_mode},
	{"Init", KIND_PATH, MODE_SYSTEM, AT(init)},
	{"RootModule", KIND_PATHS, MODE_APPLIANCE, AT(root_modules), .optional = true},
	{"Hostname", KIND_TEXT, MODE_APPLIANCE, AT(hostname)},
	{"Arg", KIND_ARGS, MODE_APPLIANCE, AT(args)},
	{"Before", KIND_BEFORE, MODE_APPLIANCE, AT(before), .optional = true},
	{"BeforeArg", KIND_ARGS, MODE_APPLIANCE, AT(before_args), .optional = true},
	{"Uid", KIND_NUMBER, MODE_APPLIANCE, AT(uid), .min = 0, .max = ID_MAX},
	{"Gid", KIND_NUMBER, MODE_APPLIANCE, AT(gid), .min = 0, .max = ID_MAX},
	{"GroupId", KIND_NUMBERS, MODE_APPLIANCE, AT(groups), .min = 0, .max = ID_MAX, .optional = true},
	{"Env", KIND_ENV, MODE_APPLIANCE, AT(env), .optional = true},
	{"WorkingDirectory", KIND_PATH, MODE_APPLIANCE, AT(working_directory)},
	{"Writable", KIND_PATHS, MODE_APPLIANCE, AT(writable), .optional = true},
	{"Network", KIND_CHOICE, MODE_APPLIANCE, AT(network), .choices = choices_network},
	{"Interface", KIND_ARGS, MODE_APPLIANCE, AT(interfaces), .optional = true},
	{"Address", KIND_ARGS, MODE_APPLIANCE, AT(addresses), .optional = true},
	{"Gateway", KIND_ARGS, MODE_APPLIANCE, AT(gateways), .optional = true},
	{"DNS", KIND_ARGS, MODE_APPLIANCE, AT(dns), .optional = true},
	{"Search", KIND_ARGS, MODE_APPLIANCE, AT(search), .optional = true},
	{"IPv6", KIND_CHOICE, MODE_APPLIANCE, AT(ipv6), .choices = choices_ipv6, .optional = true},
	{"ReadyPort", KIND_NUMBER, MODE_APPLIANCE, AT(ready_port), .min = 0, .max = 65535},
	{"ReadyPath", KIND_PATH, MODE_APPLIANCE, AT(ready_path), .max = ABI_READY_PATH_MAX, .optional = true},
	{"ReadyTimeout", KIND_NUMBER, MODE_APPLIANCE, AT(ready_timeout), .min = 0, .max = 86400},
	{"StopSignal", KIND_NUMBER, MODE_APPLIANCE, AT(stop_signal), .min = 1, .max = 64},
	{"StopTimeout", KIND_NUMBER, MODE_APPLIANCE, AT(stop_timeout), .min = 0, .max = 86400},
};

#define CONF_KEYS (sizeof conf_keys / sizeof conf_keys[0])

bool conf_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (!*text || (text[0] == '0' && text[1]))
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*text - '0'), &v))
			return false;
	}
	if (v < min || v > max)
		return false;
	*ret = v;
	return true;
}

static bool is_hex(const char *text, size_t len)
{
	return strspn(text, "0123456789abcdef") >= len;
}

static bool is_uuid(const char *text)
{
	static const size_t parts[] = {8, 4, 4, 4, 12};

	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		if (strspn(text, "0123456789abcdef") != parts[i])
			return false;
		text += parts[i];
		if (*text++ != (i == 4 ? '\0' : '-'))
			return false;
	}
	return true;
}

/* A NAME of one character or more before the '='. */
static bool is_env(const char *text)
{
	const char *equals = strchr(text, '=');

	return equals && equals != text;
}

bool conf_before(const char *text, struct conf_before *ret)
{
	uint64_t count;

	*ret = (struct conf_before){.may_fail = *text == '-'};
	text += ret->may_fail;
	ret->as_root = *text == '+';
	text += ret->as_root;
	if (!conf_number(text, 1, CONF_LIST_MAX, &count))
		return false;
	ret->count = (size_t)count;
	return true;
}

static bool conf_choose(const char *const *choices, const char *value, unsigned *ret)
{
	for (unsigned i = 0; choices[i]; i++)
		if (strcmp(choices[i], value) == 0) {
			*ret = i;
			return true;
		}
	return false;
}

/* Whether @value is what @k wants; numbers and choices go to @field. */
static bool conf_value(const struct conf_key *k, const char *value, void *field)
{
	struct conf_before before;
	uint64_t number;

	switch (k->kind) {
	case KIND_TEXT:
		return *value != '\0';
	case KIND_ANY:
	case KIND_ARGS:
		return true;
	case KIND_HEX:
		return strlen(value) == 64 && is_hex(value, 64);
	case KIND_UUID:
		return is_uuid(value);
	case KIND_PATH:
	case KIND_PATHS:
		return *value == '/' && (!k->max || strlen(value) <= k->max);
	case KIND_NUMBERS:
		return conf_number(value, k->min, k->max, &number);
	case KIND_BEFORE:
		return conf_before(value, &before);
	case KIND_ENV:
		return is_env(value);
	case KIND_NUMBER:
		return conf_number(value, k->min, k->max, field);
	case KIND_CHOICE:
		return conf_choose(k->choices, value, field);
	}
	return false;
}

/* Puts a checked value where it belongs. */
static int conf_store(const struct conf_key *k, const char *value, bool seen, void *field,
		      struct line *detail)
{
	struct conf_list *list = field;

	if (k->kind < KIND_NUMBERS && seen) {
		line_printf(detail, "a second %s=", k->name);
		return -EINVAL;
	}
	if (!conf_value(k, value, field)) {
		line_printf(detail, "%s= does not take '%s'", k->name, value);
		return -EINVAL;
	}
	if (k->kind >= KIND_NUMBERS) {
		if (list->len >= CONF_LIST_MAX) {
			line_printf(detail, "more than %u times %s=", CONF_LIST_MAX, k->name);
			return -EINVAL;
		}
		list->ptr[list->len++] = value;
	} else if (k->kind != KIND_NUMBER && k->kind != KIND_CHOICE) {
		*(const char **)field = value;
	}
	return 0;
}

/* One "Key=value"; @seen has an element for each key. */
static int conf_line(char *text, struct conf *conf, bool *seen, struct line *detail)
{
	char *equals = strchr(text, '=');

	if (!equals) {
		line_printf(detail, "'%s' has no '='", text);
		return -EINVAL;
	}
	*equals = '\0';
	for (size_t i = 0; i < CONF_KEYS; i++) {
		const struct conf_key *k = &conf_keys[i];
		int r;

		if (strcmp(k->name, text) != 0)
			continue;
		r = conf_store(k, equals + 1, seen[i], (char *)conf + k->offset, detail);
		seen[i] = true;
		return r;
	}
	line_printf(detail, "unknown key '%s'", text);
	return -EINVAL;
}

/* That each program of Before= has its arguments, beginning with a path, and that none is left over. */
static int conf_check_before(const struct conf *conf, struct line *detail)
{
	struct conf_before before;
	size_t at = 0;

	for (size_t i = 0; i < conf->before.len; i++) {
		(void)conf_before(conf->before.ptr[i], &before);
		if (before.count > conf->before_args.len - at || conf->before_args.ptr[at][0] != '/') {
			line_printf(detail, "Before=%s has no program among BeforeArg=", conf->before.ptr[i]);
			return -EINVAL;
		}
		at += before.count;
	}
	if (at == conf->before_args.len)
		return 0;
	line_printf(detail, "BeforeArg=%s belongs to no Before=", conf->before_args.ptr[at]);
	return -EINVAL;
}

/* What no single line shows: missing keys, keys of the other mode, an application that is not a path. */
static int conf_complete(const struct conf *conf, const bool *seen, struct line *detail)
{
	enum conf_mode mode = conf->system ? MODE_SYSTEM : MODE_APPLIANCE;

	for (size_t i = 0; i < CONF_KEYS; i++) {
		const struct conf_key *k = &conf_keys[i];
		bool wanted = k->mode == MODE_BOTH || k->mode == mode;

		if (seen[i] && !wanted) {
			line_printf(detail, "%s= has no meaning with Mode=%s", k->name,
				    choices_mode[conf->system]);
			return -EINVAL;
		}
		if (!seen[i] && wanted && !k->optional) {
			line_printf(detail, "%s= is missing", k->name);
			return -EINVAL;
		}
	}
	if (!conf->system && conf->args.ptr[0][0] != '/') {
		line_printf(detail, "Arg= does not start with an absolute path");
		return -EINVAL;
	}
	return conf_check_before(conf, detail);
}

int conf_parse(char *text, size_t len, struct conf *ret, struct line *detail)
{
	bool seen[CONF_KEYS] = {false};
	unsigned number = 0;

	memset(ret, 0, sizeof *ret);
	if (len == 0 || len > ABI_CONF_MAX || text[len - 1] != '\n' || memchr(text, '\0', len)) {
		line_printf(detail, "not lines of text, or more than %u bytes", ABI_CONF_MAX);
		return -EINVAL;
	}
	for (char *end = text + len; text < end;) {
		char *newline = memchr(text, '\n', (size_t)(end - text));
		int r = 0;

		if (!newline) /* cannot be: the last byte is one */
			return -EINVAL;
		*newline = '\0';
		if (number++ > 0) {
			r = conf_line(text, ret, seen, detail);
		} else if (strcmp(text, "Format=1") != 0) {
			line_printf(detail, "not Format=%u", ABI_FORMAT);
			r = -EINVAL;
		}
		if (r < 0) {
			line_printf(detail, " (line %u)", number);
			return r;
		}
		text = newline + 1;
	}
	return conf_complete(ret, seen, detail);
}
