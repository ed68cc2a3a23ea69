/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who signs the root hash: a key of [Sign], or somebody elsewhere who gets it by 'build --root-hash-out' and whose answer comes in by
 * 'build --attach-root-signature'.
 */
#ifndef MKAPPLIANCE_IMAGE_ROOT_SIGN_H
#define MKAPPLIANCE_IMAGE_ROOT_SIGN_H

#include "compose/compose.h"
#include "image/root_signature.h"
#include "image/sign.h"

struct root_signer {
	bool enabled;		   /* [Sign] VerityCertificate=: there is a partition for the signature */
	struct signer *key;	   /* NULL: it is signed elsewhere */
	struct buf certificate;	   /* DER */
	struct sha256 fingerprint; /* of the certificate */
	const char *attached_name; /* borrowed; NULL: there is no answer yet */
	struct buf attached;	   /* the answer: a detached PKCS#7 in DER */
};

/*
 * Opens key and certificate of [Sign], and @attach where it is not NULL. @out: the root hash goes out to be signed. Usage errors for what does
 * not go together. Freed by root_signer_free().
 */
int root_signer_open(const struct template *t, const char *attach, bool out, struct root_signer *ret,
		     struct error *err);
void root_signer_free(struct root_signer *s);

/*
 * With VerityRequired=: whether a machine can ever accept the signature, as far as it can be seen from here. Kernel: its dm-verity knows
 * signatures. Keys, where SecureBootVariables= says which the firmware has: the certificate is among those that the kernel takes from it.
 */
int root_signer_check(const struct root_signer *s, const struct template *t, const struct kernel *k,
		      struct error *err);

/*
 * Signs, or takes the answer when it is a signature of @root_hash by the certificate (exit code 3 otherwise), and appends the partition's
 * content to @ret.
 */
int root_sign(const struct root_signer *s, const struct sha256 *root_hash, struct buf *ret,
	      struct error *err);

#endif
