/* SPDX-License-Identifier: Apache-2.0 */
/* mkappliance build TEMPLATE: compose, build the image, say what came out. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "compose/compose.h"
#include "image/build.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "template/template.h"

struct times {
	double compose, image;
};

static double seconds_since(uint64_t start_ns)
{
	return (double)(clock_ns() - start_ns) / 1e9;
}

static int print_json(const struct image_result *result, const struct times *times, struct error *err)
{
	const struct manifest *m = result->manifest;
	_cleanup_json_ struct json *j = js_object_new();
	struct json *seconds = js_object_new();

	js_set_string(j, "name", m->name);
	js_set_string(j, "version", m->version);
	js_set_string(j, "image", result->image_path);
	js_set_string(j, "manifest", result->manifest_path);
	js_set_string(j, "blocks", result->blocks_path);
	js_set_string(j, "spdx", result->spdx_path);
	js_set_string(j, "cyclonedx", result->cyclonedx_path);
	js_set_string(j, "provenance", result->provenance_path);
	js_set_string(j, "sha256", result->sha256_path);
	js_set_bytes(j, "root_hash", m->root_hash.b, sizeof(m->root_hash.b));
	js_set_bytes(j, "blocks_digest", m->blocks_digest.b, sizeof(m->blocks_digest.b));
	js_set_int(j, "size", (int64_t)m->layout.size);
	js_set_int(j, "nonzero_bytes", (int64_t)m->nonzero_bytes);
	js_set_int(j, "root_bytes", (int64_t)m->layout.part[PART_ROOT].used);
	js_set_int(j, "uki_bytes", (int64_t)m->uki_size);
	js_set_real(seconds, "compose", times->compose);
	js_set_real(seconds, "image", times->image);
	js_set(j, "seconds", seconds);
	return cmd_print_json(j, err);
}

static double mib(uint64_t bytes)
{
	return (double)bytes / (1024 * 1024);
}

static void print_text(const struct image_result *result, const struct times *times)
{
	const struct manifest *m = result->manifest;
	char hex[SHA256_HEX_SIZE];

	hex_encode(m->root_hash.b, sizeof(m->root_hash.b), hex);
	printf("image      %s\n", result->image_path);
	printf("manifest   %s\n", result->manifest_path);
	printf("root hash  %s\n", hex);
	printf("sizes      %.1f MiB not zero of a disk of %.0f MiB: root %.1f, hash tree %.1f, kernel image %.1f MiB\n",
	       mib(m->nonzero_bytes), mib(m->layout.size), mib(m->layout.part[PART_ROOT].used),
	       mib(m->layout.part[PART_VERITY].used), mib(m->uki_size));
	printf("time       compose %.2f s, image %.2f s\n", times->compose, times->image);
}

/* Composes and builds; the times go to @times. */
static int build(struct template *t, struct compose_options *compose_options,
		 struct image_options *image_options, struct times *times, struct image_result *ret,
		 struct error *err)
{
	_cleanup_compose_ struct compose_result composed = {0};
	_cleanup_kernel_hashing_ struct kernel_hashing kernel = {0};
	uint64_t start = clock_ns();
	int r;

	compose_options->kernel_found = kernel_hashing_of;
	compose_options->user = image_options->kernel = &kernel;

	r = compose_run(t, compose_options, &composed, err);
	if (r < 0)
		return r;
	times->compose = seconds_since(start);
	start = clock_ns();
	r = image_build(t, &composed, image_options, ret, err);
	if (r < 0)
		return r;
	times->image = seconds_since(start);
	return 0;
}

static int finish(const struct image_result *result, const struct times *times,
		  const struct common_options *common, struct error *err)
{
	if (common->json)
		return print_json(result, times, err);
	if (!common->quiet)
		print_text(result, times);
	return 0;
}

/* Whatever --locked= names is what the packages, the inputs and the image are compared with; @locked owns it. */
static int read_locked(const char *path, struct locked *locked, struct compose_options *compose_options,
		       struct image_options *image_options, struct error *err)
{
	int r = path ? locked_read(path, locked, err) : 0;

	if (r < 0 || !path)
		return r;
	image_options->locked = locked;
	compose_options->locked = &locked->manifest->packages;
	compose_options->locked_inputs = locked->manifest->inputs;
	compose_options->locked_input_count = locked->manifest->input_count;
	return 0;
}

static int run(const struct command *self, int argc, char **argv, struct error *err)
{
	struct compose_options compose_options = {0};
	struct image_options image_options = {.output_dir = "."};
	struct common_options common;
	const char *version = NULL, *path = NULL, *locked_path = NULL, *sbom = "spdx";
	_cleanup_locked_ struct locked locked = LOCKED_INIT;
	const struct option_spec options[] = {
		{"output", 'o', OPTION_STRING, "DIR", "where the image goes (default: the current directory)",
		 &image_options.output_dir},
		{"version", 0, OPTION_STRING, "VERSION", "instead of the template's Version=", &version},
		{"refresh", 0, OPTION_FLAG, NULL, "do not use cached layers", &compose_options.refresh},
		{"offline", 0, OPTION_FLAG, NULL, "fail rather than call a package manager",
		 &compose_options.offline},
		{"cache", 0, OPTION_STRING, "DIR", "of the layers (default: ~/.cache/mkappliance)",
		 &compose_options.cache_dir},
		{"locked", 0, OPTION_STRING, "MANIFEST", "build exactly what an earlier build was, or refuse",
		 &locked_path},
		{"threads", 0, OPTION_NUMBER, "N", "at most N at work (default: one a processor)",
		 &image_options.threads},
		{"unsigned-out", 0, OPTION_STRING, "FILE", "also write the UKI, to be signed elsewhere",
		 &image_options.unsigned_out},
		{"attach-signature", 0, OPTION_STRING, "FILE",
		 "take the signature of FILE, which is the UKI of --unsigned-out signed",
		 &image_options.attach},
		{"root-hash-out", 0, OPTION_STRING, "FILE",
		 "also write the root hash, to be signed elsewhere", &image_options.root_hash_out},
		{"attach-root-signature", 0, OPTION_STRING, "FILE",
		 "take FILE for the signature of the root hash of --root-hash-out",
		 &image_options.attach_root},
		{"sha256", 0, OPTION_FLAG, NULL, "also write IMAGE.sha256, for sha256sum -c",
		 &image_options.sha256},
		{"sbom", 0, OPTION_STRING, "FORMAT", "spdx, or cyclonedx: another bill of materials besides",
		 &sbom},
		{"provenance-key", 0, OPTION_STRING, "KEY",
		 "sign the provenance by a PEM file or pkcs11: URI, instead of ProvenanceKey=",
		 &image_options.provenance_key},
		{0},
	};
	_cleanup_template_ struct template *t = NULL;
	_cleanup_image_ struct image_result result = {0};
	struct times times = {0};
	size_t count;
	int r;

	r = cmd_parse(self, options, argc, argv, 1, 1, &path, &count, &common, err);
	if (r != 0)
		return r;
	image_options.cyclonedx = strcmp(sbom, "cyclonedx") == 0;
	if (!image_options.cyclonedx && strcmp(sbom, "spdx") != 0)
		return error_usage(err, "--sbom=%s: there is spdx, and cyclonedx besides", sbom);
	if ((r = template_load(path, version, &t, err)) < 0 ||
	    (r = read_locked(locked_path, &locked, &compose_options, &image_options, err)) < 0 ||
	    (r = build(t, &compose_options, &image_options, &times, &result, err)) < 0)
		return r;
	return finish(&result, &times, &common, err);
}

const struct command cmd_build = {
	.name = "build",
	.arguments = "TEMPLATE",
	.summary = "Build a golden image from a template",
	.run = run,
};
