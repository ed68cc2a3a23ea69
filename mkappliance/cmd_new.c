/* SPDX-License-Identifier: Apache-2.0 */
/* mkappliance new DIR: a template to begin with. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "lib/cleanup.h"
#include "template/starter.h"

#define PROGRAM "hello"

/* Where the example's program is: beside this one as it was built, or installed. To be freed. */
static char *find_program(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *beside, *slash;

	path[n > 0 ? n : 0] = 0;
	slash = strrchr(path, '/');
	if (!slash)
		return xstrdup(LIBEXECDIR "/" PROGRAM);
	beside = xasprintf("%.*s/" PROGRAM, (int)(slash - path), path);
	if (access(beside, R_OK) == 0)
		return beside;
	free(beside);
	return xstrdup(LIBEXECDIR "/" PROGRAM);
}

static int print_json(const char *dir, const struct strlist *files, struct error *err)
{
	_cleanup_json_ struct json *j = js_object_new();
	struct json *list = js_array_new();

	js_set_string(j, "template", dir);
	for (size_t i = 0; i < files->len; i++)
		js_append_string(list, files->ptr[i]);
	js_set(j, "files", list);
	return cmd_print_json(j, err);
}

static int run_new(const struct command *self, int argc, char **argv, struct error *err)
{
	_cleanup_free_ char *program = find_program();
	struct starter s = {.program = program};
	const struct option_spec options[] = {
		{"source", 0, OPTION_STRING, "SOURCE", STARTER_SOURCES " (default: debian)", &s.source},
		{"name", 0, OPTION_STRING, "NAME", "of the appliance (default: that of the directory)",
		 &s.name},
		{"image", 0, OPTION_STRING, "IMAGE", "oci, disk, tar, directory: the base", &s.image},
		{"repository", 0, OPTION_STRING, "URL", "rpm: where the packages are", &s.repository},
		{"gpgkey", 0, OPTION_STRING, "FILE", "rpm: the key of its signatures, or none", &s.gpgkey},
		{"package", 0, OPTION_STRING, "FILE", "the application: .deb, .rpm, .apk, tar or directory",
		 &s.package},
		{"exec", 0, OPTION_STRING, "COMMAND", "the command line that starts it", &s.exec},
		{"unit", 0, OPTION_STRING, "UNIT", "or the unit of its package that does", &s.unit},
		{0},
	};
	_cleanup_strlist_ struct strlist files = {0};
	struct common_options common;
	const char *dir;
	size_t count;
	int r;

	r = cmd_parse(self, options, argc, argv, 1, 1, &dir, &count, &common, err);
	if (r != 0)
		return r;
	r = starter_write(dir, &s, &files, err);
	if (r < 0)
		return r;
	if (common.json)
		return print_json(dir, &files, err);
	for (size_t i = 0; !common.quiet && i < files.len; i++)
		printf("%s/%s\n", dir, files.ptr[i]);
	return 0;
}

const struct command cmd_new = {
	.name = "new",
	.arguments = "DIR",
	.summary = "Write a commented template that builds as it stands",
	.run = run_new,
};
