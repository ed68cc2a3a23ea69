/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/oci_image.h"

#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"

void oci_image_free(struct oci_image *i)
{
	oci_store_free(&i->store);
	oci_config_free(&i->config);
	for (size_t n = 0; n < i->layer_count; n++)
		free(i->layers[n].member);
	free(i->layers);
	*i = OCI_IMAGE_INIT;
}

/* What the index did not say, the configuration does. */
static int check_platform(const struct oci_image *i, const struct oci_wish *wish, struct error *err)
{
	_cleanup_buf_ struct buf text = {0};

	if (oci_platform_fits(&i->config.platform, wish->arch))
		return 0;
	oci_platform_text(&i->config.platform, &text);
	return error_usage(err, "%s: is an image for %s, the appliance is for linux/%s (Architecture=%s)",
			   i->store.name, text.ptr, wish->arch == ARCH_ARM64 ? "arm64" : "amd64",
			   architecture_name(wish->arch));
}

/* One layer for each diff_id, and nothing that is missing. */
static int check_count(const struct oci_image *i, size_t layers, struct error *err)
{
	if (layers != i->config.diff_id_count)
		return error_set(err, -EINVAL, "%s: has %zu layers, but its configuration lists %zu diff_ids",
				 i->store.name, layers, i->config.diff_id_count);
	if (layers == 0)
		return error_set(err, -EINVAL, "%s: is an image without layers: nothing is in it",
				 i->store.name);
	return 0;
}

static void take_layers(struct oci_image *i, const struct oci_manifest *m)
{
	i->layers = xcalloc(m->layers.len, sizeof(*i->layers));
	for (size_t n = 0; n < m->layers.len; n++) {
		const struct oci_descriptor *d = &m->layers.list[n];

		i->layers[i->layer_count++] = (struct oci_image_layer){.member = oci_blob_path(&d->digest),
								       .has_digest = true,
								       .digest = d->digest,
								       .size = d->size,
								       .diff_id = i->config.diff_ids[n]};
	}
}

static int open_layout(struct oci_image *i, const struct oci_wish *wish, struct error *err)
{
	_cleanup_oci_choice_ struct oci_choice choice = {0};
	_cleanup_oci_manifest_ struct oci_manifest manifest = {0};
	_cleanup_buf_ struct buf text = {0}, config = {0};
	int r = oci_select(&i->store, wish, &choice, err);

	if (r == 0)
		r = oci_store_document(&i->store, &choice.manifest, &text, err);
	if (r == 0 && oci_manifest_parse(text.ptr, text.len, "manifest", &manifest, err) < 0)
		r = error_prefix(err, "%s", i->store.name);
	if (r == 0)
		r = oci_store_document(&i->store, &manifest.config, &config, err);
	if (r == 0 && oci_config_parse(config.ptr, config.len, "configuration", &i->config, err) < 0)
		r = error_prefix(err, "%s", i->store.name);
	if (r == 0)
		r = check_platform(i, wish, err);
	if (r == 0)
		r = check_count(i, manifest.layers.len, err);
	if (r < 0)
		return r;
	i->digest = choice.manifest.digest;
	i->size = text.len;
	i->config_digest = manifest.config.digest;
	i->config_size = config.len;
	take_layers(i, &manifest);
	return 0;
}

/* ---- docker save ---- */

static bool has_tag(const struct docker_image *image, const char *name)
{
	_cleanup_free_ char *latest = xasprintf("%s:latest", name);

	for (size_t i = 0; i < image->tags.len; i++)
		if (strcmp(image->tags.ptr[i], name) == 0 || strcmp(image->tags.ptr[i], latest) == 0)
			return true;
	return false;
}

static char *list_tags(const struct docker_archive *a)
{
	_cleanup_buf_ struct buf b = {0};

	for (size_t i = 0; i < a->len; i++)
		for (size_t n = 0; n < a->list[i].tags.len; n++)
			buf_printf(&b, "%s'%.100s'", b.len ? ", " : "", a->list[i].tags.ptr[n]);
	return b.len ? buf_steal(&b) : xstrdup("some without a name");
}

static int choose_docker(const struct oci_image *i, const struct docker_archive *a,
			 const struct oci_wish *wish, const struct docker_image **ret, struct error *err)
{
	_cleanup_free_ char *names = list_tags(a);

	*ret = NULL;
	for (size_t n = 0; n < a->len; n++) {
		if (wish->name && !has_tag(&a->list[n], wish->name))
			continue;
		if (*ret)
			return error_usage(err, "%s: holds several images: %s; say which: Image=PATH:NAME",
					   i->store.name, names);
		*ret = &a->list[n];
	}
	if (!*ret)
		return error_usage(err, "%s: holds no image '%s', but %s", i->store.name,
				   wish->name ? wish->name : "", names);
	return 0;
}

/* "HEX.json", or "blobs/sha256/HEX" of newer versions, is called as its content hashes. */
static int check_docker_config(const struct oci_image *i, const char *path, struct error *err)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	_cleanup_free_ char *hex = xstrndup(name, strcspn(name, "."));
	struct sha256 said = {0};

	if (!hex_decode(hex, said.b, sizeof(said.b)) || memcmp(&said, &i->config_digest, sizeof(said)) == 0)
		return 0;
	return error_refuse(err, "%s: '%s' is damaged: its SHA-256 is not what its name says", i->store.name,
			    path);
}

static int take_docker_layers(struct oci_image *i, const struct docker_image *image, struct error *err)
{
	i->layers = xcalloc(image->layers.len, sizeof(*i->layers));
	for (size_t n = 0; n < image->layers.len; n++) {
		char *member = NULL;
		const char *wrong =
			layer_clean_path(image->layers.ptr[n], strlen(image->layers.ptr[n]), &member);

		if (wrong)
			return error_set(err, -EINVAL, "%s: layer '%.200s' %s", i->store.name,
					 image->layers.ptr[n], wrong);
		i->layers[i->layer_count++] =
			(struct oci_image_layer){.member = member, .diff_id = i->config.diff_ids[n]};
	}
	return 0;
}

static int open_docker(struct oci_image *i, const struct oci_wish *wish, struct error *err)
{
	_cleanup_docker_archive_ struct docker_archive archive = {0};
	_cleanup_buf_ struct buf text = {0}, config = {0};
	const struct docker_image *image = NULL;
	int r = oci_store_read(&i->store, "manifest.json", &text, err);

	if (r == 0 && docker_archive_parse(text.ptr, text.len, "manifest.json", &archive, err) < 0)
		r = error_prefix(err, "%s", i->store.name);
	if (r == 0)
		r = choose_docker(i, &archive, wish, &image, err);
	if (r == 0)
		r = oci_store_read(&i->store, image->config, &config, err);
	if (r < 0)
		return r;
	sha256_of(config.ptr, config.len, &i->config_digest);
	i->config_size = config.len;
	i->digest = i->config_digest;
	i->size = i->config_size;
	r = check_docker_config(i, image->config, err);
	if (r == 0 && oci_config_parse(config.ptr, config.len, "configuration", &i->config, err) < 0)
		r = error_prefix(err, "%s", i->store.name);
	if (r == 0 && wish->checksum && !oci_has_checksum(wish, &i->digest))
		r = error_refuse(err,
				 "%s: its configuration, which identifies an image of 'docker save', has not "
				 "the digest of [Base] Checksum=%s",
				 i->store.name, wish->checksum);
	if (r == 0)
		r = check_platform(i, wish, err);
	if (r == 0)
		r = check_count(i, image->layers.len, err);
	return r == 0 ? take_docker_layers(i, image, err) : r;
}

int oci_image_open(struct oci_store *store, const struct oci_wish *wish, struct oci_image *ret,
		   struct error *err)
{
	_cleanup_oci_image_ struct oci_image i = OCI_IMAGE_INIT;
	int r;

	i.store = *store;
	*store = OCI_STORE_INIT;
	r = i.store.kind == STORE_DOCKER ? open_docker(&i, wish, err) : open_layout(&i, wish, err);
	if (r < 0)
		return r;
	*ret = i;
	i = OCI_IMAGE_INIT;
	return 0;
}
