/* SPDX-License-Identifier: Apache-2.0 */
/* The AWS CLI's files, written by anybody's editor. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "cloud/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_config_file_ struct config_file f = {0};
	struct error err = ERROR_INIT;

	if (config_parse((const char *)data, len, "fuzz", &f, &err) < 0) {
		assert(err.text[0] && err.exit == EXIT_USAGE);
		return 0;
	}
	for (size_t i = 0; i < f.len; i++) {
		assert(config_file_has(&f, f.items[i].section));
		assert(!f.items[i].key == !f.items[i].value);
		if (f.items[i].key && !f.items[i].sub)
			assert(config_file_get(&f, f.items[i].section, f.items[i].key, NULL) ==
			       f.items[i].value);
	}
	return 0;
}
