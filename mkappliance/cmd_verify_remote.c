/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mkappliance verify PROVIDER:ID: reads a registered image back. Some blocks are compared with .blocks; with --full, or when one differs, all of
 * it is brought to a sparse file and gets the same proof as any other image, which names partition, block and file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cloud/aws_readback.h"
#include "cloud/remote.h"
#include "cmd_upload.h"
#include "cmd_verify.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/log.h"
#include "lib/scratch.h"
#ifdef WITH_LIBVIRT
#include "vm/domain.h"
#endif

/* Where an image can be read back from; NULL: a provider that has no such thing. */
static const struct remote_provider {
	const char *name;
	int (*read)(struct remote_read *r, struct error *err);
	void (*prepare)(void); /* before anything was done; NULL: nothing to do */
} remote_providers[] = {
	{"aws", aws_remote_read, NULL},
	{"openstack", NULL, NULL},
#ifdef WITH_LIBVIRT
	{"libvirt", libvirt_remote_read, hypervisor_silence},
#else
	{"libvirt", NULL, NULL},
#endif
};

/* "aws:ami-1": the provider whose name and a colon @image begins with, and what follows; NULL: none. */
static const struct remote_provider *split(const char *image, const char **ret_id)
{
	const char *colon = strchr(image, ':');

	for (size_t i = 0; colon && i < sizeof(remote_providers) / sizeof(remote_providers[0]); i++) {
		size_t len = strlen(remote_providers[i].name);

		if (len == (size_t)(colon - image) && strncmp(image, remote_providers[i].name, len) == 0) {
			*ret_id = colon + 1;
			return &remote_providers[i];
		}
	}
	return NULL;
}

bool verify_is_remote(const char *image)
{
	const char *id;

	return split(image, &id) != NULL;
}

static void add_step(struct verify_report *report, const char *name, bool ok, char *detail)
{
	check_steps_add(&report->steps, ok, name, detail);
	report->ok = report->ok && ok;
}

/* NAME.blocks beside NAME.manifest.json, when it is there and belongs to it. */
static char *blocks_beside(const char *manifest)
{
	static const char suffix[] = ".manifest.json";
	size_t len = strlen(manifest), n = sizeof(suffix) - 1;

	if (len <= n || strcmp(manifest + len - n, suffix) != 0)
		return NULL;
	return xasprintf("%.*s.blocks", (int)(len - n), manifest);
}

static int read_digests(const char *path, const struct manifest *m, struct block_digests *ret,
			struct error *err)
{
	int r;

	if (!path || access(path, R_OK) < 0)
		return 0;
	r = blocks_read(path, ret, err);
	return r < 0 ? r : plan_check_blocks(m, ret, path, err);
}

static void report_there(const struct remote_read *r, struct verify_report *report)
{
	if (r->missing == REMOTE_NONE)
		add_step(report, "blocks", true,
			 xasprintf("%ju of %ju are there, all that matter", (uintmax_t)r->there,
				   (uintmax_t)r->m->block_count));
	else
		add_step(
			report, "blocks", false,
			xasprintf("block %ju (%s) was never written: an encrypted volume holds garbage there",
				  (uintmax_t)r->missing, readback_place(r->m, r->missing)));
}

/* Every byte by the readers of check/. */
static int prove(const struct verify_arguments *a, struct remote_read *r, const char *path,
		 const char *blocks_path, struct verify_report *report, struct error *err)
{
	int n;

	r->full = true;
	if (ftruncate(r->fd, (off_t)r->m->layout.size) < 0)
		return io_write_error(path, -errno, err);
	n = r->reader(r, err);
	if (n == 0)
		n = verify_image(path, r->m, blocks_path, a->certificate ? &a->der : NULL, a->threads, report,
				 err);
	if (n == 0)
		report_there(r, report);
	return n;
}

static int prove_kept(const struct verify_arguments *a, struct remote_read *r, const char *blocks_path,
		      struct verify_report *report, struct error *err)
{
	_cleanup_output_ struct output out = OUTPUT_INIT;
	_cleanup_free_ char *path = NULL;
	int n;

	n = output_open(a->output, &out, err);
	if (n < 0)
		return n;
	r->fd = out.fd;
	path = xasprintf("/proc/self/fd/%d", out.fd);
	n = prove(a, r, path, blocks_path, report, err);
	return n < 0 ? n : output_commit(&out, true, err);
}

static int prove_scratch(const struct verify_arguments *a, struct remote_read *r, const char *blocks_path,
			 struct verify_report *report, struct error *err)
{
	_cleanup_scratch_ struct scratch scratch = SCRATCH_INIT;
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -EBADF;
	int n;

	n = scratch_open(NULL, "mkappliance-verify-", NULL, &scratch, err);
	if (n < 0)
		return n;
	path = xasprintf("%s/image.raw", scratch.path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(err, -errno, "%s", path);
	r->fd = fd;
	return prove(a, r, path, blocks_path, report, err);
}

/* Some blocks. True in @ret_done when that is all there is to say. */
static int sample(struct remote_read *r, struct verify_report *report, bool *ret_done, struct error *err)
{
	int n = r->reader(r, err);

	if (n < 0)
		return n;
	*ret_done = r->differs == REMOTE_NONE;
	if (!*ret_done) {
		log_note("block %ju differs: reading all of it to say what that is", (uintmax_t)r->differs);
		return 0;
	}
	report->ok = true;
	report_there(r, report);
	add_step(report, "sample", true,
		 xasprintf("%ju blocks of %s are as they were built (--full: all)", (uintmax_t)r->read,
			   r->snapshot));
	return 0;
}

/* A signature is in the image, so what is to be said of it needs all of it. */
static bool everything(const struct verify_arguments *a)
{
	return a->full || a->output || a->certificate;
}

int verify_remote(const struct verify_arguments *a, const struct manifest *m, struct verify_report *report,
		  struct error *err)
{
	_cleanup_free_ char *blocks_path = blocks_beside(a->manifest);
	struct block_digests digests = {0};
	struct remote_read r = {.region = a->region,
				.profile = a->profile,
				.endpoint_url = a->endpoint_url,
				.connect = a->connect,
				.m = m,
				.fd = -1,
				.json = a->common.json};
	bool done = false;
	const struct remote_provider *provider = split(a->image, &r.id);
	int n;

	if (!provider || !provider->read)
		return error_usage(err, "%s: images of that provider are not read back by this mkappliance",
				   a->image);
	if (provider->prepare)
		provider->prepare();
	r.reader = provider->read;
	n = read_digests(blocks_path, m, &digests, err);
	if (n == 0 && digests.count > 0)
		r.digests = &digests;
	else if (n == 0 && !everything(a))
		log_note("without the .blocks file beside the manifest every block is read");
	if (n == 0 && r.digests && !everything(a))
		n = sample(&r, report, &done, err);
	if (n == 0 && !done)
		n = a->output ? prove_kept(a, &r, r.digests ? blocks_path : NULL, report, err)
			      : prove_scratch(a, &r, r.digests ? blocks_path : NULL, report, err);
	block_digests_free(&digests);
	return n;
}
