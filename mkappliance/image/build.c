/* SPDX-License-Identifier: Apache-2.0 */
/* image_build() reads as a table of contents: the steps stand below it in the order in which they happen. */
#include "image/build.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "image/build_internal.h"
#include "image/gpt.h"
#include "image/secure_boot.h"
#include "image/writer.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define UKI_MAX ((size_t)1 << 30)

static void build_free(struct build *b)
{
	background_end(&b->uki_hashing);
	background_end(&b->image_sync);
	boot_parts_free(&b->parts);
	ext4_free(b->fs);
	boot_free(&b->boot);
	esp_free(&b->esp);
	block_digests_free(&b->blocks);
	manifest_free(b->manifest);
	buf_free(&b->attach);
	root_signer_free(&b->root_signer);
	buf_free(&b->root_signature);
	output_abort(&b->unsigned_out);
	output_abort(&b->root_hash_out);
	output_abort(&b->image);
	output_abort(&b->manifest_out);
	output_abort(&b->blocks_out);
	output_abort(&b->spdx_out);
	output_abort(&b->cyclonedx_out);
	output_abort(&b->provenance_out);
	output_abort(&b->sha256_out);
}

/* ---- 1: the file system and its hash tree, as numbers ---- */

static void derive_salt(const char *name, uint8_t salt[VERITY_SALT_SIZE])
{
	_cleanup_free_ char *text = xasprintf("mkappliance:salt:%s", name);
	struct sha256 digest;

	_Static_assert(VERITY_SALT_SIZE == SHA256_SIZE, "the salt is a whole digest");
	sha256_of(text, strlen(text), &digest);
	memcpy(salt, digest.b, VERITY_SALT_SIZE);
}

/*
 * Ids come from the appliance's name alone, so that two versions differ only where their files do. The salt's purpose is that
 * trees of different appliances cannot be prepared together; it is not a secret.
 */
static int plan_root(struct build *b, struct error *err)
{
	const char *name = b->t->appliance.name;
	struct ext4_params params = {.epoch = b->t->appliance.epoch, .label = "root"};
	struct progress progress;
	int r;

	progress_start(&progress, "file system", NULL, 0);
	guid_derive("fs", name, &b->fs_uuid);
	params.uuid = b->fs_uuid;
	guid_derive("hash-seed", name, &params.hash_seed);
	guid_derive("verity", name, &b->sb.uuid);
	derive_salt(name, b->sb.salt);
	r = ext4_plan(b->c->tree, &params, &b->fs, err);
	if (r < 0)
		return error_prefix(err, "root file system");
	b->sb.data_blocks = ext4_size(b->fs) / VERITY_BLOCK;
	r = verity_geometry(b->sb.data_blocks, &b->geometry, err);
	if (r < 0)
		return r;
	progress_end(&progress, NULL);
	return 0;
}

/* ---- 2: the disk, as numbers ---- */

static int plan_with_esp(struct build *b, uint64_t esp_used, struct error *err)
{
	const char *name = b->t->appliance.name;
	enum architecture arch = b->t->appliance.arch;
	int r = layout_plan(name, arch, esp_used, ext4_size(b->fs), b->geometry.hash_blocks * VERITY_BLOCK,
			    &b->layout, err);

	if (r == 0 && b->root_signer.enabled)
		layout_add_signature(name, arch, &b->layout);
	return r;
}

/*
 * A signature from elsewhere. It adds less than the whole signed file has bytes, and the ESP is large enough for both in nearly every
 * case, so nobody will see the difference.
 */
static int plan_attachment(struct build *b, struct error *err)
{
	const struct image_options *o = b->o;
	int r;

	if ((o->attach || o->unsigned_out) && b->t->sign.secure_boot_key)
		return error_usage(
			err,
			"%s: [Sign] SecureBootKey= signs the UKI here; remove it to have it signed elsewhere",
			b->t->path);
	if (o->attach && o->unsigned_out)
		return error_usage(
			err,
			"--unsigned-out comes before the signature, --attach-signature after it: not both");
	if (!o->attach)
		return 0;
	r = io_read_file(AT_FDCWD, o->attach, UKI_MAX, &b->attach, err);
	return r < 0 ? r : sign_check_signed(b->attach.ptr, b->attach.len, o->attach, err);
}

/* Whether the firmware of SecureBootVariables= will start what comes out. */
static int check_firmware(const struct build *b, struct error *err)
{
	static const char name[] = "[Sign] SecureBootVariables=";
	_cleanup_secure_boot_ struct secure_boot sb = {0};
	const void *der = NULL;
	size_t len = 0;
	int r;

	if (!b->t->sign.secure_boot_variables || b->o->unsigned_out)
		return 0;
	r = secure_boot_read(b->t->sign.secure_boot_variables, &sb, err);
	if (r < 0)
		return r;
	if (b->o->attach)
		return secure_boot_find_authority(&sb, b->attach.ptr, b->attach.len, name, err);
	if (b->parts.signer)
		der = signer_certificate(b->parts.signer, &len);
	return secure_boot_check_signer(&sb, der, len, name, err);
}

/*
 * The ESP stands in front of the root, so its size must be known before the root hash is. The UKI's size does not depend on the
 * hash's value: one with a hash of zeros has it. That one also finds everything wrong with the template before a byte is written.
 */
static int plan_disk(struct build *b, struct error *err)
{
	int r;

	if ((r = root_signer_open(b->t, b->o->attach_root, b->o->root_hash_out, &b->root_signer, err)) < 0 ||
	    (r = root_signer_check(&b->root_signer, b->t, &b->c->kernel, err)) < 0 ||
	    (r = plan_attachment(b, err)) < 0 || (r = check_firmware(b, err)) < 0 ||
	    (r = plan_with_esp(b, LAYOUT_ESP_SIZE, err)) < 0)
		return r;
	r = boot_plan(b->t, b->c, &b->parts, &b->layout, &b->sb, &b->boot, err);
	return r < 0 ? r : plan_with_esp(b, esp_size_for(b->boot.uki_size + b->attach.len), err);
}

static struct writer writer_for(struct build *b, struct progress *progress)
{
	return (struct writer){.fd = b->image.fd,
			       .name = b->image.path,
			       .tree = b->c->tree,
			       .threads = b->o->threads,
			       .blocks = &b->blocks,
			       .progress = progress,
			       .nonzero = &b->nonzero};
}

/* ---- 3: root and hash tree; from here on the root hash is known ---- */

static int put_root(struct build *b, struct error *err)
{
	const struct partition *part = b->layout.part;
	struct progress progress;
	struct writer w = writer_for(b, &progress);
	char hex[SHA256_HEX_SIZE];
	int r;

	progress_start(&progress, "root and hash tree", "B", part[PART_ROOT].used);
	r = writer_put_verity(&w, part[PART_ROOT].offset, part[PART_ROOT].used, ext4_extents(b->fs),
			      part[PART_VERITY].offset, &b->sb, &b->root_hash, err);
	if (r < 0)
		return r;
	layout_set_root_hash(&b->layout, &b->root_hash);
	hex_encode(b->root_hash.b, sizeof(b->root_hash.b), hex);
	progress_end(&progress, hex);
	return 0;
}

/* ---- 4: its signature ---- */

static int put_signature(struct build *b, struct error *err)
{
	struct partition *part = &b->layout.part[PART_SIGNATURE];
	_cleanup_(extent_free) struct extent_list extents = {0};
	struct writer w = writer_for(b, NULL);
	char hex[SHA256_HEX_SIZE];
	int r;

	if (!b->root_signer.enabled)
		return 0;
	hex_encode(b->root_hash.b, sizeof(b->root_hash.b), hex);
	if (b->o->root_hash_out)
		return io_write_full(b->root_hash_out.fd, b->root_hash_out.path, hex, strlen(hex), err);
	r = root_sign(&b->root_signer, &b->root_hash, &b->root_signature, err);
	if (r < 0)
		return r;
	part->used = b->root_signature.len;
	extent_add_memory(&extents, 0, b->root_signature.len, b->root_signature.ptr);
	return writer_put(&w, part->offset, part->size, &extents, err);
}

/* ---- 5: what boots ---- */

static uint32_t derive_volume_id(const char *name)
{
	struct guid g;

	guid_derive("volume-id", name, &g);
	return (uint32_t)g.b[0] << 24 | (uint32_t)g.b[1] << 16 | (uint32_t)g.b[2] << 8 | g.b[3];
}

/* The UKI goes out to be signed, or its signature comes in. */
static int exchange_signature(struct build *b, struct error *err)
{
	struct buf *uki = &b->boot.uki;

	if (b->o->unsigned_out)
		return io_write_full(b->unsigned_out.fd, b->unsigned_out.path, uki->ptr, uki->len, err);
	if (!b->o->attach)
		return 0;
	return sign_attach(uki, "UKI", b->attach.ptr, b->attach.len, b->o->attach, err);
}

static int hash_uki(void *user, struct error *err)
{
	struct build *b = user;

	(void)err;
	sha256_of(b->boot.uki.ptr, b->boot.uki.len, &b->uki_digest);
	return 0;
}

static int put_esp(struct build *b, struct error *err)
{
	struct partition *part = &b->layout.part[PART_ESP];
	struct esp_params params = {
		.offset = part->offset,
		.size = part->size,
		.volume_id = derive_volume_id(b->t->appliance.name),
		.file_name = esp_boot_file_name(b->t->appliance.arch),
		.epoch = b->t->appliance.epoch,
	};
	struct writer w = writer_for(b, NULL);
	_cleanup_free_ char *detail = NULL;
	struct progress progress;
	int r;

	progress_start(&progress, "kernel image and ESP", NULL, 0);
	r = boot_finish(b->t, b->c, &b->parts, &b->layout, &b->sb, &b->root_hash, &b->boot, err);
	if (r < 0)
		return r;
	r = exchange_signature(b, err);
	if (r < 0)
		return r;
	background_start(&b->uki_hashing, hash_uki, b);
	params.file = b->boot.uki.ptr;
	params.file_len = b->boot.uki.len;
	r = esp_build(&params, &b->esp, err);
	if (r < 0)
		return r;
	part->used = b->esp.used;
	r = writer_put(&w, part->offset, part->size, &b->esp.extents, err);
	if (r < 0)
		return r;
	detail = xasprintf("%.1f MiB", (double)params.file_len / (1024 * 1024));
	progress_end(&progress, detail);
	return 0;
}

/* ---- 6: the partition table ---- */

static int put_table(struct build *b, struct error *err)
{
	uint8_t primary[GPT_PRIMARY_SECTORS * LAYOUT_SECTOR], backup[GPT_BACKUP_SECTORS * LAYOUT_SECTOR];
	_cleanup_(extent_free) struct extent_list front = {0}, back = {0};
	struct writer w = writer_for(b, NULL);
	int r;

	r = gpt_build(&b->layout, primary, backup, err);
	if (r < 0)
		return r;
	extent_add_memory(&front, 0, sizeof(primary), primary);
	extent_add_memory(&back, LAYOUT_BLOCK - sizeof(backup), sizeof(backup), backup);
	r = writer_put(&w, 0, LAYOUT_BLOCK, &front, err);
	if (r < 0)
		return r;
	return writer_put(&w, b->layout.size - LAYOUT_BLOCK, LAYOUT_BLOCK, &back, err);
}

int image_build(const struct template *t, struct compose_result *c, const struct image_options *o,
		struct image_result *ret, struct error *err)
{
	_cleanup_(build_free) struct build b = {
		.t = t,
		.c = c,
		.o = o,
		.unsigned_out = OUTPUT_INIT,
		.root_hash_out = OUTPUT_INIT,
		.image = OUTPUT_INIT,
		.manifest_out = OUTPUT_INIT,
		.blocks_out = OUTPUT_INIT,
		.spdx_out = OUTPUT_INIT,
		.cyclonedx_out = OUTPUT_INIT,
		.provenance_out = OUTPUT_INIT,
		.sha256_out = OUTPUT_INIT,
	};
	_cleanup_image_ struct image_result result = {0};
	int r;

	if ((r = boot_parts_load(t, o->init_path, &b.parts, err)) < 0 || (r = plan_root(&b, err)) < 0 ||
	    (r = plan_disk(&b, err)) < 0 || (r = build_describe_inputs(&b, err)) < 0 ||
	    (r = build_open_outputs(&b, &result, err)) < 0 || (r = put_root(&b, err)) < 0 ||
	    (r = put_signature(&b, err)) < 0 || (r = put_esp(&b, err)) < 0 || (r = put_table(&b, err)) < 0)
		return r;
	build_sync_image(&b);
	if ((r = tree_check_sources(c->tree, err)) < 0)
		return r;
	if ((r = build_describe(&b, err)) < 0 || (r = build_write_companions(&b, err)) < 0 ||
	    (r = build_commit(&b, &result, err)) < 0)
		return r;
	result.manifest = steal_pointer(&b.manifest);
	*ret = result;
	result = (struct image_result){0};
	return 0;
}

void image_result_free(struct image_result *r)
{
	free(r->image_path);
	free(r->manifest_path);
	free(r->blocks_path);
	free(r->spdx_path);
	free(r->cyclonedx_path);
	free(r->provenance_path);
	free(r->sha256_path);
	manifest_free(r->manifest);
	*r = (struct image_result){0};
}
