/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of how a service runs and of the sandbox; declared in template/setters.h. */
#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"
#include "template/setters.h"
#include "template/system_calls.h"
#include "template/values.h"

#define YEAR (365 * 24 * 3600) /* as the init takes it */

int set_restart_limit(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	const char *slash = strchr(value, '/');
	_cleanup_free_ char *count = NULL;
	uint64_t n;
	int r;

	(void)key;
	if (!slash)
		return error_usage(err, "'%s' is not COUNT/TIME, such as 5/60s", value);
	count = xstrndup(value, (size_t)(slash - value));
	r = value_number(count, 1, 1000000, &n, err);
	if (r >= 0)
		r = value_seconds(slash + 1, 1, YEAR, &p->service->restart_window, err);
	if (r >= 0)
		p->service->restart_limit = (unsigned)n;
	return r;
}

int set_env_file(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	int r = name_image_path(value + (*value == '-'), err);

	if (r < 0)
		return r;
	strlist_add(setter_field(p, key), value);
	return 0;
}

/* In the order of their numbers (linux/capability.h). */
static const char *const capabilities[] = {"CAP_CHOWN",
					   "CAP_DAC_OVERRIDE",
					   "CAP_DAC_READ_SEARCH",
					   "CAP_FOWNER",
					   "CAP_FSETID",
					   "CAP_KILL",
					   "CAP_SETGID",
					   "CAP_SETUID",
					   "CAP_SETPCAP",
					   "CAP_LINUX_IMMUTABLE",
					   "CAP_NET_BIND_SERVICE",
					   "CAP_NET_BROADCAST",
					   "CAP_NET_ADMIN",
					   "CAP_NET_RAW",
					   "CAP_IPC_LOCK",
					   "CAP_IPC_OWNER",
					   "CAP_SYS_MODULE",
					   "CAP_SYS_RAWIO",
					   "CAP_SYS_CHROOT",
					   "CAP_SYS_PTRACE",
					   "CAP_SYS_PACCT",
					   "CAP_SYS_ADMIN",
					   "CAP_SYS_BOOT",
					   "CAP_SYS_NICE",
					   "CAP_SYS_RESOURCE",
					   "CAP_SYS_TIME",
					   "CAP_SYS_TTY_CONFIG",
					   "CAP_MKNOD",
					   "CAP_LEASE",
					   "CAP_AUDIT_WRITE",
					   "CAP_AUDIT_CONTROL",
					   "CAP_SETFCAP",
					   "CAP_MAC_OVERRIDE",
					   "CAP_MAC_ADMIN",
					   "CAP_SYSLOG",
					   "CAP_WAKE_ALARM",
					   "CAP_BLOCK_SUSPEND",
					   "CAP_AUDIT_READ",
					   "CAP_PERFMON",
					   "CAP_BPF",
					   "CAP_CHECKPOINT_RESTORE",
					   NULL};

const char *capability_name(unsigned number)
{
	return number < sizeof(capabilities) / sizeof(capabilities[0]) - 1 ? capabilities[number] : NULL;
}

int set_capabilities(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	_cleanup_strlist_ struct strlist words = {0};
	struct template_service *s = p->service;
	int r = value_split(value, &words, err);

	(void)key;
	for (size_t i = 0; r >= 0 && i < words.len; i++) {
		unsigned n;

		if (words.len == 1 && strcmp(words.ptr[0], "all") == 0) {
			s->capabilities = UINT64_MAX;
		} else if (words.len > 1 || strcmp(words.ptr[0], "none") != 0) {
			r = value_choice(words.ptr[i], capabilities, &n, err);
			if (r >= 0)
				s->capabilities |= UINT64_C(1) << n;
		}
	}
	s->has_capabilities = true;
	return r;
}

int set_system_calls(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	bool negated = *value == '~';
	_cleanup_strlist_ struct strlist words = {0};
	int r = value_split(value + negated, &words, err);

	for (size_t i = 0; r >= 0 && i < words.len; i++) {
		r = system_calls_check(words.ptr[i], err);
		if (r >= 0 && *words.ptr[i] == '~')
			r = error_usage(err, "'~' stands in front of all words of a line, or of none");
	}
	for (size_t i = 0; r >= 0 && i < words.len; i++)
		strlist_addf(setter_field(p, key), "%s%s", negated ? "~" : "", words.ptr[i]);
	return r;
}

int set_system_call_error(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	static const char *const names[] = {"kill", "EPERM", "EACCES", "ENOSYS", NULL};
	static const unsigned numbers[] = {0, EPERM, EACCES, ENOSYS};
	unsigned i = 0;
	int r = value_choice(value, names, &i, err);

	if (r >= 0)
		*(unsigned *)setter_field(p, key) = numbers[i];
	return r;
}

/* A number with K, M, G or T (powers of 1024) or without a unit. */
static int take_size(const char *value, uint64_t *ret, struct error *err)
{
	static const char units[] = "KMGT";
	size_t len = strlen(value);
	const char *unit = len ? strchr(units, value[len - 1]) : NULL;
	_cleanup_free_ char *digits = xstrndup(value, len - (unit ? 1 : 0));
	unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
	int r = value_number(digits, 0, (UINT64_MAX >> shift) / 2, ret, err);

	if (r < 0)
		return error_usage(err, "'%s' is not a size such as 64M (K, M, G, T or bytes)", value);
	*ret <<= shift;
	return 0;
}

int set_bytes(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	bool infinite = strcmp(value, "infinity") == 0;
	uint64_t n = 0;
	int r = infinite ? 0 : take_size(value, &n, err);

	if (r >= 0 && n == 0 && !infinite)
		return error_usage(err, "0 leaves it nothing; infinity is no limit");
	if (r >= 0)
		*(uint64_t *)setter_field(p, key) = n;
	return r;
}

int set_tasks(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	if (strcmp(value, "infinity") == 0) {
		*(uint64_t *)setter_field(p, key) = 0;
		return 0;
	}
	return value_number(value, 1, 4194304, setter_field(p, key), err);
}

static int take_limit(const char *value, uint64_t *ret, struct error *err)
{
	if (strcmp(value, "infinity") != 0)
		return take_size(value, ret, err);
	*ret = UINT64_MAX;
	return 0;
}

int set_limit(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	size_t len = strcspn(value, ":");
	_cleanup_free_ char *soft = xstrndup(value, len);
	struct template_limit l = {.set = true};
	int r = take_limit(soft, &l.soft, err);

	if (r >= 0)
		r = take_limit(value[len] ? value + len + 1 : soft, &l.hard, err);
	if (r < 0)
		return r;
	if (l.soft > l.hard)
		return error_usage(err, "'%s': the soft limit is above the hard one", value);
	*(struct template_limit *)setter_field(p, key) = l;
	return 0;
}

/* Names as sysctl(8) has them, with dots. */
static bool is_sysctl_name(const char *name, size_t len)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";

	for (size_t i = 0; i < len; i++)
		if (!strchr(allowed, name[i]) ||
		    (name[i] == '.' && (i == 0 || i + 1 == len || name[i + 1] == '.')))
			return false;
	return len > 0 && *name != '-';
}

int set_sysctl(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	struct strlist *all = setter_field(p, key);
	size_t len = strcspn(value, "=");

	if (!value[len] || !value[len + 1] || !is_sysctl_name(value, len))
		return error_usage(err, "'%s' is not NAME=VALUE, such as net.core.somaxconn=4096", value);
	for (size_t i = 0; i < all->len; i++)
		if (strncmp(all->ptr[i], value, len + 1) == 0)
			return error_usage(err, "'%s' is set already, as '%s'", value, all->ptr[i]);
	strlist_add(all, value);
	return 0;
}
