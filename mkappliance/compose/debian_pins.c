/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/debian_pins.h"

#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/io.h"

/* Above it apt goes back to an older version too. */
#define PRIORITY 1001

bool debian_may_pin(const char *name, const char *version)
{
	return *name && !strchr("+-.", *name) && *version &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789+.-") == strlen(name) &&
	       strspn(version, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+~:-") ==
		       strlen(version);
}

void debian_pins(const struct installed *l, struct buf *ret)
{
	for (size_t i = 0; i < l->len; i++) {
		const struct installed_package *p = &l->list[i];

		if (strcmp(p->type, "deb") != 0 || !debian_may_pin(p->name, p->version))
			continue;
		buf_printf(ret, "Package: %s\nPin: version %s\nPin-Priority: %d\n\n", p->name, p->version,
			   PRIORITY);
	}
}

int debian_pins_write(const struct installed *l, char **ret, struct error *err)
{
	const char *tmp = getenv("TMPDIR");
	_cleanup_free_ char *path =
		xasprintf("%s/mkappliance-pins-XXXXXX", tmp && tmp[0] == '/' ? tmp : "/tmp");
	_cleanup_close_ int fd = mkstemp(path);
	_cleanup_buf_ struct buf text = {0};
	int r;

	if (fd < 0)
		return error_errno(err, -errno, "%s", path);
	debian_pins(l, &text);
	r = io_write_full(fd, path, text.ptr ? text.ptr : "", text.len, err);
	if (r < 0) {
		(void)unlink(path);
		return r;
	}
	*ret = steal_pointer(&path);
	return 0;
}
