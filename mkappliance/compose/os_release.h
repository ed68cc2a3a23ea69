/* SPDX-License-Identifier: Apache-2.0 */
/* Which distribution a tree is: os-release(5). */
#ifndef MKAPPLIANCE_COMPOSE_OS_RELEASE_H
#define MKAPPLIANCE_COMPOSE_OS_RELEASE_H

#include "compose/merge.h"

/*
 * ID= and VERSION_ID= ("debian", "12") of etc/os-release or usr/lib/os-release, each NULL when it is not there or has other bytes than
 * os-release(5) allows in it: a-z 0-9 . _ -. To be freed.
 */
void os_release_find(const struct merge *m, char **ret_id, char **ret_version);

/* Parser of untrusted bytes: the value of @key, with the quotes off and by the same rule. To be freed; NULL: none. */
char *os_release_value(const char *text, size_t len, const char *key);

#endif
