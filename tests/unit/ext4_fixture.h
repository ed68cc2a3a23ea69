/* SPDX-License-Identifier: Apache-2.0 */
/* Trees made by hand, their file system as a file, and the programs of e2fsprogs that look at it. */
#ifndef TESTS_UNIT_EXT4_FIXTURE_H
#define TESTS_UNIT_EXT4_FIXTURE_H

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compose/tree.h"
#include "image/ext4.h"
#include "lib/guid.h"
#include "lib/hash.h"
#include "lib/spawn.h"

#define FIXTURE __attribute__((unused)) static

#define EPOCH 1700000000

/* ---- trees ---- */

FIXTURE struct tree_entry *add_entry(struct tree *t, const char *path, mode_t mode)
{
	struct tree_entry *e = xcalloc(1, sizeof(*e));

	e->path = xstrdup(path);
	e->mode = mode;
	e->nlink = 1;
	e->mtime = EPOCH;
	array_grow(t->entries, t->len, t->cap);
	t->entries[t->len++] = e;
	return e;
}

FIXTURE struct tree_entry *add_dir(struct tree *t, const char *path)
{
	return add_entry(t, path, S_IFDIR | 0755);
}

/* A file of @len bytes that repeat @text. */
FIXTURE struct tree_entry *add_file(struct tree *t, const char *path, const char *text, size_t len)
{
	struct tree_entry *e = add_entry(t, path, S_IFREG | 0644);
	char *memory = xmalloc(len);

	for (size_t i = 0; i < len; i++)
		memory[i] = text[i % strlen(text)];
	e->size = len;
	e->origin = len ? ORIGIN_MEMORY : ORIGIN_NONE;
	e->memory = memory;
	t->bytes += len;
	return e;
}

FIXTURE struct tree_entry *add_text(struct tree *t, const char *path, const char *text)
{
	return add_file(t, path, text, strlen(text));
}

FIXTURE struct tree_entry *add_symlink(struct tree *t, const char *path, const char *target)
{
	struct tree_entry *e = add_entry(t, path, S_IFLNK | 0777);

	e->target = xstrdup(target);
	return e;
}

FIXTURE struct tree_entry *add_hardlink(struct tree *t, const char *path, struct tree_entry *file)
{
	struct tree_entry *e = add_entry(t, path, file->mode);

	e->hardlink = file;
	file->nlink++;
	return e;
}

FIXTURE void add_xattr(struct tree_entry *e, const char *name, const void *value, size_t len)
{
	e->xattrs = xrealloc_array(e->xattrs, e->xattr_count + 1, sizeof(*e->xattrs));
	e->xattrs[e->xattr_count++] =
		(struct tree_xattr){.name = xstrdup(name), .value = xmemdup(value, len), .len = len};
}

/*
 * A file of @size bytes of which @count runs are stored, in a sparse memory file of its own: megabytes cost
 * nothing. The first byte of each run is its number + 1.
 */
FIXTURE struct tree_entry *add_sparse(struct tree *t, const char *path, uint64_t size, size_t count,
				      const struct tree_run *runs)
{
	struct tree_entry *e = add_entry(t, path, S_IFREG | 0644);
	int fd = memfd_create("sparse", MFD_CLOEXEC);
	uint64_t stored = 0;

	assert_true(fd >= 0);
	e->size = size;
	e->origin = ORIGIN_FD;
	e->source = (unsigned)t->source_count;
	e->runs = xcalloc(count, sizeof(*runs));
	e->run_count = count;
	for (size_t i = 0; i < count; i++) {
		uint8_t first = (uint8_t)(i + 1);

		e->runs[i] = runs[i];
		e->runs[i].stored = stored;
		assert_int_equal(pwrite(fd, &first, 1, (off_t)stored), 1);
		stored += runs[i].length;
	}
	assert_int_equal(ftruncate(fd, (off_t)stored), 0);
	array_grow(t->sources, t->source_count, t->source_cap);
	t->sources[t->source_count++] = (struct tree_source){.fd = fd, .name = xstrdup(path)};
	return e;
}

static int by_path(const void *a, const void *b)
{
	return tree_path_compare((*(struct tree_entry *const *)a)->path,
				 (*(struct tree_entry *const *)b)->path);
}

/* Entries may be added in any order; this brings them into the tree's. */
FIXTURE void sort_tree(struct tree *t)
{
	if (t->len)
		qsort(t->entries, t->len, sizeof(*t->entries), by_path);
}

/* ---- file systems ---- */

FIXTURE struct ext4_params fixture_params(void)
{
	struct ext4_params p = {.epoch = EPOCH, .label = "root"};

	guid_derive("fs", "test", &p.uuid);
	guid_derive("hash-seed", "test", &p.hash_seed);
	return p;
}

FIXTURE struct ext4 *plan(struct tree *t)
{
	struct ext4_params params = fixture_params();
	struct error err = ERROR_INIT;
	struct ext4 *fs = NULL;

	sort_tree(t);
	if (ext4_plan(t, &params, &fs, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(ext4_size(fs) % 4096, 0);
	return fs;
}

/* The message of a plan that must fail with @code. */
FIXTURE void assert_plan_fails(struct tree *t, int code, const char *part)
{
	struct ext4_params params = fixture_params();
	struct error err = ERROR_INIT;
	struct ext4 *fs = NULL;

	sort_tree(t);
	assert_int_equal(ext4_plan(t, &params, &fs, &err), code);
	assert_null(fs);
	assert_contains(err.text, part);
}

static void write_extent(int fd, const struct tree *t, const struct extent *x)
{
	static char buf[1 << 20];
	struct error err = ERROR_INIT;

	for (uint64_t done = 0, len; done < x->length; done += len) {
		const void *p = x->memory ? (const char *)x->memory + done : buf;

		len = x->length - done < sizeof(buf) ? x->length - done : sizeof(buf);
		if (!x->memory)
			assert_int_equal(tree_read(t, x->entry, x->file_offset + done, buf, len, &err), 0);
		/* Holes of large sparse files stay holes. */
		if (x->memory || x->length < sizeof(buf) || memcmp(buf, buf + 1, len - 1) || buf[0])
			assert_int_equal(io_pwrite_full(fd, "image", p, len, x->offset + done, &err), 0);
	}
}

/* Writes it to DIR/image; the path is to be freed. */
FIXTURE char *write_image(const char *dir, const struct tree *t, const struct ext4 *fs)
{
	const struct extent_list *l = ext4_extents(fs);
	char *path = xasprintf("%s/image", dir);
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)ext4_size(fs)), 0);
	for (size_t i = 0; i < l->len; i++) {
		assert_true(l->ptr[i].offset + l->ptr[i].length <= ext4_size(fs));
		write_extent(fd, t, &l->ptr[i]);
	}
	return path;
}

/* ---- programs ---- */

FIXTURE int set_environment(void **state)
{
	(void)state;
	return setenv("TZ", "UTC", 1) ||
	       setenv("PATH", "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin", 1);
}

/* Standard output of a program, to be freed; a failure fails the test. */
FIXTURE char *run(const char *const *argv)
{
	struct buf output = {0};
	struct error err = ERROR_INIT;
	struct spawn s = {.argv = argv, .output = &output};

	if (!spawn_available(argv[0]))
		skip();
	if (spawn_run(&s, &err) < 0)
		fail_msg("%s\n%s", err.text, output.ptr ? output.ptr : "");
	return buf_steal(&output);
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

/* What debugfs answers to a command, without the echo of it. */
#define DEBUGFS(image, command) RUN("debugfs", "-R", command, image)

/* e2fsck finds nothing: exit code 0, and nothing but the names of its passes and the summary. */
FIXTURE void assert_clean(const char *image)
{
	_cleanup_free_ char *out = RUN("e2fsck", "-fn", image);
	char *save = NULL;

	for (char *line = strtok_r(out, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strncmp(line, "Pass ", 5) != 0 && !strstr(line, " files ("))
			fail_msg("e2fsck: %s", line);
}

FIXTURE void assert_debugfs(const char *image, const char *command, const char *part)
{
	_cleanup_free_ char *out = DEBUGFS(image, command);

	if (!strstr(out, part))
		fail_msg("debugfs %s: '%s' not in:\n%s", command, part, out);
}

/* Plans, writes and checks; returns the path of the image. */
FIXTURE char *make_image(const char *dir, struct tree *t)
{
	_cleanup_ext4_ struct ext4 *fs = plan(t);
	char *image = write_image(dir, t, fs);

	assert_clean(image);
	return image;
}

#endif
