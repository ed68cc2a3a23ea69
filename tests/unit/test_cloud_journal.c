/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "cloud/journal.h"
#include "cloud/plan.h"

static struct journal_identity identity(void)
{
	return (struct journal_identity){.provider = "aws",
					 .region = "eu-central-1",
					 .account = "123456789012",
					 .blocks = {{1, 2, 3}},
					 .parameters = {{4}},
					 .block_count = 1000};
}

static char *path_in(void **state)
{
	return xasprintf("%s/x.upload.jsonl", (const char *)*state);
}

static struct journal *open_it(const char *path, const struct journal_identity *id)
{
	struct error err = ERROR_INIT;
	struct journal *j;

	if (journal_open(path, id, &j, &err) < 0)
		fail_msg("%s", err.text);
	return j;
}

static void test_path(void **state)
{
	_cleanup_free_ char *a = journal_path_for("out/hello-1.raw"), *b = journal_path_for("disk.img");

	(void)state;
	assert_string_equal(a, "out/hello-1.upload.jsonl");
	assert_string_equal(b, "disk.img.upload.jsonl");
}

/* What was noted is there for the next process. */
static void test_round_trip(void **state)
{
	_cleanup_free_ char *path = path_in(state);
	struct journal_identity id = identity();
	struct error err = ERROR_INIT;
	struct journal *j = open_it(path, &id);
	const struct journal_state *s = journal_state(j);

	assert_int_equal(s->attempt, 0);
	assert_int_equal(journal_begin(j, 1, "token-1", "snap-0", &err), 0);
	assert_int_equal(journal_set_snapshot(j, "snap-1", &err), 0);
	assert_int_equal(journal_set_phase(j, JOURNAL_PUT, &err), 0);
	for (uint64_t i = 0; i < 500; i++)
		assert_int_equal(journal_block_done(j, (i * 7) % 1000, &err), 0);
	assert_int_equal(journal_flush(j, &err), 0);
	assert_int_equal(journal_set_phase(j, JOURNAL_COMPLETED, &err), 0);
	assert_int_equal(journal_set_image(j, "ami-1", &err), 0);
	journal_close(j);

	j = open_it(path, &id);
	s = journal_state(j);
	assert_int_equal(s->attempt, 1);
	assert_string_equal(s->token, "token-1");
	assert_string_equal(s->parent, "snap-0");
	assert_string_equal(s->snapshot, "snap-1");
	assert_string_equal(s->image, "ami-1");
	assert_int_equal(s->phase, JOURNAL_COMPLETED);
	assert_int_equal(s->done_count, 500);
	for (uint64_t i = 0; i < 500; i++)
		assert_true(bit_get(s->done, (i * 7) % 1000));
	assert_false(bit_get(s->done, 999));
	/* The next attempt knows nothing of it. */
	assert_int_equal(journal_begin(j, 2, "token-2", NULL, &err), 0);
	journal_close(j);
	j = open_it(path, &id);
	s = journal_state(j);
	assert_int_equal(s->attempt, 2);
	assert_null(s->snapshot);
	assert_null(s->parent);
	assert_int_equal(s->done_count, 0);
	journal_close(j);
}

/* Another region, account, image or other parameters: another upload, in the same file. */
static void test_identities_apart(void **state)
{
	_cleanup_free_ char *path = path_in(state);
	struct journal_identity id = identity(), other[5];
	struct error err = ERROR_INIT;
	struct journal *j = open_it(path, &id);

	assert_int_equal(journal_begin(j, 1, "t", NULL, &err), 0);
	assert_int_equal(journal_set_snapshot(j, "snap-1", &err), 0);
	journal_close(j);
	for (size_t i = 0; i < 5; i++)
		other[i] = id;
	other[0].region = "eu-west-1";
	other[1].account = "9";
	other[2].blocks.b[31] = 1;
	other[3].parameters.b[31] = 1;
	other[4].provider = "openstack";
	for (size_t i = 0; i < 5; i++) {
		j = open_it(path, &other[i]);
		assert_int_equal(journal_state(j)->attempt, 0);
		assert_int_equal(journal_begin(j, 1, "o", NULL, &err), 0);
		assert_int_equal(journal_block_done(j, i, &err), 0);
		assert_int_equal(journal_flush(j, &err), 0);
		journal_close(j);
	}
	j = open_it(path, &id);
	assert_string_equal(journal_state(j)->snapshot, "snap-1");
	assert_int_equal(journal_state(j)->done_count, 0);
	journal_close(j);
}

/* However many bytes of the last line reached the disk. */
static void test_torn_last_line(void **state)
{
	_cleanup_free_ char *path = path_in(state);
	struct journal_identity id = identity();
	struct error err = ERROR_INIT;
	struct journal *j = open_it(path, &id);
	_cleanup_buf_ struct buf whole = {0};
	size_t line;

	assert_int_equal(journal_begin(j, 1, "t", NULL, &err), 0);
	assert_int_equal(journal_set_snapshot(j, "snap-1", &err), 0);
	assert_int_equal(journal_block_done(j, 5, &err), 0);
	assert_int_equal(journal_flush(j, &err), 0);
	journal_close(j);
	assert_int_equal(io_read_file(AT_FDCWD, path, 4096, &whole, &err), 0);
	line = (size_t)((char *)memrchr(whole.ptr, '\n', whole.len - 1) - whole.ptr) + 1;
	for (size_t len = line; len < whole.len; len++) {
		assert_int_equal(output_write_file(path, whole.ptr, len, &err), 0);
		j = open_it(path, &id);
		assert_int_equal(journal_state(j)->done_count, 0);
		assert_string_equal(journal_state(j)->snapshot, "snap-1");
		assert_int_equal(journal_block_done(j, 6, &err), 0);
		assert_int_equal(journal_flush(j, &err), 0);
		journal_close(j);
		j = open_it(path, &id);
		assert_int_equal(journal_state(j)->done_count, 1);
		assert_true(bit_get(journal_state(j)->done, 6));
		journal_close(j);
	}
}

static void test_locked(void **state)
{
	_cleanup_free_ char *path = path_in(state);
	struct journal_identity id = identity();
	struct error err = ERROR_INIT;
	struct journal *j = open_it(path, &id), *second;

	assert_int_equal(journal_open(path, &id, &second, &err), -EBUSY);
	assert_contains(err.text, "another upload of this image is running");
	journal_close(j);
	journal_close(open_it(path, &id));
}

static void test_refused(void **state)
{
	static const char *const cases[] = {
		"{\"done\": [0]}",
		"{\"done\": [0, 0]}",
		"{\"done\": [999, 2]}",
		"{\"done\": [-1, 1]}",
		"{\"done\": [1000, 1]}",
		"{\"done\": [1, 9223372036854775807]}",
		"{\"done\": 5}",
		"{\"phase\": \"other\"}",
		"{\"phase\": 1}",
		"{\"snapshot\": \"\"}",
		"{\"snapshot\": \"a b\"}",
		"{\"image\": null}",
		"{}",
		"[]",
		"",
		"{\"upload\": 2}",
		"{\"upload\": 1, \"provider\": \"aws\"}",
	};
	struct journal_identity id = identity();
	_cleanup_free_ char *path = path_in(state);
	struct error err = ERROR_INIT;
	struct journal *j = open_it(path, &id);
	_cleanup_buf_ struct buf good = {0};

	assert_int_equal(journal_begin(j, 1, "t", NULL, &err), 0);
	journal_close(j);
	assert_int_equal(io_read_file(AT_FDCWD, path, 4096, &good, &err), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *text = xasprintf("%s%s\n", good.ptr, cases[i]);
		struct journal_state s;
		size_t len;

		err = ERROR_INIT;
		assert_int_equal(journal_parse(text, strlen(text), "x", &id, &s, &len, &err), -EBADMSG);
		assert_int_equal(err.exit, EXIT_REFUSED);
		assert_contains(err.text, "x: line 2 is damaged");
	}
}

/* A write that fails says why, and leaves whole lines. */
static void test_disk_full(void **state)
{
	_cleanup_free_ char *path = path_in(state);
	struct journal_identity id = identity();
	struct error err = ERROR_INIT;
	struct rlimit limit, before;
	struct journal *j = open_it(path, &id);
	int r = 0;

	assert_int_equal(journal_begin(j, 1, "t", NULL, &err), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = 600;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (uint64_t i = 0; r == 0 && i < 1000; i += 2)
		r = journal_block_done(j, i, &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(r, -EFBIG);
	assert_contains(err.text, "cannot note what was uploaded");
	assert_contains(err.text, path);
	journal_close(j);
	j = open_it(path, &id);
	assert_true(journal_state(j)->done_count > 0);
	journal_close(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_path),
		unit_test_in_dir(test_round_trip),
		unit_test_in_dir(test_identities_apart),
		unit_test_in_dir(test_torn_last_line),
		unit_test_in_dir(test_locked),
		unit_test_in_dir(test_refused),
		unit_test_in_dir(test_disk_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
