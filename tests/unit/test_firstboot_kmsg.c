/* SPDX-License-Identifier: Apache-2.0 */
/* What the init takes from the kernel's log: only the kernel's own words about reads that failed. */
#include "../../firstboot/kmsg.h"
#include "unit.h"

#define REQUEST " op 0x0:(READ) flags 0x0 phys_seg 1 prio class 2\n"

static void test_taken(void **state)
{
	struct kmsg_error e;

	(void)state;
	/* As kernels 6.12 and 6.1, 5.4 and before say it. */
	assert_true(kmsg_read_error("3,312,3400220,-;I/O error, dev vda, sector 141344" REQUEST, &e));
	assert_string_equal(e.device, "vda");
	assert_true(e.whole_disk);
	assert_int_equal(e.sector, 141344);
	assert_true(kmsg_read_error("3,312,3400220,-,caller=T1;blk_update_request: critical medium error, "
				    "dev nvme0n1, sector 0" REQUEST,
				    &e));
	assert_string_equal(e.device, "nvme0n1");
	assert_int_equal(e.sector, 0);
	assert_true(kmsg_read_error(
		"3,1,1,-;blk_update_request: I/O error, dev sda, sector 18446744073709551615", &e));
	assert_int_equal(e.sector, UINT64_MAX);
	assert_true(kmsg_read_error(
		"3,1,1,-;Buffer I/O error on dev dm-0, logical block 7, async page read\n SUBSYSTEM=block\n",
		&e));
	assert_string_equal(e.device, "dm-0");
	assert_false(e.whole_disk);
}

static void test_not_taken(void **state)
{
	static const char *const lines[] = {
		"",
		"3",
		"3,312,3400220,-",
		"I/O error, dev vda, sector 141344" REQUEST,
		/* Written by a program: facility 1, 3. */
		"11,312,3400220,-;I/O error, dev vda, sector 141344" REQUEST,
		"27,312,3400220,-;Buffer I/O error on dev dm-0, logical block 7, async page read",
		/* A write, a discard, and reading ahead. */
		"3,1,1,-;I/O error, dev vda, sector 5 op 0x1:(WRITE) flags 0x0 phys_seg 1 prio class 2\n",
		"3,1,1,-;I/O error, dev vda, sector 5 op 0x3:(DISCARD) flags 0x0 phys_seg 1 prio class 2\n",
		"3,1,1,-;I/O error, dev vda, sector 5 op 0x0:(READ) flags 0x80700 phys_seg 2 prio class 2\n",
		"3,1,1,-;Buffer I/O error on dev dm-0, logical block 7, lost async page write",
		/* Not such a message. */
		"3,1,1,-;I/O error, dev vda",
		"3,1,1,-;I/O error, dev , sector 5" REQUEST,
		"3,1,1,-;I/O error, dev vda, sector ",
		"3,1,1,-;I/O error, dev vda, sector x5" REQUEST,
		"3,1,1,-;I/O error, dev vda, sector 18446744073709551616" REQUEST,
		"3,1,1,-;I/O error, dev vda, sector 5 op 0x:(READ) flags 0x0\n",
		"3,1,1,-;I/O error, dev a-name-that-is-longer-than-any-disk-of-the-kernel-has, sector 5" REQUEST,
		"99999999999999999999,1,1,-;I/O error, dev vda, sector 5" REQUEST,
	};
	struct kmsg_error e = {.sector = 42};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (kmsg_read_error(lines[i], &e))
			fail_msg("taken: %s", lines[i]);
	assert_int_equal(e.sector, 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_not_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
