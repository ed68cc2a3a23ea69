/* SPDX-License-Identifier: Apache-2.0 */
/* Layers are made once, found again, and made anew when they are not what was written. */
#include "compose_fixture.h"

#include <sys/wait.h>
#include <time.h>

#include "compose/cache.h"

struct maker {
	unsigned calls;
	const char *text;
	bool fails;
	bool slow;
};

static int make(int fd, struct buf *note, void *data, struct error *err)
{
	struct maker *m = data;

	m->calls++;
	if (m->slow)
		nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
	if (io_write_full(fd, "layer", m->text, strlen(m->text), err) < 0)
		return err->code;
	buf_printf(note, "\"note of %s\"", m->text);
	return m->fails ? error_set(err, -EIO, "made to fail") : 0;
}

static struct cache open_cache(const void *dir)
{
	struct compose_options options = {.cache_dir = dir};
	struct cache c = {0};
	struct error err = ERROR_INIT;

	if (cache_open(&options, &c, &err) < 0)
		fail_msg("%s", err.text);
	return c;
}

/* The path of the layer, for those who want to harm it. To be freed. */
static char *get(const struct cache *c, const char *input, struct maker *m)
{
	_cleanup_cached_ struct cached found = CACHED_INIT;
	_cleanup_buf_ struct buf key = {0};
	struct error err = ERROR_INIT;
	struct sha256 expected;
	char text[64] = {0};

	cache_key_add(&key, "input", input);
	if (cache_get(c, &key, "test layer", true, make, m, &found, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(pread(found.fd, text, sizeof(text), 0), strlen(m->text));
	assert_string_equal(text, m->text);
	assert_int_equal(found.size, strlen(m->text));
	sha256_of(m->text, strlen(m->text), &expected);
	assert_memory_equal(&found.digest, &expected, sizeof(expected));
	snprintf(text, sizeof(text), "\"note of %s\"", m->text);
	assert_string_equal(found.note, text);
	return xstrdup(found.path);
}

static int try_get(const struct cache *c, const char *input, struct maker *m, struct error *err)
{
	_cleanup_cached_ struct cached found = CACHED_INIT;
	_cleanup_buf_ struct buf key = {0};

	cache_key_add(&key, "input", input);
	return cache_get(c, &key, "test layer", true, make, m, &found, err);
}

static void test_makes_once(void **state)
{
	_cleanup_cache_ struct cache c = open_cache(*state);
	struct maker m = {.text = "one"}, other = {.text = "two"};
	_cleanup_free_ char *a = get(&c, "a", &m), *again = get(&c, "a", &m), *b = get(&c, "b", &other);

	assert_int_equal(m.calls, 1);
	assert_int_equal(other.calls, 1);
	assert_string_equal(a, again);
	assert_string_not_equal(a, b);
	c.refresh = true;
	free(again);
	again = get(&c, "a", &m);
	assert_int_equal(m.calls, 2);
}

static void test_offline(void **state)
{
	_cleanup_cache_ struct cache c = open_cache(*state);
	struct maker m = {.text = "one"};
	struct error err = ERROR_INIT;

	c.offline = true;
	assert_int_equal(try_get(&c, "a", &m, &err), -ENOENT);
	assert_contains(err.text, "test layer: is not in the cache");
	assert_int_equal(m.calls, 0);
	c.offline = false;
	free(get(&c, "a", &m));
	c.offline = true;
	free(get(&c, "a", &m));
	assert_int_equal(m.calls, 1);
}

static void test_failure_leaves_nothing(void **state)
{
	_cleanup_cache_ struct cache c = open_cache(*state);
	_cleanup_free_ char *layers = xasprintf("%s/layers", (char *)*state);
	struct maker m = {.text = "half", .fails = true};
	struct error err = ERROR_INIT;
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *de;

	assert_int_equal(try_get(&c, "a", &m, &err), -EIO);
	assert_string_equal(err.text, "made to fail");
	dir = opendir(layers);
	while ((de = readdir(dir)))
		assert_int_equal(de->d_name[0], '.');
	m.fails = false;
	free(get(&c, "a", &m));
}

/* Each kind of harm; @remade: whether the layer has to be made again. */
static void test_damage(void **state)
{
	_cleanup_cache_ struct cache c = open_cache(*state);
	struct maker m = {.text = "content"};
	_cleanup_free_ char *path = get(&c, "a", &m);
	_cleanup_free_ char *record = xasprintf("%.*sjson", (int)strlen(path) - 3, path);
	_cleanup_free_ char *copy = xasprintf("%s.copy", path);
	struct error err = ERROR_INIT;
	int fd;

	assert_int_equal(truncate(path, 3), 0);
	free(get(&c, "a", &m));
	assert_int_equal(m.calls, 2);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "C", 1, 0), 1);
	close(fd);
	free(get(&c, "a", &m));
	assert_int_equal(m.calls, 3);
	assert_int_equal(output_write_file(record, "{\"sha256\":", 10, &err), 0);
	free(get(&c, "a", &m));
	assert_int_equal(m.calls, 4);
	assert_int_equal(unlink(record), 0);
	free(get(&c, "a", &m));
	assert_int_equal(m.calls, 5);
	assert_int_equal(unlink(path), 0);
	free(get(&c, "a", &m));
	assert_int_equal(m.calls, 6);
	/* The same bytes in another file, as after a copy of the cache: not made again. */
	assert_int_equal(output_write_file(copy, "content", 7, &err), 0);
	assert_int_equal(rename(copy, path), 0);
	free(get(&c, "a", &m));
	free(get(&c, "a", &m));
	assert_int_equal(m.calls, 6);
}

static void test_concurrent(void **state)
{
	_cleanup_cache_ struct cache c = open_cache(*state);
	struct maker m = {.text = "shared", .slow = true};
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct error err = ERROR_INIT;

		_exit(try_get(&c, "a", &m, &err) < 0 ? 9 : (int)m.calls);
	}
	free(get(&c, "a", &m));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	/* One of the two made it. */
	assert_int_equal(WEXITSTATUS(status) + (int)m.calls, 1);
}

static void test_keys_differ(void **state)
{
	_cleanup_buf_ struct buf a = {0}, b = {0}, none = {0}, empty = {0};

	(void)state;
	cache_key_add(&a, "package", "x\npackage=1:y");
	cache_key_add(&b, "package", "x");
	cache_key_add(&b, "package", "y");
	assert_string_not_equal(a.ptr, b.ptr);
	cache_key_add(&none, "mirror", NULL);
	cache_key_add(&empty, "mirror", "");
	assert_string_not_equal(none.ptr, empty.ptr);
}

static void test_directory(void **state)
{
	struct compose_options options = {0};
	struct cache c = {0};
	struct error err = ERROR_INIT;
	_cleanup_free_ char *expected = xasprintf("%s/mkappliance", (char *)*state);

	setenv("XDG_CACHE_HOME", *state, 1);
	assert_int_equal(cache_open(&options, &c, &err), 0);
	assert_string_equal(c.dir, expected);
	cache_close(&c);
	setenv("XDG_CACHE_HOME", "relative", 1);
	unsetenv("HOME");
	assert_true(cache_open(&options, &c, &err) < 0);
	assert_contains(err.text, "set XDG_CACHE_HOME or HOME");
}

/* Programs that are given paths in it may work elsewhere. */
static void test_relative(void **state)
{
	_cleanup_free_ char *here = getcwd(NULL, 0);
	struct cache c;

	assert_int_equal(chdir(*state), 0);
	c = open_cache("below");
	assert_int_equal(chdir(here), 0);
	assert_int_equal(c.dir[0], '/');
	assert_int_equal(access(c.dir, F_OK), 0);
	cache_close(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_dir(test_makes_once),
		unit_test_in_dir(test_offline),
		unit_test_in_dir(test_failure_leaves_nothing),
		unit_test_in_dir(test_damage),
		unit_test_in_dir(test_concurrent),
		cmocka_unit_test(test_keys_differ),
		unit_test_in_dir(test_directory),
		unit_test_in_dir(test_relative),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
