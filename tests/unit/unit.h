/* SPDX-License-Identifier: Apache-2.0 */
/* What unit tests share: cmocka with the headers it wants first, and a directory of the test's own. */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/error.h"
#include "lib/io.h"
#include "lib/mem.h"

/* Set-up and tear-down: *state is the path of an empty directory. */
__attribute__((unused)) static int unit_make_dir(void **state)
{
	char path[] = "/tmp/mkappliance-unit-XXXXXX";

	if (!mkdtemp(path))
		return -1;
	*state = xstrdup(path);
	return 0;
}

__attribute__((unused)) static int unit_remove_dir(void **state)
{
	struct error err = ERROR_INIT;
	int r = io_remove_tree(*state, &err);

	free(*state);
	return r;
}

#define unit_test_in_dir(f) cmocka_unit_test_setup_teardown(f, unit_make_dir, unit_remove_dir)

#define assert_contains(text, part)                                             \
	do {                                                                    \
		if (!strstr((text), (part)))                                    \
			fail_msg("'%s' does not contain '%s'", (text), (part)); \
	} while (0)

#endif
