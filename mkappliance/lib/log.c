/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/error.h"

#define SHOW_EVERY_TERMINAL_NS 100000000ull
#define SHOW_EVERY_LOG_NS      5000000000ull

/* Process-wide on purpose: there is one standard error. */
static struct {
	pthread_mutex_t lock;
	enum log_level level;
	bool terminal;
	bool colour;
	bool line_open; /* a moving line stands on the terminal */
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .level = LOG_NORMAL};

void log_setup(enum log_level level)
{
	const char *term = getenv("TERM");

	state.level = level;
	state.terminal = isatty(STDERR_FILENO) && term && *term;
	state.colour = state.terminal && !getenv("NO_COLOR");
}

enum log_level log_level(void)
{
	return state.level;
}

bool log_is_terminal(void)
{
	return state.terminal;
}

uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* Called with the lock held. */
static void clear_line(void)
{
	if (state.line_open)
		fputs("\r\033[K", stderr);
	state.line_open = false;
}

static void put_line(const char *before, const char *format, va_list ap)
	__attribute__((format(printf, 2, 0)));

static void put_line(const char *before, const char *format, va_list ap)
{
	_cleanup_free_ char *text = NULL;

	if (vasprintf(&text, format, ap) < 0)
		abort();
	error_one_line(text);
	pthread_mutex_lock(&state.lock);
	clear_line();
	fprintf(stderr, "%s%s\n", before, text);
	pthread_mutex_unlock(&state.lock);
}

void log_note(const char *format, ...)
{
	va_list ap;

	if (state.level < LOG_NORMAL)
		return;
	va_start(ap, format);
	put_line("", format, ap);
	va_end(ap);
}

void log_moving(const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	if (state.level < LOG_NORMAL)
		return;
	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		abort();
	va_end(ap);
	error_one_line(text);
	pthread_mutex_lock(&state.lock);
	clear_line();
	fputs(text, stderr);
	if (state.terminal)
		fflush(stderr);
	else
		fputc('\n', stderr);
	state.line_open = state.terminal;
	pthread_mutex_unlock(&state.lock);
}

void log_debug(const char *format, ...)
{
	va_list ap;

	if (state.level < LOG_VERBOSE)
		return;
	va_start(ap, format);
	put_line("", format, ap);
	va_end(ap);
}

void log_warning(const char *format, ...)
{
	va_list ap;

	if (state.level < LOG_NORMAL)
		return;
	va_start(ap, format);
	put_line(state.colour ? "\033[33mwarning:\033[0m " : "warning: ", format, ap);
	va_end(ap);
}

void log_error(const char *text)
{
	pthread_mutex_lock(&state.lock);
	clear_line();
	fprintf(stderr, state.colour ? "\033[31mmkappliance:\033[0m %s\n" : "mkappliance: %s\n", text);
	pthread_mutex_unlock(&state.lock);
}

static void format_count(char *out, size_t size, uint64_t n, const char *unit)
{
	static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double value = (double)n;
	size_t i = 0;

	if (unit[0] != 'B' || unit[1]) {
		snprintf(out, size, "%ju %s", (uintmax_t)n, unit);
		return;
	}
	while (value >= 1024 && i + 1 < sizeof(names) / sizeof(names[0])) {
		value /= 1024;
		i++;
	}
	snprintf(out, size, i ? "%.1f %s" : "%.0f %s", value, names[i]);
}

static void describe(const struct progress *p, uint64_t done, char *out, size_t size)
{
	char have[32], all[32];

	out[0] = 0;
	if (!p->unit)
		return;
	format_count(have, sizeof(have), done, p->unit);
	if (!p->total) {
		snprintf(out, size, "%s", have);
		return;
	}
	format_count(all, sizeof(all), p->total, p->unit);
	if (done >= p->total)
		snprintf(out, size, "%s", all);
	else
		snprintf(out, size, "%s of %s, %ju %%", have, all,
			 (uintmax_t)((double)done * 100 / (double)p->total));
}

static void show(struct progress *p, uint64_t done, uint64_t now)
{
	char text[96];

	describe(p, done, text, sizeof(text));
	pthread_mutex_lock(&state.lock);
	if (state.terminal) {
		clear_line();
		fprintf(stderr, "  %-24s %s", p->name, text);
		fflush(stderr);
		state.line_open = true;
	} else {
		fprintf(stderr, "  %-24s %s (%.0f s)\n", p->name, text, (double)(now - p->started_ns) / 1e9);
	}
	pthread_mutex_unlock(&state.lock);
}

void progress_start(struct progress *p, const char *name, const char *unit, uint64_t total)
{
	*p = (struct progress){.name = name, .unit = unit, .total = total};
	p->started_ns = p->shown_ns = clock_ns();
	if (state.level >= LOG_NORMAL && state.terminal)
		show(p, 0, p->started_ns);
}

void progress_add(struct progress *p, uint64_t n)
{
	uint64_t done = __atomic_add_fetch(&p->done, n, __ATOMIC_RELAXED);
	uint64_t every = state.terminal ? SHOW_EVERY_TERMINAL_NS : SHOW_EVERY_LOG_NS;
	uint64_t last, now;

	if (state.level < LOG_NORMAL)
		return;
	now = clock_ns();
	last = __atomic_load_n(&p->shown_ns, __ATOMIC_RELAXED);
	if (now < last + every)
		return;
	/* One thread wins the right to print. */
	if (__atomic_compare_exchange_n(&p->shown_ns, &last, now, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		show(p, done, now);
}

void progress_end(struct progress *p, const char *detail)
{
	char text[96];

	if (state.level < LOG_NORMAL)
		return;
	describe(p, __atomic_load_n(&p->done, __ATOMIC_RELAXED), text, sizeof(text));
	pthread_mutex_lock(&state.lock);
	clear_line();
	fprintf(stderr, "  %-24s %6.2f s  %s%s%s\n", p->name, (double)(clock_ns() - p->started_ns) / 1e9,
		text, *text && detail ? ", " : "", detail ? detail : "");
	pthread_mutex_unlock(&state.lock);
}
