/* SPDX-License-Identifier: Apache-2.0 */
#include "image/file_capability.h"

#include <linux/capability.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/mem.h"
#include "template/template.h"

#define NAME	 "security.capability"
#define REVISION 0xff000000u /* of the first number: what comes behind it */

static uint32_t little32(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

/* The lower halves of permitted and inheritable, then the upper ones; with revision 3 a user id behind them. */
uint64_t file_capability_read(const struct tree_entry *e)
{
	for (size_t i = 0; i < e->xattr_count; i++) {
		const uint8_t *p = e->xattrs[i].value;
		size_t len = e->xattrs[i].len;

		if (strcmp(e->xattrs[i].name, NAME) != 0 || len < 4)
			continue;
		if ((little32(p) & REVISION) == VFS_CAP_REVISION_1)
			return len >= 8 ? little32(p + 4) : 0;
		return len >= 20 ? little32(p + 4) | (uint64_t)little32(p + 12) << 32 : 0;
	}
	return 0;
}

/* "all" also where one of them has no name. */
static char *names_of(uint64_t mask)
{
	_cleanup_buf_ struct buf b = {0};

	for (unsigned i = 0; i < 64; i++) {
		const char *name = capability_name(i);

		if (!(mask >> i & 1))
			continue;
		if (!name)
			return xstrdup("all");
		buf_printf(&b, "%s%s", b.len ? " " : "", name);
	}
	return buf_steal(&b);
}

int file_capability_check(const struct tree *tree, const char *path, uint64_t given, const char *section,
			  const char *key, struct error *err)
{
	const struct tree_entry *e = tree_resolve(tree, path);
	uint64_t wanted = e ? file_capability_read(e->hardlink ? e->hardlink : e) : 0;
	_cleanup_free_ char *missing = NULL, *all = NULL;

	if ((wanted & ~given) == 0)
		return 0;
	missing = names_of(wanted & ~given);
	all = names_of(wanted | given);
	return error_usage(err,
			   "%s %s=: '%s' has file capabilities that the service does not have, so it would "
			   "not start, or start without them: %s; say Capabilities=%s",
			   section, key, path, missing, all);
}
