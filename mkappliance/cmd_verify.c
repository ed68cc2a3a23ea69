/* SPDX-License-Identifier: Apache-2.0 */
/* mkappliance verify IMAGE: offline proof of every byte. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check/verify.h"
#include "cmd.h"
#include "image/provenance.h"
#include "image/sign.h"
#include "lib/cleanup.h"

static struct json *report_json(const char *image, const struct manifest *m,
				const struct verify_report *report)
{
	struct json *j = js_object_new(), *steps = js_array_new();

	js_set_string(j, "image", image);
	js_set_string(j, "name", m->name);
	js_set_string(j, "version", m->version);
	js_set_bytes(j, "root_hash", m->root_hash.b, SHA256_SIZE);
	js_set_bool(j, "ok", report->ok);
	for (size_t i = 0; i < report->count; i++) {
		struct json *step = js_object_new();

		js_set_string(step, "check", report->steps[i].name);
		js_set_bool(step, "ok", report->steps[i].ok);
		js_set_string(step, "detail", report->steps[i].detail);
		js_append(steps, step);
	}
	js_set(j, "checks", steps);
	if (report->partition) {
		struct json *place = js_object_new();

		js_set_string(place, "partition", report->partition);
		js_set_int(place, "block", (int64_t)report->block);
		js_set_string(place, "owner", report->owner);
		js_set(j, "first_difference", place);
		js_set_int(j, "differing_data_blocks", (int64_t)report->differing);
	}
	return j;
}

static void print_report(const struct verify_report *report)
{
	for (size_t i = 0; i < report->count; i++)
		printf("%-10s %-16s %s\n", report->steps[i].ok ? "ok" : "DIFFERS", report->steps[i].name,
		       report->steps[i].detail);
}

/* The message that goes with exit code 3. */
static int refuse(const char *image, const struct verify_report *report, struct error *err)
{
	if (report->partition && report->owner)
		return error_refuse(err, "%s: not what was built: %s, block %ju (%s)", image,
				    report->partition, (uintmax_t)report->block, report->owner);
	if (report->partition)
		return error_refuse(err, "%s: not what was built: %s, block %ju", image, report->partition,
				    (uintmax_t)report->block);
	for (size_t i = 0; i < report->count; i++)
		if (!report->steps[i].ok)
			return error_refuse(err, "%s: not what was built: %s: %s", image,
					    report->steps[i].name, report->steps[i].detail);
	return error_refuse(err, "%s: not what was built", image);
}

/* That somebody vouches for this manifest, before anything is believed of it. */
static int check_provenance(const char *image, const char *manifest_path, const struct manifest *m,
			    const char *key, struct error *err)
{
	_cleanup_free_ char *path = provenance_path_for(image);
	_cleanup_close_ int fd = open(manifest_path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct provenance p;
	struct sha256 digest;
	uint64_t size;
	int r;

	if (fd < 0)
		return error_errno(err, -errno, "%s", manifest_path);
	r = provenance_read(path, key, &p, err);
	if (r == 0)
		r = sha256_of_fd(fd, manifest_path, &digest, &size, err);
	if (r < 0)
		return r;
	if (memcmp(&digest, &p.manifest_digest, sizeof(digest)) != 0)
		return error_refuse(err, "%s: is of another manifest than %s", path, manifest_path);
	if (memcmp(&m->blocks_digest, &p.blocks_digest, sizeof(digest)) != 0)
		return error_refuse(err, "%s: is of another image than %s", path, manifest_path);
	return 0;
}

static int run_verify(const struct command *self, int argc, char **argv, struct error *err)
{
	const char *manifest = NULL, *key = NULL, *certificate = NULL;
	unsigned threads = 0;
	const struct option_spec options[] = {
		{"manifest", 'm', OPTION_STRING, "FILE", "the manifest, if it does not lie beside the image",
		 &manifest},
		{"provenance-key", 0, OPTION_STRING, "FILE",
		 "the public key that must have signed IMAGE's provenance", &key},
		{"root-certificate", 0, OPTION_STRING, "FILE",
		 "the root hash must be signed, and by the key of this certificate", &certificate},
		{"threads", 0, OPTION_NUMBER, "N",
		 "how many threads read and hash (default: one a processor)", &threads},
		{0},
	};
	_cleanup_report_ struct verify_report report = {0};
	_cleanup_manifest_ struct manifest *m = NULL;
	_cleanup_buf_ struct buf der = {0};
	_cleanup_free_ char *beside = NULL, *blocks = NULL;
	struct common_options common;
	const char *image;
	size_t count;
	int r;

	r = cmd_parse(self, options, argc, argv, 1, 1, &image, &count, &common, err);
	if (r != 0)
		return r;
	if (access(image, R_OK) < 0)
		return error_errno(err, -errno, "%s", image);
	beside = manifest_path_for(image);
	r = manifest_read(manifest ? manifest : beside, &m, err);
	if (r < 0)
		return manifest ? r
				: error_prefix(err, "%s: no proof without its manifest (--manifest=FILE)",
					       image);
	r = key ? check_provenance(image, manifest ? manifest : beside, m, key, err) : 0;
	/* Of whatever date: what was signed while it was valid stays signed. */
	if (r == 0 && certificate)
		r = sign_read_certificate(certificate, SIGN_ANY_TIME, &der, err);
	if (r < 0)
		return r;
	blocks = blocks_path_for(image);
	r = verify_image(image, m, access(blocks, R_OK) == 0 ? blocks : NULL, certificate ? &der : NULL,
			 threads, &report, err);
	if (r < 0)
		return r;
	if (common.json) {
		_cleanup_json_ struct json *j = report_json(image, m, &report);

		r = cmd_print_json(j, err);
		if (r < 0)
			return r;
	} else if (!common.quiet) {
		print_report(&report);
	}
	return report.ok ? 0 : refuse(image, &report, err);
}

const struct command cmd_verify = {
	.name = "verify",
	.arguments = "IMAGE",
	.summary = "Prove offline that every byte of an image is what was built",
	.run = run_verify,
};
