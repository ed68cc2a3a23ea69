/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the cloud says of this instance, only when the template asks: its host name, and with UserData=env variables for the
 * services' environment. Nothing of it is ever executed or written to a file. Sources: aws (IMDSv2: a token first, never
 * version 1), openstack, nocloud (an ISO 9660 file system labelled cidata, with Rock Ridge names). None of them is
 * trusted: names and variables are checked, sizes are limited.
 */
#ifndef FIRSTBOOT_METADATA_H
#define FIRSTBOOT_METADATA_H

#include <stdbool.h>
#include <stddef.h>

#include "conf.h"
#include "events.h"
#include "line.h"

#define METADATA_MAX	  16384 /* bytes of one document, as EC2 has it for user data */
#define METADATA_ENV_MAX  64
#define METADATA_HOST_MAX 64

/* Fails the boot when the source does not answer within a minute or says something that cannot be; returns before when the
 * machine shall stop (e->stop). Does nothing without Metadata=. */
void metadata_start(const struct conf *c, struct events *e);

/* Variables of the user data, "NAME=value", ends in NULL. */
const char *const *metadata_env(void);

/* ---- pure ---- */

/* A host name (RFC 1123), maybe with white space around it, that sethostname(2) takes. */
bool metadata_hostname(const char *text, size_t len, char ret[METADATA_HOST_MAX + 1]);

/* The string member @key of the JSON object @text; only plain strings without escapes count. */
bool metadata_json(const char *text, size_t len, const char *key, const char **ret, size_t *ret_len);

/* The value in a line "KEY: value" at the start of a line (the YAML of NoCloud's meta-data). */
bool metadata_yaml(const char *text, size_t len, const char *key, const char **ret, size_t *ret_len);

/*
 * User data as an environment file: lines NAME=value, empty ones and '#' comments. @text[len] must be writable: lines are
 * ended in place. 0 and *ret_count, or -EINVAL, and @why says which line. A name that decides what runs (PATH, LD_...)
 * is refused.
 */
int metadata_parse_env(char *text, size_t len, const char *ret[METADATA_ENV_MAX + 1], size_t *ret_count,
		       struct line *why);

/*
 * An HTTP answer: 0 more must come, -EBADMSG, or the status code, with the body. @closed: the other side has sent all.
 * A body needs Content-Length or the end of the connection.
 */
int metadata_http(const char *text, size_t len, bool closed, const char **ret_body, size_t *ret_len);

#endif
