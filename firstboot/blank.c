/* SPDX-License-Identifier: Apache-2.0 */
/* The places are those of libblkid's superblocks and of the formats' own documents. */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "blank.h"
#include "file.h"

#define KIB	    1024ull
#define MIB	    (1024 * KIB)
#define EDGE	    MIB /* of zeros at either end */
#define SAMPLES	    256 /* of a sector's size each */
#define SAMPLE_SIZE 4096u
#define ZFS_RING    (128 * KIB) /* of uberblocks, in each label of 256 KiB */
#define ZFS_LABEL   (256 * KIB)

struct signature {
	const char *what;
	int64_t at; /* bytes from the start, negative: from the end */
	uint8_t len;
	const char *magic;
};

#define SIGNATURE(name, place, text)                \
	{                                           \
		name, place, sizeof(text) - 1, text \
	}

static const struct signature signatures[] = {
	SIGNATURE("GPT", 512, "EFI PART"),
	SIGNATURE("GPT", 4096, "EFI PART"),
	SIGNATURE("GPT (backup)", -512, "EFI PART"),
	SIGNATURE("GPT (backup)", -4096, "EFI PART"),
	SIGNATURE("LUKS", 0, "LUKS\xba\xbe"),
	SIGNATURE("LUKS (copy)", 0x4000, "SKUL\xba\xbe"),
	SIGNATURE("LUKS (copy)", 0x8000, "SKUL\xba\xbe"),
	SIGNATURE("LUKS (copy)", 0x10000, "SKUL\xba\xbe"),
	SIGNATURE("LUKS (copy)", 0x20000, "SKUL\xba\xbe"),
	SIGNATURE("LUKS (copy)", 0x40000, "SKUL\xba\xbe"),
	SIGNATURE("LUKS (copy)", 0x80000, "SKUL\xba\xbe"),
	SIGNATURE("LUKS (copy)", 0x100000, "SKUL\xba\xbe"),
	SIGNATURE("LUKS (copy)", 0x200000, "SKUL\xba\xbe"),
	SIGNATURE("LUKS (copy)", 0x400000, "SKUL\xba\xbe"),
	SIGNATURE("LVM", 0, "LABELONE"),
	SIGNATURE("LVM", 512, "LABELONE"),
	SIGNATURE("LVM", 1024, "LABELONE"),
	SIGNATURE("LVM", 1536, "LABELONE"),
	SIGNATURE("md RAID", 0, "\xfc\x4e\x2b\xa9"),
	SIGNATURE("md RAID", 4096, "\xfc\x4e\x2b\xa9"),
	SIGNATURE("Intel RAID", -1024, "Intel Raid ISM Cfg Sig."),
	SIGNATURE("DDF RAID", -512, "\xde\x11\xde\x11"),
	SIGNATURE("ext4", 0x438, "\x53\xef"),
	SIGNATURE("ext4 (copy)", 8193 * KIB + 0x38, "\x53\xef"),      /* blocks of 1 KiB */
	SIGNATURE("ext4 (copy)", 16384 * 2 * KIB + 0x38, "\x53\xef"), /* 2 KiB */
	SIGNATURE("ext4 (copy)", 32768 * 4 * KIB + 0x38, "\x53\xef"), /* 4 KiB */
	SIGNATURE("XFS", 0, "XFSB"),
	SIGNATURE("btrfs", 0x10040, "_BHRfS_M"),
	SIGNATURE("btrfs (copy)", 64 * MIB + 0x40, "_BHRfS_M"),
	SIGNATURE("btrfs (copy)", 256 * KIB * MIB + 0x40, "_BHRfS_M"),
	SIGNATURE("swap", 4096 - 10, "SWAPSPACE2"),
	SIGNATURE("swap", 4096 - 10, "SWAP-SPACE"),
	SIGNATURE("swap", 16384 - 10, "SWAPSPACE2"),
	SIGNATURE("swap", 65536 - 10, "SWAPSPACE2"),
	SIGNATURE("NTFS", 3, "NTFS    "),
	SIGNATURE("NTFS (copy)", -512 + 3, "NTFS    "),
	SIGNATURE("exFAT", 3, "EXFAT   "),
	SIGNATURE("BitLocker", 3, "-FVE-FS-"),
	SIGNATURE("FAT", 54, "FAT12   "),
	SIGNATURE("FAT", 54, "FAT16   "),
	SIGNATURE("FAT", 82, "FAT32   "),
	SIGNATURE("ISO 9660", 0x8001, "CD001"),
	SIGNATURE("UDF", 0x8001, "BEA01"),
	SIGNATURE("squashfs", 0, "hsqs"),
	SIGNATURE("EROFS", 1024, "\xe2\xe1\xf5\xe0"),
	SIGNATURE("F2FS", 1024, "\x10\x20\xf5\xf2"),
	SIGNATURE("bcache", 4096 + 24, "\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81"),
	SIGNATURE("reiserfs", 0x10034, "ReIsEr"),
	SIGNATURE("JFS", 0x8000, "JFS1"),
	SIGNATURE("HFS+", 1024, "H+"),
	SIGNATURE("APFS", 32, "NXSB"),
	SIGNATURE("VMFS", 0x100000, "\x0d\xd0\x01\xc0"),
	SIGNATURE("Ceph", 0, "bluestore block device"),
	SIGNATURE("VDO", 0, "dmvdo001"),
	SIGNATURE("dm-verity", 0, "verity\0\0"),
	SIGNATURE("dm-integrity", 0, "integrt\0"),
	SIGNATURE("qcow2", 0, "QFI\xfb"),
	/* The last, since file systems have it too. */
	SIGNATURE("a partition table (MBR) or boot sector", 510, "\x55\xaa"),
};

/* Whether @magic is at @at; beyond the disk it is not. */
static int has_magic(int fd, uint64_t size, uint64_t at, const void *magic, size_t len)
{
	uint8_t buf[32];
	int r;

	if (at > size || size - at < len)
		return 0;
	r = file_pread(fd, buf, len, at);
	return r < 0 ? r : memcmp(buf, magic, len) == 0;
}

/* md's older formats sit near the end, at places that depend on the size (md.4, linux/raid/md_p.h). */
static int has_md_at_end(int fd, uint64_t size, uint64_t *ret_at)
{
	uint64_t sectors = size / 512;
	uint64_t places[2] = {(size & ~(64 * KIB - 1)) - 64 * KIB, ((sectors - 16) & ~7ull) * 512};
	int r = 0;

	for (int i = 0; i < 2 && r == 0; i++) {
		r = has_magic(fd, size, places[i], "\xfc\x4e\x2b\xa9", 4);
		*ret_at = places[i];
	}
	return r;
}

/* An uberblock in one of the four labels, in either byte order (ZFS On-Disk Specification, section 1.3). */
static int has_zfs(int fd, uint64_t size, uint64_t *ret_at)
{
	uint64_t whole = size & ~(ZFS_LABEL - 1);
	uint64_t labels[4] = {0, ZFS_LABEL, whole - 2 * ZFS_LABEL, whole - ZFS_LABEL};

	for (int i = 0; i < 4; i++)
		for (uint64_t k = 0; k < ZFS_RING; k += KIB) {
			uint64_t at = labels[i] + ZFS_RING + k;
			int r = has_magic(fd, size, at, "\x0c\xb1\xba\0\0\0\0\0", 8);

			if (r == 0)
				r = has_magic(fd, size, at, "\0\0\0\0\0\xba\xb1\x0c", 8);
			*ret_at = at;
			if (r != 0)
				return r;
		}
	return 0;
}

static int has_signature(int fd, uint64_t size, const char **ret_what, uint64_t *ret_at)
{
	int r;

	for (size_t i = 0; i < sizeof signatures / sizeof signatures[0]; i++) {
		const struct signature *s = &signatures[i];
		uint64_t at = s->at < 0 ? size - (uint64_t)-s->at : (uint64_t)s->at;

		r = has_magic(fd, size, at, s->magic, s->len);
		*ret_what = s->what;
		*ret_at = at;
		if (r != 0)
			return r;
	}
	*ret_what = "md RAID";
	r = has_md_at_end(fd, size, ret_at);
	if (r != 0)
		return r;
	*ret_what = "ZFS";
	return has_zfs(fd, size, ret_at);
}

/* 1: @len bytes from @at on are zero. */
static int is_zero(int fd, uint64_t at, uint64_t len, uint64_t *ret_at)
{
	static _Alignas(8) uint8_t buf[64 * 1024];

	for (uint64_t end = at + len; at < end;) {
		size_t n = end - at < sizeof buf ? (size_t)(end - at) : sizeof buf;
		int r = file_pread(fd, buf, n, at);

		if (r < 0)
			return r;
		for (size_t i = 0; i < n; i++)
			if (buf[i]) {
				*ret_at = at + i;
				return 0;
			}
		at += n;
	}
	return 1;
}

int blank_check(int fd, uint64_t size, const char **ret_what, uint64_t *ret_at)
{
	int r;

	*ret_at = 0;
	*ret_what = "too few bytes for a data volume";
	if (size < BLANK_SIZE_MIN)
		return 0;
	r = has_signature(fd, size, ret_what, ret_at);
	if (r != 0)
		return r < 0 ? r : 0;
	*ret_what = "data";
	r = is_zero(fd, 0, EDGE, ret_at);
	if (r == 1)
		r = is_zero(fd, size - EDGE, EDGE, ret_at);
	for (uint64_t i = 1; r == 1 && i < SAMPLES; i++)
		r = is_zero(fd, size / SAMPLES * i & ~(uint64_t)(SAMPLE_SIZE - 1), SAMPLE_SIZE, ret_at);
	return r;
}

int blank_ext4_label(int fd, char ret[BLANK_LABEL_MAX + 1])
{
	uint8_t super[1024];
	int r = file_pread(fd, super, sizeof super, 1024);

	if (r < 0)
		return r;
	if (super[0x38] != 0x53 || super[0x39] != 0xef)
		return -ENOENT;
	memcpy(ret, super + 0x78, BLANK_LABEL_MAX);
	ret[BLANK_LABEL_MAX] = '\0';
	return 0;
}
