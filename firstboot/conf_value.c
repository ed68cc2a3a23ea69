/* SPDX-License-Identifier: Apache-2.0 */
/* What a value of /appliance.conf must be, and where it goes. */
#include <errno.h>
#include <string.h>

#include "conf_internal.h"
#include "filter.h"

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

/* The number at the start of @text, which @end must follow. Returns what is behind that, NULL: it is none. */
static const char *conf_part(const char *text, char end, uint64_t max, uint64_t *ret)
{
	char digits[24];
	size_t len = strcspn(text, " ");

	if (len >= sizeof digits || text[len] != end)
		return NULL;
	memcpy(digits, text, len);
	digits[len] = '\0';
	return conf_number(digits, 0, max, ret) ? text + len + 1 : NULL;
}

bool conf_limit(const char *text, int *ret_resource, uint64_t *ret_soft, uint64_t *ret_hard)
{
	uint64_t resource = 0;

	text = conf_part(text, ' ', 15, &resource);
	text = text ? conf_part(text, ' ', UINT64_MAX, ret_soft) : NULL;
	text = text ? conf_part(text, '\0', UINT64_MAX, ret_hard) : NULL;
	*ret_resource = (int)resource;
	return text && *ret_soft <= *ret_hard;
}

/* No component may be "..", nor may there be a '/': dots part them. */
static bool is_sysctl(const char *text)
{
	text += *text == '-';
	return *text != '.' && strcspn(text, "/=") == strcspn(text, "=") && is_env(text) &&
	       !memmem(text, strcspn(text, "="), "..", 2);
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
	uint64_t number, hard;
	int resource;

	switch (k->kind) {
	case KIND_TEXT:
	case KIND_TEXTS:
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
	case KIND_FILTER:
		return filter_check(value);
	case KIND_NUMBERS:
		return conf_number(value, k->min, k->max, &number);
	case KIND_BEFORE:
		return conf_before(value, &before);
	case KIND_ENV:
		return is_env(value);
	case KIND_LIMIT:
		return conf_limit(value, &resource, &number, &hard);
	case KIND_ENV_FILE:
		return value[*value == '-'] == '/';
	case KIND_SYSCTL:
		return is_sysctl(value);
	case KIND_NUMBER:
		return conf_number(value, k->min, k->max, field);
	case KIND_CHOICE:
		return conf_choose(k->choices, value, field);
	}
	return false;
}

/*
 * Adds to a list. One that does not end where the pool does moves there, which leaves its old place unused: that happens to
 * lists whose lines stand between each other's, as Before= and BeforeArg=. False: the pool is full.
 */
static bool conf_add(struct conf *c, struct conf_list *list, const char *value)
{
	bool last = list->len && list->ptr + list->len + 1 == c->pool + c->pool_len;

	if (CONF_POOL_MAX - c->pool_len < (last ? 1 : list->len + 2))
		return false;
	if (!last) {
		const char **to = c->pool + c->pool_len;

		if (list->len)
			memcpy(to, list->ptr, list->len * sizeof *to);
		list->ptr = to;
		c->pool_len += list->len + 1; /* with the NULL */
	}
	list->ptr[list->len++] = value;
	list->ptr[list->len] = NULL;
	c->pool_len++;
	return true;
}

/* Puts a checked value where it belongs. */
int conf_store(const struct conf_key *k, const char *value, bool seen, struct conf *conf, void *field,
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
		if (!conf_add(conf, list, value)) {
			line_printf(detail, "%s= and other lists stand between each other too often",
				    k->name);
			return -EINVAL;
		}
	} else if (k->kind != KIND_NUMBER && k->kind != KIND_CHOICE) {
		*(const char **)field = value;
	}
	return 0;
}
