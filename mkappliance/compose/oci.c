/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/oci.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "compose/compose_internal.h"
#include "compose/oci_fetch.h"
#include "compose/oci_layer.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "template/reference.h"

/* What the tests of this project boot. */
#define KERNEL_SUITE "bookworm"

/* A registry shows the digest of the index of all platforms, and skopeo gives the manifest of one. */
static int explain_checksum(struct error *err)
{
	_cleanup_free_ char *text = xstrdup(err->text);

	if (!strstr(text, "Checksum="))
		return err->code;
	return error_refuse(
		err, "%s; that of an index of platforms goes into Image=: docker://NAME@sha256:...", text);
}

int oci_open_base(const struct template *t, const struct cache *cache, struct oci_image *ret,
		  struct error *err)
{
	_cleanup_oci_store_ struct oci_store store = OCI_STORE_INIT;
	_cleanup_reference_ struct reference ref = {0};
	struct oci_wish wish = {.checksum = t->base.checksum, .arch = t->appliance.arch};
	int r = reference_parse(t->dir, t->base.image, &ref, err);

	if (r < 0)
		return r;
	wish.name = ref.name;
	if (ref.registry)
		r = oci_fetch(ref.path, wish.arch, cache, &store, err);
	else
		r = oci_store_open(ref.path, cache, &store, err);
	if (r < 0)
		return r;
	r = oci_image_open(&store, &wish, ret, err);
	return r == -EBADMSG && ref.registry && wish.checksum ? explain_checksum(err) : r;
}

int oci_open_package(const struct template *t, struct oci_store *store, struct oci_image *ret,
		     struct error *err)
{
	const struct oci_wish wish = {.arch = t->appliance.arch};

	return oci_image_open(store, &wish, ret, err);
}

/* Those of a later image replace those of the same name. */
static void add_labels(const struct oci_labels *from, struct oci_labels *to)
{
	for (size_t i = 0; i < from->len; i++) {
		size_t n = 0;

		while (n < to->len && strcmp(to->list[n].name, from->list[i].name) != 0)
			n++;
		if (n == to->len) {
			array_grow(to->list, to->len, to->cap);
			to->list[to->len++] = (struct oci_label){.name = xstrdup(from->list[i].name)};
		}
		free(to->list[n].value);
		to->list[n].value = xstrdup(from->list[i].value);
	}
}

static char *label(const struct oci_labels *l, const char *name)
{
	for (size_t i = 0; i < l->len; i++)
		if (strcmp(l->list[i].name, name) == 0)
			return xstrdup(l->list[i].value);
	return NULL;
}

/* The image itself, and its configuration. */
static void add_inputs(const struct oci_image *image, const char *kind, const char *name,
		       struct compose_result *result)
{
	_cleanup_free_ char *config = xasprintf("%s: configuration", name);
	const struct oci_config *c = &image->config;
	struct compose_input *in = compose_add_input(result, kind, name, &image->digest, image->size);

	in->package = label(&c->labels, "org.opencontainers.image.title");
	in->version = label(&c->labels, "org.opencontainers.image.version");
	in->license = label(&c->labels, "org.opencontainers.image.licenses");
	in->vendor = label(&c->labels, "org.opencontainers.image.vendor");
	in->arch = c->platform.architecture ? xstrdup(c->platform.architecture) : NULL;
	if (strncmp(name, REFERENCE_REGISTRY, strlen(REFERENCE_REGISTRY)) == 0)
		in->repository = xstrdup(name);
	compose_add_input(result, "config", config, &image->config_digest, image->config_size);
}

static int add_layer_input(const struct oci_image *image, size_t number, const char *name, int fd,
			   struct compose_result *result, struct error *err)
{
	const struct oci_image_layer *l = &image->layers[number];
	_cleanup_free_ char *layer = xasprintf("%s: layer %zu of %zu", name, number + 1, image->layer_count);
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, -errno, "%s", layer);
	if (l->has_digest)
		compose_add_input(result, "layer", layer, &l->digest, l->size);
	else
		compose_add_input(result, "layer", layer, &l->diff_id, (uint64_t)st.st_size);
	return 0;
}

int oci_merge(const struct oci_image *image, const char *kind, const char *name, const struct cache *cache,
	      struct merge *m, unsigned *number, unsigned flags, struct compose_result *result,
	      struct error *err)
{
	int r = 0;

	add_inputs(image, kind, name, result);
	for (size_t i = 0; r == 0 && i < image->layer_count; i++) {
		_cleanup_layer_ struct layer l = LAYER_INIT;

		r = oci_layer_get(image, i, cache, &l, err);
		if (r == 0)
			r = add_layer_input(image, i, name, l.fd, result, err);
		if (r == 0)
			r = merge_layer(m, &l, (*number)++, flags, err);
		if (r == 0)
			r = interrupt_check(err);
	}
	add_labels(&image->config.labels, &result->labels);
	return r;
}

static bool has_kernel(const struct merge *m)
{
	_cleanup_strlist_ struct strlist names = {0};

	merge_list(m, "lib/modules", &names);
	return names.len > 0;
}

void oci_default_kernel(struct template *t, const struct merge *m)
{
	static const struct {
		const char *package, *console;
	} defaults[] = {[ARCH_X86_64] = {"linux-image-cloud-amd64", "console=ttyS0"},
			[ARCH_ARM64] = {"linux-image-cloud-arm64", "console=ttyAMA0"}};

	if (!template_has(t, "Kernel.CommandLine")) {
		free(t->kernel.command_line);
		t->kernel.command_line = xstrdup(defaults[t->appliance.arch].console);
	}
	if (!t->kernel.package && !t->kernel.image && !has_kernel(m))
		t->kernel.package = xstrdup(defaults[t->appliance.arch].package);
	if (t->kernel.package && !t->base.suite)
		t->base.suite = xstrdup(KERNEL_SUITE);
}
