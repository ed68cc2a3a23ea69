/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dead Simple Signing Envelope (secure-systems-lab/dsse, v1.0): a payload with its type, and signatures over both. RSA (PKCS#1 v1.5) and
 * ECDSA over P-256 with SHA-256, ECDSA over P-384 with SHA-384, Ed25519. The same input gives the same signature, but with ECDSA.
 */
#ifndef MKAPPLIANCE_IMAGE_SIGN_DSSE_H
#define MKAPPLIANCE_IMAGE_SIGN_DSSE_H

#include "lib/error.h"
#include "lib/json.h"
#include "lib/mem.h"

/*
 * @key: path of a PEM file without a passphrase, or a PKCS#11 URI, as in sign.h. The key's id is the SHA-256 of its public half
 * (SubjectPublicKeyInfo, DER). @ret: the envelope as JSON, to be freed. Exit code 2 for a key of another kind.
 */
int dsse_sign(const char *key, const char *payload_type, const char *payload, char **ret, struct error *err);

/* Whether @key is one that dsse_sign() takes, before there is anything to sign. */
int dsse_check_key(const char *key, struct error *err);

/*
 * The payload of an envelope whose type must be @payload_type; appends to @ret. @key: path of a public key or certificate in PEM, which must
 * verify one of the signatures; NULL: none is looked at. Untrusted input; refusals have exit code 3.
 */
int dsse_open(const struct json *envelope, const char *payload_type, const char *key, struct buf *ret,
	      struct error *err);

#endif
