/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/unit_words.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "lib/cleanup.h"

#define BLANKS "\t\n\r "

/* ---- words ---- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* @count digits of @base at @p; 0 when they are not all there. */
static uint32_t digits(const char *p, unsigned count, unsigned base)
{
	uint32_t v = 0;

	for (; count > 0; count--, p++) {
		int d = hex_digit(*p);

		if (d < 0 || (unsigned)d >= base)
			return 0;
		v = v * base + (unsigned)d;
	}
	return v;
}

/* A character in UTF-8. */
static void add_character(struct buf *b, uint32_t c)
{
	char out[4];
	size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const uint8_t first[] = {0, 0, 0xc0, 0xe0, 0xf0};

	for (size_t i = len; i-- > 1; c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)(first[len] | c);
	buf_add(b, out, len);
}

/* What stands behind a backslash; returns how many characters of it were used, 0: it means nothing. */
static size_t take_escape(const char *p, struct buf *b)
{
	static const char names[] = "abfnrtvs\\\"'", values[] = "\a\b\f\n\r\t\v \\\"'";
	const char *name = *p ? strchr(names, *p) : NULL;
	uint32_t v;

	if (name) {
		buf_add(b, values + (name - names), 1);
		return 1;
	}
	if (*p == 'x' && (v = digits(p + 1, 2, 16))) {
		buf_add(b, &(char){(char)v}, 1);
		return 3;
	}
	if ((v = digits(p, 3, 8)) && v < 256) {
		buf_add(b, &(char){(char)v}, 1);
		return 3;
	}
	if ((*p == 'u' && (v = digits(p + 1, 4, 16))) ||
	    (*p == 'U' && (v = digits(p + 1, 8, 16)) && v <= 0x10ffff)) {
		add_character(b, v);
		return *p == 'u' ? 5 : 9;
	}
	return 0;
}

int unit_word(const char **p, char **ret, struct error *err)
{
	_cleanup_buf_ struct buf b = {0};
	const char *s = *p + strspn(*p, BLANKS), *start = s;
	char quote = 0;

	*p = s;
	if (!*s)
		return 0;
	for (; *s && (quote || !strchr(BLANKS, *s)); s++) {
		if (quote ? *s == quote : *s == '\'' || *s == '"') {
			quote = quote ? 0 : *s;
		} else if (*s == '\\') {
			size_t used = take_escape(s + 1, &b);

			if (!used)
				buf_add(&b, s, 1);
			s += used;
		} else {
			buf_add(&b, s, 1);
		}
	}
	if (quote)
		return error_usage(err, "the quote in %s does not end", start);
	*p = s;
	*ret = buf_steal(&b);
	return 1;
}

int unit_words(const char *value, struct strlist *ret, struct error *err)
{
	for (;;) {
		_cleanup_free_ char *word = NULL;
		int r = unit_word(&value, &word, err);

		if (r <= 0)
			return r;
		strlist_add(ret, word);
	}
}

/* ---- specifiers ---- */

char *unit_template_name(const char *name)
{
	const char *at = strchr(name, '@'), *dot = strrchr(name, '.');

	if (!at || !dot || dot <= at + 1)
		return NULL;
	return xasprintf("%.*s@%s", (int)(at - name), name, dot);
}

/* systemd's escaping of paths in names, taken back: '-' is '/', "\x2d" is '-'. */
static void add_unescaped(struct buf *b, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint32_t v;

		if (s[i] == '\\' && i + 3 < len && s[i + 1] == 'x' && (v = digits(s + i + 2, 2, 16))) {
			buf_add(b, &(char){(char)v}, 1);
			i += 3;
		} else {
			buf_add(b, s[i] == '-' ? "/" : &s[i], 1);
		}
	}
}

/* The parts of the unit's name: %n %N %p %P %i %I %j %J %f. False: not one of them. */
static bool add_name(struct buf *b, char specifier, const char *name)
{
	const char *dot = strrchr(name, '.'), *at = strchr(name, '@');
	size_t stem = dot ? (size_t)(dot - name) : strlen(name);
	size_t prefix = at && (size_t)(at - name) < stem ? (size_t)(at - name) : stem;
	const char *instance = prefix < stem ? at + 1 : "";
	size_t instance_len = prefix < stem ? stem - prefix - 1 : 0;
	const char *dash = memrchr(name, '-', prefix);
	const char *last = dash ? dash + 1 : name;
	size_t last_len = prefix - (size_t)(last - name);

	switch (specifier) {
	case 'n':
		buf_printf(b, "%s", name);
		return true;
	case 'N':
		buf_add(b, name, stem);
		return true;
	case 'p':
		buf_add(b, name, prefix);
		return true;
	case 'P':
		add_unescaped(b, name, prefix);
		return true;
	case 'i':
		buf_add(b, instance, instance_len);
		return true;
	case 'I':
		add_unescaped(b, instance, instance_len);
		return true;
	case 'j':
		buf_add(b, last, last_len);
		return true;
	case 'J':
		add_unescaped(b, last, last_len);
		return true;
	case 'f':
		buf_add(b, "/", 1);
		add_unescaped(b, instance_len ? instance : name, instance_len ? instance_len : prefix);
		return true;
	default:
		return false;
	}
}

/* Those that are the same on every machine, for the system's manager, which is root. */
static const char *fixed_specifier(char specifier, const struct unit_names *n)
{
	switch (specifier) {
	case '%':
		return "%";
	case 't':
		return "/run";
	case 'S':
		return "/var/lib";
	case 'C':
		return "/var/cache";
	case 'L':
		return "/var/log";
	case 'E':
		return "/etc";
	case 'T':
		return "/tmp";
	case 'V':
		return "/var/tmp";
	case 'h':
		return "/root";
	case 'u':
	case 'g':
		return "root";
	case 'U':
	case 'G':
		return "0";
	case 's':
		return "/bin/sh";
	case 'a':
		return n->machine;
	case 'H':
		return n->hostname;
	default:
		return NULL;
	}
}

int unit_specifiers(const char *text, const struct unit_names *n, char **ret, struct error *err)
{
	_cleanup_buf_ struct buf b = {0};

	for (const char *p = text; *p; p++) {
		const char *fixed;

		if (*p != '%' || !p[1]) {
			buf_add(&b, p, 1);
			continue;
		}
		p++;
		fixed = fixed_specifier(*p, n);
		if (fixed)
			buf_printf(&b, "%s", fixed);
		else if (*p == 'l')
			buf_add(&b, n->hostname, strcspn(n->hostname, "."));
		else if (!add_name(&b, *p, n->name))
			return error_usage(err,
					   "'%s': what %%%c stands for is not known while an image is built",
					   text, *p);
	}
	*ret = buf_steal(&b);
	return 0;
}

/* ---- other values ---- */

/* A number and its unit, in nanoseconds; *@p moves behind them. */
static bool take_span(const char **p, double *ret)
{
	static const struct {
		const char *name;
		double seconds;
	} units[] = {
		{"usec", 1e-6},
		{"us", 1e-6},
		{"msec", 1e-3},
		{"ms", 1e-3},
		{"seconds", 1},
		{"second", 1},
		{"sec", 1},
		{"s", 1},
		{"minutes", 60},
		{"minute", 60},
		{"min", 60},
		{"months", 2629800},
		{"month", 2629800},
		{"m", 60},
		{"M", 2629800},
		{"hours", 3600},
		{"hour", 3600},
		{"hr", 3600},
		{"h", 3600},
		{"days", 86400},
		{"day", 86400},
		{"d", 86400},
		{"weeks", 604800},
		{"week", 604800},
		{"w", 604800},
		{"years", 31557600},
		{"year", 31557600},
		{"y", 31557600},
		{"", 1},
	};
	const char *s = *p;
	double v = 0, scale = 1;

	if (*s < '0' || *s > '9')
		return false;
	for (; *s >= '0' && *s <= '9'; s++)
		v = v * 10 + (*s - '0');
	if (*s == '.')
		for (s++; *s >= '0' && *s <= '9'; s++)
			v += (*s - '0') * (scale /= 10);
	s += strspn(s, BLANKS);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t len = strlen(units[i].name);

		if (strncmp(s, units[i].name, len) != 0)
			continue;
		*p = s + len + strspn(s + len, BLANKS);
		*ret = v * units[i].seconds;
		return true;
	}
	return false;
}

int unit_seconds(const char *value, unsigned *ret, struct error *err)
{
	const char *p = value;
	double sum = 0, part = 0;
	unsigned whole;

	if (strcmp(value, "infinity") == 0) {
		*ret = UINT_MAX;
		return 0;
	}
	do {
		if (!take_span(&p, &part))
			return error_usage(err, "'%s' is not a span of time", value);
		sum += part;
	} while (*p);
	if (sum >= UINT_MAX)
		sum = UINT_MAX - 1;
	whole = (unsigned)sum;
	*ret = whole + (whole < sum);
	return 0;
}

int unit_signal(const char *value, int *ret, struct error *err)
{
	const char *name = strncasecmp(value, "SIG", 3) == 0 ? value + 3 : value;
	char *end;
	long n = strtol(name, &end, 10);

	if (*name && !*end && n >= 1 && n <= 64) {
		*ret = (int)n;
		return 0;
	}
	if (strncmp(name, "RTMIN", 5) == 0) {
		/* What programs built with glibc take for it. */
		n = 34 + strtol(name + 5 + (name[5] == '+'), &end, 10);
		if (!*end && n >= 34 && n <= 64 && (!name[5] || name[5] == '+')) {
			*ret = (int)n;
			return 0;
		}
	}
	for (int i = 1; i < 32; i++) {
		const char *known = sigabbrev_np(i);

		if (known && strcmp(known, name) == 0) {
			*ret = i;
			return 0;
		}
	}
	return error_usage(err, "'%s' is not the name of a signal", value);
}

int unit_boolean(const char *value)
{
	static const char *const yes[] = {"1", "yes", "y", "true", "t", "on"};
	static const char *const no[] = {"0", "no", "n", "false", "f", "off"};

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (strcasecmp(value, yes[i]) == 0)
			return 1;
		if (strcasecmp(value, no[i]) == 0)
			return 0;
	}
	return -1;
}
