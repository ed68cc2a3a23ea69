/* SPDX-License-Identifier: Apache-2.0 */
#include "image/sbom.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "image/manifest.h"
#include "lib/cleanup.h"
#include "lib/hash.h"
#include "lib/io.h"

#define TEXT_MAX_    ((size_t)256 << 20)
#define PACKAGES_MAX 200000u

/* ---- SPDX ---- */

/* A part of a package URL, whose escapes are undone; false when they are none. */
static bool unescape(const char *from, size_t len, struct buf *ret)
{
	for (size_t i = 0; i < len; i++) {
		char hex[3] = {0}, byte = from[i];

		if (byte == '%') {
			if (len - i < 3)
				return false;
			memcpy(hex, from + i + 1, 2);
			if (!hex_decode(hex, &byte, 1))
				return false;
			i += 2;
		}
		if (!isprint((unsigned char)byte) || byte == ' ')
			return false;
		buf_add(ret, &byte, 1);
	}
	return ret->len > 0;
}

/* The architecture that a package URL says. To be freed; NULL: none. */
static char *purl_arch(const char *purl)
{
	const char *at = strpbrk(purl, "?&");

	for (; at; at = strpbrk(at + 1, "&"))
		if (strncmp(at + 1, "arch=", 5) == 0) {
			_cleanup_buf_ struct buf b = {0};

			return unescape(at + 6, strcspn(at + 6, "&#"), &b) ? buf_steal(&b) : NULL;
		}
	return NULL;
}

static const char *purl_of_json(const struct json *package)
{
	const struct json *refs = js_get(package, "externalRefs");

	for (size_t i = 0; i < js_array_len(refs); i++) {
		const struct json *ref = js_array_get(refs, i);
		const char *type = js_string(js_get(ref, "referenceType"));
		const char *purl = js_string(js_get(ref, "referenceLocator"));

		if (type && purl && strcmp(type, "purl") == 0 && strncmp(purl, "pkg:", 4) == 0)
			return purl;
	}
	return NULL;
}

static bool is_word(const char *text)
{
	for (const char *p = text; *p; p++)
		if (!isgraph((unsigned char)*p))
			return false;
	return *text != 0;
}

/* One that says nothing of a package manager is passed over: the image itself, its inputs. */
static int add_spdx_package(const struct json *j, struct installed *ret, struct error *err)
{
	const char *purl = purl_of_json(j), *name, *version = js_string(js_get(j, "versionInfo"));
	_cleanup_free_ char *type = purl ? xstrndup(purl + 4, strcspn(purl + 4, "/")) : NULL;
	_cleanup_free_ char *arch = NULL;
	int r = js_need_string(j, "name", &name, err);

	if (r < 0)
		return r;
	if (!type || strcmp(type, "generic") == 0 || strcmp(type, "oci") == 0)
		return 0;
	arch = purl_arch(purl);
	if (!version || !is_word(name) || !is_word(version) || !is_word(type))
		return error_set(err, -EINVAL, "package '%s': name, version and type are not words", name);
	installed_add(ret, type, name, version, arch ? arch : "unknown");
	return 0;
}

/* The package that the document describes; NULL: it is not said, or not there. */
static const struct json *described(const struct json *document)
{
	const struct json *packages = js_get(document, "packages"),
			  *relations = js_get(document, "relationships");
	const char *id = NULL;

	for (size_t i = 0; i < js_array_len(relations) && !id; i++) {
		const char *type = js_string(js_get(js_array_get(relations, i), "relationshipType"));

		if (type && strcmp(type, "DESCRIBES") == 0)
			id = js_string(js_get(js_array_get(relations, i), "relatedSpdxElement"));
	}
	for (size_t i = 0; i < js_array_len(packages) && id; i++) {
		const char *own = js_string(js_get(js_array_get(packages, i), "SPDXID"));

		if (own && strcmp(own, id) == 0)
			return js_array_get(packages, i);
	}
	return NULL;
}

static int read_spdx(const struct json *j, struct sbom *s, struct error *err)
{
	const struct json *packages = js_get(j, "packages"), *image = described(j);
	const char *version = js_string(js_get(image, "versionInfo")), *name;
	int r = js_need_string(image ? image : j, "name", &name, err);

	if (r < 0)
		return r;
	if (!js_is_array(packages) || js_array_len(packages) > PACKAGES_MAX)
		return error_set(err, -EINVAL, "'packages' is missing, not a list, or has more than %u",
				 PACKAGES_MAX);
	s->name = xstrdup(name);
	s->version = xstrdup(version ? version : "");
	for (size_t i = 0; i < js_array_len(packages); i++) {
		r = add_spdx_package(js_array_get(packages, i), &s->packages, err);
		if (r < 0)
			return error_prefix(err, "packages[%zu]", i);
	}
	return 0;
}

/* ---- either ---- */

static int read_manifest(const char *text, size_t len, const char *name, struct sbom *s, struct error *err)
{
	_cleanup_manifest_ struct manifest *m = NULL;
	int r = manifest_parse(text, len, name, &m, err);

	if (r < 0)
		return r;
	s->name = steal_pointer(&m->name);
	s->version = steal_pointer(&m->version);
	s->packages = m->packages;
	m->packages = (struct installed){0};
	return 0;
}

int sbom_parse(const char *text, size_t len, const char *name, struct sbom *ret, struct error *err)
{
	_cleanup_sbom_ struct sbom s = {.path = xstrdup(name)};
	_cleanup_json_ struct json *j = NULL;
	const char *version;
	int r = js_parse(text, len, name, &j, err);

	if (r == 0 && (version = js_string(js_get(j, "spdxVersion")))) {
		r = strncmp(version, "SPDX-2.", 7) == 0
			    ? read_spdx(j, &s, err)
			    : error_set(err, -EINVAL, "'%s' is not a version of SPDX that is known here: 2.x",
					version);
		if (r < 0)
			r = error_prefix(err, "%s", name);
	} else if (r == 0) {
		r = read_manifest(text, len, name, &s, err);
	}
	if (r < 0) {
		err->exit = EXIT_REFUSED;
		return r;
	}
	installed_sort(&s.packages);
	*ret = s;
	s = (struct sbom){0};
	return 0;
}

static bool is_document(const char *path)
{
	size_t len = strlen(path);

	return len > 5 && strcmp(path + len - 5, ".json") == 0;
}

int sbom_read(const char *path, struct sbom *ret, struct error *err)
{
	_cleanup_free_ char *beside = is_document(path) ? xstrdup(path) : manifest_path_for(path);
	_cleanup_buf_ struct buf b = {0};
	int r;

	if (access(path, R_OK) < 0)
		return error_errno(err, -errno, "%s", path);
	r = io_read_file(AT_FDCWD, beside, TEXT_MAX_, &b, err);
	if (r < 0)
		return is_document(path)
			       ? r
			       : error_prefix(err, "%s: nothing says what is in it without its manifest",
					      path);
	return sbom_parse(b.ptr ? b.ptr : "", b.len, beside, ret, err);
}

void sbom_free(struct sbom *s)
{
	free(s->path);
	free(s->name);
	free(s->version);
	installed_free(&s->packages);
	*s = (struct sbom){0};
}

/* ---- what changed ---- */

static int compare_keys(const struct installed_package *a, const struct installed_package *b)
{
	int r = strcmp(a->name, b->name);

	if (r == 0)
		r = strcmp(a->arch, b->arch);
	return r ? r : strcmp(a->type, b->type);
}

static int by_key(const void *a, const void *b)
{
	const struct installed_package *const *p = a, *const *q = b;
	int r = compare_keys(*p, *q);

	return r ? r : strcmp((*p)->version, (*q)->version);
}

/* Pointers to the packages, by name, architecture, type, version. To be freed. */
static const struct installed_package **ordered(const struct installed *l)
{
	const struct installed_package **list = xcalloc(l->len + 1, sizeof(*list));

	for (size_t i = 0; i < l->len; i++)
		list[i] = &l->list[i];
	qsort(list, l->len, sizeof(*list), by_key);
	return list;
}

/* The packages of one key: those of @l from @at on; leaves out the versions that @other has. Returns how many were looked at. */
static size_t take_key(const struct installed_package **l, const struct installed_package **other,
		       const struct installed_package *key, const struct installed_package **ret,
		       size_t *ret_len)
{
	size_t i;

	*ret_len = 0;
	for (i = 0; l[i] && compare_keys(l[i], key) == 0; i++) {
		bool both = false;

		for (size_t k = 0; other[k] && compare_keys(other[k], key) == 0; k++)
			both = both || strcmp(other[k]->version, l[i]->version) == 0;
		if (!both)
			ret[(*ret_len)++] = l[i];
	}
	return i;
}

void sbom_compare(const struct installed *from, const struct installed *to, struct sbom_changes *ret)
{
	_cleanup_free_ const struct installed_package **a = ordered(from), **b = ordered(to);
	_cleanup_free_ const struct installed_package **gone = xcalloc(from->len + 1, sizeof(*gone));
	_cleanup_free_ const struct installed_package **come = xcalloc(to->len + 1, sizeof(*come));
	size_t i = 0, k = 0;

	while (a[i] || b[k]) {
		const struct installed_package *key =
			!b[k] || (a[i] && compare_keys(a[i], b[k]) < 0) ? a[i] : b[k];
		size_t gone_len, come_len, in_a, in_b;

		in_a = take_key(a + i, b + k, key, gone, &gone_len);
		in_b = take_key(b + k, a + i, key, come, &come_len);
		for (size_t n = 0; n < gone_len || n < come_len; n++) {
			array_grow(ret->list, ret->len, ret->cap);
			ret->list[ret->len++] = (struct sbom_change){.from = n < gone_len ? gone[n] : NULL,
								     .to = n < come_len ? come[n] : NULL};
		}
		i += in_a;
		k += in_b;
	}
}

void sbom_changes_free(struct sbom_changes *c)
{
	free(c->list);
	*c = (struct sbom_changes){0};
}
