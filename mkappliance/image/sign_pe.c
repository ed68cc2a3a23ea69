/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authenticode (Microsoft, "Windows Authenticode Portable Executable Signature Format", March 2008): PKCS#7 over a small structure that
 * holds the digest of the file, in a WIN_CERTIFICATE behind it.
 */
#include <endian.h>
#include <errno.h>
#include <openssl/err.h>
#include <string.h>

#include "image/authenticode.h"
#include "image/sign_internal.h"
#include "lib/cleanup.h"

#define ALIGN		  8u
#define WIN_HEADER	  8u /* u32 length, u16 revision, u16 type */
#define WIN_REVISION	  0x0200u
#define WIN_TYPE_PKCS7	  2u
#define SPC_INDIRECT_DATA "1.3.6.1.4.1.311.2.1.4"
#define SPC_CONTENT_AT \
	2 /* the signature is over the content of the outermost SEQUENCE, without tag and length */
#define CERTIFICATE_MAX (1u << 20)

/*
 * SpcIndirectDataContent in DER, all but the digest at its end: SPC_PE_IMAGE_DATA (1.3.6.1.4.1.311.2.1.15) with no flags and an empty file
 * name, then DigestInfo with SHA-256.
 */
static const uint8_t spc_head[] = {
	0x30, 0x4c, 0x30, 0x17, 0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x01, 0x0f,
	0x30, 0x09, 0x03, 0x01, 0x00, 0xa0, 0x04, 0xa2, 0x02, 0x80, 0x00, 0x30, 0x31, 0x30, 0x0d, 0x06,
	0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20,
};
#define SPC_SIZE (sizeof(spc_head) + SHA256_SIZE)

static void spc_content(const uint8_t digest[SHA256_SIZE], uint8_t ret[SPC_SIZE])
{
	memcpy(ret, spc_head, sizeof(spc_head));
	memcpy(ret + sizeof(spc_head), digest, SHA256_SIZE);
}

/* contents of type SPC_INDIRECT_DATA. */
static bool set_contents(PKCS7 *p7, const uint8_t *spc)
{
	PKCS7 *contents = PKCS7_new();
	ASN1_TYPE *value = ASN1_TYPE_new();
	ASN1_STRING *sequence = ASN1_STRING_new();

	if (!contents || !value || !sequence || !ASN1_STRING_set(sequence, spc, SPC_SIZE) ||
	    PKCS7_set0_type_other(contents, NID_undef, value) != 1) {
		ASN1_TYPE_free(value);
		ASN1_STRING_free(sequence);
		PKCS7_free(contents);
		return false;
	}
	ASN1_TYPE_set(value, V_ASN1_SEQUENCE, sequence);
	ASN1_OBJECT_free(contents->type);
	contents->type = OBJ_txt2obj(SPC_INDIRECT_DATA, 1);
	return contents->type && PKCS7_set_content(p7, contents) == 1;
}

/* Content type and digest; no time, so that a signature says nothing of when it was made. */
static bool add_attributes(PKCS7_SIGNER_INFO *info, const uint8_t *spc)
{
	struct sha256 digest;
	ASN1_OBJECT *type = OBJ_txt2obj(SPC_INDIRECT_DATA, 1);
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();

	sha256_of(spc + SPC_CONTENT_AT, SPC_SIZE - SPC_CONTENT_AT, &digest);
	if (!type || PKCS7_add_signed_attribute(info, NID_pkcs9_contentType, V_ASN1_OBJECT, type) != 1) {
		ASN1_OBJECT_free(type);
		ASN1_OCTET_STRING_free(value);
		return false;
	}
	if (!value || !ASN1_OCTET_STRING_set(value, digest.b, sizeof(digest.b)) ||
	    PKCS7_add_signed_attribute(info, NID_pkcs9_messageDigest, V_ASN1_OCTET_STRING, value) != 1) {
		ASN1_OCTET_STRING_free(value);
		return false;
	}
	return true;
}

/* Zeros in the place of a signature: of RSA it is as long as the key. */
static bool leave_room(const struct signer *s, PKCS7_SIGNER_INFO *info)
{
	_cleanup_buf_ struct buf zeros = {0};

	buf_add_zero(&zeros, (size_t)EVP_PKEY_get_size(s->key));
	return ASN1_STRING_set(info->enc_digest, zeros.ptr, (int)zeros.len) == 1;
}

/* @really false: only its size is wanted. */
static int make_signature(const struct signer *s, const uint8_t *spc, bool really, unsigned char **ret,
			  size_t *ret_len, struct error *err)
{
	PKCS7_SIGNER_INFO *info = NULL;
	__attribute__((cleanup(pkcs7_freep))) PKCS7 *p7 = sign_pkcs7_new(s, &info);
	int n = -1;

	if (p7 && PKCS7_add_certificate(p7, s->certificate) == 1 && set_contents(p7, spc) &&
	    add_attributes(info, spc) && (really ? PKCS7_SIGNER_INFO_sign(info) == 1 : leave_room(s, info)))
		n = i2d_PKCS7(p7, ret);
	if (n <= 0)
		return sign_crypto_error(err, -EIO, "signing the UKI");
	*ret_len = (size_t)n;
	return 0;
}

/* WIN_CERTIFICATE with the signature, padded to 8 bytes. */
static void add_win_certificate(const unsigned char *der, size_t len, struct buf *out)
{
	size_t padded = (len + ALIGN - 1) / ALIGN * ALIGN;
	uint32_t length = htole32((uint32_t)(WIN_HEADER + len));
	uint16_t kind[2] = {htole16(WIN_REVISION), htole16(WIN_TYPE_PKCS7)};

	buf_add(out, &length, sizeof(length));
	buf_add(out, kind, sizeof(kind));
	buf_add(out, der, len);
	buf_add_zero(out, padded - len);
}

/* Puts a certificate table behind the file and its place into the header. */
static void append_table(struct buf *pe, const struct authenticode *a, const void *table, size_t len)
{
	uint32_t directory[2] = {htole32((uint32_t)pe->len), htole32((uint32_t)len)};

	memcpy(pe->ptr + a->directory_at, directory, sizeof(directory));
	buf_add(pe, table, len);
}

/* @pe as it is to be signed: parsed, of a length that is a multiple of 8, and without a signature. */
static int open_unsigned(struct buf *pe, const char *name, struct authenticode *ret, struct error *err)
{
	_cleanup_free_ struct pe *parsed = xcalloc(1, sizeof(*parsed));
	int r;

	buf_add_zero(pe, (ALIGN - pe->len % ALIGN) % ALIGN);
	r = pe_parse(pe->ptr, pe->len, name, parsed, err);
	if (r == 0)
		r = authenticode_open(parsed, name, ret, err);
	if (r < 0)
		return r;
	if (pe->len > INT32_MAX - CERTIFICATE_MAX)
		return error_set(err, -EFBIG, "%s: too large to be signed", name);
	if (authenticode_signed(ret, parsed))
		return error_usage(
			err, "%s: is signed already; remove that signature first (sbattach --remove)", name);
	return 0;
}

int sign_pe_growth(const struct signer *s, size_t len, size_t *ret, struct error *err)
{
	const uint8_t digest[SHA256_SIZE] = {0};
	_cleanup_buf_ struct buf table = {0};
	unsigned char *der = NULL;
	uint8_t spc[SPC_SIZE];
	size_t der_len = 0;
	int r;

	spc_content(digest, spc);
	r = make_signature(s, spc, false, &der, &der_len, err);
	if (r < 0)
		return r;
	add_win_certificate(der, der_len, &table);
	OPENSSL_free(der);
	*ret = (ALIGN - len % ALIGN) % ALIGN + table.len;
	return 0;
}

int sign_pe(const struct signer *s, struct buf *pe, const char *name, struct error *err)
{
	_cleanup_buf_ struct buf table = {0};
	unsigned char *der = NULL;
	uint8_t digest[SHA256_SIZE], spc[SPC_SIZE];
	struct authenticode a = {0};
	size_t len = 0;
	int r = open_unsigned(pe, name, &a, err);

	if (r < 0)
		return r;
	hash_parts(BANK_SHA256, a.parts, a.count, digest);
	spc_content(digest, spc);
	r = make_signature(s, spc, true, &der, &len, err);
	if (r < 0)
		return r;
	add_win_certificate(der, len, &table);
	OPENSSL_free(der);
	append_table(pe, &a, table.ptr, table.len);
	return 0;
}

/* @from as it came back. */
static int open_signed(const void *from, size_t len, const char *name, struct authenticode *ret,
		       struct error *err)
{
	_cleanup_free_ struct pe *pe = xcalloc(1, sizeof(*pe));
	int r = pe_parse(from, len, name, pe, err);

	if (r == 0)
		r = authenticode_open(pe, name, ret, err);
	if (r < 0)
		return r;
	return authenticode_signed(ret, pe) ? 0 : error_usage(err, "%s: is not signed", name);
}

int sign_check_signed(const void *from, size_t len, const char *name, struct error *err)
{
	struct authenticode a;

	return open_signed(from, len, name, &a, err);
}

int sign_attach(struct buf *pe, const char *name, const void *from, size_t from_len, const char *from_name,
		struct error *err)
{
	struct authenticode ours = {0}, theirs = {0};
	struct bank_digest want, got;
	int r = open_unsigned(pe, name, &ours, err);

	if (r == 0)
		r = open_signed(from, from_len, from_name, &theirs, err);
	if (r < 0)
		return r;
	authenticode_digest(&ours, &want);
	authenticode_digest(&theirs, &got);
	if (memcmp(&want, &got, sizeof(want)) != 0)
		return error_refuse(
			err,
			"%s: is not the UKI of this build: template, packages or tools have changed since --unsigned-out",
			from_name);
	if (from_len - theirs.content_len > CERTIFICATE_MAX)
		return error_usage(err, "%s: its certificate table is larger than %u bytes", from_name,
				   CERTIFICATE_MAX);
	/* Signers bring it up to date; nobody looks, but the result is then the file that came back. */
	memcpy(pe->ptr + ours.checksum_at, (const uint8_t *)from + theirs.checksum_at, sizeof(uint32_t));
	append_table(pe, &ours, (const uint8_t *)from + theirs.content_len, from_len - theirs.content_len);
	return 0;
}

/* ---- verification ---- */

/* The PKCS#7 of the first entry of the certificate table. */
static PKCS7 *read_signature(const uint8_t *table, size_t len)
{
	const unsigned char *p = table + WIN_HEADER;
	uint32_t length;
	uint16_t kind[2];

	if (len < WIN_HEADER)
		return NULL;
	memcpy(&length, table, sizeof(length));
	memcpy(kind, table + sizeof(length), sizeof(kind));
	length = le32toh(length);
	if (length <= WIN_HEADER || length > len || le16toh(kind[1]) != WIN_TYPE_PKCS7)
		return NULL;
	return d2i_PKCS7(NULL, &p, (long)(length - WIN_HEADER));
}

/* Whether what was signed is the digest of this file. */
static bool holds_digest(PKCS7 *p7, const uint8_t *spc)
{
	const PKCS7 *contents = PKCS7_type_is_signed(p7) && p7->d.sign ? p7->d.sign->contents : NULL;
	const ASN1_TYPE *value =
		contents && OBJ_obj2nid(contents->type) == NID_undef ? contents->d.other : NULL;
	const ASN1_STRING *s = value && value->type == V_ASN1_SEQUENCE ? value->value.sequence : NULL;
	int n = s ? ASN1_STRING_length(s) : 0;

	/* Signers differ in the file name; the digest is the end of all. */
	return n > SHA256_SIZE && memcmp(ASN1_STRING_get0_data(s) + n - SHA256_SIZE,
					 spc + SPC_SIZE - SHA256_SIZE, SHA256_SIZE) == 0;
}

/* The signature itself, by that certificate and no other. */
static bool verify_by(PKCS7 *p7, X509 *certificate)
{
	const ASN1_STRING *s = p7->d.sign->contents->d.other->value.sequence;
	const unsigned char *p = ASN1_STRING_get0_data(s);
	long content;
	int tag, class;

	if (ASN1_get_object(&p, &content, &tag, &class, ASN1_STRING_length(s)) & 0x80)
		return false;
	return sign_verify_by(p7, certificate, p, (size_t)content);
}

int verify_pe_signature(const void *pe, size_t len, const char *name, const void *der, size_t der_len,
			struct error *err)
{
	_cleanup_free_ struct pe *parsed = xcalloc(1, sizeof(*parsed));
	__attribute__((cleanup(pkcs7_freep))) PKCS7 *p7 = NULL;
	__attribute__((cleanup(x509_freep))) X509 *certificate = NULL;
	const unsigned char *p = der;
	uint8_t digest[SHA256_SIZE], spc[SPC_SIZE];
	struct authenticode a = {0};
	bool good;
	int r = pe_parse(pe, len, name, parsed, err);

	if (r == 0)
		r = authenticode_open(parsed, name, &a, err);
	if (r < 0)
		return r;
	if (!authenticode_signed(&a, parsed))
		return error_refuse(err, "%s: is not signed", name);
	certificate = d2i_X509(NULL, &p, (long)der_len);
	p7 = read_signature(parsed->data + a.content_len, len - a.content_len);
	hash_parts(BANK_SHA256, a.parts, a.count, digest);
	spc_content(digest, spc);
	if (!p7 || !holds_digest(p7, spc)) {
		ERR_clear_error();
		return error_refuse(err, "%s: its signature is of another file", name);
	}
	good = certificate && verify_by(p7, certificate);
	ERR_clear_error();
	return good ? 0 : error_refuse(err, "%s: is not signed by that key", name);
}
