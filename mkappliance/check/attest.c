/* SPDX-License-Identifier: Apache-2.0 */
#include "check/attest.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#include "check/event_log.h"
#include "lib/cleanup.h"

/* The work at hand. */
struct attest {
	const struct attest_input *in;
	struct attest_report *report;
	struct quote_signature signature;
	struct quote_key *key; /* owned */
	struct event_log log;  /* as well */
	struct pcr_values replayed;
};

static void attest_free(struct attest *a)
{
	quote_key_free(a->key);
	event_log_free(&a->log);
}

static bool say(struct attest *a, bool ok, const char *name, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Returns @ok. */
static bool say(struct attest *a, bool ok, const char *name, const char *format, ...)
{
	struct attest_report *r = a->report;
	char *detail = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&detail, format, ap) < 0)
		abort();
	va_end(ap);
	r->ok = r->ok && ok;
	check_steps_add(&r->steps, ok, name, detail);
	return ok;
}

void attest_report_free(struct attest_report *r)
{
	check_steps_free(&r->steps);
	*r = (struct attest_report){0};
}

/* ---- reading ---- */

static int parse_all(struct attest *a, struct error *err)
{
	const struct attest_input *in = a->in;
	int r = tpm_quote_parse(in->quote.data, in->quote.len, in->quote.name, &a->report->quote, err);

	if (r == 0)
		r = tpm_signature_parse(in->signature.data, in->signature.len, in->signature.name,
					&a->signature, err);
	if (r == 0)
		r = tpm_key_parse(in->key.data, in->key.len, in->key.name, &a->key, err);
	if (r == 0 && in->log.data)
		r = event_log_parse(in->log.data, in->log.len, in->log.name, &a->log, err);
	if (r < 0)
		return r;
	if (in->log.data)
		event_log_replay(&a->log, &a->replayed);
	if (!in->manifest->pcrs.known)
		return error_refuse(
			err,
			"the manifest has no PCRs: it is not known what the stub of this image measures");
	return 0;
}

/* ---- the quote itself ---- */

static void check_signature(struct attest *a)
{
	static const char *const schemes[] = {
		[QUOTE_RSASSA] = "RSASSA", [QUOTE_RSAPSS] = "RSAPSS", [QUOTE_ECDSA] = "ECDSA"};
	const struct attest_file *q = &a->in->quote;

	if (quote_verify(a->key, &a->signature, q->data, q->len))
		say(a, true, "signature", "%s with %s by the attestation key", schemes[a->signature.scheme],
		    bank_name(a->signature.hash));
	else
		say(a, false, "signature", "%s was not made by the key %s over %s", a->in->signature.name,
		    a->in->key.name, q->name);
}

static void check_nonce(struct attest *a)
{
	const struct tpm_quote *q = &a->report->quote;
	char got[2 * TPM_NONCE_MAX + 1], want[2 * TPM_NONCE_MAX + 1];

	hex_encode(q->nonce, q->nonce_len, got);
	hex_encode(a->in->nonce, a->in->nonce_len, want);
	if (strcmp(got, want) == 0)
		say(a, true, "nonce", "%s", got);
	else
		say(a, false, "nonce",
		    "the quote answers '%s' and not '%s': it is stale, or of another question", got, want);
}

static uint32_t predicted_mask(void)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < MEASURE_PCR_COUNT; i++)
		mask |= UINT32_C(1) << measure_pcrs[i];
	return mask;
}

static uint32_t selected(const struct tpm_quote *q, enum bank bank)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < q->selection_count; i++)
		if (q->selection[i].bank == bank)
			mask |= q->selection[i].mask;
	return mask;
}

/* All that is predicted must be in it, in one bank at least: a PCR that is left out proves nothing. */
static bool check_selection(struct attest *a)
{
	const uint32_t want = predicted_mask();
	uint32_t best = 0;

	for (enum bank b = 0; b < BANK_COUNT; b++) {
		uint32_t mask = selected(&a->report->quote, b);

		if ((mask & want) == want)
			return say(a, true, "selection", "PCR 4, 7, 11 and 12 of %s", bank_name(b));
		best |= mask;
	}
	for (size_t i = 0; i < MEASURE_PCR_COUNT; i++)
		if (!(best >> measure_pcrs[i] & 1))
			return say(a, false, "selection",
				   "PCR %u is not in the quote; 4, 7, 11 and 12 must be", measure_pcrs[i]);
	return say(a, false, "selection", "no bank has all of PCR 4, 7, 11 and 12 in the quote");
}

/* ---- values ---- */

/* What the manifest predicts. */
static void predicted_values(const struct manifest *m, struct pcr_values *ret)
{
	*ret = (struct pcr_values){0};
	for (size_t i = 0; i < MEASURE_PCR_COUNT; i++)
		ret->value[measure_pcrs[i]] = m->pcrs.value[i];
	for (enum bank b = 0; b < BANK_COUNT; b++)
		ret->known[b] = predicted_mask();
}

static bool is_signed_digest(const struct attest *a, const struct pcr_values *v)
{
	const struct tpm_quote *q = &a->report->quote;
	uint8_t digest[SHA384_SIZE];

	return q->digest_len == bank_size(a->signature.hash) &&
	       tpm_pcrs_digest(q, v, a->signature.hash, digest) &&
	       memcmp(digest, q->digest, q->digest_len) == 0;
}

/* What the log has of @pcr: its events one by one against those of the manifest. To be freed; NULL: all are the same. */
static char *differing_event(const struct attest *a, enum bank bank, unsigned pcr)
{
	const struct manifest_pcrs *p = &a->in->manifest->pcrs;
	size_t at = 0, number = 0;

	for (size_t i = 0; i < a->log.count; i++) {
		const struct log_event *e = &a->log.events[i];
		const char *type = event_log_type(e->type);

		if (e->pcr != pcr || e->type == EVENT_LOG_NO_ACTION)
			continue;
		number++;
		while (at < p->event_count && p->events[at].pcr != pcr)
			at++;
		if (at == p->event_count)
			return xasprintf(
				"event %zu of it (%s, the log's %zu) is one more than the manifest has",
				number, type ? type : "of unknown type", i + 1);
		if (memcmp(e->digest.b[bank], p->events[at].digest.b[bank], bank_size(bank)) != 0)
			return xasprintf("event %zu of it (%s, the log's %zu) is not the manifest's '%s'",
					 number, type ? type : "of unknown type", i + 1, p->events[at].what);
		at++;
	}
	for (; at < p->event_count; at++)
		if (p->events[at].pcr == pcr)
			return xasprintf("the manifest's '%s' is not in the log", p->events[at].what);
	return NULL;
}

static void check_pcr(struct attest *a, enum bank bank, unsigned pcr, const struct pcr_values *got,
		      const struct pcr_values *want)
{
	_cleanup_free_ char *name = xasprintf("%s:%u", bank_name(bank), pcr), *event = NULL;
	char is[SHA384_HEX_SIZE], should[SHA384_HEX_SIZE];

	hex_encode(got->value[pcr].b[bank], bank_size(bank), is);
	hex_encode(want->value[pcr].b[bank], bank_size(bank), should);
	if (strcmp(is, should) == 0) {
		say(a, true, name, "%s", is);
		return;
	}
	if (a->in->log.data && a->log.has[bank] && a->in->manifest->pcrs.events)
		event = differing_event(a, bank, pcr);
	say(a, false, name, "is %s, the manifest says %s%s%s", is, should, event ? ": " : "",
	    event ? event : "");
}

/* Each that is quoted and predicted. */
static void check_values(struct attest *a, const struct pcr_values *got)
{
	struct pcr_values want;

	predicted_values(a->in->manifest, &want);
	for (enum bank b = 0; b < BANK_COUNT; b++)
		for (unsigned pcr = 0; pcr < TPM_PCRS; pcr++)
			if ((selected(&a->report->quote, b) & want.known[b]) >> pcr & 1)
				check_pcr(a, b, pcr, got, &want);
}

/* That the log leads to the values that the TPM signed, where it says anything of them. */
static void check_log(struct attest *a, const struct pcr_values *got)
{
	for (enum bank b = 0; b < BANK_COUNT; b++)
		for (unsigned pcr = 0; pcr < TPM_PCRS; pcr++) {
			bool both = (selected(&a->report->quote, b) & got->known[b] & a->replayed.known[b]) >>
					    pcr &
				    1;

			if (both &&
			    memcmp(got->value[pcr].b[b], a->replayed.value[pcr].b[b], bank_size(b)) != 0) {
				say(a, false, "event log",
				    "%s does not lead to the PCR %s:%u that the TPM signed", a->in->log.name,
				    bank_name(b), pcr);
				return;
			}
		}
	say(a, true, "event log", "%zu events, which lead to the PCRs that the TPM signed", a->log.count);
}

/* The manifest alone: yes or no, but not what. */
static void check_by_manifest(struct attest *a)
{
	struct pcr_values want;

	predicted_values(a->in->manifest, &want);
	for (enum bank b = 0; b < BANK_COUNT; b++)
		if (selected(&a->report->quote, b) & ~want.known[b]) {
			say(a, false, "PCRs",
			    "the quote has more PCRs than are predicted; with --pcrs or --eventlog they "
			    "can be told apart");
			return;
		}
	if (is_signed_digest(a, &want))
		say(a, true, "PCRs", "their digest is that of the manifest's");
	else
		say(a, false, "PCRs",
		    "their digest is not that of the manifest's; with --pcrs or --eventlog it is said "
		    "which of them differ");
}

/* ---- all of it ---- */

static int check_pcrs(struct attest *a, struct error *err)
{
	const struct attest_file *file = &a->in->pcrs;
	struct pcr_values v;
	int r;

	if (file->data) {
		r = tpm_pcrs_parse(file->data, file->len, file->name, &a->report->quote, &v, err);
		if (r < 0)
			return r;
		if (!is_signed_digest(a, &v)) {
			say(a, false, "PCRs", "%s has not the digest that the TPM signed", file->name);
			return 0;
		}
		say(a, true, "PCRs", "have the digest that the TPM signed");
		if (a->in->log.data)
			check_log(a, &v);
		check_values(a, &v);
	} else if (a->in->log.data && is_signed_digest(a, &a->replayed)) {
		say(a, true, "event log", "%zu events, which lead to the digest that the TPM signed",
		    a->log.count);
		check_values(a, &a->replayed);
	} else {
		if (a->in->log.data)
			say(a, false, "event log", "%s does not lead to the digest that the TPM signed",
			    a->in->log.name);
		check_by_manifest(a);
	}
	return 0;
}

int attest(const struct attest_input *in, struct attest_report *ret, struct error *err)
{
	_cleanup_(attest_free) struct attest a = {.in = in, .report = ret};
	int r;

	*ret = (struct attest_report){.ok = true};
	r = parse_all(&a, err);
	if (r < 0)
		return r;
	check_signature(&a);
	check_nonce(&a);
	if (!check_selection(&a))
		return 0;
	return check_pcrs(&a, err);
}
