/* SPDX-License-Identifier: Apache-2.0 */
#include "image/locked.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "image/ext4.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/log.h"

#define DIFFERENCES_MAX 20u
#define OWNERS_MAX	3u

void locked_free(struct locked *l)
{
	free(l->path);
	manifest_free(l->manifest);
	block_digests_free(&l->blocks);
	if (l->image >= 0)
		(void)close(l->image);
	*l = LOCKED_INIT;
}

/*
 * X.manifest.json has X.blocks and X.raw beside it. One that is not there, or of another image, is no error: it only says more.
 */
static void find_blocks(struct locked *l)
{
	static const char suffix[] = ".manifest.json";
	size_t len = strlen(l->path), n = strlen(suffix);
	_cleanup_free_ char *path = NULL, *image = NULL;
	struct error ignored = ERROR_INIT;
	struct sha256 digest;

	if (len <= n || strcmp(l->path + len - n, suffix) != 0)
		return;
	path = xasprintf("%.*s.blocks", (int)(len - n), l->path);
	if (blocks_read(path, &l->blocks, &ignored) < 0)
		return;
	blocks_digest(&l->blocks, &digest);
	l->has_blocks = memcmp(&digest, &l->manifest->blocks_digest, sizeof(digest)) == 0;
	image = xasprintf("%.*s.raw", (int)(len - n), l->path);
	if (l->has_blocks)
		l->image = open(image, O_RDONLY | O_CLOEXEC | O_NOCTTY);
}

int locked_read(const char *path, struct locked *ret, struct error *err)
{
	_cleanup_locked_ struct locked l = LOCKED_INIT;
	int r;

	l.path = xstrdup(path);
	r = manifest_read(path, &l.manifest, err);
	if (r < 0)
		return r;
	installed_sort(&l.manifest->packages);
	find_blocks(&l);
	*ret = l;
	l = LOCKED_INIT;
	return 0;
}

/* ---- before anything is written ---- */

static void differ_text(struct strlist *d, const char *what, const char *want, const char *now)
{
	if (strcmp(want, now) != 0)
		strlist_addf(d, "%s is '%s', the manifest says '%s'", what, now, want);
}

static void compare_heads(const struct manifest *want, const struct manifest *now, struct strlist *d)
{
	differ_text(d, "the name", want->name, now->name);
	differ_text(d, "the version", want->version, now->version);
	differ_text(d, "the architecture", want->arch, now->arch);
	differ_text(d, "mkappliance", want->tool_version, now->tool_version);
	differ_text(d, "the kernel", want->kernel_release, now->kernel_release);
	differ_text(d, "the kernel's command line", want->command_line, now->command_line);
	differ_text(d, "Mode=", want->init_mode, now->init_mode);
	if (want->epoch != now->epoch)
		strlist_addf(d, "the epoch is %" PRId64 ", the manifest says %" PRId64, now->epoch,
			     want->epoch);
}

static bool same_package(const struct installed_package *a, const struct installed_package *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->arch, b->arch) == 0 &&
	       strcmp(a->type, b->type) == 0;
}

/* The one that is @p in all that names it, or (@other) one of another version. */
static const struct installed_package *find_package(const struct installed *l,
						    const struct installed_package *p, bool other)
{
	for (size_t i = 0; i < l->len; i++)
		if (same_package(&l->list[i], p) && (strcmp(l->list[i].version, p->version) == 0) != other)
			return &l->list[i];
	return NULL;
}

static void compare_packages(const struct installed *want, const struct installed *now, struct strlist *d)
{
	for (size_t i = 0; i < want->len && d->len < DIFFERENCES_MAX; i++) {
		const struct installed_package *p = &want->list[i], *q = find_package(now, p, false);

		if (q && p->sha256 && q->sha256 && strcmp(p->sha256, q->sha256) != 0)
			strlist_addf(d,
				     "package %s %s (%s): its file has the SHA-256 %s, the manifest says %s",
				     p->name, p->version, p->arch, q->sha256, p->sha256);
		if (q)
			continue;
		q = find_package(now, p, true);
		if (q)
			strlist_addf(d, "package %s (%s) is version %s, the manifest says %s", p->name,
				     p->arch, q->version, p->version);
		else
			strlist_addf(d, "package %s %s (%s) of the manifest is not there", p->name,
				     p->version, p->arch);
	}
	for (size_t i = 0; i < now->len && d->len < DIFFERENCES_MAX; i++) {
		const struct installed_package *p = &now->list[i];

		if (!find_package(want, p, false) && !find_package(want, p, true))
			strlist_addf(d, "package %s %s (%s) is not in the manifest", p->name, p->version,
				     p->arch);
	}
}

/* The input of the same kind and name; else of the same kind and digest: a file that lies somewhere else now. */
static const struct compose_input *find_input(const struct manifest *m, const struct compose_input *in)
{
	const struct compose_input *moved = NULL;

	for (size_t i = 0; i < m->input_count; i++) {
		const struct compose_input *other = &m->inputs[i];
		bool same = memcmp(&other->digest, &in->digest, sizeof(in->digest)) == 0;

		if (strcmp(other->kind, in->kind) != 0)
			continue;
		if (same)
			moved = other;
		if (same && strcmp(other->name, in->name) == 0)
			return other;
	}
	for (size_t i = 0; !moved && i < m->input_count; i++)
		if (strcmp(m->inputs[i].kind, in->kind) == 0 && strcmp(m->inputs[i].name, in->name) == 0)
			return &m->inputs[i];
	return moved;
}

static void compare_inputs(const struct manifest *want, const struct manifest *now, struct strlist *d)
{
	for (size_t i = 0; i < want->input_count && d->len < DIFFERENCES_MAX; i++) {
		const struct compose_input *in = &want->inputs[i], *other = find_input(now, in);
		char expected[SHA256_HEX_SIZE], found[SHA256_HEX_SIZE];

		if (!other) {
			strlist_addf(d, "input %s '%s' of the manifest is not there", in->kind, in->name);
			continue;
		}
		hex_encode(in->digest.b, sizeof(in->digest.b), expected);
		hex_encode(other->digest.b, sizeof(other->digest.b), found);
		if (strcmp(expected, found) != 0)
			strlist_addf(d, "input %s '%s' has the SHA-256 %s, the manifest says %s", in->kind,
				     in->name, found, expected);
	}
	for (size_t i = 0; i < now->input_count && d->len < DIFFERENCES_MAX; i++)
		if (!find_input(want, &now->inputs[i]))
			strlist_addf(d, "input %s '%s' is not in the manifest", now->inputs[i].kind,
				     now->inputs[i].name);
}

char *locked_first(const struct strlist *differences)
{
	if (differences->len > 1)
		return xasprintf("%s (and %zu more)", differences->ptr[0], differences->len - 1);
	return xstrdup(differences->len ? differences->ptr[0] : "");
}

int locked_check_inputs(const struct locked *l, const struct manifest *now, struct error *err)
{
	_cleanup_strlist_ struct strlist d = {0};
	_cleanup_free_ char *first = NULL;

	compare_heads(l->manifest, now, &d);
	compare_packages(&l->manifest->packages, &now->packages, &d);
	compare_inputs(l->manifest, now, &d);
	if (!d.len)
		return 0;
	for (size_t i = 0; i < d.len; i++) {
		log_note("    differs: %s", d.ptr[i]);
		if (l->causes)
			strlist_add(l->causes, d.ptr[i]);
	}
	if (l->causes)
		return 0;
	first = locked_first(&d);
	return error_refuse(err, "%s: %s", l->path, first);
}

/* ---- when all is written ---- */

static bool block_differs(const struct locked *l, const struct block_digests *now, size_t i)
{
	return i >= now->count || i >= l->blocks.count ||
	       memcmp(&now->ptr[i], &l->blocks.ptr[i], sizeof(now->ptr[i])) != 0;
}

static const char *partition_at(const struct layout *layout, uint64_t offset)
{
	for (size_t i = 0; i < layout->count; i++)
		if (offset >= layout->part[i].offset &&
		    offset - layout->part[i].offset < layout->part[i].size)
			return layout->part[i].name;
	return "none: the partition table";
}

/* Whether 4096 bytes at @offset are known to be those of the earlier image. */
static bool same_piece(const struct locked *l, int fd, uint64_t offset)
{
	char now[VERITY_BLOCK], want[VERITY_BLOCK];
	struct error ignored = ERROR_INIT;

	return l->image >= 0 && io_pread_full(fd, "", now, sizeof(now), offset, &ignored) == 0 &&
	       io_pread_full(l->image, "", want, sizeof(want), offset, &ignored) == 0 &&
	       memcmp(now, want, sizeof(now)) == 0;
}

/* The files that have bytes in block @block of the disk, and where it is known only those that differ; "" when none has. To be freed. */
static char *owners_in(const struct locked *l, const struct layout *layout, int fd, size_t block)
{
	const struct partition *root = &layout->part[PART_ROOT];
	_cleanup_strlist_ struct strlist seen = {0};
	_cleanup_buf_ struct buf b = {0};
	uint64_t first = ((uint64_t)block * LAYOUT_BLOCK - root->offset) / VERITY_BLOCK;

	for (uint64_t i = 0; i < LAYOUT_BLOCK / VERITY_BLOCK && seen.len < OWNERS_MAX; i++) {
		_cleanup_free_ char *owner = NULL;

		if (same_piece(l, fd, (uint64_t)block * LAYOUT_BLOCK + i * VERITY_BLOCK))
			continue;
		owner = ext4_block_owner(fd, root->offset, first + i);
		if (owner && *owner == '/' && (!seen.len || strcmp(seen.ptr[seen.len - 1], owner) != 0))
			strlist_add(&seen, owner);
	}
	for (size_t i = 0; i < seen.len; i++)
		buf_printf(&b, "%s%s", i ? ", " : "", seen.ptr[i]);
	return buf_steal(&b);
}

/* Where the root differs: the first block with bytes of files, past what only says where they are. To be freed; NULL: not known. */
static char *differing_files(const struct locked *l, const struct manifest *now,
			     const struct block_digests *blocks, int fd)
{
	const struct partition *root = &now->layout.part[PART_ROOT];
	size_t end = (size_t)((root->offset + root->used + LAYOUT_BLOCK - 1) / LAYOUT_BLOCK);

	for (size_t i = (size_t)(root->offset / LAYOUT_BLOCK), tried = 0; i < end && tried < 16; i++) {
		_cleanup_free_ char *owners = NULL;

		if (!block_differs(l, blocks, i))
			continue;
		tried++;
		owners = owners_in(l, &now->layout, fd, i);
		if (*owners)
			return steal_pointer(&owners);
	}
	return NULL;
}

static int refuse_root(const struct locked *l, const struct manifest *now, const struct block_digests *blocks,
		       int fd, struct error *err)
{
	char want[SHA256_HEX_SIZE], got[SHA256_HEX_SIZE];
	_cleanup_free_ char *files = l->has_blocks ? differing_files(l, now, blocks, fd) : NULL;

	hex_encode(l->manifest->root_hash.b, sizeof(want) / 2, want);
	hex_encode(now->root_hash.b, sizeof(got) / 2, got);
	return error_refuse(
		err, "%s: partition 'root' differs%s%s: its root hash is %s, the manifest says %s%s", l->path,
		!files		? ""
		: l->image >= 0 ? ", first in "
				: ", first in or near ",
		files ? files : "", got, want,
		l->has_blocks ? ""
			      : " (with the .blocks of that build beside the manifest the file is named)");
}

static int compare_image(const struct locked *l, const struct manifest *now,
			 const struct block_digests *blocks, int fd, struct error *err)
{
	const struct manifest *want = l->manifest;

	if (memcmp(&want->root_hash, &now->root_hash, sizeof(want->root_hash)) != 0)
		return refuse_root(l, now, blocks, fd, err);
	if (memcmp(&want->initrd_digest, &now->initrd_digest, sizeof(want->initrd_digest)) != 0)
		return error_refuse(err, "%s: partition 'esp' differs: the initrd in the kernel image",
				    l->path);
	if (memcmp(&want->uki_digest, &now->uki_digest, sizeof(want->uki_digest)) != 0)
		return error_refuse(
			err, "%s: partition 'esp' differs: the kernel image, outside of its initrd", l->path);
	if (memcmp(&want->blocks_digest, &now->blocks_digest, sizeof(want->blocks_digest)) == 0)
		return 0;
	for (size_t i = 0; l->has_blocks && i < blocks->count; i++)
		if (block_differs(l, blocks, i))
			return error_refuse(err, "%s: partition '%s' differs, at byte %" PRIu64, l->path,
					    partition_at(&now->layout, (uint64_t)i * LAYOUT_BLOCK),
					    (uint64_t)i * LAYOUT_BLOCK);
	return error_refuse(err, "%s: the bytes of the image differ outside of root and kernel image",
			    l->path);
}

int locked_check_image(const struct locked *l, const struct manifest *now, const struct block_digests *blocks,
		       int fd, struct error *err)
{
	static const char unknown[] =
		"none among the inputs that the manifest lists by content: a directory's files, or something that is not "
		"built twice alike";
	int r = compare_image(l, now, blocks, fd, err);
	_cleanup_free_ char *text = NULL, *cause = NULL;

	if (r == 0 || !l->causes)
		return r;
	text = xstrdup(err->text);
	cause = l->causes->len ? locked_first(l->causes) : xstrdup(unknown);
	return error_refuse(err, "%s; cause: %s", text, cause);
}
