/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the parser of /appliance.conf share: each has a table of keys, conf.c reads the lines. */
#ifndef FIRSTBOOT_CONF_INTERNAL_H
#define FIRSTBOOT_CONF_INTERNAL_H

#include "conf.h"

enum conf_kind {
	KIND_TEXT,    /* not empty */
	KIND_ANY,     /* may be empty */
	KIND_HEX,     /* 64 lower case hex digits */
	KIND_UUID,    /* lower case */
	KIND_PATH,    /* absolute, at most max bytes where that is not 0 */
	KIND_NUMBER,  /* min to max */
	KIND_CHOICE,  /* an index into choices */
	KIND_FILTER,  /* filter_check() takes it */
	KIND_NUMBERS, /* the rest are lists: the line repeats */
	KIND_TEXTS,
	KIND_PATHS,
	KIND_ARGS,
	KIND_BEFORE,
	KIND_ENV,
	KIND_LIMIT,    /* conf_limit() takes it */
	KIND_ENV_FILE, /* a path, behind '-' when it need not be there */
	KIND_SYSCTL,   /* "NAME=VALUE", behind '-' when it need not be there */
};

enum conf_mode { MODE_BOTH, MODE_SYSTEM, MODE_APPLIANCE };

struct conf_key {
	const char *name;
	enum conf_kind kind;
	enum conf_mode mode; /* where it may stand, and must, unless optional */
	bool optional;
	size_t offset; /* in struct conf, of a service's key in struct conf_service */
	uint64_t min;
	uint64_t max;
	const char *const *choices;
};

#define CONF_KEYS_MAX 64			 /* of a table */
#define CONF_ID_MAX   ((uint64_t)UINT32_MAX - 1) /* the last one means "no change" to the kernel */

/* Each ends in a NULL name. */
extern const struct conf_key conf_boot_keys[];
extern const struct conf_key conf_machine_keys[]; /* Mode=appliance */
extern const struct conf_key conf_service_keys[];

/* Puts @value where it belongs, @field, when it is what @k wants; of a list to the pool of @conf. @seen: the key was there before. */
int conf_store(const struct conf_key *k, const char *value, bool seen, struct conf *conf, void *field,
	       struct line *detail);

/* What no single line of a service shows. @conf has the services before it. */
int conf_check_service(const struct conf *conf, struct conf_service *s, struct line *detail);

#endif
