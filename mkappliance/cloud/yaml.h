/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML 1.1 as configuration files use it, read into JSON: mappings become objects, sequences arrays, every scalar a string, an empty
 * plain one or "null" or "~" null. libyaml stays inside yaml.c.
 */
#ifndef MKAPPLIANCE_CLOUD_YAML_H
#define MKAPPLIANCE_CLOUD_YAML_H

#include <stddef.h>

#include "lib/error.h"
#include "lib/json.h"

/*
 * One document; untrusted. Aliases (which can grow without end), a key twice, keys that are no scalars, more than one document and a
 * depth of more than 32 are errors with the line. An empty text is an empty object. @name is for messages.
 */
int yaml_parse(const char *text, size_t len, const char *name, struct json **ret, struct error *err);

#endif
