/* SPDX-License-Identifier: Apache-2.0 */
/* mkappliance test: boot an image, ask its probes, stop it; with --tamper, watch altered copies be refused. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/log.h"
#include "vm/data_disk.h"
#include "vm/junit.h"
#include "vm/tamper.h"
#include "vm/trial.h"

#define PARALLEL 2 /* machines at once for --tamper */

struct test_options {
	bool tamper;
	bool console;
	struct strlist data;
	const char *junit;
	const char *keep_console;
	const char *connect;
	const char *secure_boot;
	bool tpm;
	struct common_options common;
};

struct test {
	const struct test_options *options;
	struct subject subject;
	struct strlist disks;
	struct machine_host host;
	struct trial_report trial;
	struct tamper_report tamper;
};

static void on_line(const struct console_line *line, void *data)
{
	(void)data;
	log_note("%s", line->text);
}

static void on_step(const struct trial_step *step, void *data)
{
	const struct test *t = data;

	if (t->options->common.json || t->options->common.quiet)
		return;
	printf("%-4s  %-32s %6.2f s  %s\n", step->ok ? "ok" : "FAIL", step->name, step->seconds,
	       step->detail);
	(void)fflush(stdout);
}

static void on_result(const struct tamper_result *r, void *data)
{
	(void)data;
	log_note("  %-18s %6.2f s  %s%s", r->name, r->seconds, tamper_outcome_name(r->outcome),
		 r->ok ? "" : " (WRONG)");
}

static void print_table(const struct tamper_report *r, bool secure_boot)
{
	printf("\n%-4s  %-18s  %-56s  %-9s %-9s %7s  %s\n", "", "CASE", "ALTERED", "EXPECTED", "SEEN", "TIME",
	       "WHY");
	for (size_t i = 0; i < r->count; i++) {
		const struct tamper_result *c = &r->results[i];

		printf("%-4s  %-18s  %-56s  %-9s %-9s %5.1f s  %s\n", c->ok ? "ok" : "FAIL", c->name,
		       c->altered, tamper_expect_name(c->expect), tamper_outcome_name(c->outcome), c->seconds,
		       c->reason);
	}
	if (secure_boot)
		printf("\ndenied: the firmware, with Secure Boot on, did not start the altered UKI.\n");
	else
		printf("\nmeasured: without Secure Boot the firmware runs any UKI; what was altered in it shows in PCR 4 "
		       "(and 11), not in a refusal.\n");
}

static struct json *steps_json(const struct trial_report *r)
{
	struct json *list = js_array_new();

	for (size_t i = 0; i < r->count; i++) {
		struct json *j = js_object_new();

		js_set_string(j, "step", r->steps[i].name);
		js_set_bool(j, "ok", r->steps[i].ok);
		js_set_real(j, "seconds", r->steps[i].seconds);
		js_set_string(j, "detail", r->steps[i].detail);
		js_append(list, j);
	}
	return list;
}

static struct json *tamper_json(const struct tamper_report *r)
{
	struct json *list = js_array_new();

	for (size_t i = 0; i < r->count; i++) {
		const struct tamper_result *c = &r->results[i];
		struct json *j = js_object_new();

		js_set_string(j, "case", c->name);
		js_set_string(j, "altered", c->altered);
		js_set_string(j, "expected", tamper_expect_name(c->expect));
		js_set_string(j, "seen", tamper_outcome_name(c->outcome));
		js_set_bool(j, "ok", c->ok);
		js_set_real(j, "seconds", c->seconds);
		js_set_string(j, "detail", c->reason);
		js_append(list, j);
	}
	return list;
}

static int print_json(const struct test *t, struct error *err)
{
	_cleanup_json_ struct json *j = js_object_new();
	struct json *tail = js_array_new();

	js_set_string(j, "name", t->subject.manifest->name);
	js_set_string(j, "version", t->subject.manifest->version);
	js_set_string(j, "acceleration", t->host.accel);
	js_set_bool(j, "ok", t->trial.ok && (!t->options->tamper || t->tamper.ok));
	js_set(j, "steps", steps_json(&t->trial));
	js_set_real(j, "verified_t", t->trial.status.verified_t);
	js_set_real(j, "ready_t", t->trial.status.ready_t);
	for (size_t i = 0; i < t->trial.tail.len; i++)
		js_append_string(tail, t->trial.tail.ptr[i]);
	js_set(j, "console", tail);
	if (t->options->tamper)
		js_set(j, "tamper", tamper_json(&t->tamper));
	return cmd_print_json(j, err);
}

static int write_junit(const struct test *t, struct error *err)
{
	_cleanup_free_ char *name =
		xasprintf("%s-%s", t->subject.manifest->name, t->subject.manifest->version);
	struct junit j = {0};
	int r;

	for (size_t i = 0; i < t->trial.count; i++) {
		const struct trial_step *s = &t->trial.steps[i];

		junit_add(&j, "boot", s->name, s->seconds, s->ok, s->detail, &t->trial.tail);
	}
	for (size_t i = 0; i < t->tamper.count; i++) {
		const struct tamper_result *c = &t->tamper.results[i];
		_cleanup_free_ char *detail =
			xasprintf("expected: %s, seen: %s: %s", tamper_expect_name(c->expect),
				  tamper_outcome_name(c->outcome), c->reason);

		junit_add(&j, "tamper", c->name, c->seconds, c->ok, detail, NULL);
	}
	r = junit_write(&j, name, t->options->junit, err);
	junit_free(&j);
	return r;
}

/* What went wrong, as the one line that main() prints; the console's last lines stand above it. */
static int judge(const struct test *t, struct error *err)
{
	const struct trial_report *r = &t->trial;
	unsigned wrong = 0;

	if (!r->ok && r->count) {
		const struct trial_step *last = &r->steps[r->count - 1];

		log_note("the last lines of the console:");
		for (size_t i = 0; i < r->tail.len; i++)
			log_note("  %s", r->tail.ptr[i]);
		return error_set(err, -EIO, "%s %s: %s: %s", t->subject.manifest->name,
				 t->subject.manifest->version, last->name, last->detail);
	}
	for (size_t i = 0; i < t->tamper.count; i++)
		wrong += !t->tamper.results[i].ok;
	if (wrong)
		return error_set(err, -EIO, "%s %s: %u of %zu altered images did not end as they must",
				 t->subject.manifest->name, t->subject.manifest->version, wrong,
				 t->tamper.count);
	return 0;
}

static int run_trial(struct test *t, struct error *err)
{
	const struct trial_options o = {
		.disks = &t->disks,
		.capture_path = t->options->keep_console,
		.on_line = t->options->console ? on_line : NULL,
		.on_step = on_step,
		.data = t,
	};

	log_note("%s %s in a virtual machine (%s)", t->subject.manifest->name, t->subject.manifest->version,
		 t->host.accel);
	return trial_run(&t->host, &t->subject, &o, &t->trial, err);
}

static int run_tamper(struct test *t, struct error *err)
{
	int r;

	log_note("altered copies, %d at a time:", PARALLEL);
	r = tamper_run(&t->host, &t->subject, &t->disks, PARALLEL, on_result, t, &t->tamper, err);
	if (r >= 0 && !t->options->common.json && !t->options->common.quiet)
		print_table(&t->tamper, t->host.secure_boot);
	return r;
}

static int test(struct test *t, struct error *err)
{
	int r;

	if ((r = machine_host_open(t->options->connect, t->subject.manifest->arch, &t->host, err)) < 0 ||
	    (r = machine_host_equip(&t->host, t->options->secure_boot, t->options->tpm, err)) < 0 ||
	    (r = run_trial(t, err)) < 0)
		return r;
	if (t->options->tamper && t->trial.ok && (r = run_tamper(t, err)) < 0)
		return r;
	if (t->options->junit && (r = write_junit(t, err)) < 0)
		return r;
	if (t->options->common.json && (r = print_json(t, err)) < 0)
		return r;
	return judge(t, err);
}

/* Whatever is written to: said before the machine runs, when it cannot be or must not be. */
static int check_outputs(struct test *t, struct error *err)
{
	const struct test_options *o = t->options;
	int r;

	if ((r = subject_is_not(&t->subject, o->junit, "junit", err)) < 0 ||
	    (r = subject_is_not(&t->subject, o->keep_console, "keep-console", err)) < 0 ||
	    (r = output_check(o->junit, err)) < 0 || (r = data_disks_open(&o->data, &t->disks, err)) < 0)
		return r;
	return subject_is_none_of(&t->subject, &t->disks, "data", err);
}

static int run(const struct command *self, int argc, char **argv, struct error *err)
{
	struct test_options o = {0};
	const struct option_spec options[] = {
		{"tamper", 0, OPTION_FLAG, NULL, "also boot altered copies, which must be refused",
		 &o.tamper},
		{"console", 0, OPTION_FLAG, NULL, "print what the guest writes to its console", &o.console},
		{"data", 0, OPTION_LIST, "FILE[:SIZE]",
		 "disk beside the image, written to; with a size it is made, blank, when it is not there; repeats",
		 &o.data},
		{"junit", 0, OPTION_STRING, "FILE", "write a JUnit report", &o.junit},
		{"keep-console", 0, OPTION_STRING, "FILE", "keep the console of the first boot",
		 &o.keep_console},
		{"secure-boot", 0, OPTION_STRING, "DIR",
		 "firmware with Secure Boot on and the keys of DIR (mkappliance keygen)", &o.secure_boot},
		{"tpm", 0, OPTION_FLAG, NULL, "a TPM 2.0 of software", &o.tpm},
		{"connect", 0, OPTION_STRING, "URI",
		 "libvirt to run it (default: one of our own, without a daemon)", &o.connect},
		{0},
	};
	struct test t = {.options = &o, .host = MACHINE_HOST_INIT};
	const char *args[1];
	size_t count;
	int r;

	hypervisor_silence();
	r = cmd_parse(self, options, argc, argv, 1, 1, args, &count, &o.common, err);

	if (r != 0)
		return r;
	if ((r = subject_open(args[0], &t.subject, err)) >= 0 && (r = check_outputs(&t, err)) >= 0)
		r = test(&t, err);
	machine_host_close(&t.host);
	strlist_free(&t.disks);
	strlist_free(&o.data);
	trial_report_free(&t.trial);
	tamper_report_free(&t.tamper);
	subject_free(&t.subject);
	return r;
}

const struct command cmd_test = {
	.name = "test",
	.arguments = "IMAGE",
	.summary = "Boot an image, ask its probes, stop it; or alter copies and expect refusals",
	.run = run,
};
