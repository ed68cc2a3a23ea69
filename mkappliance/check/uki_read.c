/* SPDX-License-Identifier: Apache-2.0 */
#include "check/uki_read.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/esp.h"
#include "image/gpt.h"
#include "lib/cleanup.h"
#include "lib/io.h"

#define UKI_LIMIT ((size_t)1 << 30)
#define ESP_TYPE  "c12a7328-f81f-11d2-ba4b-00a0c93ec93b" /* UEFI 2.10, section 13.3.3 */

static int read_whole(int fd, const char *path, uint64_t size, void **ret, size_t *ret_len, struct error *err)
{
	_cleanup_free_ void *data = NULL;
	int r;

	if (size > UKI_LIMIT)
		return error_set(err, -EFBIG, "%s: %ju bytes are too many for a UKI", path, (uintmax_t)size);
	data = xmalloc(size);
	r = io_pread_full(fd, path, data, size, 0, err);
	if (r < 0)
		return r;
	*ret = steal_pointer(&data);
	*ret_len = size;
	return 0;
}

static int read_esp(int fd, const char *path, const struct gpt_entry *esp, void **ret, size_t *ret_len,
		    struct error *err)
{
	static const enum architecture architectures[] = {ARCH_X86_64, ARCH_ARM64};
	int r = -EBADMSG;

	for (size_t i = 0; r == -EBADMSG && i < sizeof(architectures) / sizeof(architectures[0]); i++)
		r = esp_read_file(fd, path, esp->offset, esp->size, esp_boot_file_name(architectures[i]),
				  UKI_LIMIT, ret, ret_len, err);
	return r;
}

static int read_disk(int fd, const char *path, uint64_t size, void **ret, size_t *ret_len, struct error *err)
{
	uint8_t primary[GPT_PRIMARY_SECTORS * LAYOUT_SECTOR], backup[GPT_BACKUP_SECTORS * LAYOUT_SECTOR];
	_cleanup_free_ struct gpt *gpt = xcalloc(1, sizeof(*gpt));
	struct guid type;
	int r;

	r = io_pread_full(fd, path, primary, sizeof(primary), 0, err);
	if (r == 0)
		r = io_pread_full(fd, path, backup, sizeof(backup), size - sizeof(backup), err);
	if (r < 0)
		return r;
	if (gpt_parse(primary, backup, size, gpt, err) < 0)
		return error_prefix(err, "%s", path);
	if (!guid_parse(ESP_TYPE, &type))
		abort();
	for (unsigned i = 0; i < gpt->count; i++)
		if (memcmp(&gpt->entries[i].type, &type, sizeof(type)) == 0)
			return read_esp(fd, path, &gpt->entries[i], ret, ret_len, err);
	return error_refuse(err, "%s: has no EFI System Partition", path);
}

int uki_read(const char *path, void **ret, size_t *ret_len, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char magic[2];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, -errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return error_usage(err, "%s: is not a file", path);
	if ((uint64_t)st.st_size < (GPT_PRIMARY_SECTORS + GPT_BACKUP_SECTORS) * LAYOUT_SECTOR)
		return error_refuse(err, "%s: neither a disk image nor a UKI", path);
	if (pread(fd, magic, sizeof(magic), 0) == sizeof(magic) && memcmp(magic, "MZ", 2) == 0)
		return read_whole(fd, path, (uint64_t)st.st_size, ret, ret_len, err);
	return read_disk(fd, path, (uint64_t)st.st_size, ret, ret_len, err);
}
