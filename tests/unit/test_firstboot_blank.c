/* SPDX-License-Identifier: Apache-2.0 */
/* What is blank, and above all what is not. tests/integration/data.sh does it with the formats' own tools. */
#include <sys/mman.h>
#include <unistd.h>

#include "../../firstboot/blank.h"
#include "unit.h"

#define MIB  ((uint64_t)1 << 20)
#define SIZE (600 * MIB)

static int disk_of(uint64_t size)
{
	int fd = memfd_create("disk", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

/* What is said of a disk with these bytes at one place. */
static const char *with(uint64_t size, uint64_t at, const void *bytes, size_t len)
{
	const char *what = NULL;
	uint64_t found = 0;
	int fd = disk_of(size), r;

	assert_int_equal(pwrite(fd, bytes, len, (off_t)at), (ssize_t)len);
	r = blank_check(fd, size, &what, &found);
	close(fd);
	assert_true(r >= 0);
	if (r == 1)
		return "blank";
	assert_true(found <= at + len && found + len >= at);
	return what;
}

static void test_blank(void **state)
{
	static const uint64_t sizes[] = {8 * MIB, 8 * MIB + 512, 100 * MIB - 512, SIZE, (uint64_t)3 << 40};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		assert_string_equal(with(sizes[i], 0, "", 1), "blank");
	assert_string_equal(with(8 * MIB - 512, 0, "", 1), "too few bytes for a data volume");
}

/* One byte anywhere in the first or last MiB, or where a sample is taken. */
static void test_zeros(void **state)
{
	static const uint64_t places[] = {1,	      700,	   4096,     77777,   MIB - 1,
					  SIZE - MIB, SIZE - 4000, SIZE - 1, SIZE / 2};

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		assert_string_equal(with(SIZE, places[i], "x", 1), "data");
	/* The rule looks at both ends and at samples: what lies between them is not seen. */
	assert_string_equal(with(SIZE, MIB, "x", 1), "blank");
}

static void test_signatures(void **state)
{
	static const struct {
		const char *what;
		uint64_t at;
		size_t len;
		const char *bytes;
	} cases[] = {
		{"GPT", 512, 8, "EFI PART"},
		{"GPT", 4096, 8, "EFI PART"},
		{"GPT (backup)", SIZE - 512, 8, "EFI PART"},
		{"GPT (backup)", SIZE - 4096, 8, "EFI PART"},
		{"a partition table (MBR) or boot sector", 510, 2, "\x55\xaa"},
		{"LUKS", 0, 6, "LUKS\xba\xbe"},
		{"LUKS (copy)", 0x4000, 6, "SKUL\xba\xbe"},
		{"LUKS (copy)", 0x400000, 6, "SKUL\xba\xbe"},
		{"LVM", 512, 8, "LABELONE"},
		{"LVM", 1536, 8, "LABELONE"},
		{"md RAID", 0, 4, "\xfc\x4e\x2b\xa9"},
		{"md RAID", 4096, 4, "\xfc\x4e\x2b\xa9"},
		{"md RAID", SIZE - 65536, 4, "\xfc\x4e\x2b\xa9"}, /* 0.90 */
		{"md RAID", SIZE - 8192, 4, "\xfc\x4e\x2b\xa9"},  /* 1.0 */
		{"ext4", 1080, 2, "\x53\xef"},
		{"ext4 (copy)", 8193 * 1024 + 56, 2, "\x53\xef"},
		{"ext4 (copy)", 128 * MIB + 56, 2, "\x53\xef"},
		{"XFS", 0, 4, "XFSB"},
		{"btrfs", 65600, 8, "_BHRfS_M"},
		{"btrfs (copy)", 64 * MIB + 64, 8, "_BHRfS_M"},
		{"swap", 4086, 10, "SWAPSPACE2"},
		{"swap", 65526, 10, "SWAPSPACE2"},
		{"NTFS", 3, 8, "NTFS    "},
		{"exFAT", 3, 8, "EXFAT   "},
		{"BitLocker", 3, 8, "-FVE-FS-"},
		{"FAT", 54, 8, "FAT16   "},
		{"FAT", 82, 8, "FAT32   "},
		{"ISO 9660", 32769, 5, "CD001"},
		{"UDF", 32769, 5, "BEA01"},
		{"squashfs", 0, 4, "hsqs"},
		{"EROFS", 1024, 4, "\xe2\xe1\xf5\xe0"},
		{"F2FS", 1024, 4, "\x10\x20\xf5\xf2"},
		{"bcache", 4120, 16, "\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81"},
		{"ZFS", 128 * 1024, 8, "\x0c\xb1\xba\0\0\0\0\0"},
		{"ZFS", 256 * 1024 + 255 * 1024, 8, "\0\0\0\0\0\xba\xb1\x0c"},
		{"ZFS", SIZE - 128 * 1024, 8, "\x0c\xb1\xba\0\0\0\0\0"},
		{"VMFS", 0x100000, 4, "\x0d\xd0\x01\xc0"},
		{"Ceph", 0, 22, "bluestore block device"},
		{"dm-integrity", 0, 8, "integrt\0"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(with(SIZE, cases[i].at, cases[i].bytes, cases[i].len), cases[i].what);
}

static void test_label(void **state)
{
	char label[BLANK_LABEL_MAX + 1];
	int fd = disk_of(SIZE);

	(void)state;
	assert_int_equal(blank_ext4_label(fd, label), -ENOENT);
	assert_int_equal(pwrite(fd, "\x53\xef", 2, 1080), 2);
	assert_int_equal(blank_ext4_label(fd, label), 0);
	assert_string_equal(label, "");
	assert_int_equal(pwrite(fd, "sixteen bytes ok?more", 21, 1024 + 0x78), 21);
	assert_int_equal(blank_ext4_label(fd, label), 0);
	assert_string_equal(label, "sixteen bytes ok");
	assert_int_equal(ftruncate(fd, 1500), 0);
	assert_int_equal(blank_ext4_label(fd, label), -EIO);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blank),
		cmocka_unit_test(test_zeros),
		cmocka_unit_test(test_signatures),
		cmocka_unit_test(test_label),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
