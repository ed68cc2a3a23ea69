/* SPDX-License-Identifier: Apache-2.0 */
/* The EFI System Partition: golden bytes, sizes, times, round trip, damaged file systems; fsck.fat and mtools as oracles. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "image/esp.h"
#include "image/fat.h"
#include "lib/cleanup.h"
#include "lib/hash.h"
#include "lib/io.h"
#include "lib/spawn.h"

#define MIB (1024ull * 1024)
#define AT  MIB /* of the partition on the disk */

/* Sectors of an ESP of 64 MiB: 35 reserved, two tables of 1025, then root, EFI, BOOT and the file. */
#define TABLE_AT (35ull * 512)
#define DATA_AT	 (2085ull * 512)
#define ROOT_AT	 DATA_AT
#define EFI_AT	 (DATA_AT + 512)
#define BOOT_AT	 (DATA_AT + 1024)
#define FILE_AT	 (DATA_AT + 1536)

static void *content(size_t len)
{
	uint8_t *p = xmalloc(len);
	uint32_t seed = 1;

	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
	return p;
}

static struct esp_params params(const void *file, size_t len)
{
	return (struct esp_params){
		.offset = AT,
		.size = 64 * MIB,
		.volume_id = 0x1234abcd,
		.file_name = "BOOTX64.EFI",
		.file = file,
		.file_len = len,
		.epoch = 1700000001, /* 2023-11-14 22:13:21 UTC */
	};
}

static void build(const struct esp_params *p, struct esp *ret)
{
	struct error err = ERROR_INIT;

	if (esp_build(p, ret, &err) < 0)
		fail_msg("%s", err.text);
}

/* Writes the partition at @at of @fd, which becomes a disk that ends with it. */
static void put(int fd, uint64_t at, const struct esp *e, uint64_t size)
{
	struct error err = ERROR_INIT;

	assert_int_equal(ftruncate(fd, (off_t)(at + size)), 0);
	for (size_t i = 0; i < e->extents.len; i++) {
		const struct extent *x = &e->extents.ptr[i];

		assert_true(x->offset + x->length <= size);
		if (io_pwrite_full(fd, "disk", x->memory, x->length, at + x->offset, &err) < 0)
			fail_msg("%s", err.text);
	}
}

/* A disk in memory with the ESP of @p. */
static int disk(const struct esp_params *p)
{
	int fd = memfd_create("disk", MFD_CLOEXEC);
	struct esp e;

	assert_true(fd >= 0);
	build(p, &e);
	put(fd, p->offset, &e, p->size);
	esp_free(&e);
	return fd;
}

static int read_back(int fd, uint64_t size, size_t limit, void **ret, size_t *ret_len, struct error *err)
{
	return esp_read_file(fd, "disk", AT, size, "BOOTX64.EFI", limit, ret, ret_len, err);
}

/* ---- writing ---- */

static void test_golden(void **state)
{
	_cleanup_free_ uint8_t *file = content(1000);
	const struct esp_params p = params(file, 1000);
	_cleanup_hasher_ struct hasher *h = hasher_new();
	char hex[SHA256_HEX_SIZE];
	struct sha256 digest;
	struct esp e;

	(void)state;
	build(&p, &e);
	assert_int_equal(e.used, FILE_AT + 1024);
	for (size_t i = 0; i < e.extents.len; i++) {
		uint64_t place[2] = {htole64(e.extents.ptr[i].offset), htole64(e.extents.ptr[i].length)};

		hasher_add(h, place, sizeof(place));
		hasher_add(h, e.extents.ptr[i].memory, e.extents.ptr[i].length);
	}
	hasher_final(h, &digest);
	hex_encode(digest.b, sizeof(digest.b), hex);
	assert_string_equal(hex, "902e840b909fbc53ce2aa1bb1286537474bd40498ac40a102a0135ca5085018f");
	esp_free(&e);
}

static void test_extents(void **state)
{
	static const struct {
		uint64_t offset, length;
	} expected[] = {
		{0, 4096},	    {TABLE_AT, 7 * 4}, {TABLE_AT + 1025ull * 512, 7 * 4},
		{DATA_AT, 3 * 512}, {FILE_AT, 1000},
	};
	_cleanup_free_ uint8_t *file = content(1000);
	const struct esp_params p = params(file, 1000);
	struct esp e;

	(void)state;
	build(&p, &e);
	assert_int_equal(e.extents.len, sizeof(expected) / sizeof(expected[0]));
	for (size_t i = 0; i < e.extents.len; i++) {
		assert_int_equal(e.extents.ptr[i].offset, expected[i].offset);
		assert_int_equal(e.extents.ptr[i].length, expected[i].length);
	}
	assert_ptr_equal(e.extents.ptr[4].memory, file);
	assert_int_equal(FILE_AT % 4096, 0);
	esp_free(&e);
	assert_int_equal(e.extents.len, 0);
}

static void test_boot_sector(void **state)
{
	const struct esp_params p = params("x", 1);
	struct fat_boot_sector b, backup;
	struct fat_info_sector i;
	struct esp e;
	const char *head;

	(void)state;
	build(&p, &e);
	head = e.extents.ptr[0].memory;
	memcpy(&b, head, sizeof(b));
	memcpy(&i, head + 512, sizeof(i));
	memcpy(&backup, head + 6 * 512, sizeof(backup));
	assert_memory_equal(&b, &backup, sizeof(b));
	assert_memory_equal(&i, head + 7 * 512, sizeof(i));
	assert_int_equal(le32toh(b.hidden_sectors), 2048);
	assert_int_equal(le32toh(b.sectors), 131072);
	assert_int_equal(le32toh(b.fat_sectors), 1025);
	assert_int_equal(le16toh(b.reserved_sectors), 35);
	assert_int_equal(b.sectors_per_cluster, 1);
	assert_int_equal(le32toh(b.volume_id), 0x1234abcd);
	assert_int_equal(le32toh(i.free_clusters), 131072 - 2085 - 4);
	esp_free(&e);
}

/* The largest file of a partition fits, one more cluster does not. */
static void assert_most(uint64_t size, uint64_t most)
{
	assert_int_equal(esp_size_for(most), size);
	assert_int_equal(esp_size_for(most + 1), size + MIB);
}

static void test_size_for(void **state)
{
	(void)state;
	assert_int_equal(esp_size_for(0), 64 * MIB);
	assert_int_equal(esp_size_for(1), 64 * MIB);
	assert_most(64 * MIB, (131072 - 2085 - 3) * 512ull);
	/* Where clusters change from 512 to 4096 bytes. */
	assert_int_equal(esp_size_for(200 * MIB), 204 * MIB);
	assert_int_equal(esp_size_for(256 * MIB), 261 * MIB);
	assert_int_equal(esp_size_for(UINT32_MAX), 4105 * MIB);
	assert_int_equal(esp_size_for(UINT64_MAX), 4105 * MIB);
	for (uint64_t len = 0, last = 0; len < 300 * MIB; len += 777777) {
		uint64_t size = esp_size_for(len);

		assert_true(size >= last && size > len && size % MIB == 0);
		last = size;
	}
}

static void assert_refused_build(struct esp_params p, int code, const char *why)
{
	struct error err = ERROR_INIT;
	struct esp e = {.used = 42};

	assert_int_equal(esp_build(&p, &e, &err), code);
	assert_int_equal(e.used, 42);
	if (!strstr(err.text, why))
		fail_msg("'%s' does not say '%s'", err.text, why);
}

static void test_build_refuses(void **state)
{
	static const char *const names[] = {"",	     "bootx64.efi", "BOOTX64X9.EFI", "BOOT.EFIX",
					    "BOOT.", ".EFI",	    "A.B.C",	     "A B"};
	struct esp_params p = params("x", 1);

	(void)state;
	p.size = 64 * MIB - 512;
	assert_refused_build(p, -EINVAL, "64 MiB to 8 GiB");
	p.size = 64 * MIB + 1;
	assert_refused_build(p, -EINVAL, "64 MiB to 8 GiB");
	p.size = 8193 * MIB;
	assert_refused_build(p, -EINVAL, "64 MiB to 8 GiB");
	p = params("x", 1);
	p.offset = 511;
	assert_refused_build(p, -EINVAL, "ESP at byte 511");
	p.offset = 512ull << 32;
	assert_refused_build(p, -EINVAL, "not a sector that FAT32 can count");
	p = params("x", 0);
	assert_refused_build(p, -EFBIG, "a file of 0 bytes");
	p = params("x", 1ull << 32);
	assert_refused_build(p, -EFBIG, "a file of 4294967296 bytes");
	p = params("x", 64 * MIB);
	assert_refused_build(p, -ENOSPC,
			     "ESP of 64 MiB has no room for BOOTX64.EFI of 67108864 bytes; it needs 66 MiB");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		p = params("x", 1);
		p.file_name = names[i];
		assert_refused_build(p, -EINVAL, "is no file name of the form NAME.EFI");
	}
}

static struct fat_entry file_entry(int64_t epoch)
{
	struct esp_params p = params("x", 1);
	struct fat_entry e;
	struct esp esp;

	p.epoch = epoch;
	build(&p, &esp);
	memcpy(&e, (const char *)esp.extents.ptr[3].memory + (BOOT_AT - DATA_AT) + 2 * sizeof(e), sizeof(e));
	esp_free(&esp);
	assert_memory_equal(e.name, "BOOTX64 EFI", 11);
	return e;
}

static void assert_time(int64_t epoch, int64_t shown)
{
	struct fat_entry e = file_entry(epoch);
	const time_t t = (time_t)shown;
	struct tm tm;

	gmtime_r(&t, &tm);
	assert_int_equal(le16toh(e.written_date), (tm.tm_year - 80) << 9 | (tm.tm_mon + 1) << 5 | tm.tm_mday);
	assert_int_equal(le16toh(e.written_time), tm.tm_hour << 11 | tm.tm_min << 5 | tm.tm_sec / 2);
	assert_int_equal(e.created_date, e.written_date);
	assert_int_equal(e.accessed_date, e.written_date);
	assert_int_equal(e.created_time, e.written_time);
	assert_int_equal(e.created_tenths, tm.tm_sec % 2 * 100);
}

static void test_times(void **state)
{
	(void)state;
	for (int64_t t = 315532800; t < 4354819200; t += 86399 * 13 + 7)
		assert_time(t, t);
	assert_time(951782399, 951782399); /* the second before 2000-02-29 */
	assert_time(951782400, 951782400);
	assert_time(951868800, 951868800);   /* and 2000-03-01 */
	assert_time(4107542400, 4107542400); /* 2100-03-01, no leap year */
	assert_time(4354819199, 4354819199);
	assert_time(4354819200, 4354819199);
	assert_time(INT64_MAX, 4354819199);
	assert_time(1, 315532800);
	assert_time(INT64_MIN, 315532800);
}

static void test_boot_file_name(void **state)
{
	(void)state;
	assert_string_equal(esp_boot_file_name(ARCH_X86_64), "BOOTX64.EFI");
	assert_string_equal(esp_boot_file_name(ARCH_ARM64), "BOOTAA64.EFI");
}

/* ---- reading ---- */

static void assert_reads(int fd, uint64_t size, const void *file, size_t len)
{
	struct error err = ERROR_INIT;
	_cleanup_free_ void *data = NULL;
	size_t got = 0;

	if (read_back(fd, size, len, &data, &got, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(got, len);
	assert_memory_equal(data, file, len);
}

static void test_round_trip(void **state)
{
	static const size_t lengths[] = {1, 511, 512, 513, 1024, 4095, 4096, 4097, 100000, 5000000};
	static const uint64_t sizes[] = {64 * MIB, 65 * MIB, 260 * MIB, 261 * MIB, 1024 * MIB};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (size_t j = 0; j < sizeof(lengths) / sizeof(lengths[0]); j++) {
			_cleanup_free_ void *file = content(lengths[j]);
			struct esp_params p = params(file, lengths[j]);
			_cleanup_close_ int fd = -EBADF;

			p.size = sizes[i];
			fd = disk(&p);
			assert_reads(fd, p.size, file, lengths[j]);
		}
}

/* A disk with a file of 2000 bytes, that is, clusters 5 to 8; to be altered and read. */
#define FILE_LEN 2000

static void write32(int fd, uint64_t at, uint32_t value)
{
	value = htole32(value);
	assert_int_equal(pwrite(fd, &value, sizeof(value), (off_t)(AT + at)), sizeof(value));
}

static void set_table(int fd, uint32_t cluster, uint32_t value)
{
	write32(fd, TABLE_AT + cluster * 4ull, value);
}

/* Other writers scatter files; clusters 5, 6, 100, 7. The upper four bits of an entry mean nothing. */
static void test_scattered(void **state)
{
	_cleanup_free_ uint8_t *file = content(FILE_LEN);
	const struct esp_params p = params(file, FILE_LEN);
	_cleanup_close_ int fd = disk(&p);
	struct error err = ERROR_INIT;

	(void)state;
	set_table(fd, 6, 0xf0000000 | 100);
	set_table(fd, 100, 7);
	set_table(fd, 7, 0xffffffff);
	assert_int_equal(io_pwrite_full(fd, "disk", file + 1024, 512, AT + DATA_AT + 98ull * 512, &err), 0);
	assert_int_equal(io_pwrite_full(fd, "disk", file + 1536, FILE_LEN - 1536, AT + FILE_AT + 1024, &err),
			 0);
	assert_reads(fd, p.size, file, FILE_LEN);
}

/* A directory that other writers filled: long names, deleted entries, more than one cluster. */
static void test_long_directory(void **state)
{
	_cleanup_free_ uint8_t *file = content(FILE_LEN);
	const struct esp_params p = params(file, FILE_LEN);
	_cleanup_close_ int fd = disk(&p);
	struct error err = ERROR_INIT;
	struct fat_entry entries[32];

	(void)state;
	assert_int_equal(io_pread_full(fd, "disk", entries, 512, AT + BOOT_AT, &err), 0);
	memcpy(&entries[20], &entries[2], sizeof(entries[0]));
	for (int i = 2; i < 20; i++) {
		memcpy(&entries[i], &entries[20], sizeof(entries[0]));
		if (i % 3 == 0)
			entries[i].name[0] = (char)0xe5;
		else
			entries[i].attributes = i % 3 == 1 ? 0x0f : FAT_ATTRIBUTE_DIRECTORY;
		entries[i].cluster_low = htole16(4711);
	}
	memset(&entries[21], 0, 11 * sizeof(entries[0]));
	assert_int_equal(io_pwrite_full(fd, "disk", entries, 512, AT + BOOT_AT, &err), 0);
	assert_int_equal(io_pwrite_full(fd, "disk", entries + 16, 512, AT + DATA_AT + 198ull * 512, &err), 0);
	set_table(fd, 4, 200);
	set_table(fd, 200, FAT_END);
	assert_reads(fd, p.size, file, FILE_LEN);
}

#define BOOT_FIELD(member)   offsetof(struct fat_boot_sector, member)
#define ENTRY(at, i, member) ((at) + (i) * sizeof(struct fat_entry) + offsetof(struct fat_entry, member))
#define TABLE_ENTRY(cluster) (TABLE_AT + (cluster)*4ull)

static const struct {
	uint64_t at;
	size_t size;
	uint32_t value;
	const char *why; /* NULL: the file is read all the same */
} damages[] = {
	{BOOT_FIELD(signature), 2, 0x55aa, "no boot sector"},
	{BOOT_FIELD(bytes_per_sector), 2, 4096, "sectors of 512 bytes"},
	{BOOT_FIELD(root_entries), 2, 512, "not a FAT32"},
	{BOOT_FIELD(sectors_16), 2, 1, "not a FAT32"},
	{BOOT_FIELD(fat_sectors_16), 2, 1, "not a FAT32"},
	{BOOT_FIELD(sectors_per_cluster), 1, 0, "impossible size of clusters"},
	{BOOT_FIELD(sectors_per_cluster), 1, 3, "impossible size of clusters"},
	{BOOT_FIELD(sectors_per_cluster), 1, 2, "too few or too many clusters"},
	{BOOT_FIELD(reserved_sectors), 2, 0, "impossible boot sector"},
	{BOOT_FIELD(fat_count), 1, 0, "impossible boot sector"},
	{BOOT_FIELD(fat_count), 1, 3, "impossible boot sector"},
	{BOOT_FIELD(sectors), 4, 131073, "larger than its partition"},
	{BOOT_FIELD(sectors), 4, 0xffffffff, "larger than its partition"},
	{BOOT_FIELD(sectors), 4, 0, "larger than its partition"},
	{BOOT_FIELD(sectors), 4, 2085, "larger than its partition"},
	{BOOT_FIELD(sectors), 4, 2085 + 65524, "too few or too many clusters"},
	{BOOT_FIELD(sectors), 4, 2085 + 65525, NULL},
	{BOOT_FIELD(fat_sectors), 4, 0xffffffff, "larger than its partition"},
	{BOOT_FIELD(fat_sectors), 4, 600, "allocation table is too short"},
	{BOOT_FIELD(fat_sectors), 4, 0, "allocation table is too short"},
	{BOOT_FIELD(root_cluster), 4, 0, "the directory of EFI begins at cluster 0"},
	{BOOT_FIELD(root_cluster), 4, 0x0fffffff, "the directory of EFI begins at cluster 268435455"},
	{BOOT_FIELD(root_cluster), 4, 4, "no directory EFI"},
	{ENTRY(ROOT_AT, 1, name), 1, 'X', "no directory EFI"},
	{ENTRY(ROOT_AT, 1, name), 1, 0, "no directory EFI"},
	{ENTRY(ROOT_AT, 1, name), 1, 0xe5, "no directory EFI"},
	{ENTRY(ROOT_AT, 1, attributes), 1, FAT_ATTRIBUTE_ARCHIVE, "no directory EFI"},
	{ENTRY(ROOT_AT, 1, attributes), 1, 0x37, NULL}, /* hidden and such */
	{ENTRY(ROOT_AT, 1, cluster_low), 2, 0, "the directory of BOOT begins at cluster 0"},
	{ENTRY(ROOT_AT, 1, cluster_high), 2, 2, "the directory of BOOT begins at cluster 131075"},
	{ENTRY(EFI_AT, 2, name), 1, 'X', "no directory BOOT"},
	{ENTRY(EFI_AT, 2, cluster_low), 2, 1, "the directory of BOOTX64.EFI begins at cluster 1"},
	{ENTRY(BOOT_AT, 2, name), 1, 'X', "no file BOOTX64.EFI"},
	{ENTRY(BOOT_AT, 2, attributes), 1, FAT_ATTRIBUTE_DIRECTORY, "no file BOOTX64.EFI"},
	{ENTRY(BOOT_AT, 2, cluster_low), 2, 0, "has no content"},
	{ENTRY(BOOT_AT, 2, cluster_high), 2, 0x7fff, "has no content"},
	{ENTRY(BOOT_AT, 2, size), 4, 0, "has no content"},
	{ENTRY(BOOT_AT, 2, size), 4, 0xffffffff, "at most 4194304 are read"},
	{ENTRY(BOOT_AT, 2, size), 4, 2049, "is not that of its clusters"},
	{ENTRY(BOOT_AT, 2, size), 4, 1536, "is not that of its clusters"},
	{ENTRY(BOOT_AT, 2, size), 4, 4194304, "is not that of its clusters"},
	{TABLE_ENTRY(5), 4, 5, "is not that of its clusters"}, /* a circle */
	{TABLE_ENTRY(6), 4, FAT_END, "is not that of its clusters"},
	{TABLE_ENTRY(7), 4, 0, "leads from cluster 7 to 0"},
	{TABLE_ENTRY(7), 4, 1, "leads from cluster 7 to 1"},
	{TABLE_ENTRY(7), 4, 0x0ffffff7, "leads from cluster 7 to 268435447"},
	{TABLE_ENTRY(7), 4, 131072 - 2085 + 2, "leads from cluster 7 to 128989"},
	{TABLE_ENTRY(0), 4, 0, NULL},
	{TABLE_AT + 1025ull * 512, 4, 0xffffffff, NULL}, /* the second copy */
};

static void test_damages(void **state)
{
	_cleanup_free_ uint8_t *file = content(FILE_LEN);
	const struct esp_params p = params(file, FILE_LEN);

	(void)state;
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		_cleanup_close_ int fd = disk(&p);
		const uint32_t value = htole32(damages[i].value);
		_cleanup_free_ void *data = NULL;
		struct error err = ERROR_INIT;
		size_t len = 42;
		int r;

		assert_int_equal(
			io_pwrite_full(fd, "disk", &value, damages[i].size, AT + damages[i].at, &err), 0);
		r = read_back(fd, p.size, 4 * MIB, &data, &len, &err);
		if (!damages[i].why && r < 0)
			fail_msg("damage %zu: %s", i, err.text);
		if (damages[i].why &&
		    (r != -EBADMSG || !strstr(err.text, damages[i].why) || data || len != 42))
			fail_msg("damage %zu: '%s' does not say '%s'", i, err.text, damages[i].why);
	}
}

/* A directory whose chain is a circle of full clusters ends. */
static void test_directory_circle(void **state)
{
	const struct esp_params p = params("x", 1);
	_cleanup_close_ int fd = disk(&p);
	struct error err = ERROR_INIT;
	_cleanup_free_ void *data = NULL;
	size_t len;
	char full[512];

	(void)state;
	memset(full, 'A', sizeof(full));
	assert_int_equal(io_pwrite_full(fd, "disk", full, sizeof(full), AT + ROOT_AT, &err), 0);
	set_table(fd, 2, 2);
	assert_int_equal(read_back(fd, p.size, MIB, &data, &len, &err), -EBADMSG);
	assert_string_equal(err.text, "disk: ESP: no directory EFI");
}

static void test_read_limits(void **state)
{
	_cleanup_free_ uint8_t *file = content(FILE_LEN);
	const struct esp_params p = params(file, FILE_LEN);
	_cleanup_close_ int fd = disk(&p);
	struct error err = ERROR_INIT;
	_cleanup_free_ void *data = NULL;
	size_t len;

	(void)state;
	assert_int_equal(read_back(fd, p.size, FILE_LEN - 1, &data, &len, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "BOOTX64.EFI has 2000 bytes, at most 1999 are read"));
	assert_int_equal(esp_read_file(fd, "disk", AT, p.size, "OTHER.EFI", MIB, &data, &len, &err),
			 -EBADMSG);
	assert_int_equal(esp_read_file(fd, "disk", AT, p.size, "no name", MIB, &data, &len, &err), -EINVAL);
	assert_int_equal(read_back(fd, p.size - 512, MIB, &data, &len, &err), -EBADMSG);
	assert_int_equal(read_back(fd, 511, MIB, &data, &len, &err), -EBADMSG);
	/* The disk ends where the file should be. */
	assert_int_equal(ftruncate(fd, (off_t)(AT + FILE_AT + 512)), 0);
	assert_int_equal(read_back(fd, p.size, MIB, &data, &len, &err), -ENODATA);
	assert_null(data);
}

/* ---- fsck.fat and mtools ---- */

static char *run(const char *const *argv, size_t *ret_len)
{
	struct buf out = {0};
	struct error err = ERROR_INIT;

	if (spawn_run(&(struct spawn){.argv = argv,
				      .env = (const char *const[]){"TZ=UTC", NULL},
				      .output = &out},
		      &err) < 0)
		fail_msg("%s: %s", argv[0], err.text);
	*ret_len = out.len;
	return buf_steal(&out);
}

static void assert_oracles_agree(const char *path, uint64_t size, size_t file_len)
{
	_cleanup_free_ void *file = content(file_len);
	struct esp_params p = params(file, file_len);
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	_cleanup_free_ char *fsck = NULL, *listing = NULL, *copy = NULL;
	struct esp e;
	size_t len;

	assert_true(fd >= 0);
	p.size = size;
	build(&p, &e);
	put(fd, 0, &e, size);
	esp_free(&e);
	fsck = run((const char *const[]){"fsck.fat", "-n", "-v", path, NULL}, &len);
	assert_non_null(strstr(fsck, "2 FATs, 32 bit entries"));
	assert_null(strstr(fsck, "differ"));
	assert_non_null(strstr(fsck, ": 4 files, "));
	listing = run((const char *const[]){"mdir", "-i", path, "-/", "-b", "::", NULL}, &len);
	assert_string_equal(listing, "::/EFI/\n::/EFI/BOOT/\n::/EFI/BOOT/BOOTX64.EFI\n");
	copy = run((const char *const[]){"mtype", "-i", path, "::/EFI/BOOT/BOOTX64.EFI", NULL}, &len);
	assert_int_equal(len, file_len);
	assert_memory_equal(copy, file, file_len);
}

static void test_oracles(void **state)
{
	char dir[] = "/tmp/mkappliance-test-XXXXXX";
	_cleanup_free_ char *path = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	if (!spawn_available("fsck.fat") || !spawn_available("mtype"))
		skip();
	assert_non_null(mkdtemp(dir));
	path = xasprintf("%s/esp", dir);
	assert_oracles_agree(path, 64 * MIB, 1);
	assert_oracles_agree(path, 64 * MIB, 3000001);
	assert_oracles_agree(path, 65 * MIB, 512);
	assert_oracles_agree(path, 260 * MIB, 5000);
	assert_oracles_agree(path, 261 * MIB, 4096);
	assert_oracles_agree(path, 2048 * MIB, 100000);
	assert_int_equal(io_remove_tree(dir, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),	       cmocka_unit_test(test_extents),
		cmocka_unit_test(test_boot_sector),    cmocka_unit_test(test_size_for),
		cmocka_unit_test(test_build_refuses),  cmocka_unit_test(test_times),
		cmocka_unit_test(test_boot_file_name), cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_scattered),      cmocka_unit_test(test_long_directory),
		cmocka_unit_test(test_damages),	       cmocka_unit_test(test_directory_circle),
		cmocka_unit_test(test_read_limits),    cmocka_unit_test(test_oracles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
