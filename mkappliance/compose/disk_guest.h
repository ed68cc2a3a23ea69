/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk image at work in libguestfs: its system found and mounted, programs run in it, files changed, the tree taken
 * out. Everything happens in a private overlay that is thrown away; the image itself is opened for reading only. One
 * guest is one start of libguestfs' appliance, a small virtual machine.
 *
 * The appliance dies with us, on Ctrl-C, and when the disk under the overlay gets full (where qemu would stop and wait
 * for ever).
 */
#ifndef MKAPPLIANCE_COMPOSE_DISK_GUEST_H
#define MKAPPLIANCE_COMPOSE_DISK_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "compose/disk_reason.h"
#include "lib/error.h"
#include "lib/mem.h"

struct guest;

struct guest_options {
	const char *image;  /* absolute path */
	const char *format; /* "qcow2", "vmdk", "raw" */
	const char *dir;    /* absolute path of an empty directory: the overlay goes there */
	bool network;	    /* the appliance gets a network card */
};

/* The system on the disk. */
struct guest_system {
	char *name;    /* "debian", "fedora", as libguestfs calls them */
	char *product; /* "Debian GNU/Linux 12 (bookworm)" */
	char *arch;    /* "x86_64", "aarch64", "i386" */
	char *manager; /* "apt", "dnf", "yum", "zypper", "apk"...; "unknown" */
};

void guest_system_free(struct guest_system *s);
#define _cleanup_guest_system_ __attribute__((cleanup(guest_system_free)))

/* @options is only used during the call, but for dir. */
int guest_start(const struct guest_options *options, struct guest **ret, struct error *err);
void guest_free(struct guest *g);
void guest_freep(struct guest **g);
#define _cleanup_guest_ __attribute__((cleanup(guest_freep)))

/*
 * Finds the one Linux on the disk, and mounts its file systems where its fstab says. None, several, an encrypted one, or
 * another kind of system: an error that says so.
 */
int guest_open_system(struct guest *g, struct guest_system *ret, struct error *err);

/* Paths are those of the guest, absolute; links in them do not lead out of it. */

/* The directory for our own files, which anybody may read; once. To be freed. */
int guest_make_dir(struct guest *g, char **ret, struct error *err);
/* @host (a file) to @path. */
int guest_upload(struct guest *g, const char *host, const char *path, unsigned mode, struct error *err);
int guest_write(struct guest *g, const char *path, unsigned mode, const char *text, struct error *err);
bool guest_exists(struct guest *g, const char *path);
bool guest_is_file(struct guest *g, const char *path); /* a regular one, not a link to one */

/*
 * Runs @command, a line for the guest's /bin/sh, as root in /, with no input. Its output goes to the debug log; when it
 * fails, the last lines of it are shown and @what is named in the error. Without @network it has none, even where the
 * appliance has it. @reason (may be NULL) looks for what the error is to say instead of the last line; anything means failure whatever the
 * exit status is.
 */
int guest_run(struct guest *g, const char *what, const char *command, bool network, disk_reason *reason,
	      struct error *err);

/* The paths that match a pattern of the shell. */
int guest_glob(struct guest *g, const char *pattern, struct strlist *ret, struct error *err);
/* Everything below directory @path that is not a directory; nothing when there is no such directory. */
int guest_list_files(struct guest *g, const char *path, struct strlist *ret, struct error *err);
/* With everything below; nothing there is fine. */
int guest_remove(struct guest *g, const char *path, struct error *err);
/* Makes it an empty file of the same owner and mode. */
int guest_truncate(struct guest *g, const char *path, struct error *err);

/*
 * Writes the tree to @fd as a tar with owners, extended attributes, ACLs, labels and capabilities; without what matches
 * one of @excludes ("./boot/efi/?*", ends in NULL).
 */
int guest_take_tree(struct guest *g, const char *const *excludes, int fd, struct error *err);

/* Bytes left on the guest's root, UINT64_MAX when that is not known. */
uint64_t guest_space(struct guest *g);

#endif
