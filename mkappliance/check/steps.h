/* SPDX-License-Identifier: Apache-2.0 */
/* What a proof looked at, line by line. */
#ifndef MKAPPLIANCE_CHECK_STEPS_H
#define MKAPPLIANCE_CHECK_STEPS_H

#include <stdbool.h>
#include <stddef.h>

struct check_step {
	char *name; /* "partition table", "UKI", "nonce", "sha256:4" */
	bool ok;
	char *detail; /* what was checked, or what differs and where */
};

struct check_steps {
	struct check_step *list;
	size_t len, cap;
};

/* @detail is taken over, @name is copied. */
void check_steps_add(struct check_steps *s, bool ok, const char *name, char *detail);
/* The first that differs; NULL: none does. */
const struct check_step *check_steps_bad(const struct check_steps *s);
void check_steps_free(struct check_steps *s);

#endif
