/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the machine boots: command line, /appliance.conf with the root hash, initrd, and the Unified Kernel
 * Image around them. Everything in it is measured and, when signed, verified by the firmware.
 */
#ifndef MKAPPLIANCE_IMAGE_BOOT_H
#define MKAPPLIANCE_IMAGE_BOOT_H

#include "compose/compose.h"
#include "image/layout.h"
#include "image/sign.h"
#include "image/verity.h"
#include "lib/mem.h"

/* The parts that come from the host, loaded once. */
struct boot_parts {
	char *stub_path;
	uint64_t stub_size;
	struct buf init;       /* the static init's bytes */
	struct signer *signer; /* of the UKI; NULL: it is not signed here */
};

/*
 * Finds the init (@init_path, else $MKAPPLIANCE_INIT, else beside this program, else where it was installed)
 * and the systemd-stub (Stub= of the template, else where Debian's systemd-boot-efi puts it), and opens the key of [Sign].
 */
int boot_parts_load(const struct template *t, const char *init_path, struct boot_parts *ret,
		    struct error *err);
void boot_parts_free(struct boot_parts *p);
#define _cleanup_boot_parts_ __attribute__((cleanup(boot_parts_free)))

/* The kernel's whole command line; to be freed. */
char *boot_command_line(const struct template *t);

struct boot {
	struct buf initrd;
	struct buf uki;
	struct sha256 stub_digest;
	size_t uki_size; /* of the UKI when it is signed, as far as it is signed here */
};

/*
 * Everything but the values that only the written root has: the UKI is there with a root hash and PARTUUIDs of zeros, not signed, and of the
 * size that it will have. @ret: zeroed; freed by boot_free(), also after a failure.
 */
int boot_plan(const struct template *t, const struct compose_result *c, const struct boot_parts *parts,
	      const struct layout *l, const struct verity_superblock *sb, struct boot *ret,
	      struct error *err);

/* Puts the values of @root_hash and @l into initrd and UKI, where the zeros were, and signs it when there is a key. Once. */
int boot_finish(const struct template *t, const struct compose_result *c, const struct boot_parts *parts,
		const struct layout *l, const struct verity_superblock *sb, const struct sha256 *root_hash,
		struct boot *b, struct error *err);
void boot_free(struct boot *b);
#define _cleanup_boot_ __attribute__((cleanup(boot_free)))

#endif
