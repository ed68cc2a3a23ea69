/* SPDX-License-Identifier: Apache-2.0 */
/* mkappliance attest: whether the machine that made a TPM quote runs the image of a manifest; and the question that only that machine's TPM can read. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check/attest.h"
#include "check/challenge.h"
#include "check/event_log.h"
#include "cmd.h"
#include "cmd_steps.h"
#include "lib/cleanup.h"
#include "lib/io.h"

#define CA_FILE_MAX ((size_t)4 << 20)

struct paths {
	const char *quote, *signature, *key, *log, *pcrs, *manifest, *nonce;
	const char *challenge, *ek, *ca;
};

/* The files as they are read. */
struct files {
	struct buf quote, signature, key, log, pcrs, ek, ca;
};

static void files_free(struct files *f)
{
	buf_free(&f->quote);
	buf_free(&f->signature);
	buf_free(&f->key);
	buf_free(&f->log);
	buf_free(&f->pcrs);
	buf_free(&f->ek);
	buf_free(&f->ca);
}

static int read_file(const char *path, size_t limit, struct buf *b, struct attest_file *ret,
		     struct error *err)
{
	int r;

	if (!path)
		return 0;
	r = io_read_file(AT_FDCWD, path, limit, b, err);
	if (r == 0)
		*ret = (struct attest_file){.name = path, .data = b->ptr ? b->ptr : "", .len = b->len};
	return r;
}

static int read_files(const struct paths *p, struct files *f, struct attest_input *in, struct error *err)
{
	int r;

	if ((r = read_file(p->quote, TPM_FILE_MAX, &f->quote, &in->quote, err)) < 0 ||
	    (r = read_file(p->signature, TPM_FILE_MAX, &f->signature, &in->signature, err)) < 0 ||
	    (r = read_file(p->key, TPM_FILE_MAX, &f->key, &in->key, err)) < 0 ||
	    (r = read_file(p->pcrs, TPM_FILE_MAX, &f->pcrs, &in->pcrs, err)) < 0 ||
	    (r = read_file(p->log, EVENT_LOG_MAX, &f->log, &in->log, err)) < 0)
		return r;
	return 0;
}

static struct json *report_json(const struct manifest *m, const struct attest_report *report)
{
	struct json *j = js_object_new(), *tpm = js_object_new();

	js_set_string(j, "name", m->name);
	js_set_string(j, "version", m->version);
	js_set_bytes(j, "root_hash", m->root_hash.b, sizeof(m->root_hash.b));
	js_set_bool(j, "ok", report->ok);
	js_set(j, "checks", cmd_steps_json(&report->steps));
	js_set_int(tpm, "clock_ms", (int64_t)(report->quote.clock & INT64_MAX));
	js_set_int(tpm, "resets", report->quote.resets);
	js_set_int(tpm, "restarts", report->quote.restarts);
	js_set_bool(tpm, "clock_safe", report->quote.safe);
	js_set_int(tpm, "firmware", (int64_t)(report->quote.firmware & INT64_MAX));
	js_set(j, "tpm", tpm);
	return j;
}

static int show(const struct manifest *m, const struct attest_report *report,
		const struct common_options *common, struct error *err)
{
	if (common->json) {
		_cleanup_json_ struct json *j = report_json(m, report);

		return cmd_print_json(j, err);
	}
	if (!common->quiet)
		cmd_steps_print(&report->steps);
	return 0;
}

struct wanted_option {
	const char *value, *name;
};

static int check_wanted(const struct wanted_option *wanted, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++)
		if (!wanted[i].value)
			return error_usage(err, "missing argument: %s (see 'mkappliance attest --help')",
					   wanted[i].name);
	return 0;
}

static int check_paths(const struct paths *p, uint8_t nonce[TPM_NONCE_MAX], size_t *ret_len,
		       struct error *err)
{
	const struct wanted_option wanted[] = {{p->quote, "--quote=FILE"},
					       {p->signature, "--signature=FILE"},
					       {p->key, "--ak=FILE"},
					       {p->nonce, "--nonce=HEX"},
					       {p->manifest, "--manifest=FILE"}};
	int r = check_wanted(wanted, sizeof(wanted) / sizeof(wanted[0]), err);

	if (r < 0)
		return r;
	if (p->ek || p->ca)
		return error_usage(err, "%s goes with --challenge=FILE, which comes before the quote",
				   p->ek ? "--ek" : "--ek-ca");
	*ret_len = strlen(p->nonce) / 2;
	if (*ret_len == 0 || *ret_len > TPM_NONCE_MAX || strlen(p->nonce) % 2 ||
	    !hex_decode(p->nonce, nonce, *ret_len))
		return error_usage(err, "--nonce=%s: not 1 to %d bytes of hexadecimal", p->nonce,
				   TPM_NONCE_MAX);
	return 0;
}

/* ---- the question ---- */

static int check_challenge(const struct paths *p, struct error *err)
{
	const struct wanted_option wanted[] = {{p->ek, "--ek=FILE"}, {p->key, "--ak=FILE"}};

	if (p->quote || p->signature || p->nonce || p->manifest || p->log || p->pcrs)
		return error_usage(
			err,
			"--challenge makes the nonce that a quote is to answer: not together with a quote, a nonce or a manifest");
	return check_wanted(wanted, sizeof(wanted) / sizeof(wanted[0]), err);
}

/* The nonce is a result, --quiet or not: nobody can ask for it again. */
static int show_challenge(const struct paths *p, const struct challenge *c, bool json, struct error *err)
{
	char nonce[2 * CHALLENGE_NONCE_SIZE + 1], name[2 * TPM_NAME_MAX + 1];
	_cleanup_json_ struct json *j = NULL;

	hex_encode(c->nonce, sizeof(c->nonce), nonce);
	hex_encode(c->name, c->name_len, name);
	if (!json) {
		printf("%s\n", nonce);
		return 0;
	}
	j = js_object_new();
	js_set_string(j, "challenge", p->challenge);
	js_set_string(j, "nonce", nonce);
	js_set_string(j, "ak_name", name);
	js_set_bool(j, "certified", p->ca != NULL);
	return cmd_print_json(j, err);
}

static int run_challenge(const struct paths *p, bool json, struct error *err)
{
	_cleanup_(files_free) struct files f = {0};
	struct challenge_input in = {0};
	struct challenge c = {0};
	int r = check_challenge(p, err);

	if (r < 0 || (r = read_file(p->ek, TPM_FILE_MAX, &f.ek, &in.ek, err)) < 0 ||
	    (r = read_file(p->key, TPM_FILE_MAX, &f.key, &in.ak, err)) < 0 ||
	    (r = read_file(p->ca, CA_FILE_MAX, &f.ca, &in.ca, err)) < 0)
		return r;
	r = challenge_make(&in, &c, err);
	if (r == 0)
		r = output_write_file(p->challenge, c.file.ptr, c.file.len, err);
	if (r == 0)
		r = show_challenge(p, &c, json, err);
	buf_free(&c.file);
	return r;
}

/* ---- the answer ---- */

/* Exit code 3 with the first thing that differs. */
static int conclude(const struct manifest *m, const struct attest_report *report, struct error *err)
{
	_cleanup_free_ char *what = xasprintf("not proved to be %s %s", m->name, m->version);

	return check_steps_bad(&report->steps) ? cmd_steps_refuse(&report->steps, what, err) : 0;
}

static int run_attest(const struct command *self, int argc, char **argv, struct error *err)
{
	struct paths p = {0};
	const struct option_spec options[] = {
		{"quote", 0, OPTION_STRING, "FILE", "what tpm2_quote -m wrote", &p.quote},
		{"signature", 0, OPTION_STRING, "FILE", "what tpm2_quote -s wrote", &p.signature},
		{"ak", 0, OPTION_STRING, "FILE", "public half of the attestation key, TPM2B_PUBLIC or PEM",
		 &p.key},
		{"nonce", 0, OPTION_STRING, "HEX", "what the machine was asked with, tpm2_quote -q",
		 &p.nonce},
		{"manifest", 'm', OPTION_STRING, "FILE", "of the image that should run", &p.manifest},
		{"eventlog", 0, OPTION_STRING, "FILE", "the firmware's log: says which event differs",
		 &p.log},
		{"pcrs", 0, OPTION_STRING, "FILE", "what tpm2_quote -o wrote: says which PCR differs",
		 &p.pcrs},
		{"challenge", 0, OPTION_STRING, "FILE",
		 "instead: a nonce that only this --ek with this --ak can read", &p.challenge},
		{"ek", 0, OPTION_STRING, "FILE", "--challenge: the TPM's endorsement key or certificate",
		 &p.ek},
		{"ek-ca", 0, OPTION_STRING, "FILE", "--challenge: of the makers that are believed, PEM",
		 &p.ca},
		{0},
	};
	_cleanup_(files_free) struct files f = {0};
	_cleanup_attest_ struct attest_report report = {0};
	_cleanup_manifest_ struct manifest *m = NULL;
	struct attest_input in = {0};
	uint8_t nonce[TPM_NONCE_MAX];
	struct common_options common;
	size_t count;
	int r;

	r = cmd_parse(self, options, argc, argv, 0, 0, NULL, &count, &common, err);
	if (r != 0)
		return r;
	if (p.challenge)
		return run_challenge(&p, common.json, err);
	r = check_paths(&p, nonce, &in.nonce_len, err);
	if (r == 0)
		r = manifest_read(p.manifest, &m, err);
	if (r == 0)
		r = read_files(&p, &f, &in, err);
	if (r < 0)
		return r;
	in.nonce = nonce;
	in.manifest = m;
	r = attest(&in, &report, err);
	if (r == 0)
		r = show(m, &report, &common, err);
	return r < 0 ? r : conclude(m, &report, err);
}

const struct command cmd_attest = {
	.name = "attest",
	.arguments = "",
	.summary = "Check a machine's TPM quote against a manifest",
	.run = run_attest,
};
