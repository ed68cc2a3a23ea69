/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/apt_lists.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/hash.h"
#include "lib/io.h"

#define INDEX_MAX ((size_t)512 << 20)

/* A field of a paragraph, as it stands in the text. */
struct field {
	const char *ptr;
	size_t len;
};

/* What counts of one paragraph. */
struct paragraph {
	struct field package, version, architecture, filename, sha256;
};

static bool is_field(const struct field *f, const char *value)
{
	return f->len == strlen(value) && memcmp(f->ptr, value, f->len) == 0;
}

/* Reads the paragraph at @text; returns where the next one begins. */
static const char *read_paragraph(const char *text, struct paragraph *ret)
{
	const struct {
		const char *name;
		struct field *field;
	} fields[] = {{"Package: ", &ret->package},
		      {"Version: ", &ret->version},
		      {"Architecture: ", &ret->architecture},
		      {"Filename: ", &ret->filename},
		      {"SHA256: ", &ret->sha256}};

	*ret = (struct paragraph){0};
	while (*text && *text != '\n') {
		size_t line = strcspn(text, "\n");

		for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
			size_t len = strlen(fields[i].name);

			if (line >= len && memcmp(text, fields[i].name, len) == 0)
				*fields[i].field = (struct field){text + len, line - len};
		}
		text += line + (text[line] == '\n');
	}
	return text + strspn(text, "\n");
}

/* An installed package by its name; they are sorted by it. */
static int compare_name(const void *key, const void *element)
{
	const struct field *f = key;
	const struct dpkg_package *const *p = element;
	size_t len = strlen((*p)->name);
	int r = memcmp(f->ptr, (*p)->name, f->len < len ? f->len : len);

	return r ? r : (f->len > len) - (f->len < len);
}

static int compare_packages(const void *a, const void *b)
{
	const struct dpkg_package *const *p = a, *const *q = b;

	return strcmp((*p)->name, (*q)->name);
}

static bool is_hex_digest(const struct field *f)
{
	return f->len == SHA256_HEX_SIZE - 1 && strspn(f->ptr, "0123456789abcdef") >= f->len;
}

void apt_lists_scan(const char *text, const struct dpkg *d, const char *uri, struct installed *ret)
{
	const struct dpkg_package **sorted = xcalloc(d->len + 1, sizeof(*sorted));

	for (size_t i = 0; i < d->len; i++)
		sorted[i] = &d->list[i];
	qsort(sorted, d->len, sizeof(*sorted), compare_packages);
	for (text += strspn(text, "\n"); *text;) {
		const struct dpkg_package **found;
		struct installed_package *p;
		struct paragraph g;

		text = read_paragraph(text, &g);
		if (!g.package.ptr || !g.version.ptr || !g.architecture.ptr || !g.filename.ptr ||
		    !is_hex_digest(&g.sha256))
			continue;
		found = bsearch(&g.package, sorted, d->len, sizeof(*sorted), compare_name);
		if (!found || !is_field(&g.version, (*found)->version) || !(*found)->architecture ||
		    !is_field(&g.architecture, (*found)->architecture))
			continue;
		p = installed_add(ret, "deb", (*found)->name, (*found)->version, (*found)->architecture);
		p->sha256 = xstrndup(g.sha256.ptr, g.sha256.len);
		p->repository = xasprintf("%s/%.*s", uri, (int)g.filename.len, g.filename.ptr);
	}
	free(sorted);
}

/* The name up to @end with apt's quoting undone: '_' is '/', %XX a character. */
static char *unquote(const char *name, size_t end)
{
	_cleanup_buf_ struct buf b = {0};

	for (size_t i = 0; i < end; i++) {
		uint8_t byte;

		if (name[i] == '%' && i + 2 < end &&
		    hex_decode((char[]){name[i + 1], name[i + 2], 0}, &byte, 1)) {
			buf_add(&b, &byte, 1);
			i += 2;
		} else {
			buf_add(&b, name[i] == '_' ? "/" : &name[i], 1);
		}
	}
	return buf_steal(&b);
}

char *apt_lists_uri(const char *name, const char *sources)
{
	const char *end = strstr(name, "_dists_");
	_cleanup_free_ char *place = NULL, *mark = NULL;
	const char *at;

	/* A flat repository: all in one directory, "x_repo_._Packages" or "x_repo_Packages". */
	if (!end)
		end = strstr(name, "_._Packages");
	if (!end)
		end = strstr(name, "_Packages");
	place = unquote(name, end ? (size_t)(end - name) : strlen(name));
	mark = xasprintf("://%s", place);
	at = strstr(sources, mark);
	if (at) {
		const char *start = at;

		while (start > sources && start[-1] >= 'a' && start[-1] <= 'z')
			start--;
		return xasprintf("%.*s%s", (int)(at - start), start, mark);
	}
	return xasprintf("%s%s", *place == '/' ? "file://" : "http://", place);
}

int apt_lists_note(const char *dir, const struct dpkg *d, const char *sources, struct installed *ret,
		   struct error *err)
{
	static const char suffix[] = "_Packages";
	_cleanup_closedir_ DIR *list = opendir(dir);
	struct dirent *de;

	if (!list)
		return error_errno(err, -errno, "%s", dir);
	while ((de = readdir(list))) {
		size_t len = strlen(de->d_name);
		_cleanup_free_ char *uri = NULL;
		_cleanup_buf_ struct buf text = {0};
		int r;

		if (len < strlen(suffix) || strcmp(de->d_name + len - strlen(suffix), suffix) != 0)
			continue;
		r = io_read_file(dirfd(list), de->d_name, INDEX_MAX, &text, err);
		if (r < 0)
			return error_prefix(err, "%s", dir);
		uri = apt_lists_uri(de->d_name, sources);
		apt_lists_scan(text.ptr ? text.ptr : "", d, uri, ret);
	}
	return 0;
}
