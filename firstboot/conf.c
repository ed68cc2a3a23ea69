/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of /appliance.conf; what may stand in them is in the tables of conf_*.c. */
#include "conf.h"

#include <errno.h>
#include <string.h>

#include "conf_internal.h"
#include "image/abi.h"

static const struct conf_key *const conf_tables[] = {conf_boot_keys, conf_machine_keys};

#define CONF_TABLES (sizeof conf_tables / sizeof conf_tables[0])

/* The text while it is read. */
struct conf_reader {
	struct conf *conf;
	struct conf_service *service; /* of the last Service=; NULL: there was none */
	bool seen[CONF_TABLES][CONF_KEYS_MAX];
	bool seen_of_service[CONF_KEYS_MAX];
	struct line *detail;
};

/* The place of @name in @table, CONF_KEYS_MAX when it is not there. */
static size_t conf_find(const struct conf_key *table, const char *name)
{
	for (size_t i = 0; i < CONF_KEYS_MAX && table[i].name; i++)
		if (strcmp(table[i].name, name) == 0)
			return i;
	return CONF_KEYS_MAX;
}

/* That each key of @table is there, and none that has no meaning. */
static int conf_complete(const struct conf_reader *r, const struct conf_key *table, const bool *seen)
{
	enum conf_mode mode = r->conf->system ? MODE_SYSTEM : MODE_APPLIANCE;

	for (size_t i = 0; i < CONF_KEYS_MAX && table[i].name; i++) {
		bool wanted = table[i].mode == MODE_BOTH || table[i].mode == mode;

		if (seen[i] && !wanted) {
			line_printf(r->detail, "%s= has no meaning with Mode=%s", table[i].name,
				    r->conf->system ? "system" : "appliance");
			return -EINVAL;
		}
		if (!seen[i] && wanted && !table[i].optional) {
			line_printf(r->detail, "%s= is missing", table[i].name);
			return -EINVAL;
		}
	}
	return 0;
}

/* The end of what is behind a Service=. */
static int conf_end_service(struct conf_reader *r)
{
	int e;

	if (!r->service)
		return 0;
	e = conf_complete(r, conf_service_keys, r->seen_of_service);
	if (e == 0)
		e = conf_check_service(r->conf, r->service, r->detail);
	if (e < 0)
		line_printf(r->detail, " (Service=%s)", r->service->name);
	return e;
}

static int conf_begin_service(struct conf_reader *r, const char *name)
{
	int e = conf_end_service(r);

	if (e < 0)
		return e;
	if (!*name || strlen(name) > ABI_SERVICE_NAME_MAX) {
		line_printf(r->detail, "Service= does not take '%s'", name);
		return -EINVAL;
	}
	for (size_t i = 0; i < r->conf->service_count; i++)
		if (strcmp(r->conf->services[i].name, name) == 0) {
			line_printf(r->detail, "a second Service=%s", name);
			return -EINVAL;
		}
	if (r->conf->service_count == ABI_SERVICES_MAX) {
		line_printf(r->detail, "more than %u times Service=", ABI_SERVICES_MAX);
		return -EINVAL;
	}
	r->service = &r->conf->services[r->conf->service_count++];
	memset(r->service, 0, sizeof *r->service);
	memset(r->seen_of_service, 0, sizeof r->seen_of_service);
	r->service->name = name;
	return 0;
}

static int conf_service_line(struct conf_reader *r, const char *key, const char *value)
{
	size_t i = conf_find(conf_service_keys, key);
	int e;

	if (i == CONF_KEYS_MAX) {
		line_printf(r->detail, "unknown key '%s'", key);
		return -EINVAL;
	}
	if (!r->service) {
		line_printf(r->detail, "%s= stands before the first Service=", key);
		return -EINVAL;
	}
	e = conf_store(&conf_service_keys[i], value, r->seen_of_service[i], r->conf,
		       (char *)r->service + conf_service_keys[i].offset, r->detail);
	r->seen_of_service[i] = true;
	return e;
}

/* One "Key=value". */
static int conf_line(struct conf_reader *r, char *text)
{
	char *equals = strchr(text, '=');

	if (!equals) {
		line_printf(r->detail, "'%s' has no '='", text);
		return -EINVAL;
	}
	*equals = '\0';
	if (strcmp(text, "Service") == 0)
		return conf_begin_service(r, equals + 1);
	for (size_t t = 0; t < CONF_TABLES; t++) {
		size_t i = conf_find(conf_tables[t], text);
		int e;

		if (i == CONF_KEYS_MAX)
			continue;
		e = conf_store(&conf_tables[t][i], equals + 1, r->seen[t][i], r->conf,
			       (char *)r->conf + conf_tables[t][i].offset, r->detail);
		r->seen[t][i] = true;
		return e;
	}
	return conf_service_line(r, text, equals + 1);
}

/* The data volume's keys: all that are needed, or none. */
static bool conf_data_whole(const struct conf *c)
{
	return c->data_mount ? c->data_label && c->data_check
			     : !c->data_label && !c->data_check && !c->data_make;
}

/* What no single line shows. */
static int conf_end(struct conf_reader *r)
{
	int e = 0;

	for (size_t t = 0; t < CONF_TABLES && e == 0; t++)
		e = conf_complete(r, conf_tables[t], r->seen[t]);
	if (e == 0)
		e = conf_end_service(r);
	if (e == 0 && !conf_data_whole(r->conf)) {
		line_printf(r->detail, "DataMount=, DataLabel= and DataCheck= go together");
		return -EINVAL;
	}
	if (e == 0 && r->conf->system == (r->conf->service_count > 0)) {
		line_printf(r->detail, r->conf->system ? "Service= has no meaning with Mode=system"
						       : "Service= is missing");
		return -EINVAL;
	}
	return e;
}

int conf_parse(char *text, size_t len, struct conf *ret, struct line *detail)
{
	struct conf_reader reader = {.conf = ret, .detail = detail};
	unsigned number = 0;

	memset(ret, 0,
	       offsetof(struct conf, services)); /* those are emptied when they begin, the pool is filled */
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
			r = conf_line(&reader, text);
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
	return conf_end(&reader);
}
