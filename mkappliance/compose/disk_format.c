/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/disk_format.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/io.h"

#define SECTOR	       512u
#define DESCRIPTOR_MAX 65536u /* VMware writes 20 sectors */

#define CONVERT "convert it: qemu-img convert -O qcow2 OLD NEW"

/* qcow2, offsets and bits of its header */
#define QCOW2_BACKING	      8
#define QCOW2_CRYPT	      32
#define QCOW2_INCOMPATIBLE    72
#define QCOW2_BIT_CORRUPT     2u
#define QCOW2_BIT_DATA_FILE   4u
#define QCOW2_HEADER_OF_THREE 104

/* What other programs write. */
static const struct magic {
	size_t at;
	const char *bytes;
	size_t len;
	const char *what; /* "NAME is ..." */
} others[] = {
	{0, "\x1f\x8b", 2, "is compressed; unpack it first: gzip -d"},
	{0,
	 "\xfd"
	 "7zXZ\0",
	 6, "is compressed; unpack it first: xz -d"},
	{0, "\x28\xb5\x2f\xfd", 4, "is compressed; unpack it first: zstd -d"},
	{0, "BZh", 3, "is compressed; unpack it first: bzip2 -d"},
	{0, "PK\3\4", 4, "is a zip archive; unpack it first"},
	{0, "vhdxfile", 8, "is a VHDX disk; " CONVERT},
	{0, "conectix", 8, "is a VHD disk; " CONVERT},
	{0, "QED\0", 4, "is a QED disk; " CONVERT},
	{0, "COWD", 4, "is a VMDK disk of an old kind (COWD); " CONVERT},
	{0x40, "\x7f\x10\xda\xbe", 4, "is a VDI disk; " CONVERT},
	{0, "# Disk DescriptorFile", 21, "only describes a VMDK disk whose data is in other files; " CONVERT},
	{0,
	 "\x7f"
	 "ELF",
	 4, "is a program, not a disk image: qcow2, raw or vmdk"},
	{257, "ustar", 5, "is a tar, not a disk image; use Source=tar"},
	{32769, "CD001", 5, "is the image of a CD, not of a disk"},
};

static uint32_t big32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t big64(const uint8_t *p)
{
	return (uint64_t)big32(p) << 32 | big32(p + 4);
}

static uint32_t little32(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static uint64_t little64(const uint8_t *p)
{
	return (uint64_t)little32(p + 4) << 32 | little32(p);
}

static bool has(const uint8_t *head, size_t len, size_t at, const char *bytes, size_t n)
{
	return at <= len && n <= len - at && memcmp(head + at, bytes, n) == 0;
}

static int check_qcow2(const uint8_t *h, size_t len, const char *name, struct error *err)
{
	uint64_t bits;

	if (len < QCOW2_HEADER_OF_THREE)
		return error_set(err, -EMEDIUMTYPE, "%s: is cut off in the header of a qcow2 disk", name);
	if (big32(h + 4) != 2 && big32(h + 4) != 3)
		return error_set(err, -EMEDIUMTYPE, "%s: is a qcow disk of version %u, not 2 or 3; " CONVERT,
				 name, big32(h + 4));
	if (big64(h + QCOW2_BACKING) != 0)
		return error_set(err, -EMEDIUMTYPE,
				 "%s: is an overlay over another file, so its checksum says little; " CONVERT,
				 name);
	if (big32(h + QCOW2_CRYPT) != 0)
		return error_set(err, -EMEDIUMTYPE, "%s: is encrypted (qcow2); decrypt it first", name);
	bits = big32(h + 4) == 3 ? big64(h + QCOW2_INCOMPATIBLE) : 0;
	if (bits & QCOW2_BIT_CORRUPT)
		return error_set(err, -EMEDIUMTYPE,
				 "%s: is marked as corrupt; fetch it again, or see qemu-img check", name);
	if (bits & QCOW2_BIT_DATA_FILE)
		return error_set(err, -EMEDIUMTYPE, "%s: keeps its data in another file; " CONVERT, name);
	return 0;
}

/* The text in a sparse extent says what else belongs to it. */
static int check_descriptor(char *text, const char *name, struct error *err)
{
	const char *parent;

	for (char *p = text; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	parent = strstr(text, "parentcid=");
	if (!parent || strncmp(parent + strlen("parentcid="), "ffffffff", 8) != 0 ||
	    strstr(text, "parentfilenamehint"))
		return error_set(err, -EMEDIUMTYPE,
				 "%s: is a snapshot over another file, so its checksum says little; " CONVERT,
				 name);
	if (!strstr(text, "\"monolithicsparse\"") && !strstr(text, "\"streamoptimized\""))
		return error_set(err, -EMEDIUMTYPE,
				 "%s: is one of the several files of a VMDK disk; " CONVERT, name);
	return 0;
}

static int check_vmdk(int fd, const uint8_t *h, size_t len, const char *name, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	uint64_t at, size;
	int r;

	if (len < SECTOR)
		return error_set(err, -EMEDIUMTYPE, "%s: is cut off in the header of a VMDK disk", name);
	at = little64(h + 28);
	size = little64(h + 36);
	if (little64(h + 12) == 0 || at == 0 || size == 0)
		return error_set(err, -EMEDIUMTYPE,
				 "%s: is one of the several files of a VMDK disk; " CONVERT, name);
	if (at > UINT32_MAX || size > DESCRIPTOR_MAX / SECTOR)
		return error_set(err, -EMEDIUMTYPE, "%s: has a damaged VMDK header", name);
	text = xcalloc(1, size * SECTOR + 1);
	r = io_pread_full(fd, name, text, size * SECTOR, at * SECTOR, err);
	return r < 0 ? r : check_descriptor(text, name, err);
}

int disk_check_format(int fd, const char *name, const char **ret, struct error *err)
{
	_cleanup_free_ uint8_t *head = xmalloc(DISK_HEAD);
	ssize_t n = pread(fd, head, DISK_HEAD, 0);
	const char *format = "raw";
	int r = 0;

	if (n < 0)
		return error_errno(err, -errno, "%s", name);
	if (has(head, (size_t)n, 0, "QFI\xfb", 4)) {
		format = "qcow2";
		r = check_qcow2(head, (size_t)n, name, err);
	} else if (has(head, (size_t)n, 0, "KDMV", 4)) {
		format = "vmdk";
		r = check_vmdk(fd, head, (size_t)n, name, err);
	}
	if (r < 0)
		return r;
	for (size_t i = 0; *format == 'r' && i < sizeof(others) / sizeof(others[0]); i++)
		if (has(head, (size_t)n, others[i].at, others[i].bytes, others[i].len))
			return error_set(err, -EMEDIUMTYPE, "%s: %s", name, others[i].what);
	*ret = format;
	return 0;
}

/* Four entries of 16 bytes: status, CHS, type, CHS, first sector, sectors. A boot sector of FAT has text there. */
static bool has_mbr(const uint8_t *head)
{
	bool found = false;

	if (head[510] != 0x55 || head[511] != 0xaa)
		return false;
	for (size_t i = 0; i < 4; i++) {
		const uint8_t *e = head + 446 + 16 * i;

		if (e[0] != 0 && e[0] != 0x80)
			return false;
		found |= e[4] != 0 && little32(e + 12) != 0;
	}
	return found;
}

int disk_check_table(const void *data, size_t len, const char *name, struct error *err)
{
	const uint8_t *head = data;
	size_t zero = 0;

	while (zero < len && head[zero] == 0)
		zero++;
	if (zero == len)
		return error_set(err, -EMEDIUMTYPE, "%s: is empty: nothing was ever installed on this disk",
				 name);
	if (len < 2 * SECTOR)
		return error_set(err, -EMEDIUMTYPE, "%s: is not a disk image (%zu bytes): qcow2, raw or vmdk",
				 name, len);
	if (has(head, len, 0, "LUKS\xba\xbe", 6))
		return error_set(err, -EMEDIUMTYPE,
				 "%s: is encrypted (LUKS); a base must be readable without a key", name);
	if (has(head, len, SECTOR, "EFI PART", 8) || has_mbr(head))
		return 0;
	if (has(head, len, 4096, "EFI PART", 8))
		return error_set(err, -EMEDIUMTYPE, "%s: has sectors of 4096 bytes; 512 are needed", name);
	return error_set(
		err, -EMEDIUMTYPE,
		"%s: has no partition table (neither GPT nor MBR), so it is no disk image of an "
		"installed system; a file system alone must be put into a partition first (sfdisk, dd)",
		name);
}
