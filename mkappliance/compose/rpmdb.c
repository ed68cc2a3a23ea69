/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/rpmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "compose/rpm_ndb.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/scratch.h"
#include "lib/spawn.h"

#define PACKAGES_MAX 200000u
#define FILE_MAX     ((size_t)1 << 30)
#define TIMEOUT_NS   UINT64_C(300000000000)

/* Where distributions keep it, and the file that makes it one; Fedora has a link from the first to the second. */
static const char *const directories[] = {"usr/lib/sysimage/rpm", "var/lib/rpm", "usr/share/rpm"};
enum format { SQLITE, NDB, BDB, FORMAT_COUNT };
static const char *const databases[FORMAT_COUNT] = {"rpmdb.sqlite", "Packages.db", "Packages"};

enum field { NAME, EVR, ARCH, SOURCERPM, LICENSE, VENDOR, PACKAGER, FIELD_COUNT };

/* ---- what rpm prints ---- */

/* A field with its white space made single; NULL: empty, or rpm's word for a tag that is not there. To be freed. */
static char *take_field(const char *text, size_t len)
{
	_cleanup_buf_ struct buf b = {0};

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] > ' ' && text[i] != 0x7f)
			buf_add(&b, text + i, 1);
		else if (b.len && b.ptr[b.len - 1] != ' ')
			buf_add(&b, " ", 1);
	while (b.len && b.ptr[b.len - 1] == ' ')
		b.ptr[--b.len] = 0;
	return b.len && strcmp(b.ptr, "(none)") != 0 ? buf_steal(&b) : NULL;
}

/* "bash-5.1-2.el9.src.rpm" as "bash 5.1-2.el9"; as it is when it does not look like one. To be freed. */
static char *source_of(const char *rpm)
{
	size_t len = strlen(rpm);
	const char *cut = NULL;
	unsigned dashes = 0;

	if (len > 8 && strcmp(rpm + len - 8, ".src.rpm") == 0)
		len -= 8;
	else if (len > 10 && strcmp(rpm + len - 10, ".nosrc.rpm") == 0)
		len -= 10;
	for (size_t i = len; i > 1 && dashes < 2; i--)
		if (rpm[i - 1] == '-') {
			dashes++;
			cut = rpm + i - 1;
		}
	if (dashes < 2)
		return xstrdup(rpm);
	return xasprintf("%.*s %.*s", (int)(cut - rpm), rpm, (int)(len - (size_t)(cut + 1 - rpm)), cut + 1);
}

static int take_record(char **fields, const char *name, struct installed *ret, struct error *err)
{
	struct installed_package *p;

	if (!fields[NAME] || !fields[EVR])
		return error_set(err, -EINVAL, "%s: a package without name or version", name);
	if (strcmp(fields[NAME], "gpg-pubkey") == 0)
		return 0;
	if (ret->len >= PACKAGES_MAX)
		return error_set(err, -EFBIG, "%s: more than %u packages", name, PACKAGES_MAX);
	p = installed_add(ret, "rpm", fields[NAME], fields[EVR], fields[ARCH] ? fields[ARCH] : "noarch");
	p->source = fields[SOURCERPM] ? source_of(fields[SOURCERPM]) : NULL;
	p->license = steal_pointer(&fields[LICENSE]);
	p->vendor = fields[VENDOR] ? steal_pointer(&fields[VENDOR]) : steal_pointer(&fields[PACKAGER]);
	return 0;
}

static int parse_record(const char *text, size_t len, const char *name, struct installed *ret,
			struct error *err)
{
	char *fields[FIELD_COUNT] = {NULL};
	size_t count = 0;
	int r = 0;

	while (len > 0 && r == 0) {
		const char *end = memchr(text, '\a', len);
		size_t n = end ? (size_t)(end - text) : 0;

		if (!end || count == FIELD_COUNT) {
			r = error_set(err, -EINVAL, "%s: is not of the form that was asked for", name);
			break;
		}
		fields[count++] = take_field(text, n);
		text += n + 1;
		len -= n + 1;
	}
	if (r == 0 && count != FIELD_COUNT)
		r = error_set(err, -EINVAL, "%s: is not of the form that was asked for", name);
	if (r == 0)
		r = take_record(fields, name, ret, err);
	for (size_t i = 0; i < FIELD_COUNT; i++)
		free(fields[i]);
	return r;
}

int rpmdb_parse(const char *text, size_t len, const char *name, struct installed *ret, struct error *err)
{
	while (len > 0) {
		const char *end = memchr(text, '\b', len);
		size_t n = end ? (size_t)(end - text) : 0;
		int r;

		if (!end)
			return error_set(err, -EINVAL, "%s: ends in the middle of a package", name);
		r = parse_record(text, n, name, ret, err);
		if (r < 0)
			return r;
		text += n + 1;
		len -= n + 1;
	}
	return 0;
}

/* ---- the database ---- */

/* Writes @path of the tree to @dir. */
static int copy_out(const struct merge *m, const char *path, const char *dir, struct error *err)
{
	_cleanup_free_ char *to = xasprintf("%s%s", dir, strrchr(path, '/'));
	_cleanup_free_ void *data = NULL;
	_cleanup_close_ int fd = -EBADF;
	size_t len = 0;
	int r = merge_read(m, path, FILE_MAX, &data, &len, err);

	if (r < 0)
		return r;
	fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_errno(err, -errno, "%s", to);
	return io_write_full(fd, to, data, len, err);
}

/*
 * The file of @from that is the database: with its journal, for a machine may have been switched off, but without
 * the shared memory of programs that ran there.
 */
static int copy_database(const struct merge *m, const char *from, enum format format, const char *dir,
			 struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", from, databases[format]);
	_cleanup_free_ char *journal = xasprintf("%s-wal", path);
	int r = copy_out(m, path, dir, err);

	return r < 0 || !merge_find(m, journal) ? r : copy_out(m, journal, dir, err);
}

static int query(const char *dir, const char *name, struct installed *ret, struct error *err)
{
	const char *const argv[] = {"rpm", "--dbpath", dir, "-qa", "--qf", RPMDB_FORMAT, NULL};
	_cleanup_buf_ struct buf out = {0};
	struct spawn s = {.argv = argv, .package = "rpm", .output = &out, .timeout_ns = TIMEOUT_NS};
	int r = spawn_run(&s, err);

	if (r < 0)
		return error_prefix(err, "%s", name);
	return rpmdb_parse(out.ptr ? out.ptr : "", out.len, name, ret, err);
}

/* By the rpm of this machine. */
static int list_by_rpm(const struct merge *m, const char *directory, enum format format, const char *name,
		       struct installed *ret, struct error *err)
{
	_cleanup_scratch_ struct scratch dir = SCRATCH_INIT;
	size_t before = ret->len;
	int r;

	if (!spawn_available("rpm"))
		return error_set(
			err, -ENOENT,
			"the root has %s, and 'rpm' to read it is not installed (apt-get install rpm)", name);
	r = scratch_open(NULL, "mkappliance-rpmdb-", NULL, &dir, err);
	if (r == 0)
		r = copy_database(m, directory, format, dir.path, err);
	if (r == 0)
		r = query(dir.path, name, ret, err);
	/* A rpm that was built without support for a format finds nothing and says that all is well. */
	if (r == 0 && ret->len == before && format == BDB)
		r = error_set(err, -ENOTSUP,
			      "%s: rpm of this machine finds no package in it; to read %s it has to be one "
			      "that knows bdb",
			      name, databases[format]);
	return r;
}

static int list_ndb(const struct merge *m, const char *directory, const char *name, struct installed *ret,
		    struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", directory, databases[NDB]);
	_cleanup_free_ void *data = NULL;
	_cleanup_buf_ struct buf text = {0};
	size_t len = 0;
	int r = merge_read(m, path, FILE_MAX, &data, &len, err);

	if (r == 0)
		r = rpm_ndb_text(data, len, name, &text, err);
	return r < 0 ? r : rpmdb_parse(text.ptr ? text.ptr : "", text.len, name, ret, err);
}

/* FORMAT_COUNT: there is none in it. */
static enum format find_database(const struct merge *m, const char *directory)
{
	unsigned i;

	for (i = 0; i < FORMAT_COUNT; i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s", directory, databases[i]);
		const struct tree_entry *e = merge_find(m, path);

		if (e && S_ISREG(e->mode))
			break;
	}
	return (enum format)i;
}

int rpmdb_list(const struct merge *m, struct installed *ret, struct error *err)
{
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		_cleanup_free_ char *name = xasprintf("the rpm database in /%s", directories[i]);
		enum format format = find_database(m, directories[i]);

		if (format == NDB)
			return list_ndb(m, directories[i], name, ret, err);
		if (format != FORMAT_COUNT)
			return list_by_rpm(m, directories[i], format, name, ret, err);
	}
	return 0;
}
