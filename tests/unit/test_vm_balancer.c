/* SPDX-License-Identifier: Apache-2.0 */
/* What HAProxy 2.6 answers, as it was seen, and what must not matter. */
#include "unit.h"

#include <sys/wait.h>
#include <unistd.h>

#include "lib/spawn.h"
#include "vm/balancer.h"
#include "vm/host.h"

#define STATE_HEADER                                                                                        \
	"1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight " \
	"srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state "    \
	"srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl "           \
	"srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n"
#define STAT_HEADER "# pxname,svname,scur,bout,hrsp_5xx,req_tot,check_status,check_code,last_chk,\n"

/* @operation, admin state, result and health of the check. */
static char *state_line(const char *name, int operation, int admin, int result, int health)
{
	return xasprintf("3 app 1 %s 127.0.0.1 %d %d 1 1 2 15 %d %d 6 0 0 0 - 18991 - 0 18991 - - 18991\n",
			 name, operation, admin, result, health);
}

static enum balancer_verdict verdict(int operation, int admin, int result, int health, bool *ret_ready)
{
	_cleanup_free_ char *line = state_line("i1", operation, admin, result, health);
	_cleanup_free_ char *text = xasprintf(STATE_HEADER "%s\n", line);
	struct balancer_report r;
	enum balancer_verdict v;

	balancer_parse(text, &r);
	assert_int_equal(r.count, 1);
	assert_string_equal(r.servers[0].name, "i1");
	v = r.servers[0].verdict;
	*ret_ready = r.servers[0].ready;
	balancer_report_free(&r);
	return v;
}

static void test_verdicts(void **state)
{
	bool ready;

	(void)state;
	assert_int_equal(verdict(2, 8, 0, 2, &ready), VERDICT_NONE); /* added, not checked yet */
	assert_int_equal(verdict(2, 8, 0, 0, &ready), VERDICT_NONE); /* the same of 2.6 */
	assert_int_equal(verdict(2, 8, 3, 1, &ready), VERDICT_NONE); /* one passed, of two */
	assert_false(ready);
	assert_int_equal(verdict(2, 8, 3, 3, &ready), VERDICT_UP);
	assert_int_equal(verdict(2, 0, 3, 4, &ready), VERDICT_UP);
	assert_true(ready);
	assert_int_equal(verdict(2, 0, 0, 4, &ready), VERDICT_UP); /* a check is under way */
	assert_int_equal(verdict(2, 0, 2, 3, &ready), VERDICT_UP); /* one failed, of three */
	assert_int_equal(verdict(0, 0, 2, 0, &ready), VERDICT_DOWN);
	assert_int_equal(verdict(0, 8, 3, 1, &ready), VERDICT_DOWN); /* one passed, of two */
	assert_int_equal(verdict(0, 1, 0, 2, &ready), VERDICT_NONE); /* in maintenance */
}

static void test_numbers(void **state)
{
	_cleanup_free_ char *one = state_line("i1", 2, 0, 3, 4), *two = state_line("i2", 0, 0, 2, 0);
	_cleanup_free_ char *text = xasprintf(
		STATE_HEADER "%s%s\n\n" STAT_HEADER
			     "clients,FRONTEND,3,900,7,1000,,,,\napp,i1,2,812,0,500,* L7OK,,,\n"
			     "app,i2,0,0,0,0,L7STS,503,\"Service, Unavailable\",\napp,BACKEND,0,0,9,9,,,,\n",
		one, two);
	_cleanup_balancer_report_ struct balancer_report r = {0};

	(void)state;
	balancer_parse(text, &r);
	assert_int_equal(r.count, 2);
	assert_int_equal(r.requests, 1000);
	assert_int_equal(r.lost, 7);
	assert_int_equal(r.servers[0].connections, 2);
	assert_int_equal(r.servers[0].bytes, 812);
	assert_string_equal(r.servers[0].reason, "");
	assert_string_equal(r.servers[1].reason, "answered 503");
}

static void test_nonsense(void **state)
{
	static const char *const texts[] = {"",
					    "\n\n",
					    "1\n",
					    "1 2 3\n",
					    "# pxname,svname\napp,i1\n",
					    STAT_HEADER "app,i1,\"",
					    STATE_HEADER "3 app 1 i1\n",
					    "Unknown command. Please enter one of the following\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		_cleanup_balancer_report_ struct balancer_report r = {0};

		balancer_parse(texts[i], &r);
		assert_int_equal(r.count, 0);
	}
}

static void test_paths(void **state)
{
	(void)state;
	assert_true(balancer_path_is_plain("/healthz?deep=1"));
	assert_false(balancer_path_is_plain("/a b"));
	assert_false(balancer_path_is_plain("/a\n\tserver x"));
	assert_false(balancer_path_is_plain("/a#b"));
	assert_false(balancer_path_is_plain("healthz"));
}

/* The real one: servers come, get requests, go; it is found again, and ends. */
static void test_haproxy(void **state)
{
	struct balancer_config c = {
		.dir = *state, .address = "127.0.0.1", .health_path = "/healthz", .health_status = 200};
	_cleanup_balancer_report_ struct balancer_report r = {0}, later = {0};
	struct error err = ERROR_INIT;

	if (!spawn_available("haproxy") && access("/usr/sbin/haproxy", X_OK) < 0)
		skip();
	assert_int_equal(balancer_read(*state, &r, &err), -EAGAIN);
	assert_int_equal(host_free_port(&c.port, &err), 0);
	assert_int_equal(balancer_start(&c, &err), 0);
	assert_int_equal(balancer_start(&c, &err), 0); /* it is there */
	assert_int_equal(balancer_add(*state, "i1", 9, 9, &err), 0);
	assert_int_equal(balancer_add(*state, "i1", 9, 9, &err), 0);
	assert_int_equal(balancer_add(*state, "i2", 9, 9, &err), 0);
	assert_int_equal(balancer_set_ready(*state, "i1", true, &err), 0);
	assert_true(balancer_set_ready(*state, "nobody", true, &err) < 0);
	assert_int_equal(balancer_read(*state, &r, &err), 0);
	assert_int_equal(r.count, 2);
	assert_true(r.servers[0].ready);
	assert_false(r.servers[1].ready);
	assert_int_equal(balancer_remove(*state, "i1", &err), 0);
	assert_int_equal(balancer_remove(*state, "i1", &err), 0);
	assert_int_equal(balancer_read(*state, &later, &err), 0);
	assert_int_equal(later.count, 1);
	assert_int_equal(balancer_stop(*state, &err), 0);
	assert_int_equal(balancer_stop(*state, &err), 0);
	assert_int_equal(balancer_add(*state, "i3", 9, 9, &err), -EAGAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts), cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_nonsense), cmocka_unit_test(test_paths),
		unit_test_in_dir(test_haproxy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
