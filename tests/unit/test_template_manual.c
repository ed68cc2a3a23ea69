/* SPDX-License-Identifier: Apache-2.0 */
/* appliance.conf(5) and the parser say the same. Runs in the root of the sources, as scripts/unit does. */
#include "unit.h"

#include <fcntl.h>

#include "template/template.h"

#define MANUAL "mkappliance/man/appliance.conf.5"

/* Its lines; *state is a struct strlist. */
static int read_manual(void **state)
{
	struct strlist *lines = xcalloc(1, sizeof(*lines));
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;

	*state = lines;
	if (io_read_file(AT_FDCWD, MANUAL, 1 << 20, &b, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return -1;
	}
	for (char *p = b.ptr; *p;) {
		size_t len = strcspn(p, "\n");

		strlist_addf(lines, "%.*s", (int)len, p);
		p += len + (p[len] == '\n');
	}
	return 0;
}

static int free_manual(void **state)
{
	strlist_free(*state);
	free(*state);
	return 0;
}

/* "Section.Key" of each ".It Cm Key=" or, where the item takes several lines, ".Cm Key= Ns". */
static void list_keys(const struct strlist *manual, struct strlist *ret)
{
	char section[32] = "", key[32];

	for (size_t i = 0; i < manual->len; i++) {
		const char *line = manual->ptr[i];
		bool of_item = i > 0 && strncmp(manual->ptr[i - 1], ".It Xo", 6) == 0;

		if (sscanf(line, ".Ss [%31[A-Za-z]]", section) == 1)
			continue;
		if (sscanf(line, ".It Cm %31[A-Za-z0-9]=", key) == 1 ||
		    (of_item && sscanf(line, ".Cm %31[A-Za-z0-9]=", key) == 1))
			strlist_addf(ret, "%s.%s", section, key);
	}
}

static void test_keys_in_their_order(void **state)
{
	const char *const *known = template_known_keys();
	_cleanup_strlist_ struct strlist documented = {0};
	size_t i;

	list_keys(*state, &documented);
	for (i = 0; known[i] && i < documented.len; i++)
		assert_string_equal(known[i], documented.ptr[i]);
	if (known[i])
		fail_msg("%s is not in " MANUAL, known[i]);
	if (i < documented.len)
		fail_msg("the parser does not know %s of " MANUAL, documented.ptr[i]);
}

/* A line of a literal block as a reader sees it. */
static void add_literal(struct buf *text, const char *line)
{
	for (const char *p = line; *p; p++) {
		buf_add(text, p, 1);
		if (p[0] == '\\' && p[1] == 'e')
			p++;
	}
	buf_add(text, "\n", 1);
}

static void test_examples_are_templates(void **state)
{
	const struct strlist *manual = *state;
	_cleanup_buf_ struct buf text = {0};
	bool literal = false;
	unsigned examples = 0;

	for (size_t i = 0; i < manual->len; i++) {
		const char *line = manual->ptr[i];
		struct template *t = NULL;
		struct error err = ERROR_INIT;

		if (strncmp(line, ".Bd -literal", 12) == 0) {
			literal = true;
		} else if (strcmp(line, ".Ed") == 0) {
			if (template_parse(text.ptr, text.len, "example", "/d", &t, &err) < 0)
				fail_msg("%s", err.text);
			template_free(t);
			buf_free(&text);
			literal = false;
			examples++;
		} else if (literal) {
			add_literal(&text, line);
		}
	}
	assert_int_equal(examples, 4);
}

/* Each key says "Required" or "Default:" before the next one, but for those that only go with another. */
static void test_defaults_are_said(void **state)
{
	static const char *const none[] = {"Base.Path", "Kernel.Image"};
	const struct strlist *manual = *state;
	char key[32] = "", section[32] = "";
	bool said = true;

	for (size_t i = 0; i < manual->len; i++) {
		const char *line = manual->ptr[i];
		bool item = strncmp(line, ".It ", 4) == 0, end = strcmp(line, ".El") == 0;

		if (sscanf(line, ".Ss [%31[A-Za-z]]", section) == 1 || !*section)
			continue;
		if (item || end) {
			_cleanup_free_ char *name = xasprintf("%s.%s", section, key);

			for (size_t j = 0; j < sizeof(none) / sizeof(none[0]); j++)
				said |= strcmp(name, none[j]) == 0;
			if (!said)
				fail_msg("%s has neither 'Default:' nor 'Required'", name);
			said = end;
			(void)sscanf(line, ".It Cm %31[A-Za-z0-9]=", key);
		}
		if (strncmp(line, ".Sh ", 4) == 0)
			break;
		said |= strncmp(line, "Default:", 8) == 0 || strncmp(line, "Required", 8) == 0;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys_in_their_order),
		cmocka_unit_test(test_examples_are_templates),
		cmocka_unit_test(test_defaults_are_said),
	};

	unsetenv("SOURCE_DATE_EPOCH");
	return cmocka_run_group_tests(tests, read_manual, free_manual);
}
