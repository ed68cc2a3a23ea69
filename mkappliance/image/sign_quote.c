/* SPDX-License-Identifier: Apache-2.0 */
#include "image/sign_quote.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <string.h>

#include "image/sign_internal.h"
#include "lib/cleanup.h"

#define COORDINATE_MAX	48u /* bytes of P-384 */
#define RSA_MAX		1024u
#define EXPONENT_COMMON 65537u

static bool is_strong(const EVP_PKEY *key)
{
	int kind = EVP_PKEY_get_base_id(key), bits = EVP_PKEY_get_bits(key);

	return (kind == EVP_PKEY_RSA && bits >= SIGN_RSA_BITS_MIN) ||
	       (kind == EVP_PKEY_EC && sign_is_nist_curve(key));
}

int quote_key_take(EVP_PKEY *key, struct quote_key **ret, struct error *err)
{
	if (!key)
		return sign_crypto_error(err, -EBADMSG, "public key");
	if (!is_strong(key)) {
		EVP_PKEY_free(key);
		return error_set(
			err, -EBADMSG,
			"the key is neither RSA of %d bits and more nor of the curves P-256 and P-384",
			SIGN_RSA_BITS_MIN);
	}
	*ret = xcalloc(1, sizeof(**ret));
	(*ret)->key = key;
	return 0;
}

int quote_key_pem(const void *pem, size_t len, struct quote_key **ret, struct error *err)
{
	EVP_PKEY *key = sign_parse_public_key(pem, len);

	return key ? quote_key_take(key, ret, err)
		   : error_set(err, -EBADMSG, "neither a public key nor a certificate in PEM");
}

static EVP_PKEY *from_parameters(const char *type, OSSL_PARAM_BLD *build)
{
	OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (!parameters || !c || EVP_PKEY_fromdata_init(c) != 1 ||
	    EVP_PKEY_fromdata(c, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
		key = NULL;
	OSSL_PARAM_free(parameters);
	EVP_PKEY_CTX_free(c);
	return key;
}

int quote_key_rsa(const uint8_t *n, size_t len, uint32_t exponent, struct quote_key **ret, struct error *err)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	BIGNUM *modulus = len <= RSA_MAX ? BN_bin2bn(n, (int)len, NULL) : NULL, *e = BN_new();
	EVP_PKEY *key = NULL;

	if (build && modulus && e && BN_set_word(e, exponent ? exponent : EXPONENT_COMMON) &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e))
		key = from_parameters("RSA", build);
	OSSL_PARAM_BLD_free(build);
	BN_free(modulus);
	BN_free(e);
	return quote_key_take(key, ret, err);
}

int quote_key_ec(unsigned bits, const uint8_t *x, size_t x_len, const uint8_t *y, size_t y_len,
		 struct quote_key **ret, struct error *err)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	uint8_t point[1 + 2 * COORDINATE_MAX] = {4}; /* uncompressed: SEC 1, section 2.3.3 */
	size_t size = bits / 8;
	EVP_PKEY *key = NULL;

	if (build && size <= COORDINATE_MAX && x_len <= size && y_len <= size) {
		memcpy(point + 1 + size - x_len, x, x_len);
		memcpy(point + 1 + 2 * size - y_len, y, y_len);
		if (OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME,
						    bits == 384 ? "P-384" : "P-256", 0) &&
		    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * size))
			key = from_parameters("EC", build);
	}
	OSSL_PARAM_BLD_free(build);
	return quote_key_take(key, ret, err);
}

void quote_key_free(struct quote_key *k)
{
	if (!k)
		return;
	EVP_PKEY_free(k->key);
	free(k);
}

void quote_key_freep(struct quote_key **k)
{
	quote_key_free(*k);
}

/* SEQUENCE of the two numbers, as libcrypto wants it; to be freed by OPENSSL_free(). */
static unsigned char *ecdsa_der(const struct quote_signature *sig, size_t *ret_len)
{
	ECDSA_SIG *both = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(sig->r, (int)sig->r_len, NULL), *s = BN_bin2bn(sig->s, (int)sig->s_len, NULL);
	unsigned char *der = NULL;
	int len = -1;

	if (both && r && s && ECDSA_SIG_set0(both, r, s) == 1) {
		r = s = NULL;
		len = i2d_ECDSA_SIG(both, &der);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(both);
	*ret_len = len > 0 ? (size_t)len : 0;
	return len > 0 ? der : NULL;
}

bool quote_verify(struct quote_key *k, const struct quote_signature *sig, const void *message, size_t len)
{
	bool is_ecdsa = sig->scheme == QUOTE_ECDSA, good = false;
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	EVP_PKEY_CTX *parameters = NULL;
	size_t der_len = sig->r_len;
	unsigned char *der = NULL;

	if (is_ecdsa && sig->r_len <= COORDINATE_MAX && sig->s_len <= COORDINATE_MAX)
		der = ecdsa_der(sig, &der_len);
	if (c && is_ecdsa == (EVP_PKEY_get_base_id(k->key) == EVP_PKEY_EC) && (!is_ecdsa || der) &&
	    EVP_DigestVerifyInit(c, &parameters, sig->hash == BANK_SHA384 ? EVP_sha384() : EVP_sha256(), NULL,
				 k->key) == 1 &&
	    /* TPMs take the longest salt that fits, those of FIPS mode one of the digest's length. */
	    (sig->scheme != QUOTE_RSAPSS ||
	     (EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1 &&
	      EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_AUTO) == 1)))
		good = EVP_DigestVerify(c, is_ecdsa ? der : sig->r, der_len, message, len) == 1;
	OPENSSL_free(der);
	EVP_MD_CTX_free(c);
	ERR_clear_error();
	return good;
}
