/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of all settings: one line a key says where its value goes, how it is read, what is allowed and
 * when the key has a meaning at all. A new key is a line here, a field in template.h and a paragraph in
 * appliance.conf(5).
 */
#ifndef MKAPPLIANCE_TEMPLATE_KEYS_H
#define MKAPPLIANCE_TEMPLATE_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"
#include "template/names.h"
#include "template/template.h"

/* A template while it is being read. */
struct parse {
	struct template *t;
	struct template_service *service; /* that the section at hand is of; NULL: another section */
	const char *name;		  /* of the template in messages */
	bool look_for_files;		  /* false: paths are not looked for */
	unsigned line;			  /* of the setting at hand */
	unsigned set_at[KEY_LIMIT]; /* by the key's index: the line that set it last, 0: it has its default */
};

/* When a key means something. @text completes "works only with ..." and "with ...". */
struct condition {
	bool (*holds)(const struct template *t);
	const char *text;
};

/* The same for the settings of a service. */
struct service_condition {
	bool (*holds)(const struct template *t, const struct template_service *s);
	const char *text;
};

/* What must be at a path of the host. */
enum path_kind { PATH_ANY, PATH_FILE, PATH_DIRECTORY, PATH_PACKAGE };

struct key {
	const char *name; /* "Section.Key" */
	size_t field;	  /* offset in struct template, or in struct template_service */
	bool service;	  /* "Init.Key" that [Service NAME] has as well */
	/* Reads @value into the field. Its messages do not say where: the caller does. */
	int (*set)(struct parse *p, const struct key *key, const char *value, struct error *err);
	void (*release)(void *field); /* frees what the field owns and empties it; NULL: it owns nothing */
	bool list;		      /* repeats append, an empty value empties; otherwise it is set once */
	name_check *check;	      /* of each string; NULL: any */
	const char *const *choices;   /* the names of an enum in its order */
	unsigned min, max;	      /* of a number */
	enum path_kind kind;	      /* of a path */
	const struct condition *only; /* NULL: always */
	const struct service_condition *with; /* of a service's key; NULL: always */
};

/* The parts of the table, in the order of appliance.conf(5); each ends in a NULL name. */
extern const struct key keys_image[]; /* keys.c */
extern const struct key keys_init[];
extern const struct key keys_machine[];
extern const struct key keys_test[]; /* keys.c */
extern const struct key keys_upload[];

/* The whole of it: key @i, NULL behind the last. */
const struct key *key_at(size_t i);

/* Its place there. */
size_t key_index(const struct key *key);

/* Conditions that several parts have. */
extern const struct condition key_only_appliance;
extern const struct condition key_only_system;

/*
 * Begins "[section]": sets p->service. A usage error proposes the nearest name when there is no such section.
 */
int key_open_section(struct parse *p, const char *section, struct error *err);

/* The key of "[section] name=", or a usage error that proposes the nearest name. */
int key_find(const char *section, const char *name, const struct key **ret, struct error *err);

/* The line that set "Section.Key", 0 when it has its default; of [Init] where services have it too. */
unsigned key_line(const struct parse *p, const char *name);

/* The line that set @key of @s (NULL: a key that is not of services). */
unsigned key_set_at(const struct parse *p, const struct template_service *s, const struct key *key);

/* Sets or, with an empty value, resets. The message begins with "Key=". */
int key_set(struct parse *p, const struct key *key, const char *value, struct error *err);

/* "Key" of "Section.Key". */
const char *key_short_name(const struct key *key);

#endif
