/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/log.h"

static void print_option(const struct option_spec *o)
{
	bool maybe = o->kind == OPTION_MAYBE;
	char left[48];

	snprintf(left, sizeof(left), "%c%c%s--%s%s%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
		 o->letter ? ", " : "  ", o->name, maybe ? "[" : "", o->value_name ? "=" : "",
		 o->value_name ? o->value_name : "", maybe ? "]" : "");
	printf("  %-28s %s\n", left, o->help);
}

static void print_help(const struct command *self, const struct option_spec *options,
		       const struct option_spec *common)
{
	printf("Usage: mkappliance %s [OPTION...] %s\n\n%s.\n\nOptions:\n", self->name, self->arguments,
	       self->summary);
	for (const struct option_spec *o = options; o->name; o++)
		print_option(o);
	for (const struct option_spec *o = common; o->name; o++)
		print_option(o);
	printf("\nSee mkappliance(1).\n");
}

/* "name" of --name=value or --name, or the letter of -x; NULL when there is none. */
static const struct option_spec *find(const struct option_spec *options, const char *arg, size_t len,
				      char letter)
{
	for (const struct option_spec *o = options; o->name; o++)
		if (letter ? o->letter == letter : strlen(o->name) == len && memcmp(o->name, arg, len) == 0)
			return o;
	return NULL;
}

static int set_value(const struct option_spec *o, const char *value, struct error *err)
{
	unsigned long n;
	char *end;

	/* Of a variable of the shell that is not set; --cache= would mean the root directory. */
	if (o->kind != OPTION_FLAG && !*value)
		return error_usage(err, "option '--%s' has an empty value; leave it out to get the default",
				   o->name);
	switch (o->kind) {
	case OPTION_FLAG:
		*(bool *)o->value = true;
		return 0;
	case OPTION_STRING:
		*(const char **)o->value = value;
		return 0;
	case OPTION_LIST:
		strlist_add(o->value, value);
		return 0;
	case OPTION_NUMBER:
	case OPTION_MAYBE:
		errno = 0;
		n = strtoul(value, &end, 10);
		if (!isdigit((unsigned char)*value) || *end || errno || n > 1000000000)
			return error_usage(err, "--%s: '%s' is not a number", o->name, value);
		*(unsigned *)o->value = (unsigned)n;
		return 0;
	}
	abort();
}

/* Takes the option at argv[*i]; a value may stand in the next word. */
static int take_option(const struct command *self, const struct option_spec *options,
		       const struct option_spec *common, int argc, char **argv, int *i, struct error *err)
{
	const char *arg = argv[*i];
	bool is_long = arg[1] == '-';
	const char *name = arg + (is_long ? 2 : 1);
	const char *value = is_long ? strchr(name, '=') : name[1] ? name : NULL;
	size_t len = is_long ? (value ? (size_t)(value - name) : strlen(name)) : 1;
	const struct option_spec *o = find(options, name, len, is_long ? 0 : *name);

	if (!o)
		o = find(common, name, len, is_long ? 0 : *name);
	if (!o)
		return error_usage(err, "unknown option '%s' (see 'mkappliance %s --help')", arg, self->name);
	if (value)
		value++;
	if (o->kind == OPTION_FLAG && value)
		return error_usage(err, "option '--%s' takes no value", o->name);
	if (o->kind == OPTION_MAYBE && !value)
		value = "0";
	if (o->kind != OPTION_FLAG && !value) {
		if (*i + 1 >= argc)
			return error_usage(err, "option '--%s' needs a value: --%s=%s", o->name, o->name,
					   o->value_name);
		value = argv[++*i];
	}
	return set_value(o, value, err);
}

int cmd_parse(const struct command *self, const struct option_spec *options, int argc, char **argv,
	      size_t min, size_t max, const char **ret_args, size_t *ret_count,
	      struct common_options *ret_common, struct error *err)
{
	struct common_options c = {0};
	bool help = false, no_more_options = false;
	const struct option_spec common[] = {
		{"json", 0, OPTION_FLAG, NULL, "print one JSON document on standard output", &c.json},
		{"quiet", 'q', OPTION_FLAG, NULL, "print errors only", &c.quiet},
		{"verbose", 'v', OPTION_FLAG, NULL, "print every program that is run", &c.verbose},
		{"help", 'h', OPTION_FLAG, NULL, "print this and exit", &help},
		{0},
	};
	size_t count = 0;

	for (int i = 1; i < argc; i++) {
		if (!no_more_options && strcmp(argv[i], "--") == 0) {
			no_more_options = true;
		} else if (!no_more_options && argv[i][0] == '-' && argv[i][1]) {
			int r = take_option(self, options, common, argc, argv, &i, err);

			if (r < 0)
				return r;
		} else if (count == max) {
			return error_usage(err, "unexpected argument '%s' (see 'mkappliance %s --help')",
					   argv[i], self->name);
		} else {
			ret_args[count++] = argv[i];
		}
	}
	if (help) {
		print_help(self, options, common);
		return 1;
	}
	if (count < min)
		return error_usage(err, "missing argument: mkappliance %s %s", self->name, self->arguments);
	log_setup(c.quiet ? LOG_QUIET : c.verbose ? LOG_VERBOSE : LOG_NORMAL);
	*ret_common = c;
	*ret_count = count;
	return 0;
}

int cmd_print_json(const struct json *j, struct error *err)
{
	_cleanup_free_ char *text = js_text(j, false);

	if (fputs(text, stdout) < 0 || fflush(stdout) != 0)
		return error_errno(err, -errno, "standard output");
	return 0;
}

char *cmd_plain(const char *text)
{
	char *plain = xstrdup(text);

	error_one_line(plain);
	return plain;
}
