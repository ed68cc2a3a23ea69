/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands beside an image.
 *
 * NAME-VERSION.manifest.json is the contract between build and everything after it; JSON Schema in
 * image/manifest.schema.json. Members may be added within one format; readers ignore those that they do not know.
 *
 * NAME-VERSION.blocks holds the SHA-256 of every 512 KiB block of the disk, in order. Little endian:
 *   0  8  "MKABLOCK"
 *   8  4  version of this format, 1
 *  12  4  bytes a block, 524288
 *  16  8  bytes of the image
 *  24  8  number of blocks
 *  32 32  SHA-256 of all that follows
 *  64     32 bytes for each block
 *
 * There is no SHA-256 of the whole image in the manifest: partition table and ESP stand at its front and depend on the root hash,
 * which is known last, so it would cost a second pass over every byte. The SHA-256 over the block digests (EBS calls that
 * aggregation LINEAR) commits to every byte as well and costs nothing.
 */
#ifndef MKAPPLIANCE_IMAGE_MANIFEST_H
#define MKAPPLIANCE_IMAGE_MANIFEST_H

#include "compose/compose.h"
#include "image/layout.h"
#include "image/measure.h"
#include "image/verity.h"
#include "image/writer.h"
#include "lib/json.h"

#define MANIFEST_FORMAT 1

struct byte_range {
	uint64_t offset;
	uint64_t length;
};

/* [Test] of the template, so that 'mkappliance test IMAGE' needs nothing but the image and its manifest. */
struct manifest_test {
	struct template_probe *probes; /* owned with their strings; .line is 0 */
	size_t count;
	unsigned timeout; /* seconds for the whole boot and all probes */
	unsigned memory;  /* MiB */
	unsigned cpus;
	bool nvme; /* the disk; else virtio */
};

/* [Upload] of the template, likewise; NULL, empty and 0 where it said nothing. All owned. */
struct manifest_upload {
	char *provider;
	struct strlist regions, kms_keys, share;
	char *parameter;
	char *connect, *pool;
	bool encrypt, protect;
	unsigned deprecate_days;
};

/* Predicted by measure_uki(), in the order of measure_pcrs. */
struct manifest_pcrs {
	bool known; /* false: of this stub it is not known what it measures */
	bool secure_boot;
	struct bank_digest value[MEASURE_PCR_COUNT];
	struct measured_event
		*events; /* that give these values, PCR by PCR; owned; NULL: an older manifest */
	size_t event_count;
};

struct manifest {
	struct sha256 text_digest; /* of the text that it was read from; zeros of one that was not */
	char *name;
	char *version;
	char *arch;
	char *tool_version;
	int64_t epoch;
	char *init_mode;
	char *command_line;
	char *kernel_release;
	char *os_id;	      /* of the root's os-release, NULL where it has none */
	char *os_version;     /* as well */
	struct layout layout; /* partition[].name is borrowed from constants */
	uint64_t data_blocks;
	uint64_t hash_blocks; /* with the superblock */
	uint8_t salt[VERITY_SALT_SIZE];
	struct guid verity_uuid; /* of the superblock */
	struct guid fs_uuid;
	struct sha256 root_hash;
	struct {
		bool there;		   /* the root hash is signed */
		bool required;		   /* the init is told to have the kernel verify it */
		struct sha256 certificate; /* SHA-256 of the signer's certificate in DER */
	} signature;
	struct sha256 uki_digest; /* SHA-256 of the UKI's bytes */
	uint64_t uki_size;
	struct sha256 initrd_digest;
	uint64_t initrd_size;
	struct sha256
		blocks_digest; /* SHA-256 over the concatenated block digests: commits to every byte of the image */
	uint64_t block_count;
	uint64_t nonzero_bytes;	      /* of blocks of 4096 bytes that were written */
	struct byte_range *dont_care; /* whole range may hold anything: free FAT clusters, gaps, tail */
	size_t dont_care_count;
	struct compose_input *inputs; /* owned */
	size_t input_count;
	struct manifest_pcrs pcrs;
	struct installed packages; /* owned */
	struct manifest_upload upload;
	struct manifest_test test; /* defaults and no probes when the document has none */
};

/* The JSON; to be freed. */
char *manifest_text(const struct manifest *m);
int manifest_write(const struct manifest *m, const char *path, struct error *err);
/*
 * Fills in dont_care from the layout: free clusters of the ESP, what lies between the partitions' used parts, and the tail before
 * the backup partition table. Everything else has to be written on upload, zero or not.
 */
void manifest_set_dont_care(struct manifest *m);
/* Copies [Upload]. */
void manifest_set_upload(struct manifest *m, const struct template *t);
/* Copies [Test]. */
void manifest_set_test(struct manifest *m, const struct template *t);
/* Reads and checks every field and their consistency. Parser of untrusted bytes. Freed by manifest_free(). */
int manifest_read(const char *path, struct manifest **ret, struct error *err);
int manifest_parse(const char *text, size_t len, const char *name, struct manifest **ret, struct error *err);
void manifest_free(struct manifest *m);
void manifest_freep(struct manifest **m);
#define _cleanup_manifest_ __attribute__((cleanup(manifest_freep)))

/* IMAGE.raw gives IMAGE.manifest.json, .blocks, .spdx.json, .cdx.json, .intoto.json; to be freed. */
char *manifest_path_for(const char *image_path);
char *blocks_path_for(const char *image_path);
char *spdx_path_for(const char *image_path);
char *cyclonedx_path_for(const char *image_path);
char *provenance_path_for(const char *image_path);

#define BLOCKS_HEADER_SIZE 64

/* SHA-256 over the digests. */
void blocks_digest(const struct block_digests *d, struct sha256 *ret);
/* The bytes of the file; appends to @ret. @image_size is d->count whole blocks. */
void blocks_encode(const struct block_digests *d, uint64_t image_size, struct buf *ret);
/* Parser of untrusted bytes. Freed by block_digests_free(). */
int blocks_parse(const void *data, size_t len, const char *name, struct block_digests *ret,
		 struct error *err);
int blocks_write(const struct block_digests *d, uint64_t image_size, const char *path, struct error *err);
int blocks_read(const char *path, struct block_digests *ret, struct error *err);

/* The member "pcrs", likewise; NULL when they are not known. */
struct json *manifest_pcrs_json(const struct manifest_pcrs *p);
int manifest_pcrs_read(const struct json *j, struct manifest_pcrs *ret, struct error *err);
void manifest_pcrs_set(struct manifest_pcrs *p, bool secure_boot, const struct measurements *m);
void manifest_pcrs_free(struct manifest_pcrs *p);
/* A list of events, as the manifest has it. */
struct json *manifest_events_json(const struct measured_event *events, size_t count);
/* The member "inputs": for manifest.c and manifest_read.c only. */
struct json *manifest_inputs_json(const struct manifest *m);
int manifest_inputs_read(const struct json *list, struct manifest *m, struct error *err);
/* Appends a copy under @name; m->inputs has room for it. */
void manifest_add_input(struct manifest *m, const struct compose_input *from, const char *name);

/* The member "test": for manifest.c and manifest_read.c only; NULL when the builder did not set it. */
struct json *manifest_test_json(const struct manifest_test *t);
int manifest_test_read(const struct json *j, struct manifest_test *ret, struct error *err);
void manifest_test_free(struct manifest_test *t);

/* The member "upload": for manifest.c and manifest_read.c only; NULL when there is nothing in it. */
struct json *manifest_upload_json(const struct manifest_upload *u);
int manifest_upload_read(const struct json *j, struct manifest_upload *ret, struct error *err);
void manifest_upload_free(struct manifest_upload *u);

#endif
