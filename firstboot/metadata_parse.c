/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "metadata.h"

#define BLANKS " \t\r\n"
#define ALNUM  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static bool is_one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

bool metadata_hostname(const char *text, size_t len, char ret[METADATA_HOST_MAX + 1])
{
	size_t label = 0;

	while (len && is_one_of(*text, BLANKS)) {
		text++;
		len--;
	}
	while (len && is_one_of(text[len - 1], BLANKS))
		len--;
	if (len == 0 || len > METADATA_HOST_MAX)
		return false;
	for (size_t i = 0; i <= len; i++) {
		bool end = i == len || text[i] == '.';

		if (end && (label == 0 || label > 63 || text[i - 1] == '-'))
			return false;
		if (!end && !is_one_of(text[i], ALNUM "-"))
			return false;
		if (!end && label == 0 && text[i] == '-')
			return false;
		label = end ? 0 : label + 1;
	}
	memcpy(ret, text, len);
	ret[len] = '\0';
	return true;
}

/* From the opening quote at @at: the place behind the closing one, 0 when there is none. */
static size_t string_end(const char *text, size_t len, size_t at, bool *ret_plain)
{
	*ret_plain = true;
	for (size_t i = at + 1; i < len; i++) {
		if (text[i] == '"')
			return i + 1;
		if (text[i] == '\\') {
			*ret_plain = false;
			i++;
		}
	}
	return 0;
}

/* Members of the outermost object only: the depth counts brackets outside of strings. */
bool metadata_json(const char *text, size_t len, const char *key, const char **ret, size_t *ret_len)
{
	size_t key_len = strlen(key);
	unsigned depth = 0;

	for (size_t i = 0; i < len; i++) {
		size_t end, value;
		bool plain;

		if (text[i] == '{' || text[i] == '[')
			depth++;
		else if ((text[i] == '}' || text[i] == ']') && depth)
			depth--;
		if (text[i] != '"')
			continue;
		end = string_end(text, len, i, &plain);
		if (!end)
			return false;
		value = end;
		while (value < len && is_one_of(text[value], BLANKS))
			value++;
		if (depth == 1 && value < len && text[value] == ':' && end - i - 2 == key_len &&
		    memcmp(text + i + 1, key, key_len) == 0) {
			for (value++; value < len && is_one_of(text[value], BLANKS);)
				value++;
			end = value < len && text[value] == '"' ? string_end(text, len, value, &plain) : 0;
			if (!end || !plain)
				return false;
			*ret = text + value + 1;
			*ret_len = end - value - 2;
			return true;
		}
		i = end - 1;
	}
	return false;
}

bool metadata_yaml(const char *text, size_t len, const char *key, const char **ret, size_t *ret_len)
{
	size_t key_len = strlen(key);

	while (len) {
		const char *newline = memchr(text, '\n', len);
		size_t n = newline ? (size_t)(newline - text) : len;

		if (n > key_len && memcmp(text, key, key_len) == 0 && text[key_len] == ':') {
			*ret = text + key_len + 1;
			*ret_len = n - key_len - 1;
			return true;
		}
		n += newline ? 1 : 0;
		text += n;
		len -= n;
	}
	return false;
}

static bool is_name(const char *text, size_t len)
{
	static const char *const refused[] = {"PATH",	       "HOME",
					      "IFS",	       "ENV",
					      "BASH_ENV",      "NOTIFY_SOCKET",
					      "WATCHDOG_USEC", "PYTHONPATH",
					      "PYTHONSTARTUP", "PERL5OPT",
					      "PERL5LIB",      "NODE_OPTIONS",
					      "RUBYOPT",       "JAVA_TOOL_OPTIONS"};

	if (len == 0 || is_one_of(*text, "0123456789") || (len >= 3 && memcmp(text, "LD_", 3) == 0))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_one_of(text[i], ALNUM "_"))
			return false;
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		if (strlen(refused[i]) == len && memcmp(text, refused[i], len) == 0)
			return false;
	return true;
}

/* One line, ended by a NUL. */
static const char *check_line(const char *line, size_t len, const char *const *seen, size_t count)
{
	const char *equals = memchr(line, '=', len);
	size_t name = equals ? (size_t)(equals - line) : 0;

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			return "has a control character";
	if (!equals)
		return "is not NAME=value";
	if (!is_name(line, name))
		return "has no name that user data may set";
	for (size_t i = 0; i < count; i++)
		if (strncmp(seen[i], line, name + 1) == 0)
			return "sets a name again";
	return count == METADATA_ENV_MAX ? "is one variable too many" : NULL;
}

int metadata_parse_env(char *text, size_t len, const char *ret[METADATA_ENV_MAX + 1], size_t *ret_count,
		       struct line *why)
{
	size_t count = 0;
	unsigned number = 0;

	while (len) {
		char *newline = memchr(text, '\n', len);
		size_t n = newline ? (size_t)(newline - text) : len;
		size_t kept = n && text[n - 1] == '\r' ? n - 1 : n;
		const char *wrong = NULL;

		number++;
		if (kept && *text != '#')
			wrong = check_line(text, kept, ret, count);
		if (wrong) {
			line_printf(why, "line %u %s", number, wrong);
			return -EINVAL;
		}
		text[kept] = '\0';
		if (kept && *text != '#')
			ret[count++] = text;
		n += newline ? 1 : 0;
		text += n;
		len -= n;
	}
	ret[count] = NULL;
	*ret_count = count;
	return 0;
}

/* The value of header @name in the head of an answer; NULL: it is not there. */
static const char *find_header(const char *head, size_t len, const char *name, size_t *ret_len)
{
	size_t name_len = strlen(name);

	while (len) {
		const char *newline = memchr(head, '\n', len);
		size_t n = newline ? (size_t)(newline - head) : len;

		if (n > name_len && strncasecmp(head, name, name_len) == 0 && head[name_len] == ':') {
			*ret_len = n - name_len - 1;
			return head + name_len + 1;
		}
		n += newline ? 1 : 0;
		head += n;
		len -= n;
	}
	return NULL;
}

static bool parse_length(const char *text, size_t len, size_t *ret)
{
	char digits[12];
	uint64_t v;

	while (len && is_one_of(*text, BLANKS)) {
		text++;
		len--;
	}
	while (len && is_one_of(text[len - 1], BLANKS))
		len--;
	if (len == 0 || len >= sizeof digits)
		return false;
	memcpy(digits, text, len);
	digits[len] = '\0';
	if (!conf_number(digits, 0, METADATA_MAX, &v))
		return false;
	*ret = (size_t)v;
	return true;
}

int metadata_http(const char *text, size_t len, bool closed, const char **ret_body, size_t *ret_len)
{
	const char *end = memmem(text, len, "\r\n\r\n", 4), *value;
	size_t head, have, want, value_len = 0;
	int status = 0;

	if (!end)
		return closed ? -EBADMSG : 0;
	head = (size_t)(end - text) + 4;
	have = len - head;
	if (head < 16 || memcmp(text, "HTTP/1.", 7) != 0 || text[8] != ' ')
		return -EBADMSG;
	for (size_t i = 9; i < 12; i++) {
		if (!is_one_of(text[i], "0123456789"))
			return -EBADMSG;
		status = status * 10 + (text[i] - '0');
	}
	if (status < 100 || find_header(text, head, "Transfer-Encoding", &value_len))
		return -EBADMSG;
	value = find_header(text, head, "Content-Length", &value_len);
	want = have;
	if (value && !parse_length(value, value_len, &want))
		return -EBADMSG;
	if (have < want || (!value && !closed))
		return closed ? -EBADMSG : 0;
	*ret_body = text + head;
	*ret_len = want;
	return status;
}
