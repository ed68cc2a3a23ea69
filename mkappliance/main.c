/* SPDX-License-Identifier: Apache-2.0 */
/* mkappliance: from an application package to a golden image that cannot change once built. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "lib/error.h"
#include "lib/interrupt.h"
#include "lib/log.h"
#include "version.h"

static const struct command *const commands[] = {
	&cmd_new,     &cmd_build,  &cmd_rebuild,   &cmd_verify, &cmd_sbom,     &cmd_pcrs,
	&cmd_attest,  &cmd_keygen, &cmd_uefi_vars, &cmd_upload, &cmd_gc,       &cmd_aws_policy,
#ifdef WITH_GUESTFS
	&cmd_inspect,
#endif
#ifdef WITH_LIBVIRT
	&cmd_boot,    &cmd_test,   &cmd_deploy,	   &cmd_status, &cmd_rollback, &cmd_drill,
#endif
};

static void print_usage(FILE *f)
{
	fputs("Usage: mkappliance COMMAND [OPTION...]\n\n"
	      "Builds golden machine images that cannot change once built.\n\nCommands:\n",
	      f);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(f, "  %-10s %-24s %s\n", commands[i]->name, commands[i]->arguments,
			commands[i]->summary);
	fputs("\n'mkappliance COMMAND --help' lists a command's options; see mkappliance(1).\n", f);
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

/*
 * A closed standard stream gets a descriptor that can only be used the wrong way round: otherwise the next file
 * that is opened would get its number, and messages would go into an image.
 */
static void keep_standard_streams(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			(void)open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

/* Whoever reads the results must not take a part of them, or nothing, for all. */
static int flush_results(int r, struct error *err)
{
	if (r < 0 || (fflush(stdout) == 0 && !ferror(stdout)))
		return r;
	return error_set(err, -EIO, "standard output is full or closed");
}

/* After an interrupt the shell must see that we died of it, so that a script around us stops too. */
static int finish(int r, struct error *err)
{
	r = flush_results(r, err);
	if (r >= 0)
		return r > 0 ? 0 : EXIT_DONE;
	log_error(err->text);
	if (interrupt_pending())
		return 128 + interrupt_signal();
	return err->exit;
}

int main(int argc, char **argv)
{
	struct error err = ERROR_INIT;
	const struct command *command;

	keep_standard_streams();
	interrupt_setup();
	if (argc < 2) {
		print_usage(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
		print_usage(stdout);
		return finish(0, &err);
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("mkappliance %s\n", MKAPPLIANCE_VERSION);
		return finish(0, &err);
	}
	command = find_command(argv[1]);
	if (!command)
		return finish(error_usage(&err, "unknown command '%s' (see 'mkappliance --help')", argv[1]),
			      &err);
	return finish(command->run(command, argc - 1, argv + 1, &err), &err);
}
