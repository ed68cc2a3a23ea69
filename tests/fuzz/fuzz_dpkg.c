/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control files, versions and dependencies of Debian packages: everything is compared with everything that
 * is near.
 */
#include <assert.h>
#include <string.h>

#include "compose/dpkg.h"
#include "lib/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_dpkg_ struct dpkg d = {0};
	struct error err = ERROR_INIT;

	if (dpkg_parse((const char *)data, len, "fuzz", &d, &err) < 0)
		return 0;
	for (size_t i = 0; i < d.len && i < 20; i++) {
		const char *a = d.list[i].version, *b = d.list[(i + 1) % d.len].version;
		int forth = dpkg_version_compare(a, b), back = dpkg_version_compare(b, a);

		assert((forth > 0) == (back < 0) && (forth == 0) == (back == 0));
		assert(dpkg_version_compare(a, a) == 0);
		free(dpkg_first_unmet(&d, d.list[i].depends));
		free(dpkg_first_unmet(&d, d.list[i].pre_depends));
	}
	return 0;
}
