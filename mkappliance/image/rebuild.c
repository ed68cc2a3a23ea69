/* SPDX-License-Identifier: Apache-2.0 */
#include "image/rebuild.h"

#include <fcntl.h>
#include <string.h>

#include "image/build.h"
#include "image/locked.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/scratch.h"

#define MANIFEST_MAX ((size_t)256 << 20)

/* The number of the first line in which they differ. */
static size_t differing_line(const char *a, const char *b)
{
	size_t line = 1;

	for (; *a && *a == *b; a++, b++)
		line += *a == '\n';
	return line;
}

/* The image is the same; what the manifest says besides must be what the build says of it too. */
static int compare_manifests(const char *path, const struct manifest *now, const struct strlist *causes,
			     struct error *err)
{
	_cleanup_buf_ struct buf want = {0};
	_cleanup_free_ char *text = NULL;
	int r = io_read_file(AT_FDCWD, path, MANIFEST_MAX, &want, err);

	if (r < 0)
		return r;
	if (causes->len) {
		_cleanup_free_ char *first = locked_first(causes);

		return error_refuse(err, "%s: every byte of the image is the same, but %s", path, first);
	}
	text = manifest_text(now);
	if (strcmp(text, want.ptr ? want.ptr : "") == 0)
		return 0;
	return error_refuse(
		err,
		"%s: every byte of the image is the same, but not the manifest: line %zu is not what a build writes",
		path, differing_line(text, want.ptr ? want.ptr : ""));
}

/* Composes and builds into @dir. */
static int build_in(const char *dir, const struct rebuild_options *o, const struct locked *locked,
		    struct image_result *ret, struct error *err)
{
	_cleanup_free_ char *cache = xasprintf("%s/cache", dir), *out = xasprintf("%s/out", dir);
	const struct compose_options compose_options = {
		.cache_dir = o->cache_dir ? o->cache_dir : cache,
		.locked = &locked->manifest->packages,
		.offline = o->offline,
	};
	const struct image_options image_options = {
		.output_dir = out,
		.init_path = o->init_path,
		.threads = o->threads,
		.attach = o->attach,
		.attach_root = o->attach_root,
		.locked = locked,
		.unsigned_provenance = true,
	};
	_cleanup_template_ struct template *t = NULL;
	_cleanup_compose_ struct compose_result composed = {0};
	int r = template_load(o->source, locked->manifest->version, &t, err);

	if (r == 0)
		r = compose_run(t, &compose_options, &composed, err);
	return r < 0 ? r : image_build(t, &composed, &image_options, ret, err);
}

int rebuild(const struct rebuild_options *o, struct manifest **ret, struct error *err)
{
	const char *tmp = getenv("TMPDIR");
	_cleanup_strlist_ struct strlist causes = {0};
	_cleanup_locked_ struct locked locked = LOCKED_INIT;
	_cleanup_scratch_ struct scratch scratch = SCRATCH_INIT;
	_cleanup_image_ struct image_result result = {0};
	int r = locked_read(o->manifest, &locked, err);

	if (r < 0)
		return r;
	locked.causes = &causes;
	/* Not in memory, which /tmp may be: an image is as large as it is. */
	r = scratch_open(tmp && *tmp ? tmp : "/var/tmp", "mkappliance-rebuild.", NULL, &scratch, err);
	if (r == 0)
		r = build_in(scratch.path, o, &locked, &result, err);
	if (r == 0)
		r = compare_manifests(o->manifest, result.manifest, &causes, err);
	if (r < 0)
		return r;
	*ret = steal_pointer(&result.manifest);
	return 0;
}
