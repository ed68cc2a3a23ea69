/* SPDX-License-Identifier: Apache-2.0 */
/* What the init reads: partition table, uevents, a probe's answer; and the sizes of the verity devices. */
#include <fcntl.h>
#include <unistd.h>

#include "../../firstboot/probe.h"
#include "../../firstboot/ptable.h"
#include "../../firstboot/uevent.h"
#include "../../firstboot/verity.h"
#include "lib/spawn.h"
#include "unit.h"

#define UUID "01234567-89ab-cdef-0123-456789abcdef"

/* The first 34 sectors of a disk with two partitions, the second with UUID, by sfdisk. */
static void make_disk(const char *dir, uint8_t out[34 * 512])
{
	static const char script[] =
		"label: gpt\nstart=2048, size=2048\nstart=4096, size=2048, uuid=" UUID "\n";
	_cleanup_free_ char *path = xasprintf("%s/disk", dir);
	_cleanup_free_ char *script_path = xasprintf("%s/script", dir);
	_cleanup_close_ int disk = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	_cleanup_close_ int input = open(script_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	const char *argv[] = {"sfdisk", "--quiet", path, NULL};
	struct error err = ERROR_INIT;

	if (!spawn_available("sfdisk"))
		skip();
	assert_int_equal(ftruncate(disk, 8 << 20), 0);
	assert_int_equal(pwrite(input, script, sizeof(script) - 1, 0), sizeof(script) - 1);
	if (spawn_run(&(struct spawn){.argv = argv, .stdin_fd = input}, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(pread(disk, out, 34 * 512, 0), 34 * 512);
}

static void test_table(void **state)
{
	uint8_t d[34 * 512];
	struct ptable t;
	char uuid[PTABLE_UUID_TEXT];
	uint64_t first = 0;

	make_disk(*state, d);
	assert_int_equal(ptable_header(d + 512, 512, 1, &t), 0);
	assert_int_equal(t.entries_lba, 2);
	assert_int_equal(ptable_check(&t, d + 1024, sizeof(d) - 1024), 0);
	assert_int_equal(ptable_partition(&t, d + 1024, sizeof(d) - 1024, 2, uuid, &first), 0);
	assert_string_equal(uuid, UUID);
	assert_int_equal(first, 4096);
	assert_int_equal(ptable_partition(&t, d + 1024, sizeof(d) - 1024, 3, uuid, &first), -ENOENT);
	assert_int_equal(ptable_partition(&t, d + 1024, sizeof(d) - 1024, 0, uuid, &first), -ENOENT);
	assert_int_equal(ptable_partition(&t, d + 1024, sizeof(d) - 1024, 129, uuid, &first), -ENOENT);
	assert_int_equal(ptable_partition(&t, d + 1024, 128, 2, uuid, &first), -ENOENT);

	d[1024 + 128 + 16] ^= 1;
	assert_int_equal(ptable_check(&t, d + 1024, sizeof(d) - 1024), -EINVAL);
	assert_int_equal(ptable_check(&t, d + 1024, 1024), -EINVAL);
}

static void test_table_refused(void **state)
{
	uint8_t d[34 * 512];
	struct ptable t;

	make_disk(*state, d);
	assert_int_equal(ptable_header(d + 512, 512, 2, &t), -EINVAL); /* not where it says */
	assert_int_equal(ptable_header(d + 512, 91, 1, &t), -EINVAL);
	assert_int_equal(ptable_header(d, 512, 1, &t), -EINVAL);
	for (size_t i = 0; i < 92; i++) {
		d[512 + i] ^= 0x80;
		assert_int_equal(ptable_header(d + 512, 512, 1, &t), -EINVAL);
		d[512 + i] ^= 0x80;
	}
}

static void test_uevent(void **state)
{
	static const char text[] = "change@/devices/x\0ACTION=change\0MAJOR=254\0EMPTY=\0LAST=1,7";
	struct uevent e = {.len = sizeof(text) - 1};

	(void)state;
	memcpy(e.text, text, sizeof(text));
	assert_true(uevent_is(&e, "ACTION", "change"));
	assert_string_equal(uevent_get(&e, "LAST"), "1,7");
	assert_string_equal(uevent_get(&e, "EMPTY"), "");
	assert_null(uevent_get(&e, "MAJ"));
	assert_null(uevent_get(&e, "MAJOR=254"));
	assert_false(uevent_is(&e, "MINOR", "0"));
	e.len = 0;
	assert_null(uevent_get(&e, "ACTION"));
}

static void test_sizes(void **state)
{
	/* Hash blocks behind the superblock, as 'veritysetup format' makes them. */
	static const struct {
		uint64_t data, hash;
	} cases[] = {{1, 0}, {2, 1}, {128, 1}, {129, 3}, {16384, 129}, {16385, 132}};
	uint64_t data = 0, hash = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(verity_sizes(cases[i].data, 1, &data, &hash));
		assert_int_equal(data, cases[i].data * 4096);
		assert_int_equal(hash, (1 + cases[i].hash) * 4096);
	}
	assert_false(verity_sizes(UINT64_MAX, 1, &data, &hash));
	assert_false(verity_sizes(1, UINT64_MAX / 2, &data, &hash));
	assert_false(verity_sizes(2, UINT64_MAX, &data, &hash));
}

static void test_probe_status(void **state)
{
	(void)state;
	assert_int_equal(probe_status("HTTP/1.1 200", 12), 200);
	assert_int_equal(probe_status("HTTP/1.0 503", 12), 503);
	assert_int_equal(probe_status("HTTP/1.1 20", 11), 0);
	assert_int_equal(probe_status("HTTP/2.0 200", 12), 0);
	assert_int_equal(probe_status("SSH-2.0-Open", 12), 0);
	assert_int_equal(probe_status("HTTP/1.1 2x0", 12), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_dir(test_table),	     unit_test_in_dir(test_table_refused),
		cmocka_unit_test(test_uevent),	     cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_probe_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
