/* SPDX-License-Identifier: Apache-2.0 */
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../firstboot/console.h"
#include "../../firstboot/end.h"
#include "../../firstboot/file.h"
#include "../../firstboot/record.h"

void host_conf(int argc, char **argv, struct conf *ret)
{
	static const char head[] =
		"Format=1\nName=host\nVersion=1\n"
		"RootHash=0000000000000000000000000000000000000000000000000000000000000000\n"
		"Salt=0000000000000000000000000000000000000000000000000000000000000000\n"
		"DataBlocks=1\nHashStart=1\nRoot=00000000-0000-0000-0000-000000000000\n"
		"Verity=00000000-0000-0000-0000-000000000000\nCommandLine=\nDeviceTimeout=1\n"
		"OnCorruption=poweroff\nVerify=lazy\nMode=appliance\nHostname=host\n";
	static const char tail[] =
		"Service=main\nArg=/bin/true\nUid=0\nGid=0\nWorkingDirectory=/\nReadyPort=0\n"
		"ReadyTimeout=1\nStopSignal=15\nStopTimeout=1\n";
	static char text[ABI_CONF_MAX];
	struct line detail = {.len = 0};
	size_t len = sizeof(head) - 1;

	memcpy(text, head, len);
	for (int i = 1; i < argc && len + strlen(argv[i]) + 2 + sizeof(tail) < sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\n", argv[i]);
	len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", tail);
	if (conf_parse(text, len, ret, &detail) < 0) {
		fprintf(stderr, "%s\n", detail.text);
		exit(2);
	}
}

/* ---- instead of console.c ---- */

void console_open(void)
{
}

bool console_ready(void)
{
	return true;
}

int console_write(const char *line, size_t len)
{
	return file_write(STDOUT_FILENO, line, len);
}

int console_write_record(const char *line, size_t len)
{
	return file_write(STDOUT_FILENO, line, len);
}

/* ---- instead of end.c ---- */

void end_set_policy(enum end_way way)
{
	(void)way;
}

_Noreturn void end_machine(enum end_way way)
{
	exit(way == END_POWEROFF ? 0 : 3);
}

_Noreturn void end_by_policy(void)
{
	exit(3);
}

static _Noreturn void bad_end(const char *event, const char *reason, const char *format, va_list ap, int code)
{
	struct line detail = {.len = 0};

	line_vprintf(&detail, format, ap);
	record_begin(event);
	record_text("reason", reason);
	record_text("detail", detail.text);
	record_end();
	exit(code);
}

_Noreturn void refuse(const char *reason, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	bad_end(ABI_EVENT_REFUSED, reason, format, ap, 3);
}

_Noreturn void fail(const char *reason, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	bad_end(ABI_EVENT_FAILED, reason, format, ap, 1);
}
