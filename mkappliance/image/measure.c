/* SPDX-License-Identifier: Apache-2.0 */
#include "image/measure.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/authenticode.h"
#include "image/efi_vars.h"
#include "image/pe.h"
#include "lib/cleanup.h"
#include "lib/guid.h"
#include "lib/workers.h"

#define BOOT_ACTION "Calling EFI Application from Boot Option"
#define STUB_MAGIC  "LoaderInfo: systemd-stub "

const unsigned measure_pcrs[MEASURE_PCR_COUNT] = {4, 7, 11, 12};

void secure_boot_free(struct secure_boot *s)
{
	buf_free(&s->pk);
	buf_free(&s->kek);
	buf_free(&s->db);
	buf_free(&s->dbx);
	buf_free(&s->mok);
	buf_free(&s->authority);
	*s = (struct secure_boot){0};
}

/*
 * Megabytes are hashed three times in each bank: the UKI, the kernel as the program that the firmware starts, the kernel as the section that
 * the stub measures. All that is large, and not known already, waits for all processors.
 */
#define LARGE ((size_t)256 << 10)

struct job {
	struct hash_part parts[AUTHENTICODE_PARTS_MAX];
	size_t count;
	uint8_t *to;
	enum bank bank;
};

struct measuring {
	struct measurements m;
	const struct kernel_digests *kernel; /* NULL: not known */
	struct job jobs[BANK_COUNT * MEASURE_EVENTS_MAX];
	size_t job_count;
};

static void digest(struct measuring *g, const struct hash_part *parts, size_t count, struct bank_digest *ret)
{
	size_t len = 0;

	for (size_t i = 0; i < count; i++)
		len += parts[i].len;
	if (len < LARGE || count > AUTHENTICODE_PARTS_MAX) {
		bank_digest_of(parts, count, ret);
		return;
	}
	/* The slower bank first, so that the work ends evenly. */
	for (int b = BANK_COUNT - 1; b >= 0; b--) {
		struct job *j = &g->jobs[g->job_count++];

		memcpy(j->parts, parts, count * sizeof(*parts));
		j->count = count;
		j->bank = (enum bank)b;
		j->to = ret->b[b];
	}
}

static int work(struct workers *w, void *user, struct error *err)
{
	struct measuring *g = user;
	uint64_t i;

	(void)err;
	while (workers_next(w, &i)) {
		const struct job *j = &g->jobs[i];

		hash_parts(j->bank, j->parts, j->count, j->to);
	}
	return 0;
}

static struct measured_event *add(struct measuring *g, unsigned pcr, enum event_type type, const char *what)
{
	struct measurements *m = &g->m;
	struct measured_event *e = &m->events[m->count];

	if (m->count == MEASURE_EVENTS_MAX)
		abort(); /* the number of events is bounded by the tables below */
	m->count++;
	*e = (struct measured_event){.pcr = pcr, .type = type};
	snprintf(e->what, sizeof(e->what), "%s", what);
	return e;
}

static void add_bytes(struct measuring *g, unsigned pcr, enum event_type type, const char *what,
		      const void *data, size_t len)
{
	const struct hash_part part = {data, len};

	digest(g, &part, 1, &add(g, pcr, type, what)->digest);
}

static void add_separator(struct measuring *g, unsigned pcr)
{
	static const uint8_t zeros[4];

	add_bytes(g, pcr, EVENT_SEPARATOR, "separator", zeros, sizeof(zeros));
}

/* ---- PCR 4 ---- */

static int add_program(struct measuring *g, const void *data, size_t len, const char *what, const char *name,
		       struct error *err)
{
	_cleanup_free_ struct pe *pe = xcalloc(1, sizeof(*pe));
	struct authenticode a;
	int r = pe_parse(data, len, name, pe, err);

	if (r == 0)
		r = authenticode_open(pe, name, &a, err);
	if (r < 0)
		return r;
	digest(g, a.parts, a.count, &add(g, 4, EVENT_APPLICATION, what)->digest);
	return 0;
}

/* The section of the kernel whose digests are known. */
static bool is_known(const struct measuring *g, const struct pe_section *s)
{
	return g->kernel && s->data_size == g->kernel->len;
}

static int measure_programs(struct measuring *g, const struct pe *uki, bool starts_kernel, const char *name,
			    struct error *err)
{
	const struct pe_section *linux_section = pe_find(uki, ".linux");
	_cleanup_free_ char *kernel = xasprintf("%s: kernel", name);
	int r;

	if (!linux_section)
		return error_set(err, -EBADMSG, "%s: not a UKI: it has no section .linux", name);
	add_bytes(g, 4, EVENT_ACTION, "boot option", BOOT_ACTION, strlen(BOOT_ACTION));
	add_separator(g, 4);
	r = add_program(g, uki->data, uki->len, "UKI", name, err);
	if (r < 0 || !starts_kernel)
		return r;
	if (is_known(g, linux_section)) {
		add(g, 4, EVENT_APPLICATION, "kernel")->digest = g->kernel->program;
		return 0;
	}
	return add_program(g, pe_section_data(uki, linux_section), linux_section->data_size, "kernel", kernel,
			   err);
}

/* ---- PCR 7 ---- */

/* UEFI_VARIABLE_DATA: GUID, u64 number of UTF-16 characters, u64 bytes of data, name without its end, data. */
static void add_variable(struct measuring *g, enum event_type type, const char *guid_text,
			 const char *variable, const void *data, size_t len)
{
	uint64_t lengths[2] = {htole64(strlen(variable)), htole64(len)};
	uint8_t guid_raw[16], utf16[64] = {0};
	struct guid guid;

	if (!guid_parse(guid_text, &guid))
		abort();
	guid_to_gpt(&guid, guid_raw);
	for (size_t i = 0; variable[i]; i++)
		utf16[2 * i] = (uint8_t)variable[i];
	digest(g,
	       (const struct hash_part[]){{guid_raw, sizeof(guid_raw)},
					  {lengths, sizeof(lengths)},
					  {utf16, 2 * strlen(variable)},
					  {data ? data : "", len}},
	       4, &add(g, 7, type, variable)->digest);
}

static void measure_secure_boot(struct measuring *g, const struct secure_boot *sb)
{
	static const struct secure_boot off;
	uint8_t enabled;

	if (!sb)
		sb = &off;
	enabled = sb->enabled;
	add_variable(g, EVENT_VARIABLE, EFI_GLOBAL_VARIABLE, "SecureBoot", &enabled, 1);
	add_variable(g, EVENT_VARIABLE, EFI_GLOBAL_VARIABLE, "PK", sb->pk.ptr, sb->pk.len);
	add_variable(g, EVENT_VARIABLE, EFI_GLOBAL_VARIABLE, "KEK", sb->kek.ptr, sb->kek.len);
	add_variable(g, EVENT_VARIABLE, EFI_SECURITY_DATABASES, "db", sb->db.ptr, sb->db.len);
	add_variable(g, EVENT_VARIABLE, EFI_SECURITY_DATABASES, "dbx", sb->dbx.ptr, sb->dbx.len);
	add_separator(g, 7);
	if (sb->enabled)
		add_variable(g, EVENT_AUTHORITY, EFI_SECURITY_DATABASES, "db", sb->authority.ptr,
			     sb->authority.len);
}

/* ---- PCR 11 ---- */

/*
 * In the order in which systemd-stub measures them, which is that of its own list and not that of the file. Each by its name
 * with the closing NUL, then by its content. ".pcrsig" is left out by definition.
 */
static const struct {
	const char *name;
	unsigned since; /* version of the stub */
} stub_sections[] = {
	{".linux", 252},   {".osrel", 252},   {".cmdline", 252}, {".initrd", 252}, {".ucode", 256},
	{".splash", 252},  {".dtb", 252},     {".uname", 254},	 {".sbat", 254},   {".pcrpkey", 252},
	{".profile", 257}, {".dtbauto", 257}, {".hwids", 257},
};

/*
 * Stubs whose event log was compared with this prediction on a running machine, and those between two of the same behaviour. Up to 257
 * the kernel is started through the firmware's LoadImage(), which measures it into PCR 4, unless Secure Boot is on: then the stub
 * stands in for the firmware's verification of what it has verified itself, and that is where measuring would happen. 262 loads the
 * kernel on its own.
 */
static const struct {
	unsigned first, last;
	bool starts_kernel;
} known_stubs[] = {{252, 252, true}, {254, 257, true}, {262, 262, false}};

static void measure_sections(struct measuring *g, const struct pe *uki, unsigned version)
{
	for (size_t i = 0; i < sizeof(stub_sections) / sizeof(stub_sections[0]); i++) {
		const char *name = stub_sections[i].name;
		const struct pe_section *s = pe_find(uki, name);

		if (!s || version < stub_sections[i].since)
			continue;
		add_bytes(g, 11, EVENT_SECTION, name, name, strlen(name) + 1);
		if (strcmp(name, ".linux") == 0 && is_known(g, s))
			add(g, 11, EVENT_SECTION, name)->digest = g->kernel->content;
		else
			add_bytes(g, 11, EVENT_SECTION, name, pe_section_data(uki, s), s->data_size);
	}
}

/* "#### LoaderInfo: systemd-stub 252.39-1~deb12u1 ####" in .sdmagic. */
static int stub_version(const struct pe *uki, const char *name, unsigned *ret, bool *ret_starts_kernel,
			struct error *err)
{
	const struct pe_section *s = pe_find(uki, ".sdmagic");
	const char *magic =
		s ? memmem(pe_section_data(uki, s), s->data_size, STUB_MAGIC, strlen(STUB_MAGIC)) : NULL;
	char digits[8] = {0};
	size_t room;

	if (!magic)
		return error_set(err, -EBADMSG, "%s: not a UKI with a systemd-stub: no version in .sdmagic",
				 name);
	magic += strlen(STUB_MAGIC);
	room = s->data_size - (size_t)((const uint8_t *)magic - pe_section_data(uki, s));
	for (size_t i = 0; i < sizeof(digits) - 1 && i < room && magic[i] >= '0' && magic[i] <= '9'; i++)
		digits[i] = magic[i];
	*ret = (unsigned)strtoul(digits, NULL, 10);
	for (size_t i = 0; i < sizeof(known_stubs) / sizeof(known_stubs[0]); i++)
		if (*ret >= known_stubs[i].first && *ret <= known_stubs[i].last) {
			*ret_starts_kernel = known_stubs[i].starts_kernel;
			return 0;
		}
	return error_set(
		err, -ENOTSUP,
		"%s: what systemd-stub %u measures is not known here (known: 252, 254 to 257, 262); take another one "
		"by [Kernel] Stub=",
		name, *ret);
}

int measure_uki(const void *uki, size_t len, const char *name, const struct secure_boot *sb,
		const struct kernel_digests *kernel, struct measurements *ret, struct error *err)
{
	_cleanup_free_ struct measuring *g = xcalloc(1, sizeof(*g));
	_cleanup_free_ struct pe *pe = xcalloc(1, sizeof(*pe));
	bool starts_kernel = true;
	unsigned version = 0;
	int r;

	g->kernel = kernel;
	r = pe_parse(uki, len, name, pe, err);
	if (r == 0)
		r = stub_version(pe, name, &version, &starts_kernel, err);
	if (r == 0)
		r = measure_programs(g, pe, starts_kernel && !(sb && sb->enabled), name, err);
	if (r < 0)
		return r;
	measure_secure_boot(g, sb);
	measure_sections(g, pe, version);
	r = workers_run(0, g->job_count, work, g, err);
	if (r == 0)
		*ret = g->m;
	return r;
}

void measure_extend(struct bank_digest *pcr, const struct bank_digest *digest)
{
	struct bank_digest next = {0};

	for (enum bank b = 0; b < BANK_COUNT; b++) {
		const struct hash_part parts[] = {{pcr->b[b], bank_size(b)}, {digest->b[b], bank_size(b)}};

		hash_parts(b, parts, 2, next.b[b]);
	}
	*pcr = next;
}

void measure_pcr(const struct measurements *m, unsigned pcr, struct bank_digest *ret)
{
	*ret = (struct bank_digest){0};
	for (size_t i = 0; i < m->count; i++)
		if (m->events[i].pcr == pcr)
			measure_extend(ret, &m->events[i].digest);
}

static const char *const type_names[] = {
	[EVENT_ACTION] = "EV_EFI_ACTION",
	[EVENT_SEPARATOR] = "EV_SEPARATOR",
	[EVENT_APPLICATION] = "EV_EFI_BOOT_SERVICES_APPLICATION",
	[EVENT_VARIABLE] = "EV_EFI_VARIABLE_DRIVER_CONFIG",
	[EVENT_AUTHORITY] = "EV_EFI_VARIABLE_AUTHORITY",
	[EVENT_SECTION] = "EV_IPL",
};

const char *event_type_name(enum event_type type)
{
	return type_names[type];
}

bool event_type_parse(const char *name, enum event_type *ret)
{
	for (size_t i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++)
		if (strcmp(type_names[i], name) == 0) {
			*ret = (enum event_type)i;
			return true;
		}
	return false;
}
