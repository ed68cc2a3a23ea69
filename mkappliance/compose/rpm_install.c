/* SPDX-License-Identifier: Apache-2.0 */
/* The transaction itself; declared in rpm_internal.h. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "compose/rpm_internal.h"
#include "lib/cleanup.h"

/* "%post(hello-1.0-1.x86_64) scriptlet failed, exit status 3" of a warning or error; NULL: another line. */
static const char *scriptlet_of(const char *line)
{
	line += rpm_line_begins(line, "warning: ") ? 9 : rpm_line_begins(line, "error: ") ? 7 : 0;
	return *line == '%' && strstr(line, " scriptlet failed, ") ? line : NULL;
}

/* Whether @line is only rpm's progress: the name of the package whose scriptlet it is. */
static bool is_progress(const char *line, const char *scriptlet)
{
	const char *open = strchr(scriptlet, '(');
	size_t len = strlen(line);

	return rpm_line_begins(line, "Preparing ") ||
	       (open && strncmp(open + 1, line, len) == 0 && open[1 + len] == ')');
}

/* Reasons that come on a line of their own, without "error: ". */
static bool is_reason(const char *line)
{
	static const char *const parts[] = {" conflicts with file from ",
					    " conflicts between attempted installs of ",
					    " is needed by ",
					    " conflicts with ",
					    " more space on the ",
					    " is already installed",
					    " more inodes on the ",
					    " is obsoleted by ",
					    " is intended for a different "};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strstr(line, parts[i]))
			return true;
	return false;
}

static const char *trimmed(const char *line)
{
	while (isspace((unsigned char)*line))
		line++;
	return rpm_line_begins(line, "error: ") ? line + 7 : line;
}

/* Up to three of them. */
static char *join_reasons(const struct strlist *lines)
{
	_cleanup_buf_ struct buf b = {0};

	for (size_t i = 0, n = 0; i < lines->len && n < 3; i++)
		if (is_reason(lines->ptr[i]))
			buf_printf(&b, "%s%s", n++ ? "; " : "", trimmed(lines->ptr[i]));
	return b.len ? buf_steal(&b) : NULL;
}

char *rpm_transaction_error(const struct strlist *lines)
{
	for (size_t i = 0; i < lines->len; i++) {
		const char *scriptlet = scriptlet_of(lines->ptr[i]);
		const char *before = i ? lines->ptr[i - 1] : NULL;

		/* That one in Lua failed has no consequence for rpm, which names it and goes on. */
		if (rpm_line_begins(lines->ptr[i], "error: lua script failed: "))
			return xstrdup(trimmed(lines->ptr[i]));
		if (!scriptlet)
			continue;
		if (before && !is_progress(before, scriptlet))
			return xasprintf("%s: %s", scriptlet, trimmed(before));
		return xstrdup(scriptlet);
	}
	return NULL;
}

static char *first_error(const struct strlist *lines)
{
	char *reasons = join_reasons(lines);

	for (size_t i = 0; !reasons && i < lines->len; i++)
		if (rpm_line_begins(lines->ptr[i], "error: "))
			return xstrdup(trimmed(lines->ptr[i]));
	return reasons;
}

int rpm_install(const struct rpm_job *job, struct error *err)
{
	_cleanup_strlist_ struct strlist argv = {0}, lines = {0};
	_cleanup_free_ char *scriptlet = NULL, *reason = NULL;
	int r;

	strlist_add(&argv, "rpm");
	strlist_addf(&argv, "--root=%s", job->s->root);
	strlist_addf(&argv, "--define=_dbpath %s", job->dbpath);
	/* Mounted over while we install: their packages' files are not to be touched there. */
	strlist_add(&argv, "--define=_netsharedpath /dev:/proc:/sys");
	strlist_add(&argv, "--define=_pkgverify_level none"); /* rpm_verify() has seen to it */
	strlist_add(&argv, "--nosignature");
	strlist_add(&argv, "--noplugins"); /* the host's */
	strlist_add(&argv, "--noglob");	   /* else "app[1].rpm" would be app1.rpm, or nothing at all */
	strlist_add(&argv, "-Uv");
	for (size_t i = 0; i < job->downloads.len; i++)
		strlist_add(&argv, job->downloads.ptr[i]);
	r = rpm_run(job, &argv, "rpm", &lines, err);
	if (r < 0 && r != -EPIPE)
		return r;
	scriptlet = rpm_transaction_error(&lines);
	if (scriptlet)
		return error_set(err, -EPIPE, "rpm: %s", scriptlet);
	if (r < 0 && (reason = first_error(&lines)))
		return error_set(err, r, "rpm: %s", reason);
	return r;
}
