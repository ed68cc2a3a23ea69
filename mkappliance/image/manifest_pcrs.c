/* SPDX-License-Identifier: Apache-2.0 */
/* The member "pcrs": what a TPM of a machine that runs the image holds. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "image/manifest.h"

struct json *manifest_pcrs_json(const struct manifest_pcrs *p)
{
	struct json *j;

	if (!p->known)
		return NULL;
	j = js_object_new();
	js_set_bool(j, "secure_boot", p->secure_boot);
	for (enum bank b = 0; b < BANK_COUNT; b++) {
		struct json *bank = js_object_new();

		for (size_t i = 0; i < MEASURE_PCR_COUNT; i++) {
			char number[16];

			snprintf(number, sizeof(number), "%u", measure_pcrs[i]);
			js_set_bytes(bank, number, p->value[i].b[b], bank_size(b));
		}
		js_set(j, bank_name(b), bank);
	}
	if (p->events)
		js_set(j, "events", manifest_events_json(p->events, p->event_count));
	return j;
}

struct json *manifest_events_json(const struct measured_event *events, size_t count)
{
	struct json *list = js_array_new();

	for (size_t i = 0; i < count; i++) {
		struct json *event = js_object_new();

		js_set_int(event, "pcr", events[i].pcr);
		js_set_string(event, "type", event_type_name(events[i].type));
		js_set_string(event, "what", events[i].what);
		for (enum bank b = 0; b < BANK_COUNT; b++)
			js_set_bytes(event, bank_name(b), events[i].digest.b[b], bank_size(b));
		js_append(list, event);
	}
	return list;
}

void manifest_pcrs_set(struct manifest_pcrs *p, bool secure_boot, const struct measurements *m)
{
	p->known = true;
	p->secure_boot = secure_boot;
	for (size_t i = 0; i < MEASURE_PCR_COUNT; i++)
		measure_pcr(m, measure_pcrs[i], &p->value[i]);
	p->events = xmemdup(m->events, m->count * sizeof(m->events[0]));
	p->event_count = m->count;
}

void manifest_pcrs_free(struct manifest_pcrs *p)
{
	free(p->events);
	*p = (struct manifest_pcrs){0};
}

/* ---- reading ---- */

static int read_event(const struct json *j, struct measured_event *e, struct error *err)
{
	const char *type = NULL, *what = NULL;
	int64_t pcr = 0;
	int r = js_need_int(j, "pcr", 0, 23, &pcr, err);

	if (r == 0)
		r = js_need_string(j, "type", &type, err);
	if (r == 0)
		r = js_need_string(j, "what", &what, err);
	if (r == 0 && !event_type_parse(type, &e->type))
		r = error_set(err, -EINVAL, "'type' is '%s', which is not known here", type);
	if (r == 0 && strlen(what) >= sizeof(e->what))
		r = error_set(err, -EINVAL, "'what' is too long");
	for (enum bank b = 0; r == 0 && b < BANK_COUNT; b++)
		r = js_need_bytes(j, bank_name(b), e->digest.b[b], bank_size(b), err);
	if (r < 0)
		return r;
	e->pcr = (unsigned)pcr;
	strcpy(e->what, what);
	return 0;
}

/* A manifest that was edited by hand in one place is found out here. */
static int check_values(const struct manifest_pcrs *p, struct error *err)
{
	for (size_t i = 0; i < MEASURE_PCR_COUNT; i++) {
		struct bank_digest value = {0};

		for (size_t e = 0; e < p->event_count; e++)
			if (p->events[e].pcr == measure_pcrs[i])
				measure_extend(&value, &p->events[e].digest);
		for (enum bank b = 0; b < BANK_COUNT; b++)
			if (memcmp(value.b[b], p->value[i].b[b], bank_size(b)) != 0)
				return error_set(err, -EINVAL,
						 "'events' of PCR %u do not give its value in %s",
						 measure_pcrs[i], bank_name(b));
	}
	return 0;
}

static int read_events(const struct json *list, struct manifest_pcrs *p, struct error *err)
{
	if (!list)
		return 0;
	if (!js_is_array(list) || js_array_len(list) > MEASURE_EVENTS_MAX)
		return error_set(err, -EINVAL, "'events' is not a list of at most %d", MEASURE_EVENTS_MAX);
	p->events = xcalloc(js_array_len(list) + 1, sizeof(*p->events));
	for (size_t i = 0; i < js_array_len(list); i++) {
		int r = read_event(js_array_get(list, i), &p->events[p->event_count++], err);

		if (r < 0)
			return error_prefix(err, "events[%zu]", i);
	}
	return check_values(p, err);
}

int manifest_pcrs_read(const struct json *j, struct manifest_pcrs *ret, struct error *err)
{
	if (!j)
		return 0;
	if (!js_is_object(j) || !js_bool(js_get(j, "secure_boot"), &ret->secure_boot))
		return error_set(err, -EINVAL, "'pcrs' is not an object that says 'secure_boot'");
	for (enum bank b = 0; b < BANK_COUNT; b++)
		for (size_t i = 0; i < MEASURE_PCR_COUNT; i++) {
			char path[32];
			int r;

			snprintf(path, sizeof(path), "%s.%u", bank_name(b), measure_pcrs[i]);
			r = js_need_bytes(j, path, ret->value[i].b[b], bank_size(b), err);
			if (r < 0)
				return error_prefix(err, "pcrs");
		}
	ret->known = true;
	return read_events(js_get(j, "events"), ret, err) < 0 ? error_prefix(err, "pcrs") : 0;
}
