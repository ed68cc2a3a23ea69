/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/oci_fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "compose/directory.h"
#include "compose/tar.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/scratch.h"
#include "lib/spawn.h"

/* For cache_get(). */
struct fetch {
	const char *reference;
	enum architecture arch;
};

static void on_line(const char *line, void *data)
{
	(void)data;
	log_debug("    skopeo: %s", line);
}

/*
 * Into the directory @dir, in skopeo's own form, the only one that leaves a manifest as it is: manifest.json, and blobs that are called
 * as they hash.
 */
static int run_skopeo(const struct fetch *f, const char *dir, struct error *err)
{
	const char *arch = f->arch == ARCH_ARM64 ? "arm64" : "amd64";
	_cleanup_free_ char *to = xasprintf("dir:%s", dir);
	const char *argv[] = {"skopeo",	 "--override-os", "linux", "--override-arch", arch, "copy",
			      "--quiet", "--retry-times", "3",	   f->reference,      to,   NULL};
	struct spawn s = {.argv = argv, .package = "skopeo", .on_line = on_line};

	if (!spawn_available("skopeo"))
		return error_set(
			err, -ENOENT,
			"%s: to fetch it, 'skopeo' is needed, which is not installed (apt-get install "
			"skopeo)",
			f->reference);
	log_note("    fetching %s", f->reference);
	return spawn_run(&s, err) < 0 ? error_prefix(err, "%s", f->reference) : 0;
}

/* An entry with the bytes of the host's file @path. */
static int add_blob(struct layer *l, const char *name, const struct tree_entry *file)
{
	struct tree_entry *e = entry_new(name, S_IFREG | 0644);

	e->size = file->size;
	e->origin = file->origin;
	e->host = file->host ? xstrdup(file->host) : NULL;
	e->host_mtime_ns = file->host_mtime_ns;
	layer_add(l, e, NULL);
	return 0;
}

/* index.json for the one manifest. */
static int add_index(struct layer *l, const char *dir, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/manifest.json", dir), *text = NULL, *digest = NULL;
	_cleanup_json_ struct json *index = js_object_new();
	_cleanup_json_ struct json *manifest = NULL;
	struct json *list = js_array_new(), *d = js_object_new();
	_cleanup_buf_ struct buf b = {0};
	char hex[SHA256_HEX_SIZE];
	struct sha256 sum;
	const char *type;
	int r;

	js_set_int(index, "schemaVersion", 2);
	js_append(list, d);
	js_set(index, "manifests", list);
	r = io_read_file(AT_FDCWD, path, OCI_JSON_MAX, &b, err);
	if (r == 0)
		r = js_parse(b.ptr ? b.ptr : "", b.len, path, &manifest, err);
	if (r < 0)
		return r;
	sha256_of(b.ptr, b.len, &sum);
	hex_encode(sum.b, sizeof(sum.b), hex);
	digest = xasprintf(OCI_DIGEST_PREFIX "%s", hex);
	type = js_string(js_member(manifest, "mediaType"));
	js_set_string(d, "mediaType", type ? type : "application/vnd.oci.image.manifest.v1+json");
	js_set_string(d, "digest", digest);
	js_set_int(d, "size", (int64_t)b.len);
	text = js_text(index, true);
	free(path);
	path = oci_blob_path(&sum);
	layer_add(l, entry_new_file(path, 0644, b.ptr, b.len), NULL);
	layer_add(l, entry_new_file("index.json", 0644, text, strlen(text)), NULL);
	return 0;
}

/* What skopeo wrote to @dir as a tar of a layout. */
static int write_layout(const char *dir, int fd, struct error *err)
{
	static const char marker[] = "{\"imageLayoutVersion\": \"1.0.0\"}";
	_cleanup_layer_ struct layer seen = LAYER_INIT, l = LAYER_INIT;
	struct sha256 ignored;
	int r = directory_list(dir, "", &seen, err);

	if (r < 0)
		return r;
	layer_add(&l, entry_new_file("oci-layout", 0644, marker, strlen(marker)), NULL);
	r = add_index(&l, dir, err);
	for (size_t i = 0; r == 0 && i < seen.len; i++) {
		const struct tree_entry *e = seen.entries[i].entry;
		_cleanup_free_ char *path = NULL;

		if (!S_ISREG(e->mode) || !hex_decode(e->path, ignored.b, sizeof(ignored.b)))
			continue;
		path = xasprintf("blobs/sha256/%s", e->path);
		r = add_blob(&l, path, e);
	}
	l.name = xstrdup(dir);
	l.fd = steal_fd(&seen.fd);
	return r < 0 ? r : archive_write_tar(&l, fd, dir, err);
}

static int fetch(int fd, struct buf *note, void *data, struct error *err)
{
	const struct fetch *f = data;
	_cleanup_scratch_ struct scratch dir = SCRATCH_INIT;
	int r;

	(void)note;
	/* Images are large, and /tmp is in memory on many machines. */
	r = scratch_open(getenv("TMPDIR") ? NULL : "/var/tmp", "mkappliance-oci-", NULL, &dir, err);
	if (r == 0)
		r = run_skopeo(f, dir.path, err);
	return r < 0 ? r : write_layout(dir.path, fd, err);
}

int oci_fetch(const char *reference, enum architecture arch, const struct cache *cache, struct oci_store *ret,
	      struct error *err)
{
	struct fetch f = {.reference = reference, .arch = arch};
	_cleanup_cached_ struct cached c = CACHED_INIT;
	_cleanup_layer_ struct layer l = LAYER_INIT;
	_cleanup_buf_ struct buf key = {0};
	int r;

	cache_key_add(&key, "format", CACHE_FORMAT);
	cache_key_add(&key, "kind", "oci-image");
	cache_key_add(&key, "reference", reference);
	cache_key_add(&key, "architecture", architecture_name(arch));
	r = cache_get(cache, &key, reference, true, fetch, &f, &c, err);
	if (r < 0)
		return r;
	l.name = xstrdup(reference);
	l.fd = steal_fd(&c.fd);
	r = tar_index(l.fd, l.name, &l, err);
	return r < 0 ? r : oci_store_of_layer(&l, ret, err);
}
