/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/debian_note.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "compose/apt_lists.h"
#include "compose/tar.h"
#include "lib/cleanup.h"

#define TEXT_MAX ((size_t)256 << 20)

/* A file of the tar as text, to be freed; "" when it is not there. */
static int read_member(const struct layer *l, const char *path, char **ret, struct error *err)
{
	struct tree_source source = {.fd = l->fd, .name = l->name};
	const struct tree t = {.sources = &source, .source_count = 1};

	for (size_t i = 0; i < l->len; i++) {
		const struct tree_entry *e = l->entries[i].entry;
		void *text = NULL;
		size_t len = 0;
		int r;

		if (strcmp(e->path, path) != 0 || !S_ISREG(e->mode) || l->entries[i].link)
			continue;
		r = tree_read_all(&t, e, TEXT_MAX, &text, &len, err);
		if (r == 0)
			*ret = text;
		return r;
	}
	*ret = xstrdup("");
	return 0;
}

int debian_note(int fd, const char *name, const char *lists, struct buf *note, struct error *err)
{
	_cleanup_free_ char *status = NULL, *sources = NULL;
	_cleanup_installed_ struct installed list = {0};
	_cleanup_layer_ struct layer l = LAYER_INIT;
	_cleanup_dpkg_ struct dpkg d = {0};
	int r;

	l.name = xstrdup(name);
	l.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (l.fd < 0)
		return error_errno(err, -errno, "%s", name);
	r = tar_index(l.fd, name, &l, err);
	if (r == 0)
		r = read_member(&l, "var/lib/dpkg/status", &status, err);
	if (r == 0)
		r = read_member(&l, "etc/apt/sources.list", &sources, err);
	if (r == 0)
		r = dpkg_parse(status, strlen(status), "/var/lib/dpkg/status", &d, err);
	if (r == 0)
		r = apt_lists_note(lists, &d, sources, &list, err);
	if (r < 0)
		return r;
	installed_sort(&list);
	installed_note(&list, note);
	return 0;
}
