/* SPDX-License-Identifier: Apache-2.0 */
/* The images of a local group; declared in cmd_group.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check/verify.h"
#include "cmd_group.h"
#include "cmd_steps.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/log.h"
#include "vm/disk_copy.h"
#include "vm/subject.h"

static int write_manifest(const char *raw, const struct manifest *m, struct error *err)
{
	_cleanup_free_ char *path = manifest_path_for(raw);

	return manifest_write(m, path, err);
}

/* Every byte of the copy: what was altered between its build and now is refused here. */
static int prove(const char *raw, const char *image, const struct manifest *m, struct error *err)
{
	_cleanup_report_ struct verify_report report = {0};
	_cleanup_free_ char *what = NULL;
	int r = verify_image(raw, m, NULL, NULL, 0, &report, err);

	if (r < 0 || report.ok)
		return r;
	what = xasprintf("%s: not what was built (mkappliance verify)", image);
	return cmd_steps_refuse(&report.steps, what, err);
}

/* The file gets its name when it is whole and proved; before, whatever a killed command left goes. */
static int copy_in(const char *from, const char *to, const char *image, const struct manifest *m, bool verify,
		   struct error *err)
{
	_cleanup_free_ char *temp = xasprintf("%s.part", to);
	_cleanup_close_ int fd = -1;
	int r;

	(void)unlink(temp);
	r = disk_copy(from, temp, &fd, err);
	if (r == 0 && fsync(fd) < 0)
		r = io_write_error(temp, -errno, err);
	if (r == 0 && verify)
		r = prove(temp, image, m, err);
	if (r == 0)
		r = write_manifest(to, m, err);
	if (r == 0 && rename(temp, to) < 0)
		r = error_errno(err, -errno, "%s", to);
	if (r < 0)
		(void)unlink(temp);
	return r;
}

int group_import(const struct group_dir *d, const char *image, bool verify, char *ret_id, struct error *err)
{
	_cleanup_subject_ struct subject s = {0};
	_cleanup_free_ char *images = group_dir_file(d, "images");
	_cleanup_free_ char *to = NULL;
	char id[SHA256_HEX_SIZE];
	int r = subject_open(image, &s, err);

	if (r < 0)
		return r;
	if (strcmp(s.manifest->arch, d->settings.arch) != 0)
		return error_set(err, -EINVAL, "%s: is for %s, the group's machines are %s", image,
				 s.manifest->arch, d->settings.arch);
	hex_encode(s.manifest->blocks_digest.b, SHA256_SIZE, id);
	to = group_dir_image(d, id);
	r = io_make_dirs(images, d->settings.connect ? 0711 : 0700, err);
	if (r == 0 && access(to, F_OK) < 0)
		r = copy_in(s.path, to, image, s.manifest, verify, err);
	if (r < 0)
		return r;
	rollout_copy(ret_id, ROLLOUT_IMAGE_SIZE, id);
	return 0;
}

int group_import_altered(const struct group_dir *d, const char *id, const char *as,
			 int (*alter)(int fd, const struct manifest *m, struct error *err), struct error *err)
{
	_cleanup_free_ char *from = group_dir_image(d, id);
	_cleanup_free_ char *to = group_dir_image(d, as);
	_cleanup_free_ char *temp = xasprintf("%s.part", to);
	_cleanup_free_ char *path = manifest_path_for(from);
	_cleanup_manifest_ struct manifest *m = NULL;
	_cleanup_close_ int fd = -1;
	int r = manifest_read(path, &m, err);

	(void)unlink(temp);
	if (r == 0)
		r = disk_copy(from, temp, &fd, err);
	if (r == 0)
		r = alter(fd, m, err);
	if (r == 0)
		r = write_manifest(to, m, err);
	if (r == 0 && rename(temp, to) < 0)
		r = error_errno(err, -errno, "%s", to);
	if (r < 0)
		(void)unlink(temp);
	return r;
}
