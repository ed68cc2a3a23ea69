/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/unit_supervision.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

#include "compose/unit_words.h"
#include "lib/cleanup.h"
#include "template/services.h"
#include "template/values.h"

#define STOP_LONGEST	86400	       /* seconds; what the init takes (image/abi.h) */
#define WINDOW_LONGEST	(365 * 86400u) /* seconds */
#define RESTARTS_MOST	1000000u
#define NO_LIMIT_WINDOW 1u
#define FILES_MOST	"1048576" /* open files: fs.nr_open as the kernel has it, above which it refuses */

/* ---- taking ---- */

typedef int taker(struct unit_supervision *s, const struct unit_item *item, size_t which, struct error *err);

static int take_signal(struct unit_supervision *s, const struct unit_item *item, size_t which,
		       struct error *err)
{
	(void)which;
	s->kill_signal = 0;
	return *item->value ? unit_signal(item->value, &s->kill_signal, err) : 0;
}

enum { TIME_STOP = 1, TIME_START = 2, TIME_WATCHDOG = 4 };

static int take_time(struct unit_supervision *s, const struct unit_item *item, size_t which,
		     struct error *err)
{
	unsigned seconds = 0;
	int e = *item->value ? unit_seconds(item->value, &seconds, err) : 0;

	if (e < 0)
		return e;
	if (which & TIME_WATCHDOG) {
		s->watchdog = seconds == UINT_MAX ? 0 : seconds;
		return 0;
	}
	if (*item->value && seconds == 0)
		seconds = UINT_MAX; /* none is for ever, in systemd's older way of saying it */
	if (which & TIME_STOP)
		s->stop_timeout = seconds;
	if (which & TIME_START)
		s->start_timeout = seconds;
	return 0;
}

static int take_restart(struct unit_supervision *s, const struct unit_item *item, size_t which,
			struct error *err)
{
	(void)which;
	(void)err;
	s->restart = *item->value ? item : NULL;
	return 0;
}

static int take_start_limit(struct unit_supervision *s, const struct unit_item *item, size_t interval,
			    struct error *err)
{
	unsigned n = interval ? UNIT_START_INTERVAL : UNIT_START_BURST;
	uint64_t count = n;
	int e = 0;

	if (*item->value)
		e = interval ? unit_seconds(item->value, &n, err)
			     : value_number(item->value, 0, UINT_MAX, &count, err);
	if (e < 0)
		return e;
	if (!interval)
		n = (unsigned)count;
	if (!s->limits_starts) {
		s->start_burst = UNIT_START_BURST;
		s->start_interval = UNIT_START_INTERVAL;
		s->limits_starts = true;
	}
	*(interval ? &s->start_interval : &s->start_burst) = n;
	return 0;
}

/* A later one takes the place of an earlier one, an empty one takes it back. */
static int take_same(struct unit_supervision *s, const struct unit_item *item, size_t which,
		     struct error *err)
{
	size_t len = strlen(item->value), i = 0;

	(void)which;
	(void)err;
	while (i < s->same.len && strcmp(s->same.ptr[i]->key, item->key) != 0)
		i++;
	if (len && item->value[len - 1] == '%') {
		strlist_addf(&s->not_done, "%s=%s", item->key, item->value);
		len = 0;
	}
	if (i < s->same.len)
		s->same.ptr[i] = s->same.ptr[--s->same.len];
	if (len == 0)
		return 0;
	array_grow(s->same.ptr, s->same.len, s->same.cap);
	s->same.ptr[s->same.len++] = item;
	return 0;
}

static int take_capabilities(struct unit_supervision *s, const struct unit_item *item, size_t bounding,
			     struct error *err)
{
	struct strlist *to = bounding ? &s->bounding : &s->ambient;
	const char *value = item->value + (*item->value == '~');
	_cleanup_strlist_ struct strlist words = {0};
	int e = unit_words(value, &words, err);

	if (!*item->value)
		strlist_free(to);
	for (size_t i = 0; e >= 0 && i < words.len; i++) {
		for (char *p = words.ptr[i]; *p; p++)
			*p = (char)toupper((unsigned char)*p);
		strlist_addf(to, "%s%s", value > item->value ? "~" : "", words.ptr[i]);
	}
	*(bounding ? &s->bounding_at : &s->ambient_at) = item;
	return e;
}

static const struct {
	const char *key; /* with '*' at its end: all that begin so */
	taker *take;
	size_t which;
} takers[] = {
	{"KillSignal", take_signal, 0},
	{"TimeoutStopSec", take_time, TIME_STOP},
	{"TimeoutStartSec", take_time, TIME_START},
	{"TimeoutSec", take_time, TIME_START | TIME_STOP},
	{"WatchdogSec", take_time, TIME_WATCHDOG},
	{"Restart", take_restart, 0},
	{"StartLimitBurst", take_start_limit, 0},
	{"StartLimitInterval", take_start_limit, 1},
	{"StartLimitIntervalSec", take_start_limit, 1},
	{"MemoryMax", take_same, 0},
	{"TasksMax", take_same, 0},
	{"Limit*", take_same, 0},
	{"AmbientCapabilities", take_capabilities, 0},
	{"CapabilityBoundingSet", take_capabilities, 1},
};

static bool is_of(const char *key, const struct unit_item *item)
{
	size_t len = strlen(key);

	/* [Service] is where the limit of starts stood before it moved to [Unit]. */
	if (strcmp(item->section, "Service") != 0 &&
	    (strcmp(item->section, "Unit") != 0 || strncmp(key, "StartLimit", 10) != 0))
		return false;
	if (key[len - 1] == '*')
		return strncmp(key, item->key, len - 1) == 0 && service_is_key(item->key);
	return strcmp(key, item->key) == 0;
}

int unit_supervision_take(struct unit_supervision *s, const struct unit_item *item, struct error *err)
{
	for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++)
		if (is_of(takers[i].key, item)) {
			int e = takers[i].take(s, item, takers[i].which, err);

			return e < 0 ? e : 1;
		}
	return 0;
}

/* ---- filling ---- */

static unsigned at_most(unsigned value, unsigned most)
{
	return value < most ? value : most;
}

static void fill_times(const struct unit_supervision *s, struct template_service *to)
{
	if (s->kill_signal && !service_has(to, "StopSignal"))
		to->stop_signal = s->kill_signal;
	if (s->stop_timeout && !service_has(to, "StopTimeout"))
		to->stop_timeout = at_most(s->stop_timeout, STOP_LONGEST);
	if (s->start_timeout && !service_has(to, "ReadyTimeout"))
		to->ready_timeout = at_most(s->start_timeout, STOP_LONGEST);
}

static void fill_watch(const struct unit_supervision *s, struct template_service *to)
{
	if (!s->watchdog || service_has(to, "Watch"))
		return;
	to->watch_kind = READY_NOTIFY;
	if (!service_has(to, "WatchInterval"))
		to->watch_interval = at_most(s->watchdog, STOP_LONGEST);
	if (!service_has(to, "WatchFailures"))
		to->watch_failures = 1;
}

static int fill_restart(const struct unit_supervision *s, const struct unit_file *u,
			struct template_service *to, struct error *err)
{
	static const struct {
		const char *name;
		enum restart_policy policy;
	} policies[] = {{"no", RESTART_NO}, {"on-failure", RESTART_ON_FAILURE}, {"always", RESTART_ALWAYS}};
	size_t i = 0, count = sizeof(policies) / sizeof(policies[0]);

	if (s->restart && !service_has(to, "Restart")) {
		while (i < count && strcmp(policies[i].name, s->restart->value) != 0)
			i++;
		if (i == count)
			return error_usage(err,
					   "%s: Restart=%s: the init knows no, on-failure and always; say "
					   "Restart= in the template",
					   unit_item_place(u, s->restart), s->restart->value);
		to->restart = policies[i].policy;
	}
	if (!s->limits_starts || service_has(to, "RestartLimit"))
		return 0;
	to->restart_limit = at_most(s->start_burst, RESTARTS_MOST);
	to->restart_window = at_most(s->start_interval, WINDOW_LONGEST);
	if (s->start_burst == 0 || s->start_interval == 0) {
		to->restart_limit = RESTARTS_MOST;
		to->restart_window = NO_LIMIT_WINDOW;
	}
	return 0;
}

/* systemd, too, takes "infinity" for as many as the kernel lets it have. */
static char *limit_of(const struct unit_item *item)
{
	const char *infinity = strstr(item->value, "infinity");

	if (strcmp(item->key, "LimitNOFILE") != 0 || !infinity)
		return xstrdup(item->value);
	if (infinity == item->value)
		return xstrdup(FILES_MOST);
	return xasprintf("%.*s" FILES_MOST, (int)(infinity - item->value), item->value);
}

static int fill_same(const struct unit_supervision *s, const struct unit_file *u, struct template_service *to,
		     struct error *err)
{
	for (size_t i = 0; i < s->same.len; i++) {
		const struct unit_item *item = s->same.ptr[i];
		_cleanup_free_ char *value = limit_of(item);
		int e = service_default(to, item->key, value, err);

		if (e < 0)
			return error_prefix(err, "%s: %s=", unit_item_place(u, item), item->key);
	}
	return 0;
}

/*
 * Of root the bounding set counts, of another user the ambient one: without it he has none anyway. Names that are taken out of all
 * are told, and root keeps what it has here, which is less than all.
 */
static int fill_capabilities(const struct unit_supervision *s, const struct unit_file *u, uint32_t uid,
			     struct template_service *to, struct error *err)
{
	const struct unit_item *at = uid == 0 ? s->bounding_at : s->ambient_at;
	const struct strlist *l = uid == 0 ? &s->bounding : &s->ambient;
	_cleanup_buf_ struct buf all = {0};
	int e;

	if (!at || (uid != 0 && l->len == 0))
		return 0;
	for (size_t i = 0; i < l->len; i++) {
		if (*l->ptr[i] == '~' && uid == 0)
			return 0;
		buf_printf(&all, "%s%s", i ? " " : "", l->ptr[i]);
	}
	e = service_default(to, "Capabilities", l->len ? all.ptr : "none", err);
	return e < 0 ? error_prefix(err, "%s: %s=", unit_item_place(u, at), at->key) : 0;
}

/* What template_load() let pass because the unit might give it its meaning. */
static int check_used(const struct template_service *to, struct error *err)
{
	const struct {
		const char *key, *needs;
		bool used;
	} keys[] = {
		{"RestartLimit", "Restart=", to->restart != RESTART_NO},
		{"ReadyTimeout", "Ready=", to->ready_port || to->ready_kind != READY_PORT},
		{"WatchInterval", "Watch=", to->watch_port || to->watch_kind != READY_PORT},
		{"WatchFailures", "Watch=", to->watch_port || to->watch_kind != READY_PORT},
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (service_has(to, keys[i].key) && !keys[i].used)
			return error_usage(
				err, "%s= of the template needs %s, and the unit says none; remove the line",
				keys[i].key, keys[i].needs);
	return 0;
}

int unit_supervision_apply(const struct unit_supervision *s, const struct unit_file *u, bool notify,
			   uint32_t uid, struct template_service *to, struct error *err)
{
	int e;

	fill_times(s, to);
	fill_watch(s, to);
	if (notify && !service_has(to, "Ready"))
		to->ready_kind = READY_NOTIFY;
	e = fill_restart(s, u, to, err);
	if (e >= 0)
		e = fill_same(s, u, to, err);
	if (e >= 0)
		e = fill_capabilities(s, u, uid, to, err);
	return e < 0 ? e : check_used(to, err);
}

void unit_supervision_free(struct unit_supervision *s)
{
	free(s->same.ptr);
	strlist_free(&s->ambient);
	strlist_free(&s->bounding);
	strlist_free(&s->not_done);
	*s = (struct unit_supervision){0};
}
