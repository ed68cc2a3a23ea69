/* SPDX-License-Identifier: Apache-2.0 */
/* mkappliance uefi-vars DIR: Secure Boot's variables for firmware that has none yet. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "image/secure_boot.h"
#include "lib/base64.h"
#include "lib/cleanup.h"
#include "lib/io.h"

#define STORE_MAX	 ((size_t)64 << 20)
#define DEFAULT_TEMPLATE "/usr/share/OVMF/OVMF_VARS_4M.fd"
#define AWS_MAX		 64000 /* of UefiData, in base64: RegisterImage, EC2 API Reference */

static int make_aws(const struct efi_variable *v, size_t count, struct buf *ret, struct error *err)
{
	_cleanup_buf_ struct buf blob = {0};

	efi_aws_blob(v, count, &blob);
	base64_add(ret, blob.ptr, blob.len);
	if (ret->len > AWS_MAX)
		return error_set(err, -EFBIG, "the keys need %zu bytes of UefiData, AWS takes %d", ret->len,
				 AWS_MAX);
	return 0;
}

static int make_store(const char *template, const struct efi_variable *v, size_t count, struct buf *ret,
		      struct error *err)
{
	int r = io_read_file(AT_FDCWD, template, STORE_MAX, ret, err);

	if (r == -ENOENT)
		return error_prefix(
			err,
			"no empty variable store to start from (apt-get install ovmf, or --template=FILE)");
	if (r == 0)
		r = efi_store_write((uint8_t *)ret->ptr, ret->len, v, count, err);
	return r < 0 && r != -ENOENT ? error_prefix(err, "%s", template) : r;
}

static int show(const char *output, const char *format, size_t count, const struct common_options *common,
		struct error *err)
{
	_cleanup_json_ struct json *j = NULL;

	if (!common->json) {
		if (!common->quiet)
			printf("%s: %zu variables, Secure Boot on\n", output, count);
		return 0;
	}
	j = js_object_new();
	js_set_string(j, "output", output);
	js_set_string(j, "format", format);
	js_set_int(j, "variables", (int64_t)count);
	return cmd_print_json(j, err);
}

static int run_uefi_vars(const struct command *self, int argc, char **argv, struct error *err)
{
	const char *output = NULL, *format = "ovmf", *template = DEFAULT_TEMPLATE, *dir;
	const struct option_spec options[] = {
		{"output", 'o', OPTION_STRING, "FILE", "where they go", &output},
		{"format", 0, OPTION_STRING, "FORMAT",
		 "ovmf: the store of virtual machines' firmware (default); aws: UefiData of RegisterImage",
		 &format},
		{"template", 0, OPTION_STRING, "FILE",
		 "an empty store of that firmware (default: " DEFAULT_TEMPLATE ")", &template},
		{0},
	};
	_cleanup_secure_boot_ struct secure_boot sb = {0};
	struct efi_variable variables[SECURE_BOOT_VARIABLES];
	_cleanup_buf_ struct buf out = {0};
	struct common_options common;
	size_t count, n;
	bool aws;
	int r;

	r = cmd_parse(self, options, argc, argv, 1, 1, &dir, &count, &common, err);
	if (r != 0)
		return r;
	aws = strcmp(format, "aws") == 0;
	if (!aws && strcmp(format, "ovmf") != 0)
		return error_usage(err, "--format=%s: ovmf or aws", format);
	if (!output)
		return error_usage(err, "where to? --output=FILE");
	r = secure_boot_read(dir, &sb, err);
	if (r < 0)
		return r;
	n = secure_boot_variables(&sb, variables);
	r = aws ? make_aws(variables, n, &out, err) : make_store(template, variables, n, &out, err);
	if (r == 0)
		r = output_write_file(output, out.ptr, out.len, err);
	return r < 0 ? r : show(output, format, n, &common, err);
}

const struct command cmd_uefi_vars = {
	.name = "uefi-vars",
	.arguments = "DIR",
	.summary = "Write the firmware variables that switch Secure Boot on with the keys of DIR",
	.run = run_uefi_vars,
};
