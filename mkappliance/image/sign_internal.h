/* SPDX-License-Identifier: Apache-2.0 */
/* Between sign*.c only: what of libcrypto they share. */
#ifndef MKAPPLIANCE_IMAGE_SIGN_INTERNAL_H
#define MKAPPLIANCE_IMAGE_SIGN_INTERNAL_H

#include <openssl/evp.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>

#include "image/sign.h"
#include "image/sign_quote.h"

struct signer {
	EVP_PKEY *key;
	X509 *certificate;
	unsigned char *der;
	size_t der_len;
};

struct quote_key {
	EVP_PKEY *key;
};

static inline void pkcs7_freep(PKCS7 **p)
{
	PKCS7_free(*p);
}

static inline void x509_freep(X509 **x)
{
	X509_free(*x);
}

/* A message with the first reason that libcrypto gave; empties its queue. Returns @code. */
int sign_crypto_error(struct error *err, int code, const char *what) __attribute__((warn_unused_result));

/* A private key as signer_open() takes it: a PEM file or a PKCS#11 URI. Of any kind. Freed by EVP_PKEY_free(). */
int sign_read_key(const char *key, EVP_PKEY **ret, struct error *err);

/* A public key or a certificate in PEM; likewise. */
int sign_read_public_key(const char *path, EVP_PKEY **ret, struct error *err);
/* The same from memory. NULL: neither is there. */
EVP_PKEY *sign_parse_public_key(const void *pem, size_t len);

/* Whether an EC key is of P-256 or P-384: other curves have as many bits. */
bool sign_is_nist_curve(const EVP_PKEY *key);

/* Takes @key over, also on failure; NULL: libcrypto said no. Too few bits or another curve than P-256 and P-384: -EBADMSG. */
int quote_key_take(EVP_PKEY *key, struct quote_key **ret, struct error *err);

/* PKCS#7 with one signer and SHA-256, nothing signed yet. NULL: see libcrypto's queue. */
PKCS7 *sign_pkcs7_new(const struct signer *s, PKCS7_SIGNER_INFO **ret_info);

/* Whether @p7 is over these bytes and by the key of that certificate and no other, whatever its dates and purposes are. */
bool sign_verify_by(PKCS7 *p7, X509 *certificate, const void *data, size_t len);

#endif
