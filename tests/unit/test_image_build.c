/* SPDX-License-Identifier: Apache-2.0 */
/* The whole image half on made-up inputs, so that its bytes depend on no package's version. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "image/boot.h"
#include "image/build.h"
#include "image/esp.h"
#include "image/gpt.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/log.h"
#include "lib/spawn.h"

static char dir[] = "/tmp/mkappliance-test-XXXXXX";

struct fixture {
	char *init, *stub, *out;
	struct template *t;
	struct compose_result c;
};

static void fill(uint8_t *p, size_t len, uint32_t seed)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v & 0xffff);
	put16(p + 2, v >> 16);
}

static void put_section(uint8_t *p, const char *name, uint32_t address, uint32_t offset, uint32_t size)
{
	memcpy(p, name, strlen(name));
	put32(p + 8, size);
	put32(p + 12, address);
	put32(p + 16, size);
	put32(p + 20, offset);
	put32(p + 36, 0x60000020);
}

/* The least that is an EFI program for x86-64, @len bytes of which most is its code, with the mark of a systemd-stub. */
static void make_pe(uint8_t *p, size_t len)
{
	static const char mark[] = "#### LoaderInfo: systemd-stub 252 ####";
	uint8_t *coff = p + 0x80, *opt = coff + 24, *sections = opt + 240;

	fill(p + 0x600, len - 0x600, (uint32_t)len);
	memcpy(p, "MZ", 2);
	put32(p + 0x3c, 0x80);
	memcpy(coff, "PE\0\0", 4);
	put16(coff + 4, 0x8664);
	put16(coff + 6, 2);
	put16(coff + 20, 240);
	put16(coff + 22, 0x22e);
	put16(opt, 0x20b);
	put32(opt + 16, 0x2000);
	put32(opt + 20, 0x2000);
	put32(opt + 32, 0x1000);
	put32(opt + 36, 0x200);
	put32(opt + 56, 0x2000 + (uint32_t)((len + 0xfff) & ~(size_t)0xfff));
	put32(opt + 60, 0x400);
	put16(opt + 68, 10);
	put32(opt + 108, 16);
	put_section(sections, ".sdmagic", 0x1000, 0x400, 0x200);
	memcpy(p + 0x400, mark, sizeof(mark));
	put_section(sections + 40, ".text", 0x2000, 0x600, (uint32_t)len - 0x600);
}

static struct tree_entry *add_entry(struct tree *t, const char *path, mode_t mode)
{
	struct tree_entry *e = xcalloc(1, sizeof(*e));

	e->path = xstrdup(path);
	e->mode = mode;
	e->mtime = 1000;
	e->nlink = 1;
	array_grow(t->entries, t->len, t->cap);
	t->entries[t->len++] = e;
	return e;
}

static void add_file(struct tree *t, const char *path, mode_t mode, size_t size, uint32_t seed)
{
	struct tree_entry *e = add_entry(t, path, S_IFREG | mode);

	e->size = size;
	e->origin = ORIGIN_MEMORY;
	e->memory = xmalloc(size);
	fill(e->memory, size, seed);
	t->bytes += size;
}

static struct tree *make_tree(void)
{
	struct tree *t = tree_new();

	add_entry(t, "", S_IFDIR | 0755);
	add_entry(t, "etc", S_IFDIR | 0755);
	add_file(t, "etc/group", 0644, 0, 0);
	add_entry(t, "etc/mtab", S_IFLNK | 0777)->target = xstrdup("../proc/self/mounts");
	add_entry(t, "usr", S_IFDIR | 0755);
	add_entry(t, "usr/bin", S_IFDIR | 0755);
	add_file(t, "usr/bin/hello", 0755, 700001, 1);
	add_file(t, "usr/bin/small", 0755, 5, 2);
	return t;
}

static void make_kernel(struct kernel *k)
{
	static const char *const names[] = {"dm_mod", "dm_verity"};

	k->release = xstrdup("6.1.0-test");
	k->path = xstrdup("/boot/vmlinuz-6.1.0-test");
	k->image_len = 900000;
	k->image = xcalloc(1, k->image_len);
	make_pe(k->image, k->image_len);
	k->initrd = xcalloc(2, sizeof(*k->initrd));
	for (size_t i = 0; i < 2; i++, k->initrd_len++) {
		k->initrd[i] = (struct kernel_module){
			.name = xstrdup(names[i]),
			.path = xasprintf("usr/lib/modules/6.1.0-test/kernel/%s.ko", names[i]),
			.data = xmalloc(4001),
			.len = 4001,
		};
		fill(k->initrd[i].data, 4001, 3 + (uint32_t)i);
	}
}

static void write_file(const char *path, const void *data, size_t len)
{
	struct error err = ERROR_INIT;

	assert_int_equal(output_write_file(path, data, len, &err), 0);
}

static void setup(struct fixture *f, const char *more)
{
	static const uint8_t elf[1000] = "\177ELF made up";
	struct error err = ERROR_INIT;
	_cleanup_free_ char *text = NULL;
	uint8_t *stub = xcalloc(1, 0x2000);

	*f = (struct fixture){0};
	f->init = xasprintf("%s/init", dir);
	f->stub = xasprintf("%s/stub", dir);
	f->out = xasprintf("%s/out", dir);
	make_pe(stub, 0x2000);
	write_file(f->stub, stub, 0x2000);
	free(stub);
	write_file(f->init, elf, sizeof(elf));
	text = xasprintf("[Appliance]\nName=hello\nVersion=1.0\nEpoch=1700000000\n[Base]\nSource=none\n"
			 "[Kernel]\nImage=/k\nModulesDirectory=/m\nStub=%s\nCommandLine=console=ttyS0\n"
			 "[Init]\nMode=appliance\nExec=/usr/bin/hello 8080\n%s",
			 f->stub, more);
	if (template_parse(text, strlen(text), "test.conf", dir, &f->t, &err) < 0)
		fail_msg("%s", err.text);
	f->c.tree = make_tree();
	make_kernel(&f->c.kernel);
	installed_add(&f->c.packages, "deb", "hello", "1.0", "amd64");
}

static void teardown(struct fixture *f)
{
	struct error err = ERROR_INIT;

	compose_result_free(&f->c);
	template_free(f->t);
	(void)io_remove_tree(f->out, &err);
	free(f->init);
	free(f->stub);
	free(f->out);
}

static struct image_options options_for(const struct fixture *f)
{
	return (struct image_options){.output_dir = f->out, .init_path = f->init};
}

static void build(struct fixture *f, const struct image_options *o, struct image_result *ret)
{
	struct error err = ERROR_INIT;

	if (image_build(f->t, &f->c, o, ret, &err) < 0)
		fail_msg("%s", err.text);
}

static size_t count_files(const char *path)
{
	_cleanup_closedir_ DIR *d = opendir(path);
	struct dirent *de;
	size_t n = 0;

	while (d && (de = readdir(d)))
		n += de->d_name[0] != '.';
	return n;
}

/* The bytes of the image half. A change here is a change of every image of everybody: say why in the commit. */
static void test_golden(void **state)
{
	struct fixture f;
	_cleanup_image_ struct image_result result = {0};
	const struct manifest *m;
	char hex[SHA256_HEX_SIZE];

	(void)state;
	setup(&f, "");
	build(&f, &(struct image_options){.output_dir = f.out, .init_path = f.init}, &result);
	m = result.manifest;
	assert_string_equal(m->command_line, "loglevel=4 console=ttyS0 panic=5");
	hex_encode(m->root_hash.b, sizeof(m->root_hash.b), hex);
	assert_string_equal(hex, "30d611ab15f24e0d2b07b4e4b3522a2e25cde46fbf47f7f4f5b4826c7c697274");
	hex_encode(m->uki_digest.b, sizeof(m->uki_digest.b), hex);
	assert_string_equal(hex, "1e6fdbc8a831abdd45cf009fa0d31f56efe1492fec8c3ffafc6c2a093da701cb");
	hex_encode(m->blocks_digest.b, sizeof(m->blocks_digest.b), hex);
	assert_string_equal(hex, "4fcb3b100f1f59780caf94b6c178309b3ec98ce9011945f656b528281159f3e6");
	teardown(&f);
}

/* One thread or many, here or there: the same bytes. */
static void test_deterministic(void **state)
{
	struct fixture f, g;
	_cleanup_image_ struct image_result a = {0}, b = {0};
	struct image_options one, many;
	struct error err = ERROR_INIT;
	int r;

	(void)state;
	setup(&f, "");
	setup(&g, "");
	one = options_for(&f);
	one.threads = 1;
	many = options_for(&g);
	many.threads = 7;
	free(g.out);
	g.out = xasprintf("%s/other", dir);
	many.output_dir = g.out;
	build(&f, &one, &a);
	build(&g, &many, &b);
	assert_memory_equal(&a.manifest->blocks_digest, &b.manifest->blocks_digest, 32);
	/* The manifest commits to every byte of the image. */
	r = spawn_run(
		&(struct spawn){.argv = (const char *[]){"cmp", a.manifest_path, b.manifest_path, NULL}},
		&err);
	if (r < 0)
		fail_msg("%s", err.text);
	teardown(&f);
	teardown(&g);
}

/* What stands beside the image says what is in it. */
static void test_consistent(void **state)
{
	struct fixture f;
	_cleanup_image_ struct image_result result = {0};
	_cleanup_manifest_ struct manifest *m = NULL;
	_cleanup_close_ int fd = -EBADF;
	_cleanup_free_ uint8_t *block = xmalloc(LAYOUT_BLOCK);
	_cleanup_free_ void *uki = NULL;
	uint8_t primary[GPT_PRIMARY_SECTORS * LAYOUT_SECTOR], backup[GPT_BACKUP_SECTORS * LAYOUT_SECTOR];
	struct error err = ERROR_INIT;
	struct block_digests blocks = {0};
	struct sha256 digest, zeros;
	struct image_options o;
	struct gpt g;
	size_t uki_len;

	(void)state;
	setup(&f, "");
	o = options_for(&f);
	build(&f, &o, &result);
	assert_int_equal(count_files(f.out), 5);
	assert_int_equal(manifest_read(result.manifest_path, &m, &err), 0);
	assert_int_equal(blocks_read(result.blocks_path, &blocks, &err), 0);
	fd = open(result.image_path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);

	blocks_digest(&blocks, &digest);
	assert_memory_equal(&digest, &m->blocks_digest, 32);
	assert_int_equal(blocks.count, m->block_count);
	memset(block, 0, LAYOUT_BLOCK);
	sha256_of(block, LAYOUT_BLOCK, &zeros);
	for (uint64_t i = 0; i < blocks.count; i++) {
		off_t data = lseek(fd, (off_t)(i * LAYOUT_BLOCK), SEEK_DATA);

		if (data < 0 || (uint64_t)data >= (i + 1) * LAYOUT_BLOCK) {
			assert_memory_equal(&zeros, &blocks.ptr[i], 32);
			continue;
		}
		assert_int_equal(io_pread_full(fd, "image", block, LAYOUT_BLOCK, i * LAYOUT_BLOCK, &err), 0);
		sha256_of(block, LAYOUT_BLOCK, &digest);
		if (memcmp(&digest, &blocks.ptr[i], 32) != 0)
			fail_msg("block %ju", (uintmax_t)i);
	}
	block_digests_free(&blocks);

	assert_int_equal(io_pread_full(fd, "image", primary, sizeof(primary), 0, &err), 0);
	assert_int_equal(
		io_pread_full(fd, "image", backup, sizeof(backup), m->layout.size - sizeof(backup), &err), 0);
	assert_int_equal(gpt_parse(primary, backup, m->layout.size, &g, &err), 0);
	assert_memory_equal(&g.entries[PART_ROOT].uuid, &m->root_hash, 16);

	assert_int_equal(esp_read_file(fd, "image", m->layout.part[PART_ESP].offset,
				       m->layout.part[PART_ESP].size, "BOOTX64.EFI", 64 << 20, &uki, &uki_len,
				       &err),
			 0);
	assert_int_equal(uki_len, m->uki_size);
	sha256_of(uki, uki_len, &digest);
	assert_memory_equal(&digest, &m->uki_digest, 32);
	/* The root hash is inside what the firmware measures. */
	hex_encode(m->root_hash.b, 32, (char *)block);
	assert_non_null(memmem(uki, uki_len, block, 64));
	teardown(&f);
}

/* Two spaces and the bare file name, as sha256sum -c wants it. */
static void test_sha256_file(void **state)
{
	struct fixture f;
	_cleanup_image_ struct image_result result = {0};
	_cleanup_buf_ struct buf line = {0};
	struct error err = ERROR_INIT;
	struct image_options o;

	(void)state;
	setup(&f, "");
	o = options_for(&f);
	o.sha256 = true;
	build(&f, &o, &result);
	assert_int_equal(count_files(f.out), 6);
	assert_int_equal(io_read_file(AT_FDCWD, result.sha256_path, 1000, &line, &err), 0);
	assert_int_equal(line.len, 64 + strlen("  hello-1.0.raw\n"));
	assert_string_equal(line.ptr + 64, "  hello-1.0.raw\n");
	teardown(&f);
}

/* A build that fails, early or late, leaves what was there. */
static void test_failure_leaves_nothing(void **state)
{
	struct fixture f;
	_cleanup_image_ struct image_result result = {0};
	_cleanup_free_ char *image = NULL, *blocks = NULL;
	_cleanup_buf_ struct buf kept = {0};
	struct error err = ERROR_INIT;
	struct image_options o;

	(void)state;
	setup(&f, "");
	o = options_for(&f);
	assert_int_equal(mkdir(f.out, 0755), 0);
	image = xasprintf("%s/hello-1.0.raw", f.out);
	blocks = xasprintf("%s/hello-1.0.blocks", f.out);
	write_file(image, "old", 3);

	/* Late: the content of a file cannot be read when the root is written. */
	f.c.tree->entries[6]->origin = ORIGIN_PATH;
	f.c.tree->entries[6]->host = xstrdup("gone");
	f.c.tree->sources = xcalloc(1, sizeof(*f.c.tree->sources));
	f.c.tree->source_count = 1;
	f.c.tree->sources[0] = (struct tree_source){.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
						    .name = xstrdup(dir)};
	assert_true(image_build(f.t, &f.c, &o, &result, &err) < 0);
	assert_null(result.image_path);
	assert_int_equal(count_files(f.out), 1);
	f.c.tree->entries[6]->origin = ORIGIN_MEMORY;

	/* Later still: what was read is not what the digests among the inputs are of. */
	f.c.tree->sources[0].stamp = (struct tree_stamp){.size = 1, .mtime_ns = 1};
	assert_int_equal(image_build(f.t, &f.c, &o, &result, &err), -ESTALE);
	assert_int_equal(count_files(f.out), 1);
	f.c.tree->sources[0].stamp = (struct tree_stamp){0};

	/* Early: one of the names is taken by a directory. */
	assert_int_equal(mkdir(blocks, 0755), 0);
	assert_true(image_build(f.t, &f.c, &o, &result, &err) < 0);
	assert_non_null(strstr(err.text, blocks));
	assert_int_equal(rmdir(blocks), 0);

	/* No init. */
	o.init_path = "/nowhere/init";
	assert_true(image_build(f.t, &f.c, &o, &result, &err) < 0);
	assert_non_null(strstr(err.text, "/nowhere/init"));
	o.init_path = "/etc/passwd";
	assert_true(image_build(f.t, &f.c, &o, &result, &err) < 0);
	assert_non_null(strstr(err.text, "ELF"));

	assert_int_equal(count_files(f.out), 1);
	assert_int_equal(io_read_file(AT_FDCWD, image, 100, &kept, &err), 0);
	assert_string_equal(kept.ptr, "old");
	teardown(&f);
}

/* Whether process @pid waits for a flock(2): proc(5), /proc/locks. */
static bool waits_for_lock(pid_t pid)
{
	_cleanup_free_ char *want = xasprintf("-> FLOCK  ADVISORY  WRITE %d ", (int)pid);
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;

	return io_read_file(AT_FDCWD, "/proc/locks", 1 << 24, &b, &err) == 0 && b.ptr && strstr(b.ptr, want);
}

/* Who commits to the same directory is waited for, so that no file of one build stands among those of another. */
static void test_waits_for_another_build(void **state)
{
	struct fixture f;
	struct image_options o;
	int lock, status = -1;
	pid_t child;

	(void)state;
	if (access("/proc/locks", R_OK) < 0)
		skip();
	setup(&f, "");
	o = options_for(&f);
	assert_int_equal(mkdir(f.out, 0755), 0);
	lock = open(f.out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	child = fork();
	if (child == 0) {
		_cleanup_image_ struct image_result result = {0};
		struct error err = ERROR_INIT;

		close(lock);
		_exit(image_build(f.t, &f.c, &o, &result, &err) < 0);
	}
	for (int i = 0; !waits_for_lock(child); i++) {
		if (waitpid(child, &status, WNOHANG) == child)
			fail_msg("it did not wait, and ended with %d", status);
		if (i == 12000) {
			(void)kill(child, SIGKILL);
			fail_msg("neither waits nor ends");
		}
		usleep(10000);
	}
	assert_int_equal(count_files(f.out), 0);
	close(lock);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(count_files(f.out), 5);
	teardown(&f);
}

/* The template's words stand between what it may override and what it may not. */
static void test_command_line(void **state)
{
	static const struct {
		const char *more, *want;
	} cases[] = {
		{"", "loglevel=4 console=ttyS0 panic=5"},
		{"OnCorruption=reboot\n", "loglevel=4 console=ttyS0 panic=5"},
		{"OnCorruption=panic\n", "loglevel=4 console=ttyS0"},
		{"[Kernel]\nCommandLine=loglevel=7\n", "loglevel=4 console=ttyS0 loglevel=7 panic=5"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;
		_cleanup_free_ char *got = NULL;

		setup(&f, cases[i].more);
		got = boot_command_line(f.t);
		assert_string_equal(got, cases[i].want);
		teardown(&f);
	}
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	return io_remove_tree(dir, &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_command_line),
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_deterministic),
		cmocka_unit_test(test_consistent),
		cmocka_unit_test(test_sha256_file),
		cmocka_unit_test(test_failure_leaves_nothing),
		cmocka_unit_test(test_waits_for_another_build),
	};

	log_setup(LOG_QUIET);
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
