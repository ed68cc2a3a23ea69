/* SPDX-License-Identifier: Apache-2.0 */
/* The cpio archive: golden bytes, round trip, cpio as oracle, and what the reader must refuse. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "image/initrd.h"
#include "lib/cleanup.h"
#include "lib/hash.h"
#include "lib/io.h"
#include "lib/spawn.h"

/* Not sorted: the writer does that. */
static const struct initrd_file sample[] = {
	{"modules", S_IFDIR | 0755, NULL, 0},
	{"init", S_IFREG | 0755, "\177ELF...", 7},
	{"modules/virtio.ko", S_IFREG | 0444, "module", 6},
	{"appliance.conf", S_IFREG | 0444, "Format=1\n", 9},
	{"modules-more", S_IFREG | 0600, NULL, 0},
};
#define SAMPLES (sizeof(sample) / sizeof(sample[0]))

static void write_sample(struct buf *out)
{
	initrd_write(sample, SAMPLES, out);
}

/* Collects what the reader says. */
struct seen {
	struct initrd_file files[16];
	size_t count;
	int answer;
};

static int see(const struct initrd_file *file, void *user, struct error *err)
{
	struct seen *s = user;

	if (s->answer < 0)
		return error_set(err, s->answer, "no more");
	assert_true(s->count < 16);
	s->files[s->count++] = *file;
	return 0;
}

static int read_all(const void *data, size_t len, struct seen *s, struct error *err)
{
	/* Of exactly that size, so that a byte too far is seen. */
	_cleanup_free_ void *exact = xmemdup(data, len);

	return initrd_read(exact, len, see, s, err);
}

static void assert_refused(const void *data, size_t len, const char *why)
{
	struct error err = ERROR_INIT;
	struct seen s = {0};

	assert_int_equal(read_all(data, len, &s, &err), -EBADMSG);
	assert_int_equal(err.exit, EXIT_REFUSED);
	if (!strstr(err.text, why))
		fail_msg("'%s' does not say '%s'", err.text, why);
}

static void test_golden(void **state)
{
	/* clang-format off */
	static const char expected[] =
		"070701" "00000001" "0000816D" "00000000" "00000000" "00000001" "00000000" "00000003"
		"00000000" "00000000" "00000000" "00000000" "00000005" "00000000" "init\0" "\0" "abc" "\0"
		"070701" "00000000" "00000000" "00000000" "00000000" "00000001" "00000000" "00000000"
		"00000000" "00000000" "00000000" "00000000" "0000000B" "00000000" "TRAILER!!!\0" "\0\0\0";
	/* clang-format on */
	const struct initrd_file file = {"init", S_IFREG | 0555, "abc", 3};
	_cleanup_buf_ struct buf b = {0};

	(void)state;
	initrd_write(&file, 1, &b);
	assert_int_equal(b.len, sizeof(expected) - 1);
	assert_memory_equal(b.ptr, expected, b.len);
}

static void test_golden_digest(void **state)
{
	_cleanup_buf_ struct buf b = {0};
	char hex[SHA256_HEX_SIZE];
	struct sha256 digest;

	(void)state;
	write_sample(&b);
	sha256_of(b.ptr, b.len, &digest);
	hex_encode(digest.b, sizeof(digest.b), hex);
	assert_string_equal(hex, "a5f05827d6d64ff6e0150669bab004c99584aec7a6e264c924e0093cb01bc731");
}

/* The order given and what is in the buffer before change nothing. */
static void test_order_and_start(void **state)
{
	_cleanup_buf_ struct buf a = {0}, b = {0};
	struct initrd_file turned[SAMPLES];

	(void)state;
	for (size_t i = 0; i < SAMPLES; i++)
		turned[i] = sample[SAMPLES - 1 - i];
	write_sample(&a);
	buf_add(&b, "abc", 3);
	initrd_write(turned, SAMPLES, &b);
	assert_int_equal(b.len, a.len + 3);
	assert_memory_equal(b.ptr + 3, a.ptr, a.len);
}

static void test_round_trip(void **state)
{
	static const char *const order[SAMPLES] = {"appliance.conf", "init", "modules", "modules/virtio.ko",
						   "modules-more"};
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;
	struct seen s = {0};

	(void)state;
	write_sample(&b);
	assert_int_equal(initrd_read((uint8_t *)b.ptr, b.len, see, &s, &err), 0);
	assert_int_equal(s.count, SAMPLES);
	for (size_t i = 0; i < SAMPLES; i++) {
		const struct initrd_file *f = NULL;

		assert_string_equal(s.files[i].path, order[i]);
		for (size_t j = 0; j < SAMPLES; j++)
			if (strcmp(sample[j].path, order[i]) == 0)
				f = &sample[j];
		assert_non_null(f);
		assert_int_equal(s.files[i].mode, f->mode);
		assert_int_equal(s.files[i].len, f->len);
		if (f->len)
			assert_memory_equal(s.files[i].data, f->data, f->len);
	}
}

static void test_empty(void **state)
{
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;
	struct seen s = {0};

	(void)state;
	initrd_write(NULL, 0, &b);
	assert_int_equal(read_all(b.ptr, b.len, &s, &err), 0);
	assert_int_equal(s.count, 0);
	assert_refused("", 0, "no member's header at byte 0");
}

static void test_callback_stops(void **state)
{
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;
	struct seen s = {.answer = -E2BIG};

	(void)state;
	write_sample(&b);
	assert_int_equal(read_all(b.ptr, b.len, &s, &err), -E2BIG);
	assert_string_equal(err.text, "no more");
}

static void test_cut(void **state)
{
	_cleanup_buf_ struct buf b = {0};

	(void)state;
	write_sample(&b);
	for (size_t len = 0; len < b.len; len++)
		assert_refused(b.ptr, len, "initrd: ");
	buf_add_zero(&b, 4);
	assert_refused(b.ptr, b.len, "4 bytes behind its end");
}

/* Whatever is changed: either it is refused, or the writer would have made just these bytes of what was read. */
static void test_every_byte(void **state)
{
	static const uint8_t masks[] = {0x01, 0x20, 0x80, 0xff};
	_cleanup_buf_ struct buf b = {0};
	unsigned accepted = 0;

	(void)state;
	write_sample(&b);
	for (size_t i = 0; i < b.len * sizeof(masks); i++) {
		uint8_t *p = (uint8_t *)b.ptr + i / sizeof(masks);
		_cleanup_buf_ struct buf again = {0};
		struct error err = ERROR_INIT;
		struct seen s = {0};

		*p ^= masks[i % sizeof(masks)];
		if (initrd_read((uint8_t *)b.ptr, b.len, see, &s, &err) == 0) {
			initrd_write(s.files, s.count, &again);
			assert_int_equal(again.len, b.len);
			assert_memory_equal(again.ptr, b.ptr, b.len);
			accepted++;
		}
		*p ^= masks[i % sizeof(masks)];
	}
	/* Content, permissions and some letters of names may be anything. */
	assert_in_range(accepted, 50, 400);
}

/* ---- archives that the writer cannot make ---- */

struct raw {
	const char *name;
	uint32_t ino, mode, uid, nlink, mtime, dev, rdev, check;
	const char *data;
};

static void add_raw(struct buf *b, const struct raw *m)
{
	const char *data = m->data ? m->data : "";

	buf_printf(b, "070701%08X%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X%08zX%08X", m->ino, m->mode, m->uid,
		   0, m->nlink, m->mtime, strlen(data), m->dev, 0, m->rdev, 0, strlen(m->name) + 1, m->check);
	buf_add(b, m->name, strlen(m->name) + 1);
	buf_add_zero(b, -b->len & 3);
	buf_add(b, data, strlen(data));
	buf_add_zero(b, -b->len & 3);
}

static void add_trailer(struct buf *b)
{
	add_raw(b, &(struct raw){.name = "TRAILER!!!", .nlink = 1});
}

static void test_foreign_members(void **state)
{
	static const struct {
		struct raw member;
		const char *why;
	} cases[] = {
		{{.name = "init", .ino = 1, .mode = S_IFREG | 0755, .nlink = 1}, NULL},
		{{.name = "init", .ino = 2, .mode = S_IFREG | 0755, .nlink = 1}, "the header of 'init'"},
		{{.name = "init", .ino = 1, .mode = S_IFREG | 0755, .nlink = 2}, "the header of 'init'"},
		{{.name = "init", .ino = 1, .mode = S_IFREG | 0755, .nlink = 1, .uid = 1},
		 "the header of 'init'"},
		{{.name = "init", .ino = 1, .mode = S_IFREG | 0755, .nlink = 1, .mtime = 1},
		 "the header of 'init'"},
		{{.name = "init", .ino = 1, .mode = S_IFREG | 0755, .nlink = 1, .dev = 8},
		 "the header of 'init'"},
		{{.name = "init", .ino = 1, .mode = S_IFREG | 0755, .nlink = 1, .rdev = 8},
		 "the header of 'init'"},
		{{.name = "init", .ino = 1, .mode = S_IFREG | 0755, .nlink = 1, .check = 1},
		 "the header of 'init'"},
		{{.name = "init", .ino = 1, .mode = S_IFLNK | 0777, .nlink = 1, .data = "x"},
		 "neither a regular file"},
		{{.name = "null", .ino = 1, .mode = S_IFCHR | 0666, .nlink = 1}, "neither a regular file"},
		{{.name = "none", .ino = 1, .mode = 0644, .nlink = 1}, "neither a regular file"},
		{{.name = "wide", .ino = 1, .mode = 0x10000 | S_IFREG, .nlink = 1}, "unknown mode"},
		{{.name = "dir", .ino = 1, .mode = S_IFDIR | 0755, .nlink = 2, .data = "x"},
		 "directory with content"},
		{{.name = "/init", .ino = 1, .mode = S_IFREG | 0755, .nlink = 1},
		 "not a plain relative path"},
		{{.name = ".", .ino = 1, .mode = S_IFDIR | 0755, .nlink = 2}, "not a plain relative path"},
		{{.name = "../x", .ino = 1, .mode = S_IFREG | 0755, .nlink = 1}, "not a plain relative path"},
		{{.name = "a//b", .ino = 1, .mode = S_IFREG | 0755, .nlink = 1}, "not a plain relative path"},
		{{.name = "a/", .ino = 1, .mode = S_IFDIR | 0755, .nlink = 2}, "not a plain relative path"},
		{{.name = "a/b", .ino = 1, .mode = S_IFREG | 0755, .nlink = 1}, "no parent directory"},
		{{.name = "", .ino = 1, .mode = S_IFREG | 0755, .nlink = 1},
		 "the name of the member at byte 0"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_buf_ struct buf b = {0};
		struct error err = ERROR_INIT;
		struct seen s = {0};

		add_raw(&b, &cases[i].member);
		add_trailer(&b);
		if (cases[i].why)
			assert_refused(b.ptr, b.len, cases[i].why);
		else
			assert_int_equal(read_all(b.ptr, b.len, &s, &err), 0);
	}
}

static void test_foreign_order(void **state)
{
	static const struct {
		const char *first, *second;
		uint32_t mode; /* of the first */
		const char *why;
	} cases[] = {
		{"b", "a", S_IFREG, "twice or out of order"},
		{"a", "a", S_IFREG, "twice or out of order"},
		{"a-b", "a/b", S_IFDIR, "twice or out of order"},
		{"a", "a/b", S_IFREG, "no parent directory"},
		{"a", "ab/c", S_IFDIR, "no parent directory"},
		{"a", "a/b/c", S_IFDIR, "no parent directory"},
		{"a", "b/c", S_IFDIR, "no parent directory"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t nlink = cases[i].mode == S_IFDIR ? 2 : 1;
		_cleanup_buf_ struct buf b = {0};

		add_raw(&b, &(struct raw){.name = cases[i].first,
					  .ino = 1,
					  .mode = cases[i].mode | 0755,
					  .nlink = nlink});
		add_raw(&b,
			&(struct raw){.name = cases[i].second, .ino = 2, .mode = S_IFREG | 0755, .nlink = 1});
		add_trailer(&b);
		assert_refused(b.ptr, b.len, cases[i].why);
	}
}

static void test_trailer_with_content(void **state)
{
	_cleanup_buf_ struct buf b = {0};

	(void)state;
	add_raw(&b, &(struct raw){.name = "TRAILER!!!", .nlink = 1, .data = "x"});
	assert_refused(b.ptr, b.len, "the trailer");
}

/* Sizes up to the last number of 32 bits. */
static void test_huge_sizes(void **state)
{
	static const size_t fields[] = {54, 94}; /* file size, name size */
	_cleanup_buf_ struct buf b = {0};

	(void)state;
	write_sample(&b);
	for (size_t i = 0; i < 2; i++) {
		_cleanup_free_ char *copy = xmemdup(b.ptr, b.len);

		memcpy(copy + fields[i], "FFFFFFFF", 8);
		assert_refused(copy, b.len,
			       i ? "the name of the member at byte 0 is cut off"
				 : "'appliance.conf' is cut off");
	}
}

/* ---- bugs of the caller ---- */

static void assert_aborts(const struct initrd_file *files, size_t count)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		_cleanup_buf_ struct buf b = {0};
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		/* The message and a core are of no use here. */
		(void)setrlimit(RLIMIT_CORE, &(struct rlimit){0});
		(void)signal(SIGABRT, SIG_DFL);
		(void)dup2(null, STDERR_FILENO);
		initrd_write(files, count, &b);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void test_bugs_abort(void **state)
{
	const struct initrd_file twice[] = {{"a", S_IFREG, NULL, 0}, {"a", S_IFREG, NULL, 0}};
	const struct initrd_file orphan[] = {{"a", S_IFREG, NULL, 0}, {"b/c", S_IFREG, NULL, 0}};
	const struct initrd_file absolute[] = {{"/a", S_IFREG, NULL, 0}};

	(void)state;
	assert_aborts(twice, 2);
	assert_aborts(orphan, 2);
	assert_aborts(absolute, 1);
}

/* ---- cpio ---- */

static void write_file(const char *path, const struct buf *b)
{
	struct error err = ERROR_INIT;

	if (output_write_file(path, b->ptr, b->len, &err) < 0)
		fail_msg("%s", err.text);
}

/* Standard output of @argv with @path as standard input. */
static void run_on(const char *const *argv, const char *path, struct buf *ret)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct error err = ERROR_INIT;

	assert_true(fd >= 0);
	if (spawn_run(&(struct spawn){.argv = argv, .stdin_fd = fd, .output = ret}, &err) < 0)
		fail_msg("%s", err.text);
}

static void test_cpio_agrees(void **state)
{
	static const char expected[] = "-r--r--r-- 0 0 9 appliance.conf\n"
				       "-rwxr-xr-x 0 0 7 init\n"
				       "drwxr-xr-x 0 0 0 modules\n"
				       "-r--r--r-- 0 0 6 modules/virtio.ko\n"
				       "-rw------- 0 0 0 modules-more\n";
	char dir[] = "/tmp/mkappliance-test-XXXXXX";
	_cleanup_buf_ struct buf archive = {0}, listing = {0}, content = {0}, said = {0};
	_cleanup_free_ char *path = NULL;
	struct error err = ERROR_INIT;
	char *save = NULL;

	(void)state;
	if (!spawn_available("cpio"))
		skip();
	assert_non_null(mkdtemp(dir));
	path = xasprintf("%s/initrd", dir);
	write_sample(&archive);
	write_file(path, &archive);
	run_on((const char *const[]){"cpio", "--quiet", "-itvn", NULL}, path, &listing);
	run_on((const char *const[]){"cpio", "--quiet", "-i", "--to-stdout", "modules/virtio.ko", NULL}, path,
	       &content);
	assert_int_equal(content.len, 6);
	assert_memory_equal(content.ptr, "module", 6);

	/* Columns: mode, links, owner, group, size, three of the date, name. */
	for (char *line = strtok_r(listing.ptr, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char mode[16], name[64];
		unsigned uid, gid, size;

		assert_int_equal(
			sscanf(line, "%15s %*u %u %u %u %*s %*s %*s %63s", mode, &uid, &gid, &size, name), 5);
		buf_printf(&said, "%s %u %u %u %s\n", mode, uid, gid, size, name);
	}
	assert_string_equal(said.ptr, expected);
	assert_int_equal(io_remove_tree(dir, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_golden_digest),
		cmocka_unit_test(test_order_and_start),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_callback_stops),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_foreign_members),
		cmocka_unit_test(test_foreign_order),
		cmocka_unit_test(test_trailer_with_content),
		cmocka_unit_test(test_huge_sizes),
		cmocka_unit_test(test_bugs_abort),
		cmocka_unit_test(test_cpio_agrees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
