/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/disk_install.h"

#include <string.h>

#include "compose/apk.h"
#include "lib/cleanup.h"

/* One package manager, in its own words. Each command ends where the names are put. */
static const struct manager {
	const char *name;
	const char *program;
	enum package_kind files;
	const char *type;    /* of its packages in a manifest */
	const char *version; /* what stands between a name and the version that is asked for */
	const char *refresh; /* with network, before; NULL: it does that itself */
	const char *online;
	const char *offline;	   /* names: from what is there already */
	const char *offline_files; /* files only */
	const char *online_files;  /* not NULL: files are not installed by the same command as names */
} managers[] = {
/* dpkg would sync every file of a disk that is thrown away. What is configured already stays as it is. Nobody reads descriptions there. */
#define APT                                                                         \
	"apt-get -y -q -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-unsafe-io -o " \
	"Dpkg::Options::=--force-confold -o Acquire::Retries=3 -o Acquire::Languages=none --no-install-recommends "
	{"apt", "/usr/bin/apt-get", PACKAGE_DEB, "deb", "=", APT "update", APT "install --", APT "install --",
	 APT "install --", NULL},
#define DNF " -y --setopt=install_weak_deps=False --setopt=keepcache=0 "
	{"dnf", "/usr/bin/dnf", PACKAGE_RPM, "rpm", "-", NULL, "dnf" DNF "install --",
	 "dnf" DNF "--cacheonly install --", "dnf" DNF "--disablerepo='*' install --", NULL},
	{"dnf5", "/usr/bin/dnf5", PACKAGE_RPM, "rpm", "-", NULL, "dnf5" DNF "install --",
	 "dnf5" DNF "--cacheonly install --", "dnf5" DNF "--disablerepo='*' install --", NULL},
/* dnf by another name, or yum 3, which knows no weak dependencies and warns of the option. */
#define YUM "yum -y --setopt=install_weak_deps=False "
	{"yum", "/usr/bin/yum", PACKAGE_RPM, "rpm", "-", NULL, YUM "install --", YUM "-C install --",
	 YUM "--disablerepo='*' install --", NULL},
#define ZYPPER "zypper --non-interactive "
	{"zypper", "/usr/bin/zypper", PACKAGE_RPM, "rpm", "=", ZYPPER "refresh",
	 ZYPPER "install --no-recommends --allow-unsigned-rpm --",
	 ZYPPER "--no-refresh install --no-recommends --allow-unsigned-rpm --",
	 ZYPPER "--no-refresh install --no-recommends --allow-unsigned-rpm --", NULL},
	/* What lets a file be unsigned would let a repository be, too. */
	{"apk", "/sbin/apk", PACKAGE_APK, "apk", "=", "apk update", "apk add --", "apk add --no-network --",
	 "apk add --allow-untrusted --no-network --", "apk add --allow-untrusted --"},
	{0},
};

static const struct manager *find_manager(const char *name)
{
	const struct manager *m = managers;

	while (m->name && strcmp(m->name, name) != 0)
		m++;
	return m->name ? m : NULL;
}

const char *disk_manager(const char *named, bool (*exists)(void *data, const char *path), void *data)
{
	const struct manager *m = find_manager(named);

	if (m && exists(data, m->program))
		return m->name;
	for (m = managers; m->name; m++)
		if (exists(data, m->program))
			return m->name;
	return named;
}

enum package_kind disk_package_kind(const void *head, size_t len)
{
	if (len >= 21 && memcmp(head, "!<arch>\ndebian-binary", 21) == 0)
		return PACKAGE_DEB;
	/* the lead: https://rpm-software-management.github.io/rpm/manual/format_lead.html */
	if (len >= 4 && memcmp(head, "\xed\xab\xee\xdb", 4) == 0)
		return PACKAGE_RPM;
	return apk_begins(head, len) ? PACKAGE_APK : PACKAGE_OTHER;
}

const char *disk_package_suffix(enum package_kind kind)
{
	return kind == PACKAGE_DEB ? "deb" : kind == PACKAGE_RPM ? "rpm" : "apk";
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

/* Whether one of them got a version of @locked. */
static bool add_names(struct buf *line, const struct manager *m, const struct strlist *names,
		      const struct installed *locked)
{
	bool any = false;

	for (size_t i = 0; i < names->len; i++) {
		const char *version = locked_version(m, names->ptr[i], locked);

		buf_printf(line, " '%s%s%s'", names->ptr[i], version ? m->version : "",
			   version ? version : "");
		any |= version != NULL;
	}
	return any;
}

/*
 * Names first, then files. apk writes down what it was asked for (/etc/apk/world): a version that only a manifest asked for is not to stay
 * there.
 */
static void add_apart(const struct manager *m, const struct strlist *names, const struct strlist *files,
		      bool network, const struct installed *locked, struct strlist *ret)
{
	_cleanup_buf_ struct buf line = {0};

	buf_printf(&line, "%s", network ? m->online : m->offline);
	if (add_names(&line, m, names, locked)) {
		buf_printf(&line, " && %s", m->offline);
		(void)add_names(&line, m, names, NULL);
	}
	if (names->len)
		strlist_add(ret, line.ptr);
	line.len = 0;
	buf_printf(&line, "%s", network ? m->online_files : m->offline_files);
	add_all(&line, files);
	if (files->len)
		strlist_add(ret, line.ptr);
}

int disk_install_commands(const char *manager, const struct strlist *names, const struct strlist *files,
			  enum package_kind kind, bool network, const struct installed *locked,
			  struct strlist *ret, struct error *err)
{
	_cleanup_buf_ struct buf line = {0};
	const struct manager *m = find_manager(manager);

	if (!m)
		return error_usage(
			err,
			"its package manager (%s) is none that can be used here (apt, dnf, dnf5, yum, zypper, apk); "
			"install with [Scripts] Run= instead",
			manager);
	if (files->len && m->files != kind)
		return error_usage(err, "%s cannot install a .%s file", manager, disk_package_suffix(kind));
	if (network && m->refresh)
		strlist_add(ret, m->refresh);
	if (m->online_files) {
		add_apart(m, names, files, network, locked, ret);
		return 0;
	}
	buf_printf(&line, "%s", network ? m->online : names->len ? m->offline : m->offline_files);
	(void)add_names(&line, m, names, locked);
	add_all(&line, files);
	strlist_add(ret, line.ptr);
	return 0;
}
