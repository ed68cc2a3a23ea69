/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/subject.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/io.h"

#define GPT_HEADER_OFFSET 512u
#define GPT_GUID_OFFSET	  56u /* in the header: UEFI 2.10, table 5.5 */

/* Does the partition table say that this is the manifest's disk? */
static int check_pair(const char *image, const struct manifest *m, struct error *err)
{
	_cleanup_close_ int fd = open(image, O_RDONLY | O_CLOEXEC);
	uint8_t header[92];
	struct guid guid;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, -errno, "%s", image);
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "%s: not a regular file", image);
	if ((uint64_t)st.st_size != m->layout.size)
		return error_refuse(
			err, "%s: has %jd bytes, its manifest says %" PRIu64 ": not the image that was built",
			image, (intmax_t)st.st_size, m->layout.size);
	r = io_pread_full(fd, image, header, sizeof(header), GPT_HEADER_OFFSET, err);
	if (r < 0)
		return r;
	guid_from_gpt(header + GPT_GUID_OFFSET, &guid);
	if (memcmp(header, "EFI PART", 8) != 0 || memcmp(&guid, &m->layout.disk_guid, sizeof(guid)) != 0)
		return error_refuse(
			err,
			"%s: its partition table is not the one of its manifest: another image of that name?",
			image);
	return 0;
}

int subject_open(const char *image, struct subject *ret, struct error *err)
{
	_cleanup_subject_ struct subject s = {.path = realpath(image, NULL)};
	_cleanup_free_ char *manifest_path = NULL;
	int r;

	if (!s.path)
		return error_errno(err, -errno, "%s", image);
	manifest_path = manifest_path_for(s.path);
	if (access(manifest_path, F_OK) < 0)
		return error_set(err, -ENOENT,
				 "%s: no manifest beside it (%s): not made by 'mkappliance build'", image,
				 manifest_path);
	r = manifest_read(manifest_path, &s.manifest, err);
	if (r >= 0)
		r = check_pair(s.path, s.manifest, err);
	if (r < 0)
		return r;
	*ret = s;
	s = (struct subject){0};
	return 0;
}

void subject_free(struct subject *s)
{
	free(s->path);
	manifest_free(s->manifest);
	*s = (struct subject){0};
}
