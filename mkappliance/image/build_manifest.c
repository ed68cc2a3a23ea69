/* SPDX-License-Identifier: Apache-2.0 */
/* The manifest of a build: what went in, what came out, what machines will measure. */
#include <errno.h>
#include <string.h>

#include "image/build_internal.h"
#include "image/secure_boot.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "version.h"

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

/* Template, init and stub without their directory: where the host keeps them says nothing about the image. */
static void list_inputs(const struct build *b, struct manifest *m)
{
	struct sha256 init;

	m->inputs = xcalloc(b->c->input_count + 3, sizeof(*m->inputs));
	add_file(m, "template", basename(b->t->path), &b->t->digest, b->t->size);
	for (size_t i = 0; i < b->c->input_count; i++) {
		const struct compose_input *in = &b->c->inputs[i];

		manifest_add_input(m, in, name_in_template(b->t, in->name));
	}
	sha256_of(b->parts.init.ptr, b->parts.init.len, &init);
	add_file(m, "init", "mkappliance-init", &init, b->parts.init.len);
	add_file(m, "stub", basename(b->parts.stub_path), &b->boot.stub_digest, b->parts.stub_size);
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
		r = measure_uki(b->boot.uki.ptr, b->boot.uki.len, "UKI", keys ? &sb : NULL,
				b->o->kernel ? kernel_hashing_wait(b->o->kernel) : NULL, m, err);
	if (r == -ENOTSUP) {
		log_warning("%s; the manifest has no PCRs", err->text);
		*err = ERROR_INIT;
		return 0;
	}
	if (r < 0)
		return r;
	manifest_pcrs_set(ret, keys != NULL, m);
	return 0;
}

int build_describe_inputs(struct build *b, struct error *err)
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

int build_describe(struct build *b, struct error *err)
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
	m->signature.there = b->root_signature.len > 0;
	m->signature.certificate = b->root_signer.fingerprint;
	m->signature.required = b->t->sign.verity_required;
	m->uki_size = b->boot.uki.len;
	sha256_of(b->boot.initrd.ptr, b->boot.initrd.len, &m->initrd_digest);
	m->initrd_size = b->boot.initrd.len;
	blocks_digest(&b->blocks, &m->blocks_digest);
	m->block_count = b->blocks.count;
	m->nonzero_bytes = b->nonzero;
	manifest_set_dont_care(m);
	manifest_set_test(m, b->t);
	manifest_set_upload(m, b->t);
	r = predict(b, &m->pcrs, err);
	if (r == 0)
		r = background_wait(&b->uki_hashing, err);
	m->uki_digest = b->uki_digest;
	if (r < 0 || !b->o->locked)
		return r;
	return locked_check_image(b->o->locked, m, &b->blocks, b->image.fd, err);
}
