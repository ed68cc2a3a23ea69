/* SPDX-License-Identifier: Apache-2.0 */
#include "check/challenge.h"

#include <errno.h>

#include "image/sign_credential.h"
#include "lib/cleanup.h"

/* What tpm2-tools put before both structures: lib/files.c, files_write_header(). */
static const uint8_t header[8] = {0xba, 0xdc, 0xc0, 0xde, 0, 0, 0, 1};

/* A key that nobody should use is a refusal too. */
static int not_good(const char *name, int r, struct error *err)
{
	if (r == -EBADMSG)
		err->exit = EXIT_REFUSED;
	return error_prefix(err, "%s", name);
}

/* Public keys and certificates do not say how the TPM made the key: by the TCG's templates, whose size tells (EK Credential Profile 2.5, annex B). */
static int by_template(const char *name, struct credential_target *to, struct error *err)
{
	unsigned bits;
	bool is_rsa = quote_key_is_rsa(to->key, &bits);

	if (bits == (is_rsa ? 2048 : 256)) {
		to->hash = BANK_SHA256;
		to->aes_bits = 128;
	} else if (bits == (is_rsa ? 3072 : 384)) {
		to->hash = BANK_SHA384;
		to->aes_bits = 256;
	} else {
		return error_refuse(
			err,
			"%s: no template of the TCG has keys of %u bits that are known here; give the key as a TPM2B_PUBLIC",
			name, bits);
	}
	return 0;
}

static int by_public(const struct attest_file *file, struct credential_target *to, struct error *err)
{
	struct tpm_public p;
	int r = tpm_public_parse(file->data, file->len, file->name, &p, err);

	if (r < 0)
		return r;
	if (!tpm_public_is_endorsement_key(&p) || (p.aes_bits != 128 && p.aes_bits != 256) ||
	    !tpm_bank_of(p.name_hash, &to->hash))
		return error_refuse(
			err,
			"%s: not an endorsement key: a restricted storage key that is fixed to its TPM, with AES and SHA-256 or SHA-384",
			file->name);
	to->aes_bits = p.aes_bits;
	r = tpm_public_key(&p, &to->key, err);
	return r < 0 ? not_good(file->name, r, err) : 0;
}

/* A TPM2B_PUBLIC begins with its size. */
static bool is_tpm2b(const struct attest_file *file)
{
	const uint8_t *p = file->data;

	return file->len > 2 && ((size_t)p[0] << 8 | p[1]) == file->len - 2;
}

static int read_endorsement_key(const struct challenge_input *in, struct credential_target *to,
				struct error *err)
{
	int r;

	if (is_tpm2b(&in->ek))
		return in->ca.data
			       ? error_refuse(
					 err,
					 "%s: a TPM's public key and not a certificate: no maker vouches for it",
					 in->ek.name)
			       : by_public(&in->ek, to, err);
	r = endorsement_key_parse(in->ek.data, in->ek.len, in->ca.data, in->ca.len, &to->key, err);
	if (r == 0)
		return by_template(in->ek.name, to, err);
	return not_good(in->ek.name, r, err);
}

static int read_attestation_key(const struct attest_file *file, struct challenge *c, struct error *err)
{
	struct tpm_public p;
	int r = tpm_public_parse(file->data, file->len, file->name, &p, err);

	if (r < 0)
		return r;
	if (!tpm_public_is_attestation_key(&p) || !tpm_public_name(&p, c->name, &c->name_len))
		return error_refuse(
			err,
			"%s: not an attestation key: it is not restricted to what its TPM made and fixed to it, or its name is neither by SHA-256 nor by SHA-384",
			file->name);
	return 0;
}

static int make(const struct challenge_input *in, struct credential_target *to, struct challenge *c,
		struct error *err)
{
	int r = read_attestation_key(&in->ak, c, err);

	if (r == 0)
		r = read_endorsement_key(in, to, err);
	if (r == 0)
		r = credential_random(c->nonce, sizeof(c->nonce), err);
	if (r < 0)
		return r;
	to->name = c->name;
	to->name_len = c->name_len;
	buf_add(&c->file, header, sizeof(header));
	return credential_make(to, c->nonce, sizeof(c->nonce), &c->file, err);
}

int challenge_make(const struct challenge_input *in, struct challenge *ret, struct error *err)
{
	struct credential_target to = {0};
	struct challenge c = {0};
	int r = make(in, &to, &c, err);

	quote_key_free(to.key);
	if (r < 0)
		buf_free(&c.file);
	else
		*ret = c;
	return r;
}
