/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/disk_install.h"

#include <string.h>

#include "lib/cleanup.h"

/* One package manager, in its own words. Each command ends where the names are put. */
static const struct manager {
	const char *name;
	enum package_kind files;
	const char *refresh; /* with network, before; NULL: it does that itself */
	const char *online;
	const char *offline;	   /* names: from what is there already */
	const char *offline_files; /* files only */
} managers[] = {
/* dpkg would sync every file of a disk that is thrown away. What is configured already stays as it is. */
#define APT                                                                         \
	"apt-get -y -q -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-unsafe-io -o " \
	"Dpkg::Options::=--force-confold -o Acquire::Retries=3 --no-install-recommends "
	{"apt", PACKAGE_DEB, APT "update", APT "install --", APT "install --", APT "install --"},
#define DNF "dnf -y --setopt=install_weak_deps=False --setopt=keepcache=0 "
	{"dnf", PACKAGE_RPM, NULL, DNF "install --", DNF "--cacheonly install --",
	 DNF "--disablerepo='*' install --"},
	{"yum", PACKAGE_RPM, NULL, "yum -y install --", "yum -y -C install --",
	 "yum -y --disablerepo='*' install --"},
#define ZYPPER "zypper --non-interactive "
	{"zypper", PACKAGE_RPM, ZYPPER "refresh", ZYPPER "install --no-recommends --allow-unsigned-rpm --",
	 ZYPPER "--no-refresh install --no-recommends --",
	 ZYPPER "--no-refresh install --no-recommends --allow-unsigned-rpm --"},
	{"apk", PACKAGE_OTHER, "apk update", "apk add --", "apk add --no-network --", NULL},
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

/* Names and paths are of characters that mean nothing to a shell (names.h; we chose the paths). */
static void add_all(struct buf *line, const struct strlist *l)
{
	for (size_t i = 0; i < l->len; i++)
		buf_printf(line, " '%s'", l->ptr[i]);
}

int disk_install_commands(const char *manager, const struct strlist *names, const struct strlist *files,
			  enum package_kind kind, bool network, struct strlist *ret, struct error *err)
{
	_cleanup_buf_ struct buf line = {0};
	const struct manager *m = managers;

	while (m->name && strcmp(m->name, manager) != 0)
		m++;
	if (!m->name)
		return error_usage(
			err,
			"its package manager (%s) is none that can be used here (apt, dnf, yum, zypper, apk); "
			"install with [Scripts] Run= instead",
			manager);
	if (files->len && m->files != kind)
		return error_usage(err, "%s cannot install a .%s file", manager,
				   kind == PACKAGE_DEB ? "deb" : "rpm");
	if (network && m->refresh)
		strlist_add(ret, m->refresh);
	buf_printf(&line, "%s", network ? m->online : names->len ? m->offline : m->offline_files);
	add_all(&line, names);
	add_all(&line, files);
	strlist_add(ret, line.ptr);
	return 0;
}
