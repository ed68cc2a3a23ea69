/* SPDX-License-Identifier: Apache-2.0 */
#include "image/secure_boot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/sign.h"
#include "lib/cleanup.h"
#include "lib/io.h"

#define ESL_MAX	      ((size_t)64 << 10)
#define PLAIN	      (EFI_NON_VOLATILE | EFI_BOOT_SERVICE | EFI_RUNTIME)
#define AUTHENTICATED (PLAIN | EFI_TIME_BASED_AUTH)

enum { PK, KEK, DB, VERITY, KEY_COUNT };

static const struct {
	const char *name;
	const char *title;
	const char *vendor; /* NULL: no variable of the firmware */
	unsigned signer;    /* of the .auth file */
} keys[KEY_COUNT] = {
	[PK] = {"PK", "platform key", EFI_GLOBAL_VARIABLE, PK},
	[KEK] = {"KEK", "key exchange key", EFI_GLOBAL_VARIABLE, PK},
	[DB] = {"db", "image signing key", EFI_SECURITY_DATABASES, KEK},
	[VERITY] = {"verity", "root hash signing key", NULL, VERITY},
};

/* shim's list of the owner's keys as it hands it to the kernel, which has no other way to find them. */
#define SHIM_LOCK "605dab50-e046-4300-abb6-3dd810dd8b23"
#define MOK_LIST  "MokListRT"

/* ---- making them ---- */

static char *path_of(const char *dir, const char *name, const char *suffix)
{
	return xasprintf("%s/%s%s", dir, name, suffix);
}

static int must_not_exist(const char *dir, struct error *err)
{
	static const char *const suffixes[] = {".key", ".crt", ".esl", ".auth"};

	for (size_t k = 0; k < KEY_COUNT; k++)
		for (size_t s = 0; s < sizeof(suffixes) / sizeof(suffixes[0]); s++) {
			_cleanup_free_ char *path = path_of(dir, keys[k].name, suffixes[s]);

			if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
				return error_set(
					err, -EEXIST,
					"%s: is there already, and a key that is overwritten is lost; name another directory",
					path);
		}
	return 0;
}

/* What was written so far, to be taken back when the rest fails. */
struct generation {
	const char *dir;
	bool made_dir;
	struct strlist files;
	char *owner;
	bool done;
};

static void generation_end(struct generation *g)
{
	for (size_t i = 0; !g->done && i < g->files.len; i++)
		(void)unlink(g->files.ptr[i]);
	if (!g->done && g->made_dir)
		(void)rmdir(g->dir);
	strlist_free(&g->files);
	free(g->owner);
}

static int put(struct generation *g, const char *name, const char *suffix, mode_t mode, const struct buf *b,
	       struct error *err)
{
	_cleanup_free_ char *path = path_of(g->dir, name, suffix);
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	int r;

	if (fd < 0)
		return error_errno(err, -errno, "%s", path);
	strlist_add(&g->files, path);
	r = io_write_full(fd, path, b->ptr, b->len, err);
	if (r == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
		r = error_errno(err, -errno, "%s", path);
	return r;
}

static int generate_pair(struct generation *g, size_t k, const struct keys_options *o,
			 const struct guid *owner, struct error *err)
{
	_cleanup_buf_ struct buf key = {0}, crt = {0}, der = {0}, esl = {0};
	_cleanup_free_ char *title = xasprintf("%s %s", o->name, keys[k].title);
	int r = sign_generate(title, o->bits, o->now, o->days, &key, &crt, &der, err);

	if (r == 0)
		r = put(g, keys[k].name, ".key", 0600, &key, err);
	if (r == 0)
		r = put(g, keys[k].name, ".crt", 0644, &crt, err);
	if (r == 0) {
		efi_signature_list(owner, der.ptr, der.len, &esl);
		r = put(g, keys[k].name, ".esl", 0644, &esl, err);
	}
	if (key.ptr)
		explicit_bzero(key.ptr, key.len);
	return r;
}

static int generate_auth(struct generation *g, size_t k, const struct keys_options *o, struct error *err)
{
	const char *by = keys[keys[k].signer].name;
	_cleanup_free_ char *key = path_of(g->dir, by, ".key"), *crt = path_of(g->dir, by, ".crt");
	_cleanup_free_ char *esl_path = path_of(g->dir, keys[k].name, ".esl");
	_cleanup_signer_ struct signer *s = NULL;
	_cleanup_buf_ struct buf esl = {0}, auth = {0};
	struct efi_variable v = {.name = keys[k].name, .vendor = keys[k].vendor, .attributes = AUTHENTICATED};
	int r = signer_open(key, crt, o->now, &s, err);

	if (r == 0)
		r = io_read_file(AT_FDCWD, esl_path, ESL_MAX, &esl, err);
	if (r < 0)
		return r;
	efi_time(o->now, v.time);
	v.data = esl.ptr;
	v.len = esl.len;
	r = sign_efi_variable(s, &v, &auth, err);
	return r < 0 ? r : put(g, keys[k].name, ".auth", 0644, &auth, err);
}

static int put_owner(struct generation *g, struct guid *ret, struct error *err)
{
	_cleanup_buf_ struct buf text = {0};
	char guid[GUID_TEXT_SIZE];

	if (getentropy(ret->b, sizeof(ret->b)) < 0)
		return error_errno(err, -errno, "random bytes");
	ret->b[6] = (uint8_t)((ret->b[6] & 0x0f) | 0x40); /* RFC 9562, version 4 */
	ret->b[8] = (uint8_t)((ret->b[8] & 0x3f) | 0x80);
	guid_format(ret, guid);
	buf_printf(&text, "%s\n", guid);
	return put(g, "owner", "", 0644, &text, err);
}

/* The names too are on the disk: a key that is enrolled and then lost cannot be made again. */
static int sync_directory(const char *dir, struct error *err)
{
	_cleanup_free_ char *inside = path_of(dir, "owner", "");
	int r = output_sync_directory(inside, err);

	return r < 0 ? r : output_sync_directory(dir, err);
}

int secure_boot_generate(const char *dir, const struct keys_options *o, struct error *err)
{
	_cleanup_(generation_end) struct generation g = {.dir = dir};
	struct guid owner;
	int r = must_not_exist(dir, err);

	if (r < 0)
		return r;
	if (mkdir(dir, 0700) == 0)
		g.made_dir = true;
	else if (errno != EEXIST)
		return error_errno(err, -errno, "%s: making the directory", dir);
	r = put_owner(&g, &owner, err);
	for (size_t k = 0; r == 0 && k < KEY_COUNT; k++)
		r = generate_pair(&g, k, o, &owner, err);
	for (size_t k = 0; r == 0 && k < KEY_COUNT; k++)
		if (keys[k].vendor)
			r = generate_auth(&g, k, o, err);
	if (r == 0)
		r = sync_directory(dir, err);
	g.done = r == 0;
	return r;
}

/* ---- using them ---- */

static int ignore(const uint8_t *signature, size_t len, void *user)
{
	(void)signature;
	(void)len;
	(void)user;
	return 0;
}

static int read_list(const char *dir, const char *name, bool needed, struct buf *ret, struct error *err)
{
	_cleanup_free_ char *path = path_of(dir, name, ".esl");
	int r = io_read_file(AT_FDCWD, path, ESL_MAX, ret, err);

	if (r == -ENOENT && !needed) {
		*err = ERROR_INIT;
		return 0;
	}
	if (r == -ENOENT)
		return error_prefix(err, "the keys of Secure Boot ('mkappliance keygen' makes them)");
	return r < 0 ? r : efi_signatures_walk(ret->ptr, ret->len, path, ignore, NULL, err);
}

int secure_boot_read(const char *dir, struct secure_boot *ret, struct error *err)
{
	_cleanup_secure_boot_ struct secure_boot sb = {.enabled = true};
	int r;

	if ((r = read_list(dir, "PK", true, &sb.pk, err)) < 0 ||
	    (r = read_list(dir, "KEK", true, &sb.kek, err)) < 0 ||
	    (r = read_list(dir, "db", true, &sb.db, err)) < 0 ||
	    (r = read_list(dir, "dbx", false, &sb.dbx, err)) < 0 ||
	    (r = read_list(dir, "verity", false, &sb.mok, err)) < 0)
		return r;
	*ret = sb;
	sb = (struct secure_boot){0};
	return 0;
}

struct search {
	const void *uki;
	size_t len;
	struct buf *authority;
};

static int try_entry(const uint8_t *signature, size_t len, void *user)
{
	const struct search *s = user;
	struct error ignored = ERROR_INIT;

	if (verify_pe_signature(s->uki, s->len, "UKI", signature + EFI_SIGNATURE_OWNER_SIZE,
				len - EFI_SIGNATURE_OWNER_SIZE, &ignored) < 0)
		return 0;
	buf_add(s->authority, signature, len);
	return 1;
}

static int not_signed(const char *name, struct error *err)
{
	return error_refuse(
		err, "%s: its UKI is not signed by a key of db: firmware with these keys would not start it",
		name);
}

int secure_boot_find_authority(struct secure_boot *sb, const void *uki, size_t len, const char *name,
			       struct error *err)
{
	struct search s = {uki, len, &sb->authority};
	int r;

	sb->authority.len = 0;
	r = efi_signatures_walk(sb->db.ptr, sb->db.len, "db", try_entry, &s, err);
	if (r < 0)
		return r;
	return r == 0 ? not_signed(name, err) : 0;
}

static int is_certificate(const uint8_t *signature, size_t len, void *user)
{
	const struct hash_part *certificate = user;

	return len - EFI_SIGNATURE_OWNER_SIZE == certificate->len &&
	       memcmp(signature + EFI_SIGNATURE_OWNER_SIZE, certificate->data, certificate->len) == 0;
}

bool secure_boot_lists(const struct buf *list, const void *der, size_t len)
{
	struct hash_part certificate = {der, len};
	struct error ignored = ERROR_INIT;

	return efi_signatures_walk(list->ptr, list->len, "", is_certificate, &certificate, &ignored) > 0;
}

int secure_boot_check_signer(const struct secure_boot *sb, const void *der, size_t len, const char *name,
			     struct error *err)
{
	return secure_boot_lists(&sb->db, der, len) ? 0 : not_signed(name, err);
}

size_t secure_boot_variables(const struct secure_boot *sb, struct efi_variable ret[SECURE_BOOT_VARIABLES])
{
	const struct {
		const char *name, *vendor;
		uint32_t attributes;
		const struct buf *data;
	} all[SECURE_BOOT_VARIABLES] = {
		{"PK", EFI_GLOBAL_VARIABLE, AUTHENTICATED, &sb->pk},
		{"KEK", EFI_GLOBAL_VARIABLE, AUTHENTICATED, &sb->kek},
		{"db", EFI_SECURITY_DATABASES, AUTHENTICATED, &sb->db},
		{"dbx", EFI_SECURITY_DATABASES, AUTHENTICATED, &sb->dbx},
		{MOK_LIST, SHIM_LOCK, PLAIN, &sb->mok},
	};
	size_t n = 0;

	for (size_t i = 0; i < SECURE_BOOT_VARIABLES; i++) {
		if (all[i].data->len == 0)
			continue;
		ret[n] = (struct efi_variable){.name = all[i].name,
					       .vendor = all[i].vendor,
					       .attributes = all[i].attributes,
					       .data = all[i].data->ptr,
					       .len = all[i].data->len};
		efi_time(0, ret[n++].time);
	}
	return n;
}
