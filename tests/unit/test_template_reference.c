/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "template/reference.h"

static void assert_reference(const char *dir, const char *value, const char *path, const char *name)
{
	_cleanup_reference_ struct reference r = {0};
	struct error err = ERROR_INIT;

	if (reference_parse(dir, value, &r, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(r.path, path);
	if (name)
		assert_string_equal(r.name, name);
	else
		assert_null(r.name);
	assert_int_equal(r.registry, strncmp(value, "docker://", 9) == 0);
}

static void assert_no_reference(const char *dir, const char *value, const char *message)
{
	struct reference r = {0};
	struct error err = ERROR_INIT;

	assert_true(reference_parse(dir, value, &r, &err) < 0);
	assert_int_equal(err.exit, EXIT_USAGE);
	assert_contains(err.text, message);
	assert_null(r.path);
}

/* The name of a file may hold colons, and so may the name of an image. */
static void test_parts(void **state)
{
	const char *dir = *state;
	_cleanup_free_ char *image = xasprintf("%s/image", dir), *colon = xasprintf("%s/with:colon", dir);
	_cleanup_free_ char *absolute = xasprintf("%s:a", image);
	struct error err = ERROR_INIT;

	assert_int_equal(output_write_file(image, "", 0, &err), 0);
	assert_int_equal(output_write_file(colon, "", 0, &err), 0);
	assert_reference(dir, "image", image, NULL);
	assert_reference(dir, "image:1.0", image, "1.0");
	assert_reference(dir, "image:example.org:5000/a/b:1.0", image, "example.org:5000/a/b:1.0");
	assert_reference(dir, "with:colon", colon, NULL);
	assert_reference(dir, "with:colon:tag", colon, "tag");
	assert_reference("/", absolute, image, "a");
	assert_reference(dir, "docker://example.org:5000/a:1", "docker://example.org:5000/a:1", NULL);
	assert_reference(dir, "docker://a@sha256:00", "docker://a@sha256:00", NULL);
}

static void test_refusals(void **state)
{
	const char *dir = *state;
	_cleanup_free_ char *image = xasprintf("%s/image", dir);
	struct error err = ERROR_INIT;

	assert_int_equal(output_write_file(image, "", 0, &err), 0);
	assert_no_reference(dir, "other", "'other': neither an OCI layout or archive nor docker://NAME:TAG");
	assert_no_reference(dir, ":x", "there is no file");
	assert_no_reference(dir, "", "there is no file");
	assert_no_reference(dir, "image:", "'' is not the name of an image");
	assert_no_reference(dir, "image:a b", "'a b' is not the name of an image");
	assert_no_reference(dir, "docker://", "'' is not the name of an image");
	assert_no_reference(dir, "docker://--help", "'--help' is not the name of an image");
	assert_no_reference(dir, "docker://a;b", "is not the name of an image");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_dir(test_parts),
		unit_test_in_dir(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
