/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scope cleanup. Initialise where you declare:
 *
 *   _cleanup_free_ char *path = NULL;
 *   _cleanup_close_ int fd = -EBADF;
 *   ...
 *   *ret_fd = steal_fd(&fd);
 *
 * Every destructor accepts NULL (or a negative fd) and preserves errno.
 */
#ifndef MKAPPLIANCE_LIB_CLEANUP_H
#define MKAPPLIANCE_LIB_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_freep(void *p)
{
	free(*(void **)p);
}

/* Closes once: on Linux the descriptor is gone even when close() says EINTR. */
static inline void cleanup_closep(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);
	errno = saved;
}

static inline void cleanup_fclosep(FILE **f)
{
	int saved = errno;

	if (*f)
		(void)fclose(*f);
	errno = saved;
}

static inline void cleanup_closedirp(DIR **d)
{
	int saved = errno;

	if (*d)
		(void)closedir(*d);
	errno = saved;
}

#define _cleanup_(f)	   __attribute__((cleanup(f)))
#define _cleanup_free_	   _cleanup_(cleanup_freep)
#define _cleanup_close_	   _cleanup_(cleanup_closep)
#define _cleanup_fclose_   _cleanup_(cleanup_fclosep)
#define _cleanup_closedir_ _cleanup_(cleanup_closedirp)

/* Hands the pointer over: returns it and leaves NULL behind. */
#define steal_pointer(p)                    \
	({                                  \
		__typeof__(*(p)) _v = *(p); \
		*(p) = NULL;                \
		_v;                         \
	})

static inline int steal_fd(int *fd)
{
	int v = *fd;

	*fd = -EBADF;
	return v;
}

#endif
