/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HAProxy's answers. "show servers state": version line, a header that begins with '#', one line a server, fields parted by spaces
 * (Management Guide, 9.3, format 1). "show stat": CSV whose header names the columns (section 9.1).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/mem.h"
#include "vm/balancer.h"

#define FIELDS_MAX 128

/* Of "show servers state". */
enum {
	FIELD_NAME = 3,
	FIELD_OPERATION = 5,
	FIELD_ADMIN = 6,
	FIELD_RESULT = 11,
	FIELD_HEALTH = 12,
	FIELD_STATE_COUNT = 20
};
#define OPERATION_RUNNING 2
#define RESULT_FAILED	  2
#define RESULT_PASSED	  3
#define ADMIN_DRAIN	  8

/* The columns of "show stat" that are wanted; -1: not there. */
struct columns {
	int proxy, server, connections, bytes, requests, lost, status, code;
};

/* Cuts a line at @separator; quotes hold a field together. How many there are. */
static size_t split(char *line, char separator, char **fields)
{
	size_t n = 0;

	while (line && n < FIELDS_MAX) {
		char *end;

		if (*line == '"' && (end = strchr(line + 1, '"'))) {
			*end = 0;
			fields[n++] = line + 1;
			line = strchr(end + 1, separator);
		} else {
			fields[n++] = line;
			line = strchr(line, separator);
		}
		if (line)
			*line++ = 0;
	}
	return n;
}

static uint64_t number(const char *text)
{
	return strtoull(text, NULL, 10);
}

static struct balancer_server *find(struct balancer_report *r, const char *name)
{
	for (size_t i = 0; i < r->count; i++)
		if (strcmp(r->servers[i].name, name) == 0)
			return &r->servers[i];
	return NULL;
}

/*
 * A server is added as one that runs, with a health of 0 (or, by the version, BALANCER_RISE), and one failed check takes it down; each that
 * passed lifts that number, that of BALANCER_RISE to BALANCER_RISE + BALANCER_FALL - 1. While a check is under way there is no result.
 */
static enum balancer_verdict verdict(uint64_t operation, unsigned result, uint64_t health)
{
	if (operation != OPERATION_RUNNING)
		return VERDICT_DOWN;
	if (health > BALANCER_RISE)
		return VERDICT_UP;
	return health == BALANCER_RISE && (result == RESULT_PASSED || result == RESULT_FAILED) ? VERDICT_UP
											       : VERDICT_NONE;
}

static void take_state(struct balancer_report *r, char **f, size_t n)
{
	struct balancer_server s = {0};

	if (n < FIELD_STATE_COUNT || strlen(f[FIELD_NAME]) >= sizeof(s.name) || find(r, f[FIELD_NAME]))
		return;
	memcpy(s.name, f[FIELD_NAME], strlen(f[FIELD_NAME]) + 1);
	if (number(f[FIELD_ADMIN]) & ~(uint64_t)ADMIN_DRAIN)
		s.verdict = VERDICT_NONE; /* in maintenance nobody checks it */
	else
		s.verdict = verdict(number(f[FIELD_OPERATION]), (unsigned)number(f[FIELD_RESULT]),
				    number(f[FIELD_HEALTH]));
	s.ready = number(f[FIELD_ADMIN]) == 0;
	r->servers = xrealloc_array(r->servers, r->count + 1, sizeof(s));
	r->servers[r->count++] = s;
}

static struct columns find_columns(char **f, size_t n)
{
	struct columns c = {-1, -1, -1, -1, -1, -1, -1, -1};
	const struct {
		const char *name;
		int *to;
	} wanted[] = {{"pxname", &c.proxy},	   {"svname", &c.server},    {"scur", &c.connections},
		      {"bout", &c.bytes},	   {"req_tot", &c.requests}, {"hrsp_5xx", &c.lost},
		      {"check_status", &c.status}, {"check_code", &c.code}};

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < sizeof(wanted) / sizeof(wanted[0]); k++)
			if (strcmp(f[i], wanted[k].name) == 0)
				*wanted[k].to = (int)i;
	return c;
}

/* What a check came to, in words (section 9.1, check_status). */
static void describe(struct balancer_server *s, const char *status, const char *code)
{
	static const char *const words[][2] = {
		{"L7OK", "answers"},
		{"L7STS", "answered"},
		{"L4CON", "nobody listens"},
		{"L4TOUT", "no connection in time"},
		{"L7TOUT", "no answer in time"},
		{"L7RSP", "no answer of HTTP"},
		{"L6RSP", "no answer of HTTP"},
		{"SOCKERR", "no connection"},
		{"INI", "not checked yet"},
	};

	if (status[0] == '*')
		return; /* under way: what the last one said is gone */
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(status, words[i][0]) == 0) {
			snprintf(s->reason, sizeof(s->reason), "%s%s%s", words[i][1],
				 strcmp(status, "L7STS") == 0 ? " " : "",
				 strcmp(status, "L7STS") == 0 ? code : "");
			return;
		}
	snprintf(s->reason, sizeof(s->reason), "%s", status);
}

static void take_stat(struct balancer_report *r, const struct columns *c, char **f, size_t n)
{
	const int *all = (const int *)c;
	struct balancer_server *s;

	for (size_t i = 0; i < sizeof(*c) / sizeof(int); i++)
		if (all[i] < 0 || (size_t)all[i] >= n)
			return;
	if (strcmp(f[c->server], "FRONTEND") == 0) {
		r->requests += number(f[c->requests]);
		r->lost += number(f[c->lost]);
	}
	s = find(r, f[c->server]);
	if (!s)
		return;
	s->connections = (unsigned)number(f[c->connections]);
	s->bytes = number(f[c->bytes]);
	describe(s, f[c->status], f[c->code]);
}

void balancer_parse(const char *text, struct balancer_report *ret)
{
	_cleanup_free_ char *copy = xstrdup(text);
	struct columns columns = {-1, -1, -1, -1, -1, -1, -1, -1};
	struct balancer_report r = {0};
	char *rest = NULL;

	for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *f[FIELDS_MAX] = {0};

		if (strncmp(line, "# pxname,", 9) == 0)
			columns = find_columns(f, split(line + 2, ',', f));
		else if (columns.server >= 0)
			take_stat(&r, &columns, f, split(line, ',', f));
		else if (line[0] != '#')
			take_state(&r, f, split(line, ' ', f));
	}
	*ret = r;
}

void balancer_report_free(struct balancer_report *r)
{
	free(r->servers);
	*r = (struct balancer_report){0};
}
