/* SPDX-License-Identifier: Apache-2.0 */
/* mkappliance boot: an image in a local virtual machine, until Ctrl-C or until the guest ends. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/io.h"
#include "lib/log.h"
#include "vm/data_disk.h"
#include "vm/timeline.h"
#include "vm/trial.h"

#define SECOND_NS     1000000000ull
#define PRESS_AGAIN_S 10
#define MEMORY_MIN \
	128 /* MiB; with less the firmware hangs without a word, with little more it says why it fails */
#define RECORDS_MAX 1000 /* that --json keeps: a guest must not fill our memory */
#define STOP_S	    90	 /* for a guest that was asked to stop; then the power goes */

struct boot_options {
	struct strlist forwards;
	struct strlist data;
	bool console;
	unsigned memory;
	unsigned cpus;
	unsigned timeout;
	const char *connect;
	const char *secure_boot;
	const char *timeline;
	bool tpm;
	struct common_options common;
};

/* A machine as it runs; the list of records is filled by its own thread until it has ended. */
struct boot {
	const struct boot_options *options;
	struct subject subject;
	struct machine_host host;
	struct forward *forwards;
	size_t forward_count;
	struct strlist disks;
	struct machine *machine;
	struct json *records;
	size_t record_count;
	struct timeline timeline; /* filled by that thread too */
};

static bool parse_port(const char *text, size_t len, uint16_t *ret)
{
	unsigned long n = 0;

	if (len == 0 || len > 5)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		n = n * 10 + (unsigned long)(text[i] - '0');
	}
	*ret = (uint16_t)n;
	return n >= 1 && n <= 65535;
}

static int parse_forward(const char *text, struct forward *ret, struct error *err)
{
	const char *colon = strchr(text, ':');

	if (!colon || !parse_port(text, (size_t)(colon - text), &ret->host) ||
	    !parse_port(colon + 1, strlen(colon + 1), &ret->guest))
		return error_usage(err, "--forward: '%s' is not HOST:GUEST, two ports from 1 to 65535", text);
	return host_check_port(ret->host, err);
}

static bool forwarded(const struct boot *b, uint16_t guest)
{
	for (size_t i = 0; i < b->forward_count; i++)
		if (b->forwards[i].guest == guest)
			return true;
	return false;
}

/* Without --forward: the ports that the template's [Test] asks, under the same number where that is free. */
static int default_forwards(struct boot *b, struct error *err)
{
	const struct manifest_test *test = &b->subject.manifest->test;

	b->forwards = xcalloc(test->count + 1, sizeof(*b->forwards));
	for (size_t i = 0; i < test->count; i++) {
		struct forward *f = &b->forwards[b->forward_count];
		struct error ignored = ERROR_INIT;

		if (forwarded(b, test->probes[i].port))
			continue;
		f->host = f->guest = test->probes[i].port;
		if (host_check_port(f->host, &ignored) < 0 && host_free_port(&f->host, err) < 0)
			return err->code;
		b->forward_count++;
	}
	return 0;
}

static int choose_forwards(struct boot *b, struct error *err)
{
	const struct strlist *list = &b->options->forwards;

	if (list->len == 0)
		return default_forwards(b, err);
	b->forwards = xcalloc(list->len, sizeof(*b->forwards));
	for (; b->forward_count < list->len; b->forward_count++) {
		int r = parse_forward(list->ptr[b->forward_count], &b->forwards[b->forward_count], err);

		if (r < 0)
			return r;
		for (size_t i = 0; i < b->forward_count; i++)
			if (b->forwards[i].host == b->forwards[b->forward_count].host)
				return error_usage(
					err,
					"--forward: port %u of this machine is given twice; choose another one",
					b->forwards[i].host);
	}
	return 0;
}

static void on_line(const struct console_line *line, void *data)
{
	struct boot *b = data;

	if (line->record)
		timeline_add(&b->timeline, line->record);
	if (b->options->common.json) {
		if (line->record && b->record_count++ < RECORDS_MAX)
			js_append(b->records, js_share(line->record));
		return;
	}
	if (!b->options->console && (line->kind == CONSOLE_TEXT || b->options->common.quiet))
		return;
	printf("%s\n", line->text);
	(void)fflush(stdout);
}

static int start(struct boot *b, struct error *err)
{
	const struct manifest *m = b->subject.manifest;
	const struct machine_config config = {
		.image = b->subject.path,
		.disks = &b->disks,
		.memory = b->options->memory ? b->options->memory : m->test.memory,
		.cpus = b->options->cpus ? b->options->cpus : m->test.cpus,
		.nvme = m->test.nvme,
		.forwards = b->forwards,
		.forward_count = b->forward_count,
		.on_line = on_line,
		.data = b,
	};
	int r = machine_start(&b->host, &config, &b->machine, err);

	if (r < 0)
		return r;
	log_note("%s %s runs in a virtual machine (%s; %u MiB, %u CPU%s). Ctrl-C presses its power button.",
		 m->name, m->version, b->host.accel, config.memory, config.cpus, config.cpus == 1 ? "" : "s");
	for (size_t i = 0; i < b->forward_count; i++)
		log_note("http://127.0.0.1:%u/ -> port %u of the guest", b->forwards[i].host,
			 b->forwards[i].guest);
	return 0;
}

/*
 * Presses the power button until the machine has ended. A second Ctrl-C, or patience at its end, takes the
 * power away.
 */
static int stop(struct boot *b, struct error *err)
{
	for (unsigned waited = 0; waited < STOP_S; waited += PRESS_AGAIN_S) {
		int r = machine_press_power(b->machine, err);

		if (r < 0)
			return r;
		r = machine_wait(b->machine, SEEN_END, clock_ns() + PRESS_AGAIN_S * SECOND_NS, "the end",
				 err);
		if (r != -ETIMEDOUT)
			return r;
	}
	return error_set(err, -ETIMEDOUT,
			 "the guest did not stop within %d s of the power button; its power was taken away",
			 STOP_S);
}

static int run_until_end(struct boot *b, struct error *err)
{
	uint64_t deadline = b->options->timeout ? clock_ns() + b->options->timeout * SECOND_NS : UINT64_MAX;
	int r = machine_wait(b->machine, SEEN_END | SEEN_DENIED | SEEN_STUCK, deadline, "the end", err);

	if (r == -EINTR) {
		interrupt_clear();
		log_note("pressing the power button (Ctrl-C again takes the power away)");
	}
	return r == -EINTR || r == -ETIMEDOUT ? stop(b, err) : r;
}

/* The guest's own end decides: a refusal is one, a panic or a failure of the application too. */
static int judge(const struct machine_status *s, const char *end, struct error *err)
{
	if (s->seen & (SEEN_REFUSED | SEEN_CORRUPTED | SEEN_DENIED))
		return error_refuse(err, "the appliance %s", end);
	if (s->seen & (SEEN_PANIC | SEEN_FAILED) || s->end != DOMAIN_SHUT_DOWN)
		return error_set(err, -EIO, "the appliance: %s", end);
	log_note("the appliance: %s", end);
	return 0;
}

static int print_json(const struct boot *b, const char *end, struct error *err)
{
	_cleanup_json_ struct json *j = js_object_new();
	struct json *forwards = js_array_new();

	js_set_string(j, "name", b->subject.manifest->name);
	js_set_string(j, "version", b->subject.manifest->version);
	js_set_string(j, "acceleration", b->host.accel);
	for (size_t i = 0; i < b->forward_count; i++) {
		struct json *f = js_object_new();

		js_set_int(f, "host", b->forwards[i].host);
		js_set_int(f, "guest", b->forwards[i].guest);
		js_append(forwards, f);
	}
	js_set(j, "forwards", forwards);
	js_set(j, "records", js_share(b->records));
	js_set_string(j, "end", end);
	return cmd_print_json(j, err);
}

static int write_timeline(const struct boot *b, struct error *err)
{
	const struct manifest *m = b->subject.manifest;
	_cleanup_free_ char *title = xasprintf("%s %s", m->name, m->version);

	return timeline_write(&b->timeline, title, b->options->timeline, err);
}

static int boot(struct boot *b, struct error *err)
{
	_cleanup_free_ char *end = NULL;
	struct machine_status s;
	int r;

	if ((r = choose_forwards(b, err)) < 0 ||
	    (r = data_disks_open(&b->options->data, &b->disks, err)) < 0 ||
	    (r = subject_is_none_of(&b->subject, &b->disks, "data", err)) < 0 ||
	    (r = machine_host_open(b->options->connect, b->subject.manifest->arch, &b->host, err)) < 0 ||
	    (r = machine_host_equip(&b->host, b->options->secure_boot, b->options->tpm, err)) < 0 ||
	    (r = start(b, err)) < 0 || (r = run_until_end(b, err)) < 0)
		return r;
	s = machine_status(b->machine);
	end = trial_describe_end(&s);
	if (b->options->timeline && (r = write_timeline(b, err)) < 0)
		return r;
	r = b->options->common.json ? print_json(b, end, err) : 0;
	return r < 0 ? r : judge(&s, end, err);
}

static int run(const struct command *self, int argc, char **argv, struct error *err)
{
	struct boot_options o = {0};
	const struct option_spec options[] = {
		{"forward", 0, OPTION_LIST, "HOST:GUEST",
		 "port of 127.0.0.1 that leads to one of the guest; repeats", &o.forwards},
		{"data", 0, OPTION_LIST, "FILE[:SIZE]",
		 "disk beside the image, written to; with a size it is made, blank, when it is not there; repeats",
		 &o.data},
		{"console", 0, OPTION_FLAG, NULL, "print everything that the guest writes to its console",
		 &o.console},
		{"memory", 0, OPTION_NUMBER, "MIB", "memory of the guest (default: the template's)",
		 &o.memory},
		{"cpus", 0, OPTION_NUMBER, "N", "processors of the guest (default: the template's)", &o.cpus},
		{"timeout", 0, OPTION_NUMBER, "SECONDS", "press the power button after so long", &o.timeout},
		{"timeline", 0, OPTION_STRING, "FILE", "draw where the time went, as SVG", &o.timeline},
		{"secure-boot", 0, OPTION_STRING, "DIR",
		 "firmware with Secure Boot on and the keys of DIR (mkappliance keygen)", &o.secure_boot},
		{"tpm", 0, OPTION_FLAG, NULL, "a TPM 2.0 of software", &o.tpm},
		{"connect", 0, OPTION_STRING, "URI",
		 "libvirt to run it (default: one of our own, without a daemon)", &o.connect},
		{0},
	};
	struct boot b = {.options = &o, .host = MACHINE_HOST_INIT};
	const char *args[1];
	size_t count;
	int r;

	hypervisor_silence();
	r = cmd_parse(self, options, argc, argv, 1, 1, args, &count, &o.common, err);

	if (r == 0 && o.memory && o.memory < MEMORY_MIN)
		r = error_usage(err, "--memory: %u MiB are not enough for the firmware; %d at least",
				o.memory, MEMORY_MIN);
	if (r == 0) {
		b.records = js_array_new();
		r = subject_open(args[0], &b.subject, err);
		if (r >= 0)
			r = subject_is_not(&b.subject, o.timeline, "timeline", err);
		if (r >= 0)
			r = output_check(o.timeline, err);
		if (r >= 0)
			r = boot(&b, err);
		machine_free(b.machine);
		machine_host_close(&b.host);
		subject_free(&b.subject);
		js_free(b.records);
		free(b.forwards);
	}
	strlist_free(&b.disks);
	strlist_free(&o.data);
	strlist_free(&o.forwards);
	return r;
}

const struct command cmd_boot = {
	.name = "boot",
	.arguments = "IMAGE",
	.summary = "Boot an image in a local virtual machine until Ctrl-C",
	.run = run,
};
