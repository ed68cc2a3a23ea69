/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys, certificates and the three signatures of an appliance: over the UKI (Authenticode), over Secure Boot's variables, and over the
 * root hash. libcrypto stays inside sign*.c. RSA only: it is what firmware verifies. The same input gives the same signature.
 */
#ifndef MKAPPLIANCE_IMAGE_SIGN_H
#define MKAPPLIANCE_IMAGE_SIGN_H

#include <stdbool.h>
#include <stdint.h>

#include "image/efi_vars.h"
#include "lib/error.h"
#include "lib/mem.h"

#define SIGN_RSA_BITS_MIN 2048

/* A private key and the certificate of its public half. */
struct signer;

/*
 * @key: path of a PEM file without a passphrase, or a PKCS#11 URI ("pkcs11:token=...;object=...", RFC 7512), for which OpenSSL's engine is
 * loaded. @certificate: path of an X.509 certificate, PEM or DER. Refused (exit code 2): a key that is not RSA of at least 2048 bits, one
 * that does not belong to the certificate, and a certificate that is not valid at @now (seconds since 1970).
 */
int signer_open(const char *key, const char *certificate, int64_t now, struct signer **ret,
		struct error *err);
void signer_free(struct signer *s);
void signer_freep(struct signer **s);
#define _cleanup_signer_ __attribute__((cleanup(signer_freep)))

/* The certificate in DER; borrowed. */
const void *signer_certificate(const struct signer *s, size_t *ret_len);

/* By how many bytes sign_pe() makes a file of @len bytes longer, without using the key. */
int sign_pe_growth(const struct signer *s, size_t len, size_t *ret, struct error *err);

/*
 * Signs the PE file @pe where it lies: appends the certificate table. It grows by a number of bytes that depends on key and certificate only.
 * One that is signed already is refused.
 */
int sign_pe(const struct signer *s, struct buf *pe, const char *name, struct error *err);

/* Whether @from is a PE file that carries a signature, of whatever and by whomever. */
int sign_check_signed(const void *from, size_t len, const char *name, struct error *err);

/*
 * Takes the certificate table of the signed file @from, of which everything else must be @pe, over to @pe. What it says is not verified
 * here: see verify_pe_signature().
 */
int sign_attach(struct buf *pe, const char *name, const void *from, size_t from_len, const char *from_name,
		struct error *err);

/*
 * Whether a PE file's signature was made over its content by the key of the certificate @der. Untrusted bytes. -EBADMSG (exit code 3) and why
 * not.
 */
int verify_pe_signature(const void *pe, size_t len, const char *name, const void *der, size_t der_len,
			struct error *err);

/*
 * What SetVariable() takes (EFI_VARIABLE_AUTHENTICATION_2, UEFI 2.10 section 8.2.2) with the variable's data behind it; appends to @ret.
 */
int sign_efi_variable(const struct signer *s, const struct efi_variable *v, struct buf *ret,
		      struct error *err);

/*
 * Reads an X.509 certificate, PEM or DER, that must be valid at @now, seconds since 1970; appends it in DER. A usage error names @path.
 */
#define SIGN_ANY_TIME INT64_MIN
int sign_read_certificate(const char *path, int64_t now, struct buf *ret, struct error *err);

/* A detached PKCS#7 signature in DER, without attributes and without certificates: the form that the kernel verifies. Appends to @ret. */
int sign_detached(const struct signer *s, const void *data, size_t len, struct buf *ret, struct error *err);

/*
 * Whether @signature, untrusted bytes, is such a signature over @data by the key of the certificate @der and no other. -EBADMSG
 * (exit code 3) with @name and why not.
 */
int verify_detached(const void *signature, size_t signature_len, const void *data, size_t len,
		    const void *der, size_t der_len, const char *name, struct error *err);

/*
 * A new RSA key and a certificate of its own with the common name @name, valid for @days from @now; both as PEM, and the certificate also in
 * DER. Appends to the buffers.
 */
int sign_generate(const char *name, unsigned bits, int64_t now, unsigned days, struct buf *ret_key,
		  struct buf *ret_certificate, struct buf *ret_der, struct error *err);

#endif
