/* SPDX-License-Identifier: Apache-2.0 */
#include "check/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check/verify_internal.h"
#include "lib/cleanup.h"
#include "lib/io.h"

static void report_line(struct verify *v, bool ok, const char *name, const char *format, va_list ap)
	__attribute__((format(printf, 4, 0)));

static void report_line(struct verify *v, bool ok, const char *name, const char *format, va_list ap)
{
	struct verify_report *r = v->report;
	char *detail = NULL;

	if (vasprintf(&detail, format, ap) < 0)
		detail = xstrdup("out of memory");
	if (!ok)
		r->ok = false;
	if (r->count == VERIFY_MAX_STEPS) {
		free(detail);
		return;
	}
	r->steps[r->count++] = (struct verify_step){.name = name, .ok = ok, .detail = detail};
}

void report_ok(struct verify *v, const char *name, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	report_line(v, true, name, format, ap);
	va_end(ap);
}

void report_bad(struct verify *v, const char *name, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	report_line(v, false, name, format, ap);
	va_end(ap);
}

void report_place(struct verify *v, const char *partition, uint64_t block, char *owner)
{
	struct verify_report *r = v->report;

	if (r->partition) {
		free(owner);
		return;
	}
	r->partition = partition;
	r->block = block;
	r->owner = owner;
}

void verify_report_free(struct verify_report *r)
{
	for (size_t i = 0; i < r->count; i++)
		free(r->steps[i].detail);
	free(r->owner);
	*r = (struct verify_report){0};
}

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
	if (r < 0)
		return r;
	r = verify_tree(v, &g, &trusted, err);
	if (r < 0)
		return r;
	return verify_content(v, &g, trusted, err);
}

int verify_image(const char *image, const struct manifest *m, const char *blocks_path, unsigned threads,
		 struct verify_report *ret, struct error *err)
{
	_cleanup_close_ int fd = open(image, O_RDONLY | O_CLOEXEC);
	struct verify v = {.fd = fd,
			   .name = image,
			   .m = m,
			   .blocks_path = blocks_path,
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
