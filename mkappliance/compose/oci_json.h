/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The documents of container images: OCI image-spec 1.1 (image-layout.md, image-index.md, manifest.md, config.md, annotations.md),
 * Docker's "Image Manifest Version 2, Schema 2", and the manifest.json of "docker save". Pure functions of text that nobody has
 * vouched for. Messages begin with the document's name.
 */
#ifndef MKAPPLIANCE_COMPOSE_OCI_JSON_H
#define MKAPPLIANCE_COMPOSE_OCI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "lib/hash.h"
#include "lib/mem.h"

#define OCI_JSON_MAX	    ((size_t)4 << 20) /* bytes of a document: what registries take */
#define OCI_DESCRIPTORS_MAX 1024u	      /* of an index */
#define OCI_LAYERS_MAX	    512u
#define OCI_DIGEST_PREFIX   "sha256:"

enum oci_kind {
	OCI_OTHER, /* nothing that a file system is made of: signatures, attestations, charts */
	OCI_INDEX,
	OCI_MANIFEST,
	OCI_CONFIG,
	OCI_LAYER,
	OCI_OLD_MANIFEST, /* Docker's schema 1 */
};

struct oci_platform {
	char *os; /* NULL: it is not said */
	char *architecture;
	char *variant;
};

struct oci_descriptor {
	enum oci_kind kind;
	char *media_type;
	struct sha256 digest;
	uint64_t size;
	struct oci_platform platform;
	char *names[2]; /* org.opencontainers.image.ref.name, io.containerd.image.name; NULL */
};

struct oci_index {
	struct oci_descriptor *list;
	size_t len;
	size_t cap;
};

struct oci_manifest {
	struct oci_descriptor config;
	struct oci_index layers; /* lowest first */
};

/* An annotation or a label. */
struct oci_label {
	char *name;
	char *value;
};

struct oci_labels {
	struct oci_label *list;
	size_t len;
	size_t cap;
};

struct oci_config {
	struct oci_platform platform;
	struct sha256 *diff_ids; /* of the layers as plain tars */
	size_t diff_id_count;
	struct strlist entrypoint;
	struct strlist cmd;
	struct strlist env;	/* "NAME=value" */
	struct strlist ports;	/* "80/tcp"; sorted as in the document */
	struct strlist volumes; /* paths */
	char *user;		/* "", "name", "1000:1000"; NULL: not said */
	char *working_dir;
	char *stop_signal;
	bool healthcheck;
	struct oci_labels labels;
};

/* One image of a docker-archive: paths of members. */
struct docker_image {
	char *config;
	struct strlist tags;
	struct strlist layers; /* lowest first */
};

struct docker_archive {
	struct docker_image *list;
	size_t len;
	size_t cap;
};

/* "sha256:HEX"; other algorithms are an error that names them. */
int oci_digest_parse(const char *text, struct sha256 *ret, struct error *err);

/* Of a media type, parameters excluded; NULL is OCI_OTHER. */
enum oci_kind oci_kind_of(const char *media_type);

int oci_index_parse(const char *text, size_t len, const char *name, struct oci_index *ret, struct error *err);
/* Refuses what is not an image of layers. */
int oci_manifest_parse(const char *text, size_t len, const char *name, struct oci_manifest *ret,
		       struct error *err);
int oci_config_parse(const char *text, size_t len, const char *name, struct oci_config *ret,
		     struct error *err);
int docker_archive_parse(const char *text, size_t len, const char *name, struct docker_archive *ret,
			 struct error *err);

void oci_descriptor_free(struct oci_descriptor *d);
void oci_index_free(struct oci_index *i);
void oci_manifest_free(struct oci_manifest *m);
void oci_config_free(struct oci_config *c);
void oci_labels_free(struct oci_labels *l);
void docker_archive_free(struct docker_archive *a);
#define _cleanup_oci_index_	 __attribute__((cleanup(oci_index_free)))
#define _cleanup_oci_manifest_	 __attribute__((cleanup(oci_manifest_free)))
#define _cleanup_oci_config_	 __attribute__((cleanup(oci_config_free)))
#define _cleanup_docker_archive_ __attribute__((cleanup(docker_archive_free)))

#endif
