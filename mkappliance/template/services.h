/* SPDX-License-Identifier: Apache-2.0 */
/* [Service NAME]: the programs beside the one of [Init], and in which order they start. */
#ifndef MKAPPLIANCE_TEMPLATE_SERVICES_H
#define MKAPPLIANCE_TEMPLATE_SERVICES_H

#include "template/keys.h"

/* The values that are not strings or lists. */
void service_init(struct template_service *s, const char *name);

/* Begins or continues [Service @name]; p->service is it then. Blanks around @name do not count. */
int service_open(struct parse *p, const char *name, struct error *err);

/* Service @i, [Init]'s being number 0; NULL behind the last. */
struct template_service *service_at(const struct template *t, size_t i);

/* Whether "Key" is one of a service. */
bool service_is_key(const char *key);

/* Whether the template sets "Key" of @s; template_has() says it of [Init]. */
bool service_has(const struct template_service *s, const char *key);

/*
 * Reads @value into "Key" of @s as a line of the template would, unless the template has one: for what a unit says in the same words.
 * Only keys whose fields own nothing (numbers, limits, capabilities). It stays a default: service_has() does not change.
 */
int service_default(struct template_service *s, const char *key, const char *value, struct error *err);

/* "[Init]" or "[Service NAME]"; to be freed. */
char *service_section(const struct template_service *s);

/* What no single line shows: names in After= that are not there, circles, a section without Exec=. */
int services_check(const struct parse *p, struct error *err);

void services_free(struct template *t);

#endif
