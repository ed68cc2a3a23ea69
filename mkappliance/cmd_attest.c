/* SPDX-License-Identifier: Apache-2.0 */
/* mkappliance attest: whether the machine that made a TPM quote runs the image of a manifest. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check/attest.h"
#include "check/event_log.h"
#include "cmd.h"
#include "lib/cleanup.h"
#include "lib/io.h"

struct paths {
	const char *quote, *signature, *key, *log, *pcrs, *manifest, *nonce;
};

/* The files as they are read. */
struct files {
	struct buf quote, signature, key, log, pcrs;
};

static void files_free(struct files *f)
{
	buf_free(&f->quote);
	buf_free(&f->signature);
	buf_free(&f->key);
	buf_free(&f->log);
	buf_free(&f->pcrs);
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
	struct json *j = js_object_new(), *steps = js_array_new(), *tpm = js_object_new();

	js_set_string(j, "name", m->name);
	js_set_string(j, "version", m->version);
	js_set_bytes(j, "root_hash", m->root_hash.b, sizeof(m->root_hash.b));
	js_set_bool(j, "ok", report->ok);
	for (size_t i = 0; i < report->count; i++) {
		struct json *step = js_object_new();

		js_set_string(step, "check", report->steps[i].name);
		js_set_bool(step, "ok", report->steps[i].ok);
		js_set_string(step, "detail", report->steps[i].detail);
		js_append(steps, step);
	}
	js_set(j, "checks", steps);
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
	for (size_t i = 0; i < report->count && !common->quiet; i++)
		printf("%-10s %-12s %s\n", report->steps[i].ok ? "ok" : "DIFFERS", report->steps[i].name,
		       report->steps[i].detail);
	return 0;
}

static int check_paths(const struct paths *p, uint8_t nonce[TPM_NONCE_MAX], size_t *ret_len,
		       struct error *err)
{
	const struct {
		const char *value, *name;
	} wanted[] = {{p->quote, "--quote=FILE"},
		      {p->signature, "--signature=FILE"},
		      {p->key, "--ak=FILE"},
		      {p->nonce, "--nonce=HEX"},
		      {p->manifest, "--manifest=FILE"}};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (!wanted[i].value)
			return error_usage(err, "missing argument: %s (see 'mkappliance attest --help')",
					   wanted[i].name);
	*ret_len = strlen(p->nonce) / 2;
	if (*ret_len == 0 || *ret_len > TPM_NONCE_MAX || strlen(p->nonce) % 2 ||
	    !hex_decode(p->nonce, nonce, *ret_len))
		return error_usage(err, "--nonce=%s: not 1 to %d bytes of hexadecimal", p->nonce,
				   TPM_NONCE_MAX);
	return 0;
}

/* Exit code 3 with the first thing that differs. */
static int conclude(const struct manifest *m, const struct attest_report *report, struct error *err)
{
	for (size_t i = 0; i < report->count; i++)
		if (!report->steps[i].ok)
			return error_refuse(err, "not proved to be %s %s: %s: %s", m->name, m->version,
					    report->steps[i].name, report->steps[i].detail);
	return 0;
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
