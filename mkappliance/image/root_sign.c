/* SPDX-License-Identifier: Apache-2.0 */
#include "image/root_sign.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "image/abi.h"
#include "image/secure_boot.h"
#include "lib/cleanup.h"
#include "lib/io.h"

#define ANSWER_MAX ((size_t)ABI_SIGNATURE_MAX)

/* The kernel's own names of the option and of dm-verity's parameter for it, and the first that looks into .platform, where the firmware's db goes. */
#define KERNEL_OPTION	 "root_hash_sig_key_desc"
#define KERNEL_PARAMETER "require_signatures"
#define PLATFORM_MAJOR	 6
#define PLATFORM_MINOR	 12

void root_signer_free(struct root_signer *s)
{
	signer_free(s->key);
	buf_free(&s->certificate);
	buf_free(&s->attached);
	*s = (struct root_signer){0};
}

/* What was asked for must be possible, and what is possible must be asked for. */
static int check_options(const struct template *t, const char *attach, bool out, struct error *err)
{
	if ((attach || out) && !t->sign.verity_certificate)
		return error_usage(err,
				   "%s: [Sign] VerityCertificate= is missing: whose signature is it to be?",
				   t->path);
	if ((attach || out) && t->sign.verity_key)
		return error_usage(
			err,
			"%s: [Sign] VerityKey= signs the root hash here; remove it to have it signed elsewhere",
			t->path);
	if (attach && out)
		return error_usage(
			err,
			"--root-hash-out comes before the signature, --attach-root-signature after it: not both");
	if (t->sign.verity_certificate && !t->sign.verity_key && !attach && !out)
		return error_usage(
			err,
			"%s: [Sign] VerityCertificate= without VerityKey=: who signs the root hash? --root-hash-out=FILE gives it to somebody, --attach-root-signature=FILE takes his answer",
			t->path);
	return 0;
}

int root_signer_open(const struct template *t, const char *attach, bool out, struct root_signer *ret,
		     struct error *err)
{
	_cleanup_(root_signer_free) struct root_signer s = {.attached_name = attach};
	const int64_t now = time(NULL);
	int r = check_options(t, attach, out, err);

	if (r < 0 || !t->sign.verity_certificate)
		return r;
	s.enabled = true;
	r = sign_read_certificate(t->sign.verity_certificate, now, &s.certificate, err);
	if (r == 0 && t->sign.verity_key)
		r = signer_open(t->sign.verity_key, t->sign.verity_certificate, now, &s.key, err);
	if (r < 0)
		return error_prefix(err, "[Sign]");
	r = attach ? io_read_file(AT_FDCWD, attach, ANSWER_MAX, &s.attached, err) : 0;
	if (r < 0)
		return r;
	sha256_of(s.certificate.ptr, s.certificate.len, &s.fingerprint);
	*ret = s;
	s = (struct root_signer){0};
	return 0;
}

/* ---- whether it will be accepted ---- */

/*
 * A dm-verity that is built in tells its parameters in modules.builtin.modinfo, and has one more with signatures (dm-verity-verify-sig.c). Of a
 * kernel that tells nothing at all the init will see.
 */
static bool builtin_knows_signatures(const struct kernel *k)
{
	static const char prefix[] = "dm_verity.", parameter[] = "dm_verity.parm=" KERNEL_PARAMETER ":";
	const char *at = k->builtin_info, *end = at + k->builtin_info_len;
	bool is_there = false;

	while (at < end) {
		size_t len = strnlen(at, (size_t)(end - at));

		is_there |= len >= strlen(prefix) && memcmp(at, prefix, strlen(prefix)) == 0;
		if (len >= strlen(parameter) && memcmp(at, parameter, strlen(parameter)) == 0)
			return true;
		at += len + 1;
	}
	return !is_there;
}

static bool kernel_knows_signatures(const struct kernel *k)
{
	for (size_t i = 0; i < k->initrd_len; i++)
		if (strcmp(k->initrd[i].name, "dm_verity") == 0)
			return memmem(k->initrd[i].data, k->initrd[i].len, KERNEL_OPTION,
				      strlen(KERNEL_OPTION));
	return !k->builtin_info || builtin_knows_signatures(k);
}

static bool kernel_asks_firmware(const struct kernel *k)
{
	unsigned major = 0, minor = 0;

	return sscanf(k->release, "%u.%u", &major, &minor) != 2 || major > PLATFORM_MAJOR ||
	       (major == PLATFORM_MAJOR && minor >= PLATFORM_MINOR);
}

int root_signer_check(const struct root_signer *s, const struct template *t, const struct kernel *k,
		      struct error *err)
{
	_cleanup_secure_boot_ struct secure_boot sb = {0};
	const char *keys = t->sign.secure_boot_variables;
	int r;

	if (!t->sign.verity_required)
		return 0;
	if (!kernel_knows_signatures(k))
		return error_usage(
			err,
			"%s: [Sign] VerityRequired=: kernel %s cannot verify signatures of root hashes (CONFIG_DM_VERITY_VERIFY_ROOTHASH_SIG is not set)",
			t->path, k->release);
	r = keys ? secure_boot_read(keys, &sb, err) : 0;
	if (r < 0 || !keys || secure_boot_lists(&sb.mok, s->certificate.ptr, s->certificate.len))
		return r;
	if (!secure_boot_lists(&sb.db, s->certificate.ptr, s->certificate.len))
		return error_refuse(
			err,
			"[Sign] VerityRequired=: the certificate of VerityCertificate= is neither in verity.esl nor in db.esl of %s: no kernel would accept its signatures",
			keys);
	if (!kernel_asks_firmware(k))
		return error_usage(
			err,
			"%s: [Sign] VerityRequired=: the certificate is in db alone, and kernel %s does not look there (%d.%d and later do); put it into verity.esl",
			t->path, k->release, PLATFORM_MAJOR, PLATFORM_MINOR);
	return 0;
}

/* ---- the signature ---- */

int root_sign(const struct root_signer *s, const struct sha256 *root_hash, struct buf *ret, struct error *err)
{
	_cleanup_root_signature_ struct root_signature signature = {.root_hash = *root_hash,
								    .certificate = s->fingerprint};
	char hex[SHA256_HEX_SIZE];
	int r;

	hex_encode(root_hash->b, SHA256_SIZE, hex);
	if (s->key) {
		r = sign_detached(s->key, hex, strlen(hex), &signature.der, err);
	} else {
		buf_add(&signature.der, s->attached.ptr, s->attached.len);
		r = verify_detached(s->attached.ptr, s->attached.len, hex, strlen(hex), s->certificate.ptr,
				    s->certificate.len, s->attached_name, err);
	}
	return r < 0 ? r : root_signature_encode(&signature, ret, err);
}
