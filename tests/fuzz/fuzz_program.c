/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of a tree: ELF headers and script lines, whatever they say. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "image/program.h"
#include "lib/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct account root = {0};
	struct tree_entry e = {.path = (char[]){"p"},
			       .mode = S_IFREG | 0755,
			       .nlink = 1,
			       .size = len,
			       .origin = ORIGIN_MEMORY,
			       .memory = xmemdup(data, len)};
	struct tree_entry *entries[] = {&e};
	const struct tree tree = {.entries = entries, .len = 1};
	struct error err = ERROR_INIT;

	if (program_check(&tree, "/p", &root, ARCH_X86_64, &err) < 0 && err.exit != EXIT_USAGE)
		abort();
	free(e.memory);
	return 0;
}
