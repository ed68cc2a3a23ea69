/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/files.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "compose/compose_internal.h"
#include "compose/directory.h"
#include "compose/passwd.h"
#include "lib/cleanup.h"

/* Owner and mode as the template wants them; the host's times stay behind. */
static void dress(struct layer *l, const struct template_file *f, uid_t uid, gid_t gid)
{
	for (size_t i = 0; i < l->len; i++) {
		struct tree_entry *e = l->entries[i].entry;

		e->uid = uid;
		e->gid = gid;
		e->mtime = INT64_MAX; /* becomes the appliance's epoch */
		if (f->has_mode && S_ISREG(e->mode))
			e->mode = S_IFREG | f->mode;
	}
}

/*
 * Where the copy goes, relative to the root. A file does not take a directory's place, nor the other way
 * round.
 */
static int target_of(const struct merge *m, const struct template_file *f, bool directory, char **ret,
		     struct error *err)
{
	const char *relative = f->target + strspn(f->target, "/");
	const char *wrong = layer_clean_path(relative, strlen(relative), ret);
	const struct tree_entry *there;

	if (wrong)
		return error_usage(err, "'%s' %s", f->target, wrong);
	there = merge_find(m, *ret);
	if (there && S_ISDIR(there->mode) && !directory)
		return error_usage(err, "'%s' is a directory in the image; name the file in it", f->target);
	if (there && !S_ISDIR(there->mode) && directory)
		return error_usage(err, "'%s' is not a directory in the image", f->target);
	return 0;
}

static int copy(const struct template_file *f, struct merge *m, unsigned number,
		struct compose_result *result, struct error *err)
{
	_cleanup_layer_ struct layer l = LAYER_INIT;
	_cleanup_free_ char *target = NULL;
	struct sha256 digest;
	uint32_t uid, gid;
	struct stat st;
	uint64_t size;
	int r;

	if (stat(f->source, &st) < 0)
		return error_errno(err, -errno, "%s", f->source);
	r = target_of(m, f, S_ISDIR(st.st_mode), &target, err);
	if (r == 0)
		r = passwd_id(m, "etc/passwd", "owner", f->owner, &uid, err);
	if (r == 0)
		r = passwd_id(m, "etc/group", "group", f->group, &gid, err);
	if (r == 0)
		r = S_ISDIR(st.st_mode) ? directory_list(f->source, target, &l, err)
					: directory_list_file(f->source, target, &l, err);
	if (r < 0)
		return r;
	dress(&l, f, uid, gid);
	r = layer_digest(&l, &digest, &size, err);
	if (r < 0)
		return r;
	compose_add_input(result, "file", f->source, &digest, size);
	return merge_layer(m, &l, number, MERGE_KEEP_LINKS | MERGE_KEEP_DIRECTORIES | MERGE_NO_WHITEOUTS,
			   err);
}

int files_compose(const struct template *t, struct merge *m, unsigned number, struct compose_result *result,
		  struct error *err)
{
	for (size_t i = 0; i < t->files.len; i++) {
		int r = copy(&t->files.ptr[i], m, number, result, err);

		if (r < 0)
			return error_prefix(err, "%s:%u: Copy=", t->path, t->files.ptr[i].line);
	}
	return 0;
}
