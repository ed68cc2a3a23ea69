/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A private directory for what other programs have to be given as files. It is locked (flock) as long as its process lives and goes with
 * it; what a killed process left is removed by the next one that asks for the same kind.
 */
#ifndef MKAPPLIANCE_LIB_SCRATCH_H
#define MKAPPLIANCE_LIB_SCRATCH_H

#include "lib/error.h"

struct scratch {
	char *path; /* absolute when @parent is */
	int fd;	    /* of the directory, with the lock */
};

#define SCRATCH_INIT ((struct scratch){.fd = -1})

/*
 * Makes PARENT/PREFIXxxxxxx of mode 0700, after it removed those of our own user that nobody holds. @parent: an existing directory; NULL:
 * $TMPDIR or /tmp. @before, when not NULL, is called for each of those first.
 */
int scratch_open(const char *parent, const char *prefix, void (*before)(const char *path),
		 struct scratch *ret, struct error *err);

/* Removes it with all it holds. */
void scratch_close(struct scratch *s);
#define _cleanup_scratch_ __attribute__((cleanup(scratch_close)))

#endif
