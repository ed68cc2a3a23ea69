/* SPDX-License-Identifier: Apache-2.0 */
/* mkappliance inspect IMAGE: what is inside, without running it. */
#include <inttypes.h>
#include <stdio.h>

#include "check/inspect.h"
#include "cmd.h"
#include "lib/cleanup.h"

static struct json *partitions_json(const struct inspection *in)
{
	struct json *list = js_array_new();

	for (size_t i = 0; i < in->partition_count; i++) {
		const struct inspect_partition *p = &in->partitions[i];
		struct json *j = js_object_new();

		js_set_int(j, "number", p->number);
		js_set_string(j, "name", p->name);
		js_set_string(j, "uuid", p->uuid);
		js_set_string(j, "type", p->type);
		js_set_string(j, "filesystem", *p->filesystem ? p->filesystem : NULL);
		js_set_int(j, "offset", (int64_t)p->offset);
		js_set_int(j, "size", (int64_t)p->size);
		js_append(list, j);
	}
	return list;
}

static struct json *files_json(const struct inspection *in)
{
	struct json *list = js_array_new();

	for (size_t i = 0; i < in->file_count; i++) {
		const struct inspect_file *f = &in->files[i];
		struct json *j = js_object_new();
		char mode[16];

		snprintf(mode, sizeof(mode), "%06o", f->mode);
		js_set_string(j, "path", f->path);
		js_set_string(j, "mode", mode);
		js_set_int(j, "uid", f->uid);
		js_set_int(j, "gid", f->gid);
		js_set_int(j, "size", (int64_t)f->size);
		if (f->sha256)
			js_set_string(j, "sha256", f->sha256);
		js_append(list, j);
	}
	return list;
}

static struct json *packages_json(const struct inspection *in)
{
	struct json *list = js_array_new();

	for (size_t i = 0; i < in->package_count; i++) {
		struct json *j = js_object_new();

		js_set_string(j, "name", in->packages[i].name);
		js_set_string(j, "version", in->packages[i].version);
		js_set_string(j, "arch", in->packages[i].arch);
		js_append(list, j);
	}
	return list;
}

static int print_json(const char *image, const struct inspection *in, const struct inspect_options *o,
		      struct error *err)
{
	_cleanup_json_ struct json *j = js_object_new();

	js_set_string(j, "image", image);
	js_set_string(j, "os", in->os);
	js_set(j, "partitions", partitions_json(in));
	if (o->files)
		js_set(j, "files", files_json(in));
	if (o->packages)
		js_set(j, "packages", packages_json(in));
	return cmd_print_json(j, err);
}

static void print_partition(const struct inspect_partition *p)
{
	_cleanup_free_ char *name = cmd_plain(p->name), *filesystem = cmd_plain(p->filesystem);

	printf("partition   %d %-12s %-14s %8ju KiB at %8ju KiB  %s\n", p->number, name,
	       *filesystem ? filesystem : "-", (uintmax_t)p->size / 1024, (uintmax_t)p->offset / 1024,
	       p->uuid);
}

static void print_file(const struct inspect_file *f)
{
	_cleanup_free_ char *path = cmd_plain(f->path);

	printf("%s%s%06o %5u %5u %10ju  %s\n", f->sha256 ? f->sha256 : "", f->sha256 ? "  " : "", f->mode,
	       f->uid, f->gid, (uintmax_t)f->size, path);
}

static void print_text(const struct inspection *in)
{
	_cleanup_free_ char *os = cmd_plain(in->os ? in->os : "none that libguestfs knows");

	printf("os          %s\n", os);
	for (size_t i = 0; i < in->partition_count; i++)
		print_partition(&in->partitions[i]);
	for (size_t i = 0; i < in->file_count; i++)
		print_file(&in->files[i]);
	for (size_t i = 0; i < in->package_count; i++) {
		_cleanup_free_ char *line = xasprintf("%s %s %s", in->packages[i].name,
						      in->packages[i].version, in->packages[i].arch);
		_cleanup_free_ char *plain = cmd_plain(line);

		printf("package     %s\n", plain);
	}
}

static int run_inspect(const struct command *self, int argc, char **argv, struct error *err)
{
	struct inspect_options o = {0};
	const struct option_spec options[] = {
		{"files", 0, OPTION_FLAG, NULL, "list every file: mode, owner, group, size", &o.files},
		{"checksums", 0, OPTION_FLAG, NULL, "with --files: the SHA-256 of each regular file",
		 &o.checksums},
		{"packages", 0, OPTION_FLAG, NULL, "list the packages that the root's database knows",
		 &o.packages},
		{0},
	};
	_cleanup_inspection_ struct inspection in = {0};
	struct common_options common;
	const char *image;
	size_t count;
	int r;

	r = cmd_parse(self, options, argc, argv, 1, 1, &image, &count, &common, err);
	if (r != 0)
		return r;
	if (o.checksums && !o.files)
		return error_usage(err, "--checksums goes with --files");
	r = inspect_image(image, &o, &in, err);
	if (r < 0)
		return r;
	if (common.json)
		return print_json(image, &in, &o, err);
	print_text(&in);
	return 0;
}

const struct command cmd_inspect = {
	.name = "inspect",
	.arguments = "IMAGE",
	.summary = "Show what is inside an image, read by libguestfs",
	.run = run_inspect,
};
