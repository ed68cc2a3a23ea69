/* SPDX-License-Identifier: Apache-2.0 */
/* How the fields of a template are set from text: one setter a kind of value, used by the table in keys.c. */
#ifndef MKAPPLIANCE_TEMPLATE_SETTERS_H
#define MKAPPLIANCE_TEMPLATE_SETTERS_H

#include "template/keys.h"

typedef int key_setter(struct parse *p, const struct key *key, const char *value, struct error *err);

key_setter set_string;	     /* char * */
key_setter set_words;	     /* struct strlist: blanks part words */
key_setter set_path;	     /* char *, made absolute */
key_setter set_private_key;  /* char *: a path made absolute, or a PKCS#11 URI */
key_setter set_path_list;    /* struct strlist: one path a line */
key_setter set_choice;	     /* enum */
key_setter set_number;	     /* unsigned */
key_setter set_seconds;	     /* unsigned */
key_setter set_mebibytes;    /* unsigned */
key_setter set_epoch;	     /* int64_t */
key_setter set_signal;	     /* int */
key_setter set_line;	     /* struct strlist: one string a line */
key_setter set_answer;	     /* bool: the second of two choices is true */
key_setter set_status;	     /* unsigned: the port of ":PORT" */
key_setter set_command_line; /* char *, repeats are joined by a space */
key_setter set_exec;	     /* struct strlist: an argv */
key_setter set_deb_source;   /* template.base.deb_sources */
key_setter set_before;	     /* before of the service */
key_setter set_environment;  /* struct strlist: "NAME=value", each name once */
key_setter set_repository;   /* template.base.repositories */
key_setter set_key_list;     /* struct strlist: one key of signatures a line, path or URL */
key_setter set_copy;	     /* template.files */
key_setter set_ready;	     /* ready_* of the service */
key_setter set_watch;	     /* watch_* of the service */
key_setter set_probe;	     /* template.test.ptr */

/* Of a service and of the sandbox (setters_service.c). */
key_setter set_restart_limit;	  /* restart_limit and restart_window: "5/60s" */
key_setter set_env_file;	  /* struct strlist: paths, maybe behind '-' */
key_setter set_capabilities;	  /* capabilities and has_capabilities */
key_setter set_system_calls;	  /* struct strlist: words, all behind '~' when the value is */
key_setter set_system_call_error; /* unsigned: an errno, "kill" is 0 */
key_setter set_bytes;		  /* uint64_t: "64M", "infinity" is 0 */
key_setter set_tasks;		  /* uint64_t: a number, "infinity" is 0 */
key_setter set_limit;		  /* struct template_limit */
key_setter set_sysctl;		  /* struct strlist: "NAME=VALUE", each name once */

/* Free what a field owns and empty it. Get= and Connect= share a list: each takes its own probes out. */
void release_string(void *field);
void release_strlist(void *field);
void release_deb_sources(void *field);
void release_before(void *field);
void release_files(void *field);
void release_repositories(void *field);
void release_http_probes(void *field);
void release_tcp_probes(void *field);

/* ---- what setters share ---- */

void *setter_field(const struct parse *p, const struct key *key);

/* key->check of one string. */
int setter_check(const struct key *key, const char *value, struct error *err);

/* @value made absolute and, when files are looked for, checked against key->kind; to be freed. */
int setter_path(const struct parse *p, const struct key *key, const char *value, char **ret,
		struct error *err);

/* Usage error unless @path on the host is what @kind says. */
int path_must_be(const char *path, enum path_kind kind, struct error *err);

#endif
