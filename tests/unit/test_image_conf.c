/* SPDX-License-Identifier: Apache-2.0 */
/* /appliance.conf as the builder writes it, and that the init reads it. */
#include "unit.h"

#include <elf.h>
#include <errno.h>
#include <sys/stat.h>

#include "image/abi.h"
#include "image/accounts.h"
#include "image/conf.h"
/* The other side of the contract. */
#include "../../firstboot/conf.c"
#include "../../firstboot/conf_boot.c"
#undef AT
#include "../../firstboot/conf_service.c"
#include "../../firstboot/conf_value.c"
#include "../../firstboot/filter.c"
#include "../../firstboot/line.c"

#define HEAD "[Appliance]\nName=web\nVersion=1.2\n[Base]\nSource=none\n[Kernel]\nImage=k\n"
#define PASSWD \
	"root:x:0:0:root:/root:/bin/sh\n# a comment\nbroken:x\nhuge:x:4294967295:1::/:\nweb:x:101:102::/:/bin/false\n"
#define GROUPS \
	"root:x:0:\nweb:x:102:\nb:x:50:other,web\nbroken\na:x:40:web\nc:x:60:webx\na2:x:40:web\nd:x:102:web"

static struct tree_entry *add(struct tree *t, const char *path, mode_t mode, const void *data, size_t len)
{
	struct tree_entry *e = xcalloc(1, sizeof(*e));

	e->path = xstrdup(path);
	e->mode = mode;
	e->nlink = 1;
	if (S_ISLNK(mode)) {
		e->target = xstrdup(data);
	} else if (data) {
		e->origin = ORIGIN_MEMORY;
		e->memory = xmemdup(data, len);
		e->size = len;
	}
	array_grow(t->entries, t->len, t->cap);
	t->entries[t->len++] = e;
	return e;
}

/* In the order of tree_path_compare(). */
static struct tree *make_tree(const char *passwd, const char *groups)
{
	struct tree *t = tree_new();

	add(t, "", S_IFDIR | 0755, NULL, 0);
	add(t, "bin", S_IFLNK | 0777, "usr/bin", 0);
	if (passwd) {
		add(t, "etc", S_IFDIR | 0755, NULL, 0);
		add(t, "etc/group", S_IFREG | 0644, groups, strlen(groups));
		add(t, "etc/passwd", S_IFREG | 0644, passwd, strlen(passwd));
	}
	add(t, "srv", S_IFDIR | 0755, NULL, 0);
	add(t, "usr", S_IFDIR | 0755, NULL, 0);
	add(t, "usr/bin", S_IFDIR | 0755, NULL, 0);
	add(t, "usr/bin/data", S_IFREG | 0644, "x", 1);
	add(t, "usr/bin/own", S_IFREG | 0750, "x", 1)->gid = 50;
	add(t, "usr/bin/script", S_IFREG | 0755, "#! /bin/web -x\n", 15);
	add(t, "usr/bin/stray", S_IFREG | 0755, "#!/bin/python3\n", 15);
	add(t, "usr/bin/web", S_IFREG | 0755, "x", 1);
	return t;
}

/* Everything that conf_render() takes. */
struct fixture {
	struct template *t;
	struct compose_result c;
	struct layout layout;
	struct verity_superblock sb;
	struct sha256 root_hash;
};

static struct fixture make(const char *text, struct tree *tree)
{
	static char ring[] = "virtio_ring", blk[] = "virtio_blk", dm[] = "dm_mod", net[] = "m/net.ko",
		    clock[] = "ptp_kvm", all[] = "a:*";
	static struct kernel_module initrd[] = {
		{.name = ring}, {.name = blk, .devices = all}, {.name = dm, .turn = MODULE_SIDE}};
	static struct kernel_module root[] = {{.name = net, .path = net, .devices = all},
					      {.name = clock, .path = clock}};
	struct fixture f = {.sb.data_blocks = 1234};
	struct error err = ERROR_INIT;

	if (template_parse(text, strlen(text), "f", "/d", &f.t, &err) < 0)
		fail_msg("%s", err.text);
	f.c.tree = tree;
	f.c.kernel = (struct kernel){.initrd = initrd, .initrd_len = 3, .root = root, .root_len = 2};
	memset(f.sb.salt, 0xab, sizeof(f.sb.salt));
	for (unsigned i = 0; i < SHA256_SIZE; i++)
		f.root_hash.b[i] = (uint8_t)i;
	f.layout.part[PART_VERITY].offset = LAYOUT_ALIGN;
	layout_add_signature("web", ARCH_X86_64, &f.layout);
	layout_set_root_hash(&f.layout, &f.root_hash);
	return f;
}

static void drop(struct fixture *f)
{
	template_free(f->t);
	tree_free(f->c.tree);
}

static int render(const struct fixture *f, struct buf *ret, struct error *err)
{
	return conf_render(f->t, &f->c, &f->layout, &f->sb, &f->root_hash, "console=ttyS0 a=b", ret, err);
}

/* @text with the tree must give @expected, and the init must take it. */
static void assert_renders(const char *text, struct tree *tree, const char *expected)
{
	struct fixture f = make(text, tree);
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;
	struct line detail;
	struct conf conf;

	if (render(&f, &b, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(b.ptr, expected);
	line_reset(&detail);
	if (conf_parse(b.ptr, b.len, &conf, &detail) < 0)
		fail_msg("the init refuses it: %s", detail.text);
	drop(&f);
}

static void assert_refuses(const char *text, struct tree *tree, const char *message)
{
	struct fixture f = make(text, tree);
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;

	assert_int_equal(render(&f, &b, &err), -EINVAL);
	assert_string_equal(err.text, message);
	assert_int_equal(err.exit, EXIT_USAGE);
	assert_int_equal(b.len, 0);
	drop(&f);
}

/* ---- golden texts ---- */

#define MODULES \
	"Module=/modules/virtio_ring.ko\nModule=/modules/virtio_blk.ko a:*\nSideModule=/modules/dm_mod.ko\n"
#define ROOT                                                                          \
	"Format=1\nName=web\nVersion=1.2\n"                                           \
	"RootHash=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n" \
	"Salt=abababababababababababababababababababababababababababababababab\n"     \
	"DataBlocks=1234\nHashStart=1\nRoot=00010203-0405-0607-0809-0a0b0c0d0e0f\n"   \
	"Verity=10111213-1415-1617-1819-1a1b1c1d1e1f\nCommandLine=console=ttyS0 a=b\n"

#define OPEN	"[Sandbox]\nSysctls=kernel\nModuleLoading=yes\nKexec=yes\nLockdown=none\nHideProcesses=no\n"
#define OPENED	"HidePid=no\nLockdown=none\n"
#define OF_ROOT "Capabilities=2684626427\nNewPrivileges=no\nTasksMax=4096\n"

static void test_appliance(void **state)
{
	(void)state;
	assert_renders(
		HEAD
		"[Init]\nExec=/bin/web --port 80 '' 'a b'\nUser=web\nEnvironment=B=2 A=\"1 x\"\n"
		"WorkingDirectory=/srv\nWritable=/srv\nHostname=h\nReady=http://:80/z?a=b\nReadyTimeout=5\n"
		"StopSignal=QUIT\nStopTimeout=7\nDeviceTimeout=9\nOnCorruption=panic\nVerify=full\n" OPEN,
		make_tree(PASSWD, GROUPS),
		ROOT
		"DeviceTimeout=9\nOnCorruption=panic\nVerify=full\n" MODULES
		"Mode=appliance\nRootModule=/m/net.ko a:*\nClockModule=/ptp_kvm\nHostname=h\n"
		"Network=dhcp\nWritable=/srv\n" OPENED "Service=main\n"
		"Arg=/bin/web\nArg=--port\nArg=80\nArg=\nArg=a b\nUid=101\nGid=102\nGroupId=40\nGroupId=50\n"
		"Env=B=2\nEnv=A=1 x\nWorkingDirectory=/srv\nCapabilities=0\nNewPrivileges=no\nTasksMax=4096\n"
		"ReadyPort=80\nReadyPath=/z?a=b\nReadyTimeout=5\nStopSignal=3\nStopTimeout=7\n");
}

static void test_appliance_of_defaults(void **state)
{
	(void)state;
	assert_renders(HEAD "[Init]\nExec=/usr/bin/web\nNetwork=none\n" OPEN, make_tree(NULL, NULL),
		       ROOT "DeviceTimeout=30\nOnCorruption=poweroff\nVerify=lazy\n" MODULES
			    "Mode=appliance\nRootModule=/m/net.ko a:*\nClockModule=/ptp_kvm\nHostname=web\n"
			    "Network=none\n" OPENED "Service=main\n"
			    "Arg=/usr/bin/web\nUid=0\nGid=0\nWorkingDirectory=/\n" OF_ROOT "ReadyPort=0\n"
			    "ReadyTimeout=60\nStopSignal=15\nStopTimeout=10\n");
}

/* Only who asks for it has the kernel verify the signature. */
static void test_signature(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		_cleanup_free_ char *text = xasprintf(
			HEAD "[Init]\nExec=/bin/web\n[Sign]\nVerityCertificate=/c\nVerityRequired=%s\n",
			i ? "yes" : "no");
		struct fixture f = make(text, make_tree(NULL, NULL));
		_cleanup_buf_ struct buf b = {0};
		struct error err = ERROR_INIT;

		assert_int_equal(render(&f, &b, &err), 0);
		assert_int_equal(
			!!strstr(b.ptr, "\nSignature=0a031b7d-38f4-810f-8918-3a24dc4a5b13\nCommandLine="), i);
		drop(&f);
	}
}

static void test_services_and_sandbox(void **state)
{
	(void)state;
	assert_renders(
		HEAD
		"[Service b]\nExec=/bin/web\nAfter=main\nUser=7\nGroup=7\nRestart=on-failure\nRestartLimit=3/1min\n"
		"LimitNOFILE=10:2K\nLimitCORE=infinity\nCapabilities=CAP_NET_RAW CAP_CHOWN\nMemoryMax=64M\n"
		"TasksMax=infinity\nNoNewPrivileges=no\nEnvironmentFile=-/etc/b\nEnvironmentFile=/run/env\n"
		"[Init]\nExec=/usr/bin/web\nNetwork=none\nMaxLifetime=24h\nJitter=1h\nDrain=30\nCapabilities=all\n"
		"[Attest]\nUse=auto\n[Sandbox]\nSysctls=kernel\nSysctl=net.core.somaxconn=4096\n"
		"Sysctl=kernel.modules_disabled=0\nWritableSize=64M\n",
		make_tree(NULL, NULL),
		ROOT
		"DeviceTimeout=30\nOnCorruption=poweroff\nVerify=lazy\n" MODULES
		"Mode=appliance\nRootModule=/m/net.ko a:*\nClockModule=/ptp_kvm\nHostname=web\n"
		"Network=none\nAttest=auto\nMaxLifetime=86400\nJitter=3600\nDrain=30\nWritableSize=64M\n"
		"HidePid=yes\nLockdown=integrity\nSysctl=net.core.somaxconn=4096\n"
		"Sysctl=kernel.modules_disabled=0\nSysctl=-kernel.kexec_load_disabled=1\n"
		"Service=main\nArg=/usr/bin/web\nUid=0\nGid=0\nWorkingDirectory=/\n"
		"Capabilities=18446744073709551615\nNewPrivileges=no\nTasksMax=4096\n"
		"ReadyPort=0\nReadyTimeout=60\nStopSignal=15\nStopTimeout=10\n"
		"Service=b\nAfter=main\nArg=/bin/web\nUid=7\nGid=7\nWorkingDirectory=/\n"
		"EnvFile=-/etc/b\nEnvFile=/run/env\nCapabilities=8193\nNewPrivileges=yes\nMemoryMax=67108864\n"
		"Limit=4 18446744073709551615 18446744073709551615\nLimit=7 10 2048\n"
		"Restart=on-failure\nRestartLimit=3\nRestartWindow=60\n"
		"ReadyPort=0\nReadyTimeout=60\nStopSignal=15\nStopTimeout=10\n");
	assert_refuses(
		HEAD "[Init]\nExec=/bin/web\nEnvironmentFile=/etc/none\n", make_tree(NULL, NULL),
		"f: [Init] EnvironmentFile=: '/etc/none' is not a file of the image; put '-' in front when it "
		"need not be there");
	assert_refuses(
		HEAD "[Service b]\nExec=/bin/none\n", make_tree(NULL, NULL),
		"f: [Service b] Exec=: '/bin/none' is not in the image; add its package or a [Files] Copy=");
}

/* Without a word in the template. */
static void test_hardened(void **state)
{
	struct fixture f = make(HEAD "[Init]\nExec=/bin/web\n", make_tree(NULL, NULL));
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(render(&f, &b, &err), 0);
	assert_contains(b.ptr, "\nHidePid=yes\nLockdown=integrity\nSysctl=-kernel.kptr_restrict=2\n");
	assert_contains(
		b.ptr,
		"\nSysctl=-kernel.kexec_load_disabled=1\nSysctl=-kernel.modules_disabled=1\nService=main\n");
	drop(&f);
}

static void test_programs_before(void **state)
{
	(void)state;
	assert_renders(HEAD "[Init]\nExec=/usr/bin/web\nNetwork=none\nExecStartPre=/bin/web -t ''\n"
			    "ExecStartPre=-+/bin/own\n" OPEN,
		       make_tree(NULL, NULL),
		       ROOT "DeviceTimeout=30\nOnCorruption=poweroff\nVerify=lazy\n" MODULES
			    "Mode=appliance\nRootModule=/m/net.ko a:*\nClockModule=/ptp_kvm\nHostname=web\n"
			    "Network=none\n" OPENED "Service=main\n"
			    "Arg=/usr/bin/web\nUid=0\nGid=0\nBefore=3\nBeforeArg=/bin/web\nBeforeArg=-t\n"
			    "BeforeArg=\nBefore=-+1\nBeforeArg=/bin/own\n"
			    "WorkingDirectory=/\n" OF_ROOT "ReadyPort=0\n"
			    "ReadyTimeout=60\nStopSignal=15\nStopTimeout=10\n");
	assert_refuses(
		HEAD "[Init]\nExec=/bin/web\nExecStartPre=/bin/none\n", make_tree(NULL, NULL),
		"f: [Init] ExecStartPre=: '/bin/none' is not in the image; add its package or a [Files] "
		"Copy=");
	assert_refuses(
		HEAD "[Init]\nExec=/bin/web\nExecStartPre=/bin/own\nUser=7\nGroup=7\n", make_tree(NULL, NULL),
		"f: [Init] ExecStartPre=: '/bin/own' has mode 0750 and owner 0:50 in the image, so user 7 "
		"cannot run it");
}

static void test_system(void **state)
{
	(void)state;
	assert_renders(HEAD "[Init]\nMode=system\nInit=/bin/web\nOnCorruption=reboot\n",
		       make_tree(NULL, NULL),
		       ROOT "DeviceTimeout=30\nOnCorruption=reboot\nVerify=lazy\n" MODULES
			    "Mode=system\nInit=/bin/web\n");
}

/* ---- accounts ---- */

static void assert_account(const char *user, const char *group, const char *expected)
{
	_cleanup_tree_ struct tree *tree = make_tree(PASSWD, GROUPS);
	_cleanup_account_ struct account a = {0};
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;

	if (account_find(tree, user, group, &a, &err) < 0) {
		assert_string_equal(err.text, expected);
		return;
	}
	buf_printf(&b, "%u:%u", a.uid, a.gid);
	for (size_t i = 0; i < a.group_count; i++)
		buf_printf(&b, ",%u", a.groups[i]);
	assert_string_equal(b.ptr, expected);
}

static void test_accounts(void **state)
{
	(void)state;
	assert_account("web", NULL, "101:102,40,50");
	assert_account("101", NULL, "101:102,40,50");
	assert_account("web", "a", "101:40,50,102");
	assert_account("web", "7", "101:7,40,50,102");
	assert_account("root", NULL, "0:0");
	assert_account("0", NULL, "0:0");
	assert_account("7", "8", "7:8");
	assert_account("7", "web", "7:102");
	assert_account("7", NULL, "User=7: /etc/passwd of the image has no such user; say Group= too");
	assert_account("nobody", NULL, "User=nobody: /etc/passwd of the image has no such user");
	assert_account("broken", NULL, "User=broken: /etc/passwd of the image has no such user");
	assert_account("huge", NULL, "User=huge: /etc/passwd of the image has no such user");
	assert_account("web", "none", "Group=none: /etc/group of the image has no such group");
	assert_account("web", "broken", "Group=broken: /etc/group of the image has no such group");
}

static void test_odd_databases(void **state)
{
	static const char *const texts[] = {
		"", "\n\n", ":::", "web", "web:", "web:x:1", "web:x:1:", "web:x::1", "web:x:-1:1", ":x:1:1"};
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		_cleanup_tree_ struct tree *tree = make_tree(texts[i], texts[i]);
		_cleanup_account_ struct account a = {0};

		assert_int_equal(account_find(tree, "web", NULL, &a, &err), -EINVAL);
	}
}

/* ---- programs ---- */

static void test_missing_program(void **state)
{
	(void)state;
	assert_refuses(
		HEAD "[Init]\nExec=/bin/none\n", make_tree(NULL, NULL),
		"f: [Init] Exec=: '/bin/none' is not in the image; add its package or a [Files] Copy=");
	assert_refuses(HEAD "[Init]\nExec=/usr/bin\n", make_tree(NULL, NULL),
		       "f: [Init] Exec=: '/usr/bin' is not a regular file in the image");
	assert_refuses(
		HEAD "[Init]\nMode=system\n", make_tree(NULL, NULL),
		"f: [Init] Init=: '/sbin/init' is not in the image; add its package or a [Files] Copy=");
}

static void test_program_that_may_not_run(void **state)
{
	(void)state;
	assert_refuses(
		HEAD "[Init]\nExec=/bin/data\n", make_tree(NULL, NULL),
		"f: [Init] Exec=: '/bin/data' has mode 0644 and owner 0:0 in the image, so user 0 cannot run it");
	assert_refuses(
		HEAD "[Init]\nExec=/bin/own\nUser=7\nGroup=7\n", make_tree(NULL, NULL),
		"f: [Init] Exec=: '/bin/own' has mode 0750 and owner 0:50 in the image, so user 7 cannot run it");
}

static void test_may_execute(void **state)
{
	uint32_t groups[] = {5};
	const struct account root = {0}, owner = {.uid = 1}, member = {.uid = 2, .gid = 3},
			     also = {.uid = 2, .gid = 9, .groups = groups, .group_count = 1},
			     other = {.uid = 2, .gid = 9};
	struct tree_entry e = {.uid = 1, .gid = 3};

	(void)state;
	e.mode = S_IFREG | 0100;
	assert_true(account_may_execute(&root, &e));
	assert_true(account_may_execute(&owner, &e));
	assert_false(account_may_execute(&member, &e));
	e.mode = S_IFREG | 0070;
	assert_false(account_may_execute(&owner, &e)); /* the owner's bits count alone */
	assert_true(account_may_execute(&member, &e));
	assert_false(account_may_execute(&other, &e));
	e.gid = 5;
	assert_true(account_may_execute(&also, &e));
	e.mode = S_IFREG | 0666;
	assert_false(account_may_execute(&root, &e));
	e.mode = S_IFREG | 0001;
	assert_true(account_may_execute(&other, &e));
}

static void test_scripts(void **state)
{
	struct fixture f = make(HEAD "[Init]\nExec=/bin/script\n", make_tree(NULL, NULL));
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(render(&f, &b, &err), 0);
	drop(&f);
	assert_refuses(
		HEAD "[Init]\nExec=/bin/stray\n", make_tree(NULL, NULL),
		"f: [Init] Exec=: '/bin/stray' needs '/bin/python3', which is not in the image; add the interpreter's "
		"package");
}

/* A program of @machine whose loader's name lies at @offset. */
static struct tree *elf_tree(unsigned machine, const char *loader, uint64_t offset, unsigned headers)
{
	struct {
		Elf64_Ehdr head;
		Elf64_Phdr ph[2];
		char loader[32];
	} program = {.head = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB},
			      .e_machine = (Elf64_Half)machine,
			      .e_phoff = sizeof(Elf64_Ehdr),
			      .e_phentsize = sizeof(Elf64_Phdr),
			      .e_phnum = (Elf64_Half)headers}};
	struct tree *t = make_tree(NULL, NULL);

	program.ph[0].p_type = PT_LOAD;
	program.ph[1] = (Elf64_Phdr){.p_type = PT_INTERP, .p_offset = offset, .p_filesz = strlen(loader) + 1};
	snprintf(program.loader, sizeof(program.loader), "%s", loader);
	add(t, "usr/bin/z", S_IFREG | 0755, &program, sizeof(program));
	return t;
}

static void test_elf_programs(void **state)
{
	const uint64_t at = sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr);
	const char *text = HEAD "[Init]\nExec=/bin/z\n";
	struct fixture f = make(text, elf_tree(EM_X86_64, "/bin/web", at, 2));
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(render(&f, &b, &err), 0);
	drop(&f);
	assert_refuses(
		text, elf_tree(EM_X86_64, "/lib64/ld-linux.so", at, 2),
		"f: [Init] Exec=: '/bin/z' needs '/lib64/ld-linux.so', which is not in the image; link the program "
		"statically or add its libraries' packages");
	assert_refuses(
		text, elf_tree(EM_AARCH64, "/bin/web", at, 2),
		"f: [Init] Exec=: '/bin/z' is a program for another machine (ELF machine 183) than Architecture=x86_64");
	assert_refuses(text, elf_tree(EM_X86_64, "/bin/web", UINT64_MAX - 1, 2),
		       "f: [Init] Exec=: '/bin/z' is a damaged ELF program: its loader's name lies outside");
	assert_refuses(text, elf_tree(EM_X86_64, "/bin/web", at, 60),
		       "f: [Init] Exec=: '/bin/z' is a damaged ELF program: its program headers lie outside");
	assert_refuses(text, elf_tree(EM_X86_64, "/bin/web", at, 65535),
		       "f: [Init] Exec=: '/bin/z' is a damaged ELF program: its program headers lie outside");
}

/* ---- file capabilities ---- */

/* CAP_NET_BIND_SERVICE and CAP_NET_RAW, and, with revision 3, CAP_BPF for the root of user id 7. */
static struct tree *capable_tree(bool high)
{
	static const uint8_t two[20] = {1, 0, 0, 2, 0, 0x24},
			     three[24] = {1, 0, 0, 3, 0, 0x24, [12] = 0x80, [20] = 7};
	struct tree *t = make_tree(PASSWD, GROUPS);
	struct tree_entry *e = add(t, "usr/bin/z", S_IFREG | 0755, "x", 1);

	e->xattrs = xcalloc(1, sizeof(*e->xattrs));
	e->xattr_count = 1;
	e->xattrs[0] =
		(struct tree_xattr){.name = xstrdup("security.capability"),
				    .value = high ? xmemdup(three, sizeof(three)) : xmemdup(two, sizeof(two)),
				    .len = high ? sizeof(three) : sizeof(two)};
	return t;
}

static void assert_is_taken(const char *text, struct tree *tree)
{
	struct fixture f = make(text, tree);
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;

	if (render(&f, &b, &err) < 0)
		fail_msg("%s", err.text);
	drop(&f);
}

static void test_file_capabilities(void **state)
{
	static const char would[] =
		"f: [Init] Exec=: '/bin/z' has file capabilities that the service does not have, so it "
		"would not start, or start without them: ";
	_cleanup_free_ char *both = xasprintf("%sCAP_NET_BIND_SERVICE CAP_NET_RAW; say "
					      "Capabilities=CAP_NET_BIND_SERVICE CAP_NET_RAW",
					      would);
	_cleanup_free_ char *one =
		xasprintf("%sCAP_NET_RAW; say Capabilities=CAP_NET_BIND_SERVICE CAP_NET_RAW", would);
	_cleanup_free_ char *bpf =
		xasprintf("%sCAP_BPF; say Capabilities=CAP_NET_BIND_SERVICE CAP_NET_RAW CAP_BPF", would);

	_cleanup_free_ char *before =
		xasprintf("f: [Init] ExecStartPre=%s", strchr(both, ':') + strlen(": [Init] Exec="));

	(void)state;
	assert_refuses(HEAD "[Init]\nExec=/bin/z\nUser=web\n", capable_tree(false), both);
	assert_refuses(HEAD "[Init]\nExec=/bin/z\nUser=web\nNoNewPrivileges=no\n", capable_tree(false), both);
	assert_refuses(HEAD "[Init]\nExec=/bin/z\nUser=web\nCapabilities=CAP_NET_BIND_SERVICE\n",
		       capable_tree(false), one);
	assert_refuses(HEAD "[Init]\nExec=/bin/z\nCapabilities=CAP_NET_RAW CAP_NET_BIND_SERVICE\n",
		       capable_tree(true), bpf);
	assert_refuses(HEAD "[Init]\nExec=/bin/web\nUser=web\nExecStartPre=/bin/z\n", capable_tree(false),
		       before);
	assert_is_taken(HEAD "[Init]\nExec=/bin/web\nUser=web\nExecStartPre=+/bin/z\n", capable_tree(false));
	assert_is_taken(HEAD "[Init]\nExec=/bin/z\n", capable_tree(false)); /* root has these */
	assert_is_taken(HEAD "[Init]\nExec=/bin/z\nUser=web\nCapabilities=all\n", capable_tree(true));
}

/* ---- other refusals ---- */

static void test_directories(void **state)
{
	(void)state;
	assert_refuses(HEAD "[Init]\nExec=/bin/web\nWorkingDirectory=/none\n", make_tree(NULL, NULL),
		       "f: [Init] WorkingDirectory=: the directory '/none' is not in the image");
	assert_refuses(HEAD "[Init]\nExec=/bin/web\nWritable=/srv /bin/web\n", make_tree(NULL, NULL),
		       "f: [Init] Writable=: '/bin/web' is not a directory in the image");
}

static void test_newline(void **state)
{
	char path[] = "usr/lib/modules/6.1/a\nUid=0.ko";
	struct kernel_module module = {.name = path, .path = path};
	struct fixture f = make(HEAD "[Init]\nExec=/bin/web\n", make_tree(NULL, NULL));
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;

	(void)state;
	f.c.kernel.root = &module, f.c.kernel.root_len = 1;
	assert_int_equal(render(&f, &b, &err), -EINVAL);
	assert_string_equal(err.text,
			    "f: a value of RootModule= has a newline; /appliance.conf cannot say that");
	drop(&f);
}

static void test_too_much(void **state)
{
	_cleanup_buf_ struct buf many = {0}, big = {0}, url = {0};

	(void)state;
	buf_printf(&many, HEAD "[Init]\nExec=/bin/web");
	for (int i = 0; i < ABI_CONF_LIST_MAX; i++)
		buf_printf(&many, " a");
	buf_printf(&many, "\n");
	assert_refuses(many.ptr, make_tree(NULL, NULL),
		       "f: Arg= would repeat more than 96 times; the init takes no more");
	buf_printf(&url, HEAD "[Init]\nExec=/bin/web\nReady=http://:80/");
	for (int i = 0; i < ABI_READY_PATH_MAX; i++)
		buf_printf(&url, "a");
	buf_printf(&url, "\n");
	assert_refuses(url.ptr, make_tree(NULL, NULL),
		       "f: [Init] Ready=: the path is longer than 1024 bytes");
	buf_printf(&big, HEAD "[Init]\nExec=/bin/web ");
	for (int i = 0; i < ABI_CONF_MAX; i++)
		buf_printf(&big, "a");
	buf_printf(&big, "\n");
	{
		struct fixture f = make(big.ptr, make_tree(NULL, NULL));
		_cleanup_buf_ struct buf b = {0};
		struct error err = ERROR_INIT;

		assert_int_equal(render(&f, &b, &err), -EINVAL);
		assert_contains(err.text, " bytes, the init takes 65536; shorten Exec= or Environment=");
		drop(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_appliance),
		cmocka_unit_test(test_signature),
		cmocka_unit_test(test_appliance_of_defaults),
		cmocka_unit_test(test_programs_before),
		cmocka_unit_test(test_services_and_sandbox),
		cmocka_unit_test(test_hardened),
		cmocka_unit_test(test_system),
		cmocka_unit_test(test_accounts),
		cmocka_unit_test(test_odd_databases),
		cmocka_unit_test(test_missing_program),
		cmocka_unit_test(test_program_that_may_not_run),
		cmocka_unit_test(test_may_execute),
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_elf_programs),
		cmocka_unit_test(test_file_capabilities),
		cmocka_unit_test(test_directories),
		cmocka_unit_test(test_newline),
		cmocka_unit_test(test_too_much),
	};

	unsetenv("SOURCE_DATE_EPOCH");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
