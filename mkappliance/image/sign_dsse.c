/* SPDX-License-Identifier: Apache-2.0 */
#include "image/sign_dsse.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "image/sign_internal.h"
#include "lib/base64.h"
#include "lib/cleanup.h"
#include "lib/hash.h"

#define SIGNATURES_MAX 64u

static void pkey_freep(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}
#define _cleanup_pkey_ __attribute__((cleanup(pkey_freep)))

static void digest_freep(EVP_MD_CTX **c)
{
	EVP_MD_CTX_free(*c);
}
#define _cleanup_digest_ __attribute__((cleanup(digest_freep)))

/* Both alphabets, as the envelope allows. False: it is no base64, or not the one way to write these bytes. */
static bool from_base64(const char *text, struct buf *ret)
{
	_cleanup_free_ char *plain = xstrdup(text);
	_cleanup_buf_ struct buf data = {0}, again = {0};

	for (char *p = plain; *p; p++)
		*p = *p == '-' ? '+' : *p == '_' ? '/' : *p;
	if (strlen(plain) % 4 || !base64_decode(plain, strlen(plain), &data))
		return false;
	base64_add(&again, data.ptr, data.len);
	if (strcmp(again.ptr ? again.ptr : "", plain) != 0)
		return false;
	buf_add(ret, data.ptr, data.len);
	return true;
}

/* ---- what is signed ---- */

/* PAE(type, payload): "DSSEv1 LEN TYPE LEN PAYLOAD". */
static void encode(const char *type, const void *payload, size_t len, struct buf *ret)
{
	buf_printf(ret, "DSSEv1 %zu %s %zu ", strlen(type), type, len);
	buf_add(ret, payload, len);
}

/* The digest that goes with a key; false: a key of no use. Ed25519 has none: NULL. */
static bool digest_for(const EVP_PKEY *key, const EVP_MD **ret)
{
	int kind = EVP_PKEY_get_base_id(key), bits = EVP_PKEY_get_bits(key);

	*ret = EVP_sha256();
	if (kind == EVP_PKEY_RSA)
		return bits >= SIGN_RSA_BITS_MIN;
	if (kind == EVP_PKEY_ED25519)
		*ret = NULL;
	else if (kind == EVP_PKEY_EC && bits == 384)
		*ret = EVP_sha384();
	return kind == EVP_PKEY_ED25519 || (kind == EVP_PKEY_EC && sign_is_nist_curve(key));
}

static int key_id(EVP_PKEY *key, char ret[SHA256_HEX_SIZE], struct error *err)
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(key, &der);
	struct sha256 digest;

	if (len <= 0)
		return sign_crypto_error(err, -EINVAL, "the public half of the key");
	sha256_of(der, (size_t)len, &digest);
	hex_encode(digest.b, sizeof(digest.b), ret);
	OPENSSL_free(der);
	return 0;
}

/* ---- signing ---- */

static int open_key(const char *key, EVP_PKEY **ret, const EVP_MD **ret_digest, struct error *err)
{
	int r = sign_read_key(key, ret, err);

	if (r < 0)
		return r;
	if (digest_for(*ret, ret_digest))
		return 0;
	return error_usage(
		err,
		"%s: provenance is signed by RSA of %d bits and more, ECDSA over P-256 or P-384, or Ed25519",
		key, SIGN_RSA_BITS_MIN);
}

int dsse_check_key(const char *key, struct error *err)
{
	_cleanup_pkey_ EVP_PKEY *k = NULL;
	const EVP_MD *digest;

	return open_key(key, &k, &digest, err);
}

static int make_signature(EVP_PKEY *key, const EVP_MD *digest, const struct buf *message, struct buf *ret,
			  struct error *err)
{
	_cleanup_digest_ EVP_MD_CTX *c = EVP_MD_CTX_new();
	size_t len = 0;

	if (!c || EVP_DigestSignInit(c, NULL, digest, NULL, key) != 1 ||
	    EVP_DigestSign(c, NULL, &len, (const unsigned char *)message->ptr, message->len) != 1 ||
	    EVP_DigestSign(c, (unsigned char *)buf_room(ret, len), &len, (const unsigned char *)message->ptr,
			   message->len) != 1)
		return sign_crypto_error(err, -EIO, "signing the provenance");
	ret->len += len;
	return 0;
}

int dsse_sign(const char *key, const char *payload_type, const char *payload, char **ret, struct error *err)
{
	_cleanup_pkey_ EVP_PKEY *k = NULL;
	_cleanup_buf_ struct buf message = {0}, signature = {0};
	_cleanup_json_ struct json *j = NULL;
	_cleanup_buf_ struct buf body = {0}, text = {0};
	struct json *list, *one;
	const EVP_MD *digest;
	char id[SHA256_HEX_SIZE];
	int r = open_key(key, &k, &digest, err);

	encode(payload_type, payload, strlen(payload), &message);
	if (r == 0)
		r = make_signature(k, digest, &message, &signature, err);
	if (r == 0)
		r = key_id(k, id, err);
	if (r < 0)
		return r;
	j = js_object_new();
	list = js_array_new();
	one = js_object_new();
	base64_add(&body, payload, strlen(payload));
	base64_add(&text, signature.ptr, signature.len);
	js_set_string(j, "payload", body.ptr);
	js_set_string(j, "payloadType", payload_type);
	js_set_string(one, "keyid", id);
	js_set_string(one, "sig", text.ptr);
	js_append(list, one);
	js_set(j, "signatures", list);
	*ret = js_text(j, false);
	return 0;
}

/* ---- verifying ---- */

static bool verifies(EVP_PKEY *key, const EVP_MD *digest, const struct buf *message,
		     const struct buf *signature)
{
	_cleanup_digest_ EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool good = c && signature->len && EVP_DigestVerifyInit(c, NULL, digest, NULL, key) == 1 &&
		    EVP_DigestVerify(c, (const unsigned char *)signature->ptr, signature->len,
				     (const unsigned char *)message->ptr, message->len) == 1;

	ERR_clear_error();
	return good;
}

static int check_signatures(const struct json *list, const struct buf *message, const char *key,
			    struct error *err)
{
	_cleanup_pkey_ EVP_PKEY *k = NULL;
	const EVP_MD *digest;
	int r = sign_read_public_key(key, &k, err);

	if (r < 0)
		return r;
	if (!digest_for(k, &digest))
		return error_usage(err, "%s: a key of a kind that does not sign provenance", key);
	for (size_t i = 0; i < js_array_len(list) && i < SIGNATURES_MAX; i++) {
		const char *text = js_string(js_get(js_array_get(list, i), "sig"));
		_cleanup_buf_ struct buf signature = {0};

		if (text && from_base64(text, &signature) && verifies(k, digest, message, &signature))
			return 0;
	}
	return error_refuse(err, "none of its signatures was made by the key %s", key);
}

int dsse_open(const struct json *envelope, const char *payload_type, const char *key, struct buf *ret,
	      struct error *err)
{
	_cleanup_buf_ struct buf payload = {0}, message = {0};
	const char *type, *body;
	int r;

	r = js_need_string(envelope, "payloadType", &type, err);
	if (r == 0)
		r = js_need_string(envelope, "payload", &body, err);
	if (r < 0) {
		err->exit = EXIT_REFUSED;
		return r;
	}
	if (strcmp(type, payload_type) != 0)
		return error_refuse(err, "the envelope holds '%s' and not '%s'", type, payload_type);
	if (!from_base64(body, &payload))
		return error_refuse(err, "the envelope's payload is not base64");
	encode(payload_type, payload.ptr, payload.len, &message);
	r = key ? check_signatures(js_get(envelope, "signatures"), &message, key, err) : 0;
	if (r == 0)
		buf_add(ret, payload.ptr, payload.len);
	return r;
}
