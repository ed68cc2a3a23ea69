/* SPDX-License-Identifier: Apache-2.0 */
/* [Base] becomes the lowest layers; declared in compose_steps.h. */
#include <string.h>
#include <strings.h>

#include "compose/compose_steps.h"
#include "compose/debian.h"
#include "compose/disk.h"
#include "compose/oci.h"
#include "compose/package.h"
#include "compose/rpm.h"
#include "compose/tar.h"
#include "lib/cleanup.h"

#define LAYER_BASE 0 /* number of the lowest layer */

static int add_debian(struct compose *c, struct error *err)
{
	_cleanup_free_ char *name = xasprintf("base %s", c->t->base.suite);
	int r = debian_base(c->t, &c->cache, &c->base, err);

	if (r < 0)
		return r;
	compose_add_input(&c->result, "base", c->t->base.suite, &c->base.digest, c->base.size);
	return compose_add_cached(c, &c->base, name, LAYER_BASE, MERGE_NO_WHITEOUTS, err);
}

static int add_rpm_base(struct compose *c, struct error *err)
{
	const char *name = c->t->base.release ? c->t->base.release : c->t->base.repositories.ptr[0].name;
	int r = rpm_base(c->t, &c->cache, &c->base, err);

	if (r < 0)
		return r;
	compose_add_input(&c->result, "base", name, &c->base.digest, c->base.size);
	return compose_add_cached(c, &c->base, "base", LAYER_BASE, MERGE_NO_WHITEOUTS, err);
}

int compose_check_base(const struct template *t, const char *path, const struct sha256 *digest,
		       struct error *err)
{
	static const char prefix[] = "sha256:";
	char hex[SHA256_HEX_SIZE];

	hex_encode(digest->b, sizeof(digest->b), hex);
	if (!t->base.checksum || (strncmp(t->base.checksum, prefix, strlen(prefix)) == 0 &&
				  strcasecmp(t->base.checksum + strlen(prefix), hex) == 0))
		return 0;
	return error_refuse(err, "%s: its SHA-256 is %s, [Base] Checksum= says %s", path, hex,
			    t->base.checksum);
}

/* Source=tar and Source=directory. */
static int add_file_base(struct compose *c, struct error *err)
{
	_cleanup_package_ struct package p = PACKAGE_INIT;
	int r;

	r = package_open(c->t->base.path, &c->cache, &p, err);
	if (r < 0)
		return r;
	if (p.kind == ARCHIVE_DEB)
		return error_usage(
			err, "%s: is a package, not a base; put it into [Package] Path=", c->t->base.path);
	if (p.kind != ARCHIVE_NOT) {
		r = compose_check_base(c->t, c->t->base.path, &p.digest, err);
		if (r < 0)
			return r;
	}
	compose_add_input(&c->result, "base", c->t->base.path, &p.digest, p.size);
	return merge_layer(c->m, &p.layer, LAYER_BASE, 0, err);
}

static int add_image_base(struct compose *c, struct error *err)
{
	_cleanup_oci_image_ struct oci_image image = OCI_IMAGE_INIT;
	const char *name = c->t->base.image;
	int r;

	r = oci_open_base(c->t, &c->cache, &image, err);
	if (r == 0)
		r = oci_merge(&image, "base", name, &c->cache, c->m, &c->number, MERGE_SETS_ROOT, &c->result,
			      err);
	if (r < 0)
		return r;
	compose_take_start(c, &image, name);
	oci_default_kernel(c->t, c->m);
	return 0;
}

static int add_disk(struct compose *c, struct error *err)
{
	_cleanup_cached_ struct cached cached = CACHED_INIT;
	_cleanup_layer_ struct layer l = LAYER_INIT;
	int r;

	r = disk_base(c->t, &c->cache, &c->result, &cached, err);
	if (r < 0)
		return r;
	l.name = xasprintf("base %s", c->t->base.image);
	l.fd = steal_fd(&cached.fd);
	r = tar_index(l.fd, l.name, &l, err);
	if (r < 0)
		return error_prefix(err, "%s", cached.path);
	return merge_layer(c->m, &l, LAYER_BASE, MERGE_NO_WHITEOUTS, err);
}

int compose_add_base(struct compose *c, struct error *err)
{
	c->number = LAYER_BASE + 1;
	switch (c->t->base.source) {
	case BASE_NONE:
		return 0;
	case BASE_DEBIAN:
		return add_debian(c, err);
	case BASE_RPM:
		return add_rpm_base(c, err);
	case BASE_DIRECTORY:
	case BASE_TAR:
		return add_file_base(c, err);
	case BASE_OCI:
		c->number = LAYER_BASE;
		return add_image_base(c, err);
	case BASE_DISK:
		return add_disk(c, err);
	}
	return error_usage(err, "[Base] Source= is of a kind that cannot be built");
}
