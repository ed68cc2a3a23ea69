/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The refusal matrix: an image is altered in one place at a time, on a copy, booted, and must end as its
 * trust chain promises (design: root hash in the initrd, command line compared, superblock on disk not
 * believed; without Secure Boot what is inside the UKI is measured, not refused).
 */
#ifndef MKAPPLIANCE_VM_TAMPER_H
#define MKAPPLIANCE_VM_TAMPER_H

#include "vm/machine.h"
#include "vm/subject.h"
#include "vm/trial.h"

enum tamper_expect {
	EXPECT_REFUSED,	 /* the application never runs on it */
	EXPECT_DENIED,	 /* the firmware does not start it: Secure Boot */
	EXPECT_RUNS,	 /* what was altered is not believed, or not read */
	EXPECT_MEASURED, /* runs without Secure Boot, but the firmware's measurement (PCR 4) differs */
};

enum tamper_outcome {
	OUTCOME_REFUSED,
	OUTCOME_PANIC, /* the kernel stopped without a word of the init or of dm-verity */
	OUTCOME_RAN,
	OUTCOME_FAILED, /* neither refused nor passed its test */
	OUTCOME_HUNG,	/* the machine stayed on, whatever it said */
};

struct tamper_result {
	const char *name;    /* "hash-leaf"; static */
	const char *altered; /* in words; static */
	enum tamper_expect expect;
	enum tamper_outcome outcome;
	bool ok;
	double seconds;
	char *reason; /* what was seen; owned */
};

struct tamper_report {
	struct tamper_result *results;
	size_t count;
	bool ok;
};

const char *tamper_expect_name(enum tamper_expect e);
const char *tamper_outcome_name(enum tamper_outcome o);

/* What a trial of an altered image came to. A refusal is one only when the machine stopped. */
enum tamper_outcome tamper_outcome_of(const struct trial_report *r);

/*
 * Runs all cases, @parallel machines at once. Each gets copies of its own of @disks (from data_disks_open(); NULL: none), which
 * are not written to. @on_result, when not NULL, is called after each by one thread
 * at a time. Returns 0 when all were run, whatever came of them.
 */
int tamper_run(struct machine_host *h, const struct subject *s, const struct strlist *disks,
	       unsigned parallel, void (*on_result)(const struct tamper_result *result, void *data),
	       void *data, struct tamper_report *ret, struct error *err);
void tamper_report_free(struct tamper_report *r);
#define _cleanup_tamper_ __attribute__((cleanup(tamper_report_free)))

#endif
