/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader of the EFI System Partition. An input is not the file system, which would be large, but what is altered in a sound
 * one of 64 MiB with a file of 5000 bytes: records of a region (1 byte), an offset in it (2 bytes, little endian),
 * a length (1 byte) and that many bytes. The last may be cut off.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image/esp.h"
#include "lib/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define SIZE	 (64ull << 20)
#define FILE_LEN 5000u
#define RECORDS	 256u

/* Boot sector, allocation table, directories and file, the end. */
static const uint64_t regions[] = {0, 35 * 512, 2085 * 512, SIZE - 65536};

static uint8_t content[FILE_LEN];

static int make_disk(void)
{
	const struct esp_params p = {
		.size = SIZE,
		.volume_id = 1,
		.file_name = "BOOTX64.EFI",
		.file = content,
		.file_len = sizeof(content),
	};
	int fd = memfd_create("esp", MFD_CLOEXEC);
	struct error err = ERROR_INIT;
	struct esp e;

	memset(content, 'x', sizeof(content));
	if (fd < 0 || ftruncate(fd, (off_t)SIZE) < 0 || esp_build(&p, &e, &err) < 0)
		abort();
	for (size_t i = 0; i < e.extents.len; i++) {
		const struct extent *x = &e.extents.ptr[i];

		if (io_pwrite_full(fd, "esp", x->memory, x->length, x->offset, &err) < 0)
			abort();
	}
	esp_free(&e);
	return fd;
}

/* What stood where a record was written. */
struct undo {
	uint64_t at;
	uint8_t len;
	uint8_t bytes[255];
};

static void swap_in(int fd, uint64_t at, const uint8_t *bytes, uint8_t len, struct undo *undo)
{
	*undo = (struct undo){.at = at, .len = len};
	if (pread(fd, undo->bytes, len, (off_t)at) != len || pwrite(fd, bytes, len, (off_t)at) != len)
		abort();
}

static unsigned apply(int fd, const uint8_t *data, size_t len, struct undo *undo)
{
	unsigned n = 0;

	while (n < RECORDS && len >= 4) {
		uint64_t at = regions[data[0] % 4] + (data[1] | (unsigned)data[2] << 8);
		uint8_t count = data[3];

		data += 4;
		len -= 4;
		if (count > len)
			count = (uint8_t)len;
		if (at + count <= SIZE)
			swap_in(fd, at, data, count, &undo[n++]);
		data += count;
		len -= count;
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct undo undo[RECORDS];
	static int fd = -1;
	struct error err = ERROR_INIT;
	void *file = NULL;
	size_t file_len = 0;
	unsigned n;

	if (fd < 0)
		fd = make_disk();
	n = apply(fd, data, len, undo);
	if (esp_read_file(fd, "esp", 0, SIZE, "BOOTX64.EFI", 1 << 20, &file, &file_len, &err) == 0) {
		if (file_len == 0 || file_len > 1 << 20)
			abort();
	} else if (file) {
		abort();
	}
	free(file);
	while (n-- > 0)
		if (pwrite(fd, undo[n].bytes, undo[n].len, (off_t)undo[n].at) != undo[n].len)
			abort();
	return 0;
}
