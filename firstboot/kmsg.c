/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "kmsg.h"

#define FACILITY_SHIFT 3	  /* of PRIORITY; facility 0 is the kernel, and no program can choose it */
#define REQ_RAHEAD     (1u << 19) /* linux/blk_types.h: among the flags of a request */

int kmsg_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return -errno;
	if (lseek(fd, 0, SEEK_END) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

int kmsg_receive(int fd, struct kmsg *ret)
{
	for (;;) {
		ssize_t n = read(fd, ret->text, sizeof ret->text - 1);

		/* EPIPE: messages were overwritten before they were read; the next read goes on behind them.
		 * EINVAL: one that is longer than the buffer was left out. */
		if (n < 0 && (errno == EINTR || errno == EPIPE || errno == EINVAL))
			continue;
		if (n <= 0)
			return n == 0 || errno == EAGAIN ? 0 : -errno;
		ret->len = (size_t)n;
		ret->text[ret->len] = '\0';
		return 1;
	}
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return 16;
}

/* The number that @p begins with, in base 10 or 16; what follows it, or NULL. */
static const char *take_number(const char *p, unsigned base, uint64_t *ret)
{
	uint64_t v = 0;
	const char *start = p;

	for (; digit(*p) < (int)base; p++)
		if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, (uint64_t)digit(*p), &v))
			return NULL;
	*ret = v;
	return p > start ? p : NULL;
}

/* What follows @word in @text, NULL when it is not there. */
static const char *after(const char *text, const char *word)
{
	const char *p = text ? strstr(text, word) : NULL;

	return p ? p + strlen(word) : NULL;
}

/* The name that ends at a comma; what follows it, or NULL. */
static const char *take_device(const char *p, struct kmsg_error *ret)
{
	size_t len = p ? strcspn(p, ",\n") : 0;

	if (len == 0 || len >= sizeof ret->device || p[len] != ',')
		return NULL;
	memcpy(ret->device, p, len);
	ret->device[len] = '\0';
	return p + len;
}

/* The part behind "dev NAME" of a line of block/. */
static bool take_request(const char *p, struct kmsg_error *ret)
{
	static const char sector[] = ", sector ", op[] = " op 0x";
	uint64_t number;

	if (strncmp(p, sector, sizeof sector - 1) != 0)
		return false;
	p = take_number(p + sizeof sector - 1, 10, &ret->sector);
	if (!p)
		return false;
	ret->whole_disk = true;
	if (strncmp(p, op, sizeof op - 1) != 0)
		return true; /* a kernel that says less */
	p = take_number(p + sizeof op - 1, 16, &number);
	if (!p || number != 0) /* REQ_OP_READ */
		return false;
	p = after(p, " flags 0x");
	return !p || !take_number(p, 16, &number) || !(number & REQ_RAHEAD);
}

bool kmsg_read_error(const char *text, struct kmsg_error *ret)
{
	struct kmsg_error e = {.sector = 0};
	uint64_t priority;
	const char *p = take_number(text, 10, &priority);
	const char *message = p && *p == ',' && priority >> FACILITY_SHIFT == 0 ? after(p, ";") : NULL;

	p = take_device(after(message, " error, dev "), &e);
	if (p) {
		if (!take_request(p, &e))
			return false;
	} else {
		p = take_device(after(message, "Buffer I/O error on dev "), &e);
		if (!p || !strstr(p, "read"))
			return false;
	}
	*ret = e;
	return true;
}
