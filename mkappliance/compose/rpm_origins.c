/* SPDX-License-Identifier: Apache-2.0 */
/* Which repository has a package, by its metadata; declared in rpm_internal.h. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compose/layer.h"
#include "compose/rpm_internal.h"
#include "lib/cleanup.h"
#include "lib/io.h"

#define HEX (SHA256_HEX_SIZE - 1)

static int compare_digests(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void rpm_scan_primary(const char *text, size_t len, const char *const *wanted, size_t count,
		      void (*found)(const char *sha256, void *data), void *data)
{
	/* <checksum type="sha256" pkgid="YES">HEX</checksum> */
	static const char mark[] = "pkgid=\"YES\">";
	const char *end = text + len;

	while (count && (text = memmem(text, (size_t)(end - text), mark, sizeof(mark) - 1))) {
		char hex[SHA256_HEX_SIZE] = "";
		const char *key = hex;

		text += sizeof(mark) - 1;
		if ((size_t)(end - text) <= HEX || text[HEX] != '<')
			continue;
		memcpy(hex, text, HEX);
		if (bsearch(&key, wanted, count, sizeof(*wanted), compare_digests))
			found(hex, data);
	}
}

/* For rpm_scan_primary(). */
struct scan {
	const struct template_repository *repository;
	struct rpm_origin *origins;
	size_t count;
};

/* Of two repositories that have the same package the one that wants a signature counts, then the preferred one. */
static bool is_better(const struct template_repository *a, const struct template_repository *b)
{
	return !b || a->check > b->check || (a->check == b->check && a->priority < b->priority);
}

static void take_origin(const char *sha256, void *data)
{
	const struct scan *s = data;

	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->origins[i].sha256, sha256) == 0 &&
		    is_better(s->repository, s->origins[i].repository))
			s->origins[i].repository = s->repository;
}

/* The text of @path, decompressed where it is compressed, mapped: it may be of hundreds of MB. */
static int map_text(const struct rpm_job *job, const char *path, void **ret, size_t *ret_len,
		    struct error *err)
{
	_cleanup_close_ int in = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int out = open(job->s->scratch, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char head[512];
	struct stat st;
	ssize_t n;
	void *p;
	int fd = in;

	if (in < 0 || out < 0)
		return error_errno(err, -errno, "%s", path);
	n = pread(in, head, sizeof(head), 0);
	if (n > 0 && archive_kind_of(head, (size_t)n) == ARCHIVE_COMPRESSED) {
		int r = archive_decompress(in, path, out, err);

		if (r < 0)
			return r;
		fd = out;
	}
	if (fstat(fd, &st) < 0)
		return error_errno(err, -errno, "%s", path);
	*ret_len = (size_t)st.st_size;
	if (st.st_size == 0)
		return 0;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return error_errno(err, -errno, "%s", path);
	*ret = p;
	return 0;
}

static int scan_repository(const struct rpm_job *job, const char *const *wanted, size_t count,
			   struct scan *scan, struct error *err)
{
	_cleanup_free_ char *pattern = rpm_primary_pattern(job, scan->repository->name);
	glob_t g = {0};
	int r = 0;

	(void)glob(pattern, 0, NULL, &g); /* none: then where its packages come from is not known */
	for (size_t i = 0; r == 0 && i < g.gl_pathc; i++) {
		void *text = NULL;
		size_t len = 0;

		r = map_text(job, g.gl_pathv[i], &text, &len, err);
		if (r == 0 && text) {
			rpm_scan_primary(text, len, wanted, count, take_origin, scan);
			(void)munmap(text, len);
		}
	}
	globfree(&g);
	return r;
}

/* Fills in the repository of each of @origins by its digest. */
static int find_origins(const struct rpm_job *job, struct rpm_origin *origins, size_t count,
			struct error *err)
{
	const char **wanted = xcalloc(count + 1, sizeof(*wanted));
	int r = 0;

	for (size_t i = 0; i < count; i++)
		wanted[i] = origins[i].sha256;
	if (count)
		qsort(wanted, count, sizeof(*wanted), compare_digests);
	for (size_t i = 0; r == 0 && i < job->t->base.repositories.len; i++) {
		struct scan scan = {
			.repository = &job->t->base.repositories.ptr[i], .origins = origins, .count = count};

		r = scan_repository(job, wanted, count, &scan, err);
	}
	free(wanted);
	return r;
}

int rpm_origins(const struct rpm_job *job, struct rpm_origin *ret, struct error *err)
{
	for (size_t i = 0; i < job->downloads.len; i++) {
		_cleanup_close_ int fd = open(job->downloads.ptr[i], O_RDONLY | O_CLOEXEC);
		struct sha256 digest;
		int r;

		if (fd < 0)
			return error_errno(err, -errno, "%s", job->downloads.ptr[i]);
		r = sha256_of_fd(fd, job->downloads.ptr[i], &digest, NULL, err);
		if (r < 0)
			return r;
		hex_encode(digest.b, sizeof(digest.b), ret[i].sha256);
	}
	return find_origins(job, ret + job->file_count, job->downloads.len - job->file_count, err);
}

int rpm_check_locked(const struct rpm_job *job, struct error *err)
{
	const struct installed *locked = job->cache->locked;
	_cleanup_free_ struct rpm_origin *origins = xcalloc(locked->len + 1, sizeof(*origins));
	_cleanup_free_ size_t *of = xcalloc(locked->len + 1, sizeof(*of));
	size_t count = 0;
	int r;

	for (size_t i = 0; i < locked->len; i++) {
		const struct installed_package *p = &locked->list[i];

		if (strcmp(p->type, "rpm") != 0 || !p->repository || !p->sha256 || strlen(p->sha256) != HEX)
			continue;
		memcpy(origins[count].sha256, p->sha256, HEX);
		of[count++] = i;
	}
	r = find_origins(job, origins, count, err);
	for (size_t i = 0; r == 0 && i < count; i++) {
		const struct installed_package *p = &locked->list[of[i]];

		if (!origins[i].repository)
			return error_refuse(err,
					    "package %s %s (%s) of the manifest is in no repository of the "
					    "template any more",
					    p->name, p->version, p->arch);
	}
	return r;
}
