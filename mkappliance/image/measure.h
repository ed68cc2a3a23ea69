/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prediction of the PCRs that say which image a machine runs, from the bytes of its UKI alone (TCG PC Client Platform Firmware
 * Profile 1.06, sections 3.3.4 and 10.4; UAPI group, Linux TPM PCR Registry; systemd-stub(7)):
 *
 *    4  the firmware starts our UKI and nothing else; older stubs have the kernel in it started, so measured, by the firmware too
 *    7  Secure Boot: whether it is on, its keys, and the one that vouched for the UKI
 *   11  the sections of the UKI, measured by the stub
 *   12  what the stub took from outside (an appended command line, credentials): zero
 *
 * They hold for a machine that boots the disk's /EFI/BOOT by itself; firmware that runs option ROMs or a menu first measures
 * more into PCR 4.
 */
#ifndef MKAPPLIANCE_IMAGE_MEASURE_H
#define MKAPPLIANCE_IMAGE_MEASURE_H

#include <stdbool.h>
#include <stddef.h>

#include "image/kernel_digests.h"
#include "lib/error.h"
#include "lib/hash.h"
#include "lib/mem.h"

/* Of the firmware: the contents of its variables, as EFI_SIGNATURE_LISTs. */
struct secure_boot {
	bool enabled;
	struct buf pk, kek, db, dbx;
	struct buf mok; /* MokListRT: certificates that the kernel trusts and the firmware does not measure */
	struct buf
		authority; /* the EFI_SIGNATURE_DATA of db that vouches for the UKI: owner and certificate */
};

void secure_boot_free(struct secure_boot *s);
#define _cleanup_secure_boot_ __attribute__((cleanup(secure_boot_free)))

enum event_type {
	EVENT_ACTION,	   /* EV_EFI_ACTION */
	EVENT_SEPARATOR,   /* EV_SEPARATOR */
	EVENT_APPLICATION, /* EV_EFI_BOOT_SERVICES_APPLICATION */
	EVENT_VARIABLE,	   /* EV_EFI_VARIABLE_DRIVER_CONFIG */
	EVENT_AUTHORITY,   /* EV_EFI_VARIABLE_AUTHORITY */
	EVENT_SECTION,	   /* EV_IPL, of the stub */
};

/* "EV_EFI_ACTION" and so on, as TCG calls them. */
const char *event_type_name(enum event_type type);
/* False: none of these. */
bool event_type_parse(const char *name, enum event_type *ret);

struct measured_event {
	unsigned pcr;
	enum event_type type;
	char what[40]; /* "UKI", "kernel", ".cmdline", "SecureBoot" */
	struct bank_digest digest;
};

#define MEASURE_EVENTS_MAX 64

struct measurements {
	struct measured_event
		events[MEASURE_EVENTS_MAX]; /* in the order in which they are extended, PCR by PCR */
	size_t count;
};

/* The PCRs that are predicted. */
#define MEASURE_PCR_COUNT 4
extern const unsigned measure_pcrs[MEASURE_PCR_COUNT]; /* 4, 7, 11, 12 */

/*
 * @uki: untrusted bytes of a UKI with a systemd-stub. @sb: NULL for firmware without Secure Boot and without keys. @kernel: the digests of
 * the kernel that this UKI was made of, so that they are not made again; NULL: not known. -EBADMSG for what is no such UKI, -ENOTSUP for a
 * stub of which it is not known what it measures.
 */
int measure_uki(const void *uki, size_t len, const char *name, const struct secure_boot *sb,
		const struct kernel_digests *kernel, struct measurements *ret, struct error *err);

/* The value of a PCR after its events; all zeros when there are none. */
void measure_pcr(const struct measurements *m, unsigned pcr, struct bank_digest *ret);

/* One extension: PCR = H(PCR || digest), in every bank. */
void measure_extend(struct bank_digest *pcr, const struct bank_digest *digest);

#endif
