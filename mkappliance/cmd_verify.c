/* SPDX-License-Identifier: Apache-2.0 */
/* mkappliance verify IMAGE: offline proof of every byte. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check/verify.h"
#include "cmd.h"
#include "cmd_steps.h"
#include "cmd_verify.h"
#include "image/provenance.h"
#include "image/sign.h"
#include "lib/cleanup.h"

static struct json *report_json(const char *image, const struct manifest *m,
				const struct verify_report *report)
{
	struct json *j = js_object_new();

	js_set_string(j, "image", image);
	js_set_string(j, "name", m->name);
	js_set_string(j, "version", m->version);
	js_set_bytes(j, "root_hash", m->root_hash.b, SHA256_SIZE);
	js_set_bool(j, "ok", report->ok);
	js_set(j, "checks", cmd_steps_json(&report->steps));
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

/* The message that goes with exit code 3. */
static int refuse(const char *image, const struct verify_report *report, struct error *err)
{
	_cleanup_free_ char *what = NULL;

	if (report->partition && report->owner)
		return error_refuse(err, "%s: not what was built: %s, block %ju (%s)", image,
				    report->partition, (uintmax_t)report->block, report->owner);
	if (report->partition)
		return error_refuse(err, "%s: not what was built: %s, block %ju", image, report->partition,
				    (uintmax_t)report->block);
	what = xasprintf("%s: not what was built", image);
	return cmd_steps_refuse(&report->steps, what, err);
}

/* That the bill of materials @path, where it lies there, is the one of the statement @said_by. */
static int check_bill(const char *path, const struct provenance_optional *want, const char *said_by,
		      struct error *err)
{
	_cleanup_close_ int fd = want->there ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
	struct sha256 digest;
	int r;

	if (!want->there || (fd < 0 && errno == ENOENT))
		return 0;
	if (fd < 0)
		return error_errno(err, -errno, "%s", path);
	r = sha256_of_fd(fd, path, &digest, NULL, err);
	if (r < 0 || memcmp(&digest, &want->digest, sizeof(digest)) == 0)
		return r;
	return error_refuse(err, "%s: not what was built: its SHA-256 is not the one that %s says", path,
			    said_by);
}

static int check_bills(const char *image, const struct provenance *p, const char *said_by, struct error *err)
{
	_cleanup_free_ char *spdx = spdx_path_for(image), *cyclonedx = cyclonedx_path_for(image);
	int r = check_bill(spdx, &p->spdx, said_by, err);

	return r < 0 ? r : check_bill(cyclonedx, &p->cyclonedx, said_by, err);
}

/* That the statement beside @image, which @key has signed (NULL: anybody, or nobody), is of this manifest, as it was read. */
static int check_provenance(const char *image, const char *manifest_path, const struct manifest *m,
			    const char *key, struct error *err)
{
	_cleanup_free_ char *path = provenance_path_for(image);
	struct provenance p;
	int r = provenance_read(path, key, &p, err);

	if (r < 0)
		return r;
	if (memcmp(&m->text_digest, &p.manifest_digest, sizeof(m->text_digest)) != 0)
		return error_refuse(err, "%s: is of another manifest than %s", path, manifest_path);
	if (memcmp(&m->blocks_digest, &p.blocks_digest, sizeof(m->blocks_digest)) != 0)
		return error_refuse(err, "%s: is of another image than %s", path, manifest_path);
	return check_bills(image, &p, path, err);
}

/*
 * Whoever it is by, a statement beside the image that names another manifest shows that one of the two was altered, and much of a manifest
 * (packages, PCRs, inputs) no byte of the image can tell.
 */
static int check_statement(const struct verify_arguments *a, const char *manifest_path,
			   const struct manifest *m, struct error *err)
{
	_cleanup_free_ char *path = provenance_path_for(a->image);

	if (a->manifest || access(path, F_OK) < 0)
		return 0;
	return check_provenance(a->image, manifest_path, m, NULL, err);
}

static int show(const struct verify_arguments *a, const struct manifest *m,
		const struct verify_report *report, struct error *err)
{
	if (a->common.json) {
		_cleanup_json_ struct json *j = report_json(a->image, m, report);
		int r = cmd_print_json(j, err);

		if (r < 0)
			return r;
	} else if (!a->common.quiet) {
		cmd_steps_print(&report->steps);
	}
	return report->ok ? 0 : refuse(a->image, report, err);
}

static int verify_file(const struct verify_arguments *a, const struct manifest *m,
		       struct verify_report *report, struct error *err)
{
	_cleanup_free_ char *blocks = blocks_path_for(a->image);

	return verify_image(a->image, m, access(blocks, R_OK) == 0 ? blocks : NULL,
			    a->certificate ? &a->der : NULL, a->threads, report, err);
}

/* Options that mean something for a registered image only. */
static int check_local(const struct verify_arguments *a, struct error *err)
{
	if (a->full || a->region || a->profile || a->endpoint_url || a->connect || a->output)
		return error_usage(
			err, "--full, --region, --profile, --endpoint-url, --connect and --output are for "
			     "PROVIDER:ID, as in aws:ami-...");
	return access(a->image, R_OK) < 0 ? error_errno(err, -errno, "%s", a->image) : 0;
}

/* Of what lies here, or would lie beside the manifest of what is registered: what the files beside it are called by. To be freed. */
static char *local_name(const struct verify_arguments *a, bool remote)
{
	static const char suffix[] = ".manifest.json";
	size_t len = remote ? strlen(a->manifest) : 0, n = sizeof(suffix) - 1;

	if (len > n && strcmp(a->manifest + len - n, suffix) == 0)
		return xasprintf("%.*s.raw", (int)(len - n), a->manifest);
	return xstrdup(remote ? a->manifest : a->image);
}

static int verify_any(struct verify_arguments *a, struct error *err)
{
	_cleanup_report_ struct verify_report report = {0};
	_cleanup_manifest_ struct manifest *m = NULL;
	_cleanup_free_ char *beside = manifest_path_for(a->image), *named = NULL;
	bool remote = verify_is_remote(a->image);
	int r;

	if (remote && !a->manifest)
		return error_usage(err, "%s: what it should hold says a manifest: --manifest=FILE", a->image);
	r = remote ? 0 : check_local(a, err);
	if (r < 0)
		return r;
	named = local_name(a, remote);
	r = manifest_read(a->manifest ? a->manifest : beside, &m, err);
	if (r < 0)
		return a->manifest ? r
				   : error_prefix(err, "%s: no proof without its manifest (--manifest=FILE)",
						  a->image);
	if (a->key)
		r = check_provenance(named, a->manifest ? a->manifest : beside, m, a->key, err);
	else
		r = remote ? 0 : check_statement(a, beside, m, err);
	/* Of whatever date: what was signed while it was valid stays signed. */
	if (r == 0 && a->certificate)
		r = sign_read_certificate(a->certificate, SIGN_ANY_TIME, &a->der, err);
	if (r == 0)
		r = remote ? verify_remote(a, m, &report, err) : verify_file(a, m, &report, err);
	return r < 0 ? r : show(a, m, &report, err);
}

static int run_verify(const struct command *self, int argc, char **argv, struct error *err)
{
	struct verify_arguments a = {.image = NULL};
	const struct option_spec options[] = {
		{"manifest", 'm', OPTION_STRING, "FILE", "the manifest, if it does not lie beside the image",
		 &a.manifest},
		{"provenance-key", 0, OPTION_STRING, "FILE",
		 "the public key that must have signed IMAGE's provenance", &a.key},
		{"root-certificate", 0, OPTION_STRING, "FILE",
		 "the root hash must be signed, and by the key of this certificate", &a.certificate},
		{"threads", 0, OPTION_NUMBER, "N",
		 "how many threads read and hash (default: one a processor)", &a.threads},
		{"full", 0, OPTION_FLAG, NULL, "PROVIDER:ID: every block, not only some", &a.full},
		{"output", 'o', OPTION_STRING, "FILE", "PROVIDER:ID: keep what was read (implies --full)",
		 &a.output},
		{"region", 0, OPTION_STRING, "REGION", "PROVIDER:ID: where it is", &a.region},
		{"profile", 0, OPTION_STRING, "NAME", "PROVIDER:ID: of the provider's configuration",
		 &a.profile},
		{"endpoint-url", 0, OPTION_STRING, "URL", "PROVIDER:ID: another service than its own",
		 &a.endpoint_url},
		{"connect", 0, OPTION_STRING, "URI", "libvirt:POOL/VOLUME: its host", &a.connect},
		{0},
	};
	size_t count;
	int r;

	r = cmd_parse(self, options, argc, argv, 1, 1, &a.image, &count, &a.common, err);
	if (r == 0)
		r = verify_any(&a, err);
	buf_free(&a.der);
	return r;
}

const struct command cmd_verify = {
	.name = "verify",
	.arguments = "IMAGE|PROVIDER:ID",
	.summary = "Prove that every byte of an image is what was built: of a file, or of what is registered",
	.run = run_verify,
};
