/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "end.h"
#include "file.h"
#include "guard.h"
#include "image/abi.h"
#include "line.h"
#include "record.h"

static enum end_way end_policy = END_POWEROFF;
static struct line end_detail;

void end_set_policy(enum end_way way)
{
	end_policy = way;
}

_Noreturn void end_machine(enum end_way way)
{
	/* Writing "c" panics whatever kernel.sysrq says. Where there is no sysrq at all, the end of process 1 is a panic too; the
	 * guard of Mode=system is not process 1, and switches the machine off then. */
	if (way == END_PANIC && file_write_text("/proc/sysrq-trigger", "c") < 0 && getpid() == 1)
		_exit(1);
	if (way == END_REBOOT)
		(void)reboot(RB_AUTOBOOT);
	else
		(void)reboot(RB_POWER_OFF);
	/* A machine that cannot switch itself off must at least do nothing more. */
	(void)reboot(RB_HALT_SYSTEM);
	for (;;)
		pause();
}

_Noreturn void end_by_policy(void)
{
	end_machine(end_policy);
}

/* The record of a bad end; a corrupted block, or a read error, that was reported meanwhile is the better reason.
 */
static void record_bad_end(const char *event, const char *reason, const char *format, va_list ap)
{
	guard_check();
	line_reset(&end_detail);
	line_vprintf(&end_detail, format, ap);
	record_begin(event);
	record_text("reason", reason);
	record_text("detail", end_detail.text);
	record_end();
}

_Noreturn void refuse(const char *reason, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	record_bad_end(ABI_EVENT_REFUSED, reason, format, ap);
	va_end(ap);
	end_by_policy();
}

_Noreturn void fail(const char *reason, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	record_bad_end(ABI_EVENT_FAILED, reason, format, ap);
	va_end(ap);
	end_machine(END_POWEROFF);
}
