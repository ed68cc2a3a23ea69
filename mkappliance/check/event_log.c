/* SPDX-License-Identifier: Apache-2.0 */
#include "check/event_log.h"

#include <stdlib.h>
#include <string.h>

#include "check/bytes.h"
#include "check/tpm_public.h"
#include "image/measure.h"
#include "lib/mem.h"

#define EVENTS_MAX     65536u
#define ALGORITHMS_MAX 16u
#define SHA1_SIZE      20u
#define FIRMWARE_PCRS  16u /* 0 to 15 */

static const char signature[16] = "Spec ID Event03";
static const char locality[16] = "StartupLocality";

/* The algorithms of the log, as its header has them. */
struct algorithms {
	struct {
		uint16_t id;
		size_t size;
	} list[ALGORITHMS_MAX];
	size_t count;
};

/* TCG_PCR_EVENT with a TCG_EfiSpecIDEvent. */
static int read_header(struct bytes *b, const char *name, struct algorithms *ret, struct event_log *l,
		       struct error *err)
{
	uint64_t pcr = bytes_le(b, 4), type = bytes_le(b, 4);
	const uint8_t *event, *mark;
	struct bytes e = {0};
	uint64_t count;

	(void)bytes_take(b, SHA1_SIZE);
	e.left = (size_t)bytes_le(b, 4);
	event = bytes_take(b, e.left);
	e.ptr = event;
	mark = event ? bytes_take(&e, sizeof(signature)) : NULL;
	if (pcr || type != EVENT_LOG_NO_ACTION || !mark || memcmp(mark, signature, sizeof(signature)) != 0)
		return error_refuse(err, "%s: not an event log of TPM 2.0 firmware: no 'Spec ID Event03'",
				    name);
	(void)bytes_take(&e, 8); /* platform class, version, errata, size of UINTN */
	count = bytes_le(&e, 4);
	if (count == 0 || count > ALGORITHMS_MAX)
		return error_refuse(err, "%s: an event log with %ju algorithms", name, (uintmax_t)count);
	for (size_t i = 0; i < count; i++) {
		enum bank bank;

		ret->list[i].id = (uint16_t)bytes_le(&e, 2);
		ret->list[i].size = (size_t)bytes_le(&e, 2);
		if (!tpm_bank_of(ret->list[i].id, &bank))
			continue;
		if (ret->list[i].size != bank_size(bank) || l->has[bank])
			return error_refuse(err, "%s: a wrong or second size of digests by %s", name,
					    bank_name(bank));
		l->has[bank] = true;
	}
	ret->count = (size_t)count;
	return e.ended ? error_refuse(err, "%s: the header is truncated", name) : 0;
}

/* TPML_DIGEST_VALUES. Each algorithm of the header once. */
static bool read_digests(struct bytes *b, const struct algorithms *a, struct bank_digest *ret)
{
	uint64_t count = bytes_le(b, 4);
	uint32_t seen = 0;

	if (count != a->count)
		return false;
	for (uint64_t i = 0; i < count; i++) {
		uint16_t id = (uint16_t)bytes_le(b, 2);
		const uint8_t *digest;
		enum bank bank;
		size_t k;

		for (k = 0; k < a->count && a->list[k].id != id; k++)
			;
		if (b->ended || k == a->count || (seen >> k & 1))
			return false;
		seen |= UINT32_C(1) << k;
		digest = bytes_take(b, a->list[k].size);
		if (digest && tpm_bank_of(id, &bank))
			memcpy(ret->b[bank], digest, bank_size(bank));
	}
	return true;
}

static int read_event(struct bytes *b, const char *name, const struct algorithms *a, struct event_log *l,
		      struct error *err)
{
	struct log_event e = {.pcr = (uint32_t)bytes_le(b, 4), .type = (uint32_t)bytes_le(b, 4)};

	if (l->count == EVENTS_MAX)
		return error_refuse(err, "%s: more than %u events", name, EVENTS_MAX);
	if (!read_digests(b, a, &e.digest) && !b->ended)
		return error_refuse(err, "%s: event %zu has digests by other algorithms than the log", name,
				    l->count + 1);
	e.len = (size_t)bytes_le(b, 4);
	e.data = bytes_take(b, e.len);
	if (b->ended)
		return error_refuse(err, "%s: event %zu is truncated", name, l->count + 1);
	if (e.pcr >= TPM_PCRS)
		return error_refuse(err, "%s: event %zu is of PCR %u", name, l->count + 1, e.pcr);
	array_grow(l->events, l->count, l->cap);
	l->events[l->count++] = e;
	return 0;
}

int event_log_parse(const void *data, size_t len, const char *name, struct event_log *ret, struct error *err)
{
	_cleanup_event_log_ struct event_log l = {0};
	struct bytes b = {.ptr = data, .left = len};
	struct algorithms a = {0};
	int r = read_header(&b, name, &a, &l, err);

	while (r == 0 && b.left)
		r = read_event(&b, name, &a, &l, err);
	if (r < 0)
		return r;
	*ret = l;
	l = (struct event_log){0};
	return 0;
}

void event_log_free(struct event_log *l)
{
	free(l->events);
	*l = (struct event_log){0};
}

/* PCR 0 begins with the locality that started the TPM: section 10.4.5.3. */
static void apply_locality(const struct log_event *e, struct pcr_values *v)
{
	if (e->pcr != 0 || e->len != sizeof(locality) + 1 || memcmp(e->data, locality, sizeof(locality)) != 0)
		return;
	for (enum bank b = 0; b < BANK_COUNT; b++)
		v->value[0].b[b][bank_size(b) - 1] = e->data[sizeof(locality)];
}

void event_log_replay(const struct event_log *l, struct pcr_values *ret)
{
	struct pcr_values v = {0};

	for (enum bank b = 0; b < BANK_COUNT; b++)
		if (l->has[b])
			v.known[b] = (UINT32_C(1) << FIRMWARE_PCRS) - 1;
	for (size_t i = 0; i < l->count; i++) {
		const struct log_event *e = &l->events[i];

		if (e->type == EVENT_LOG_NO_ACTION)
			apply_locality(e, &v);
		else
			measure_extend(&v.value[e->pcr], &e->digest);
	}
	*ret = v;
}

const char *event_log_type(uint32_t type)
{
	static const struct {
		uint32_t type;
		const char *name;
	} names[] = {
		{0x0, "EV_PREBOOT_CERT"},
		{0x1, "EV_POST_CODE"},
		{0x3, "EV_NO_ACTION"},
		{0x4, "EV_SEPARATOR"},
		{0x5, "EV_ACTION"},
		{0x6, "EV_EVENT_TAG"},
		{0x7, "EV_S_CRTM_CONTENTS"},
		{0x8, "EV_S_CRTM_VERSION"},
		{0x9, "EV_CPU_MICROCODE"},
		{0xa, "EV_PLATFORM_CONFIG_FLAGS"},
		{0xd, "EV_IPL"},
		{0xe, "EV_IPL_PARTITION_DATA"},
		{0x80000001, "EV_EFI_VARIABLE_DRIVER_CONFIG"},
		{0x80000002, "EV_EFI_VARIABLE_BOOT"},
		{0x80000003, "EV_EFI_BOOT_SERVICES_APPLICATION"},
		{0x80000004, "EV_EFI_BOOT_SERVICES_DRIVER"},
		{0x80000005, "EV_EFI_RUNTIME_SERVICES_DRIVER"},
		{0x80000006, "EV_EFI_GPT_EVENT"},
		{0x80000007, "EV_EFI_ACTION"},
		{0x80000008, "EV_EFI_PLATFORM_FIRMWARE_BLOB"},
		{0x80000009, "EV_EFI_HANDOFF_TABLES"},
		{0x8000000a, "EV_EFI_PLATFORM_FIRMWARE_BLOB2"},
		{0x8000000b, "EV_EFI_HANDOFF_TABLES2"},
		{0x8000000c, "EV_EFI_VARIABLE_BOOT2"},
		{0x800000e0, "EV_EFI_VARIABLE_AUTHORITY"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].type == type)
			return names[i].name;
	return NULL;
}
