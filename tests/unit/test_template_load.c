/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <signal.h>
#include <sys/stat.h>

#include "template/template.h"

#define HEAD   "[Appliance]\nName=a\nVersion=1\n"
#define NONE   "[Base]\nSource=none\n[Kernel]\nImage=k\n"
#define DEBIAN "[Base]\nSource=debian\nSuite=bookworm\n"
#define EXEC   "[Init]\nExec=/x\n"

/* ---- what a good template becomes ---- */

static struct template *parse(const char *text)
{
	struct template *t = NULL;
	struct error err = ERROR_INIT;

	if (template_parse(text, strlen(text), "f", "/dir", &t, &err) < 0)
		fail_msg("%s", err.text);
	return t;
}

static void test_defaults(void **state)
{
	_cleanup_template_ struct template *t = parse(HEAD DEBIAN EXEC);

	(void)state;
	assert_string_equal(t->path, "f");
	assert_string_equal(t->dir, "/dir");
	assert_string_equal(t->appliance.name, "a");
	assert_int_equal(t->appliance.arch, ARCH_X86_64);
	assert_int_equal(t->appliance.epoch, 1);
	assert_null(t->base.mirror);
	assert_null(t->base.snapshot);
	assert_int_equal(t->base.components.len, 1);
	assert_string_equal(t->base.components.ptr[0], "main");
	assert_string_equal(t->kernel.command_line, "");
	assert_null(t->kernel.stub);
	assert_int_equal(t->init.mode, INIT_APPLIANCE);
	assert_null(t->init.init);
	assert_string_equal(t->init.app.user, "0");
	assert_null(t->init.app.group);
	assert_string_equal(t->init.app.working_directory, "/");
	assert_string_equal(t->init.hostname, "a");
	assert_int_equal(t->init.network, NETWORK_DHCP);
	assert_int_equal(t->init.app.ready_port, 0);
	assert_int_equal(t->init.app.ready_timeout, 60);
	assert_int_equal(t->init.app.stop_signal, SIGTERM);
	assert_int_equal(t->init.app.stop_timeout, 10);
	assert_int_equal(t->init.device_timeout, 30);
	assert_int_equal(t->init.on_corruption, ON_CORRUPTION_POWEROFF);
	assert_int_equal(t->init.verify, VERIFY_LAZY);
	assert_int_equal(t->test.timeout, 120);
	assert_int_equal(t->test.memory, 512);
	assert_int_equal(t->test.cpus, 1);
	assert_int_equal(t->test.disk, TEST_DISK_VIRTIO);
}

static void test_base_and_kernel(void **state)
{
	_cleanup_template_ struct template *t =
		parse("[Appliance]\nName=a\nVersion=1\nArchitecture=arm64\nEpoch=1700000000\n"
		      "[Base]\nSource=debian\nSuite=bookworm\nSnapshot=20240131T120000Z\n"
		      "Mirror=http://mirror.example.org/@SNAPSHOT@\nKeyring=k.gpg\n"
		      "Components=main contrib\nPackages=a b\nPackages=c\n"
		      "[Package]\nPath=x y.deb\nPath=/abs/z.tar\n"
		      "[Kernel]\nPackage=linux-image-cloud-amd64\nCommandLine=console=ttyS0\n"
		      "CommandLine=quiet\nInitrdModules=nvme\nModules=ena virtio_rng\nStub=s.efi\n" EXEC);

	(void)state;
	assert_int_equal(t->appliance.arch, ARCH_ARM64);
	assert_string_equal(architecture_name(t->appliance.arch), "arm64");
	assert_int_equal(t->appliance.epoch, 1700000000);
	assert_int_equal(t->base.source, BASE_DEBIAN);
	assert_string_equal(t->base.keyring, "/dir/k.gpg");
	assert_int_equal(t->base.components.len, 2);
	assert_int_equal(t->base.packages.len, 3);
	assert_string_equal(t->base.packages.ptr[2], "c");
	assert_int_equal(t->package_paths.len, 2);
	assert_string_equal(t->package_paths.ptr[0], "/dir/x y.deb");
	assert_string_equal(t->package_paths.ptr[1], "/abs/z.tar");
	assert_string_equal(t->kernel.command_line, "console=ttyS0 quiet");
	assert_int_equal(t->kernel.modules.len, 2);
	assert_string_equal(t->kernel.initrd_modules.ptr[0], "nvme");
	assert_string_equal(t->kernel.stub, "/dir/s.efi");
}

static void test_files(void **state)
{
	_cleanup_template_ struct template *t =
		parse(HEAD NONE EXEC "[Files]\nCopy=a:/b\n"
				     "Copy=\"d e\":/f/ mode=4755 owner=www-data group=33\n");

	(void)state;
	assert_int_equal(t->files.len, 2);
	assert_string_equal(t->files.ptr[0].source, "/dir/a");
	assert_string_equal(t->files.ptr[0].target, "/b");
	assert_false(t->files.ptr[0].has_mode);
	assert_null(t->files.ptr[0].owner);
	assert_int_equal(t->files.ptr[0].line, 11);
	assert_string_equal(t->files.ptr[1].source, "/dir/d e");
	assert_string_equal(t->files.ptr[1].target, "/f/");
	assert_true(t->files.ptr[1].has_mode);
	assert_int_equal(t->files.ptr[1].mode, 04755);
	assert_string_equal(t->files.ptr[1].owner, "www-data");
	assert_string_equal(t->files.ptr[1].group, "33");
}

static void test_upload(void **state)
{
	_cleanup_template_ struct template *t =
		parse(HEAD NONE
		      "[Init]\nMode=appliance\nExec=/x\n[Upload]\nProvider=aws\nRegion=a-1 b-2\nRegion=c-3\n"
		      "Encrypt=yes\nKMSKey=b-2=arn:k\nShare=123456789012 all\nParameter=/a/{name}\n"
		      "DeprecateAfterDays=90\nProtect=yes\n");

	(void)state;
	assert_string_equal(t->upload.provider, "aws");
	assert_int_equal(t->upload.regions.len, 3);
	assert_string_equal(t->upload.regions.ptr[2], "c-3");
	assert_string_equal(t->upload.kms_keys.ptr[0], "b-2=arn:k");
	assert_string_equal(t->upload.share.ptr[1], "all");
	assert_string_equal(t->upload.parameter, "/a/{name}");
	assert_true(t->upload.encrypt && t->upload.protect);
	assert_int_equal(t->upload.deprecate_days, 90);
}

static void test_upload_to_libvirt(void **state)
{
	_cleanup_template_ struct template *t =
		parse(HEAD NONE "[Init]\nMode=appliance\nExec=/x\n[Upload]\nProvider=libvirt\n"
				"Connect=qemu+ssh://host/system\nPool=golden\n");

	(void)state;
	assert_string_equal(t->upload.provider, "libvirt");
	assert_string_equal(t->upload.connect, "qemu+ssh://host/system");
	assert_string_equal(t->upload.pool, "golden");
}

static void test_init_and_probes(void **state)
{
	_cleanup_template_ struct template *t = parse(
		HEAD NONE
		"[Init]\nMode=appliance\nExec=/usr/bin/x --a 'b c'\nExecStartPre=/no\nExecStartPre=\n"
		"ExecStartPre=/usr/bin/y 'd e'\nExecStartPre=-+/usr/bin/z\nUser=u\nGroup=g\nEnvironment=A=1 \"B=2 3\"\n"
		"Environment=C=4\nWorkingDirectory=/srv\nHostname=h.example\nReady=http://:80/z\n"
		"ReadyTimeout=2min\nStopSignal=QUIT\nStopTimeout=1\nDeviceTimeout=5s\nOnCorruption=panic\nVerify=full\n"
		"Writable=/srv/a /srv/b\n"
		"[Test]\nGet=http://:80/\nGet=http://:80/x 404 \"not found\"\nConnect=tcp://:22\nTimeout=9\n"
		"Memory=1G\nCPUs=2\nDisk=nvme\n");

	(void)state;
	assert_int_equal(t->init.app.exec.len, 3);
	assert_string_equal(t->init.app.exec.ptr[2], "b c");
	assert_int_equal(t->init.app.before.len, 2);
	assert_string_equal(t->init.app.before.ptr[0].argv.ptr[1], "d e");
	assert_false(t->init.app.before.ptr[0].may_fail || t->init.app.before.ptr[0].as_root);
	assert_int_equal(t->init.app.before.ptr[1].argv.len, 1);
	assert_true(t->init.app.before.ptr[1].may_fail && t->init.app.before.ptr[1].as_root);
	assert_int_equal(t->init.app.environment.len, 3);
	assert_string_equal(t->init.app.environment.ptr[1], "B=2 3");
	assert_string_equal(t->init.hostname, "h.example");
	assert_int_equal(t->init.app.ready_port, 80);
	assert_string_equal(t->init.app.ready_path, "/z");
	assert_int_equal(t->init.app.ready_timeout, 120);
	assert_int_equal(t->init.app.stop_signal, SIGQUIT);
	assert_int_equal(t->init.on_corruption, ON_CORRUPTION_PANIC);
	assert_int_equal(t->init.verify, VERIFY_FULL);
	assert_int_equal(t->init.writable.len, 2);
	assert_int_equal(t->test.len, 3);
	assert_int_equal(t->test.ptr[0].status, 200);
	assert_null(t->test.ptr[0].body);
	assert_int_equal(t->test.ptr[1].status, 404);
	assert_string_equal(t->test.ptr[1].body, "not found");
	assert_int_equal(t->test.ptr[2].kind, PROBE_TCP);
	assert_int_equal(t->test.ptr[2].port, 22);
	assert_int_equal(t->test.memory, 1024);
	assert_true(t->test.cpus == 2 && t->test.disk == TEST_DISK_NVME);
}

static void test_deb_sources(void **state)
{
	_cleanup_template_ struct template *t = parse(
		HEAD DEBIAN EXEC
		"[Base]\nMirror=http://m/debian\nRepository=deb [signed-by=k.gpg] http://x/y s main extra\n"
		"Repository=deb [ trusted=yes ] repo ./\n");

	(void)state;
	assert_int_equal(t->base.deb_sources.len, 2);
	assert_string_equal(t->base.deb_sources.ptr[0].keyring, "/dir/k.gpg");
	assert_string_equal(t->base.deb_sources.ptr[0].suite, "s");
	assert_int_equal(t->base.deb_sources.ptr[0].components.len, 2);
	assert_string_equal(t->base.deb_sources.ptr[1].uri, "file:///dir/repo");
	assert_true(t->base.deb_sources.ptr[1].trusted);
	assert_int_equal(t->base.deb_sources.ptr[1].components.len, 0);
}

static void test_mode_system(void **state)
{
	_cleanup_template_ struct template *t = parse(HEAD DEBIAN "[Init]\nMode=system\n");

	(void)state;
	assert_int_equal(t->init.mode, INIT_SYSTEM);
	assert_string_equal(t->init.init, "/sbin/init");
	assert_int_equal(t->init.app.exec.len, 0);
}

static void test_empty_values_reset_lists(void **state)
{
	_cleanup_template_ struct template *t =
		parse(HEAD NONE EXEC "[Files]\nCopy=a:/b\nCopy=\nCopy=c:/d\n"
				     "[Kernel]\nCommandLine=a\nCommandLine=\nCommandLine=b\n"
				     "[Test]\nGet=http://:1/\nConnect=tcp://:2\nGet=\nGet=http://:3/\n");

	(void)state;
	assert_int_equal(t->files.len, 1);
	assert_string_equal(t->files.ptr[0].target, "/d");
	assert_string_equal(t->kernel.command_line, "b");
	assert_int_equal(t->test.len, 2);
	assert_int_equal(t->test.ptr[0].port, 2);
	assert_int_equal(t->test.ptr[1].port, 3);
	template_free(
		parse(HEAD NONE EXEC "[Base]\nPackages=\n")); /* reset, so it is not "set with Source=none" */
}

/* ---- what is refused ---- */

static const struct {
	const char *text, *message;
} refusals[] = {
	/* [Upload] */
	{"[Upload]\nProvider=moon\n",
	 "f:2: Provider=: 'moon' is no provider (known: aws, openstack, libvirt)"},
	{"[Upload]\nParameter=a/\"b\n", "f:2: Parameter=: 'a/\"b' has a character that no such name has"},
	{"[Upload]\nDeprecateAfterDays=0\n", "f:2: DeprecateAfterDays=: 0 is not within 1 and 3650"},
	{"[Upload]\nEncrypt=perhaps\n", "f:2: Encrypt=: 'perhaps' is not no or yes"},
	{"[Upload]\nRegions=a\n", "f:2: unknown key Regions= in [Upload]; did you mean 'Region'?"},
	/* presence */
	{"", "f: [Appliance] Name= is missing"},
	{"[Appliance]\nName=a\n", "f: [Appliance] Version= is missing (or give --version)"},
	{HEAD, "f: [Base] Source= is missing: debian, rpm, disk, directory, tar, oci or none"},
	{HEAD "[Base]\nSource=debian\n" EXEC, "f: [Base] Suite= is missing: which Debian, such as bookworm"},
	{HEAD "[Base]\nSource=none\n[Kernel]\nPackage=k\n" EXEC,
	 "f: [Base] Suite= is missing: which Debian [Kernel] Package= comes from"},
	{HEAD "[Base]\nSource=tar\n" EXEC, "f: [Base] Path= is missing: the directory or tar of the base"},
	{HEAD "[Base]\nSource=none\n" EXEC,
	 "f: with Source=none the kernel needs [Kernel] Package= or Image="},
	{HEAD NONE,
	 "f: [Init] Exec= is missing: the program to run (or name the package's Unit=, or choose Mode=system)"},

	/* names */
	{"[Aplliance]\n", "f:1: unknown section [Aplliance]; did you mean 'Appliance'?"},
	{"[X]\n", "f:1: unknown section [X]; see appliance.conf(5)"},
	{"[base]\n", "f:1: unknown section [base]; did you mean 'Base'?"},
	{HEAD "[Init]\nExce=/x\n", "f:5: unknown key Exce= in [Init]; did you mean 'Exec'?"},
	{HEAD "[Base]\nExec=/x\n", "f:5: unknown key Exec= in [Base]; did you mean '[Init] Exec'?"},
	{HEAD "[Base]\nFrobnicate=/x\n", "f:5: unknown key Frobnicate= in [Base]; see appliance.conf(5)"},
	{HEAD "[Test]\n.Get=1\n", "f:5: unknown key .Get= in [Test]; did you mean 'Get'?"},

	/* values */
	{"[Appliance]\nName=A b\n",
	 "f:2: Name=: 'A b' is not a name of a-z, 0-9 and '-' (at most 63, no '-' at either end); it "
	 "is the host name too"},
	{"[Appliance]\nName=a\nName=b\n", "f:3: Name= is set already in line 2; remove one of the two"},
	{"[Appliance]\nName=\n", "f:2: Name=: the value is empty; remove the line to get the default"},
	{"[Appliance]\nEpoch=0\n", "f:2: Epoch=: 0 is not within 1 and 4294967295"},
	{"[Appliance]\nEpoch=yesterday\n", "f:2: Epoch=: 'yesterday' is not a number from 1 to 4294967295"},
	{"[Base]\nSource=debian ; the stable one\n",
	 "f:2: Source=: 'debian ; the stable one' is not none, debian, rpm, directory, tar, oci or disk (a comment needs a line of its own)"},
	{"[Base]\nPackages=a, b\n",
	 "f:2: Packages=: 'a,' is not the name of a package; several are parted by blanks"},
	{"[Files]\nCopy=a\n", "f:2: Copy=: 'a' is not SOURCE:TARGET"},
	{"[Files]\nCopy=:/a\n", "f:2: Copy=: ':/a' is not SOURCE:TARGET"},
	{"[Files]\nCopy=a:b\n", "f:2: Copy=: 'b' is not an absolute path in the image"},
	{"[Files]\nCopy=a:/../b\n",
	 "f:2: Copy=: '/../b': '.' and '..' are not allowed in a path of the image"},
	{"[Files]\nCopy=a:/b//\n", "f:2: Copy=: '/b/': remove the '/' that is too much"},
	{"[Files]\nCopy=a:/b mode=888\n", "f:2: Copy=: mode=888 is not an octal mode like 0644"},
	{"[Files]\nCopy=a:/b mode=17777\n", "f:2: Copy=: mode=17777 is not an octal mode like 0644"},
	{"[Files]\nCopy=a:/b owner=x owner=y\n",
	 "f:2: Copy=: 'owner=y' is not mode=, owner= or group= (each at most once)"},
	{"[Files]\nCopy=a:/b 0644\n",
	 "f:2: Copy=: '0644' is not mode=, owner= or group= (each at most once)"},
	{"[Init]\nExec=x\n", "f:2: Exec=: 'x' is not an absolute path in the image"},
	{"[Init]\nExec=-/x\n", "f:2: Exec=: '-/x' is not an absolute path in the image"},
	{"[Base]\nRepository=main http://x\n",
	 "f:2: Repository=: 'main' is no name for a repository: dnf keeps it for itself"},
	{"[Base]\nRepository=deb http://x y\n",
	 "f:2: Repository=: 'y': its components are missing, such as main"},
	{"[Base]\nRepository=deb http://x ./ main\n",
	 "f:2: Repository=: './': a repository that is one directory has no components"},
	{"[Base]\nRepository=deb [arch=amd64] http://x y main\n",
	 "f:2: Repository=: 'arch=amd64' is not signed-by=KEYRING or trusted=yes"},
	{"[Base]\nRepository=deb [signed-by=/k http://x y main\n",
	 "f:2: Repository=: 'http://x' is not signed-by=KEYRING or trusted=yes"},
	{"[Base]\nRepository=deb ftp://x y main\n",
	 "f:2: Repository=: 'ftp://x' is not an address that begins with http://, https:// or file:///"},
	{"[Init]\nExecStartPre=-\n", "f:2: ExecStartPre=: there is no program behind the prefix"},
	{"[Init]\nExecStartPre=!/x\n", "f:2: ExecStartPre=: '!/x' is not an absolute path in the image"},
	{"[Init]\nEnvironment=A=1 A=2\n", "f:2: Environment=: 'A=2' is set already, as 'A=1'"},
	{"[Kernel]\nCommandLine=quiet\nCommandLine=rdinit=/bin/sh\n",
	 "f:3: CommandLine=: 'rdinit=/bin/sh': the verified root and its init cannot be chosen on the command line; remove "
	 "it"},
	{"[Test]\nGet=tcp://:1\n", "f:2: Get=: 'tcp://:1' is not http://:PORT/PATH"},
	{"[Test]\nGet=http://:1/ 99\n", "f:2: Get=: the status: 99 is not within 100 and 599"},
	{"[Test]\nGet=http://:1/ 200 a b\n",
	 "f:2: Get=: 'b' is one word too many; a text with blanks needs quotes"},
	{"[Test]\nConnect=tcp://:1 200\n", "f:2: Connect=: '200' is one word too many"},

	/* services */
	{"[Service]\n", "f:1: [Service] needs a name: [Service cache]"},
	{"[Service main]\n", "f:1: [Service main]: 'main' is the program of [Init]; choose another name"},
	{"[Service B]\n",
	 "f:1: [Service B]: 'B' is not the name of a service: at most 32 of a-z, 0-9 and '-', such as cache"},
	{"[Service b]\nHostname=x\n",
	 "f:2: unknown key Hostname= in [Service b]; did you mean '[Init] Hostname'?"},
	{HEAD NONE EXEC "[Service b]\nUser=x\n",
	 "f:10: [Service b] has no Exec=: the program to run (or the Unit= that says it)"},
	{HEAD NONE EXEC "After=b\n",
	 "f:10: After=b: there is no [Service b] (main is the program of [Init])"},
	{HEAD NONE EXEC "[Service b]\nExec=/b\nAfter=b\n", "f:12: After=b: it cannot start after itself"},
	{HEAD NONE EXEC "[Service b]\nExec=/b\nAfter=c\n[Service c]\nExec=/c\nAfter=b\n",
	 "f:12: After= of b never comes true: it and what it waits for wait for each other; remove one After="},
	{HEAD NONE EXEC "After=b\n[Service b]\nExec=/b\nAfter=main\n",
	 "f:10: After= of main never comes true: it and what it waits for wait for each other; remove one After="},
	{HEAD NONE "[Init]\nMode=system\n[Service b]\nExec=/b\n",
	 "f:11: Exec= works only with Mode=appliance; remove the line"},
	{HEAD NONE EXEC "RestartLimit=5/1\n",
	 "f:10: RestartLimit= works only with Restart=on-failure or Restart=always; remove the line"},
	{"[Init]\nRestartLimit=5\n", "f:2: RestartLimit=: '5' is not COUNT/TIME, such as 5/60s"},
	{"[Init]\nLimitNOFILE=10:5\n", "f:2: LimitNOFILE=: '10:5': the soft limit is above the hard one"},
	{"[Init]\nMemoryMax=0\n", "f:2: MemoryMax=: 0 leaves it nothing; infinity is no limit"},
	{"[Init]\nMemoryMax=5X\n", "f:2: MemoryMax=: '5X' is not a size such as 64M (K, M, G, T or bytes)"},
	{"[Sandbox]\nSysctl=a/b=1\n",
	 "f:2: Sysctl=: 'a/b=1' is not NAME=VALUE, such as net.core.somaxconn=4096"},
	{"[Sandbox]\nSysctl=a.b=1\nSysctl=a.b=2\n", "f:3: Sysctl=: 'a.b=2' is set already, as 'a.b=1'"},
	{HEAD NONE EXEC "Jitter=5\n", "f:10: Jitter= works only with MaxLifetime=; remove the line"},
	{HEAD NONE EXEC "[Upload]\nProvider=aws\nPool=golden\n",
	 "f:12: Pool= works only with Provider=libvirt; remove the line"},
	{HEAD NONE EXEC "[Upload]\nProvider=libvirt\nEncrypt=yes\n",
	 "f:12: Encrypt= works only with a provider other than libvirt; remove the line"},

	/* settings that nothing would read */
	{HEAD NONE EXEC "[Base]\nPackages=x\n",
	 "f:11: Packages= works only with Source=debian, Source=rpm or Source=disk; remove the line"},
	{HEAD NONE EXEC "[Base]\nSuite=x\n",
	 "f:11: Suite= works only with Source=debian, Source=oci or [Kernel] Package=; remove the line"},
	{HEAD DEBIAN EXEC "[Base]\nImage=x\n",
	 "f:10: Image= works only with Source=oci or Source=disk; remove the line"},
	{HEAD "[Base]\nSource=disk\n" EXEC,
	 "f: [Base] Image= is missing: the qcow2, raw or vmdk file of the base"},
	{HEAD DEBIAN EXEC "[Scripts]\nRun=x\n", "f:10: Run= works only with Source=disk; remove the line"},
	{HEAD "[Base]\nSource=disk\nImage=x\nNetwork=maybe\n" EXEC,
	 "f:7: Network=: 'maybe' is not no or yes"},
	{HEAD "[Base]\nSource=disk\nImage=x\n[Scripts]\nNetwork=yes\n" EXEC,
	 "f:8: Network= works only with [Scripts] Run=; remove the line"},
	{HEAD "[Base]\nSource=rpm\nPackages=x\n" EXEC,
	 "f: [Base] Repository= is missing: NAME URL gpgkey=KEY"},
	{HEAD "[Base]\nSource=rpm\nRepository=a http://h/ gpgcheck=no\n" EXEC,
	 "f: [Base] Packages= is missing: what to install"},
	{HEAD "[Base]\nRepository=a http://h/\n",
	 "f:5: Repository=: 'a': gpgkey= is missing, the key that its packages are signed with (or say gpgcheck=no)"},
	{HEAD "[Base]\nRepository=a http://h/ gpgkey=k gpgcheck=no\n",
	 "f:5: Repository=: 'a': gpgkey= has no use with gpgcheck=no"},
	{HEAD "[Base]\nRepository=a\n",
	 "f:5: Repository=: 'a' is not NAME URL [gpgkey=KEY] [gpgcheck=no] [priority=N]"},
	{HEAD "[Base]\nRepository=[a] http://h/\n",
	 "f:5: Repository=: '[a]' is not a name for a repository (A-Z a-z 0-9 . _ -)"},
	{HEAD "[Base]\nRepository=a http://h/ enabled=1\n",
	 "f:5: Repository=: 'enabled=1' is not gpgkey=, gpgcheck= or priority="},
	{HEAD "[Base]\nRepository=a http://h/ priority=0\n",
	 "f:5: Repository=: priority=: 0 is not within 1 and 99"},
	{HEAD "[Base]\nRepository=a http://h/ gpgkey=k\nRepository=a http://i/ gpgkey=k\n",
	 "f:6: Repository=: 'a' is the name of another repository already, in line 5"},
	{HEAD "[Base]\nSource=rpm\nRepository=a http://h/$releasever gpgkey=k\nPackages=x\n" EXEC,
	 "f:6: Repository= asks for $releasever: [Base] Release= is missing, such as 9"},
	{HEAD "[Base]\nSource=oci\n",
	 "f: [Base] Image= is missing: an OCI layout or archive of the host, or docker://NAME:TAG"},
	{HEAD "[Base]\nSource=oci\nImage=x\nPackages=y\n",
	 "f:7: Packages= works only with Source=debian, Source=rpm or Source=disk; remove the line"},
	{HEAD DEBIAN EXEC "[Base]\nPath=x\n",
	 "f:10: Path= works only with Source=directory or Source=tar; remove the line"},
	{HEAD "[Base]\nSource=directory\nPath=x\nChecksum=sha256:"
	      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n" EXEC,
	 "f:7: Checksum= works only with Source=tar, Source=disk or Source=oci; remove the line"},
	{HEAD "[Base]\nSource=tar\nPath=x\n[Kernel]\nPackage=k\n" EXEC,
	 "f:8: Package= works only with Source=debian, Source=rpm, Source=oci or Source=none; remove the line"},
	{HEAD DEBIAN EXEC "[Kernel]\nModulesDirectory=m\n",
	 "f:10: ModulesDirectory= works only with [Kernel] Image=; remove the line"},
	{HEAD DEBIAN EXEC "[Init]\nInit=/sbin/init\n",
	 "f:10: Init= works only with Mode=system; remove the line"},
	{HEAD DEBIAN "[Init]\nMode=system\nExec=/x\n",
	 "f:9: Exec= works only with Mode=appliance; remove the line"},
	{HEAD DEBIAN "[Init]\nMode=system\n[Kernel]\nModules=x\n",
	 "f:10: Modules= works only with Mode=appliance; remove the line"},
	{HEAD DEBIAN EXEC "ReadyTimeout=5\n", "f:9: ReadyTimeout= works only with Ready=; remove the line"},
	{HEAD DEBIAN EXEC "Network=none\n[Test]\nGet=http://:1/\n",
	 "f:11: Get= works only with a Network= that is not none; remove the line"},
	{HEAD DEBIAN EXEC "Network=none\n[Network]\nDNS=::1\n",
	 "f:11: DNS= works only with Mode=appliance and a Network= that is not none; remove the line"},
	{HEAD DEBIAN EXEC "Network=static\n", "f:9: Network=static needs [Network] Address="},
	{HEAD DEBIAN EXEC "[Network]\nAddress=10.0.0.1\n",
	 "f:10: Address=: '10.0.0.1' is not [INTERFACE] ADDRESS/BITS, such as 10.0.0.5/24 or eth1 2001:db8::5/64"},
	{HEAD DEBIAN EXEC "[Network]\nAddress=eth1 10.0.0.1/8\n",
	 "f:10: 'eth1' is not among [Network] Interfaces=; add it there"},
	{HEAD DEBIAN EXEC "[Network]\nGateway=fe80::1/64\n",
	 "f:10: Gateway=: 'fe80::1/64' is not [INTERFACE] ADDRESS, such as 10.0.0.1 or eth1 fe80::1"},
	{HEAD DEBIAN EXEC "[Network]\nInterfaces=a b c d e\n",
	 "f:10: Interfaces=: the init looks after 4 at most"},
	{HEAD DEBIAN EXEC "Ready=file:up\n", "f:9: Ready=: 'up' is not an absolute path in the image"},
	{HEAD DEBIAN EXEC "WatchInterval=5\n", "f:9: WatchInterval= works only with Watch=; remove the line"},
	{HEAD DEBIAN EXEC "Watch=notify\nWatchTimeout=5\n",
	 "f:10: WatchTimeout= works only with Watch=http:// or tcp://; remove the line"},
	{HEAD DEBIAN EXEC "[Metadata]\nUserData=env\n",
	 "f:10: UserData= works only with Use=; remove the line"},
	{HEAD DEBIAN EXEC "Network=none\n[Metadata]\nUse=aws\n",
	 "f:11: Use=: aws and openstack are asked over the network, and Network=none"},
	{HEAD DEBIAN EXEC "[Attest]\nUse=yes\n", "f:10: Use=: 'yes' is not none, auto or tpm"},
	{HEAD DEBIAN "[Init]\nMode=system\n[Attest]\nUse=tpm\n",
	 "f:10: Use= works only with Mode=appliance; remove the line"},
	{HEAD DEBIAN EXEC "Status=9000\n", "f:9: Status=: '9000' is not :PORT, such as :9000"},
	{HEAD DEBIAN EXEC "[Data]\nFormat=blank\n", "f:10: Format= works only with Mount=; remove the line"},
	{HEAD DEBIAN EXEC "[Data]\nMount=/d\nLabel=seventeen-letters\n",
	 "f:11: Label=: 'seventeen-letters' is not a label: letters, digits, '_', '-' and '.', at most 16"},

	/* settings that contradict each other */
	{HEAD DEBIAN "[Kernel]\nPackage=k\nImage=i\n" EXEC,
	 "f:9: Image= and Package= both choose the kernel; remove one of them"},
	{HEAD DEBIAN "Snapshot=20240131T120000Z\n" EXEC,
	 "f:7: Snapshot= needs a Mirror= that says where the time goes: "
	 "http://mirror.example.org/archive/debian/@SNAPSHOT@"},
	{HEAD DEBIAN "Mirror=http://m/@SNAPSHOT@\n" EXEC,
	 "f:7: Mirror= holds @SNAPSHOT@, but there is no Snapshot="},
	{HEAD DEBIAN "Keyring=k.gpg\n" EXEC, "f:7: Keyring= needs a Mirror=: the archive that it is for"},
	{HEAD DEBIAN "Mirror=http://mirror.example.org/debian\nKeyring=a b.gpg\n" EXEC,
	 "f:8: Keyring= may have no blank and no bracket in its path: apt cannot read it"},
};

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct template *t = NULL;
		struct error err = ERROR_INIT;

		if (template_parse(refusals[i].text, strlen(refusals[i].text), "f", "/dir", &t, &err) !=
		    -EINVAL)
			fail_msg("'%s' is accepted", refusals[i].text);
		assert_string_equal(err.text, refusals[i].message);
		assert_int_equal(err.exit, EXIT_USAGE);
		assert_null(t);
	}
}

/* ---- SOURCE_DATE_EPOCH ---- */

static void test_epoch_of_the_environment(void **state)
{
	static const char *const bad[] = {"", "0", "-1", "now", "4294967296", " 1", NULL};
	const char *text = HEAD NONE EXEC "[Appliance]\nEpoch=5\n";
	struct template *t = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	setenv("SOURCE_DATE_EPOCH", "1700000000", 1);
	t = parse(text);
	assert_int_equal(t->appliance.epoch, 1700000000);
	template_free(t);
	for (size_t i = 0; bad[i]; i++) {
		setenv("SOURCE_DATE_EPOCH", bad[i], 1);
		t = NULL;
		assert_int_equal(template_parse(text, strlen(text), "f", "/dir", &t, &err), -EINVAL);
		assert_contains(err.text, "SOURCE_DATE_EPOCH of the environment: ");
		assert_int_equal(err.exit, EXIT_USAGE);
	}
	unsetenv("SOURCE_DATE_EPOCH");
}

/* ---- from files ---- */

static void write_file(const char *dir, const char *name, const char *text)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
	struct error err = ERROR_INIT;

	if (output_write_file(path, text, strlen(text), &err) < 0)
		fail_msg("%s", err.text);
}

static void test_load(void **state)
{
	_cleanup_free_ char *file = xasprintf("%s/appliance.conf", (char *)*state);
	struct error err = ERROR_INIT;
	struct template *t = NULL;

	write_file(*state, "k", "kernel");
	write_file(*state, "appliance.conf", HEAD NONE EXEC);
	assert_int_equal(template_load(*state, NULL, &t, &err), 0);
	assert_string_equal(t->path, file);
	assert_string_equal(t->dir, *state);
	assert_string_equal(t->appliance.version, "1");
	template_free(t);
	assert_int_equal(template_load(file, "2.0", &t, &err), 0);
	assert_string_equal(t->appliance.version, "2.0");
	assert_string_equal(t->dir, *state);
	template_free(t);
	assert_int_equal(template_load(file, "2/0", &t, &err), -EINVAL);
	assert_int_equal(err.exit, EXIT_USAGE);
}

static void test_load_missing(void **state)
{
	_cleanup_free_ char *none = xasprintf("%s/none", (char *)*state);
	_cleanup_free_ char *expected = xasprintf(
		"%s: no template, it holds no appliance.conf (No such file or directory)", (char *)*state);
	struct error err = ERROR_INIT;
	struct template *t = NULL;

	assert_int_equal(template_load(none, NULL, &t, &err), -EINVAL);
	assert_contains(
		err.text,
		"none: No such file or directory; a template is a directory that holds appliance.conf, or such a "
		"file");
	assert_int_equal(template_load(*state, NULL, &t, &err), -EINVAL);
	assert_string_equal(err.text, expected);
	assert_int_equal(err.exit, EXIT_USAGE);
}

static void test_load_empty(void **state)
{
	struct error err = ERROR_INIT;
	struct template *t = NULL;

	write_file(*state, "appliance.conf", "");
	assert_int_equal(template_load(*state, NULL, &t, &err), -EINVAL);
	assert_contains(err.text, "/appliance.conf: [Appliance] Name= is missing");
}

/* @rest behind a good head; the message must end in @message, with the template's path before it. */
static void refuse_file(const char *dir, const char *rest, const char *message)
{
	_cleanup_free_ char *text = xasprintf(HEAD "%s" EXEC, rest);
	struct error err = ERROR_INIT;
	struct template *t = NULL;

	write_file(dir, "appliance.conf", text);
	assert_int_equal(template_load(dir, NULL, &t, &err), -EINVAL);
	assert_contains(err.text, message);
	assert_int_equal(strncmp(err.text, dir, strlen(dir)), 0);
	assert_int_equal(err.exit, EXIT_USAGE);
}

static void test_files_are_looked_for(void **state)
{
	_cleanup_free_ char *sub = xasprintf("%s/sub", (char *)*state);

	assert_int_equal(mkdir(sub, 0755), 0);
	write_file(*state, "k", "kernel");
	refuse_file(*state, "[Base]\nSource=none\n[Kernel]\nImage=none\n", "/appliance.conf:7: Image=: '");
	refuse_file(*state, "[Base]\nSource=none\n[Kernel]\nImage=none\n",
		    "/none': No such file or directory");
	refuse_file(*state, "[Base]\nSource=none\n[Kernel]\nImage=sub\n",
		    "/sub' is a directory, a file was expected");
	refuse_file(*state, "[Base]\nSource=none\n[Kernel]\nImage=k\nModulesDirectory=k\n",
		    "/k' is a file, a directory was expected");
	refuse_file(*state, NONE "[Files]\nCopy=x:/x\n", "/x': No such file or directory");
	refuse_file(*state, NONE "[Files]\nCopy=/dev/null:/x\n",
		    "'/dev/null' is neither a file nor a directory");
	refuse_file(*state, NONE "[Package]\nPath=k\n",
		    "/k' is no package: .deb, .rpm, .apk, .tar, .tar.gz, .tar.xz, .tar.zst or a directory");
	refuse_file(*state, "[Base]\nPath=sub\nSource=tar\n", "/appliance.conf:5: Path=: '");
	refuse_file(*state, "[Base]\nPath=k\nSource=directory\n", "/k' is a file, a directory was expected");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_base_and_kernel),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_upload),
		cmocka_unit_test(test_upload_to_libvirt),
		cmocka_unit_test(test_init_and_probes),
		cmocka_unit_test(test_deb_sources),
		cmocka_unit_test(test_mode_system),
		cmocka_unit_test(test_empty_values_reset_lists),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_epoch_of_the_environment),
		unit_test_in_dir(test_load),
		unit_test_in_dir(test_load_missing),
		unit_test_in_dir(test_load_empty),
		unit_test_in_dir(test_files_are_looked_for),
	};

	unsetenv("SOURCE_DATE_EPOCH");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
