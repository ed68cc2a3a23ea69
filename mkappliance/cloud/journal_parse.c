/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a journal. What is in it decides what is not sent again, so nothing that is not understood is passed over. */
#include <errno.h>
#include <string.h>

#include "cloud/journal.h"
#include "cloud/journal_internal.h"
#include "cloud/plan.h"
#include "lib/json.h"
#include "lib/mem.h"

#define FORMAT	    JOURNAL_FORMAT
#define ID_MAX	    256
#define ATTEMPT_MAX 1000000

static const char *const phases[] = {
	[JOURNAL_NONE] = "none",
	[JOURNAL_PUT] = "put",
	[JOURNAL_COMPLETED] = "completed",
	[JOURNAL_VERIFIED] = "verified",
	[JOURNAL_REGISTERED] = "registered",
	[JOURNAL_READY] = "ready",
};

const char *journal_phase_name(enum journal_phase phase)
{
	return phases[phase];
}

void journal_state_free(struct journal_state *s)
{
	free(s->token);
	free(s->parent);
	free(s->snapshot);
	free(s->image);
	free(s->done);
	*s = (struct journal_state){0};
}

void journal_state_begin(struct journal_state *s, unsigned attempt, const char *token, const char *parent,
			 uint64_t block_count)
{
	journal_state_free(s);
	s->attempt = attempt;
	s->token = xstrdup(token);
	s->parent = parent ? xstrdup(parent) : NULL;
	s->done = xcalloc(1, (size_t)(block_count / 8 + 1));
}

/* Ids come back in requests and messages: printable ASCII without quotes. */
static int need_id(const struct json *line, const char *key, const char **ret, struct error *err)
{
	const char *text;
	int r;

	r = js_need_string(line, key, &text, err);
	if (r < 0)
		return r;
	if (!*text || strlen(text) > ID_MAX)
		return error_refuse(err, "%s: from 1 to %d characters are expected", key, ID_MAX);
	for (const char *p = text; *p; p++)
		if (*p <= ' ' || *p > '~' || *p == '"')
			return error_refuse(err, "%s: '%s' is not an id", key, text);
	*ret = text;
	return 0;
}

/* Whether the attempt that @line begins is one for @id; reads what every such line has. */
static int read_begin(const struct json *line, const struct journal_identity *id, struct journal_state *s,
		      bool *ret_ours, struct error *err)
{
	const char *provider, *region, *account, *token, *parent = NULL;
	struct sha256 blocks = {0}, parameters = {0};
	int64_t format, attempt;
	int r;

	if ((r = js_need_int(line, "upload", FORMAT, FORMAT, &format, err)) < 0 ||
	    (r = need_id(line, "provider", &provider, err)) < 0 ||
	    (r = need_id(line, "region", &region, err)) < 0 ||
	    (r = need_id(line, "account", &account, err)) < 0 ||
	    (r = js_need_bytes(line, "blocks", blocks.b, sizeof(blocks.b), err)) < 0 ||
	    (r = js_need_bytes(line, "parameters", parameters.b, sizeof(parameters.b), err)) < 0 ||
	    (r = js_need_int(line, "attempt", 1, ATTEMPT_MAX, &attempt, err)) < 0 ||
	    (r = need_id(line, "token", &token, err)) < 0 ||
	    (r = js_is_null(js_member(line, "parent")) ? 0 : need_id(line, "parent", &parent, err)) < 0)
		return r;
	*ret_ours = strcmp(provider, id->provider) == 0 && strcmp(region, id->region) == 0 &&
		    strcmp(account, id->account) == 0 && memcmp(&blocks, &id->blocks, sizeof(blocks)) == 0 &&
		    memcmp(&parameters, &id->parameters, sizeof(parameters)) == 0;
	if (*ret_ours)
		journal_state_begin(s, (unsigned)attempt, token, parent, id->block_count);
	return 0;
}

/* Runs of blocks: first, count, first, count... */
static int read_done(const struct json *list, const struct journal_identity *id, struct journal_state *s,
		     struct error *err)
{
	size_t n = js_array_len(list);

	if (n == 0 || n % 2)
		return error_refuse(err, "done: pairs of numbers are expected");
	for (size_t i = 0; i < n; i += 2) {
		int64_t first, count;

		if (!js_int(js_array_get(list, i), &first) || !js_int(js_array_get(list, i + 1), &count) ||
		    first < 0 || count < 1 || (uint64_t)first >= id->block_count ||
		    (uint64_t)count > id->block_count - (uint64_t)first)
			return error_refuse(err, "done: not blocks of an image of %ju",
					    (uintmax_t)id->block_count);
		for (int64_t b = first; b < first + count; b++) {
			s->done_count += !bit_get(s->done, (uint64_t)b);
			bit_set(s->done, (uint64_t)b);
		}
	}
	return 0;
}

static int read_phase(const struct json *line, struct journal_state *s, struct error *err)
{
	const char *text;
	int r;

	r = js_need_string(line, "phase", &text, err);
	if (r < 0)
		return r;
	for (int i = JOURNAL_PUT; i <= JOURNAL_READY; i++)
		if (strcmp(text, phases[i]) == 0) {
			s->phase = (enum journal_phase)i;
			return 0;
		}
	return error_refuse(err, "phase: '%s' is not one", text);
}

static void set_string(char **to, const char *value)
{
	free(*to);
	*to = xstrdup(value);
}

/* @ours: whether the attempt that stands above is one of @id. */
static int read_line(const struct json *line, const struct journal_identity *id, struct journal_state *s,
		     bool *ours, struct error *err)
{
	const char *text;
	int r;

	if (!js_is_object(line))
		return error_refuse(err, "an object is expected");
	if (js_member(line, "upload"))
		return read_begin(line, id, s, ours, err);
	if (!*ours)
		return 0;
	if (js_member(line, "done"))
		return read_done(js_member(line, "done"), id, s, err);
	if (js_member(line, "phase"))
		return read_phase(line, s, err);
	if (js_member(line, "snapshot")) {
		r = need_id(line, "snapshot", &text, err);
		if (r == 0)
			set_string(&s->snapshot, text);
		return r;
	}
	if (js_member(line, "image")) {
		r = need_id(line, "image", &text, err);
		if (r == 0)
			set_string(&s->image, text);
		return r;
	}
	return error_refuse(err, "none of the members that are known");
}

/* What parsing says of a line is less than where it is and what to do. */
static int damaged(const char *name, unsigned number, struct error *err)
{
	return error_refuse(err, "%s: line %u is damaged; remove the file to upload from the beginning", name,
			    number);
}

int journal_parse(const char *text, size_t len, const char *name, const struct journal_identity *id,
		  struct journal_state *ret, size_t *ret_len, struct error *err)
{
	struct journal_state s = {0};
	const char *at = text, *end;
	bool ours = false;

	for (unsigned number = 1; (end = memchr(at, '\n', len - (size_t)(at - text))); number++) {
		_cleanup_json_ struct json *line = NULL;

		if (js_parse(at, (size_t)(end - at), name, &line, err) < 0 ||
		    read_line(line, id, &s, &ours, err) < 0) {
			journal_state_free(&s);
			return damaged(name, number, err);
		}
		at = end + 1;
	}
	*ret = s;
	*ret_len = (size_t)(at - text);
	return 0;
}
