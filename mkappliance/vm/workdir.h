/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The private directory of a run with virtual machines, and the promise that nothing of it stays behind:
 *
 * - Ended in the ordinary way or by Ctrl-C: workdir_close() ends what still runs from it and removes it.
 * - Killed, crashed, out of memory: the keeper, a small child that waits for our end, does the same.
 * - The keeper killed as well, or the machine switched off: the next workdir_open() does it.
 *
 * The directory is a scratch directory (lib/scratch.h). What runs from it is found by its path on the command line of a qemu process of ours.
 */
#ifndef MKAPPLIANCE_VM_WORKDIR_H
#define MKAPPLIANCE_VM_WORKDIR_H

#include <sys/types.h>

#include "lib/error.h"
#include "lib/scratch.h"

struct workdir {
	const char *path; /* "/var/tmp/mkappliance-vm.XXXXXX", mode 0700; of @dir */
	struct scratch dir;
	pid_t keeper;
	int pipe; /* the keeper waits for this end to close */
};

#define WORKDIR_INIT ((struct workdir){.dir = SCRATCH_INIT, .keeper = -1, .pipe = -1})

/*
 * Removes what dead runs left, then makes a directory in $TMPDIR, else in /var/tmp (images are copied
 * there: it must not be memory). Call before there are threads: it forks.
 */
int workdir_open(struct workdir *ret, struct error *err);
void workdir_close(struct workdir *w);
/* Kills every qemu of our own user that was started with something below @dir, of whoever's run it is. */
void workdir_end_all(const char *dir);
#define _cleanup_workdir_ __attribute__((cleanup(workdir_close)))

#endif
