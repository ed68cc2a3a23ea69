/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/trial.h"

#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "vm/probe.h"

#define SECOND_NS      1000000000ull
#define PRESS_AGAIN_NS (10 * SECOND_NS) /* a button pressed before anybody listened is pressed again */
#define LAST_WORDS_NS  (20 * SECOND_NS)
#define TAIL_LINES     15
#define BAD_ENDS       (SEEN_DENIED | SEEN_FAILED | SEEN_REFUSED | SEEN_PANIC | SEEN_CORRUPTED | SEEN_END)

/* A trial as it goes. */
struct trial {
	const struct subject *subject;
	const struct trial_options *options;
	struct machine *machine;
	struct forward *forwards; /* one a probe */
	uint64_t deadline;
	uint64_t step_start;
	struct trial_report report;
};

static char *describe_cause(const struct machine_status *s)
{
	const char *colon = s->detail[0] ? ": " : "";

	if (s->seen & SEEN_DENIED)
		return xasprintf("refused by the firmware (%s)", s->detail);
	if (s->seen & SEEN_REFUSED)
		return xasprintf("refused (%s%s%s)", s->reason, colon, s->detail);
	if (s->seen & SEEN_CORRUPTED)
		return xasprintf("stopped by dm-verity (%s)", s->detail);
	if (s->seen & SEEN_PANIC)
		return xasprintf("kernel panic (%s)", s->detail);
	if (s->seen & SEEN_FAILED)
		return xasprintf("failed (%s%s%s)", s->reason, colon, s->detail);
	if (!(s->seen & SEEN_END))
		return xstrdup("runs");
	if (s->end == DOMAIN_SHUT_DOWN)
		return s->seen & SEEN_STOPPED ? xasprintf("stopped (%s)", s->reason) : xstrdup("powered off");
	return xstrdup(s->end == DOMAIN_CRASHED ? "qemu crashed" : "destroyed");
}

char *trial_describe_end(const struct machine_status *s)
{
	bool said = s->seen & (SEEN_REFUSED | SEEN_CORRUPTED | SEEN_FAILED) && !(s->seen & SEEN_STUCK);
	_cleanup_free_ char *cause = describe_cause(s);

	if (!said || s->seen & (SEEN_END | SEEN_PANIC))
		return steal_pointer(&cause);
	return xasprintf("%s, and yet it did not go off", cause);
}

/* Ends a step. Takes @detail. */
static void end_step(struct trial *t, char *name, bool ok, char *detail)
{
	struct trial_report *r = &t->report;
	struct trial_step *step;
	uint64_t now = clock_ns();

	array_grow(r->steps, r->count, r->cap);
	step = &r->steps[r->count++];
	*step = (struct trial_step){.name = name, .ok = ok, .detail = detail};
	step->seconds = (double)(now - t->step_start) / 1e9;
	t->step_start = now;
	r->ok = ok;
	if (t->options->on_step)
		t->options->on_step(step, t->options->data);
}

/*
 * Free ports for the probes; the numbers may be taken by others before qemu has them, so domain_start() may
 * still say so.
 */
static int choose_ports(struct trial *t, struct error *err)
{
	const struct manifest_test *test = &t->subject->manifest->test;

	t->forwards = xcalloc(test->count + 1, sizeof(*t->forwards));
	for (size_t i = 0; i < test->count; i++)
		t->forwards[i].guest = test->probes[i].port;
	return host_free_ports(t->forwards, test->count, err);
}

static int start(struct trial *t, struct machine_host *h, struct error *err)
{
	const struct manifest_test *test = &t->subject->manifest->test;
	const struct machine_config config = {
		.image = t->subject->path,
		.disks = t->options->disks,
		.memory = test->memory,
		.cpus = test->cpus,
		.nvme = test->nvme,
		.forwards = t->forwards,
		.forward_count = test->count,
		.reboot_ends = true,
		.vars = t->options->vars,
		.capture_path = t->options->capture_path,
		.on_line = t->options->on_line,
		.data = t->options->data,
	};

	return machine_start(h, &config, &t->machine, err);
}

/*
 * Lets a machine that went wrong say the rest, as its policy wants: off, again (which ends it here), or
 * panic.
 */
static int await_last_words(struct trial *t, struct error *err)
{
	uint64_t patience = clock_ns() + LAST_WORDS_NS;
	int r = machine_wait(t->machine, SEEN_PANIC | SEEN_STUCK,
			     patience < t->deadline ? patience : t->deadline, "the end", err);

	return r == -ETIMEDOUT ? 0 : r;
}

/*
 * The record that says that the machine is up: the init of Mode=system hands over after "verified" and says
 * no more.
 */
static int await_boot(struct trial *t, struct error *err)
{
	bool system = strcmp(t->subject->manifest->init_mode, "system") == 0;
	unsigned want = system ? SEEN_VERIFIED : SEEN_READY;
	int r = machine_wait(t->machine, want | BAD_ENDS, t->deadline, system ? "'verified'" : "'ready'",
			     err);
	struct machine_status s = machine_status(t->machine);

	if (r == 0 && (s.seen & BAD_ENDS || !(s.seen & want))) {
		r = await_last_words(t, err);
		s = machine_status(t->machine);
	}
	if (r == -ETIMEDOUT)
		end_step(t, xstrdup("boot"), false,
			 xasprintf("the record %s within %u s", err->text,
				   t->subject->manifest->test.timeout));
	else if (r < 0)
		return r;
	else if (s.seen & BAD_ENDS || !(s.seen & want))
		end_step(t, xstrdup("boot"), false, trial_describe_end(&s));
	else
		end_step(t, xstrdup("boot"), true,
			 xasprintf("%s %.3f s after its kernel started", system ? "verified" : "ready",
				   system ? s.verified_t : s.ready_t));
	return 0;
}

static bool still_well(void *data)
{
	struct trial *t = data;

	return !(machine_status(t->machine).seen & BAD_ENDS);
}

static bool accepted(uint16_t host_port, void *data)
{
	struct trial *t = data;

	return machine_accepted(t->machine, host_port);
}

static int ask_probe(struct trial *t, const struct template_probe *p, uint16_t host_port, struct error *err)
{
	const struct probe_peer peer = {still_well, accepted, t};
	int r = probe_run(p, host_port, t->deadline, &peer, err);
	bool gone = r < 0 && r != -EINTR && !still_well(t);
	struct machine_status s;

	if (r == -EINTR || (gone && (r = await_last_words(t, err)) < 0))
		return r;
	s = machine_status(t->machine);
	end_step(t, probe_name(p), r == 0 && !gone,
		 gone ? trial_describe_end(&s) : xstrdup(r == 0 ? "as expected" : err->text));
	return 0;
}

static int ask_probes(struct trial *t, struct error *err)
{
	const struct manifest_test *test = &t->subject->manifest->test;

	for (size_t i = 0; i < test->count && t->report.ok; i++) {
		int r = ask_probe(t, &test->probes[i], t->forwards[i].host, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int press_until_it_ends(struct trial *t, struct error *err)
{
	for (;;) {
		uint64_t again = clock_ns() + PRESS_AGAIN_NS;
		int r = machine_press_power(t->machine, err);

		if (r == 0)
			r = machine_wait(t->machine, SEEN_END, again < t->deadline ? again : t->deadline,
					 "the end", err);
		if (r != -ETIMEDOUT || again >= t->deadline)
			return r;
	}
}

static int stop(struct trial *t, struct error *err)
{
	bool system = strcmp(t->subject->manifest->init_mode, "system") == 0;
	int r = press_until_it_ends(t, err);
	struct machine_status s = machine_status(t->machine);
	_cleanup_free_ char *end = trial_describe_end(&s);
	bool ok = (s.seen & SEEN_END) && s.end == DOMAIN_SHUT_DOWN &&
		  !(s.seen & (BAD_ENDS & ~(unsigned)SEEN_END));

	if (r == -EINTR)
		return r;
	if (r == -ETIMEDOUT)
		end_step(t, xstrdup("stop"), false, xstrdup("still runs after the power button was pressed"));
	else if (r < 0)
		end_step(t, xstrdup("stop"), false, xstrdup(err->text));
	else if (ok && !system && !(s.seen & SEEN_STOPPED))
		end_step(t, xstrdup("stop"), false, xstrdup("went off without the record 'stopped'"));
	else
		end_step(t, xstrdup("stop"), ok, steal_pointer(&end));
	return 0;
}

int trial_run(struct machine_host *h, const struct subject *s, const struct trial_options *o,
	      struct trial_report *ret, struct error *err)
{
	struct trial t = {.subject = s, .options = o, .step_start = clock_ns()};
	int r;

	t.deadline = t.step_start + s->manifest->test.timeout * SECOND_NS;
	r = choose_ports(&t, err);
	if (r >= 0)
		r = start(&t, h, err);
	if (r >= 0)
		r = await_boot(&t, err);
	if (r >= 0 && t.report.ok)
		r = ask_probes(&t, err);
	if (r >= 0 && t.report.ok)
		r = stop(&t, err);
	if (t.machine) {
		t.report.status = machine_status(t.machine);
		if (r >= 0 && !t.report.ok)
			machine_tail(t.machine, TAIL_LINES, &t.report.tail);
		machine_free(t.machine);
	}
	free(t.forwards);
	if (r < 0) {
		trial_report_free(&t.report);
		return r;
	}
	*ret = t.report;
	return 0;
}

void trial_report_free(struct trial_report *r)
{
	for (size_t i = 0; i < r->count; i++) {
		free(r->steps[i].name);
		free(r->steps[i].detail);
	}
	free(r->steps);
	strlist_free(&r->tail);
	*r = (struct trial_report){0};
}
