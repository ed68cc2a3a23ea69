/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole reads and writes, and output files that appear whole or not at all.
 * @name is what messages call the file.
 */
#ifndef MKAPPLIANCE_LIB_IO_H
#define MKAPPLIANCE_LIB_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/error.h"
#include "lib/mem.h"

/* Reads exactly @len bytes at @offset; a file that ends before is an error (-ENODATA). */
int io_pread_full(int fd, const char *name, void *buf, size_t len, uint64_t offset, struct error *err);

/* Writes exactly @len bytes at @offset. -ENOSPC names the file and says that the disk is full. */
int io_pwrite_full(int fd, const char *name, const void *buf, size_t len, uint64_t offset, struct error *err);

/* Sets what a write that failed with @code says of the file @name; returns @code. */
int io_write_error(const char *name, int code, struct error *err);

/* Writes exactly @len bytes at the file position. */
int io_write_full(int fd, const char *name, const void *buf, size_t len, struct error *err);

/*
 * Reads a whole file of at most @limit bytes into @ret (which is emptied first and freed by the
 * caller with buf_free()). A larger one is refused with -EFBIG. @dirfd may be AT_FDCWD.
 */
int io_read_file(int dirfd, const char *path, size_t limit, struct buf *ret, struct error *err);

/* mkdir -p with @mode for each missing part. An existing directory is fine. */
int io_make_dirs(const char *path, mode_t mode, struct error *err);

/* Removes a directory with all it holds; never leaves the file system nor follows a link. */
int io_remove_tree(const char *path, struct error *err);

/*
 * A file on its way: written under a temporary name in the directory of @path, and given
 * its name by output_commit() after fsync. output_abort() (also by scope, _cleanup_output_) removes it.
 * A process that dies leaves nothing either: the file has no name until the commit
 * (O_TMPFILE) where the file system can do that.
 */
struct output {
	int fd;
	char *path; /* the name it will have */
	char *temp; /* its name until then, NULL when it has none */
};

#define OUTPUT_INIT ((struct output){.fd = -1})

/* Creates the file with mode 0644 less the umask. */
int output_open(const char *path, struct output *ret, struct error *err);

/* Whether a file may be created there, before the work whose result it is to hold. @path NULL: yes. Leaves nothing. */
int output_check(const char *path, struct error *err);

/*
 * Brings it to the disk without giving it its name: whatever can fail for lack of space fails here, so that
 * several files can appear together (output_sync() all, then output_commit() all without fsync).
 */
int output_sync(struct output *out, struct error *err);

/*
 * Point of no return: fsync, then the file replaces what had its name. @sync false leaves out the fsync
 * (for a cache, whose readers check what they find).
 */
int output_commit(struct output *out, bool sync, struct error *err);
void output_abort(struct output *out);

/*
 * Waits until nobody else who asks this way commits to the directory of @path, and keeps them out until @ret is closed: so that of two who
 * write files of the same names there the files of one stay together. Where the file system has no locks nobody waits. -EINTR.
 */
int output_lock_directory(const char *path, int *ret, struct error *err);

/* Brings the names in the directory of @path to the disk: after this, what was committed there survives a
 * power cut. */
int output_sync_directory(const char *path, struct error *err);

#define _cleanup_output_ __attribute__((cleanup(output_abort)))

/* Writes a whole small file that way. */
int output_write_file(const char *path, const void *data, size_t len, struct error *err);

#endif
