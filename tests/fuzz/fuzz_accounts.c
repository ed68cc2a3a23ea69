/* SPDX-License-Identifier: Apache-2.0 */
/* /etc/passwd and /etc/group of an image: the same bytes as both. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "image/accounts.h"
#include "lib/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(const struct account *a)
{
	if (a->uid == UINT32_MAX || a->gid == UINT32_MAX)
		abort();
	for (size_t i = 0; i < a->group_count; i++)
		if (a->groups[i] == a->gid || (i > 0 && a->groups[i] <= a->groups[i - 1]))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const users[] = {"web", "7"};
	struct tree_entry dirs[] = {{.path = (char[]){""}, .mode = S_IFDIR | 0755, .nlink = 1},
				    {.path = (char[]){"etc"}, .mode = S_IFDIR | 0755, .nlink = 1}};
	struct tree_entry group = {.path = (char[]){"etc/group"},
				   .mode = S_IFREG | 0644,
				   .nlink = 1,
				   .size = len,
				   .origin = ORIGIN_MEMORY,
				   .memory = xmemdup(data, len)};
	struct tree_entry passwd = group, *entries[] = {&dirs[0], &dirs[1], &group, &passwd};
	const struct tree tree = {.entries = entries, .len = 4};
	struct error err = ERROR_INIT;

	passwd.path = (char[]){"etc/passwd"};
	for (size_t i = 0; i < 2; i++) {
		_cleanup_account_ struct account a = {0};

		if (account_find(&tree, users[i], i ? "web" : NULL, &a, &err) == 0)
			check(&a);
	}
	free(group.memory);
	return 0;
}
