/* SPDX-License-Identifier: Apache-2.0 */
#include "image/cyclonedx.h"

#include <string.h>

#include "image/document.h"
#include "image/purl.h"
#include "image/spdx_license.h"
#include "lib/cleanup.h"

#define SPEC_VERSION "1.5"
#define IMAGE_REF    "image"

/* The document while it is made. */
struct document {
	const struct manifest *m;
	struct json *components; /* owned until they are put together */
	struct json *depends_on; /* as well */
	struct spdx_licenses licenses;
};

static void add_property(struct json *list, const char *name, const char *value)
{
	struct json *j = js_object_new();

	js_set_string(j, "name", name);
	js_set_string(j, "value", value);
	js_append(list, j);
}

static void set_hash(struct json *component, const char *hex)
{
	struct json *list = js_array_new(), *j = js_object_new();

	js_set_string(j, "alg", "SHA-256");
	js_set_string(j, "content", hex);
	js_append(list, j);
	js_set(component, "hashes", list);
}

static void set_supplier(struct json *component, const char *vendor)
{
	struct json *j;

	if (!vendor)
		return;
	j = js_object_new();
	js_set_string(j, "name", vendor);
	js_set(component, "supplier", j);
}

/* As an expression of SPDX; what the list does not have is a reference that keeps the package's own word. */
static void set_license(struct document *d, struct json *component, const char *license)
{
	_cleanup_free_ char *expression = license ? spdx_license(license, &d->licenses) : NULL;
	struct json *list, *j;

	if (!expression)
		return;
	list = js_array_new();
	j = js_object_new();
	js_set_string(j, "expression", expression);
	js_append(list, j);
	js_set(component, "licenses", list);
}

/* What every component has; @version may be NULL. Borrowed from the document. */
static struct json *add_component(struct document *d, const char *type, const char *ref, const char *name,
				  const char *version, const char *vendor)
{
	struct json *j = js_object_new();

	js_set_string(j, "type", type);
	js_set_string(j, "bom-ref", ref);
	set_supplier(j, vendor);
	js_set_string(j, "name", name);
	if (version)
		js_set_string(j, "version", version);
	js_append(d->components, j);
	js_append_string(d->depends_on, ref);
	return j;
}

static const char *type_of(const struct compose_input *in)
{
	static const char *const types[][2] = {
		{"base", "operating-system"}, {"kernel", "operating-system"}, {"package", "application"},
		{"init", "application"},      {"stub", "firmware"},	      {"layer", "container"},
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i][0], in->kind) == 0)
			return types[i][1];
	return "file";
}

static void add_inputs(struct document *d)
{
	for (size_t i = 0; i < d->m->input_count; i++) {
		const struct compose_input *in = &d->m->inputs[i];
		_cleanup_free_ char *ref = xasprintf("input-%zu", i + 1), *purl = document_input_purl(in);
		struct json *properties = js_array_new();
		char hex[SHA256_HEX_SIZE];
		struct json *j = add_component(d, type_of(in), ref, in->package ? in->package : in->name,
					       in->version, in->vendor);

		hex_encode(in->digest.b, sizeof(in->digest.b), hex);
		set_hash(j, hex);
		set_license(d, j, in->license);
		js_set_string(j, "purl", purl);
		add_property(properties, "mkappliance:input", in->kind);
		add_property(properties, "mkappliance:name", in->name);
		js_set(j, "properties", properties);
	}
}

static void add_installed(struct document *d)
{
	for (size_t i = 0; i < d->m->packages.len; i++) {
		const struct installed_package *p = &d->m->packages.list[i];
		_cleanup_free_ char *purl = purl_of_package(p, d->m->os_id, d->m->os_version);
		_cleanup_free_ char *ref = xasprintf("package-%zu", i + 1);
		struct json *j = add_component(d, "library", ref, p->name, p->version, p->vendor);

		if (p->sha256)
			set_hash(j, p->sha256);
		set_license(d, j, p->license);
		js_set_string(j, "purl", purl);
		if (p->source) {
			struct json *properties = js_array_new();

			add_property(properties, "mkappliance:source", p->source);
			js_set(j, "properties", properties);
		}
	}
}

static struct json *image_json(const struct manifest *m)
{
	struct json *j = js_object_new(), *properties = js_array_new();
	_cleanup_free_ char *purl = document_image_purl(m);
	char root[SHA256_HEX_SIZE], blocks[SHA256_HEX_SIZE];

	hex_encode(m->root_hash.b, sizeof(m->root_hash.b), root);
	hex_encode(m->blocks_digest.b, sizeof(m->blocks_digest.b), blocks);
	js_set_string(j, "type", "operating-system");
	js_set_string(j, "bom-ref", IMAGE_REF);
	js_set_string(j, "name", m->name);
	js_set_string(j, "version", m->version);
	js_set_string(j, "purl", purl);
	add_property(properties, "mkappliance:root-hash", root);
	add_property(properties, "mkappliance:blocks-sha256-linear", blocks);
	js_set(j, "properties", properties);
	return j;
}

static struct json *metadata_json(const struct manifest *m)
{
	struct json *j = js_object_new(), *tools = js_object_new(), *list = js_array_new();
	struct json *tool = js_object_new();
	char time[DOCUMENT_TIME_SIZE];

	document_time(m, time);
	js_set_string(j, "timestamp", time);
	js_set_string(tool, "type", "application");
	js_set_string(tool, "name", "mkappliance");
	js_set_string(tool, "version", m->tool_version);
	js_append(list, tool);
	js_set(tools, "components", list);
	js_set(j, "tools", tools);
	js_set(j, "component", image_json(m));
	return j;
}

/* What the references of license expressions stand for. */
static struct json *references_json(const struct spdx_licenses *l)
{
	struct json *list = js_array_new();

	for (size_t i = 0; i < l->ids.len; i++) {
		_cleanup_free_ char *name = xasprintf("mkappliance:license:%s", l->ids.ptr[i]);

		add_property(list, name, l->names.ptr[i]);
	}
	return list;
}

char *cyclonedx_text(const struct manifest *m)
{
	_cleanup_json_ struct json *j = js_object_new();
	struct document d = {.m = m, .components = js_array_new(), .depends_on = js_array_new()};
	struct json *dependencies = js_array_new(), *image = js_object_new();
	_cleanup_free_ char *serial = NULL;
	char uuid[GUID_TEXT_SIZE];

	document_uuid(m, "cyclonedx", uuid);
	serial = xasprintf("urn:uuid:%s", uuid);
	js_set_string(j, "bomFormat", "CycloneDX");
	js_set_string(j, "specVersion", SPEC_VERSION);
	js_set_string(j, "serialNumber", serial);
	js_set_int(j, "version", 1);
	js_set(j, "metadata", metadata_json(m));
	add_inputs(&d);
	add_installed(&d);
	js_set(j, "components", d.components);
	js_set_string(image, "ref", IMAGE_REF);
	js_set(image, "dependsOn", d.depends_on);
	js_append(dependencies, image);
	js_set(j, "dependencies", dependencies);
	if (d.licenses.ids.len)
		js_set(j, "properties", references_json(&d.licenses));
	spdx_licenses_free(&d.licenses);
	return js_text(j, false);
}
