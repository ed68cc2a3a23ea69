/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The alterations of the tamper test on a small made-up disk: each changes what it says and nothing else;
 * the boot entry in firmware variables; copies of disks; the private directory.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/gpt.h"
#include "vm/disk_copy.h"
#include "vm/nvram.h"
#include "vm/tamper.h"
#include "vm/tamper_edit.h"
#include "vm/workdir.h"

#define MIB	    1048576ull
#define DATA_BLOCKS 300u /* two levels of hashes */
#define PROGRAM	    17u	 /* block of the root */

/* A disk of (ESP, root of DATA_BLOCKS blocks, hash tree), consistent in itself. */
struct disk {
	int fd;
	char *path;
	struct manifest m;
	struct tamper_places places;
};

static void put(const struct disk *d, const void *data, size_t len, uint64_t offset)
{
	struct error err = ERROR_INIT;

	assert_int_equal(io_pwrite_full(d->fd, "disk", data, len, offset, &err), 0);
}

static void get(const struct disk *d, void *data, size_t len, uint64_t offset)
{
	struct error err = ERROR_INIT;

	assert_int_equal(io_pread_full(d->fd, "disk", data, len, offset, &err), 0);
}

/* The root hash of what is on the disk, computed from nothing but the data. */
static struct sha256 root_hash_of(const struct disk *d)
{
	_cleanup_verity_hasher_ struct verity_hasher *h = verity_hasher_new(d->m.salt);
	static struct sha256 level[384];
	uint8_t block[VERITY_BLOCK];
	size_t count = DATA_BLOCKS;

	for (size_t i = 0; i < count; i++) {
		get(d, block, sizeof(block), d->m.layout.part[PART_ROOT].offset + i * VERITY_BLOCK);
		verity_hash_blocks(h, block, 1, &level[i], NULL);
	}
	while (count > 1) {
		size_t blocks = (count + VERITY_HASHES_PER_BLOCK - 1) / VERITY_HASHES_PER_BLOCK;

		memset(level + count, 0, sizeof(level) - count * sizeof(level[0]));
		for (size_t i = 0; i < blocks; i++) {
			memcpy(block, level + i * VERITY_HASHES_PER_BLOCK, sizeof(block));
			verity_hash_blocks(h, block, 1, &level[i], NULL);
		}
		count = blocks;
	}
	return level[0];
}

/* The tree on the disk, written by the same arithmetic as the root hash. */
static void write_tree(struct disk *d)
{
	_cleanup_verity_hasher_ struct verity_hasher *h = verity_hasher_new(d->m.salt);
	uint64_t tree = d->m.layout.part[PART_VERITY].offset;
	struct error err = ERROR_INIT;
	struct verity_geometry g;
	uint8_t block[VERITY_BLOCK];
	struct sha256 digest;

	assert_int_equal(verity_geometry(DATA_BLOCKS, &g, &err), 0);
	assert_int_equal(g.levels, 2);
	for (size_t i = 0; i < DATA_BLOCKS; i++) {
		get(d, block, sizeof(block), d->m.layout.part[PART_ROOT].offset + i * VERITY_BLOCK);
		verity_hash_blocks(h, block, 1, &digest, NULL);
		put(d, digest.b, sizeof(digest.b), tree + g.level_start[0] * VERITY_BLOCK + i * SHA256_SIZE);
	}
	for (size_t i = 0; i < g.level_blocks[0]; i++) {
		get(d, block, sizeof(block), tree + (g.level_start[0] + i) * VERITY_BLOCK);
		verity_hash_blocks(h, block, 1, &digest, NULL);
		put(d, digest.b, sizeof(digest.b), tree + g.level_start[1] * VERITY_BLOCK + i * SHA256_SIZE);
	}
}

static void make_places(struct disk *d)
{
	uint64_t esp = d->m.layout.part[PART_ESP].offset;
	static const uint8_t kernel[4] = {0x40}; /* offset of the PE header, at 0x3c */

	d->places = (struct tamper_places){
		.manifest = &d->m,
		.program = d->m.layout.part[PART_ROOT].offset + PROGRAM * VERITY_BLOCK,
		.command_line = esp + 1000,
		.command_line_len = 7,
		.kernel = esp + 8192,
		.kernel_len = 4096,
		.init = esp + 20000,
		.root_hash = esp + 30000,
	};
	put(d, "panic=5", 7, d->places.command_line);
	put(d, kernel, sizeof(kernel), d->places.kernel + 0x3c);
	put(d, "abc", 3, d->places.root_hash);
}

static int make_disk(void **state)
{
	struct disk *d = xcalloc(1, sizeof(*d));
	uint8_t primary[GPT_PRIMARY_SECTORS * LAYOUT_SECTOR], backup[GPT_BACKUP_SECTORS * LAYOUT_SECTOR];
	char name[] = "/tmp/mkappliance-unit-XXXXXX";
	struct layout *l = &d->m.layout;
	struct error err = ERROR_INIT;
	struct sha256 root_hash;

	d->fd = mkstemp(name);
	d->path = xstrdup(name);
	d->m.data_blocks = DATA_BLOCKS;
	d->m.salt[3] = 9;
	if (d->fd < 0 ||
	    layout_plan("t", ARCH_X86_64, MIB, DATA_BLOCKS * VERITY_BLOCK, 5 * VERITY_BLOCK, l, &err) < 0 ||
	    ftruncate(d->fd, (off_t)l->size) < 0)
		return -1;
	layout_add_signature("t", ARCH_X86_64, l);
	for (uint32_t i = 0; i < DATA_BLOCKS; i++)
		put(d, &i, sizeof(i), l->part[PART_ROOT].offset + i * VERITY_BLOCK);
	write_tree(d);
	root_hash = d->m.root_hash = root_hash_of(d);
	layout_set_root_hash(l, &root_hash);
	if (gpt_build(l, primary, backup, &err) < 0)
		return -1;
	put(d, primary, sizeof(primary), 0);
	put(d, backup, sizeof(backup), l->size - sizeof(backup));
	make_places(d);
	*state = d;
	return 0;
}

static int remove_disk(void **state)
{
	struct disk *d = *state;

	(void)close(d->fd);
	(void)unlink(d->path);
	free(d->path);
	free(d);
	return 0;
}

#define CHANGES_MAX 8192

/*
 * Offsets of the bytes that differ from @before, in the parts of the disk that are used; how many there
 * are.
 */
static size_t differences(const struct disk *d, const char *before, uint64_t *offsets)
{
	_cleanup_close_ int old = open(before, O_RDONLY | O_CLOEXEC);
	struct error err = ERROR_INIT;
	static uint8_t a[65536], b[65536];
	size_t n = 0;
	off_t size = lseek(d->fd, 0, SEEK_END);

	for (off_t at = 0; (at = lseek(d->fd, at, SEEK_DATA)) >= 0 && at < size; at += (off_t)sizeof(a)) {
		size_t len = size - at < (off_t)sizeof(a) ? (size_t)(size - at) : sizeof(a);

		get(d, a, len, (uint64_t)at);
		assert_int_equal(io_pread_full(old, before, b, len, (uint64_t)at, &err), 0);
		for (size_t i = 0; i < len; i++)
			if (a[i] != b[i] && n < CHANGES_MAX)
				offsets[n++] = (uint64_t)at + i;
	}
	return n;
}

/* Applies it and says what differs. */
static size_t apply(struct disk *d, int (*f)(int fd, const struct tamper_places *p, struct error *err),
		    uint64_t *offsets)
{
	_cleanup_free_ char *before = xasprintf("%s.before", d->path);
	struct error err = ERROR_INIT;
	int fd = -1;
	size_t n;

	assert_int_equal(disk_copy(d->path, before, &fd, &err), 0);
	(void)close(fd);
	if (f(d->fd, &d->places, &err) < 0)
		fail_msg("%s", err.text);
	n = differences(d, before, offsets);
	(void)unlink(before);
	return n;
}

static void test_one_byte(void **state)
{
	struct disk *d = *state;
	const struct partition *part = d->m.layout.part;
	const struct {
		int (*f)(int fd, const struct tamper_places *p, struct error *err);
		uint64_t from, to;
	} cases[] = {
		{tamper_program, d->places.program, d->places.program + VERITY_BLOCK},
		{tamper_superblock_of_root, part[PART_ROOT].offset + 1024, part[PART_ROOT].offset + 2048},
		{tamper_hash_leaf, part[PART_VERITY].offset + 2 * VERITY_BLOCK + PROGRAM * 32,
		 part[PART_VERITY].offset + 2 * VERITY_BLOCK + PROGRAM * 32 + 32},
		{tamper_hash_top, part[PART_VERITY].offset + VERITY_BLOCK,
		 part[PART_VERITY].offset + 2 * VERITY_BLOCK},
		{tamper_verity_superblock, part[PART_VERITY].offset + 88, part[PART_VERITY].offset + 88 + 32},
		{tamper_signature, part[PART_SIGNATURE].offset + 200, part[PART_SIGNATURE].offset + 700},
		{tamper_gap, GPT_PRIMARY_SECTORS * LAYOUT_SECTOR, part[PART_ESP].offset},
		{tamper_command_line, d->places.command_line + 6, d->places.command_line + 7},
		{tamper_root_hash, d->places.root_hash, d->places.root_hash + 1},
		{tamper_init, d->places.init + 9, d->places.init + 16},
		{tamper_kernel, d->places.kernel + 0x40 + 8, d->places.kernel + 0x40 + 12},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t at[CHANGES_MAX];

		assert_int_equal(apply(d, cases[i].f, at), 1);
		assert_in_range(at[0], cases[i].from, cases[i].to - 1);
	}
}

static void test_swap(void **state)
{
	struct disk *d = *state;
	uint64_t at[CHANGES_MAX];
	uint32_t a = 0, b = 0;

	assert_true(apply(d, tamper_swap_blocks, at) > 0);
	get(d, &a, sizeof(a), d->places.program);
	get(d, &b, sizeof(b), d->places.program + VERITY_BLOCK);
	assert_int_equal(a, PROGRAM + 1);
	assert_int_equal(b, PROGRAM);
}

/*
 * Another build: consistent in itself, with another root hash; its tree alone, or with the names that go
 * with it.
 */
static void test_foreign(void **state)
{
	struct disk *d = *state;
	uint8_t primary[GPT_PRIMARY_SECTORS * LAYOUT_SECTOR], backup[GPT_BACKUP_SECTORS * LAYOUT_SECTOR];
	uint8_t top[VERITY_BLOCK];
	uint64_t at[CHANGES_MAX];
	_cleanup_verity_hasher_ struct verity_hasher *h = verity_hasher_new(d->m.salt);
	struct error err = ERROR_INIT;
	struct sha256 hash, stored;
	struct gpt gpt;

	assert_true(apply(d, tamper_foreign_root, at) > 0);
	hash = root_hash_of(d);
	assert_memory_not_equal(hash.b, d->m.root_hash.b, SHA256_SIZE);
	get(d, top, sizeof(top), d->m.layout.part[PART_VERITY].offset + VERITY_BLOCK);
	verity_hash_blocks(h, top, 1, &stored, NULL);
	assert_memory_equal(stored.b, hash.b, SHA256_SIZE);

	assert_true(apply(d, tamper_foreign_disk, at) > 0);
	hash = root_hash_of(d);
	get(d, primary, sizeof(primary), 0);
	get(d, backup, sizeof(backup), d->m.layout.size - sizeof(backup));
	assert_int_equal(gpt_parse(primary, backup, d->m.layout.size, &gpt, &err), 0);
	assert_memory_equal(gpt.entries[PART_ROOT].uuid.b, hash.b, 16);
	assert_memory_equal(gpt.entries[PART_VERITY].uuid.b, hash.b + 16, 16);
}

static void test_truncate(void **state)
{
	struct disk *d = *state;
	struct error err = ERROR_INIT;
	struct stat st;

	assert_int_equal(tamper_truncate(d->fd, &d->places, &err), 0);
	assert_int_equal(fstat(d->fd, &st), 0);
	assert_int_equal(st.st_size % LAYOUT_ALIGN, 0);
	assert_in_range(st.st_size, d->m.layout.part[PART_ROOT].offset,
			d->m.layout.part[PART_ROOT].offset + d->m.layout.part[PART_ROOT].used - 1);
}

/* A kernel whose header lies outside of it is no kernel. */
static void test_bad_kernel(void **state)
{
	static const uint8_t far_away[4] = {0xff, 0xff, 0xff, 0xff};
	struct disk *d = *state;
	struct error err = ERROR_INIT;

	put(d, far_away, sizeof(far_away), d->places.kernel + 0x3c);
	assert_int_equal(tamper_kernel(d->fd, &d->places, &err), -EINVAL);
}

/* ---- firmware variables ---- */

static const char vars_file[] = "/usr/share/OVMF/OVMF_VARS_4M.fd";
static struct partition esp = {.offset = MIB, .size = 64 * MIB, .uuid = {{1, 2, 3}}};
static const struct nvram_entry entry = {&esp, 1, "\\EFI\\BOOT\\BOOTX64.EFI", "console=ttyS0 foreign"};

/* The shortest store: header of the volume (56), of the store (28), room for variables. */
static void make_store(uint8_t *p, size_t len)
{
	static const uint8_t type[16] = {0x78, 0x2c, 0xf3, 0xaa, 0x7b, 0x94, 0x9a, 0x43,
					 0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3, 0x77, 0x92};
	uint32_t size = (uint32_t)(len - 56);

	memset(p, 0xff, len);
	memset(p, 0, 56 + 28);
	memcpy(p + 40, "_FVH", 4);
	p[48] = 56;
	memcpy(p + 56, type, sizeof(type));
	memcpy(p + 72, &size, sizeof(size));
	p[76] = 0x5a;
	p[77] = 0xfe;
}

static void test_nvram_entry(void **state)
{
	uint8_t store[2048], again[2048];
	struct error err = ERROR_INIT;

	(void)state;
	make_store(store, sizeof(store));
	assert_int_equal(nvram_add_entry(store, sizeof(store), &entry, &err), 0);
	assert_int_equal(store[84], 0xaa);
	assert_int_equal(store[85], 0x55);
	assert_int_equal(store[86], 0x3f);
	assert_memory_equal(store + 84 + 60,
			    "B\0o\0o\0t\0"
			    "0\0"
			    "0\0"
			    "0\0"
			    "0\0\0\0",
			    18);
	assert_non_null(memmem(store, sizeof(store), "f\0o\0r\0e\0i\0g\0n\0\0\0", 16));
	assert_non_null(memmem(store, sizeof(store), "B\0o\0o\0t\0O\0r\0d\0e\0r\0\0\0\0\0", 22));
	/* A store with variables is left alone. */
	memcpy(again, store, sizeof(again));
	assert_int_equal(nvram_add_entry(again, sizeof(again), &entry, &err), -EEXIST);
	assert_memory_equal(again, store, sizeof(again));
}

static void test_nvram_bounds(void **state)
{
	uint8_t good[2048];
	struct error err = ERROR_INIT;

	(void)state;
	make_store(good, sizeof(good));
	/* Too short in every way. */
	for (size_t len = 0; len < sizeof(good); len += len < 128 ? 1 : 64) {
		_cleanup_free_ uint8_t *cut = xmemdup(good, len ? len : 1);

		assert_true(nvram_add_entry(cut, len, &entry, &err) < 0);
	}
	/* Enough of a store, but no room in it. */
	make_store(good, 200);
	assert_int_equal(nvram_add_entry(good, 200, &entry, &err), -ENOSPC);
	make_store(good, sizeof(good));
	good[48] = 0xf0;
	good[49] = 0xff;
	assert_int_equal(nvram_add_entry(good, sizeof(good), &entry, &err), -EINVAL);
	make_store(good, sizeof(good));
	memset(good + 72, 0xff, 4);
	assert_int_equal(nvram_add_entry(good, sizeof(good), &entry, &err), -EINVAL);
}

/* The firmware's own empty store, as installed. */
static void test_nvram_real(void **state)
{
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;

	(void)state;
	if (access(vars_file, R_OK) < 0)
		skip();
	assert_int_equal(io_read_file(AT_FDCWD, vars_file, 64 * MIB, &b, &err), 0);
	if (nvram_add_entry((uint8_t *)b.ptr, b.len, &entry, &err) < 0)
		fail_msg("%s", err.text);
}

/* ---- copies and directories ---- */

static void test_copy_is_sparse(void **state)
{
	_cleanup_free_ char *from = xasprintf("%s/a", (char *)*state),
			    *to = xasprintf("%s/b", (char *)*state);
	_cleanup_close_ int in = open(from, O_RDWR | O_CREAT | O_CLOEXEC, 0644), out = -1;
	struct error err = ERROR_INIT;
	char got[5] = "";
	struct stat st;

	assert_int_equal(pwrite(in, "data", 4, 100 * (off_t)MIB), 4);
	assert_int_equal(ftruncate(in, 1000 * (off_t)MIB + 3), 0);
	assert_int_equal(disk_copy(from, to, &out, &err), 0);
	assert_int_equal(fstat(out, &st), 0);
	assert_int_equal(st.st_size, 1000 * (off_t)MIB + 3);
	assert_true(st.st_blocks * 512 <= 2 * (off_t)MIB);
	assert_int_equal(pread(out, got, 4, 100 * (off_t)MIB), 4);
	assert_string_equal(got, "data");
	/* An existing file is not written over. */
	assert_int_equal(disk_copy(from, to, &out, &err), -EEXIST);
}

/* A process that is killed leaves no directory behind: its keeper sees to that. */
static void test_keeper(void **state)
{
	struct error err = ERROR_INIT;
	char path[256] = "";
	int fds[2], status;
	pid_t pid;

	assert_int_equal(setenv("TMPDIR", *state, 1), 0);
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		struct workdir w = WORKDIR_INIT;

		if (workdir_open(&w, &err) < 0)
			_exit(1);
		(void)!write(fds[1], w.path, strlen(w.path));
		pause();
	}
	assert_true(read(fds[0], path, sizeof(path) - 1) > 0);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (int i = 0; i < 500 && access(path, F_OK) == 0; i++)
		(void)usleep(10000);
	assert_int_equal(access(path, F_OK), -1);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

/* What a dead run left goes at the next start; what a living one has stays. */
static void test_stale(void **state)
{
	_cleanup_free_ char *stale = xasprintf("%s/mkappliance-vm.AbCdEf", (char *)*state);
	_cleanup_free_ char *other = xasprintf("%s/mkappliance-other", (char *)*state);
	_cleanup_workdir_ struct workdir a = WORKDIR_INIT, b = WORKDIR_INIT;
	struct error err = ERROR_INIT;

	assert_int_equal(setenv("TMPDIR", *state, 1), 0);
	assert_int_equal(mkdir(stale, 0700), 0);
	assert_int_equal(mkdir(other, 0700), 0);
	assert_int_equal(workdir_open(&a, &err), 0);
	assert_int_equal(access(stale, F_OK), -1);
	assert_int_equal(access(other, F_OK), 0);
	assert_int_equal(workdir_open(&b, &err), 0);
	assert_int_equal(access(a.path, F_OK), 0);
	assert_string_not_equal(a.path, b.path);
}

#define disk_test(f) cmocka_unit_test_setup_teardown(f, make_disk, remove_disk)

static enum tamper_outcome outcome(bool ok, unsigned seen)
{
	const struct trial_report r = {.ok = ok, .status.seen = seen};

	return tamper_outcome_of(&r);
}

/* What a machine says counts only when it stops as well. */
static void test_outcomes(void **state)
{
	(void)state;
	assert_int_equal(outcome(true, SEEN_READY | SEEN_STOPPED | SEEN_END), OUTCOME_RAN);
	assert_int_equal(outcome(false, SEEN_REFUSED | SEEN_END), OUTCOME_REFUSED);
	assert_int_equal(outcome(false, SEEN_CORRUPTED | SEEN_PANIC), OUTCOME_REFUSED);
	assert_int_equal(outcome(false, SEEN_REFUSED), OUTCOME_HUNG);
	assert_int_equal(outcome(false, SEEN_CORRUPTED | SEEN_VERIFIED), OUTCOME_HUNG);
	assert_int_equal(outcome(false, SEEN_FAILED | SEEN_END), OUTCOME_FAILED);
	assert_int_equal(outcome(false, SEEN_END), OUTCOME_FAILED);
	assert_int_equal(outcome(false, SEEN_PANIC), OUTCOME_PANIC);
	assert_int_equal(outcome(false, SEEN_STUCK | SEEN_FAILED), OUTCOME_FAILED);
	assert_int_equal(outcome(false, 0), OUTCOME_HUNG);
}

/* The words for it, for people. */
static void test_described(void **state)
{
	struct machine_status s = {.seen = SEEN_REFUSED, .reason = "corruption", .detail = "block 17"};
	_cleanup_free_ char *on = trial_describe_end(&s), *off = NULL;

	(void)state;
	s.seen |= SEEN_END;
	off = trial_describe_end(&s);
	assert_string_equal(on, "refused (corruption: block 17), and yet it did not go off");
	assert_string_equal(off, "refused (corruption: block 17)");
}

/* Firmware that has failed waits for ever; once the init has spoken its words are anybody's. */
static void test_firmware(void **state)
{
	const struct console_line crash = {.kind = CONSOLE_STUCK, .text = "!!!! X64 Exception Type - 0E"};
	const struct console_line shell = {.kind = CONSOLE_STUCK, .text = "BdsDxe: starting Boot0002"};
	struct machine_status s = {0}, later = {.seen = SEEN_INIT};
	_cleanup_free_ char *text = NULL;

	(void)state;
	assert_int_equal(witness_line(&later, &crash), 0);
	s.seen = witness_line(&s, &crash);
	assert_int_equal(s.seen, SEEN_STUCK | SEEN_FAILED);
	assert_int_equal(witness_line(&s, &shell), 0);
	text = trial_describe_end(&s);
	assert_string_equal(text, "failed (firmware: !!!! X64 Exception Type - 0E; is there enough memory?)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		disk_test(test_one_byte),
		disk_test(test_swap),
		disk_test(test_foreign),
		disk_test(test_truncate),
		disk_test(test_bad_kernel),
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_described),
		cmocka_unit_test(test_firmware),
		cmocka_unit_test(test_nvram_entry),
		cmocka_unit_test(test_nvram_bounds),
		cmocka_unit_test(test_nvram_real),
		unit_test_in_dir(test_copy_is_sparse),
		unit_test_in_dir(test_keeper),
		unit_test_in_dir(test_stale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
