/* SPDX-License-Identifier: Apache-2.0 */
#include "template/values.h"

#include <signal.h>
#include <string.h>

#include "lib/cleanup.h"

/*
 * Takes the digits at *@p and moves it behind them. False when there is none or the number is over 2^64 -
 * 1.
 */
static bool take_number(const char **p, uint64_t *ret)
{
	const char *s = *p;
	uint64_t n = 0;

	for (; *s >= '0' && *s <= '9'; s++) {
		if (__builtin_mul_overflow(n, 10u, &n) || __builtin_add_overflow(n, (unsigned)(*s - '0'), &n))
			return false;
	}
	if (s == *p)
		return false;
	*p = s;
	*ret = n;
	return true;
}

int value_number(const char *value, uint64_t min, uint64_t max, uint64_t *ret, struct error *err)
{
	const char *p = value;
	uint64_t n;

	if (!take_number(&p, &n) || *p)
		return error_usage(err, "'%s' is not a number from %ju to %ju", value, (uintmax_t)min,
				   (uintmax_t)max);
	if (n < min || n > max)
		return error_usage(err, "%s is not within %ju and %ju", value, (uintmax_t)min,
				   (uintmax_t)max);
	*ret = n;
	return 0;
}

struct unit {
	const char *name;
	unsigned factor;
};

/* A number with one of @units (the last has no name). @what says how such a value looks. */
static int number_with_unit(const char *value, const struct unit *units, const char *what, unsigned min,
			    unsigned max, unsigned *ret, struct error *err)
{
	const char *base = units->name;
	const char *p = value;
	uint64_t n;

	if (!take_number(&p, &n))
		return error_usage(err, "'%s' is not %s", value, what);
	while (*p == ' ')
		p++;
	while (units->name && strcmp(units->name, p) != 0)
		units++;
	if (!units->name)
		return error_usage(err, "'%s' is not %s", value, what);
	if (__builtin_mul_overflow(n, units->factor, &n) || n < min || n > max)
		return error_usage(err, "'%s' is not within %u %s and %u %s", value, min, base, max, base);
	*ret = (unsigned)n;
	return 0;
}

int value_seconds(const char *value, unsigned min, unsigned max, unsigned *ret, struct error *err)
{
	static const struct unit units[] = {{"s", 1}, {"", 1}, {"min", 60}, {"h", 3600}, {0}};

	return number_with_unit(value, units, "a number of seconds (30, 30s, 5min, 1h)", min, max, ret, err);
}

int value_mebibytes(const char *value, unsigned min, unsigned max, unsigned *ret, struct error *err)
{
	static const struct unit units[] = {{"M", 1}, {"G", 1024}, {0}};

	return number_with_unit(value, units, "a size with its unit (512M, 2G)", min, max, ret, err);
}

int value_choice(const char *value, const char *const *names, unsigned *ret, struct error *err)
{
	_cleanup_buf_ struct buf all = {0};

	for (unsigned i = 0; names[i]; i++) {
		if (strcmp(value, names[i]) == 0) {
			*ret = i;
			return 0;
		}
		buf_printf(&all, "%s%s", i == 0 ? "" : names[i + 1] ? ", " : " or ", names[i]);
	}
	return error_usage(err, "'%s' is not %s", value, all.ptr ? all.ptr : "");
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The character behind a backslash. */
static int take_escaped(char c, struct buf *word, struct error *err)
{
	if (!c)
		return error_usage(err, "ends in a backslash");
	if (!strchr(" \t\\'\"", c))
		return error_usage(err, "'\\%c' has no meaning; a backslash itself is written '\\\\'", c);
	buf_add(word, &c, 1);
	return 0;
}

/* One word at *@p, which is not blank; moves behind it. */
static int take_word(const char **p, struct buf *word, struct error *err)
{
	char quote = 0;
	const char *s;
	int r;

	for (s = *p; *s && (quote || !is_blank(*s)); s++) {
		if (*s == '\\' && quote != '\'') {
			r = take_escaped(*++s, word, err);
			if (r < 0)
				return r;
		} else if (quote ? *s == quote : (*s == '"' || *s == '\'')) {
			quote = quote ? 0 : *s;
		} else {
			buf_add(word, s, 1);
		}
	}
	if (quote)
		return error_usage(err, "a quote (%c) is opened and never closed", quote);
	*p = s;
	return 0;
}

int value_split(const char *value, struct strlist *ret, struct error *err)
{
	_cleanup_strlist_ struct strlist words = {0};

	for (const char *p = value;;) {
		_cleanup_buf_ struct buf word = {0};
		int r;

		while (is_blank(*p))
			p++;
		if (!*p)
			break;
		if (*p == '#' || *p == ';')
			return error_usage(err,
					   "'%s': a comment needs a line of its own (quote the word if it is "
					   "none)",
					   p);
		r = take_word(&p, &word, err);
		if (r < 0)
			return r;
		strlist_add(&words, word.ptr ? word.ptr : "");
	}
	for (size_t i = 0; i < words.len; i++)
		strlist_add(ret, words.ptr[i]);
	return 0;
}

int value_url(const char *value, struct value_url *ret, struct error *err)
{
	bool http = strncmp(value, "http://", 7) == 0;
	const char *p = http ? value + 7 : value + 6;
	uint64_t port;

	if (!http && strncmp(value, "tcp://", 6) != 0)
		return error_usage(err, "'%s' is not http://:PORT/PATH nor tcp://:PORT", value);
	if (*p != ':')
		return error_usage(err, "'%s': leave the host out, it is always the machine itself: %s",
				   value, http ? "http://:PORT/PATH" : "tcp://:PORT");
	p++;
	if (!take_number(&p, &port) || port < 1 || port > 65535 || (*p && *p != '/'))
		return error_usage(err, "'%s': the port is not a number from 1 to 65535", value);
	if (!http && *p)
		return error_usage(err, "'%s': nothing may follow the port of tcp://", value);
	for (const char *c = p; *c; c++)
		if (*c <= ' ' || *c > '~' || *c == '#')
			return error_usage(err,
					   "'%s': column %zu is not a character of a URL; write it as %%XX",
					   value, (size_t)(c - value) + 1);
	ret->http = http;
	ret->port = (uint16_t)port;
	ret->path = http ? xstrdup(*p ? p : "/") : NULL;
	return 0;
}

int value_signal(const char *value, int *ret, struct error *err)
{
	/* Those that programs take as a wish to end; the numbers are the same on both architectures. */
	static const struct {
		const char *name;
		int number;
	} signals[] = {
		{"TERM", SIGTERM}, {"INT", SIGINT},   {"QUIT", SIGQUIT},   {"HUP", SIGHUP},
		{"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"WINCH", SIGWINCH}, {"KILL", SIGKILL},
	};
	const char *name = strncmp(value, "SIG", 3) == 0 ? value + 3 : value;

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		if (strcmp(name, signals[i].name) == 0) {
			*ret = signals[i].number;
			return 0;
		}
	}
	return error_usage(
		err, "'%s' is not SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH or SIGKILL",
		value);
}
