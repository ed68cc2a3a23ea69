/* SPDX-License-Identifier: Apache-2.0 */
/* Which disk is the data volume; what datagrams of sd_notify and requests to the status port are worth. */
#include "../../firstboot/data.h"
#include "../../firstboot/notify.h"
#include "../../firstboot/status.h"
#include "unit.h"

#define OURS                                   \
	{                                      \
		.name = "a", .kind = DATA_OURS \
	}
#define LOCKED                                   \
	{                                        \
		.name = "d", .kind = DATA_LOCKED \
	}
#define BLANK                                   \
	{                                       \
		.name = "b", .kind = DATA_BLANK \
	}
#define OTHER                                   \
	{                                       \
		.name = "c", .kind = DATA_OTHER \
	}

static void test_choose(void **state)
{
	static const struct {
		struct data_disk disks[3];
		size_t count;
		bool may_format;
		enum data_choice choice;
		size_t index;
	} cases[] = {
		{{OURS}, 1, false, DATA_MOUNT, 0},
		{{OTHER, OURS}, 2, true, DATA_MOUNT, 1},
		{{BLANK, OURS}, 2, true, DATA_MOUNT, 1}, /* a blank disk beside ours is left alone */
		{{OURS, BLANK, OURS}, 3, true, DATA_AMBIGUOUS, 0},
		{{BLANK}, 1, true, DATA_FORMAT, 0},
		{{OTHER, BLANK}, 2, true, DATA_FORMAT, 1},
		{{BLANK, OTHER, BLANK}, 3, true, DATA_AMBIGUOUS, 0},
		{{BLANK}, 1, false, DATA_NONE, 0},
		{{BLANK, BLANK}, 2, false, DATA_NONE, 0},
		{{OTHER}, 1, true, DATA_NONE, 0},
		{{OTHER}, 0, true, DATA_NONE, 0},
		/* Ours, but read only: a blank one does not take its place. */
		{{LOCKED}, 1, true, DATA_NONE, 0},
		{{LOCKED, BLANK}, 2, true, DATA_NONE, 0},
		{{BLANK, LOCKED, OURS}, 3, true, DATA_MOUNT, 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t index = 0;

		assert_int_equal(data_choose(cases[i].disks, cases[i].count, cases[i].may_format, &index),
				 cases[i].choice);
		if (cases[i].choice == DATA_MOUNT || cases[i].choice == DATA_FORMAT)
			assert_int_equal(index, cases[i].index);
	}
}

#define OF(text) (text), sizeof(text) - 1

static void test_notify(void **state)
{
	(void)state;
	assert_int_equal(notify_parse(OF("READY=1")), NOTIFY_READY);
	assert_int_equal(notify_parse(OF("READY=1\n")), NOTIFY_READY);
	assert_int_equal(notify_parse(OF("STATUS=x\nREADY=1\nWATCHDOG=1")), NOTIFY_READY | NOTIFY_WATCHDOG);
	assert_int_equal(notify_parse(OF("STOPPING=1")), NOTIFY_STOPPING);
	assert_int_equal(notify_parse(OF("READY=0")), 0);
	assert_int_equal(notify_parse(OF("READY=11")), 0);
	assert_int_equal(notify_parse(OF(" READY=1")), 0);
	assert_int_equal(notify_parse(OF("XREADY=1\nREADY=1\0")), 0);
	assert_int_equal(notify_parse(OF("")), 0);
	assert_int_equal(notify_parse(OF("\n\n\n")), 0);
}

static void test_status(void **state)
{
	char big[STATUS_REQUEST_MAX];

	(void)state;
	memset(big, 'x', sizeof(big));
	assert_int_equal(status_judge(OF("GET / HTTP/1.1\r\nHost: x\r\n\r\n")), 200);
	assert_int_equal(status_judge(OF("HEAD /any HTTP/1.0\r\n\r\n")), 200);
	assert_int_equal(status_judge(OF("GET / HTTP/1.1\r\nHost: x\r\n")), 0);
	assert_int_equal(status_judge(OF("")), 0);
	assert_int_equal(status_judge(OF("POST / HTTP/1.1\r\n\r\n")), 405);
	assert_int_equal(status_judge(OF("GET /\r\n\r\n")), 400);
	assert_int_equal(status_judge(OF("\r\n\r\n")), 400);
	assert_int_equal(status_judge(OF("\x16\x03\x01")), 400); /* TLS */
	assert_int_equal(status_judge(OF("GET /\0 HTTP/1.1\r\n\r\n")), 400);
	assert_int_equal(status_judge(big, sizeof(big)), 431);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choose),
		cmocka_unit_test(test_notify),
		cmocka_unit_test(test_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
