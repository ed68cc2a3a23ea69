/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of changelogs: what comes out looks like an id, and once. */
#include <assert.h>
#include <string.h>

#include "compose/changelog.h"
#include "lib/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_strlist_ struct strlist l = {0};

	changelog_cves((const char *)data, len, "1.0-1", &l);
	for (size_t i = 0; i < l.len; i++) {
		assert(strncmp(l.ptr[i], "CVE-", 4) == 0 && strlen(l.ptr[i]) >= 13);
		for (size_t k = 0; k < i; k++)
			assert(strcmp(l.ptr[i], l.ptr[k]) != 0);
	}
	return 0;
}
