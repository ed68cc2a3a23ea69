/* SPDX-License-Identifier: Apache-2.0 */
#include "image/spdx.h"

#include <ctype.h>
#include <string.h>

#include "image/document.h"
#include "image/purl.h"
#include "image/spdx_license.h"
#include "lib/cleanup.h"

#define IMAGE_ID "SPDXRef-Image"
#define NONE	 "NOASSERTION"

/* The document while it is made. */
struct document {
	const struct manifest *m;
	struct json *packages;	    /* owned until they are put together */
	struct json *relationships; /* as well */
	struct spdx_licenses licenses;
	struct strlist ids;
};

static void relate(struct document *d, const char *from, const char *type, const char *to)
{
	struct json *j = js_object_new();

	js_set_string(j, "spdxElementId", from);
	js_set_string(j, "relationshipType", type);
	js_set_string(j, "relatedSpdxElement", to);
	js_append(d->relationships, j);
}

/* "SPDXRef-PREFIX-TEXT" of letters, digits, '.' and '-', with a number where another has that already. Borrowed. */
static const char *make_id(struct document *d, const char *prefix, const char *text)
{
	_cleanup_buf_ struct buf b = {0};
	size_t len;

	buf_printf(&b, "SPDXRef-%s-", prefix);
	for (; *text; text++)
		buf_add(&b, isalnum((unsigned char)*text) || *text == '.' ? text : "-", 1);
	len = b.len;
	/* Lists are sorted: what could look the same is near. */
	for (size_t i = 0, n = 1; i < 64 && i < d->ids.len; i++)
		if (strcmp(d->ids.ptr[d->ids.len - 1 - i], b.ptr) == 0) {
			b.len = len;
			buf_printf(&b, "-%zu", ++n);
			i = (size_t)-1;
		}
	strlist_add(&d->ids, b.ptr);
	return d->ids.ptr[d->ids.len - 1];
}

static void set_checksum(struct json *package, const char *hex)
{
	struct json *list = js_array_new(), *j = js_object_new();

	js_set_string(j, "algorithm", "SHA256");
	js_set_string(j, "checksumValue", hex);
	js_append(list, j);
	js_set(package, "checksums", list);
}

static void set_purl(struct json *package, const char *purl)
{
	struct json *list = js_array_new(), *j = js_object_new();

	js_set_string(j, "referenceCategory", "PACKAGE-MANAGER");
	js_set_string(j, "referenceType", "purl");
	js_set_string(j, "referenceLocator", purl);
	js_append(list, j);
	js_set(package, "externalRefs", list);
}

/* A location that the format allows: a URL without white space. */
static const char *location(const char *repository)
{
	bool is_url = repository &&
		      (strncmp(repository, "http://", 7) == 0 || strncmp(repository, "https://", 8) == 0 ||
		       strncmp(repository, "ftp://", 6) == 0);

	return is_url && !strpbrk(repository, " \t\"<>\\^`{|}@") ? repository : NONE;
}

/* "NAME <ADDRESS>" as "Organization: NAME (ADDRESS)". */
static void set_supplier(struct json *package, const char *vendor)
{
	_cleanup_buf_ struct buf b = {0};
	size_t open = vendor ? strcspn(vendor, "<") : 0, close = 0;

	for (size_t i = 0; i < open; i++)
		if (!strchr("()", vendor[i]))
			buf_add(&b, vendor + i, 1);
	while (b.len && b.ptr[b.len - 1] == ' ')
		b.ptr[--b.len] = 0;
	if (!b.len) {
		js_set_string(package, "supplier", NONE);
		return;
	}
	if (vendor[open])
		close = strcspn(vendor + open + 1, ">()");

	_cleanup_free_ char *text =
		close ? xasprintf("Organization: %s (%.*s)", b.ptr, (int)close, vendor + open + 1)
		      : xasprintf("Organization: %s", b.ptr);

	js_set_string(package, "supplier", text);
}

/* What every package has; @version may be NULL. Appended to the document, borrowed. */
static struct json *add_package(struct document *d, const char *id, const char *name, const char *version,
				const char *purpose, const char *repository)
{
	struct json *j = js_object_new();

	js_set_string(j, "name", name);
	js_set_string(j, "SPDXID", id);
	if (version)
		js_set_string(j, "versionInfo", version);
	if (purpose)
		js_set_string(j, "primaryPackagePurpose", purpose);
	js_set_string(j, "downloadLocation", location(repository));
	js_set_bool(j, "filesAnalyzed", false);
	js_append(d->packages, j);
	return j;
}

static void set_license(struct document *d, struct json *package, const char *license)
{
	_cleanup_free_ char *expression = license ? spdx_license(license, &d->licenses) : NULL;

	js_set_string(package, "licenseConcluded", NONE);
	js_set_string(package, "licenseDeclared", expression ? expression : NONE);
	js_set_string(package, "copyrightText", NONE);
}

static void add_image(struct document *d)
{
	const struct manifest *m = d->m;
	struct json *j = add_package(d, IMAGE_ID, m->name, m->version, "OPERATING-SYSTEM", NULL);
	_cleanup_free_ char *purl = document_image_purl(m);
	_cleanup_free_ char *file = xasprintf("%s-%s.raw", m->name, m->version), *comment = NULL;
	char root[SHA256_HEX_SIZE], blocks[SHA256_HEX_SIZE];

	hex_encode(m->root_hash.b, sizeof(m->root_hash.b), root);
	hex_encode(m->blocks_digest.b, sizeof(m->blocks_digest.b), blocks);
	comment = xasprintf("dm-verity root hash %s; SHA-256 over the SHA-256 of every 512 KiB block %s",
			    root, blocks);
	js_set_string(j, "packageFileName", file);
	js_set_string(j, "supplier", NONE);
	set_license(d, j, NULL);
	js_set_string(j, "comment", comment);
	set_purl(j, purl);
	relate(d, "SPDXRef-DOCUMENT", "DESCRIBES", IMAGE_ID);
}

static const char *purpose_of(const char *kind)
{
	static const char *const purposes[][2] = {
		{"base", "OPERATING-SYSTEM"},
		{"package", "APPLICATION"},
		{"kernel", "OPERATING-SYSTEM"},
		{"init", "APPLICATION"},
		{"stub", "FIRMWARE"},
		{"template", "SOURCE"},
		{"file", "FILE"},
	};

	for (size_t i = 0; i < sizeof(purposes) / sizeof(purposes[0]); i++)
		if (strcmp(purposes[i][0], kind) == 0)
			return purposes[i][1];
	return "OTHER";
}

static void add_inputs(struct document *d)
{
	for (size_t i = 0; i < d->m->input_count; i++) {
		const struct compose_input *in = &d->m->inputs[i];
		_cleanup_free_ char *text = xasprintf("%s-%zu", in->kind, i + 1);
		_cleanup_free_ char *purl = document_input_purl(in), *comment = NULL;
		const char *id = make_id(d, "Input", text);
		char hex[SHA256_HEX_SIZE];
		struct json *j = add_package(d, id, in->package ? in->package : in->name, in->version,
					     purpose_of(in->kind), in->repository);

		hex_encode(in->digest.b, sizeof(in->digest.b), hex);
		comment = xasprintf("%s: %s", in->kind, in->name);
		set_supplier(j, in->vendor);
		set_license(d, j, in->license);
		js_set_string(j, "comment", comment);
		set_checksum(j, hex);
		set_purl(j, purl);
		relate(d, IMAGE_ID, "GENERATED_FROM", id);
	}
}

static void add_installed(struct document *d)
{
	for (size_t i = 0; i < d->m->packages.len; i++) {
		const struct installed_package *p = &d->m->packages.list[i];
		_cleanup_free_ char *text = xasprintf("%s-%s-%s", p->name, p->version, p->arch);
		_cleanup_free_ char *purl = purl_of_package(p, d->m->os_id, d->m->os_version);
		const char *id = make_id(d, p->type, text);
		struct json *j = add_package(d, id, p->name, p->version, NULL, p->repository);

		set_supplier(j, p->vendor);
		set_license(d, j, p->license);
		if (p->source) {
			_cleanup_free_ char *source = xasprintf("built from source package %s", p->source);

			js_set_string(j, "sourceInfo", source);
		}
		if (p->sha256)
			set_checksum(j, p->sha256);
		set_purl(j, purl);
		relate(d, IMAGE_ID, "CONTAINS", id);
	}
}

static struct json *licenses_json(const struct spdx_licenses *l)
{
	struct json *list = js_array_new();

	for (size_t i = 0; i < l->ids.len; i++) {
		struct json *j = js_object_new();
		_cleanup_free_ char *text = xasprintf(
			"'%s', as the package states it. The text of the license is in the package.",
			l->names.ptr[i]);

		js_set_string(j, "licenseId", l->ids.ptr[i]);
		js_set_string(j, "extractedText", text);
		js_set_string(j, "name", *l->names.ptr[i] ? l->names.ptr[i] : NONE);
		js_append(list, j);
	}
	return list;
}

static struct json *creation_json(const struct manifest *m)
{
	struct json *j = js_object_new(), *creators = js_array_new();
	_cleanup_free_ char *tool = xasprintf("Tool: mkappliance-%s", m->tool_version);
	char text[DOCUMENT_TIME_SIZE];

	document_time(m, text);
	js_append_string(creators, tool);
	js_set_string(j, "created", text);
	js_set(j, "creators", creators);
	return j;
}

static void set_name_space(struct json *document, const struct manifest *m)
{
	_cleanup_free_ char *text = NULL;
	char uuid[GUID_TEXT_SIZE];

	document_uuid(m, "spdx", uuid);
	text = xasprintf("https://spdx.org/spdxdocs/%s-%s-%s", m->name, m->version, uuid);
	js_set_string(document, "documentNamespace", text);
}

char *spdx_text(const struct manifest *m)
{
	_cleanup_json_ struct json *j = js_object_new();
	_cleanup_free_ char *name = xasprintf("%s-%s", m->name, m->version);
	struct document d = {.m = m, .packages = js_array_new(), .relationships = js_array_new()};

	js_set_string(j, "spdxVersion", "SPDX-2.3");
	js_set_string(j, "dataLicense", "CC0-1.0");
	js_set_string(j, "SPDXID", "SPDXRef-DOCUMENT");
	js_set_string(j, "name", name);
	set_name_space(j, m);
	js_set(j, "creationInfo", creation_json(m));
	add_image(&d);
	add_inputs(&d);
	add_installed(&d);
	js_set(j, "packages", d.packages);
	if (d.licenses.ids.len)
		js_set(j, "hasExtractedLicensingInfos", licenses_json(&d.licenses));
	js_set(j, "relationships", d.relationships);
	spdx_licenses_free(&d.licenses);
	strlist_free(&d.ids);
	return js_text(j, false);
}
