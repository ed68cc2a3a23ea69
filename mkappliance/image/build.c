/* SPDX-License-Identifier: Apache-2.0 */
/* image_build() reads as a table of contents: the steps stand below it in the order in which they happen. */
#include "image/build.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "image/boot.h"
#include "image/esp.h"
#include "image/ext4.h"
#include "image/gpt.h"
#include "image/secure_boot.h"
#include "image/spdx.h"
#include "image/writer.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/io.h"
#include "lib/log.h"
#include "version.h"

#define UKI_MAX ((size_t)1 << 30)

/* Everything between the first step and the last; owned. */
struct build {
	const struct template *t;
	struct compose_result *c;
	const struct image_options *o;
	struct boot_parts parts;
	struct ext4 *fs;
	struct guid fs_uuid;
	struct verity_superblock sb;
	struct verity_geometry geometry;
	struct layout layout;
	struct sha256 root_hash;
	struct boot boot;
	struct esp esp;
	struct block_digests blocks;
	uint64_t nonzero;
	struct buf attach; /* the file of o->attach */
	struct manifest *manifest;
	struct output unsigned_out, image, manifest_out, blocks_out, spdx_out, sha256_out;
};

static void build_free(struct build *b)
{
	boot_parts_free(&b->parts);
	ext4_free(b->fs);
	boot_free(&b->boot);
	esp_free(&b->esp);
	block_digests_free(&b->blocks);
	manifest_free(b->manifest);
	buf_free(&b->attach);
	output_abort(&b->unsigned_out);
	output_abort(&b->image);
	output_abort(&b->manifest_out);
	output_abort(&b->blocks_out);
	output_abort(&b->spdx_out);
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
	return layout_plan(b->t->appliance.name, b->t->appliance.arch, esp_used, ext4_size(b->fs),
			   b->geometry.hash_blocks * VERITY_BLOCK, &b->layout, err);
}

/*
 * A signature from elsewhere. It adds less than the whole signed file has bytes, and the ESP is large enough for both in nearly every
 * case, so nobody will see the difference.
 */
static int plan_attachment(struct build *b, struct error *err)
{
	const struct image_options *o = b->o;

	if ((o->attach || o->unsigned_out) && b->t->sign.secure_boot_key)
		return error_usage(
			err,
			"%s: [Sign] SecureBootKey= signs the UKI here; remove it to have it signed elsewhere",
			b->t->path);
	if (o->attach && o->unsigned_out)
		return error_usage(
			err,
			"--unsigned-out comes before the signature, --attach-signature after it: not both");
	return o->attach ? io_read_file(AT_FDCWD, o->attach, UKI_MAX, &b->attach, err) : 0;
}

/*
 * The ESP stands in front of the root, so its size must be known before the root hash is. The UKI's size does not depend on the
 * hash's value: one with a hash of zeros has it. That one also finds everything wrong with the template before a byte is written.
 */
static int plan_disk(struct build *b, struct error *err)
{
	const struct sha256 unknown = {{0}};
	int r;

	r = plan_with_esp(b, LAYOUT_ESP_SIZE, err);
	if (r < 0)
		return r;
	r = boot_build(b->t, b->c, &b->parts, &b->layout, &b->sb, &unknown, &b->boot, err);
	if (r < 0)
		return r;
	r = plan_attachment(b, err);
	return r < 0 ? r : plan_with_esp(b, esp_size_for(b->boot.uki.len + b->attach.len), err);
}

/* ---- 3: outputs, without a name until the end ---- */

static int open_outputs(struct build *b, struct image_result *paths, struct error *err)
{
	const char *dir = b->o->output_dir;
	int r;

	paths->image_path = xasprintf("%s/%s-%s.raw", dir, b->t->appliance.name, b->t->appliance.version);
	paths->manifest_path = manifest_path_for(paths->image_path);
	paths->blocks_path = blocks_path_for(paths->image_path);
	paths->spdx_path = spdx_path_for(paths->image_path);
	if (b->o->sha256)
		paths->sha256_path = xasprintf("%s.sha256", paths->image_path);

	r = io_make_dirs(dir, 0777, err);
	if (r < 0)
		return r;
	if ((r = output_open(paths->image_path, &b->image, err)) < 0 ||
	    (r = output_open(paths->manifest_path, &b->manifest_out, err)) < 0 ||
	    (r = output_open(paths->blocks_path, &b->blocks_out, err)) < 0 ||
	    (r = output_open(paths->spdx_path, &b->spdx_out, err)) < 0)
		return r;
	if (b->o->unsigned_out && (r = output_open(b->o->unsigned_out, &b->unsigned_out, err)) < 0)
		return r;
	if (paths->sha256_path && (r = output_open(paths->sha256_path, &b->sha256_out, err)) < 0)
		return r;
	if (ftruncate(b->image.fd, (off_t)b->layout.size) < 0)
		return error_errno(err, -errno, "%s: a sparse file of %" PRIu64 " bytes", paths->image_path,
				   b->layout.size);
	block_digests_init(&b->blocks, b->layout.size);
	return 0;
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

/* ---- 4: root and hash tree; from here on the root hash is known ---- */

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
	r = boot_build(b->t, b->c, &b->parts, &b->layout, &b->sb, &b->root_hash, &b->boot, err);
	if (r < 0)
		return r;
	r = exchange_signature(b, err);
	if (r < 0)
		return r;
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

/* ---- 7: what stands beside the image ---- */

static char *copy_of(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

static void add_file(struct manifest *m, const char *kind, const char *name, const struct sha256 *digest,
		     uint64_t size)
{
	m->inputs[m->input_count++] = (struct compose_input){
		.kind = xstrdup(kind), .name = xstrdup(name), .digest = *digest, .size = size};
}

/* A file below the template's directory as the template says it, so that the manifest is the same wherever that lies. */
static const char *name_in_template(const struct template *t, const char *name)
{
	size_t len = strlen(t->dir);

	return strncmp(name, t->dir, len) == 0 && name[len] == '/' ? name + len + 1 : name;
}

static const char *without_directory(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Template, init and stub without their directory: where the host keeps them says nothing about the image. */
static void list_inputs(const struct build *b, struct manifest *m)
{
	struct sha256 init;

	m->inputs = xcalloc(b->c->input_count + 3, sizeof(*m->inputs));
	add_file(m, "template", without_directory(b->t->path), &b->t->digest, b->t->size);
	for (size_t i = 0; i < b->c->input_count; i++) {
		const struct compose_input *in = &b->c->inputs[i];

		manifest_add_input(m, in, name_in_template(b->t, in->name));
	}
	sha256_of(b->parts.init.ptr, b->parts.init.len, &init);
	add_file(m, "init", "mkappliance-init", &init, b->parts.init.len);
	add_file(m, "stub", without_directory(b->parts.stub_path), &b->boot.stub_digest, b->parts.stub_size);
}

/* What machines will measure. A stub that nobody has looked at is no reason to build nothing. */
static int predict(const struct build *b, struct manifest_pcrs *ret, struct error *err)
{
	_cleanup_secure_boot_ struct secure_boot sb = {0};
	_cleanup_free_ struct measurements *m = xcalloc(1, sizeof(*m));
	/* What is still to be signed has no PCR 7 with Secure Boot yet. */
	const char *keys = b->o->unsigned_out ? NULL : b->t->sign.secure_boot_variables;
	int r = keys ? secure_boot_read(keys, &sb, err) : 0;

	if (r == 0 && keys)
		r = secure_boot_find_authority(&sb, b->boot.uki.ptr, b->boot.uki.len,
					       "[Sign] SecureBootVariables=", err);
	if (r == 0)
		r = measure_uki(b->boot.uki.ptr, b->boot.uki.len, "UKI", keys ? &sb : NULL, m, err);
	if (r == -ENOTSUP) {
		log_warning("%s; the manifest has no PCRs", err->text);
		*err = ERROR_INIT;
		return 0;
	}
	if (r < 0)
		return r;
	ret->known = true;
	ret->secure_boot = keys;
	for (size_t i = 0; i < MEASURE_PCR_COUNT; i++)
		measure_pcr(m, measure_pcrs[i], &ret->value[i]);
	return 0;
}

/* What is known before a byte is written. */
static int describe_inputs(struct build *b, struct error *err)
{
	struct manifest *m = b->manifest = xcalloc(1, sizeof(*m));

	m->name = xstrdup(b->t->appliance.name);
	m->version = xstrdup(b->t->appliance.version);
	m->arch = xstrdup(architecture_name(b->t->appliance.arch));
	m->tool_version = xstrdup(MKAPPLIANCE_VERSION);
	m->epoch = b->t->appliance.epoch;
	m->init_mode = xstrdup(b->t->init.mode == INIT_APPLIANCE ? "appliance" : "system");
	m->command_line = boot_command_line(b->t);
	m->kernel_release = xstrdup(b->c->kernel.release);
	m->os_id = copy_of(b->c->os_id);
	m->os_version = copy_of(b->c->os_version);
	list_inputs(b, m);
	/* Nothing of the build asks for them again. */
	m->packages = b->c->packages;
	b->c->packages = (struct installed){0};
	return b->o->locked ? locked_check_inputs(b->o->locked, m, err) : 0;
}

static int describe(struct build *b, struct error *err)
{
	struct manifest *m = b->manifest;
	int r;

	m->layout = b->layout;
	m->data_blocks = b->geometry.data_blocks;
	m->hash_blocks = b->geometry.hash_blocks;
	memcpy(m->salt, b->sb.salt, sizeof(m->salt));
	m->verity_uuid = b->sb.uuid;
	m->fs_uuid = b->fs_uuid;
	m->root_hash = b->root_hash;
	sha256_of(b->boot.uki.ptr, b->boot.uki.len, &m->uki_digest);
	m->uki_size = b->boot.uki.len;
	sha256_of(b->boot.initrd.ptr, b->boot.initrd.len, &m->initrd_digest);
	m->initrd_size = b->boot.initrd.len;
	blocks_digest(&b->blocks, &m->blocks_digest);
	m->block_count = b->blocks.count;
	m->nonzero_bytes = b->nonzero;
	manifest_set_dont_care(m);
	manifest_set_test(m, b->t);
	r = predict(b, &m->pcrs, err);
	if (r < 0 || !b->o->locked)
		return r;
	return locked_check_image(b->o->locked, m, &b->blocks, b->image.fd, err);
}

/* In the format of sha256sum, beside the image: a pass over the whole file, holes and all. */
static int write_sha256(struct build *b, struct error *err)
{
	char hex[SHA256_HEX_SIZE];
	_cleanup_free_ char *line = NULL;
	struct progress progress;
	struct sha256 digest;
	uint64_t size;
	int r;

	if (!b->o->sha256)
		return 0;
	progress_start(&progress, "sha256", NULL, 0);
	if (lseek(b->image.fd, 0, SEEK_SET) < 0)
		return error_errno(err, -errno, "%s: going back to its start", b->image.path);
	r = sha256_of_fd(b->image.fd, b->image.path, &digest, &size, err);
	if (r < 0)
		return r;
	hex_encode(digest.b, sizeof(digest.b), hex);
	line = xasprintf("%s  %s\n", hex, without_directory(b->image.path));
	r = io_write_full(b->sha256_out.fd, b->sha256_out.path, line, strlen(line), err);
	if (r < 0)
		return r;
	progress_end(&progress, NULL);
	return 0;
}

static int write_companions(struct build *b, struct error *err)
{
	_cleanup_free_ char *text = manifest_text(b->manifest), *spdx = spdx_text(b->manifest);
	_cleanup_buf_ struct buf blocks = {0};
	int r;

	blocks_encode(&b->blocks, b->layout.size, &blocks);
	r = io_write_full(b->manifest_out.fd, b->manifest_out.path, text, strlen(text), err);
	if (r < 0)
		return r;
	r = io_write_full(b->blocks_out.fd, b->blocks_out.path, blocks.ptr, blocks.len, err);
	if (r < 0)
		return r;
	r = io_write_full(b->spdx_out.fd, b->spdx_out.path, spdx, strlen(spdx), err);
	if (r < 0)
		return r;
	return write_sha256(b, err);
}

/* ---- 8: names ---- */

/* All are on the disk before the first gets its name, and the image is last: who sees it sees its manifest. */
static int commit(struct build *b, const struct image_result *paths, struct error *err)
{
	struct output *const all[] = {&b->unsigned_out, &b->blocks_out, &b->spdx_out,
				      &b->manifest_out, &b->sha256_out, &b->image};
	const size_t count = sizeof(all) / sizeof(all[0]);
	struct progress progress;
	int r;

	r = interrupt_check(err);
	if (r < 0)
		return r;
	progress_start(&progress, "sync", NULL, 0);
	for (size_t i = 0; i < count; i++) {
		if (all[i]->fd < 0)
			continue;
		r = output_sync(all[i], err);
		if (r < 0)
			return r;
	}
	progress_end(&progress, NULL);
	/* Point of no return. */
	for (size_t i = 0; i < count; i++) {
		if (all[i]->fd < 0)
			continue;
		/* The companions' names are on the disk before the image's: after a power cut too. */
		if (all[i] == &b->image && (r = output_sync_directory(paths->image_path, err)) < 0)
			return r;
		r = output_commit(all[i], false, err);
		if (r < 0)
			return r;
	}
	return output_sync_directory(paths->image_path, err);
}

int image_build(const struct template *t, struct compose_result *c, const struct image_options *o,
		struct image_result *ret, struct error *err)
{
	_cleanup_(build_free) struct build b = {
		.t = t,
		.c = c,
		.o = o,
		.unsigned_out = OUTPUT_INIT,
		.image = OUTPUT_INIT,
		.manifest_out = OUTPUT_INIT,
		.blocks_out = OUTPUT_INIT,
		.spdx_out = OUTPUT_INIT,
		.sha256_out = OUTPUT_INIT,
	};
	_cleanup_image_ struct image_result result = {0};
	int r;

	if ((r = boot_parts_load(t, o->init_path, &b.parts, err)) < 0 || (r = plan_root(&b, err)) < 0 ||
	    (r = plan_disk(&b, err)) < 0 || (r = describe_inputs(&b, err)) < 0 ||
	    (r = open_outputs(&b, &result, err)) < 0 || (r = put_root(&b, err)) < 0 ||
	    (r = put_esp(&b, err)) < 0 || (r = put_table(&b, err)) < 0)
		return r;
	if ((r = tree_check_sources(c->tree, err)) < 0)
		return r;
	if ((r = describe(&b, err)) < 0 || (r = write_companions(&b, err)) < 0 ||
	    (r = commit(&b, &result, err)) < 0)
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
	free(r->sha256_path);
	manifest_free(r->manifest);
	*r = (struct image_result){0};
}
