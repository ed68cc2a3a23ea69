/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the partitions lie: pure arithmetic. GPT with 512-byte sectors (UEFI 2.10, section 5.3); types of the UAPI
 * group's Discoverable Partitions Specification.
 */
#ifndef MKAPPLIANCE_IMAGE_LAYOUT_H
#define MKAPPLIANCE_IMAGE_LAYOUT_H

#include <stdint.h>

#include "lib/error.h"
#include "lib/guid.h"
#include "lib/hash.h"
#include "template/template.h"

#define LAYOUT_SECTOR	512u
#define LAYOUT_ALIGN	(1024u * 1024u)
#define LAYOUT_BLOCK	(512u * 1024u)	      /* of .blocks and of EBS */
#define LAYOUT_ESP_SIZE (64ull * 1024 * 1024) /* more only when the UKI needs it */
#define LAYOUT_DISK_ROUND \
	(1024ull * 1024 * 1024) /* cloud volumes are whole GiB; the backup GPT must be at their end */

/* The last one is there when the root hash is signed. */
enum layout_index { PART_ESP, PART_ROOT, PART_VERITY, PART_SIGNATURE, PART_COUNT };

struct partition {
	const char *name; /* GPT name: "esp", "root", "root-verity", "root-verity-sig" */
	struct guid type;
	struct guid uuid;
	uint64_t offset;     /* bytes */
	uint64_t size;	     /* bytes, whole MiB */
	uint64_t used;	     /* bytes from its start that have meaning */
	uint64_t attributes; /* GPT attribute bits: PARTITION_READ_ONLY or 0 */
};

#define PARTITION_READ_ONLY (1ull << 60) /* Discoverable Partitions Specification: mounted read only */

struct layout {
	struct guid disk_guid;
	uint64_t size; /* bytes of the whole disk */
	struct partition part[PART_COUNT];
	size_t count; /* of part[] that are on the disk: PART_COUNT, or without the signature one less */
};

/*
 * Everything but the UUIDs of root and verity, which come with layout_set_root_hash(). Ids derive from @name, so they are the same for
 * every version. @esp_used: bytes that the ESP needs (esp_size_for()); the builder lowers part[PART_ESP].used to what was written.
 * @root_used and @verity_used are whole 4096-byte blocks.
 */
int layout_plan(const char *name, enum architecture arch, uint64_t esp_used, uint64_t root_used,
		uint64_t verity_used, struct layout *ret, struct error *err);

/*
 * Appends the partition of the root hash's signature to what layout_plan() made: LAYOUT_ALIGN bytes, of which one block of 4096
 * is used until the builder knows better (root_signature_encode()).
 */
void layout_add_signature(const char *name, enum architecture arch, struct layout *l);

/* PARTUUID of root: the first 128 bits of the root hash; of its hash tree: the last 128 bits. */
void layout_set_root_hash(struct layout *l, const struct sha256 *root_hash);

#endif
