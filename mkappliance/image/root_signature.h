/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signature of the root hash as it lies in the partition root-verity-sig (UAPI group, Discoverable Partitions Specification,
 * "Verity Signature Partition"): a JSON object, padded by NULs to whole blocks of 4096 bytes, with
 *
 *   rootHash                64 lower-case hexadecimal digits
 *   certificateFingerprint  SHA-256 of the signer's certificate in DER, likewise
 *   signature               base64 of a detached PKCS#7 in DER over those 64 digits, which is what the kernel wants too
 *                           (Documentation/admin-guide/device-mapper/verity.rst, root_hash_sig_key_desc)
 */
#ifndef MKAPPLIANCE_IMAGE_ROOT_SIGNATURE_H
#define MKAPPLIANCE_IMAGE_ROOT_SIGNATURE_H

#include "lib/error.h"
#include "lib/hash.h"
#include "lib/mem.h"

#define ROOT_SIGNATURE_UNIT 4096u

struct root_signature {
	struct sha256 root_hash;
	struct sha256 certificate; /* SHA-256 of its DER */
	struct buf der;		   /* the PKCS#7; owned */
};

void root_signature_free(struct root_signature *s);
#define _cleanup_root_signature_ __attribute__((cleanup(root_signature_free)))

/* Appends the partition's content, whole blocks. -EFBIG: more than the init takes (ABI_SIGNATURE_MAX). */
int root_signature_encode(const struct root_signature *s, struct buf *ret, struct error *err);

/*
 * Parses the partition's content, untrusted bytes, of which only the JSON's members are looked at, not the PKCS#7. -EBADMSG (exit
 * code 3) with @name when it is something else. Freed by root_signature_free().
 */
int root_signature_parse(const void *data, size_t len, const char *name, struct root_signature *ret,
			 struct error *err);

#endif
