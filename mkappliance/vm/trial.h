/* SPDX-License-Identifier: Apache-2.0 */
/* The test of an image: boot it, ask its probes, stop it by the power button. Several may run at once. */
#ifndef MKAPPLIANCE_VM_TRIAL_H
#define MKAPPLIANCE_VM_TRIAL_H

#include "vm/machine.h"
#include "vm/subject.h"

struct trial_step {
	char *name; /* "boot", "GET :8080/healthz 200", "stop"; owned */
	bool ok;
	double seconds;
	char *detail; /* what was seen; owned */
};

struct trial_report {
	struct trial_step *steps;
	size_t count;
	size_t cap;
	bool ok;
	struct machine_status status;
	struct strlist tail; /* the last console lines when it failed */
};

struct trial_options {
	const char *capture_path;    /* NULL: none */
	const struct strlist *disks; /* from data_disks_open(); NULL: none */
	const char *vars;	     /* firmware variables to start from; NULL: empty ones */
	void (*on_line)(const struct console_line *line, void *data); /* may be NULL */
	/* After each step; may be NULL. */
	void (*on_step)(const struct trial_step *step, void *data);
	void *data;
};

/*
 * Returns 0 when the trial was held, whatever came of it (ret->ok); -errno when it could not be, or on
 * Ctrl-C.
 */
int trial_run(struct machine_host *h, const struct subject *s, const struct trial_options *o,
	      struct trial_report *ret, struct error *err);
void trial_report_free(struct trial_report *r);
#define _cleanup_trial_ __attribute__((cleanup(trial_report_free)))

/*
 * What the end of a machine says in words: "refused (corruption: block 17)", "kernel panic: ...", "powered
 * off". To be freed.
 */
char *trial_describe_end(const struct machine_status *s);

#endif
