/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/oci_store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compose/merge.h"
#include "compose/package.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/json.h"

#define LAYOUT_FILE "oci-layout"
#define INDEX_FILE  "index.json"
#define DOCKER_FILE "manifest.json"

void oci_store_free(struct oci_store *s)
{
	cleanup_closep(&s->dir);
	tree_free(s->tree);
	free(s->name);
	*s = OCI_STORE_INIT;
}

void oci_blob_close(struct oci_blob *b)
{
	cleanup_closep(&b->fd);
	*b = OCI_BLOB_INIT;
}

char *oci_blob_path(const struct sha256 *digest)
{
	char hex[SHA256_HEX_SIZE];

	hex_encode(digest->b, sizeof(digest->b), hex);
	return xasprintf("blobs/sha256/%s", hex);
}

static int not_there(const struct oci_store *s, const char *member, struct error *err)
{
	return error_set(err, -ENOENT, "%s: '%s' is missing: the image is not complete", s->name, member);
}

/* Links to outside are fine here: the files are the user's, and what is read is checked. */
static int open_file(const struct oci_store *s, const char *member, struct oci_blob *ret, struct error *err)
{
	_cleanup_close_ int fd = openat(s->dir, member, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return not_there(s, member, err);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, -errno, "%s/%s", s->name, member);
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "%s/%s: is not a regular file", s->name, member);
	ret->size = (uint64_t)st.st_size;
	ret->fd = steal_fd(&fd);
	return 0;
}

int oci_blob_open(const struct oci_store *s, const char *member, struct oci_blob *ret, struct error *err)
{
	*ret = (struct oci_blob){.fd = -1, .store = s, .name = member};
	if (s->dir >= 0)
		return open_file(s, member, ret, err);
	ret->entry = tree_resolve(s->tree, member);
	if (!ret->entry)
		return not_there(s, member, err);
	if (!S_ISREG(ret->entry->mode))
		return error_set(err, -EINVAL, "%s: '%s' is not a regular file", s->name, member);
	ret->size = ret->entry->size;
	return 0;
}

int oci_blob_read(const struct oci_blob *b, uint64_t offset, void *buf, size_t len, struct error *err)
{
	if (b->entry)
		return tree_read(b->store->tree, b->entry, offset, buf, len, err);
	return io_pread_full(b->fd, b->name, buf, len, offset, err) < 0
		       ? error_prefix(err, "%s", b->store->name)
		       : 0;
}

int oci_store_read(const struct oci_store *s, const char *member, struct buf *ret, struct error *err)
{
	_cleanup_oci_blob_ struct oci_blob b = OCI_BLOB_INIT;
	int r = oci_blob_open(s, member, &b, err);

	if (r < 0)
		return r;
	if (b.size > OCI_JSON_MAX)
		return error_set(err, -EFBIG, "%s: '%s' has %" PRIu64 " bytes, more than %zu", s->name,
				 member, b.size, OCI_JSON_MAX);
	buf_free(ret);
	r = oci_blob_read(&b, 0, buf_room(ret, b.size + 1), b.size, err);
	if (r < 0)
		return r;
	ret->len = b.size;
	ret->ptr[ret->len] = 0;
	return 0;
}

int oci_store_document(const struct oci_store *s, const struct oci_descriptor *d, struct buf *ret,
		       struct error *err)
{
	_cleanup_free_ char *path = oci_blob_path(&d->digest);
	char hex[SHA256_HEX_SIZE];
	struct sha256 digest;
	int r = oci_store_read(s, path, ret, err);

	if (r < 0)
		return r;
	if (ret->len != d->size)
		return error_refuse(err, "%s: '%s' has %zu bytes, its descriptor says %" PRIu64, s->name,
				    path, ret->len, d->size);
	sha256_of(ret->ptr, ret->len, &digest);
	hex_encode(digest.b, sizeof(digest.b), hex);
	if (memcmp(&digest, &d->digest, sizeof(digest)) != 0)
		return error_refuse(err, "%s: '%s' is damaged: its SHA-256 is %s", s->name, path, hex);
	return 0;
}

/* ---- opening ---- */

static int check_version(const struct oci_store *s, struct error *err)
{
	_cleanup_json_ struct json *j = NULL;
	_cleanup_buf_ struct buf text = {0};
	const char *version = NULL;
	int r = oci_store_read(s, LAYOUT_FILE, &text, err);

	if (r == 0)
		r = js_parse(text.ptr, text.len, s->name, &j, err);
	if (r == 0)
		r = js_need_string(j, "imageLayoutVersion", &version, err);
	if (r < 0)
		return error_prefix(err, "%s", LAYOUT_FILE);
	if (strncmp(version, "1.", 2) != 0)
		return error_set(err, -EINVAL, "%s: is an OCI layout of version %.20s, which is not known",
				 s->name, version);
	return 0;
}

static bool lists(const struct layer *l, const char *path)
{
	for (size_t i = 0; i < l->len; i++)
		if (strcmp(l->entries[i].entry->path, path) == 0)
			return true;
	return false;
}

bool oci_is_layout(const struct layer *l)
{
	return lists(l, LAYOUT_FILE) && lists(l, INDEX_FILE);
}

/* Whether it is what "docker save" writes: others have a file of that name too. */
static bool is_docker(const struct oci_store *s)
{
	_cleanup_docker_archive_ struct docker_archive a = {0};
	_cleanup_buf_ struct buf text = {0};
	struct error ignored = ERROR_INIT;

	return oci_store_read(s, DOCKER_FILE, &text, &ignored) == 0 &&
	       docker_archive_parse(text.ptr, text.len, DOCKER_FILE, &a, &ignored) == 0 && a.len > 0;
}

/* Docker 25 and later writes both forms, but to the index only what has a name. */
static bool lists_nothing(const struct oci_store *s)
{
	_cleanup_oci_index_ struct oci_index index = {0};
	_cleanup_buf_ struct buf text = {0};
	struct error ignored = ERROR_INIT;

	return oci_store_read(s, INDEX_FILE, &text, &ignored) == 0 &&
	       oci_index_parse(text.ptr, text.len, INDEX_FILE, &index, &ignored) == 0 && index.len == 0;
}

/* The members as a tree, which knows their links: blobs of old archives are links to each other. */
static int tree_of_layer(struct layer *l, struct tree **ret, struct error *err)
{
	_cleanup_merge_ struct merge *m = merge_new();
	int r = merge_layer(m, l, 0, MERGE_NO_WHITEOUTS, err);

	if (r == 0)
		*ret = merge_finish(m, INT64_MAX);
	return r;
}

int oci_store_of_layer(struct layer *l, struct oci_store *ret, struct error *err)
{
	_cleanup_oci_store_ struct oci_store s = OCI_STORE_INIT;
	bool layout = oci_is_layout(l);
	int r;

	if (!layout && !lists(l, DOCKER_FILE))
		return 0;
	s.name = xstrdup(l->name);
	r = tree_of_layer(l, &s.tree, err);
	if (r < 0)
		return r;
	if (is_docker(&s) && (!layout || lists_nothing(&s)))
		s.kind = STORE_DOCKER;
	else
		s.kind = layout ? STORE_LAYOUT : STORE_NOT;
	r = layout ? check_version(&s, err) : 0;
	if (r < 0)
		return r;
	*ret = s;
	s = OCI_STORE_INIT;
	return 0;
}

static int not_an_image(const char *path, struct error *err)
{
	return error_usage(err,
			   "%s: is neither an OCI layout (oci-layout and index.json are not there) nor an "
			   "archive of one or of 'docker save'",
			   path);
}

static int open_directory(const char *path, struct oci_store *ret, struct error *err)
{
	_cleanup_oci_store_ struct oci_store s = OCI_STORE_INIT;
	int r;

	s.kind = STORE_LAYOUT;
	s.name = xstrdup(path);
	s.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s.dir < 0)
		return error_errno(err, -errno, "%s", path);
	if (faccessat(s.dir, LAYOUT_FILE, F_OK, 0) < 0 || faccessat(s.dir, INDEX_FILE, F_OK, 0) < 0)
		return not_an_image(path, err);
	r = check_version(&s, err);
	if (r < 0)
		return r;
	*ret = s;
	s = OCI_STORE_INIT;
	return 0;
}

int oci_store_open(const char *path, const struct cache *cache, struct oci_store *ret, struct error *err)
{
	_cleanup_package_ struct package p = PACKAGE_INIT;
	struct stat st;
	int r;

	if (stat(path, &st) < 0)
		return error_errno(err, -errno, "%s", path);
	if (S_ISDIR(st.st_mode))
		return open_directory(path, ret, err);
	r = package_open(path, cache, &p, err);
	if (r == 0 && p.kind != ARCHIVE_DEB)
		r = oci_store_of_layer(&p.layer, ret, err);
	if (r < 0)
		return r;
	return ret->kind == STORE_NOT ? not_an_image(path, err) : 0;
}
