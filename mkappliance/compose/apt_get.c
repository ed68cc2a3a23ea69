/* SPDX-License-Identifier: Apache-2.0 */
/* Calling apt-get, and what it says; declared in apt_internal.h. */
#include <errno.h>
#include <string.h>

#include "compose/apt_internal.h"
#include "compose/debian.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define SHOWN_LINES 40 /* of each stream, when it failed */

void apt_talk_free(struct apt_talk *talk)
{
	buf_free(&talk->output);
	buf_free(&talk->log);
	free(talk->failure);
	*talk = (struct apt_talk){0};
}

void apt_configure(const struct apt_job *job, const char *dir, struct buf *ret)
{
	const char *arch = debian_architecture(job->t->appliance.arch);

	buf_printf(ret, "APT::Architecture \"%s\";\nAPT::Architectures { \"%s\"; };\n", arch, arch);
	buf_printf(ret, "APT::Install-Recommends \"false\";\nAPT::Install-Suggests \"false\";\n"
			"APT::Get::Assume-Yes \"true\";\nAPT::Get::Remove \"false\";\n"
			"APT::Get::Allow-Downgrades \"true\";\nAPT::Sandbox::User \"root\";\n"
			"Acquire::Languages \"none\";\nAcquire::Retries \"3\";\n");
	if (job->t->base.snapshot) /* whose lists of packages expired long ago */
		buf_printf(ret, "Acquire::Check-Valid-Until \"false\";\n");
	/* dpkg syncs every file of a tree that is thrown away when the machine goes down. */
	buf_printf(ret,
		   "DPkg::Options { \"--force-unsafe-io\"; \"--force-confdef\"; \"--force-confold\"; };\n"
		   "DPkg::Use-Pty \"false\";\n");
	/* Nothing of the host's own configuration, nor of the base's: the same in every build. */
	buf_printf(ret, "Dir::Etc::Parts \"/dev/null\";\nDir::Etc::Main \"/dev/null\";\n"
			"Dir::Etc::Preferences \"/dev/null\";\nDir::Etc::PreferencesParts \"/dev/null\";\n"
			"Dir::Etc::SourceParts \"/dev/null\";\n");
	buf_printf(ret,
		   "Dir::Etc::SourceList \"%s/sources.list\";\nDir::State::Lists \"%s/lists\";\n"
		   "Dir::Cache \"%s/cache\";\nDir::Cache::Archives \"%s/archives\";\nDir::Log \"%s/log\";\n",
		   dir, dir, dir, dir, dir);
}

/* "dpkg: error processing ...:" says why in its next line. */
static void on_line(const char *line, void *data)
{
	struct apt_talk *talk = data;
	bool dpkg = strncmp(line, "dpkg: error", 11) == 0;

	log_debug("    %s", line);
	if (talk->wants_reason) {
		char *both = xasprintf("%s %s", talk->failure, line + strspn(line, " \t"));

		free(talk->failure);
		talk->failure = both;
		talk->wants_reason = false;
	} else if (!talk->failure && (dpkg || strncmp(line, "E: ", 3) == 0)) {
		talk->failure = xstrdup(dpkg ? line : line + 3);
		talk->wants_reason = dpkg && line[strlen(line) - 1] == ':';
	}
}

/* The last lines of @b, each behind a mark. */
static void show(const struct buf *b)
{
	size_t at = b->len;
	unsigned lines = 0;

	while (at > 0 && (b->ptr[at - 1] != '\n' || at == b->len || ++lines < SHOWN_LINES))
		at--;
	while (at < b->len) {
		size_t len = strcspn(b->ptr + at, "\n");
		_cleanup_free_ char *line = xstrndup(b->ptr + at, len);

		error_one_line(line);
		if (*line)
			log_note("    | %s", line);
		at += len + (at + len < b->len);
	}
}

/* " app : Depends: other (>= 2) but it is not installable" among apt's words; to be freed, NULL: there is none. */
static char *unmet(const struct buf *output)
{
	static const char head[] = "have unmet dependencies";
	const char *line = output->ptr ? strstr(output->ptr, head) : NULL;
	_cleanup_buf_ struct buf b = {0};
	const char *colon;

	line = line ? strchr(line, '\n') : NULL;
	if (!line)
		return NULL;
	line += 1 + strspn(line + 1, " ");
	colon = strstr(line, " : ");
	if (!colon || colon > line + strcspn(line, "\n"))
		return NULL;
	buf_printf(&b, "%.*s: ", (int)(colon - line), line);
	/* An alternative goes on in the next line. */
	for (line = colon + 3;; line += strcspn(line, "\n") + 1) {
		size_t len;

		line += strspn(line, " ");
		len = strcspn(line, "\n");
		buf_add(&b, line, len);
		if (len < 3 || strncmp(line + len - 3, " or", 3) != 0 || !line[len])
			break;
		buf_add(&b, " ", 1);
	}
	return buf_steal(&b);
}

/* The packages that apt says it would remove; to be freed, NULL: there is no such word. */
static char *removed(const struct buf *output)
{
	static const char head[] = "will be REMOVED:\n";
	const char *line = output->ptr ? strstr(output->ptr, head) : NULL;

	if (!line)
		return NULL;
	line += strlen(head);
	line += strspn(line, " ");
	return xstrndup(line, strcspn(line, "\n"));
}

/* Whether what failed is that a repository cannot be trusted. */
static bool is_distrust(const struct apt_talk *talk)
{
	static const char *const words[] = {
		"is not signed",	   "NO_PUBKEY",		 "BADSIG", "Hash Sum mismatch",
		"signatures were invalid", "is no longer signed"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (talk->log.ptr && strstr(talk->log.ptr, words[i]))
			return true;
	return false;
}

static int explain(struct apt_talk *talk, int r, struct error *err)
{
	_cleanup_free_ char *dependency = unmet(&talk->output), *gone = removed(&talk->output);

	if (r != -EPIPE)
		return error_prefix(err, "%s", talk->action);
	if (!dependency) {
		show(&talk->output);
		show(&talk->log);
	}
	if (dependency)
		return error_set(err, -ENOPKG, "%s: %s", talk->action, dependency);
	if (talk->failure && is_distrust(talk))
		return error_refuse(err, "%s: %s", talk->action, talk->failure);
	if (talk->failure && strstr(talk->failure, "remove is disabled"))
		return error_set(err, -ENOPKG,
				 "%s: it conflicts with what the base has: %s would have to be removed",
				 talk->action, gone ? gone : "a package of it");
	return talk->failure ? error_set(err, r, "%s: %s", talk->action, talk->failure)
			     : error_prefix(err, "%s", talk->action);
}

int apt_get(const struct strlist *argv, const char *conf, const char *root, struct apt_talk *talk,
	    struct error *err)
{
	_cleanup_free_ char *config = xasprintf("APT_CONFIG=%s", conf);
	const char *const env[] = {config, "DEBIAN_FRONTEND=noninteractive",
				   "DEBCONF_NONINTERACTIVE_SEEN=true", NULL};
	struct spawn s = {.argv = (const char *const *)argv->ptr,
			  .package = "apt",
			  .env = env,
			  .root = root,
			  .output = &talk->output,
			  .log = &talk->log,
			  .on_line = on_line,
			  .data = talk};
	int r = spawn_run(&s, err);

	return r < 0 ? explain(talk, r, err) : 0;
}
