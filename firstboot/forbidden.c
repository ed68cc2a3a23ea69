/* SPDX-License-Identifier: Apache-2.0 */
#include "forbidden.h"

#include <string.h>

#include "conf.h"
#include "image/abi.h"
#include "record.h"

#define AUDIT_SECCOMP_TEXT "audit: type=1326 " /* linux/audit.h: AUDIT_SECCOMP */

/* The decimal value behind @key. */
static bool take_value(const char *text, const char *key, uint64_t *ret)
{
	const char *p = strstr(text, key);
	char digits[21];
	size_t len;

	if (!p)
		return false;
	p += strlen(key);
	len = strspn(p, "0123456789");
	if (len == 0 || len >= sizeof digits)
		return false;
	memcpy(digits, p, len);
	digits[len] = '\0';
	return conf_number(digits, 0, UINT64_MAX, ret);
}

bool forbidden_parse(const char *text, struct forbidden *ret)
{
	struct forbidden f = {.program = "?"};
	const char *message = strchr(text, ';'), *comm;
	uint64_t signal;

	/* Facility 0, so one digit, at most 7: no program can write that. */
	if (!message || *text < '0' || *text > '7' || text[1] != ',')
		return false;
	message++;
	if (strncmp(message, AUDIT_SECCOMP_TEXT, sizeof AUDIT_SECCOMP_TEXT - 1) != 0 ||
	    !take_value(message, " pid=", &f.pid) || !take_value(message, " sig=", &signal) ||
	    !take_value(message, " syscall=", &f.call))
		return false;
	f.killed = signal != 0;
	comm = strstr(message, " comm=\"");
	if (comm) {
		size_t len = strcspn(comm + 7, "\"");

		if (len > 0 && len < sizeof f.program) {
			memcpy(f.program, comm + 7, len);
			f.program[len] = '\0';
		}
	}
	*ret = f;
	return true;
}

void forbidden_look(const char *text)
{
	static unsigned count;
	struct forbidden f;

	if (count == ABI_FORBIDDEN_RECORDS || !forbidden_parse(text, &f))
		return;
	count++;
	record_begin(ABI_EVENT_FORBIDDEN);
	record_text("program", f.program);
	record_number("pid", f.pid);
	record_number("call", f.call);
	record_text("action", f.killed ? "killed" : "refused");
	record_end();
}
