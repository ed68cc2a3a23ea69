/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs of tests/host have in common: the init's parts around them that are not for a host. */
#ifndef TESTS_HOST_HOST_H
#define TESTS_HOST_HOST_H

#include "../../firstboot/conf.h"

/* A configuration with everything that must be there, and the given "Key=value" lines. Exits when the init would
 * refuse it. */
void host_conf(int argc, char **argv, struct conf *ret);

#endif
