/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of bills of materials: what it takes is made of words, and nothing changed between a document and itself. */
#include <assert.h>
#include <string.h>

#include "image/sbom.h"
#include "lib/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_sbom_ struct sbom s = {0};
	_cleanup_sbom_changes_ struct sbom_changes changes = {0};
	struct error err = ERROR_INIT;

	if (sbom_parse((const char *)data, len, "fuzz", &s, &err) < 0) {
		assert(err.exit == EXIT_REFUSED && err.text[0]);
		return 0;
	}
	for (size_t i = 0; i < s.packages.len; i++)
		assert(*s.packages.list[i].name && !strpbrk(s.packages.list[i].version, " \n"));
	sbom_compare(&s.packages, &s.packages, &changes);
	assert(changes.len == 0);
	return 0;
}
