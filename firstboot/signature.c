/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "end.h"
#include "file.h"
#include "image/abi.h"
#include "line.h"
#include "memory.h"
#include "signature.h"

#define DER_MAX (ABI_SIGNATURE_MAX / 4 * 3)

static char document[ABI_SIGNATURE_MAX];
static char der[DER_MAX];

struct cursor {
	const char *at;
	const char *end;
};

/* Whether the next character that is not blank is @c; steps over it. */
static bool take(struct cursor *c, char wanted)
{
	while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r'))
		c->at++;
	if (c->at == c->end || *c->at != wanted)
		return false;
	c->at++;
	return true;
}

/* What stands between the quotes, escapes and all: neither the name nor the value that counts has any. */
static bool take_string(struct cursor *c, struct cursor *ret)
{
	if (!take(c, '"'))
		return false;
	for (ret->at = c->at; c->at < c->end && *c->at != '"'; c->at++)
		if (*c->at == '\\' && ++c->at == c->end)
			return false;
	ret->end = c->at;
	return take(c, '"');
}

static int digit_value(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

/* RFC 4648, section 4. */
static int decode(struct cursor text, char *ret, size_t size, size_t *ret_len)
{
	size_t len = 0;
	uint32_t bits = 0;

	if ((text.end - text.at) % 4)
		return -EBADMSG;
	for (int i = 0; i < 2 && text.end > text.at && text.end[-1] == '='; i++)
		text.end--;
	for (unsigned have = 0; text.at < text.end; text.at++) {
		int v = digit_value(*text.at);

		if (v < 0)
			return -EBADMSG;
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		if (len == size)
			return -EMSGSIZE;
		ret[len++] = (char)(bits >> have & 0xff);
	}
	*ret_len = len;
	return len ? 0 : -EBADMSG;
}

int signature_parse(const char *text, size_t len, char *ret, size_t size, size_t *ret_len)
{
	static const char wanted[] = "signature";
	struct cursor c = {text, text + strnlen(text, len)}, name, value;

	if (!take(&c, '{'))
		return -EBADMSG;
	do {
		if (!take_string(&c, &name) || !take(&c, ':') || !take_string(&c, &value))
			return -EBADMSG;
		if ((size_t)(name.end - name.at) == strlen(wanted) &&
		    memcmp(name.at, wanted, strlen(wanted)) == 0)
			return decode(value, ret, size, ret_len);
	} while (take(&c, ','));
	return -EBADMSG;
}

void signature_load(const struct disk_partition *p)
{
	size_t size = p->size < sizeof document ? (size_t)p->size : sizeof document, len = 0;
	struct line path = {.len = 0};
	int fd, r;

	line_printf(&path, "/dev/%s", p->name);
	fd = open(path.text, O_RDONLY | O_CLOEXEC);
	r = fd < 0 ? -errno : file_pread(fd, document, size, 0);
	if (r < 0)
		refuse(ABI_REFUSED_READ_ERROR, "the signature of the root hash on %s: %s", p->name,
		       strerror(-r));
	close(fd);
	r = signature_parse(document, size, der, sizeof der, &len);
	if (r < 0)
		refuse(ABI_REFUSED_SIGNATURE, "%s holds no signature of a root hash", p->name);
	if (syscall(SYS_add_key, "user", SIGNATURE_KEY, der, len, KEY_SPEC_PROCESS_KEYRING) < 0)
		refuse(ABI_REFUSED_SIGNATURE, "the kernel keeps no key for it: %s", strerror(errno));
	memory_forget(document, sizeof document);
	memory_forget(der, sizeof der);
}
