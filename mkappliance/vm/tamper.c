/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/tamper.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "image/abi.h"
#include "image/esp.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/log.h"
#include "lib/workers.h"
#include "vm/disk_copy.h"
#include "vm/nvram.h"
#include "vm/tamper_edit.h"
#include "vm/trial.h"

#define VARS_MAX ((size_t)64 << 20)

/* Corruption shows where it is met first: by the table, by mount, or by a read later on. */
#define CORRUPTION " " ABI_REFUSED_CORRUPTION " " ABI_REFUSED_VERITY " " ABI_REFUSED_MOUNT " "

struct tamper_case {
	const char *name;
	const char *altered;
	enum tamper_expect expect;
	const char *reasons; /* EXPECT_REFUSED: of the record, each between spaces */
	int (*apply)(int fd, const struct tamper_places *p, struct error *err); /* NULL: not the disk */
	bool foreign_options; /* the firmware hands over another command line */
	bool in_uki;	      /* with Secure Boot the firmware does not even start it */
};

static const struct tamper_case cases[] = {
	{"program", "a byte of the first program", EXPECT_REFUSED, CORRUPTION, tamper_program, false, false},
	{"root-superblock", "a byte of the root's superblock", EXPECT_REFUSED, CORRUPTION,
	 tamper_superblock_of_root, false, false},
	{"hash-leaf", "a byte in the lowest level of the hash tree", EXPECT_REFUSED, CORRUPTION,
	 tamper_hash_leaf, false, false},
	{"hash-top", "a byte in the highest block of the hash tree", EXPECT_REFUSED, CORRUPTION,
	 tamper_hash_top, false, false},
	{"swapped-blocks", "two data blocks swapped", EXPECT_REFUSED, CORRUPTION, tamper_swap_blocks, false,
	 false},
	{"foreign-root", "root and hash tree of another build, PARTUUIDs kept", EXPECT_REFUSED, CORRUPTION,
	 tamper_foreign_root, false, false},
	{"foreign-disk", "root and hash tree of another build, with its PARTUUIDs", EXPECT_REFUSED,
	 " " ABI_REFUSED_NO_ROOT " ", tamper_foreign_disk, false, false},
	{"truncated", "the disk ends inside the root", EXPECT_REFUSED,
	 " " ABI_REFUSED_NO_ROOT " " ABI_REFUSED_SIZE CORRUPTION, tamper_truncate, false, false},
	{"root-hash", "the root hash in the initrd of the UKI", EXPECT_REFUSED, CORRUPTION, tamper_root_hash,
	 false, true},
	{"command-line", ".cmdline of the UKI", EXPECT_REFUSED, " " ABI_REFUSED_CMDLINE " ",
	 tamper_command_line, false, true},
	{"boot-entry", "a boot entry of the firmware with another command line", EXPECT_REFUSED,
	 " " ABI_REFUSED_CMDLINE " ", NULL, true, false},
	{"verity-superblock", "a byte of the dm-verity superblock", EXPECT_RUNS, NULL,
	 tamper_verity_superblock, false, false},
	{"gap", "a byte between the partitions", EXPECT_RUNS, NULL, tamper_gap, false, false},
	{"init", "a byte of the init in the initrd of the UKI", EXPECT_MEASURED, NULL, tamper_init, false,
	 true},
	{"kernel", "a byte of the kernel in the UKI", EXPECT_MEASURED, NULL, tamper_kernel, false, true},
	/* The last: only of images whose init asks for the signature. */
	{"root-signature", "a byte of the signature of the root hash", EXPECT_REFUSED,
	 " " ABI_REFUSED_SIGNATURE " ", tamper_signature, false, false},
};

#define CASE_COUNT (sizeof(cases) / sizeof(cases[0]))

struct tamper {
	struct machine_host *host;
	const struct subject *subject;
	const struct strlist *disks; /* NULL: none */
	struct tamper_places places;
	struct tamper_result results[CASE_COUNT];
	size_t count;
	pthread_mutex_t lock; /* of on_result */
	void (*on_result)(const struct tamper_result *result, void *data);
	void *data;
};

const char *tamper_expect_name(enum tamper_expect e)
{
	switch (e) {
	case EXPECT_REFUSED:
		return "refused";
	case EXPECT_DENIED:
		return "denied";
	case EXPECT_RUNS:
		return "runs";
	case EXPECT_MEASURED:
		return "measured";
	}
	return "?";
}

const char *tamper_outcome_name(enum tamper_outcome o)
{
	switch (o) {
	case OUTCOME_REFUSED:
		return "refused";
	case OUTCOME_PANIC:
		return "panicked";
	case OUTCOME_RAN:
		return "ran";
	case OUTCOME_FAILED:
		return "failed";
	case OUTCOME_HUNG:
		return "hung";
	}
	return "?";
}

enum tamper_outcome tamper_outcome_of(const struct trial_report *r)
{
	if (r->ok)
		return OUTCOME_RAN;
	if (r->status.seen & SEEN_DENIED)
		return OUTCOME_REFUSED;
	if (!(r->status.seen & (SEEN_END | SEEN_PANIC | SEEN_STUCK)))
		return OUTCOME_HUNG;
	if (r->status.seen & (SEEN_REFUSED | SEEN_CORRUPTED))
		return OUTCOME_REFUSED;
	return r->status.seen & SEEN_PANIC ? OUTCOME_PANIC : OUTCOME_FAILED;
}

/* The record's reason decides; without a record dm-verity's own line stands for "corruption". */
static bool is_expected(const struct tamper_case *c, enum tamper_expect expect, enum tamper_outcome outcome,
			const struct machine_status *s)
{
	char reason[sizeof(s->reason) + 3];

	if (expect == EXPECT_DENIED)
		return outcome == OUTCOME_REFUSED && (s->seen & SEEN_DENIED) && !(s->seen & SEEN_INIT);
	if (expect != EXPECT_REFUSED)
		return outcome == OUTCOME_RAN;
	if (outcome != OUTCOME_REFUSED || (s->seen & SEEN_READY))
		return false;
	snprintf(reason, sizeof(reason), " %s ", s->seen & SEEN_REFUSED ? s->reason : ABI_REFUSED_CORRUPTION);
	return strstr(c->reasons, reason) != NULL;
}

/*
 * With Secure Boot the firmware starts no altered UKI, and the stub takes no command line from outside
 * (systemd-stub(7)).
 */
static enum tamper_expect expectation(const struct tamper_case *c, bool secure_boot)
{
	if (!secure_boot)
		return c->expect;
	if (c->in_uki)
		return EXPECT_DENIED;
	return c->foreign_options ? EXPECT_RUNS : c->expect;
}

/* Firmware variables with a boot entry that starts the UKI with another command line. */
static int write_foreign_vars(const struct tamper *t, const char *path, struct error *err)
{
	const struct manifest *m = t->subject->manifest;
	enum architecture arch =
		strcmp(m->arch, architecture_name(ARCH_ARM64)) == 0 ? ARCH_ARM64 : ARCH_X86_64;
	_cleanup_free_ char *options = xasprintf("%s mkappliance.foreign=1", m->command_line);
	_cleanup_free_ char *file = xasprintf("\\EFI\\BOOT\\%s", esp_boot_file_name(arch));
	const struct nvram_entry entry = {&m->layout.part[PART_ESP], PART_ESP + 1, file, options};
	_cleanup_buf_ struct buf b = {0};
	int r;

	r = io_read_file(AT_FDCWD, t->host->vars, VARS_MAX, &b, err);
	if (r >= 0)
		r = nvram_add_entry((uint8_t *)b.ptr, b.len, &entry, err);
	return r < 0 ? r : output_write_file(path, b.ptr, b.len, err);
}

static int alter(const struct tamper *t, const struct tamper_case *c, const char *copy, struct error *err)
{
	_cleanup_close_ int fd = -1;
	int r = disk_copy(t->subject->path, copy, &fd, err);

	if (r >= 0 && c->apply)
		r = c->apply(fd, &t->places, err);
	return r;
}

/* Why, in words; to be freed. */
static char *describe(const struct trial_report *r)
{
	const struct machine_status *s = &r->status;

	if (r->ok)
		return xstrdup("booted, answered its probes, stopped");
	if (s->seen & SEEN_REFUSED)
		return xasprintf("%s: %s", s->reason, s->detail);
	return xstrdup(r->steps[r->count - 1].detail);
}

/* Copies for one machine; *ret has their paths, those of a failure too. */
static int copy_disks(const struct tamper *t, const char *name, struct strlist *ret, struct error *err)
{
	for (size_t i = 0; t->disks && i < t->disks->len; i++) {
		_cleanup_close_ int fd = -1;
		int r;

		strlist_addf(ret, "%s/%s.data%zu", t->host->dir.path, name, i);
		r = disk_copy(t->disks->ptr[i], ret->ptr[i], &fd, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int run_case(struct tamper *t, const struct tamper_case *c, struct tamper_result *ret,
		    struct error *err)
{
	_cleanup_free_ char *copy = xasprintf("%s/%s.raw", t->host->dir.path, c->name);
	_cleanup_free_ char *vars = xasprintf("%s/%s.vars", t->host->dir.path, c->name);
	const struct subject altered = {copy, t->subject->manifest};
	_cleanup_strlist_ struct strlist disks = {0};
	const struct trial_options options = {.vars = c->foreign_options ? vars : NULL, .disks = &disks};
	_cleanup_trial_ struct trial_report report = {0};
	uint64_t start = clock_ns();
	int r = alter(t, c, copy, err);

	if (r >= 0 && c->foreign_options)
		r = write_foreign_vars(t, vars, err);
	if (r >= 0)
		r = copy_disks(t, c->name, &disks, err);
	if (r >= 0)
		r = trial_run(t->host, &altered, &options, &report, err);
	for (size_t i = 0; i < disks.len; i++)
		(void)unlink(disks.ptr[i]);
	(void)unlink(copy);
	(void)unlink(vars);
	if (r < 0)
		return r;
	ret->outcome = tamper_outcome_of(&report);
	ret->ok = is_expected(c, ret->expect, ret->outcome, &report.status);
	ret->seconds = (double)(clock_ns() - start) / 1e9;
	ret->reason = describe(&report);
	return 0;
}

static int worker(struct workers *w, void *user, struct error *err)
{
	struct tamper *t = user;
	uint64_t i;

	while (workers_next(w, &i)) {
		struct tamper_result *result = &t->results[i];
		int r = run_case(t, &cases[i], result, err);

		if (r < 0)
			return error_prefix(err, "case '%s'", cases[i].name);
		pthread_mutex_lock(&t->lock);
		if (t->on_result)
			t->on_result(result, t->data);
		pthread_mutex_unlock(&t->lock);
	}
	return 0;
}

static int find_places(struct tamper *t, struct error *err)
{
	_cleanup_close_ int fd = open(t->subject->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, -errno, "%s", t->subject->path);
	return tamper_find(fd, t->subject->path, t->subject->manifest, &t->places, err);
}

static void make_report(struct tamper *t, struct tamper_report *ret)
{
	struct tamper_report report = {.count = t->count, .ok = true};

	report.results = xmemdup(t->results, sizeof(t->results));
	for (size_t i = 0; i < t->count; i++)
		report.ok &= report.results[i].ok;
	*ret = report;
}

int tamper_run(struct machine_host *h, const struct subject *s, const struct strlist *disks,
	       unsigned parallel, void (*on_result)(const struct tamper_result *result, void *data),
	       void *data, struct tamper_report *ret, struct error *err)
{
	struct tamper t = {.host = h, .subject = s, .disks = disks, .on_result = on_result, .data = data};
	int r = find_places(&t, err);

	if (r < 0)
		return r;
	pthread_mutex_init(&t.lock, NULL);
	t.count = s->manifest->signature.required ? CASE_COUNT : CASE_COUNT - 1;
	for (size_t i = 0; i < t.count; i++)
		t.results[i] = (struct tamper_result){.name = cases[i].name,
						      .altered = cases[i].altered,
						      .expect = expectation(&cases[i], h->secure_boot)};
	r = workers_run(parallel, t.count, worker, &t, err);
	if (r >= 0)
		make_report(&t, ret);
	else
		for (size_t i = 0; i < t.count; i++)
			free(t.results[i].reason);
	pthread_mutex_destroy(&t.lock);
	tamper_places_free(&t.places);
	return r;
}

void tamper_report_free(struct tamper_report *r)
{
	for (size_t i = 0; i < r->count; i++)
		free(r->results[i].reason);
	free(r->results);
	*r = (struct tamper_report){0};
}
