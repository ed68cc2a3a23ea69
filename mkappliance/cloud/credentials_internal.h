/* SPDX-License-Identifier: Apache-2.0 */
/* The providers. Each returns 1 and fills @ret, 0 when it is not configured, -errno when it is but does not work. */
#ifndef MKAPPLIANCE_CLOUD_CREDENTIALS_INTERNAL_H
#define MKAPPLIANCE_CLOUD_CREDENTIALS_INTERNAL_H

#include "cloud/credentials.h"
#include "lib/mem.h"

int credentials_from_env(struct credentials *ret, struct error *err);
int credentials_from_credentials_file(const struct config *c, const char *profile, struct credentials *ret,
				      struct error *err);
int credentials_from_config_file(const struct config *c, const char *profile, struct credentials *ret,
				 struct error *err);

/* Whether they can stand in a header. */
bool credentials_clean(const struct credentials *c);

#endif
