/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UEFI variables as data: signature lists (UEFI 2.10, section 32.4.1), the store of virtual machines' firmware (EDK II,
 * MdeModulePkg/Include/Guid/VariableFormat.h), and the blob that AWS takes as UefiData (awslabs/python-uefivars, format 0).
 */
#ifndef MKAPPLIANCE_IMAGE_EFI_VARS_H
#define MKAPPLIANCE_IMAGE_EFI_VARS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "lib/guid.h"
#include "lib/mem.h"

/* UEFI 2.10, sections 3.3 and 32.6.1: vendors of BootXXXX, PK, KEK, and of db, dbx. */
#define EFI_GLOBAL_VARIABLE    "8be4df61-93ca-11d2-aa0d-00e098032b8c"
#define EFI_SECURITY_DATABASES "d719b2cb-3d3a-4596-a3bc-dad00e67656f"

#define EFI_NON_VOLATILE    0x01u
#define EFI_BOOT_SERVICE    0x02u
#define EFI_RUNTIME	    0x04u
#define EFI_TIME_BASED_AUTH 0x20u

/* EFI_TIME as it is stored (UEFI 2.10, section 8.3): year, month, day, hour, minute, second; the rest is zero. */
#define EFI_TIME_SIZE 16
void efi_time(int64_t seconds, uint8_t ret[EFI_TIME_SIZE]);

struct efi_variable {
	const char *name;   /* ASCII */
	const char *vendor; /* GUID as text */
	uint32_t attributes;
	uint8_t time[EFI_TIME_SIZE]; /* with EFI_TIME_BASED_AUTH: the next change must be later */
	const void *data;
	size_t len;
};

/*
 * Adds the variables to the store @store of @len bytes, a file such as OVMF_VARS.fd. Every length read from it is checked. -EEXIST: it
 * has one of that name; -ENOSPC: no room; -EINVAL: no such store.
 */
int efi_store_write(uint8_t *store, size_t len, const struct efi_variable *variables, size_t count,
		    struct error *err);

/* UefiData of RegisterImage, without its base64; appends to @ret. */
void efi_aws_blob(const struct efi_variable *variables, size_t count, struct buf *ret);

/* Appends an EFI_SIGNATURE_LIST of one X.509 certificate (DER). */
void efi_signature_list(const struct guid *owner, const void *certificate, size_t len, struct buf *ret);

/*
 * Walks the lists of @data, untrusted bytes, and calls @each for every entry: its EFI_SIGNATURE_DATA (owner, then the certificate or
 * hash). Stops at the first result that is not 0 and returns it. -EBADMSG when the lists do not hold together. @name is for messages.
 */
int efi_signatures_walk(const void *data, size_t len, const char *name,
			int (*each)(const uint8_t *signature, size_t len, void *user), void *user,
			struct error *err);

#define EFI_SIGNATURE_OWNER_SIZE 16 /* in front of each entry */

#endif
