/* SPDX-License-Identifier: Apache-2.0 */
#include "template/services.h"

#include <signal.h>
#include <string.h>

#include "lib/cleanup.h"

void service_init(struct template_service *s, const char *name)
{
	s->name = xstrdup(name);
	s->ready_timeout = 60;
	s->watch_interval = 10;
	s->watch_timeout = 5;
	s->watch_failures = 3;
	s->stop_timeout = 10;
	s->stop_signal = SIGTERM;
	s->restart_limit = 5;
	s->restart_window = 60;
	s->tasks_max = 4096;
}

struct template_service *service_at(const struct template *t, size_t i)
{
	if (i == 0)
		return (struct template_service *)(uintptr_t)&t->init.app;
	return i <= t->services.len ? t->services.ptr[i - 1] : NULL;
}

static struct template_service *find(const struct template *t, const char *name)
{
	struct template_service *s;

	for (size_t i = 0; (s = service_at(t, i)); i++)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

int service_open(struct parse *p, const char *name, struct error *err)
{
	struct template *t = p->t;
	struct template_service *s;
	int r;

	name += strspn(name, " \t");
	if (!*name)
		return error_usage(err, "[Service] needs a name: [Service cache]");
	r = name_service(name, err);
	if (r < 0)
		return error_prefix(err, "[Service %s]", name);
	s = find(t, name);
	if (!s && t->services.len + 1 >= SERVICE_LIMIT)
		return error_usage(err, "[Service %s]: more than %d services", name, SERVICE_LIMIT);
	if (!s) {
		s = xcalloc(1, sizeof(*s));
		service_init(s, name);
		s->line = p->line;
		array_grow(t->services.ptr, t->services.len, t->services.cap);
		t->services.ptr[t->services.len++] = s;
	}
	p->service = s;
	return 0;
}

/* NULL: there is none. */
static const struct key *find_key(const char *name, size_t *ret_index)
{
	const struct key *k;

	for (size_t i = 0; (k = key_at(i)); i++)
		if (k->service && strcmp(key_short_name(k), name) == 0) {
			*ret_index = i;
			return k;
		}
	return NULL;
}

bool service_is_key(const char *key)
{
	size_t i;

	return find_key(key, &i) != NULL;
}

static unsigned line_of(const struct template_service *s, const char *name)
{
	size_t i;

	if (!find_key(name, &i))
		abort(); /* a name that is not in the table is a bug of ours */
	return s->set_at[i];
}

bool service_has(const struct template_service *s, const char *key)
{
	return line_of(s, key) != 0;
}

int service_default(struct template_service *s, const char *key, const char *value, struct error *err)
{
	struct parse p = {.service = s};
	size_t i = 0;
	const struct key *k = find_key(key, &i);

	if (!k)
		abort(); /* as above */
	return s->set_at[i] ? 0 : k->set(&p, k, value, err);
}

char *service_section(const struct template_service *s)
{
	return s->line ? xasprintf("[Service %s]", s->name) : xstrdup("[Init]");
}

/* ---- the order ---- */

/* What a unit will start counts before it is known. */
static bool is_started(const struct template_service *s)
{
	return s->exec.len || s->unit;
}

static bool has(const struct template_service *const *list, size_t len, const char *name)
{
	for (size_t i = 0; i < len; i++)
		if (strcmp(list[i]->name, name) == 0)
			return true;
	return false;
}

/*
 * Whether all that @s waits for is in @list. A program of [Init] that is not known yet, because it comes from the base, is no
 * circle.
 */
static bool may_come(const struct template *t, const struct template_service *s,
		     const struct template_service *const *list, size_t len)
{
	for (size_t i = 0; i < s->after.len; i++)
		if (!has(list, len, s->after.ptr[i]) &&
		    (is_started(&t->init.app) || strcmp(s->after.ptr[i], SERVICE_MAIN) != 0))
			return false;
	return true;
}

size_t template_services(const struct template *t, const struct template_service *ret[SERVICE_LIMIT])
{
	const struct template_service *s;
	size_t len = 0, before;

	do {
		before = len;
		for (size_t i = 0; (s = service_at(t, i)) && before == len; i++)
			if (is_started(s) && !has(ret, len, s->name) && may_come(t, s, ret, len))
				ret[len++] = s;
	} while (len > before);
	return len;
}

/* ---- checks ---- */

static int check_after(const struct parse *p, const struct template_service *s, struct error *err)
{
	for (size_t i = 0; i < s->after.len; i++) {
		const char *name = s->after.ptr[i];

		if (strcmp(name, s->name) == 0)
			return error_usage(err, "%s:%u: After=%s: it cannot start after itself", p->name,
					   line_of(s, "After"), name);
		if (!find(p->t, name))
			return error_usage(err,
					   "%s:%u: After=%s: there is no [Service %s] (" SERVICE_MAIN
					   " is the program of [Init])",
					   p->name, line_of(s, "After"), name, name);
	}
	return 0;
}

/* With names that are known, what cannot be ordered waits for a circle. */
static int check_circle(const struct parse *p, struct error *err)
{
	const struct template_service *order[SERVICE_LIMIT], *s;
	size_t len = template_services(p->t, order);

	for (size_t i = 0; (s = service_at(p->t, i)); i++)
		if (is_started(s) && s->after.len && !has(order, len, s->name))
			return error_usage(
				err,
				"%s:%u: After= of %s never comes true: it and what it waits for wait "
				"for each other; remove one After=",
				p->name, line_of(s, "After"), s->name);
	return 0;
}

int services_check(const struct parse *p, struct error *err)
{
	const struct template *t = p->t;
	const struct template_service *s;
	int r = 0;

	for (size_t i = 0; i < t->services.len; i++) {
		s = t->services.ptr[i];
		if (t->init.mode != INIT_APPLIANCE)
			return error_usage(err, "%s:%u: [Service %s] works only with Mode=appliance", p->name,
					   s->line, s->name);
		if (!is_started(s))
			return error_usage(err,
					   "%s:%u: [Service %s] has no Exec=: the program to run (or the "
					   "Unit= that says it)",
					   p->name, s->line, s->name);
	}
	for (size_t i = 0; r >= 0 && (s = service_at(t, i)); i++) {
		r = check_after(p, s, err);
		/* The kernel takes a filter from nobody else but root. */
		if (r >= 0 && s->system_calls.len && s->new_privileges)
			r = error_usage(err, "%s:%u: SystemCallFilter= needs NoNewPrivileges=yes", p->name,
					line_of(s, "SystemCallFilter"));
	}
	return r < 0 ? r : check_circle(p, err);
}

void services_free(struct template *t)
{
	struct template_service *s;
	const struct key *k;

	for (size_t i = 0; (s = service_at(t, i)); i++) {
		free(s->name);
		for (size_t j = 0; (k = key_at(j)); j++)
			if (k->service && k->release)
				k->release((char *)s + k->field);
		if (i > 0)
			free(s);
	}
	free(t->services.ptr);
}
