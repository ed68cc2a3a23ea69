/* SPDX-License-Identifier: Apache-2.0 */
/* A test report for CI systems: JUnit XML as they read it (one suite a <testsuite>). */
#ifndef MKAPPLIANCE_VM_JUNIT_H
#define MKAPPLIANCE_VM_JUNIT_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"
#include "lib/mem.h"

struct junit {
	struct buf cases;
	unsigned count;
	unsigned failures;
	double seconds;
};

/* @suite: "boot", "tamper". @output: console lines of a failure, may be NULL. */
void junit_add(struct junit *j, const char *suite, const char *name, double seconds, bool ok,
	       const char *detail, const struct strlist *output);
/* Writes the file, whole or not at all. @name: of the suite. */
int junit_write(const struct junit *j, const char *name, const char *path, struct error *err);
void junit_free(struct junit *j);

#endif
