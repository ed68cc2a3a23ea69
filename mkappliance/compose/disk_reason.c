/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/disk_reason.h"

#include <string.h>

#include "lib/cleanup.h"

/* Without blanks at both ends. */
static char *trimmed(const char *line)
{
	size_t len;

	line += strspn(line, " \t");
	len = strlen(line);
	while (len && strchr(" \t\r", line[len - 1]))
		len--;
	return xstrndup(line, len);
}

/* ---- RPMs and .debs ---- */

/* rpm only warns: "warning: %post(app-1-1.x86_64) scriptlet failed, exit status 1"; dnf, yum and zypper pass that on. */
static const char *failed_scriptlet(const char *line)
{
	const char *failed = strstr(line, ") scriptlet failed, "), *start = failed ? strchr(line, '%') : NULL;

	return start && start < failed ? start : NULL;
}

/* yum 3 leaves out what it does not find or cannot read, and installs the rest: "No package a available.", "Cannot open: /0.rpm. Skipping." */
static bool is_left_out(const char *line)
{
	static const char *const both[][2] = {{"No package ", " available."},
					      {"Cannot open: ", " Skipping."}};

	for (size_t i = 0; i < sizeof(both) / sizeof(both[0]); i++) {
		size_t len = strlen(line), end = strlen(both[i][1]);

		if (strncmp(line, both[i][0], strlen(both[i][0])) == 0 && len > end &&
		    strcmp(line + len - end, both[i][1]) == 0)
			return true;
	}
	return false;
}

/* What says more than the last line, which is about what to try next. The text before @from is dropped where there is one. */
static const struct {
	const char *has, *from;
} known[] = {
	/* libsolv, in dnf and zypper: "  - nothing provides libx needed by app-1-1.noarch" */
	{"nothing provides ", "nothing provides "},
	/* rpm's transaction test: "file /opt/a from install of b-1-1.noarch conflicts with file from install of a-1-1.noarch" */
	{" conflicts with file from ", "file /"},
	{" conflicts between attempted installs of ", "file /"},
	/* yum 3: "Error: Package: app-1-1.noarch (local)", and what it requires on the next line */
	{"Error: Package: ", "Package: "},
	/* apt: " app : Depends: libx but it is not installable"; its PreDepends as well */
	{"Depends: ", NULL},
	/* dpkg: "trying to overwrite '/opt/a', which is also in package a 1"; its scripts */
	{"trying to overwrite ", "trying to overwrite "},
	{"script subprocess returned error", NULL},
};

static char *known_reason(const struct strlist *output, size_t number, size_t pattern)
{
	const char *line = output->ptr[number];
	const char *from = known[pattern].from ? strstr(line, known[pattern].from) : NULL;
	_cleanup_free_ char *first = trimmed(from ? from : line), *next = NULL;

	if (strncmp(first, "Package: ", 9) != 0 || number + 1 == output->len)
		return steal_pointer(&first);
	next = trimmed(output->ptr[number + 1]);
	return xasprintf("%s %s", first, next);
}

char *disk_reason_any(const struct strlist *output, bool failed)
{
	for (size_t i = 0; i < output->len; i++) {
		const char *script = failed_scriptlet(output->ptr[i]);

		if (script || is_left_out(output->ptr[i]))
			return xstrdup(script ? script : output->ptr[i]);
	}
	for (size_t p = 0; failed && p < sizeof(known) / sizeof(known[0]); p++)
		for (size_t i = 0; i < output->len; i++)
			if (strstr(output->ptr[i], known[p].has))
				return known_reason(output, i, p);
	return NULL;
}

/* ---- apk ---- */

#define ERROR	"ERROR: "
#define WARNING "WARNING: "

/* What follows @mark in the first line that begins so; *@ret_number is that line. NULL: there is none. */
static const char *first_behind(const struct strlist *output, const char *mark, size_t *ret_number)
{
	for (size_t i = 0; i < output->len; i++)
		if (strncmp(output->ptr[i], mark, strlen(mark)) == 0) {
			*ret_number = i;
			return output->ptr[i] + strlen(mark);
		}
	return NULL;
}

/*
 * "ERROR: unable to select packages:" and below, set in: "no-such (no such package):", "required by: app-2-r1[no-such]". It may be because of a
 * repository that could not be read, of which there is a warning.
 */
static char *not_selected(const struct strlist *output, size_t from)
{
	_cleanup_buf_ struct buf b = {0};
	const char *warning;
	size_t number;

	for (size_t i = from; i < output->len && output->ptr[i][0] == ' '; i++) {
		_cleanup_free_ char *part = trimmed(output->ptr[i]);

		buf_printf(&b, "%s%s", b.len ? " " : "", part);
	}
	warning = first_behind(output, WARNING, &number);
	if (warning && b.len)
		buf_printf(&b, " (%s)", warning);
	return b.len ? buf_steal(&b) : NULL;
}

/* A repository that it does not trust it leaves out, and ends well. */
static const char *untrusted(const struct strlist *output)
{
	for (size_t i = 0; i < output->len; i++)
		if (strncmp(output->ptr[i], WARNING, strlen(WARNING)) == 0 &&
		    strstr(output->ptr[i], "UNTRUSTED signature"))
			return output->ptr[i] + strlen(WARNING);
	return NULL;
}

char *disk_reason_apk(const struct strlist *output, bool failed)
{
	const char *text = untrusted(output);
	size_t number = 0;

	if (text || !failed)
		return text ? xstrdup(text) : NULL;
	text = first_behind(output, ERROR, &number);
	if (text && strncmp(text, "unable to select packages", 25) == 0)
		return not_selected(output, number + 1);
	if (!text)
		text = first_behind(output, WARNING, &number);
	return text ? xstrdup(text) : NULL;
}
