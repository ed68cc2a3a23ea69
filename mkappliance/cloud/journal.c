/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloud/journal_internal.h"
#include "cloud/plan.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/mem.h"

#define SIZE_LIMIT ((size_t)64 << 20)

#define WRITE_BLOCKS 8u
#define WRITE_NS     250000000ull
#define SYNC_BLOCKS  64u
#define SYNC_NS	     2000000000ull

struct journal {
	int fd;
	char *path;
	struct journal_identity id;
	struct journal_state state;
	uint64_t waiting[WRITE_BLOCKS]; /* done, not in the file */
	size_t waiting_count;
	size_t unsynced; /* blocks in the file, not yet on the disk */
	uint64_t written_ns, synced_ns;
};

char *journal_path_for(const char *image_path)
{
	size_t len = strlen(image_path);

	if (len > 4 && strcmp(image_path + len - 4, ".raw") == 0)
		len -= 4;
	return xasprintf("%.*s.upload.jsonl", (int)len, image_path);
}

const struct journal_state *journal_state(const struct journal *j)
{
	return &j->state;
}

const char *journal_path(const struct journal *j)
{
	return j->path;
}

static int lock(int fd, const char *path, struct error *err)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return error_set(err, -EBUSY, "%s: another upload of this image is running", path);
	return error_errno(err, -errno, "%s: cannot be locked", path);
}

static int load(struct journal *j, struct error *err)
{
	_cleanup_buf_ struct buf text = {0};
	struct stat st;
	size_t len;
	int r;

	if (fstat(j->fd, &st) < 0)
		return error_errno(err, -errno, "%s", j->path);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > SIZE_LIMIT)
		return error_set(err, -EFBIG, "%s: not a journal of uploads", j->path);
	r = io_pread_full(j->fd, j->path, buf_room(&text, (size_t)st.st_size + 1), (size_t)st.st_size, 0,
			  err);
	if (r < 0)
		return r;
	text.len = (size_t)st.st_size;
	r = journal_parse(text.ptr, text.len, j->path, &j->id, &j->state, &len, err);
	if (r < 0)
		return r;
	if (len < text.len && ftruncate(j->fd, (off_t)len) < 0)
		return error_errno(err, -errno, "%s", j->path);
	return 0;
}

int journal_open(const char *path, const struct journal_identity *id, struct journal **ret, struct error *err)
{
	_cleanup_journal_ struct journal *j = xcalloc(1, sizeof(*j));
	int r;

	j->id = *id;
	j->path = xstrdup(path);
	j->written_ns = j->synced_ns = clock_ns();
	j->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (j->fd < 0)
		return error_errno(err, -errno, "%s: cannot note what was uploaded", path);
	r = lock(j->fd, path, err);
	if (r == 0)
		r = load(j, err);
	if (r < 0)
		return r;
	*ret = steal_pointer(&j);
	return 0;
}

/* Whole lines or nothing: a part that did get written is taken back, so that the next line stands on its own. */
static int append(struct journal *j, const char *text, size_t len, struct error *err)
{
	off_t before = lseek(j->fd, 0, SEEK_END);
	int r;

	r = io_write_full(j->fd, j->path, text, len, err);
	if (r == 0)
		return 0;
	if (before >= 0 && ftruncate(j->fd, before) < 0)
		log_warning("%s: its last line is cut off", j->path);
	return error_prefix(err, "cannot note what was uploaded");
}

static int sync_file(struct journal *j, struct error *err)
{
	if (fdatasync(j->fd) < 0)
		return io_write_error(j->path, -errno, err);
	j->unsynced = 0;
	j->synced_ns = clock_ns();
	return 0;
}

/* Takes @line. */
static int put_line(struct journal *j, struct json *line, struct error *err)
{
	_cleanup_free_ char *text = js_text(line, true), *with_newline = xasprintf("%s\n", text);
	int r;

	js_free(line);
	r = journal_flush(j, err);
	if (r == 0)
		r = append(j, with_newline, strlen(with_newline), err);
	if (r == 0)
		r = sync_file(j, err);
	return r;
}

int journal_begin(struct journal *j, unsigned attempt, const char *token, const char *parent,
		  struct error *err)
{
	struct json *line = js_object_new();
	int r;

	js_set_int(line, "upload", JOURNAL_FORMAT);
	js_set_string(line, "provider", j->id.provider);
	js_set_string(line, "region", j->id.region);
	js_set_string(line, "account", j->id.account);
	js_set_bytes(line, "blocks", j->id.blocks.b, SHA256_SIZE);
	js_set_bytes(line, "parameters", j->id.parameters.b, SHA256_SIZE);
	js_set_int(line, "attempt", attempt);
	js_set_string(line, "token", token);
	js_set_string(line, "parent", parent);
	j->waiting_count = 0;
	r = put_line(j, line, err);
	if (r == 0)
		r = output_sync_directory(j->path, err);
	if (r == 0)
		journal_state_begin(&j->state, attempt, token, parent, j->id.block_count);
	return r;
}

static int put_string(struct journal *j, const char *key, const char *value, struct error *err)
{
	struct json *line = js_object_new();

	js_set_string(line, key, value);
	return put_line(j, line, err);
}

int journal_set_snapshot(struct journal *j, const char *id, struct error *err)
{
	int r = put_string(j, "snapshot", id, err);

	if (r == 0) {
		free(j->state.snapshot);
		j->state.snapshot = xstrdup(id);
	}
	return r;
}

int journal_set_image(struct journal *j, const char *id, struct error *err)
{
	int r = put_string(j, "image", id, err);

	if (r == 0) {
		free(j->state.image);
		j->state.image = xstrdup(id);
	}
	return r;
}

int journal_set_phase(struct journal *j, enum journal_phase phase, struct error *err)
{
	int r = put_string(j, "phase", journal_phase_name(phase), err);

	if (r == 0)
		j->state.phase = phase;
	return r;
}

static int compare_index(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* One line with what waits, neighbours as one run. */
static int write_waiting(struct journal *j, struct error *err)
{
	struct json *line, *runs;
	_cleanup_free_ char *text = NULL, *with_newline = NULL;
	uint64_t first, count = 0;
	int r;

	if (j->waiting_count == 0)
		return 0;
	line = js_object_new();
	runs = js_array_new();
	qsort(j->waiting, j->waiting_count, sizeof(j->waiting[0]), compare_index);
	for (size_t i = 0; i < j->waiting_count; i += count) {
		first = j->waiting[i];
		for (count = 1; i + count < j->waiting_count && j->waiting[i + count] == first + count;)
			count++;
		js_append_int(runs, (int64_t)first);
		js_append_int(runs, (int64_t)count);
	}
	js_set(line, "done", runs);
	text = js_text(line, true);
	js_free(line);
	with_newline = xasprintf("%s\n", text);
	r = append(j, with_newline, strlen(with_newline), err);
	if (r < 0)
		return r;
	j->unsynced += j->waiting_count;
	j->waiting_count = 0;
	j->written_ns = clock_ns();
	return 0;
}

int journal_block_done(struct journal *j, uint64_t index, struct error *err)
{
	uint64_t now;
	int r = 0;

	if (bit_get(j->state.done, index))
		return 0;
	bit_set(j->state.done, index);
	j->state.done_count++;
	j->waiting[j->waiting_count++] = index;
	now = clock_ns();
	if (j->waiting_count == WRITE_BLOCKS || now - j->written_ns >= WRITE_NS)
		r = write_waiting(j, err);
	if (r == 0 && j->unsynced > 0 && (j->unsynced >= SYNC_BLOCKS || now - j->synced_ns >= SYNC_NS))
		r = sync_file(j, err);
	return r;
}

int journal_flush(struct journal *j, struct error *err)
{
	int r = write_waiting(j, err);

	if (r == 0 && j->unsynced > 0)
		r = sync_file(j, err);
	return r;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	cleanup_closep(&j->fd);
	journal_state_free(&j->state);
	free(j->path);
	free(j);
}

void journal_closep(struct journal **j)
{
	journal_close(*j);
}
