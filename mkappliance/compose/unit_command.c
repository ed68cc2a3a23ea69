/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/unit_command.h"

#include <string.h>

#include "lib/cleanup.h"

static void command_free(struct unit_command *c)
{
	strlist_free(&c->words);
	*c = (struct unit_command){0};
}

void unit_commands_free(struct unit_commands *c)
{
	for (size_t i = 0; i < c->len; i++)
		command_free(&c->ptr[i]);
	free(c->ptr);
	*c = (struct unit_commands){0};
}

/* The characters in front of the program. "@" says that the next word is what the program shall see as its name. */
static const char *take_prefixes(const char *word, struct unit_command *c, bool *ret_named, bool *ret_ambient)
{
	for (;; word++) {
		if (*word == '-')
			c->may_fail = true;
		else if (*word == '+')
			c->as_root = true;
		else if (*word == ':')
			c->no_expansion = true;
		else if (*word == '@')
			*ret_named = true;
		else if (*word == '!')
			*ret_ambient = true;
		else
			return word;
	}
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The words of one to @c, with their specifiers. */
static int fill_command(const struct unit_names *names, const struct strlist *words, struct unit_command *c,
			struct error *err)
{
	bool named = false, ambient = false;
	const char *program = take_prefixes(words->ptr[0], c, &named, &ambient);
	size_t next = 1;

	if (!*program)
		return error_usage(err, "there is no program");
	/* With User= these would leave the change of the user to the program, which is then root until it does. */
	c->as_root |= ambient;
	if (named) {
		if (next >= words->len || strcmp(base_name(words->ptr[next]), base_name(program)) != 0)
			return error_usage(err, "'@': the init runs a program under its own name only");
		next++;
	}
	for (size_t i = 0; i < words->len; i = i == 0 ? next : i + 1) {
		_cleanup_free_ char *word = NULL;
		int e = unit_specifiers(i == 0 ? program : words->ptr[i], names, &word, err);

		if (e < 0)
			return e;
		strlist_add(&c->words, word);
	}
	return 0;
}

static int add_command(const struct unit_names *names, const struct unit_item *item,
		       const struct strlist *words, struct unit_commands *ret, struct error *err)
{
	struct unit_command c = {.item = item};
	int e = words->len ? fill_command(names, words, &c, err) : 0;

	if (e < 0 || !c.words.len) {
		command_free(&c);
		return e;
	}
	array_grow(ret->ptr, ret->len, ret->cap);
	ret->ptr[ret->len++] = c;
	return 0;
}

int unit_commands_take(struct unit_commands *ret, const struct unit_item *item,
		       const struct unit_names *names, struct error *err)
{
	_cleanup_strlist_ struct strlist words = {0};
	const char *p = item->value;
	int e = 1;

	if (!*p)
		unit_commands_free(ret);
	while (e > 0) {
		_cleanup_free_ char *word = NULL;
		const char *start = p + strspn(p, "\t\n\r ");

		e = unit_word(&p, &word, err);
		if (e < 0)
			return e;
		if (e > 0 && p == start + 1 && *start == ';') {
			e = add_command(names, item, &words, ret, err);
			if (e < 0)
				return e;
			strlist_free(&words);
			e = 1;
		} else if (e > 0) {
			strlist_add(&words, p == start + 2 && memcmp(start, "\\;", 2) == 0 ? ";" : word);
		}
	}
	return add_command(names, item, &words, ret, err);
}
