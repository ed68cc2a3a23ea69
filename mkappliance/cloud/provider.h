/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an image goes. A provider is a table of steps that upload_run() takes in this order:
 *
 *   open       who are we, where does it go: credentials, region, journal (if it wants one). Nothing is made.
 *   preflight  everything that can fail is tried before a byte is sent: permissions, names, quotas, what to send. Nothing is made. Fills in
 *              result.plan, and result.places when the same image is already there.
 *   transfer   brings the bytes there and reads back what came.
 *   publish    makes a machine image of them, copies and shares it, and says last of all that it is ready.
 *   close
 *
 * Each step is idempotent: after any failure the same command runs them all again, and each goes on where it was. A step never touches what
 * an earlier upload made. With --dry-run only open and preflight run; when preflight finds the image, transfer is left out and
 * publish completes what is missing of copies and shares.
 *
 * To add one: a file NAME_upload.c with a table (or cmd_upload_NAME.c, when the work is done in another room), its line in cmd_upload.c, its options in struct upload_settings and cmd_upload.c (say
 * in the help text which provider they are for; cmd refuses options that a provider does not list in .options), its chapter in
 * mkappliance(1). struct meter (meter.h) shows progress, retry.h decides what is tried again, journal.h is there for whoever sends in
 * pieces; a stream needs none.
 */
#ifndef MKAPPLIANCE_CLOUD_PROVIDER_H
#define MKAPPLIANCE_CLOUD_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cloud/meter.h"
#include "cloud/plan.h"
#include "cloud/retry.h"
#include "image/manifest.h"
#include "lib/error.h"
#include "lib/mem.h"

enum upload_check { UPLOAD_CHECK_SAMPLE, UPLOAD_CHECK_NONE, UPLOAD_CHECK_FULL };

/* What was asked for, by options and the manifest; all borrowed, NULL or empty where nothing was said. */
struct upload_settings {
	const char *name; /* of the machine image; NULL: NAME-VERSION */
	const char *description;
	const struct strlist *regions; /* the first is where it is sent to, the others get copies */
	const char *parent;	       /* "auto" (NULL), "none", or what the provider calls a snapshot */
	const char *parent_blocks;     /* the parent's .blocks; NULL: looked for beside the image */
	unsigned connections;	       /* at most; 0: the driver's default */
	enum upload_check check;       /* how much is read back */
	bool dry_run;
	bool json;	     /* progress as JSON objects */
	const char *profile; /* of the provider's own configuration */
	const char *endpoint_url;
	bool encrypt;
	const struct strlist *kms_keys; /* KEY, or REGION=KEY */
	const struct strlist *share;	/* account, organisation or unit, or "all" */
	const char *parameter;		/* SSM parameter that will hold the image's id */
	unsigned deprecate_days;	/* 0: never */
	bool protect;			/* against deregistration */
	bool no_tpm;			/* the image does not say that it wants a TPM */
	bool secure_boot;		/* the image says that it wants firmware that verifies it */
	unsigned volume_gib;		/* of the root volume, 0: as large as the image */
	unsigned iops, throughput;	/* of the root volume, MiB/s; 0: the type's own */
	const char *
		uefi_data; /* file with the firmware's variables (mkappliance uefi-vars), as the provider takes them */
	/* libvirt */
	const char *connect, *pool, *domain, *network;
	unsigned memory, cpus; /* of the machine, MiB; 0: as [Test] says */
};

/* The image on the disk, checked against its manifest. */
struct upload_image {
	const char *path;
	int fd;
	const struct manifest *m;
	struct block_digests blocks;
	char digest[SHA256_HEX_SIZE]; /* over all block digests: what the image is called by its content */
};

/* One region's, pool's or project's machine image. */
struct upload_place {
	char *region;
	char *image;	/* id */
	char *snapshot; /* NULL where there is none */
	bool made;	/* by this run */
};

struct upload_result {
	bool already; /* the same image was there before */
	char *account;
	char *name;
	struct upload_place *places;
	size_t place_count, place_cap;
	struct plan plan; /* empty (count 0) for a provider that sends everything */
	char *parent;	  /* of a delta */
	char *why_full;	  /* why there is no delta though one was wanted */
	uint64_t resumed; /* blocks that an earlier run had sent */
	uint64_t sent_bytes;
	uint64_t checked; /* blocks that were read back */
	double cost;	  /* US dollars, an estimate; 0: not known */
	char *domain;	  /* that boots the image, where the provider defines one */
	struct retry_stats retries;
};

struct upload {
	struct upload_settings settings;
	struct upload_image image;
	struct meter meter;
	struct upload_result result;
	char *resume; /* where the state of an unfinished upload is kept: set by open, for the message after Ctrl-C; owned */
};

/* Adds to result.places; copies. */
struct upload_place *upload_add_place(struct upload *u, const char *region, const char *image,
				      const char *snapshot);

struct provider {
	const char *name;    /* of --to= */
	const char *summary; /* one line for the manual and errors */
	/* Names of the members of the command line that mean something here beside those of every provider; ends in NULL. */
	const char *const *options;
	int (*open)(struct upload *u, void **ret_session, struct error *err);
	int (*preflight)(void *session, struct upload *u, bool *ret_there, struct error *err);
	int (*transfer)(void *session, struct upload *u, struct error *err);
	int (*publish)(void *session, struct upload *u, struct error *err);
	void (*close)(void *session); /* also of a half-opened one */
};

/* In @table, which ends in NULL; a usage error that lists the known ones when there is none of that name. */
int provider_find(const struct provider *const *table, const char *name, const struct provider **ret,
		  struct error *err);

/* Opens image, manifest and .blocks and sees that they belong together. @manifest_path NULL: beside the image. */
int upload_open_image(const char *path, const struct manifest *m, struct upload_image *ret,
		      struct error *err);
void upload_free(struct upload *u);
#define _cleanup_upload_ __attribute__((cleanup(upload_free)))

/* All steps. */
int upload_run(const struct provider *p, struct upload *u, struct error *err);

#endif
