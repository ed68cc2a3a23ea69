/* SPDX-License-Identifier: Apache-2.0 */
#include "check/tpm_public.h"

#include <errno.h>
#include <string.h>

#include "check/bytes.h"

#define TPM_ECC_NIST_P256 0x0003u
#define TPM_ECC_NIST_P384 0x0004u

bool tpm_bank_of(uint64_t algorithm, enum bank *ret)
{
	*ret = algorithm == TPM_ALG_SHA384 ? BANK_SHA384 : BANK_SHA256;
	return algorithm == TPM_ALG_SHA256 || algorithm == TPM_ALG_SHA384;
}

/* TPMT_SYM_DEF_OBJECT, then TPMT_ASYM_SCHEME: a signing key has none of the first, a storage key none of the second. */
static void read_schemes(struct bytes *b, struct tpm_public *p)
{
	uint64_t symmetric = bytes_be(b, 2);

	if (symmetric != TPM_ALG_NULL) {
		unsigned bits = (unsigned)bytes_be(b, 2);

		if (bytes_be(b, 2) == TPM_ALG_CFB && symmetric == TPM_ALG_AES)
			p->aes_bits = bits;
	}
	if (bytes_be(b, 2) != TPM_ALG_NULL)
		(void)bytes_take(b, 2);
}

static void read_rsa(struct bytes *b, struct tpm_public *p)
{
	read_schemes(b, p);
	(void)bytes_be(b, 2); /* bits: as many as there are */
	p->exponent = (uint32_t)bytes_be(b, 4);
	p->x = bytes_tpm2b(b, &p->x_len);
}

/* The number of the curve. */
static uint64_t read_ecc(struct bytes *b, struct tpm_public *p)
{
	uint64_t curve;

	read_schemes(b, p);
	curve = bytes_be(b, 2);
	if (bytes_be(b, 2) != TPM_ALG_NULL)
		(void)bytes_take(b, 2); /* TPMT_KDF_SCHEME */
	p->x = bytes_tpm2b(b, &p->x_len);
	p->y = bytes_tpm2b(b, &p->y_len);
	p->curve_bits = curve == TPM_ECC_NIST_P384 ? 384 : 256;
	return curve;
}

int tpm_public_parse(const void *data, size_t len, const char *name, struct tpm_public *ret,
		     struct error *err)
{
	struct bytes b = {.ptr = data, .left = len};
	struct tpm_public p = {0};
	uint64_t curve = TPM_ECC_NIST_P256;
	size_t policy_len;

	if (bytes_be(&b, 2) != len - 2)
		return error_refuse(err, "%s: neither a TPM's public key (TPM2B_PUBLIC) nor PEM", name);
	p.area = b.ptr;
	p.area_len = b.left;
	p.type = (unsigned)bytes_be(&b, 2);
	p.name_hash = (unsigned)bytes_be(&b, 2);
	p.attributes = (uint32_t)bytes_be(&b, 4);
	(void)bytes_tpm2b(&b, &policy_len);
	if (p.type == TPM_ALG_RSA)
		read_rsa(&b, &p);
	else if (p.type == TPM_ALG_ECC)
		curve = read_ecc(&b, &p);
	else
		return error_refuse(err, "%s: a key of the kind 0x%04x; RSA and ECC are known here", name,
				    p.type);
	if (b.ended)
		return error_refuse(err, "%s: the public key is truncated", name);
	if (b.left)
		return error_refuse(err, "%s: %zu bytes too many behind the public key", name, b.left);
	if (curve != TPM_ECC_NIST_P256 && curve != TPM_ECC_NIST_P384)
		return error_refuse(err, "%s: a key of the curve 0x%04jx; P-256 and P-384 are known here",
				    name, (uintmax_t)curve);
	*ret = p;
	return 0;
}

int tpm_public_key(const struct tpm_public *p, struct quote_key **ret, struct error *err)
{
	if (p->type == TPM_ALG_RSA)
		return quote_key_rsa(p->x, p->x_len, p->exponent, ret, err);
	return quote_key_ec(p->curve_bits, p->x, p->x_len, p->y, p->y_len, ret, err);
}

bool tpm_public_name(const struct tpm_public *p, uint8_t ret[TPM_NAME_MAX], size_t *ret_len)
{
	const struct hash_part area = {p->area, p->area_len};
	enum bank bank;

	if (!tpm_bank_of(p->name_hash, &bank))
		return false;
	ret[0] = (uint8_t)(p->name_hash >> 8);
	ret[1] = (uint8_t)p->name_hash;
	hash_parts(bank, &area, 1, ret + 2);
	*ret_len = 2 + bank_size(bank);
	return true;
}

bool tpm_public_is_attestation_key(const struct tpm_public *p)
{
	static const uint32_t wanted = TPMA_FIXED_TPM | TPMA_RESTRICTED | TPMA_SIGN;

	return (p->attributes & wanted) == wanted;
}

bool tpm_public_is_endorsement_key(const struct tpm_public *p)
{
	static const uint32_t wanted = TPMA_FIXED_TPM | TPMA_RESTRICTED | TPMA_DECRYPT;

	return (p->attributes & (wanted | TPMA_SIGN)) == wanted;
}
