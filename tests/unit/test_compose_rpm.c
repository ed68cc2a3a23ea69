/* SPDX-License-Identifier: Apache-2.0 */
/* What dnf, rpm and repositories say, made sense of. */
#include "unit.h"

#include "compose/rpm_internal.h"
#include "lib/hash.h"

static struct strlist lines_of(const char *text)
{
	struct strlist l = {0};

	while (*text) {
		size_t len = strcspn(text, "\n");

		strlist_addf(&l, "%.*s", (int)len, text);
		text += len + (text[len] == '\n');
	}
	return l;
}

/* dnf 4.14 and dnf5 5.1 */
static void solver_errors(void **state)
{
	static const char *const cases[][2] = {
		{"base  13 kB/s | 13 kB 00:00\nError: \n Problem: conflicting requests\n"
		 "  - nothing provides libx.so.1 needed by app-1-1.x86_64\n(try to add '--skip-broken' to skip)",
		 "nothing provides libx.so.1 needed by app-1-1.x86_64"},
		{"No match for argument: nowhere\nError: Unable to find a match: nowhere",
		 "No match for argument: nowhere; Unable to find a match: nowhere"},
		{"Error: \n Problem 1: conflicting requests\n  - nothing provides a needed by b\n"
		 " Problem 2: conflicting requests\n  - nothing provides c needed by d\n  - nothing provides a needed by b\n",
		 "nothing provides a needed by b; nothing provides c needed by d"},
		{"Error: Failed to download metadata for repo 'x': Cannot download repomd.xml",
		 "Failed to download metadata for repo 'x': Cannot download repomd.xml"},
		{"Failed to resolve the transaction:\nNo match for argument: nowhere\nYou can try to add to command line:\n",
		 "No match for argument: nowhere"},
		{"Can not load RPM file: /cache/work/1-0/scratch/packages/cut.rpm.\nCould not open: /cache/work/1-0/scratch/packages/cut.rpm",
		 "cut.rpm is damaged or cut off"},
		{"Downloading metadata...\nerror: No package matches 'nowhere'",
		 "No package matches 'nowhere'"},
		{"Error: \n Problem: cannot install both a-2-1.x86_64 and a-1-1.x86_64\n  - conflicting requests\n(try to add '--allowerasing')",
		 "cannot install both a-2-1.x86_64 and a-1-1.x86_64"},
		{"error: Could not depsolve transaction; 1 problem detected:\n Problem: conflicting requests\n"
		 "  - nothing provides libx.so.1 needed by app-1-1.x86_64",
		 "nothing provides libx.so.1 needed by app-1-1.x86_64"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct strlist l = lines_of(cases[i][0]);
		char *said = rpm_solver_error(&l);

		assert_string_equal(said, cases[i][1]);
		free(said);
		strlist_free(&l);
	}
}

static void no_solver_error(void **state)
{
	struct strlist l = lines_of("Dependencies resolved.\nComplete!\nError: \n"), none = {0};

	(void)state;
	assert_null(rpm_solver_error(&l));
	assert_null(rpm_solver_error(&none));
	strlist_free(&l);
}

static void scriptlets(void **state)
{
	static const char *const cases[][2] = {
		{"Preparing packages...\napp-1-1.x86_64\nthe reason\nwarning: %post(app-1-1.x86_64) scriptlet failed, exit status 3",
		 "%post(app-1-1.x86_64) scriptlet failed, exit status 3: the reason"},
		{"app-1-1.x86_64\nwarning: %post(app-1-1.x86_64) scriptlet failed, exit status 3",
		 "%post(app-1-1.x86_64) scriptlet failed, exit status 3"},
		{"app-1-1.x86_64\nerror: lua script failed: [string \"%post(app-1-1.x86_64)\"]:1: no\nother-1-1.x86_64",
		 "lua script failed: [string \"%post(app-1-1.x86_64)\"]:1: no"},
		{"error: %prein(app-1-1.x86_64) scriptlet failed, signal 9",
		 "%prein(app-1-1.x86_64) scriptlet failed, signal 9"},
	};
	struct strlist good =
		lines_of("Preparing packages...\napp-1-1.x86_64\nscriptlet failed, says a program\n");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct strlist l = lines_of(cases[i][0]);
		char *said = rpm_transaction_error(&l);

		assert_string_equal(said, cases[i][1]);
		free(said);
		strlist_free(&l);
	}
	assert_null(rpm_transaction_error(&good));
	strlist_free(&good);
}

static void take(const char *sha256, void *data)
{
	buf_printf(data, "%.4s ", sha256);
}

static void primary(void **state)
{
	static const char a[] = "aaaabbbbccccddddaaaabbbbccccddddaaaabbbbccccddddaaaabbbbccccdddd";
	static const char b[] = "bbbbbbbbccccddddaaaabbbbccccddddaaaabbbbccccddddaaaabbbbccccdddd";
	const char *const wanted[] = {a, b};
	_cleanup_buf_ struct buf text = {0}, found = {0};

	(void)state;
	buf_printf(
		&text,
		"<checksum type=\"sha256\" pkgid=\"YES\">%s</checksum>\n<checksum type=\"sha256\" pkgid=\"YES\">c%.63s</checksum>"
		"<checksum type=\"sha512\" pkgid=\"YES\">%s%s</checksum><checksum type=\"sha256\" pkgid=\"YES\">%s",
		b, a, a, a, a);
	rpm_scan_primary(text.ptr, text.len, wanted, 2, take, &found);
	assert_string_equal(found.ptr,
			    "bbbb "); /* of a digest that is longer, or cut off, nothing is believed */
	for (size_t cut = 0; cut < text.len; cut++) {
		char *part = xmemdup(text.ptr, cut + 1); /* so that a sanitizer sees what is read behind it */

		rpm_scan_primary(part, cut, wanted, 2, take, &found);
		free(part);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(solver_errors),
		cmocka_unit_test(no_solver_error),
		cmocka_unit_test(scriptlets),
		cmocka_unit_test(primary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
