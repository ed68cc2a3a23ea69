/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An install root for package managers: what cached layers hold, as files; changed by programs that believe to be root
 * there; and taken out again as a layer.
 *
 *   make (of cache_get) -> sandbox_make(&(struct sandbox_options){.work = ...}, fd, note, err)
 *                            work(): spawn_run() dnf or apt on sandbox->root, sandbox_no_network(), ...
 *                          <- the difference to the base, or the whole tree, as a tar in fd
 *
 * Everything happens in a child process of ours, process 1 of name spaces of its own for mounts, processes, IPC and the host
 * name (and users, when we are not root: sandbox_ids.h). What is mounted there nobody else sees; the host name is "localhost",
 * whatever the host's is. When the child ends, or we are killed, the kernel ends every process in there and takes its mounts away.
 *
 *   DIR/roots/KEY/     the base's layers, extracted once; believed while no file in it changed (KEY.stamp)
 *   DIR/work/NAME/     upper, work, root: the overlay of one run; and scratch
 *   DIR/work/NAME.lock held (flock) as long as the run lasts; whatever is not held is removed by the next run
 *
 * The base lies below an overlayfs, so that starting costs nothing and the difference is what is in the upper directory.
 * Where overlayfs cannot be mounted (the cache lies on an overlayfs itself, as in many containers) it is extracted for each
 * run, and what has changed since (inode, ctime) is the difference.
 *
 * In the root /proc (read only where it is the whole machine's, as /proc/sys), /sys (read only), /dev (null, zero, full, random,
 * urandom, tty, pts, shm), /run and /tmp are mounted over and come out as they went in. The host's files can be read, but nothing outside of DIR, the host's /tmp and the file
 * systems of the sandbox can be written, devices cannot be opened through nodes that are made in the root, and modules,
 * clock and raw devices are out of reach for root in there.
 */
#ifndef MKAPPLIANCE_COMPOSE_SANDBOX_H
#define MKAPPLIANCE_COMPOSE_SANDBOX_H

#include "compose/cache.h"
#include "lib/spawn.h"

/* What work() sees. */
struct sandbox {
	const char *root;    /* absolute path of the install root, for --installroot= and spawn.root */
	const char *scratch; /* an empty directory for configuration and downloads, gone with the sandbox */
	bool mapped;	     /* in a user name space: no device nodes */
};

struct sandbox_options {
	const struct cache *cache;
	const char *what; /* for messages: "packages of nginx" */
	/*
	 * What is in the root: layers of the cache, the lowest first, which is taken as it is (no whiteouts); in the
	 * others whiteouts count. None: the root is empty.
	 */
	const struct cached *base;
	size_t base_count;
	int64_t epoch; /* no time in the layer is later, as a template says it; SOURCE_DATE_EPOCH for all programs */
	bool whole; /* take out the whole tree rather than the difference to the base */
	/*
	 * Runs in the child: what it changes in memory is lost, only @note comes back. Environment: PATH, HOME=/root,
	 * SOURCE_DATE_EPOCH, proxies and what spawn adds.
	 */
	int (*work)(const struct sandbox *s, struct buf *note, void *data, struct error *err);
	void *data;
};

/*
 * Runs @o->work in a sandbox, then writes what is to be taken out to @fd as a tar: for cache_get()'s make(). Two
 * runs that do the same give the same bytes, whoever runs them.
 */
int sandbox_make(const struct sandbox_options *o, int fd, struct buf *note, struct error *err);

/* In work(): from here on no program has a network (but a loopback that is down). Cannot be undone. */
int sandbox_no_network(struct error *err);

#endif
