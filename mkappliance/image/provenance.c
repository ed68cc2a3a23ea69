/* SPDX-License-Identifier: Apache-2.0 */
#include "image/provenance.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "image/document.h"
#include "image/sign_dsse.h"
#include "lib/cleanup.h"
#include "lib/io.h"

#define BUILD_TYPE    "urn:mkappliance:build:v1"
#define BUILDER_ID    "urn:mkappliance:builder:v1"
#define STATEMENT_MAX ((size_t)256 << 20)

/* ---- writing ---- */

static struct json *digest_json(const char *algorithm, const struct sha256 *digest)
{
	struct json *j = js_object_new();

	js_set_bytes(j, algorithm, digest->b, sizeof(digest->b));
	return j;
}

static struct json *image_json(const struct manifest *m, const struct sha256 *sha256)
{
	struct json *j = js_object_new(), *digest = digest_json("sha256_linear", &m->blocks_digest);
	struct json *annotations = js_object_new(), *pcrs = manifest_pcrs_json(&m->pcrs);
	_cleanup_free_ char *name = xasprintf("%s-%s.raw", m->name, m->version);

	if (sha256)
		js_set_bytes(digest, "sha256", sha256->b, sizeof(sha256->b));
	js_set_string(j, "name", name);
	js_set(j, "digest", digest);
	js_set_bytes(annotations, "root_hash", m->root_hash.b, sizeof(m->root_hash.b));
	js_set_bytes(annotations, "uki_sha256", m->uki_digest.b, sizeof(m->uki_digest.b));
	if (pcrs)
		js_set(annotations, "pcrs", pcrs);
	js_set(j, "annotations", annotations);
	return j;
}

static struct json *subjects_json(const struct manifest *m, const struct sha256 *image_sha256,
				  const struct provenance_file *files, size_t file_count)
{
	struct json *list = js_array_new();

	js_append(list, image_json(m, image_sha256));
	for (size_t i = 0; i < file_count; i++) {
		struct json *j = js_object_new();

		js_set_string(j, "name", files[i].name);
		js_set(j, "digest", digest_json("sha256", &files[i].digest));
		js_append(list, j);
	}
	return list;
}

static struct json *input_json(const struct compose_input *in)
{
	struct json *j = js_object_new(), *annotations = js_object_new();
	_cleanup_free_ char *purl = document_input_purl(in);

	js_set_string(j, "name", in->name);
	js_set_string(j, "uri", purl);
	js_set(j, "digest", digest_json("sha256", &in->digest));
	if (in->repository)
		js_set_string(j, "downloadLocation", in->repository);
	js_set_string(annotations, "kind", in->kind);
	js_set_int(annotations, "size", (int64_t)in->size);
	js_set(j, "annotations", annotations);
	return j;
}

/* What was asked for: all that is not in the template, which is a dependency with its digest. */
static struct json *definition_json(const struct manifest *m)
{
	struct json *j = js_object_new(), *external = js_object_new(), *internal = js_object_new();
	struct json *dependencies = js_array_new();

	js_set_string(external, "name", m->name);
	js_set_string(external, "version", m->version);
	js_set_string(external, "arch", m->arch);
	js_set_string(internal, "kernel", m->kernel_release);
	js_set_string(internal, "command_line", m->command_line);
	js_set_int(internal, "epoch", m->epoch);
	for (size_t i = 0; i < m->input_count; i++)
		js_append(dependencies, input_json(&m->inputs[i]));
	js_set_string(j, "buildType", BUILD_TYPE);
	js_set(j, "externalParameters", external);
	js_set(j, "internalParameters", internal);
	js_set(j, "resolvedDependencies", dependencies);
	return j;
}

static struct json *details_json(const struct manifest *m)
{
	struct json *j = js_object_new(), *builder = js_object_new(), *version = js_object_new();

	js_set_string(version, "mkappliance", m->tool_version);
	js_set_string(builder, "id", BUILDER_ID);
	js_set(builder, "version", version);
	js_set(j, "builder", builder);
	return j;
}

char *provenance_statement(const struct manifest *m, const struct sha256 *image_sha256,
			   const struct provenance_file *files, size_t file_count)
{
	_cleanup_json_ struct json *j = js_object_new();
	struct json *predicate = js_object_new();

	js_set_string(j, "_type", PROVENANCE_STATEMENT_TYPE);
	js_set(j, "subject", subjects_json(m, image_sha256, files, file_count));
	js_set_string(j, "predicateType", PROVENANCE_PREDICATE_TYPE);
	js_set(predicate, "buildDefinition", definition_json(m));
	js_set(predicate, "runDetails", details_json(m));
	js_set(j, "predicate", predicate);
	return js_text(j, false);
}

/* ---- reading ---- */

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len > n && strcmp(text + len - n, end) == 0;
}

/* The digest of the one subject whose name ends so. @ret_there: NULL when it must be there, else whether it is. */
static int find_subject(const struct json *statement, const char *end, const char *algorithm, bool *ret_there,
			struct sha256 *ret, struct error *err)
{
	const struct json *list = js_get(statement, "subject");
	_cleanup_free_ char *path = xasprintf("digest.%s", algorithm);
	size_t found = 0;
	int r;

	for (size_t i = 0; i < js_array_len(list); i++) {
		const char *name = js_string(js_get(js_array_get(list, i), "name"));

		if (!name || !ends_with(name, end))
			continue;
		r = js_need_bytes(js_array_get(list, i), path, ret->b, sizeof(ret->b), err);
		if (r < 0)
			return error_prefix(err, "subject '%s'", name);
		found++;
	}
	if (found > 1 || (found == 0 && !ret_there))
		return error_set(err, -EINVAL, "%zu subjects end in '%s', not one", found, end);
	if (ret_there)
		*ret_there = found == 1;
	return 0;
}

static int need_text(const struct json *j, const char *key, const char *want, struct error *err)
{
	const char *text;
	int r = js_need_string(j, key, &text, err);

	if (r < 0 || strcmp(text, want) == 0)
		return r;
	return error_set(err, -EINVAL, "'%s' is '%s', not '%s'", key, text, want);
}

static int read_statement(const struct json *j, struct provenance *ret, struct error *err)
{
	int r = need_text(j, "_type", PROVENANCE_STATEMENT_TYPE, err);

	if (r == 0)
		r = need_text(j, "predicateType", PROVENANCE_PREDICATE_TYPE, err);
	if (r == 0)
		r = find_subject(j, ".manifest.json", "sha256", NULL, &ret->manifest_digest, err);
	if (r == 0)
		r = find_subject(j, ".raw", "sha256_linear", NULL, &ret->blocks_digest, err);
	if (r == 0)
		r = find_subject(j, ".spdx.json", "sha256", &ret->spdx.there, &ret->spdx.digest, err);
	if (r == 0)
		r = find_subject(j, ".cdx.json", "sha256", &ret->cyclonedx.there, &ret->cyclonedx.digest,
				 err);
	return r;
}

int provenance_parse(const char *text, size_t len, const char *name, const char *key, struct provenance *ret,
		     struct error *err)
{
	_cleanup_json_ struct json *j = NULL, *inner = NULL;
	_cleanup_buf_ struct buf payload = {0};
	struct provenance p = {0};
	int r = js_parse(text, len, name, &j, err);

	if (r < 0) {
		err->exit = EXIT_REFUSED;
		return r;
	}
	p.is_signed = js_get(j, "payload") != NULL;
	if (key && !p.is_signed)
		return error_refuse(err, "%s: the statement is not signed", name);
	if (p.is_signed) {
		r = dsse_open(j, PROVENANCE_PAYLOAD_TYPE, key, &payload, err);
		if (r < 0)
			return error_prefix(err, "%s", name);
		r = js_parse(payload.ptr ? payload.ptr : "", payload.len, name, &inner, err);
	}
	if (r == 0) {
		r = read_statement(p.is_signed ? inner : j, &p, err);
		if (r < 0)
			r = error_prefix(err, "%s", name);
	}
	if (r < 0) {
		err->exit = EXIT_REFUSED;
		return r;
	}
	*ret = p;
	return 0;
}

int provenance_read(const char *path, const char *key, struct provenance *ret, struct error *err)
{
	_cleanup_buf_ struct buf b = {0};
	int r = io_read_file(AT_FDCWD, path, STATEMENT_MAX, &b, err);

	return r < 0 ? r : provenance_parse(b.ptr ? b.ptr : "", b.len, path, key, ret, err);
}
