/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that write /appliance.conf share: conf.c the machine's part, conf_service.c the services'. */
#ifndef MKAPPLIANCE_IMAGE_CONF_INTERNAL_H
#define MKAPPLIANCE_IMAGE_CONF_INTERNAL_H

#include "image/accounts.h"
#include "image/conf.h"

/* The text on its way. What cannot be said in it is noted, and refused once at the end. */
struct render {
	struct buf text;
	const char *newline_in; /* key whose value has one: it would begin a line of its own */
	const char *too_many;	/* key that repeats more often than the init takes */
};

/* "Key=value". */
void render(struct render *r, const char *key, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Notes that @key repeats @count times. */
void render_limit(struct render *r, const char *key, size_t count);

/* A line for each, with the limit. */
void render_list(struct render *r, const char *key, const struct strlist *list);

/* @path as @what ("[Init] Exec") names it, a program that @account may run. */
int conf_check_program(const struct template *t, const struct tree *tree, const char *what, const char *path,
		       const struct account *account, struct error *err);

/* The same for a directory. */
int conf_check_directory(const struct tree *tree, const char *what, const char *path, struct error *err);

/* @e, of which @what ("[Init] EnvironmentFile") says @path, has lines that the init takes. */
int conf_check_env_file(const struct tree *tree, const struct tree_entry *e, const char *what,
			const char *path, struct error *err);

/* What the machine has beside its root. */
void conf_put_network(struct render *r, const struct template *t);
int conf_put_data(struct render *r, const struct template *t, const struct tree *tree, struct error *err);
/* What [Sandbox] leaves of the kernel. */
void conf_put_sandbox(struct render *r, const struct template *t);

/* The services, each behind those that it waits for. */
int conf_put_services(struct render *r, const struct template *t, const struct compose_result *c,
		      struct error *err);

#endif
