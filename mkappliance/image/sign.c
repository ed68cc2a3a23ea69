/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and certificates: read, checked, made. */
#define OPENSSL_SUPPRESS_DEPRECATED /* engines: PKCS#11 has no provider in the distributions of today */
#include "image/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "image/sign_internal.h"
#include "lib/cleanup.h"
#include "lib/io.h"

#define FILE_MAX   ((size_t)1 << 20)
#define PKCS11	   "pkcs11:"
#define SERIAL_LEN 16

int sign_crypto_error(struct error *err, int code, const char *what)
{
	unsigned long e = ERR_get_error();
	const char *reason = e ? ERR_reason_error_string(e) : NULL;

	ERR_clear_error();
	return error_set(err, code, "%s: %s", what, reason ? reason : "refused by libcrypto");
}

/* Nobody sits at a build machine to be asked. */
static int no_passphrase(char *buf, int size, int writing, void *data)
{
	(void)buf;
	(void)size;
	(void)writing;
	*(bool *)data = true;
	return 0;
}

static int read_key_file(const char *path, EVP_PKEY **ret, struct error *err)
{
	_cleanup_buf_ struct buf b = {0};
	bool asked = false;
	BIO *bio;
	int r = io_read_file(AT_FDCWD, path, FILE_MAX, &b, err);

	if (r < 0)
		return r;
	bio = BIO_new_mem_buf(b.ptr ? b.ptr : "", (int)b.len);
	*ret = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &asked) : NULL;
	BIO_free(bio);
	if (b.ptr)
		OPENSSL_cleanse(b.ptr, b.len);
	if (*ret)
		return 0;
	ERR_clear_error();
	if (asked)
		return error_usage(
			err,
			"%s: the key has a passphrase, and nobody can be asked; keep it in a PKCS#11 token (pkcs11:...)",
			path);
	return error_usage(err, "%s: holds no private key in PEM", path);
}

static int read_key_token(const char *uri, EVP_PKEY **ret, struct error *err)
{
	ENGINE *engine;

	ENGINE_load_builtin_engines();
	engine = ENGINE_by_id("pkcs11");
	if (!engine) {
		ERR_clear_error();
		return error_set(
			err, -ENOENT,
			"%s: OpenSSL's PKCS#11 engine is not there (apt-get install libengine-pkcs11-openssl)",
			uri);
	}
	*ret = ENGINE_init(engine) ? ENGINE_load_private_key(engine, uri, NULL, NULL) : NULL;
	ENGINE_free(engine);
	return *ret ? 0 : sign_crypto_error(err, -ENOENT, uri);
}

int sign_read_key(const char *key, EVP_PKEY **ret, struct error *err)
{
	return strncmp(key, PKCS11, strlen(PKCS11)) == 0 ? read_key_token(key, ret, err)
							 : read_key_file(key, ret, err);
}

static int read_certificate(const char *path, X509 **ret, struct error *err)
{
	_cleanup_buf_ struct buf b = {0};
	const unsigned char *p;
	BIO *bio;
	int r = io_read_file(AT_FDCWD, path, FILE_MAX, &b, err);

	if (r < 0)
		return r;
	p = (const unsigned char *)b.ptr;
	bio = BIO_new_mem_buf(b.ptr ? b.ptr : "", (int)b.len);
	*ret = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	BIO_free(bio);
	if (!*ret && b.len)
		*ret = d2i_X509(NULL, &p, (long)b.len);
	ERR_clear_error();
	return *ret ? 0 : error_usage(err, "%s: holds no X.509 certificate, neither PEM nor DER", path);
}

/* @certificate on the day @now. */
static int check_dates(X509 *x, const char *certificate, int64_t now, struct error *err)
{
	time_t t = now;
	int after = X509_cmp_time(X509_get0_notAfter(x), &t),
	    before = X509_cmp_time(X509_get0_notBefore(x), &t);

	/* 0 is never "the same moment". */
	if (!after || !before)
		return error_usage(err, "%s: the certificate's dates are none", certificate);
	if (after < 0)
		return error_usage(
			err,
			"%s: the certificate has expired; make a new one ('mkappliance keygen') and enrol it",
			certificate);
	if (before > 0)
		return error_usage(err,
				   "%s: the certificate is not valid yet: is this machine's clock right?",
				   certificate);
	return 0;
}

static int check_pair(const struct signer *s, const char *key, const char *certificate, int64_t now,
		      struct error *err)
{
	if (EVP_PKEY_get_base_id(s->key) != EVP_PKEY_RSA || EVP_PKEY_get_bits(s->key) < SIGN_RSA_BITS_MIN)
		return error_usage(err, "%s: firmware verifies RSA of %d bits and more, this key is another",
				   key, SIGN_RSA_BITS_MIN);
	if (X509_check_private_key(s->certificate, s->key) != 1) {
		ERR_clear_error();
		return error_usage(err, "%s: is not the certificate of the key %s", certificate, key);
	}
	return check_dates(s->certificate, certificate, now, err);
}

int signer_open(const char *key, const char *certificate, int64_t now, struct signer **ret, struct error *err)
{
	_cleanup_signer_ struct signer *s = xcalloc(1, sizeof(*s));
	int der_len, r;

	r = sign_read_key(key, &s->key, err);
	if (r == 0)
		r = read_certificate(certificate, &s->certificate, err);
	if (r == 0)
		r = check_pair(s, key, certificate, now, err);
	if (r < 0)
		return r;
	der_len = i2d_X509(s->certificate, &s->der);
	if (der_len <= 0)
		return sign_crypto_error(err, -EINVAL, certificate);
	s->der_len = (size_t)der_len;
	*ret = steal_pointer(&s);
	return 0;
}

int sign_read_certificate(const char *path, int64_t now, struct buf *ret, struct error *err)
{
	__attribute__((cleanup(x509_freep))) X509 *x = NULL;
	unsigned char *der = NULL;
	int len, r = read_certificate(path, &x, err);

	if (r == 0 && now != SIGN_ANY_TIME)
		r = check_dates(x, path, now, err);
	if (r < 0)
		return r;
	len = i2d_X509(x, &der);
	if (len <= 0)
		return sign_crypto_error(err, -EINVAL, path);
	buf_add(ret, der, (size_t)len);
	OPENSSL_free(der);
	return 0;
}

void signer_free(struct signer *s)
{
	if (!s)
		return;
	EVP_PKEY_free(s->key);
	X509_free(s->certificate);
	OPENSSL_free(s->der);
	free(s);
}

void signer_freep(struct signer **s)
{
	signer_free(*s);
}

const void *signer_certificate(const struct signer *s, size_t *ret_len)
{
	*ret_len = s->der_len;
	return s->der;
}

/* ---- new ones ---- */

static bool add_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_nconf_nid(NULL, NULL, nid, value);
	bool done = e && X509_add_ext(x, e, -1) == 1;

	X509_EXTENSION_free(e);
	return done;
}

/* Signed by its own key: firmware compares certificates with its databases, it builds no chains of them. */
static X509 *self_signed(EVP_PKEY *key, const char *name, int64_t now, unsigned days)
{
	X509 *x = X509_new();
	X509_NAME *subject = x ? X509_get_subject_name(x) : NULL;
	BIGNUM *serial = BN_new();
	bool done = x && serial && BN_rand(serial, 8 * SERIAL_LEN - 1, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) &&
		    BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x)) &&
		    X509_set_version(x, X509_VERSION_3) &&
		    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1,
					       -1, 0) &&
		    X509_set_issuer_name(x, subject) && ASN1_TIME_set(X509_getm_notBefore(x), now) &&
		    ASN1_TIME_adj(X509_getm_notAfter(x), now, (int)days, 0) && X509_set_pubkey(x, key) &&
		    add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
		    add_extension(x, NID_key_usage, "critical,digitalSignature") &&
		    add_extension(x, NID_ext_key_usage, "codeSigning") && X509_sign(x, key, EVP_sha256()) > 0;

	BN_free(serial);
	if (done)
		return x;
	X509_free(x);
	return NULL;
}

/* Hands over what was written to @bio. */
static void take(BIO *bio, struct buf *ret)
{
	char *data = NULL;
	long len = BIO_get_mem_data(bio, &data);

	if (len > 0)
		buf_add(ret, data, (size_t)len);
}

int sign_generate(const char *name, unsigned bits, int64_t now, unsigned days, struct buf *ret_key,
		  struct buf *ret_certificate, struct buf *ret_der, struct error *err)
{
	EVP_PKEY *key = EVP_RSA_gen(bits);
	X509 *x = key ? self_signed(key, name, now, days) : NULL;
	BIO *key_pem = BIO_new(BIO_s_secmem()), *pem = BIO_new(BIO_s_mem()), *der = BIO_new(BIO_s_mem());
	bool done = x && key_pem && pem && der &&
		    PEM_write_bio_PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL) &&
		    PEM_write_bio_X509(pem, x) && i2d_X509_bio(der, x);

	if (done) {
		take(key_pem, ret_key);
		take(pem, ret_certificate);
		take(der, ret_der);
	}
	BIO_free(key_pem);
	BIO_free(pem);
	BIO_free(der);
	X509_free(x);
	EVP_PKEY_free(key);
	return done ? 0 : sign_crypto_error(err, -EIO, "making a key and its certificate");
}
