/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/oci_json.h"

#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"

#define NAME_OCI	"org.opencontainers.image.ref.name"
#define NAME_CONTAINERD "io.containerd.image.name"
#define WORDS_MAX	4096u /* of Entrypoint, Env and the like */

static void platform_free(struct oci_platform *p)
{
	free(p->os);
	free(p->architecture);
	free(p->variant);
}

void oci_descriptor_free(struct oci_descriptor *d)
{
	free(d->media_type);
	platform_free(&d->platform);
	for (size_t i = 0; i < sizeof(d->names) / sizeof(d->names[0]); i++)
		free(d->names[i]);
	*d = (struct oci_descriptor){0};
}

void oci_index_free(struct oci_index *i)
{
	for (size_t n = 0; n < i->len; n++)
		oci_descriptor_free(&i->list[n]);
	free(i->list);
	*i = (struct oci_index){0};
}

void oci_manifest_free(struct oci_manifest *m)
{
	oci_descriptor_free(&m->config);
	oci_index_free(&m->layers);
}

void oci_labels_free(struct oci_labels *l)
{
	for (size_t i = 0; i < l->len; i++) {
		free(l->list[i].name);
		free(l->list[i].value);
	}
	free(l->list);
	*l = (struct oci_labels){0};
}

void oci_config_free(struct oci_config *c)
{
	platform_free(&c->platform);
	free(c->diff_ids);
	strlist_free(&c->entrypoint);
	strlist_free(&c->cmd);
	strlist_free(&c->env);
	strlist_free(&c->ports);
	strlist_free(&c->volumes);
	free(c->user);
	free(c->working_dir);
	free(c->stop_signal);
	oci_labels_free(&c->labels);
	*c = (struct oci_config){0};
}

void docker_archive_free(struct docker_archive *a)
{
	for (size_t i = 0; i < a->len; i++) {
		free(a->list[i].config);
		strlist_free(&a->list[i].tags);
		strlist_free(&a->list[i].layers);
	}
	free(a->list);
	*a = (struct docker_archive){0};
}

int oci_digest_parse(const char *text, struct sha256 *ret, struct error *err)
{
	size_t prefix = strlen(OCI_DIGEST_PREFIX);

	if (strncmp(text, OCI_DIGEST_PREFIX, prefix) != 0)
		return error_set(err, -EINVAL, "'%.100s' is not a digest of the form sha256:HEX", text);
	if (!hex_decode(text + prefix, ret->b, sizeof(ret->b)))
		return error_set(err, -EINVAL, "'%.100s' is not sha256: and 64 hexadecimal digits", text);
	return 0;
}

enum oci_kind oci_kind_of(const char *media_type)
{
	static const struct {
		const char *begin;
		enum oci_kind kind;
		bool whole;
	} types[] = {
		{"application/vnd.oci.image.index.v1+json", OCI_INDEX, true},
		{"application/vnd.docker.distribution.manifest.list.v2+json", OCI_INDEX, true},
		{"application/vnd.oci.image.manifest.v1+json", OCI_MANIFEST, true},
		{"application/vnd.docker.distribution.manifest.v2+json", OCI_MANIFEST, true},
		{"application/vnd.docker.distribution.manifest.v1+", OCI_OLD_MANIFEST, false},
		{"application/vnd.oci.image.config.v1+json", OCI_CONFIG, true},
		{"application/vnd.docker.container.image.v1+json", OCI_CONFIG, true},
		/* With gzip, zstd, or neither: the bytes tell. */
		{"application/vnd.oci.image.layer.v1.tar", OCI_LAYER, false},
		{"application/vnd.oci.image.layer.nondistributable.v1.tar", OCI_LAYER, false},
		{"application/vnd.docker.image.rootfs.diff.tar", OCI_LAYER, false},
		{"application/vnd.docker.image.rootfs.foreign.diff.tar", OCI_LAYER, false},
	};
	size_t len = media_type ? strcspn(media_type, "; ") : 0;

	/* Layers that need a key which we do not have. */
	if (!media_type || strstr(media_type, "+encrypted"))
		return OCI_OTHER;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		size_t n = strlen(types[i].begin);

		if (strncmp(media_type, types[i].begin, n) == 0 && (!types[i].whole || len == n))
			return types[i].kind;
	}
	return OCI_OTHER;
}

/* ---- pieces ---- */

/* A member that may be missing or null; a copy in *@ret. */
static int take_string(const struct json *object, const char *name, char **ret, struct error *err)
{
	const struct json *j = js_member(object, name);
	const char *s = js_string(j);

	if (!s && !js_is_null(j))
		return error_set(err, -EINVAL, "'%s' is not a string", name);
	free(*ret);
	*ret = s ? xstrdup(s) : NULL;
	return 0;
}

/* An array of strings; missing or null is an empty one. */
static int take_strings(const struct json *object, const char *name, struct strlist *ret, struct error *err)
{
	const struct json *j = js_member(object, name);

	if (js_is_null(j))
		return 0;
	if (!js_is_array(j) || js_array_len(j) > WORDS_MAX)
		return error_set(err, -EINVAL, "'%s' is not an array of at most %u strings", name, WORDS_MAX);
	for (size_t i = 0; i < js_array_len(j); i++) {
		const char *s = js_string(js_array_get(j, i));

		if (!s)
			return error_set(err, -EINVAL, "'%s' holds something that is not a string", name);
		strlist_add(ret, s);
	}
	return 0;
}

/* The names of an object's members: Go's form of a set. */
static int take_set(const struct json *object, const char *name, struct strlist *ret, struct error *err)
{
	const struct json *j = js_member(object, name), *value;
	const char *key;
	void *it = NULL;

	if (js_is_null(j))
		return 0;
	if (!js_is_object(j))
		return error_set(err, -EINVAL, "'%s' is not an object", name);
	while (js_next(j, &it, &key, &value)) {
		if (ret->len >= WORDS_MAX)
			return error_set(err, -EINVAL, "'%s' has more than %u members", name, WORDS_MAX);
		strlist_add(ret, key);
	}
	return 0;
}

static int take_platform(const struct json *object, struct oci_platform *ret, struct error *err)
{
	int r = take_string(object, "os", &ret->os, err);

	if (r == 0)
		r = take_string(object, "architecture", &ret->architecture, err);
	return r == 0 ? take_string(object, "variant", &ret->variant, err) : r;
}

static int take_descriptor(const struct json *j, struct oci_descriptor *ret, struct error *err)
{
	const struct json *annotations = js_member(j, "annotations");
	const char *digest = NULL;
	int64_t size = 0;
	int r;

	if (!js_is_object(j))
		return error_set(err, -EINVAL, "a descriptor is not an object");
	r = take_string(j, "mediaType", &ret->media_type, err);
	if (r == 0)
		r = js_need_string(j, "digest", &digest, err);
	if (r == 0)
		r = oci_digest_parse(digest, &ret->digest, err);
	if (r == 0)
		r = js_need_int(j, "size", 0, INT64_MAX, &size, err);
	if (r == 0 && js_is_object(js_member(j, "platform")))
		r = take_platform(js_member(j, "platform"), &ret->platform, err);
	if (r == 0)
		r = take_string(annotations, NAME_OCI, &ret->names[0], err);
	if (r == 0)
		r = take_string(annotations, NAME_CONTAINERD, &ret->names[1], err);
	ret->kind = oci_kind_of(ret->media_type);
	ret->size = (uint64_t)size;
	return r;
}

static int take_descriptors(const struct json *object, const char *name, unsigned max, struct oci_index *ret,
			    struct error *err)
{
	const struct json *j = js_member(object, name);

	if (j && js_is_null(j)) /* Go's form of an empty list */
		return 0;
	if (!js_is_array(j))
		return error_set(err, -EINVAL, "'%s' is missing or not an array", name);
	if (js_array_len(j) > max)
		return error_set(err, -EFBIG, "'%s' has %zu members, more than %u", name, js_array_len(j),
				 max);
	for (size_t i = 0; i < js_array_len(j); i++) {
		int r;

		array_grow(ret->list, ret->len, ret->cap);
		ret->list[ret->len] = (struct oci_descriptor){0};
		r = take_descriptor(js_array_get(j, i), &ret->list[ret->len++], err);
		if (r < 0)
			return error_prefix(err, "'%s', number %zu", name, i);
	}
	return 0;
}

static int open_document(const char *text, size_t len, const char *name, struct json **ret, struct error *err)
{
	if (len > OCI_JSON_MAX)
		return error_set(err, -EFBIG, "%s: is larger than %zu MiB", name, OCI_JSON_MAX >> 20);
	return js_parse(text, len, name, ret, err);
}

/* ---- the documents ---- */

int oci_index_parse(const char *text, size_t len, const char *name, struct oci_index *ret, struct error *err)
{
	_cleanup_oci_index_ struct oci_index index = {0};
	_cleanup_json_ struct json *j = NULL;
	int64_t version;
	int r = open_document(text, len, name, &j, err);

	if (r < 0)
		return r;
	r = js_need_int(j, "schemaVersion", 2, 2, &version, err);
	if (r == 0)
		r = take_descriptors(j, "manifests", OCI_DESCRIPTORS_MAX, &index, err);
	if (r < 0)
		return error_prefix(err, "%s", name);
	*ret = index;
	index = (struct oci_index){0};
	return 0;
}

/* What is not made of layers of a file system has layers of its own kind. */
static int check_layers(const struct oci_manifest *m, struct error *err)
{
	if (m->config.kind != OCI_CONFIG)
		return error_set(err, -EINVAL,
				 "is not a container image: its configuration is of type '%.200s'",
				 m->config.media_type ? m->config.media_type : "");
	for (size_t i = 0; i < m->layers.len; i++)
		if (m->layers.list[i].kind != OCI_LAYER)
			return error_set(
				err, -EINVAL,
				"layer %zu is of type '%.200s', which is not a layer of files that can "
				"be read (tar, tar+gzip or tar+zstd)",
				i + 1, m->layers.list[i].media_type ? m->layers.list[i].media_type : "");
	return 0;
}

int oci_manifest_parse(const char *text, size_t len, const char *name, struct oci_manifest *ret,
		       struct error *err)
{
	_cleanup_oci_manifest_ struct oci_manifest m = {0};
	_cleanup_json_ struct json *j = NULL;
	int64_t version;
	int r = open_document(text, len, name, &j, err);

	if (r < 0)
		return r;
	r = js_need_int(j, "schemaVersion", 2, 2, &version, err);
	if (r == 0 && !js_is_object(js_member(j, "config")))
		r = error_set(err, -EINVAL, "'config' is missing or not an object");
	if (r == 0 && take_descriptor(js_member(j, "config"), &m.config, err) < 0)
		r = error_prefix(err, "'config'");
	if (r == 0)
		r = take_descriptors(j, "layers", OCI_LAYERS_MAX, &m.layers, err);
	if (r == 0)
		r = check_layers(&m, err);
	if (r < 0)
		return error_prefix(err, "%s", name);
	*ret = m;
	m = (struct oci_manifest){0};
	return 0;
}

static int take_labels(const struct json *object, struct oci_labels *ret, struct error *err)
{
	const struct json *j = js_member(object, "Labels"), *value;
	const char *key;
	void *it = NULL;

	if (!js_is_null(j) && !js_is_object(j))
		return error_set(err, -EINVAL, "'Labels' is not an object");
	while (js_next(j, &it, &key, &value)) {
		if (!js_string(value) || ret->len >= WORDS_MAX)
			return error_set(err, -EINVAL, "'Labels' is not an object of at most %u strings",
					 WORDS_MAX);
		array_grow(ret->list, ret->len, ret->cap);
		ret->list[ret->len++] =
			(struct oci_label){.name = xstrdup(key), .value = xstrdup(js_string(value))};
	}
	return 0;
}

/* The part that says how it runs. */
static int take_start(const struct json *j, struct oci_config *c, struct error *err)
{
	int r;

	if (js_is_null(j))
		return 0;
	if (!js_is_object(j))
		return error_set(err, -EINVAL, "'config' is not an object");
	r = take_strings(j, "Entrypoint", &c->entrypoint, err);
	if (r == 0)
		r = take_strings(j, "Cmd", &c->cmd, err);
	if (r == 0)
		r = take_strings(j, "Env", &c->env, err);
	if (r == 0)
		r = take_set(j, "ExposedPorts", &c->ports, err);
	if (r == 0)
		r = take_set(j, "Volumes", &c->volumes, err);
	if (r == 0)
		r = take_string(j, "User", &c->user, err);
	if (r == 0)
		r = take_string(j, "WorkingDir", &c->working_dir, err);
	if (r == 0)
		r = take_string(j, "StopSignal", &c->stop_signal, err);
	c->healthcheck = js_is_object(js_member(j, "Healthcheck"));
	return r == 0 ? take_labels(j, &c->labels, err) : r;
}

static int take_diff_ids(const struct json *j, struct oci_config *c, struct error *err)
{
	_cleanup_strlist_ struct strlist list = {0};
	int r;

	if (!js_is_array(js_member(j, "diff_ids")))
		return error_set(err, -EINVAL, "'rootfs.diff_ids' is missing or not an array");
	r = take_strings(j, "diff_ids", &list, err);
	if (r < 0)
		return r;
	if (list.len > OCI_LAYERS_MAX)
		return error_set(err, -EFBIG, "'rootfs.diff_ids' has %zu members, more than %u", list.len,
				 OCI_LAYERS_MAX);
	c->diff_ids = xcalloc(list.len + 1, sizeof(*c->diff_ids));
	for (; r == 0 && c->diff_id_count < list.len; c->diff_id_count++)
		r = oci_digest_parse(list.ptr[c->diff_id_count], &c->diff_ids[c->diff_id_count], err);
	return r < 0 ? error_prefix(err, "'rootfs.diff_ids'") : 0;
}

int oci_config_parse(const char *text, size_t len, const char *name, struct oci_config *ret,
		     struct error *err)
{
	_cleanup_oci_config_ struct oci_config c = {0};
	_cleanup_json_ struct json *j = NULL;
	int r = open_document(text, len, name, &j, err);

	if (r < 0)
		return r;
	r = take_platform(j, &c.platform, err);
	if (r == 0)
		r = take_diff_ids(js_member(j, "rootfs"), &c, err);
	if (r == 0)
		r = take_start(js_member(j, "config"), &c, err);
	if (r < 0)
		return error_prefix(err, "%s", name);
	*ret = c;
	c = (struct oci_config){0};
	return 0;
}

static int take_docker_image(const struct json *j, struct docker_archive *ret, struct error *err)
{
	struct docker_image *image;
	int r;

	array_grow(ret->list, ret->len, ret->cap);
	image = &ret->list[ret->len++];
	*image = (struct docker_image){0};
	r = take_string(j, "Config", &image->config, err);
	if (r == 0)
		r = take_strings(j, "RepoTags", &image->tags, err);
	if (r == 0)
		r = take_strings(j, "Layers", &image->layers, err);
	if (r == 0 && !image->config)
		r = error_set(err, -EINVAL, "'Config' is missing");
	if (r == 0 && image->layers.len > OCI_LAYERS_MAX)
		r = error_set(err, -EFBIG, "'Layers' has %zu members, more than %u", image->layers.len,
			      OCI_LAYERS_MAX);
	return r;
}

int docker_archive_parse(const char *text, size_t len, const char *name, struct docker_archive *ret,
			 struct error *err)
{
	_cleanup_docker_archive_ struct docker_archive a = {0};
	_cleanup_json_ struct json *j = NULL;
	int r = open_document(text, len, name, &j, err);

	if (r < 0)
		return r;
	if (!js_is_array(j) || js_array_len(j) > OCI_DESCRIPTORS_MAX)
		return error_set(err, -EINVAL, "%s: is not an array of at most %u images", name,
				 OCI_DESCRIPTORS_MAX);
	for (size_t i = 0; r == 0 && i < js_array_len(j); i++)
		r = take_docker_image(js_array_get(j, i), &a, err);
	if (r < 0)
		return error_prefix(err, "%s: image %zu", name, a.len);
	*ret = a;
	a = (struct docker_archive){0};
	return 0;
}
