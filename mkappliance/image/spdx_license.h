/* SPDX-License-Identifier: Apache-2.0 */
/* What packages say of their license, as license expressions of SPDX 2.3 (annex D). */
#ifndef MKAPPLIANCE_IMAGE_SPDX_LICENSE_H
#define MKAPPLIANCE_IMAGE_SPDX_LICENSE_H

#include <stddef.h>

#include "lib/mem.h"

/* Licenses that the SPDX License List does not have: ids[i] ("LicenseRef-Public-Domain") stands for what was said in names[i]. */
struct spdx_licenses {
	struct strlist ids;
	struct strlist names;
};

void spdx_licenses_free(struct spdx_licenses *l);
#define _cleanup_spdx_licenses_ __attribute__((cleanup(spdx_licenses_free)))

/*
 * @text with AND, OR, WITH and parentheses in any case; a part that is no known license becomes a LicenseRef, which is noted in @refs.
 * Never fails: at worst the whole text is one. To be freed.
 */
char *spdx_license(const char *text, struct spdx_licenses *refs);

/* The identifier that @name means, in the case of the list; NULL: none. In spdx_ids.c. */
const char *spdx_license_id(const char *name);
const char *spdx_exception_id(const char *name);

#endif
