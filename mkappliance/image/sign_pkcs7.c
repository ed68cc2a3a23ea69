/* SPDX-License-Identifier: Apache-2.0 */
/* The signatures over variables and root hash: plain PKCS#7 (RFC 2315), detached. */
#include <endian.h>
#include <errno.h>
#include <openssl/err.h>
#include <string.h>

#include "image/sign_internal.h"
#include "lib/cleanup.h"

#define CERT_TYPE_PKCS7 "4aafd29d-68df-49ee-8aa9-347d375665a7"
#define WIN_REVISION	0x0200u
#define WIN_TYPE_GUID	0x0ef1u

PKCS7 *sign_pkcs7_new(const struct signer *s, PKCS7_SIGNER_INFO **ret_info)
{
	PKCS7 *p7 = PKCS7_new();
	PKCS7_SIGNER_INFO *info = NULL;

	if (p7 && PKCS7_set_type(p7, NID_pkcs7_signed) == 1)
		info = PKCS7_add_signature(p7, s->certificate, s->key, EVP_sha256());
	if (!info) {
		PKCS7_free(p7);
		return NULL;
	}
	*ret_info = info;
	return p7;
}

/* @with_certificate: firmware looks for the signer's certificate in it. */
static PKCS7 *sign_bytes(const struct signer *s, const void *data, size_t len, bool with_certificate)
{
	BIO *in = BIO_new_mem_buf(data, (int)len);
	int flags = PKCS7_BINARY | PKCS7_DETACHED | PKCS7_NOATTR | PKCS7_NOSMIMECAP |
		    (with_certificate ? 0 : PKCS7_NOCERTS);
	PKCS7 *p7 = in ? PKCS7_sign(NULL, NULL, NULL, in, flags | PKCS7_PARTIAL) : NULL;
	bool done = p7 && PKCS7_sign_add_signer(p7, s->certificate, s->key, EVP_sha256(), flags) &&
		    PKCS7_final(p7, in, flags) == 1;

	BIO_free(in);
	if (done)
		return p7;
	PKCS7_free(p7);
	return NULL;
}

int sign_detached(const struct signer *s, const void *data, size_t len, struct buf *ret, struct error *err)
{
	__attribute__((cleanup(pkcs7_freep))) PKCS7 *p7 = sign_bytes(s, data, len, false);
	unsigned char *der = NULL;
	int n = p7 ? i2d_PKCS7(p7, &der) : -1;

	if (n <= 0)
		return sign_crypto_error(err, -EIO, "signing");
	buf_add(ret, der, (size_t)n);
	OPENSSL_free(der);
	return 0;
}

bool sign_verify_by(PKCS7 *p7, X509 *certificate, const void *data, size_t len)
{
	STACK_OF(X509) *only = sk_X509_new_null();
	/* Behind a filter that does nothing: PKCS7_verify() leaks its own copy of a memory BIO when the PKCS#7 is broken. */
	BIO *in = BIO_new(BIO_f_null());
	bool good = false;

	if (in && !BIO_push(in, BIO_new_mem_buf(data, (int)len))) {
		BIO_free(in);
		in = NULL;
	}
	if (in && only && sk_X509_push(only, certificate))
		good = PKCS7_verify(p7, only, NULL, in, NULL,
				    PKCS7_NOVERIFY | PKCS7_NOINTERN | PKCS7_BINARY) == 1;
	BIO_free_all(in);
	sk_X509_free(only);
	return good;
}

int verify_detached(const void *signature, size_t signature_len, const void *data, size_t len,
		    const void *der, size_t der_len, const char *name, struct error *err)
{
	__attribute__((cleanup(pkcs7_freep))) PKCS7 *p7 = NULL;
	__attribute__((cleanup(x509_freep))) X509 *certificate = NULL;
	const unsigned char *p = signature, *c = der;
	bool good;

	p7 = d2i_PKCS7(NULL, &p, (long)signature_len);
	certificate = d2i_X509(NULL, &c, (long)der_len);
	if (!p7 || !PKCS7_type_is_signed(p7) || !PKCS7_is_detached(p7) ||
	    (size_t)(p - (const unsigned char *)signature) != signature_len) {
		ERR_clear_error();
		return error_refuse(err, "%s: is no detached PKCS#7 signature in DER", name);
	}
	good = certificate && sign_verify_by(p7, certificate, data, len);
	ERR_clear_error();
	return good ? 0
		    : error_refuse(err, "%s: is not a signature of this root hash by that certificate", name);
}

/* What is signed of a variable: name without its end, vendor, attributes, time, data (UEFI 2.10, section 8.2.2). */
static void variable_message(const struct efi_variable *v, struct buf *m)
{
	uint32_t attributes = htole32(v->attributes);
	uint8_t raw[16];
	struct guid vendor;

	if (!guid_parse(v->vendor, &vendor))
		abort();
	guid_to_gpt(&vendor, raw);
	for (const char *c = v->name; *c; c++)
		buf_add(m, (const uint8_t[]){(uint8_t)*c, 0}, 2);
	buf_add(m, raw, sizeof(raw));
	buf_add(m, &attributes, sizeof(attributes));
	buf_add(m, v->time, sizeof(v->time));
	buf_add(m, v->data, v->len);
}

int sign_efi_variable(const struct signer *s, const struct efi_variable *v, struct buf *ret,
		      struct error *err)
{
	_cleanup_buf_ struct buf message = {0};
	__attribute__((cleanup(pkcs7_freep))) PKCS7 *p7 = NULL;
	unsigned char *der = NULL;
	struct guid type;
	uint8_t raw[16];
	uint32_t length;
	uint16_t kind[2] = {htole16(WIN_REVISION), htole16(WIN_TYPE_GUID)};
	int n;

	variable_message(v, &message);
	p7 = sign_bytes(s, message.ptr, message.len, true);
	n = p7 ? i2d_PKCS7_SIGNED(p7->d.sign, &der) : -1;
	if (n <= 0)
		return sign_crypto_error(err, -EIO, "signing a variable");
	if (!guid_parse(CERT_TYPE_PKCS7, &type))
		abort();
	guid_to_gpt(&type, raw);
	length = htole32((uint32_t)(sizeof(length) + sizeof(kind) + sizeof(raw) + (size_t)n));
	buf_add(ret, v->time, sizeof(v->time));
	buf_add(ret, &length, sizeof(length));
	buf_add(ret, kind, sizeof(kind));
	buf_add(ret, raw, sizeof(raw));
	buf_add(ret, der, (size_t)n);
	buf_add(ret, v->data, v->len);
	OPENSSL_free(der);
	return 0;
}
