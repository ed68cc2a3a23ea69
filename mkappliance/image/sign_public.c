/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys, as files. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>

#include "image/sign_internal.h"
#include "lib/cleanup.h"
#include "lib/io.h"

#define FILE_MAX ((size_t)1 << 20)

EVP_PKEY *sign_parse_public_key(const void *pem, size_t len)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)len), *again = BIO_new_mem_buf(pem, (int)len);
	EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
	X509 *certificate = !key && again ? PEM_read_bio_X509(again, NULL, NULL, NULL) : NULL;

	if (certificate)
		key = X509_get_pubkey(certificate);
	X509_free(certificate);
	BIO_free(bio);
	BIO_free(again);
	ERR_clear_error();
	return key;
}

bool sign_is_nist_curve(const EVP_PKEY *key)
{
	char name[64];
	size_t len;
	int nid;

	if (EVP_PKEY_get_group_name(key, name, sizeof(name), &len) != 1) {
		ERR_clear_error();
		return false;
	}
	nid = OBJ_sn2nid(name);
	if (nid == NID_undef)
		nid = EC_curve_nist2nid(name);
	return nid == NID_X9_62_prime256v1 || nid == NID_secp384r1;
}

int sign_read_public_key(const char *path, EVP_PKEY **ret, struct error *err)
{
	_cleanup_buf_ struct buf b = {0};
	int r = io_read_file(AT_FDCWD, path, FILE_MAX, &b, err);

	if (r < 0)
		return r;
	*ret = sign_parse_public_key(b.ptr ? b.ptr : "", b.len);
	return *ret ? 0 : error_usage(err, "%s: holds neither a public key nor a certificate in PEM", path);
}
