/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/disk_install.h"

#include <string.h>

#include "lib/cleanup.h"

/* One package manager, in its own words. Each command ends where the names are put. */
static const struct manager {
	const char *name;
	enum package_kind files;
	const char *type;    /* of its packages in a manifest */
	const char *version; /* what stands between a name and the version that is asked for */
	const char *refresh; /* with network, before; NULL: it does that itself */
	const char *online;
	const char *offline;	   /* names: from what is there already */
	const char *offline_files; /* files only */
} managers[] = {
/* dpkg would sync every file of a disk that is thrown away. What is configured already stays as it is. */
#define APT                                                                         \
	"apt-get -y -q -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-unsafe-io -o " \
	"Dpkg::Options::=--force-confold -o Acquire::Retries=3 --no-install-recommends "
	{"apt", PACKAGE_DEB, "deb", "=", APT "update", APT "install --", APT "install --", APT "install --"},
#define DNF " -y --setopt=install_weak_deps=False --setopt=keepcache=0 "
	{"dnf", PACKAGE_RPM, "rpm", "-", NULL, "dnf" DNF "install --", "dnf" DNF "--cacheonly install --",
	 "dnf" DNF "--disablerepo='*' install --"},
	{"dnf5", PACKAGE_RPM, "rpm", "-", NULL, "dnf5" DNF "install --", "dnf5" DNF "--cacheonly install --",
	 "dnf5" DNF "--disablerepo='*' install --"},
	{"yum", PACKAGE_RPM, "rpm", "-", NULL, "yum -y install --", "yum -y -C install --",
	 "yum -y --disablerepo='*' install --"},
#define ZYPPER "zypper --non-interactive "
	{"zypper", PACKAGE_RPM, "rpm", "=", ZYPPER "refresh",
	 ZYPPER "install --no-recommends --allow-unsigned-rpm --",
	 ZYPPER "--no-refresh install --no-recommends --allow-unsigned-rpm --",
	 ZYPPER "--no-refresh install --no-recommends --allow-unsigned-rpm --"},
	{"apk", PACKAGE_OTHER, "apk", "=", "apk update", "apk add --", "apk add --no-network --", NULL},
	{0},
};

enum package_kind disk_package_kind(const void *head, size_t len)
{
	if (len >= 21 && memcmp(head, "!<arch>\ndebian-binary", 21) == 0)
		return PACKAGE_DEB;
	/* the lead: https://rpm-software-management.github.io/rpm/manual/format_lead.html */
	if (len >= 4 && memcmp(head, "\xed\xab\xee\xdb", 4) == 0)
		return PACKAGE_RPM;
	return PACKAGE_OTHER;
}

/* What may stand between quotes of a shell; a manifest may come from anywhere. */
static bool is_plain(const char *s)
{
	return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+~^_:-") ==
	       strlen(s);
}

/* The version that the package @name must have; NULL: any. */
static const char *locked_version(const struct manager *m, const char *name, const struct installed *locked)
{
	for (size_t i = 0; locked && i < locked->len; i++) {
		const struct installed_package *p = &locked->list[i];

		if (strcmp(p->type, m->type) == 0 && strcmp(p->name, name) == 0 && is_plain(p->version))
			return p->version;
	}
	return NULL;
}

/* Names and paths are of characters that mean nothing to a shell (names.h; we chose the paths). */
static void add_all(struct buf *line, const struct strlist *l)
{
	for (size_t i = 0; i < l->len; i++)
		buf_printf(line, " '%s'", l->ptr[i]);
}

static void add_names(struct buf *line, const struct manager *m, const struct strlist *names,
		      const struct installed *locked)
{
	for (size_t i = 0; i < names->len; i++) {
		const char *version = locked_version(m, names->ptr[i], locked);

		buf_printf(line, " '%s%s%s'", names->ptr[i], version ? m->version : "",
			   version ? version : "");
	}
}

int disk_install_commands(const char *manager, const struct strlist *names, const struct strlist *files,
			  enum package_kind kind, bool network, const struct installed *locked,
			  struct strlist *ret, struct error *err)
{
	_cleanup_buf_ struct buf line = {0};
	const struct manager *m = managers;

	while (m->name && strcmp(m->name, manager) != 0)
		m++;
	if (!m->name)
		return error_usage(
			err,
			"its package manager (%s) is none that can be used here (apt, dnf, dnf5, yum, zypper, apk); "
			"install with [Scripts] Run= instead",
			manager);
	if (files->len && m->files != kind)
		return error_usage(err, "%s cannot install a .%s file", manager,
				   kind == PACKAGE_DEB ? "deb" : "rpm");
	if (network && m->refresh)
		strlist_add(ret, m->refresh);
	buf_printf(&line, "%s", network ? m->online : names->len ? m->offline : m->offline_files);
	add_names(&line, m, names, locked);
	add_all(&line, files);
	strlist_add(ret, line.ptr);
	return 0;
}

/* rpm's own words, which dnf and yum pass on: "warning: %post(app-1-1.x86_64) scriptlet failed, exit status 1". */
const char *disk_install_error(const struct strlist *output)
{
	for (size_t i = 0; i < output->len; i++) {
		const char *failed = strstr(output->ptr[i], ") scriptlet failed, ");
		const char *start = failed ? strchr(output->ptr[i], '%') : NULL;

		if (start && start < failed)
			return start;
	}
	return NULL;
}
