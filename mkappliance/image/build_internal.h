/* SPDX-License-Identifier: Apache-2.0 */
/* Between build*.c only: what the steps of image_build() hand to one another. */
#ifndef MKAPPLIANCE_IMAGE_BUILD_INTERNAL_H
#define MKAPPLIANCE_IMAGE_BUILD_INTERNAL_H

#include "image/boot.h"
#include "image/build.h"
#include "image/esp.h"
#include "image/ext4.h"
#include "image/root_sign.h"
#include "lib/background.h"
#include "lib/io.h"

/* Everything between the first step and the last; owned. */
struct build {
	const struct template *t;
	struct compose_result *c;
	const struct image_options *o;
	struct boot_parts parts;
	struct ext4 *fs;
	struct guid fs_uuid;
	struct verity_superblock sb;
	struct verity_geometry geometry;
	struct layout layout;
	struct sha256 root_hash;
	struct boot boot;
	struct background uki_hashing; /* fills uki_digest, while the ESP is written */
	struct sha256 uki_digest;
	struct background image_sync; /* when all of the image is written */
	struct esp esp;
	struct block_digests blocks;
	uint64_t nonzero;
	struct buf attach; /* the file of o->attach */
	struct root_signer root_signer;
	struct buf root_signature; /* content of its partition; empty: there is none, or it is signed later */
	struct manifest *manifest;
	struct output unsigned_out, root_hash_out, image, manifest_out, blocks_out, spdx_out, cyclonedx_out,
		provenance_out, sha256_out;
};

/* ---- build_outputs.c: files without a name until the end ---- */

int build_open_outputs(struct build *b, struct image_result *paths, struct error *err);
/* Begins to bring the image to the disk, beside what comes next; build_commit() waits for it. */
void build_sync_image(struct build *b);
int build_write_companions(struct build *b, struct error *err);
/* All are on the disk before the first gets its name, and the image is last: who sees it sees its manifest. */
int build_commit(struct build *b, const struct image_result *paths, struct error *err);

/* ---- build_manifest.c ---- */

/* What is known before a byte is written. */
int build_describe_inputs(struct build *b, struct error *err);
/* The rest, when all of the image is written. */
int build_describe(struct build *b, struct error *err);

#endif
