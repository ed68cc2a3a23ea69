/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of Secure Boot as a directory:
 *
 *   PK.key  KEK.key  db.key     private keys, mode 0600; platform key, key exchange key, and the one that signs UKIs
 *   PK.crt  KEK.crt  db.crt     their certificates, PEM
 *   PK.esl  KEK.esl  db.esl     the variables' contents: EFI_SIGNATURE_LISTs
 *   PK.auth KEK.auth db.auth    the same as SetVariable() takes them, signed: PK and KEK by PK, db by KEK
 *   verity.key verity.crt       signs root hashes
 *   verity.esl                  its certificate as MokListRT, the variable in which the kernel looks for the owner's keys
 *   owner                       the GUID that stands in the signature lists
 *
 * Building and booting need db.key and the .esl files; PK.key and KEK.key belong in a safe.
 */
#ifndef MKAPPLIANCE_IMAGE_SECURE_BOOT_H
#define MKAPPLIANCE_IMAGE_SECURE_BOOT_H

#include "image/efi_vars.h"
#include "image/measure.h"

struct keys_options {
	const char *name; /* what the certificates' common names begin with */
	unsigned bits;	  /* of RSA */
	unsigned days;	  /* how long the certificates are valid */
	int64_t now;
};

/*
 * Makes @dir (mode 0700) and all its files. Nothing is overwritten: when one of them is there, -EEXIST before anything is written. A
 * failure in the middle removes what was written.
 */
int secure_boot_generate(const char *dir, const struct keys_options *o, struct error *err);

/*
 * Reads the .esl files of @dir (dbx.esl if there is one), untrusted bytes; enabled is set. Freed by secure_boot_free().
 */
int secure_boot_read(const char *dir, struct secure_boot *ret, struct error *err);

/*
 * Finds the entry of db whose key signed the UKI and sets @sb's authority. Exit code 3 when there is none: firmware with these keys
 * would refuse to start it.
 */
int secure_boot_find_authority(struct secure_boot *sb, const void *uki, size_t len, const char *name,
			       struct error *err);

/* Whether @list, which was read above, has the certificate @der. */
bool secure_boot_lists(const struct buf *list, const void *der, size_t len);

/*
 * The same before the UKI is there: whether db has the signer's certificate @der, or exit code 3 with the same words.
 */
int secure_boot_check_signer(const struct secure_boot *sb, const void *der, size_t len, const char *name,
			     struct error *err);

/*
 * The variables PK, KEK, db, and dbx and MokListRT where they are not empty; borrow from @sb. Returns their number. Their
 * time is as early as can be: any .auth file that is made later replaces them.
 */
#define SECURE_BOOT_VARIABLES 5
size_t secure_boot_variables(const struct secure_boot *sb, struct efi_variable ret[SECURE_BOOT_VARIABLES]);

#endif
