/* SPDX-License-Identifier: Apache-2.0 */
/* Small files and directories without allocation, and the clock. */
#ifndef FIRSTBOOT_FILE_H
#define FIRSTBOOT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Milliseconds since the kernel started. */
uint64_t clock_ms(void);

/*
 * Reads the whole of @path, relative to @at, to @buf and ends it with a NUL. 0 and *ret_len (may be NULL), or
 * -errno; -EFBIG when it has @size bytes or more.
 */
int file_read(int at, const char *path, char *buf, size_t size, size_t *ret_len);
/* A decimal number and a line end, as sysfs has them. */
int file_read_number(int at, const char *path, uint64_t *ret);
/* Reads exactly @len bytes at @offset; -EIO when the file ends before. */
int file_pread(int fd, void *buf, size_t len, uint64_t offset);
/* Writes all of it. */
int file_write(int fd, const char *buf, size_t len);
/* Writes @text to @path, which must exist (sysfs, procfs). */
int file_write_text(const char *path, const char *text);

/* The name may be used until the next dir_next(). */
struct dir {
	int fd;
	size_t len;
	size_t pos;
	_Alignas(8) char buf[2048];
};

int dir_open(struct dir *d, int at, const char *path);
/* 1: *ret_name is the next one, never "." or ".."; 0: no more; -errno. *ret_type is DT_*. */
int dir_next(struct dir *d, const char **ret_name, unsigned char *ret_type);
void dir_close(struct dir *d);

#endif
