/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/os_release.h"

#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"

#define FILE_MAX  ((size_t)64 << 10)
#define VALUE_MAX 64u

char *os_release_value(const char *text, size_t len, const char *key)
{
	size_t key_len = strlen(key);

	while (len > 0) {
		const char *nl = memchr(text, '\n', len), *value = text + key_len + 1;
		size_t n = nl ? (size_t)(nl - text) : len;

		if (n > key_len + 1 && memcmp(text, key, key_len) == 0 && text[key_len] == '=') {
			_cleanup_free_ char *word = NULL;
			size_t size = n - key_len - 1;

			if (size >= 2 && (*value == '"' || *value == '\'') && value[size - 1] == *value) {
				value++;
				size -= 2;
			}
			word = xstrndup(value, size);
			if (*word && size <= VALUE_MAX &&
			    strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789._-") == size)
				return steal_pointer(&word);
			return NULL;
		}
		n += nl != NULL;
		text += n;
		len -= n;
	}
	return NULL;
}

void os_release_find(const struct merge *m, char **ret_id, char **ret_version)
{
	static const char *const paths[] = {"etc/os-release", "usr/lib/os-release"};

	*ret_id = *ret_version = NULL;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		const struct tree_entry *e = merge_find(m, paths[i]);
		struct error ignored = ERROR_INIT;
		_cleanup_free_ void *text = NULL;
		size_t len = 0;

		if (!e || !S_ISREG(e->mode) || merge_read(m, paths[i], FILE_MAX, &text, &len, &ignored) < 0)
			continue;
		*ret_id = os_release_value(text, len, "ID");
		*ret_version = os_release_value(text, len, "VERSION_ID");
		return;
	}
}
