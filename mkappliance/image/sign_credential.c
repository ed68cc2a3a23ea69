/* SPDX-License-Identifier: Apache-2.0 */
#include "image/sign_credential.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509_vfy.h>
#include <string.h>

#include "image/sign_internal.h"
#include "lib/cleanup.h"

#define COORDINATE_MAX 48u /* bytes of P-384 */

static inline void pkey_freep(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

static inline void pkey_ctx_freep(EVP_PKEY_CTX **c)
{
	EVP_PKEY_CTX_free(*c);
}

static const EVP_MD *md_of(enum bank hash)
{
	return hash == BANK_SHA384 ? EVP_sha384() : EVP_sha256();
}

static void add_be(struct buf *b, uint32_t v, size_t len)
{
	for (size_t i = len; i-- > 0;)
		buf_add(b, &(uint8_t){(uint8_t)(v >> 8 * i)}, 1);
}

static void add_tpm2b(struct buf *b, const void *data, size_t len)
{
	add_be(b, (uint32_t)len, 2);
	buf_add(b, data, len);
}

int credential_random(void *ret, size_t len, struct error *err)
{
	return RAND_bytes(ret, (int)len) == 1 ? 0 : sign_crypto_error(err, -EIO, "random numbers");
}

/* ---- endorsement keys ---- */

static X509 *parse_certificate(const void *data, size_t len)
{
	BIO *bio = BIO_new_mem_buf(data, (int)len);
	const unsigned char *der = data;
	X509 *x = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	return x ? x : d2i_X509(NULL, &der, (long)len);
}

/* All certificates of @ca. NULL: there is none. */
static X509_STORE *parse_store(const void *ca, size_t len)
{
	BIO *bio = BIO_new_mem_buf(ca, (int)len);
	X509_STORE *store = X509_STORE_new();
	size_t count = 0;
	X509 *x;

	while (bio && store && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		count += X509_STORE_add_cert(store, x) == 1;
		X509_free(x);
	}
	BIO_free(bio);
	if (count)
		return store;
	X509_STORE_free(store);
	return NULL;
}

/*
 * What makes of TPMs write into their certificates goes beyond what libcrypto knows, critical or not (TCG EK Credential Profile, section 3.2):
 * who signed it and until when is what counts here.
 */
static int check_chain(X509 *x, const void *ca, size_t ca_len, struct error *err)
{
	X509_STORE *store = parse_store(ca, ca_len);
	X509_STORE_CTX *c = X509_STORE_CTX_new();
	int r = 0;

	if (!store) {
		r = error_usage(err, "the file of --ek-ca holds no certificate in PEM");
	} else if (!c || X509_STORE_CTX_init(c, store, x, NULL) != 1) {
		r = sign_crypto_error(err, -EIO, "endorsement certificate");
	} else {
		X509_STORE_CTX_set_flags(c, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_IGNORE_CRITICAL);
		if (X509_verify_cert(c) != 1)
			r = error_refuse(
				err,
				"the endorsement certificate does not lead to a maker that is believed: %s",
				X509_verify_cert_error_string(X509_STORE_CTX_get_error(c)));
	}
	X509_STORE_CTX_free(c);
	X509_STORE_free(store);
	ERR_clear_error();
	return r;
}

int endorsement_key_parse(const void *data, size_t len, const void *ca, size_t ca_len, struct quote_key **ret,
			  struct error *err)
{
	__attribute__((cleanup(x509_freep))) X509 *x = parse_certificate(data, len);
	__attribute__((cleanup(pkey_freep))) EVP_PKEY *key = NULL;
	const unsigned char *der = data;
	int r;

	if (x) {
		r = ca ? check_chain(x, ca, ca_len, err) : 0;
		if (r < 0)
			return r;
		key = X509_get_pubkey(x);
	} else {
		key = sign_parse_public_key(data, len);
		key = key ? key : d2i_PUBKEY(NULL, &der, (long)len);
	}
	ERR_clear_error();
	if (!key)
		return error_refuse(
			err, "neither a TPM's public key, nor a public key or certificate in PEM or DER");
	if (ca && !x)
		return error_refuse(err, "a public key and not a certificate: no maker vouches for it");
	return quote_key_take(steal_pointer(&key), ret, err);
}

bool quote_key_is_rsa(const struct quote_key *k, unsigned *ret_bits)
{
	*ret_bits = (unsigned)EVP_PKEY_get_bits(k->key);
	return EVP_PKEY_get_base_id(k->key) == EVP_PKEY_RSA;
}

bool quote_key_same(const struct quote_key *a, const struct quote_key *b)
{
	return EVP_PKEY_eq(a->key, b->key) == 1;
}

/* ---- the seed, for the endorsement key alone ---- */

/* Part 1, B.10.4: OAEP, whose label has its closing 0. */
static int seal_by_rsa(const struct credential_target *to, const uint8_t *seed, struct buf *ret,
		       struct error *err)
{
	static const char label[] = "IDENTITY";
	__attribute__((cleanup(pkey_ctx_freep))) EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(to->key->key, NULL);
	const EVP_MD *md = md_of(to->hash);
	_cleanup_buf_ struct buf sealed = {0};
	size_t len = (size_t)EVP_PKEY_get_size(to->key->key);
	void *copy = OPENSSL_memdup(label, sizeof(label));

	if (!c || EVP_PKEY_encrypt_init(c) != 1 ||
	    EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_OAEP_PADDING) != 1 ||
	    EVP_PKEY_CTX_set_rsa_oaep_md(c, md) != 1 || EVP_PKEY_CTX_set_rsa_mgf1_md(c, md) != 1 ||
	    EVP_PKEY_CTX_set0_rsa_oaep_label(c, copy, sizeof(label)) != 1) {
		OPENSSL_free(copy);
		return sign_crypto_error(err, -EIO, "endorsement key");
	}
	if (EVP_PKEY_encrypt(c, (unsigned char *)buf_room(&sealed, len), &len, seed, bank_size(to->hash)) !=
	    1)
		return sign_crypto_error(err, -EIO, "endorsement key");
	sealed.len = len;
	add_tpm2b(ret, sealed.ptr, sealed.len);
	return 0;
}

/* The uncompressed point (SEC 1, section 2.3.3) of @size bytes a coordinate. */
static bool point_of(EVP_PKEY *key, size_t size, uint8_t ret[1 + 2 * COORDINATE_MAX])
{
	unsigned char *point = NULL;
	size_t len = EVP_PKEY_get1_encoded_public_key(key, &point);
	bool good = len == 1 + 2 * size && point[0] == 4;

	if (good)
		memcpy(ret, point, len);
	OPENSSL_free(point);
	return good;
}

static bool derive(EVP_PKEY *own, EVP_PKEY *peer, uint8_t *ret, size_t size)
{
	__attribute__((cleanup(pkey_ctx_freep))) EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(own, NULL);
	size_t len = size;

	return c && EVP_PKEY_derive_init(c) == 1 && EVP_PKEY_derive_set_peer(c, peer) == 1 &&
	       EVP_PKEY_derive(c, ret, &len) == 1 && len == size;
}

/* Part 1, C.6.1: the seed is what both agree on, by KDFe; what travels is a point. */
static int seal_by_curve(const struct credential_target *to, uint8_t *ret_seed, struct buf *ret,
			 struct error *err)
{
	static const char label[] = "IDENTITY";
	size_t size = ((size_t)EVP_PKEY_get_bits(to->key->key) + 7) / 8;
	__attribute__((cleanup(pkey_freep))) EVP_PKEY *own = EVP_EC_gen(size == 48 ? "P-384" : "P-256");
	uint8_t mine[1 + 2 * COORDINATE_MAX], theirs[1 + 2 * COORDINATE_MAX], z[COORDINATE_MAX];
	static const uint8_t counter[4] = {0, 0, 0, 1};

	if (size > COORDINATE_MAX || !own || !point_of(own, size, mine) ||
	    !point_of(to->key->key, size, theirs) || !derive(own, to->key->key, z, size))
		return sign_crypto_error(err, -EIO, "endorsement key");

	const struct hash_part parts[] = {
		{counter, sizeof(counter)}, {z, size},		{label, sizeof(label)},
		{mine + 1, size},	    {theirs + 1, size},
	};

	hash_parts(to->hash, parts, sizeof(parts) / sizeof(parts[0]), ret_seed);
	OPENSSL_cleanse(z, sizeof(z));
	add_be(ret, (uint32_t)(2 * (2 + size)), 2);
	add_tpm2b(ret, mine + 1, size);
	add_tpm2b(ret, mine + 1 + size, size);
	return 0;
}

/* ---- the secret, for the seed and the name alone ---- */

/* KDFa, which one round is enough for: @bits are no more than the hash has. */
static bool kdfa(enum bank hash, const uint8_t *seed, const char *label, const void *context, size_t len,
		 unsigned bits, uint8_t ret[EVP_MAX_MD_SIZE])
{
	_cleanup_buf_ struct buf b = {0};

	add_be(&b, 1, 4);
	buf_add(&b, label, strlen(label) + 1);
	buf_add(&b, context, len);
	add_be(&b, bits, 4);
	return HMAC(md_of(hash), seed, (int)bank_size(hash), (unsigned char *)b.ptr, b.len, ret, NULL);
}

/* In CFB from an IV of zeros. */
static bool encrypt(const uint8_t *key, unsigned bits, const struct buf *plain, struct buf *ret)
{
	static const uint8_t iv[16];
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int len = 0;
	bool good = c &&
		    EVP_EncryptInit_ex(c, bits == 256 ? EVP_aes_256_cfb128() : EVP_aes_128_cfb128(), NULL,
				       key, iv) == 1 &&
		    EVP_EncryptUpdate(c, (unsigned char *)buf_room(ret, plain->len), &len,
				      (unsigned char *)plain->ptr, (int)plain->len) == 1 &&
		    (size_t)len == plain->len;

	ret->len += good ? plain->len : 0;
	EVP_CIPHER_CTX_free(c);
	return good;
}

int credential_protect(const struct credential_target *to, const uint8_t *seed, const void *secret,
		       size_t len, struct buf *ret, struct error *err)
{
	uint8_t key[EVP_MAX_MD_SIZE], mac_key[EVP_MAX_MD_SIZE], mac[EVP_MAX_MD_SIZE];
	_cleanup_buf_ struct buf plain = {0}, identity = {0};
	const size_t size = bank_size(to->hash);
	size_t encrypted;

	add_tpm2b(&plain, secret, len);
	if (!kdfa(to->hash, seed, "STORAGE", to->name, to->name_len, to->aes_bits, key) ||
	    !kdfa(to->hash, seed, "INTEGRITY", NULL, 0, (unsigned)(8 * size), mac_key) ||
	    !encrypt(key, to->aes_bits, &plain, &identity))
		return sign_crypto_error(err, -EIO, "credential");
	encrypted = identity.len;
	buf_add(&identity, to->name, to->name_len);
	if (!HMAC(md_of(to->hash), mac_key, (int)size, (unsigned char *)identity.ptr, identity.len, mac,
		  NULL))
		return sign_crypto_error(err, -EIO, "credential");
	add_be(ret, (uint32_t)(2 + size + encrypted), 2);
	add_tpm2b(ret, mac, size);
	buf_add(ret, identity.ptr, encrypted);
	return 0;
}

int credential_make(const struct credential_target *to, const void *secret, size_t len, struct buf *ret,
		    struct error *err)
{
	bool is_rsa = EVP_PKEY_get_base_id(to->key->key) == EVP_PKEY_RSA;
	_cleanup_buf_ struct buf sealed = {0};
	uint8_t seed[SHA384_SIZE];
	int r;

	if (len > bank_size(to->hash))
		return error_set(err, -EINVAL, "a credential of %zu bytes: at most %zu", len,
				 bank_size(to->hash));
	r = is_rsa ? credential_random(seed, bank_size(to->hash), err) : 0;
	if (r == 0)
		r = is_rsa ? seal_by_rsa(to, seed, &sealed, err) : seal_by_curve(to, seed, &sealed, err);
	if (r == 0)
		r = credential_protect(to, seed, secret, len, ret, err);
	if (r == 0)
		buf_add(ret, sealed.ptr, sealed.len);
	OPENSSL_cleanse(seed, sizeof(seed));
	return r;
}
