/* SPDX-License-Identifier: Apache-2.0 */
#include "check/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check/verify_internal.h"
#include "lib/cleanup.h"
#include "lib/io.h"

/* Size first: nothing beyond the end is read afterwards. */
static int verify_size(struct verify *v, struct error *err)
{
	struct stat st;

	if (fstat(v->fd, &st) < 0)
		return error_errno(err, -errno, "%s", v->name);
	if (S_ISREG(st.st_mode)) {
		v->size = (uint64_t)st.st_size;
	} else {
		off_t end = lseek(v->fd, 0, SEEK_END);

		if (end < 0)
			return error_set(err, -ESPIPE, "%s: neither a file nor a disk", v->name);
		v->size = (uint64_t)end;
	}
	if (v->size == v->m->layout.size)
		report_ok(v, "disk size", "%ju bytes", (uintmax_t)v->size);
	else
		report_bad(v, "disk size", "%ju bytes, built were %ju: %s", (uintmax_t)v->size,
			   (uintmax_t)v->m->layout.size,
			   v->size < v->m->layout.size ? "truncated" : "something was appended");
	return 0;
}

/* The root, if the disk is long enough to hold what the manifest says. */
static int verify_root(struct verify *v, struct error *err)
{
	struct verity_geometry g;
	bool trusted = false;
	int r;

	r = verity_geometry(v->m->data_blocks, &g, err);
	if (r < 0)
		return r;
	r = verify_superblock(v, err);
	if (r == 0)
		r = verify_signature(v, err);
	if (r < 0)
		return r;
	r = verify_tree(v, &g, &trusted, err);
	if (r < 0)
		return r;
	return verify_content(v, &g, trusted, err);
}

int verify_image(const char *image, const struct manifest *m, const char *blocks_path,
		 const struct buf *certificate, unsigned threads, struct verify_report *ret,
		 struct error *err)
{
	_cleanup_close_ int fd = open(image, O_RDONLY | O_CLOEXEC);
	struct verify v = {.fd = fd,
			   .name = image,
			   .m = m,
			   .blocks_path = blocks_path,
			   .certificate = certificate,
			   .threads = threads,
			   .report = ret};
	int r;

	*ret = (struct verify_report){.ok = true};
	if (fd < 0)
		return error_errno(err, -errno, "%s", image);
	r = verify_size(&v, err);
	if (r < 0)
		return r;
	if (v.size < m->layout.size) {
		report_bad(&v, "content", "not read: %ju bytes are missing at the end",
			   (uintmax_t)(m->layout.size - v.size));
		return 0;
	}
	r = verify_table(&v, err);
	if (r < 0)
		return r;
	r = verify_boot_files(&v, err);
	if (r < 0)
		return r;
	return verify_root(&v, err);
}
