/* SPDX-License-Identifier: Apache-2.0 */
/* [Init] Unit=: what a unit of the tree makes of a template, and what is refused. */
#include "compose_fixture.h"

#include <limits.h>

#include "compose/unit_load.h"
#include "compose/unit_start.h"

#define HEAD "[Appliance]\nName=web\nVersion=1\n[Base]\nSource=none\n[Kernel]\nImage=k\n[Init]\n"
#define DIR  "usr/lib/systemd/system/"

/* A tree with accounts, programs and @more (ends in a path of NULL). */
static struct merge *make_tree(const struct member *more)
{
	static const struct member base[] = {
		{.path = "lib", .type = '2', .link = "usr/lib"},
		{.path = "etc/passwd",
		 .data = "root:x:0:0:root:/root:/bin/sh\napp:x:101:102::/srv/app:/usr/sbin/nologin\n"},
		{.path = "etc/group", .data = "root:x:0:\napp:x:102:\nweb:x:103:\n"},
		{.path = "usr/bin/app", .data = "x", .mode = 0755},
		{.path = "usr/bin/tool", .data = "x", .mode = 0755},
		{0},
	};
	struct layer first = layer_from(base), second = layer_from(more);
	struct error err = ERROR_INIT;
	struct merge *m = merge_new();

	if (merge_layer(m, &first, 0, 0, &err) < 0 || merge_layer(m, &second, 1, MERGE_KEEP_LINKS, &err) < 0)
		fail_msg("%s", err.text);
	return m;
}

static struct template *make_template(const char *init)
{
	_cleanup_free_ char *text = xasprintf(HEAD "%s", init);
	struct error err = ERROR_INIT;
	struct template *t;

	if (template_parse(text, strlen(text), "t", "/d", &t, &err) < 0)
		fail_msg("%s", err.text);
	return t;
}

static void put_words(struct buf *b, const char *name, const struct strlist *l)
{
	if (l->len)
		buf_printf(b, "%s:", name);
	for (size_t i = 0; i < l->len; i++)
		buf_printf(b, " <%s>", l->ptr[i]);
	if (l->len)
		buf_printf(b, "\n");
}

/* What is not as it would be without the unit. */
static void put_supervision(struct buf *b, const struct template_service *s)
{
	static const char *const policies[] = {"no", "on-failure", "always"};

	if (s->ready_kind == READY_NOTIFY)
		buf_printf(b, "ready: notify\n");
	if (s->watch_kind == READY_NOTIFY)
		buf_printf(b, "watch: %u x %u\n", s->watch_interval, s->watch_failures);
	if (s->restart != RESTART_NO)
		buf_printf(b, "restart: %s %u/%u\n", policies[s->restart], s->restart_limit,
			   s->restart_window);
	for (int i = 0; i < LIMIT_COUNT; i++)
		if (s->limits[i].set)
			buf_printf(b, "limit %d: %jd:%jd\n", i, (intmax_t)s->limits[i].soft,
				   (intmax_t)s->limits[i].hard);
	if (s->memory_max || s->tasks_max != 4096)
		buf_printf(b, "memory %ju, tasks %ju\n", (uintmax_t)s->memory_max, (uintmax_t)s->tasks_max);
	if (s->has_capabilities)
		buf_printf(b, "capabilities: %jx\n", (uintmax_t)s->capabilities);
}

/* What [Init] says, as text. */
static char *init_text(const struct template *t)
{
	_cleanup_buf_ struct buf b = {0};

	for (size_t i = 0; i < t->init.app.before.len; i++) {
		const struct template_before *p = &t->init.app.before.ptr[i];

		buf_printf(&b, "%s%s", p->may_fail ? "may fail " : "", p->as_root ? "as root " : "");
		put_words(&b, "before", &p->argv);
	}
	put_words(&b, "exec", &t->init.app.exec);
	put_words(&b, "env", &t->init.app.environment);
	put_words(&b, "writable", &t->init.writable);
	buf_printf(&b, "as %s:%s in %s, signal %d, stop %u, ready %u\n", t->init.app.user,
		   t->init.app.group ? t->init.app.group : "-", t->init.app.working_directory,
		   t->init.app.stop_signal, t->init.app.stop_timeout, t->init.app.ready_timeout);
	put_supervision(&b, &t->init.app);
	return buf_steal(&b);
}

/* Unit app.service with this text and the lines @init of the template must give @expected. */
static void assert_gives_with(const char *unit, const char *init, const struct member *more,
			      const char *expected)
{
	struct member files[20] = {{.path = DIR "app.service", .data = unit}};
	_cleanup_free_ char *lines = xasprintf("Unit=app.service\n%s", init);
	_cleanup_template_ struct template *t = make_template(lines);
	_cleanup_merge_ struct merge *m = NULL;
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_INIT;

	for (size_t i = 0; more && more[i].path; i++)
		files[i + 1] = more[i];
	m = make_tree(files);
	if (unit_start(t, m, 2, &err) < 0)
		fail_msg("%s", err.text);
	text = init_text(t);
	assert_string_equal(text, expected);
}

static void assert_gives(const char *unit, const char *expected)
{
	assert_gives_with(unit, "", NULL, expected);
}

#define REST "as 0:- in /, signal 15, stop 10, ready 60\n"

static void test_simple(void **state)
{
	(void)state;
	assert_gives(
		"[Unit]\nDescription=x\nAfter=network.target\n[Service]\nExecStart=/usr/bin/app -a 'b c' %p\n"
		"[Install]\nWantedBy=multi-user.target\n",
		"exec: </usr/bin/app> <-a> <b c> <app>\n" REST);
	assert_gives("[Service]\nType=notify\nExecStart=app\n",
		     "exec: </usr/bin/app>\n" REST "ready: notify\n");
	assert_gives("[Service]\nExecStart=/none\nExecStart=\nExecStart=/usr/bin/app\n",
		     "exec: </usr/bin/app>\n" REST);
	assert_gives("[Service]\nExecStart=@/usr/bin/app app -x\n", "exec: </usr/bin/app> <-x>\n" REST);
	assert_gives("[Service]\nBusName=org.app\nType=simple\nExecStart=app\n",
		     "exec: </usr/bin/app>\n" REST);
	assert_gives("[Service]\nExecStart=:/usr/bin/app $X ${Y}\n",
		     "exec: </usr/bin/app> <$X> <${Y}>\n" REST);
}

static void test_everything(void **state)
{
	static const struct member more[] = {
		{.path = "etc/default/app", .data = "OPTS='-p 80'\nB=file\n"},
		{.path = "srv/app", .type = '5'},
		{0},
	};

	(void)state;
	assert_gives_with(
		"[Service]\nType=exec\nUser=app\nGroup=web\nEnvironment=A=1 \"B=2 3\"\nEnvironmentFile=/etc/default/app\n"
		"EnvironmentFile=-/etc/default/none\nUnsetEnvironment=A\nWorkingDirectory=~\nKillSignal=SIGINT\n"
		"TimeoutStopSec=1min\nTimeoutStartSec=infinity\nRuntimeDirectory=%p/x\nStateDirectory=app\n"
		"LogsDirectory=app\nExecStartPre=+/usr/bin/tool -c ${B} ; /usr/bin/tool two \\; three\n"
		"ExecStartPre=-/usr/bin/missing\nExecStartPre=-tool\nExecStart=/usr/bin/app $OPTS --b=${B} $NONE\n"
		"ProtectSystem=strict\nNoNewPrivileges=yes\nRestart=always\nPrivateDevices=yes\n",
		"", more,
		"as root before: </usr/bin/tool> <-c> <file>\nbefore: </usr/bin/tool> <two> <;> <three>\n"
		"may fail before: </usr/bin/tool>\n"
		"exec: </usr/bin/app> <-p> <80> <--b=file>\n"
		"env: <HOME=/srv/app> <LOGNAME=app> <USER=app> <RUNTIME_DIRECTORY=/run/app/x> "
		"<STATE_DIRECTORY=/var/lib/app> <LOGS_DIRECTORY=/var/log/app> <B=file> <OPTS=-p 80>\n"
		"writable: </var/lib/app>\n"
		"as app:web in /srv/app, signal 2, stop 60, ready 86400\nrestart: always 5/60\n");
}

static void test_supervision(void **state)
{
	static const struct {
		const char *unit, *init, *expected;
	} cases[] = {
		{"[Unit]\nStartLimitBurst=3\nStartLimitIntervalSec=1min\n[Service]\nRestart=on-failure\nRestartSec=5\n",
		 "", "restart: on-failure 3/60\n"},
		{"[Service]\nRestart=always\nStartLimitInterval=0\n", "", "restart: always 1000000/1\n"},
		{"[Service]\nRestart=always\nStartLimitBurst=7\n", "", "restart: always 7/10\n"},
		{"[Service]\nRestart=always\n", "RestartLimit=2/9\n", "restart: always 2/9\n"},
		{"[Service]\nRestart=on-abort\n", "Restart=always\n", "restart: always 5/60\n"},
		{"[Service]\nRestart=always\nRestart=no\n", "", ""},
		{"[Service]\nType=notify-reload\nWatchdogSec=500ms\n", "", "ready: notify\nwatch: 1 x 1\n"},
		{"[Service]\nType=notify\nWatchdogSec=30\n", "Ready=tcp://:80\nWatch=tcp://:80\n", ""},
		{"[Service]\nType=notify\nWatchdogSec=30\n", "ReadyTimeout=60\nWatchFailures=2\n",
		 "ready: notify\nwatch: 30 x 2\n"},
		{"[Service]\nLimitNOFILE=1\nLimitNOFILE=10:20\nLimitCORE=infinity\nLimitNPROC=5\nLimitNPROC=\n",
		 "", "limit 4: -1:-1\nlimit 7: 10:20\n"},
		{"[Service]\nLimitNOFILE=infinity\n", "", "limit 7: 1048576:1048576\n"},
		{"[Service]\nLimitNOFILE=65536:infinity\n", "", "limit 7: 65536:1048576\n"},
		{"[Service]\nLimitNOFILE=10\n", "LimitNOFILE=20\n", "limit 7: 20:20\n"},
		{"[Service]\nMemoryMax=1M\nTasksMax=infinity\n", "", "memory 1048576, tasks 0\n"},
		{"[Service]\nMemoryMax=50%\n", "", ""},
		{"[Service]\nCapabilityBoundingSet=CAP_CHOWN\nCapabilityBoundingSet=cap_kill\n", "",
		 "capabilities: 21\n"},
		{"[Service]\nCapabilityBoundingSet=\n", "", "capabilities: 0\n"},
		{"[Service]\nCapabilityBoundingSet=~CAP_KILL\nAmbientCapabilities=CAP_KILL\n", "", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *unit = xasprintf("%s[Service]\nExecStart=/usr/bin/app\n", cases[i].unit);
		_cleanup_free_ char *expected =
			xasprintf("exec: </usr/bin/app>\n" REST "%s", cases[i].expected);

		assert_gives_with(unit, cases[i].init, NULL, expected);
	}
	assert_gives(
		"[Service]\nUser=app\nAmbientCapabilities=CAP_NET_BIND_SERVICE\nCapabilityBoundingSet=CAP_NET_RAW\n"
		"ExecStart=/usr/bin/app\n",
		"exec: </usr/bin/app>\nenv: <HOME=/srv/app> <LOGNAME=app> <USER=app>\n"
		"as app:- in /, signal 15, stop 10, ready 60\ncapabilities: 400\n");
}

/* [Service NAME] takes from its own unit, [Init] from its. */
static void test_services(void **state)
{
	static const struct member files[] = {
		{.path = DIR "app.service", .data = "[Service]\nExecStart=/usr/bin/app\nRestart=always\n"},
		{.path = DIR "tool.service",
		 .data = "[Service]\nType=notify\nExecStart=/usr/bin/tool -x\nUser=app\n"},
		{.path = DIR "bad.service", .data = "[Service]\nType=dbus\nExecStart=/usr/bin/tool\n"},
		{0},
	};
	static const char lines[] = "Unit=app\nAfter=side\n[Service side]\nUnit=tool\nUser=0\n[Service own]\n"
				    "Exec=/usr/bin/tool\nAfter=main\n";
	_cleanup_template_ struct template *t = make_template(lines);
	_cleanup_template_ struct template *bad = make_template("Unit=app\n[Service side]\nUnit=bad\n");
	_cleanup_merge_ struct merge *m = make_tree(files);
	const struct template_service *order[SERVICE_LIMIT];
	struct error err = ERROR_INIT;

	(void)state;
	if (unit_start(t, m, 2, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(template_services(t, order), 3);
	assert_string_equal(order[0]->name, "side");
	assert_string_equal(order[1]->name, "main");
	assert_string_equal(order[0]->exec.ptr[0], "/usr/bin/tool");
	assert_string_equal(order[0]->exec.ptr[1], "-x");
	assert_string_equal(order[0]->user, "0");
	assert_int_equal(order[0]->ready_kind, READY_NOTIFY);
	assert_int_equal(order[0]->restart, RESTART_NO);
	assert_int_equal(order[1]->restart, RESTART_ALWAYS);
	assert_int_equal(order[1]->ready_kind, READY_PORT);
	assert_int_equal(unit_start(bad, m, 2, &err), -EINVAL);
	assert_contains(err.text, "t: [Service side] Unit=: /" DIR "bad.service:2: Type=dbus");
}

/* What the template says wins, and what the unit would need for it does not matter. */
static void test_template_wins(void **state)
{
	(void)state;
	assert_gives_with(
		"[Service]\nType=forking\nUser=app\nEnvironment=A=1 B=2\nExecStart=+/none $X\n"
		"ExecStartPre=/none\nKillSignal=SIGINT\nTimeoutSec=5\nWorkingDirectory=/none\n",
		"Exec=/usr/bin/app -f\nExecStartPre=/usr/bin/tool\nUser=7\nGroup=8\nEnvironment=B=3\n"
		"StopSignal=QUIT\nStopTimeout=3\nWorkingDirectory=/etc\nReady=http://:80/\nReadyTimeout=4\n",
		NULL,
		"before: </usr/bin/tool>\nexec: </usr/bin/app> <-f>\nenv: <A=1> <B=3>\n"
		"as 7:8 in /etc, signal 3, stop 3, ready 4\n");
}

static void test_oneshot(void **state)
{
	(void)state;
	assert_gives(
		"[Service]\nType=oneshot\nExecStart=/usr/bin/tool\nExecStart=-/usr/bin/app 1\n"
		"ExecStart=/usr/bin/app 2\n",
		"before: </usr/bin/tool>\nmay fail before: </usr/bin/app> <1>\nexec: </usr/bin/app> <2>\n" REST);
}

static void test_dropins(void **state)
{
	static const struct member more[] = {
		{.path = DIR "app.service.d/20.conf",
		 .data = "[Service]\nExecStart=\nExecStart=/usr/bin/app 20\n"},
		{.path = DIR "app.service.d/30.conf", .data = "[Service]\nExecStart=\nExecStart=/none\n"},
		{.path = DIR "app.service.d/40.txt", .data = "[Service]\nExecStart=\nExecStart=/none\n"},
		{.path = "etc/systemd/system/app.service.d/10.conf",
		 .data = "[Service]\nType=simple\nBindPaths=\n"},
		{.path = "etc/systemd/system/app.service.d/30.conf", .type = '2', .link = "/dev/null"},
		{.path = "etc/systemd/system/service.d/05.conf", .data = "[Service]\nEnvironment=ALL=1\n"},
		{0},
	};

	(void)state;
	assert_gives_with("[Service]\nType=forking\nBindPaths=/a\nExecStart=/usr/bin/app\n", "", more,
			  "exec: </usr/bin/app> <20>\nenv: <ALL=1>\n" REST);
}

/* /etc before /usr/lib, a link is another name, an instance comes from its template. */
static void test_finding(void **state)
{
	static const struct member files[] = {
		{.path = DIR "real.service", .data = "[Service]\nExecStart=/usr/bin/app %n\n"},
		{.path = DIR "real.service.d/a.conf", .data = "[Service]\nEnvironment=A=1\n"},
		{.path = DIR "alias.service", .type = '2', .link = "real.service"},
		{.path = DIR "x.service", .data = "[Service]\nExecStart=/none\n"},
		{.path = "etc/systemd/system/x.service", .data = "[Service]\nExecStart=/usr/bin/app etc\n"},
		{.path = "lib/systemd/system/t@.service", .data = "[Service]\nExecStart=/usr/bin/app %i\n"},
		{.path = "lib/systemd/system/t@.service.d/a.conf", .data = "[Service]\nEnvironment=T=%i\n"},
		{0},
	};
	static const struct {
		const char *unit, *expected;
	} cases[] = {
		{"alias.service", "exec: </usr/bin/app> <real.service>\nenv: <A=1>\n" REST},
		{"x", "exec: </usr/bin/app> <etc>\n" REST},
		{"t@blue.service", "exec: </usr/bin/app> <blue>\nenv: <T=blue>\n" REST},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *lines = xasprintf("Unit=%s\n", cases[i].unit), *text = NULL;
		_cleanup_template_ struct template *t = make_template(lines);
		_cleanup_merge_ struct merge *m = make_tree(files);
		struct error err = ERROR_INIT;

		if (unit_start(t, m, 2, &err) < 0)
			fail_msg("%s", err.text);
		text = init_text(t);
		assert_string_equal(text, cases[i].expected);
	}
}

static void test_directories(void **state)
{
	struct member files[] = {
		{.path = DIR "app.service",
		 .data = "[Service]\nExecStart=/usr/bin/app\nUser=app\nRuntimeDirectory=app\nRuntimeDirectoryMode=0750\n"
			 "StateDirectory=app app/sub\nCacheDirectory=app\nConfigurationDirectory=app\n"},
		{.path = "var/lib/app", .type = '5', .mode = 0700},
		{.path = "var/lib/app/seed", .data = "x"},
		{0},
	};
	_cleanup_template_ struct template *t = make_template("Unit=app\nWritable=/var/cache\n");
	_cleanup_merge_ struct merge *m = make_tree(files);
	const struct tree_entry *e;
	struct error err = ERROR_INIT;

	(void)state;
	if (unit_start(t, m, 2, &err) < 0)
		fail_msg("%s", err.text);
	e = merge_find(m, "run/app");
	assert_true(S_ISDIR(e->mode) && (e->mode & 07777) == 0750 && e->uid == 101 && e->gid == 102);
	e = merge_find(m, "var/lib/app");
	assert_true((e->mode & 07777) == 0755 && e->uid == 101);
	assert_non_null(merge_find(m, "var/lib/app/seed"));
	assert_int_equal(merge_find(m, "var/lib/app/sub")->uid, 101);
	assert_int_equal(merge_find(m, "var/cache/app")->gid, 102);
	assert_int_equal(merge_find(m, "etc/app")->uid, 0);
	/* /var/cache is that already, and app/sub lies in app. */
	assert_int_equal(t->init.writable.len, 2);
	assert_string_equal(t->init.writable.ptr[1], "/var/lib/app");
}

static void test_dynamic_user(void **state)
{
	static const struct member files[] = {
		{.path = DIR "app.service",
		 .data = "[Service]\nExecStart=/usr/bin/app\nDynamicUser=yes\nStateDirectory=a\n"},
		{0},
	};
	_cleanup_template_ struct template *t = make_template("Unit=app\n");
	_cleanup_merge_ struct merge *m = make_tree(files);
	struct error err = ERROR_INIT;
	unsigned long uid;

	(void)state;
	if (unit_start(t, m, 2, &err) < 0)
		fail_msg("%s", err.text);
	uid = strtoul(t->init.app.user, NULL, 10);
	assert_true(uid >= 61184 && uid <= 65519);
	assert_string_equal(t->init.app.group, t->init.app.user);
	assert_int_equal(merge_find(m, "var/lib/a")->uid, uid);
}

/* ---- what is refused ---- */

#define AT "t: [Init] Unit=: /" DIR "app.service"

static const struct {
	const char *unit, *says;
} refused[] = {
	{"[Service]\nType=forking\nExecStart=/usr/bin/app\n", AT
	 ":2: Type=forking: the program goes into the background, and the init needs one that stays in front; "
	 "say in the template, with Exec=, how to start it so, or choose Mode=system"},
	{"[Service]\nType=dbus\nExecStart=/usr/bin/app\n", AT ":2: Type=dbus: there is no message bus"},
	{"[Service]\nBusName=org.app\nExecStart=/usr/bin/app\n",
	 AT ":2: BusName=org.app: without a Type= that makes it Type=dbus, and there is no message bus"},
	{"[Service]\nType=odd\nExecStart=/usr/bin/app\n", AT ":2: Type=: 'odd' is not a type of service"},
	{"[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/bin/app\n",
	 AT ":3: RemainAfterExit=yes: nothing would be running"},
	{"[Service]\nExecStart=/usr/bin/app\nExecStart=/usr/bin/tool\n",
	 AT ":3: a second ExecStart=, which only Type=oneshot may have"},
	{"[Service]\nUser=app\n", AT ": has no ExecStart="},
	{"[Service]\nExecStart=/none\n", AT ":2: ExecStart=: the program '/none' is not in the image"},
	{"[Service]\nExecStart=none\n", AT ":2: ExecStart=: the program 'none' is not in the image"},
	{"[Service]\nExecStart=-/none\n", AT ":2: ExecStart=: the program '/none' is not in the image"},
	{"[Service]\nExecStartPre=/none\nExecStart=/usr/bin/app\n",
	 AT ":2: ExecStartPre=: the program '/none'"},
	{"[Service]\nExecStart=$X\n", AT ":2: ExecStart=: the program itself cannot be a variable"},
	{"[Service]\nExecStart=/usr/${X}/app\n",
	 AT ":2: ExecStart=: the program itself cannot be a variable"},
	{"[Service]\nExecStart=@/usr/bin/app other\n",
	 AT ":2: ExecStart=: '@': the init runs a program under"},
	{"[Service]\nExecStart=+/usr/bin/app\nUser=app\n", AT ":2: ExecStart=: '+' and '!' start it as root"},
	{"[Service]\nExecStart=/usr/bin/app 'x\n", AT ":2: ExecStart=: the quote in 'x does not end"},
	{"[Service]\nExecStart=/usr/bin/app %b\n", AT ":2: ExecStart=: '%b': what %b stands for"},
	{"[Service]\nExecStart=/usr/bin/app\nExecStartPost=/usr/bin/tool\n", AT
	 ":3: ExecStartPost=: the init runs nothing behind the program (a drop-in with an empty ExecStartPost= takes "
	 "it back"},
	{"[Service]\nExecStart=/usr/bin/app\nBindPaths=/a:/b\n",
	 AT ":3: BindPaths=: the init mounts nothing"},
	{"[Service]\nExecStart=/usr/bin/app\nUser=app\nAmbientCapabilities=CAP_ODD\n",
	 AT ":4: AmbientCapabilities=: 'CAP_ODD' is"},
	{"[Service]\nExecStart=/usr/bin/app\nUser=app\nAmbientCapabilities=~CAP_KILL\n",
	 AT ":4: AmbientCapabilities=: '~CAP_KILL' is"},
	{"[Service]\nExecStart=/usr/bin/app\nRestart=on-abort\n",
	 AT ":3: Restart=on-abort: the init knows no, on-failure and always; say Restart= in the template"},
	{"[Service]\nExecStart=/usr/bin/app\nLimitNOFILE=1:2:3\n",
	 AT ":3: LimitNOFILE=: '2:3' is not a size"},
	{"[Service]\nExecStart=/usr/bin/app\nLimitCPU=1min\n", AT ":3: LimitCPU=: '1min' is not a size"},
	{"[Service]\nExecStart=/usr/bin/app\nStartLimitBurst=x\n",
	 AT ":3: StartLimitBurst=: 'x' is not a number"},
	{"[Service]\nExecStart=/usr/bin/app\nWatchdogSec=x\n", AT ":3: WatchdogSec=: 'x' is not a span"},
	{"[Service]\nExecStart=/usr/bin/app\nSockets=app.socket\n",
	 AT ":3: Sockets=app.socket: the init opens"},
	{"[Unit]\nRequires=app.socket\n[Service]\nExecStart=/usr/bin/app\n",
	 AT ":2: Requires=app.socket: the init opens no sockets"},
	{"[Service]\nExecStart=/usr/bin/app\nStandardInput=socket\n",
	 AT ":3: StandardInput=socket: the init gives"},
	{"[Service]\nExecStart=/usr/bin/app\nEnvironment=x\n", AT ":3: Environment=: 'x' is not NAME=value"},
	{"[Service]\nExecStart=/usr/bin/app\nEnvironmentFile=/etc/none\n",
	 "t: [Init] Unit=: app.service: EnvironmentFile=/etc/none is not a file of the image"},
	{"[Service]\nExecStart=/usr/bin/app\nEnvironmentFile=etc\n", AT ":3: EnvironmentFile=: 'etc' is not"},
	{"[Service]\nExecStart=/usr/bin/app\nUser=nobody-there\n",
	 "t: [Init] Unit=: app.service: User 'nobody-there': is not in /etc/passwd of the image"},
	{"[Service]\nExecStart=/usr/bin/app\nStateDirectory=../x\n", AT ":3: StateDirectory=: '../x' is not"},
	{"[Service]\nExecStart=/usr/bin/app\nStateDirectoryMode=9\n",
	 AT ":3: StateDirectoryMode=: '9' is not"},
	{"[Service]\nExecStart=/usr/bin/app\nKillSignal=x\n", AT ":3: KillSignal=: 'x' is not the name"},
	{"[Service]\nExecStart=/usr/bin/app\nTimeoutStopSec=x\n",
	 AT ":3: TimeoutStopSec=: 'x' is not a span"},
	{"", "t: [Init] Unit=: 'app.service' is masked in the image"},
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		const struct member files[] = {{.path = DIR "app.service", .data = refused[i].unit}, {0}};
		_cleanup_template_ struct template *t = make_template("Unit=app.service\n");
		_cleanup_merge_ struct merge *m = make_tree(files);
		struct error err = ERROR_INIT;

		assert_int_equal(unit_start(t, m, 2, &err), -EINVAL);
		assert_int_equal(err.exit, EXIT_USAGE);
		assert_contains(err.text, refused[i].says);
	}
}

/* What only means something with what the unit might say is refused when it does not. */
static void test_nothing_to_restart(void **state)
{
	static const struct member files[] = {
		{.path = DIR "app.service", .data = "[Service]\nExecStart=/usr/bin/app\n"},
		{0},
	};
	static const char *const lines[] = {"RestartLimit=5/60", "ReadyTimeout=5", "WatchInterval=5",
					    "WatchFailures=5"};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		_cleanup_free_ char *text = xasprintf("Unit=app\n%s\n", lines[i]);
		_cleanup_template_ struct template *t = make_template(text);
		_cleanup_merge_ struct merge *m = make_tree(files);
		struct error err = ERROR_INIT;

		assert_int_equal(unit_start(t, m, 2, &err), -EINVAL);
		assert_contains(err.text, "of the template needs");
	}
}

static void test_not_found(void **state)
{
	static const struct {
		const char *unit, *says;
	} cases[] = {
		{"ap.service", "the image has no unit 'ap.service'; did you mean 'app.service'?"},
		{"other", "the image has no unit 'other.service' in /etc/systemd/system"},
		{"app.socket", "'app.socket' is not a service"},
		{"t@.service", "'t@.service' is a template of units; name one of them: t@NAME.service"},
		{"masked.service",
		 "'masked.service' is masked in the image: /etc/systemd/system/masked.service"},
		{"dir.service", "/usr/lib/systemd/system/dir.service: is not a regular file in the image"},
	};
	static const struct member files[] = {
		{.path = DIR "app.service", .data = "x"},
		{.path = DIR "masked.service", .data = "[Service]\nExecStart=/usr/bin/app\n"},
		{.path = DIR "dir.service", .type = '5'},
		{.path = "etc/systemd/system/masked.service", .type = '2', .link = "/dev/null"},
		{0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *lines = xasprintf("Unit=%s\n", cases[i].unit);
		_cleanup_template_ struct template *t = make_template(lines);
		_cleanup_merge_ struct merge *m = make_tree(files);
		struct error err = ERROR_INIT;

		assert_int_equal(unit_start(t, m, 2, &err), -EINVAL);
		assert_contains(err.text, cases[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_simple),
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_template_wins),
		cmocka_unit_test(test_oneshot),
		cmocka_unit_test(test_dropins),
		cmocka_unit_test(test_finding),
		cmocka_unit_test(test_directories),
		cmocka_unit_test(test_dynamic_user),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_not_found),
		cmocka_unit_test(test_supervision),
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_nothing_to_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
