/* SPDX-License-Identifier: Apache-2.0 */
/* What a container image says of its start-up becomes [Init], where the template says nothing. */
#include "compose_fixture.h"

#include <signal.h>

#include "compose/oci_start.h"

#define HEAD "[Appliance]\nName=n\nVersion=1\n[Base]\nSource=oci\nImage=x\n"

static const struct member files[] = {
	{.path = "bin", .type = '5'},
	{.path = "bin/tool", .mode = 0755, .data = "x"},
	{.path = "bin/data", .mode = 0644, .data = "x"},
	{.path = "opt/tool", .mode = 0755, .data = "y"},
	{.path = "opt/link", .type = '2', .link = "/bin/tool"},
	{.path = "var/www/html/index.html", .data = "x"},
	{.path = "var/empty/link", .type = '2', .link = "/bin/tool"},
	{.path = "etc/passwd", .data = "root:x:0:0:r:/root:/bin/sh\napp:x:7:8::/home/app:\nodd:x:9\n"},
	{0},
};

static struct merge *tree(void)
{
	struct merge *m = merge_new();
	struct layer l = layer_from(files);
	struct error err = ERROR_INIT;

	assert_int_equal(merge_layer(m, &l, 0, 0, &err), 0);
	return m;
}

/* The template with these lines and the image's configuration in it, or the error. */
static struct template *start(const char *lines, const char *config, struct error *err)
{
	_cleanup_free_ char *text = xasprintf(HEAD "%s", lines);
	_cleanup_free_ char *json = xasprintf("{\"rootfs\":{\"diff_ids\":[]},\"config\":{%s}}", config);
	_cleanup_oci_config_ struct oci_config c = {0};
	_cleanup_merge_ struct merge *m = tree();
	struct template *t = NULL;

	if (template_parse(text, strlen(text), "f", "/d", &t, err) < 0 ||
	    oci_config_parse(json, strlen(json), "c", &c, err) < 0)
		fail_msg("%s", err->text);
	if (oci_start(t, &c, "image", m, err) == 0)
		return t;
	template_free(t);
	return NULL;
}

static struct template *start_good(const char *lines, const char *config)
{
	struct error err = ERROR_INIT;
	struct template *t = start(lines, config, &err);

	if (!t)
		fail_msg("%s", err.text);
	return t;
}

/* What is said on standard error while the image with that configuration starts. To be freed. */
static char *warnings_of(const char *config)
{
	_cleanup_close_ int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3),
			    fd = memfd_create("log", MFD_CLOEXEC);
	char *text = xcalloc(1, 4096);

	assert_true(kept >= 0 && fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	template_free(start_good("", config));
	assert_true(dup2(kept, STDERR_FILENO) >= 0);
	assert_true(pread(fd, text, 4095, 0) >= 0);
	return text;
}

static void assert_list(const struct strlist *l, const char *joined)
{
	_cleanup_buf_ struct buf b = {0};

	for (size_t i = 0; i < l->len; i++)
		buf_printf(&b, "%s%s", i ? "|" : "", l->ptr[i]);
	assert_string_equal(b.len ? b.ptr : "", joined);
}

static void test_everything(void **state)
{
	_cleanup_template_ struct template *t = start_good(
		"",
		"\"Entrypoint\":[\"tool\",\"-f\"],\"Cmd\":[\"a b\",\"\"],\"Env\":[\"PATH=/opt\",\"A=1\"],"
		"\"User\":\"app:50\",\"WorkingDir\":\"/srv/./x/\",\"StopSignal\":\"SIGQUIT\","
		"\"ExposedPorts\":{\"53/udp\":{},\"80/tcp\":{}},\"Volumes\":{\"/data\":{},\"/data/sub\":{},\"/run/x\":{}}");

	(void)state;
	assert_list(&t->init.app.exec, "/opt/tool|-f|a b|");
	assert_list(&t->init.app.environment, "PATH=/opt|A=1|HOME=/home/app");
	assert_string_equal(t->init.app.user, "app");
	assert_string_equal(t->init.app.group, "50");
	assert_string_equal(t->init.app.working_directory, "/srv/x");
	assert_int_equal(t->init.app.stop_signal, SIGQUIT);
	assert_int_equal(t->init.app.ready_port, 80);
	assert_null(t->init.app.ready_path);
	assert_list(&t->init.writable, "/data");
}

static void test_template_goes_first(void **state)
{
	_cleanup_template_ struct template *t = start_good(
		"[Init]\nExec=/bin/other x\nEnvironment=A=2 HOME=/h\nUser=5\nGroup=6\nWorkingDirectory=/w\nStopSignal=INT\n"
		"Ready=http://:1/\nWritable=/w\n",
		"\"Entrypoint\":[\"tool\"],\"Env\":[\"A=1\",\"B=1\"],\"User\":\"app\",\"WorkingDir\":\"/srv\","
		"\"StopSignal\":\"SIGQUIT\",\"ExposedPorts\":{\"80/tcp\":{}},\"Volumes\":{\"/data\":{}}");

	(void)state;
	assert_list(&t->init.app.exec, "/bin/other|x");
	assert_list(&t->init.app.environment, "B=1|A=2|HOME=/h");
	assert_string_equal(t->init.app.user, "5");
	assert_string_equal(t->init.app.group, "6");
	assert_string_equal(t->init.app.working_directory, "/w");
	assert_int_equal(t->init.app.stop_signal, SIGINT);
	assert_int_equal(t->init.app.ready_port, 1);
	assert_list(&t->init.writable, "/w");
}

/* Exec= alone takes the place of entry point and command, and the rest stays the image's. */
static void test_only_exec(void **state)
{
	_cleanup_template_ struct template *t = start_good(
		"[Init]\nExec=/bin/tool\n", "\"Entrypoint\":[\"gone\"],\"Cmd\":[\"x\"],\"User\":\"app\"");

	(void)state;
	assert_list(&t->init.app.exec, "/bin/tool");
	assert_string_equal(t->init.app.user, "app");
	assert_null(t->init.app.group);
}

static void test_users(void **state)
{
	_cleanup_template_ struct template *unknown = start_good("", "\"Cmd\":[\"tool\"],\"User\":\"1234\"");
	_cleanup_template_ struct template *known = start_good("", "\"Cmd\":[\"tool\"],\"User\":\"7\"");
	_cleanup_template_ struct template *none = start_good("", "\"Cmd\":[\"tool\"],\"User\":\"\"");
	_cleanup_template_ struct template *odd = start_good("", "\"Cmd\":[\"tool\"],\"User\":\"9\"");

	(void)state;
	assert_string_equal(unknown->init.app.group, "0");
	assert_null(known->init.app.group);
	assert_list(&known->init.app.environment, "HOME=/home/app");
	assert_string_equal(none->init.app.user, "0");
	assert_list(&none->init.app.environment, "HOME=/root");
	assert_string_equal(odd->init.app.group, "0");
	assert_list(&odd->init.app.environment, "");
}

static void test_user_split(void **state)
{
	_cleanup_free_ char *user = NULL, *group = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(oci_user_split("www-data:0", &user, &group, &err), 0);
	assert_string_equal(user, "www-data");
	assert_string_equal(group, "0");
	assert_true(oci_user_split("", &user, &group, &err) < 0);
	assert_true(oci_user_split("a:", &user, &group, &err) < 0);
	assert_true(oci_user_split(":a", &user, &group, &err) < 0);
	assert_true(oci_user_split("a:b:c", &user, &group, &err) < 0);
	assert_true(oci_user_split("4294967295", &user, &group, &err) < 0);
	assert_true(oci_user_split("a\nb", &user, &group, &err) < 0);
}

static void assert_program(const char *name, const char *directory, const char *path, const char *expected)
{
	_cleanup_strlist_ struct strlist env = {0};
	_cleanup_merge_ struct merge *m = tree();
	_cleanup_free_ char *found = NULL;

	if (path)
		strlist_addf(&env, "PATH=%s", path);
	found = oci_find_program(m, name, directory, &env);
	if (expected)
		assert_string_equal(found, expected);
	else
		assert_null(found);
}

static void test_path(void **state)
{
	(void)state;
	assert_program("tool", "/", "/none:/bin:/opt", "/bin/tool");
	assert_program("tool", "/", NULL, "/bin/tool"); /* the usual one */
	assert_program("link", "/", "/opt", "/opt/link");
	assert_program("tool", "/opt", "relative:.", "/opt/tool");
	assert_program("data", "/", "/bin", NULL); /* not executable */
	assert_program("bin", "/", "/", NULL);	   /* a directory */
	assert_program("gone", "/", "/bin:/opt", NULL);
	assert_program("tool", "/", "", NULL);
	assert_program("tool", "/", "/../bin", NULL);
	assert_program("/any/where", "/", "/bin", "/any/where");
	assert_program("./run", "/srv", "/bin", "/srv/run");
}

static void test_signals(void **state)
{
	struct error err = ERROR_INIT;
	int n = 0;

	(void)state;
	assert_int_equal(oci_signal("SIGTERM", &n, &err), 0);
	assert_int_equal(n, SIGTERM);
	assert_int_equal(oci_signal("37", &n, &err), 0);
	assert_int_equal(n, 37);
	assert_int_equal(oci_signal("SIGRTMIN+3", &n, &err), 0);
	assert_int_equal(n, 37);
	assert_int_equal(oci_signal("RTMIN", &n, &err), 0);
	assert_int_equal(n, 34);
	assert_true(oci_signal("SIGRTMIN+31", &n, &err) < 0);
	assert_true(oci_signal("0", &n, &err) < 0);
	assert_true(oci_signal("65", &n, &err) < 0);
	assert_true(oci_signal("SIGNOTHING", &n, &err) < 0);
	assert_contains(err.text, "say [Init] StopSignal=");
}

static void test_ports(void **state)
{
	_cleanup_template_ struct template *two =
		start_good("", "\"Cmd\":[\"tool\"],\"ExposedPorts\":{\"80/tcp\":{},\"443/tcp\":{}}");
	_cleanup_template_ struct template *bare =
		start_good("", "\"Cmd\":[\"tool\"],\"ExposedPorts\":{\"8080\":{}}");
	_cleanup_template_ struct template *odd =
		start_good("", "\"Cmd\":[\"tool\"],\"ExposedPorts\":{\"80-90/tcp\":{}}");
	_cleanup_template_ struct template *twice = start_good(
		"", "\"Cmd\":[\"tool\"],\"ExposedPorts\":{\"80\":{},\"80/tcp\":{},\"99999/tcp\":{}}");
	_cleanup_free_ char *said =
		warnings_of("\"Cmd\":[\"tool\"],\"ExposedPorts\":{\"99999/tcp\":{},\"x\":{},\"7/sctp\":{}}");

	(void)state;
	assert_int_equal(two->init.app.ready_port, 0);
	assert_int_equal(bare->init.app.ready_port, 8080);
	assert_int_equal(odd->init.app.ready_port, 0);
	assert_int_equal(twice->init.app.ready_port, 80);
	assert_contains(said, "'99999/tcp', which is no port: 99999 is not within 1 and 65535");
	assert_contains(said, "'x', which is no port: 'x' is not a number");
	assert_null(strstr(said, "sctp"));
}

/* A file system in memory hides what the image has there; directories and links it begins with. */
static void test_volumes(void **state)
{
	_cleanup_free_ char *hidden = warnings_of("\"Cmd\":[\"tool\"],\"Volumes\":{\"/var\":{}}");
	_cleanup_free_ char *fine =
		warnings_of("\"Cmd\":[\"tool\"],\"Volumes\":{\"/var/empty\":{},\"/new\":{}}");

	(void)state;
	assert_contains(hidden, "the image's volume /var becomes a file system in memory, where its "
				"/var/www/html/index.html is not to be seen");
	assert_string_equal(fine, "");
}

static void test_relative_directory(void **state)
{
	_cleanup_template_ struct template *t =
		start_good("", "\"Cmd\":[\"./tool\"],\"WorkingDir\":\"opt/\"");
	_cleanup_free_ char *said = warnings_of("\"Cmd\":[\"tool\"],\"WorkingDir\":\"opt/\"");

	(void)state;
	assert_string_equal(t->init.app.working_directory, "/opt");
	assert_list(&t->init.app.exec, "/opt/tool");
	assert_contains(said, "the image's WorkingDir 'opt/' is relative: the program starts in /opt");
}

static void test_refusals(void **state)
{
	static const struct {
		const char *config, *message;
	} cases[] = {
		{"", "image: has neither Entrypoint nor Cmd; say what to run with [Init] Exec="},
		{"\"Cmd\":[\"gone\"]", "image: its program 'gone' is not in the image's PATH"},
		{"\"Cmd\":[\"tool\"],\"Env\":[\"A\"]", "image: Env has 'A', which is not NAME=value"},
		{"\"Cmd\":[\"tool\"],\"Env\":[\"=x\"]", "image: Env has '=x'"},
		{"\"Cmd\":[\"tool\"],\"User\":\"a b\"", "image: User 'a b': 'a b' is neither"},
		{"\"Cmd\":[\"tool\"],\"WorkingDir\":\"/a/../b\"", "image: WorkingDir '/a/../b' is no path"},
		{"\"Cmd\":[\"tool\"],\"StopSignal\":\"x\"", "image: StopSignal 'x' is not known"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = ERROR_INIT;

		if (start("", cases[i].config, &err))
			fail_msg("%s is accepted", cases[i].config);
		assert_contains(err.text, cases[i].message);
	}
}

/* The base's own init takes nothing of it. */
static void test_system(void **state)
{
	_cleanup_template_ struct template *t = start_good("[Init]\nMode=system\n", "\"User\":\"a b\"");

	(void)state;
	assert_int_equal(t->init.app.exec.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything), cmocka_unit_test(test_template_goes_first),
		cmocka_unit_test(test_only_exec),  cmocka_unit_test(test_users),
		cmocka_unit_test(test_user_split), cmocka_unit_test(test_path),
		cmocka_unit_test(test_signals),	   cmocka_unit_test(test_ports),
		cmocka_unit_test(test_volumes),	   cmocka_unit_test(test_relative_directory),
		cmocka_unit_test(test_refusals),   cmocka_unit_test(test_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
