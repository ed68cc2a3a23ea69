/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the sandbox. All of it runs in the child. */
#ifndef MKAPPLIANCE_COMPOSE_SANDBOX_INTERNAL_H
#define MKAPPLIANCE_COMPOSE_SANDBOX_INTERNAL_H

#include "compose/layer.h"
#include "compose/sandbox.h"
#include "compose/sandbox_ids.h"

/* ---- sandbox_mounts.c ---- */

/* Nothing mounted here is seen outside; only what lies below @writable can be written to. */
int sandbox_mounts_begin(const char *writable, struct error *err);
/* 1, or 0 when there is no overlayfs to be had. */
int sandbox_mount_overlay(const char *lower, const char *work_dir, const char *root, bool mapped,
			  struct error *err);
/* /proc and the like in @root. */
int sandbox_mount_api(const char *root, struct error *err);
void sandbox_unmount_api(const char *root);
/* What root in a sandbox has no business with. */
int sandbox_drop_capabilities(struct error *err);

/* ---- sandbox_work.c ---- */

/* The directories of one run. */
struct sandbox_work {
	char *dir;     /* DIR/work/NAME */
	char *root;    /* DIR/work/NAME/root */
	char *scratch; /* DIR/work/NAME/scratch */
	int lock;
};

#define SANDBOX_WORK_INIT ((struct sandbox_work){.lock = -1})

/* Removes what runs that were killed have left. Best effort. */
void sandbox_work_clean(const char *cache_dir);
int sandbox_work_open(const char *cache_dir, struct sandbox_work *ret, struct error *err);
/* Removes it. */
int sandbox_work_close(struct sandbox_work *w, struct error *err);

/* ---- sandbox_base.c ---- */

/*
 * The directory in the cache that holds the base, extracted: made where it is not there or not as it was. *@ret_lock is to
 * be held while it is used.
 */
int sandbox_base_open(const struct sandbox_options *o, const struct sandbox_ids *ids, char **ret_path,
		      int *ret_lock, struct error *err);
/* Extracts the base to the empty directory @path. */
int sandbox_base_extract(const struct sandbox_options *o, bool mapped, const char *path, struct error *err);

/* ---- sandbox_difference.c ---- */

/* What every file of a tree was when it was looked at. */
struct snapshot;

int snapshot_take(const char *path, struct snapshot **ret, struct error *err);
/* Its digest: the same as long as nothing was changed. */
void snapshot_digest(const struct snapshot *s, struct sha256 *ret);
/* Drops from @l (a listing of the same directory) what is unchanged, and adds whiteouts for what is gone. */
void snapshot_difference(const struct snapshot *s, const char *path, struct layer *l);
void snapshot_free(struct snapshot *s);
void snapshot_freep(struct snapshot **s);
#define _cleanup_snapshot_ __attribute__((cleanup(snapshot_freep)))

#endif
