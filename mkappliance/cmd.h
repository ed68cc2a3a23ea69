/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line: one table of commands, one table of options a command. --help, the manual's option list and the parser
 * all come from these tables, and a test compares them with mkappliance(1).
 */
#ifndef MKAPPLIANCE_CMD_H
#define MKAPPLIANCE_CMD_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"
#include "lib/json.h"
#include "lib/mem.h"

enum option_kind {
	OPTION_FLAG,   /* bool * */
	OPTION_STRING, /* const char ** (borrowed from argv); the last one counts */
	OPTION_NUMBER, /* unsigned * */
	OPTION_MAYBE,  /* unsigned *; a number only as --name=N, 0 without one */
	OPTION_LIST,   /* struct strlist *; repeats append */
};

struct option_spec {
	const char *name; /* long name without dashes */
	char letter;	  /* 0: none */
	enum option_kind kind;
	const char *value_name; /* "DIR"; NULL for a flag */
	const char *help;
	void *value;
};

struct command {
	const char *name;
	const char *arguments; /* "TEMPLATE" */
	const char *summary;   /* one line */
	/* argv[0] is the command's name. Returns 0, or -errno with @err set. */
	int (*run)(const struct command *self, int argc, char **argv, struct error *err);
};

/* Options that every command has. */
struct common_options {
	bool json;
	bool quiet;
	bool verbose;
};

/*
 * Parses argv against @options (an array that ends in a name of NULL) and the common ones, and sets up the log. Wants from @min to @max
 * positional arguments, handed out in @ret_args (borrowed). Returns 1 when --help was printed and the command is done.
 */
int cmd_parse(const struct command *self, const struct option_spec *options, int argc, char **argv,
	      size_t min, size_t max, const char **ret_args, size_t *ret_count,
	      struct common_options *ret_common, struct error *err);

/* Prints @j to standard output with a newline. -EIO with a message when standard output is full or closed. */
int cmd_print_json(const struct json *j, struct error *err);

/*
 * What an image, whoever made it, says of itself (a name in it), for a line of text on standard output: without anything that would end the
 * line or that a terminal obeys. To be freed.
 */
char *cmd_plain(const char *text);

extern const struct command cmd_new;
extern const struct command cmd_build;
extern const struct command cmd_rebuild;
extern const struct command cmd_verify;
extern const struct command cmd_sbom;
extern const struct command cmd_pcrs;
extern const struct command cmd_attest;
extern const struct command cmd_keygen;
extern const struct command cmd_uefi_vars;
extern const struct command cmd_upload;
extern const struct command cmd_gc;
extern const struct command cmd_aws_policy;
#ifdef WITH_GUESTFS
extern const struct command cmd_inspect;
#endif
#ifdef WITH_LIBVIRT
extern const struct command cmd_boot;
extern const struct command cmd_test;
extern const struct command cmd_deploy;
extern const struct command cmd_status;
extern const struct command cmd_rollback;
extern const struct command cmd_drill;
#endif

#endif
