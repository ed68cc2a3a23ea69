/* SPDX-License-Identifier: Apache-2.0 */
/* One image of a store: chosen by name and platform, its manifest and configuration checked. */
#ifndef MKAPPLIANCE_COMPOSE_OCI_IMAGE_H
#define MKAPPLIANCE_COMPOSE_OCI_IMAGE_H

#include "compose/oci_store.h"
#include "template/template.h"

#define OCI_DEPTH_MAX 8u /* of indexes in indexes */

struct oci_image_layer {
	char *member; /* path in the store */
	bool has_digest;
	struct sha256 digest; /* of the blob as it lies there; a docker-archive does not say it */
	uint64_t size;
	struct sha256 diff_id; /* of the plain tar */
};

struct oci_image {
	struct oci_store store;
	struct sha256 digest; /* of the manifest; of a docker-archive, which has none, of the configuration */
	uint64_t size;
	struct sha256 config_digest;
	uint64_t config_size;
	struct oci_config config;
	struct oci_image_layer *layers; /* lowest first */
	size_t layer_count;
};

#define OCI_IMAGE_INIT ((struct oci_image){.store = OCI_STORE_INIT})

/* Which image is wanted. */
struct oci_wish {
	const char *name;     /* NULL: the only one */
	const char *checksum; /* "sha256:HEX" of its manifest or of an index that leads to it; NULL: any */
	enum architecture arch;
};

/*
 * Takes *@store, also on failure. Usage errors name what there is: images when several would do, platforms when none does. What
 * differs from its digest, or from wish->checksum, is refused (exit code 3).
 */
int oci_image_open(struct oci_store *store, const struct oci_wish *wish, struct oci_image *ret,
		   struct error *err);
void oci_image_free(struct oci_image *i);
#define _cleanup_oci_image_ __attribute__((cleanup(oci_image_free)))

/* ---- between oci_image.c and oci_select.c ---- */

/* A manifest that an index leads to. */
struct oci_choice {
	struct oci_descriptor manifest; /* owned copy */
	bool pinned;			/* it, or an index on the way, has wish->checksum */
};

/* Of a store of kind STORE_LAYOUT. */
int oci_select(const struct oci_store *s, const struct oci_wish *wish, struct oci_choice *ret,
	       struct error *err);
void oci_choice_free(struct oci_choice *c);
#define _cleanup_oci_choice_ __attribute__((cleanup(oci_choice_free)))

bool oci_has_checksum(const struct oci_wish *wish, const struct sha256 *digest);

/* "linux/arm64/v8" for messages; what is not said is "?". Appended to @out. */
void oci_platform_text(const struct oci_platform *p, struct buf *out);

/* Whether an image for @p runs on @arch; what is not said does not tell. */
bool oci_platform_fits(const struct oci_platform *p, enum architecture arch);

#endif
