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

/* UEFI 2.10, tables 5.5 and 5.6: the header, in it the disk's GUID; the entries, in each the partition's. */
#define GPT_HEADER_OFFSET  512u
#define GPT_GUID_OFFSET	   56u
#define GPT_ENTRIES_OFFSET 1024u
#define GPT_ENTRY_SIZE	   128u
#define GPT_ENTRY_GUID	   16u

static bool is_guid(const uint8_t *raw, const struct guid *want)
{
	struct guid guid;

	guid_from_gpt(raw, &guid);
	return memcmp(&guid, want, sizeof(guid)) == 0;
}

/*
 * Whether the table, read from the start of the disk, is the manifest's. The disk's GUID says only whose appliance it is: all versions of
 * one have the same. The partitions' GUIDs are the root hash.
 */
static bool is_table_of(const uint8_t *start, const struct manifest *m)
{
	const struct layout *l = &m->layout;

	if (memcmp(start + GPT_HEADER_OFFSET, "EFI PART", 8) != 0 ||
	    !is_guid(start + GPT_HEADER_OFFSET + GPT_GUID_OFFSET, &l->disk_guid))
		return false;
	for (size_t i = 0; i < l->count; i++)
		if (!is_guid(start + GPT_ENTRIES_OFFSET + i * GPT_ENTRY_SIZE + GPT_ENTRY_GUID,
			     &l->part[i].uuid))
			return false;
	return true;
}

/* Does the partition table say that this is the manifest's disk? */
static int check_pair(const char *image, const struct manifest *m, struct error *err)
{
	_cleanup_close_ int fd = open(image, O_RDONLY | O_CLOEXEC);
	uint8_t start[GPT_ENTRIES_OFFSET + PART_COUNT * GPT_ENTRY_SIZE];
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
	r = io_pread_full(fd, image, start, sizeof(start), 0, err);
	if (r < 0)
		return r;
	if (!is_table_of(start, m))
		return error_refuse(
			err,
			"%s: its partition table is not the one of its manifest: another image, or another version, of that name?",
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

int subject_is_not(const struct subject *s, const char *path, const char *option, struct error *err)
{
	struct stat image, other;

	if (!path || stat(path, &other) < 0 || stat(s->path, &image) < 0 || other.st_dev != image.st_dev ||
	    other.st_ino != image.st_ino)
		return 0;
	return error_usage(err, "--%s=%s: is the image itself, which must stay as it is; name another file",
			   option, path);
}

int subject_is_none_of(const struct subject *s, const struct strlist *paths, const char *option,
		       struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < paths->len; i++)
		r = subject_is_not(s, paths->ptr[i], option, err);
	return r;
}

void subject_free(struct subject *s)
{
	free(s->path);
	manifest_free(s->manifest);
	*s = (struct subject){0};
}
