/* SPDX-License-Identifier: Apache-2.0 */
/* Modules in loading order, and the kernel of a template. */
#include "compose_fixture.h"

#include "compose/kernel.h"
#include "compose/modules.h"

static const char dep[] =
	"kernel/drivers/virtio/virtio_pci.ko: kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko\n"
	"kernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko\n"
	"kernel/drivers/virtio/virtio_ring.ko:\n"
	"kernel/drivers/md/dm-verity.ko.xz: kernel/drivers/md/dm-mod.ko.xz\n"
	"kernel/drivers/md/dm-mod.ko.xz:\n"
	"kernel/circle-a.ko: kernel/circle-b.ko\n"
	"kernel/circle-b.ko: kernel/circle-a.ko\n"
	"kernel/broken.ko: kernel/absent.ko\n";
static const char builtin[] = "kernel/fs/ext4/ext4.ko\nkernel/drivers/nvme/host/nvme.ko\n";

static struct modules *parse(void)
{
	struct modules *m = NULL;
	struct error err = ERROR_INIT;

	assert_int_equal(modules_parse(dep, strlen(dep), builtin, strlen(builtin), "6.1-test", &m, &err), 0);
	return m;
}

static void test_loading_order(void **state)
{
	static const char *const expected[] = {
		"kernel/drivers/virtio/virtio_ring.ko", "kernel/drivers/virtio/virtio.ko",
		"kernel/drivers/virtio/virtio_pci.ko", "kernel/drivers/md/dm-mod.ko.xz",
		"kernel/drivers/md/dm-verity.ko.xz"};
	_cleanup_modules_ struct modules *m = parse();
	_cleanup_strlist_ struct strlist paths = {0};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(modules_resolve(m, "virtio-pci", false, &paths, &err), 0);
	assert_int_equal(modules_resolve(m, "ext4", false, &paths, &err), 0);
	assert_int_equal(modules_resolve(m, "dm_verity", false, &paths, &err), 0);
	assert_int_equal(modules_resolve(m, "virtio_pci", false, &paths, &err), 0);
	assert_int_equal(modules_resolve(m, "none", true, &paths, &err), 0);
	assert_int_equal(paths.len, 5);
	for (size_t i = 0; i < paths.len; i++)
		assert_string_equal(paths.ptr[i], expected[i]);
}

static void test_refuses(void **state)
{
	_cleanup_modules_ struct modules *m = parse();
	_cleanup_strlist_ struct strlist paths = {0};
	struct modules *none = NULL;
	struct error err = ERROR_INIT;
	static const char *const bad[] = {"no colon\n", "/absolute.ko:\n", "a/../b.ko:\n", ":\n"};

	(void)state;
	assert_int_equal(modules_resolve(m, "none", false, &paths, &err), -EINVAL);
	assert_string_equal(err.text, "kernel 6.1-test has no module 'none'");
	assert_int_equal(modules_resolve(m, "circle-a", true, &paths, &err), -ELOOP);
	assert_int_equal(modules_resolve(m, "broken", true, &paths, &err), -EINVAL);
	assert_contains(err.text, "needs 'absent'");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_true(modules_parse(bad[i], strlen(bad[i]), NULL, 0, "6.1-test", &none, &err) < 0);
		assert_contains(err.text, "kernel 6.1-test: modules.dep");
	}
	assert_null(none);
}

/* The host's own, against modprobe. */
static void test_modprobe_agrees(void **state)
{
	static const char *const names[] = {"dm_verity", "virtio_net", "btrfs", "ext4", "nvme"};
	_cleanup_strlist_ struct strlist releases = {0};
	_cleanup_buf_ struct buf text = {0}, more = {0};
	_cleanup_modules_ struct modules *m = NULL;
	struct error err = ERROR_INIT;
	_cleanup_closedir_ DIR *dir = opendir("/lib/modules");
	struct dirent *de;
	_cleanup_free_ char *release = NULL;

	(void)state;
	while (dir && (de = readdir(dir))) {
		_cleanup_free_ char *path = xasprintf("/lib/modules/%s/modules.dep", de->d_name);
		_cleanup_free_ char *other = xasprintf("/lib/modules/%s/modules.builtin", de->d_name);

		if (de->d_name[0] != '.' && io_read_file(AT_FDCWD, path, 1 << 24, &text, &err) == 0 &&
		    io_read_file(AT_FDCWD, other, 1 << 24, &more, &err) == 0)
			release = xstrdup(de->d_name);
		if (release)
			break;
	}
	if (!release || access("/usr/sbin/modprobe", X_OK) < 0)
		skip();
	assert_int_equal(modules_parse(text.ptr, text.len, more.ptr, more.len, release, &m, &err), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *const argv[] = {"/usr/sbin/modprobe", "-S",	    release, "--show-depends",
					    "--ignore-install",	  names[i], NULL};
		_cleanup_buf_ struct buf output = {0};
		_cleanup_strlist_ struct strlist paths = {0};
		struct spawn s = {.argv = argv, .output = &output};
		const char *at;

		if (modules_resolve(m, names[i], false, &paths, &err) < 0)
			continue;
		assert_int_equal(spawn_run(&s, &err), 0);
		/* modprobe may add soft dependencies; ours come in its order. */
		at = output.ptr;
		for (size_t p = 0; p < paths.len; p++) {
			assert_non_null(strstr(output.ptr, paths.ptr[p]));
			at = strstr(output.ptr, paths.ptr[p]);
		}
		if (paths.len)
			assert_null(strchr(at, '\n')[1] ? strstr(at + 1, "insmod") : NULL);
	}
}

/* ---- kernel_compose() ---- */

static const char image_text[] = "not really a kernel";

/* A base that has a kernel with a few modules, and what is booted from in /boot. */
static const struct member base[] = {
	{.path = "lib", .type = '2', .link = "usr/lib"},
	{.path = "boot/vmlinuz-6.1-test", .data = image_text},
	{.path = "boot/initrd.img-6.1-test", .data = "x"},
	{.path = "boot/keep", .data = "x"},
	{.path = "vmlinuz", .type = '2', .link = "boot/vmlinuz-6.1-test"},
	{.path = "usr/lib/modules/6.1-test/modules.dep",
	 .data = "kernel/a.ko: kernel/b.ko\nkernel/b.ko:\nkernel/virtio_net.ko: kernel/b.ko kernel/c.ko\nkernel/c.ko:\n"},
	{.path = "usr/lib/modules/6.1-test/modules.builtin", .data = "kernel/dm-verity.ko\n"},
	{.path = "usr/lib/modules/6.1-test/kernel/a.ko", .data = "A"},
	{.path = "usr/lib/modules/6.1-test/kernel/b.ko", .data = "B"},
	{.path = "usr/lib/modules/6.1-test/kernel/c.ko", .data = "C"},
	{.path = "usr/lib/modules/6.1-test/kernel/virtio_net.ko", .data = "V"},
	{.path = NULL},
};

static int compose_base(const struct template *t, const struct member *members, struct compose_result *result,
			char **ret_text, struct error *err)
{
	_cleanup_merge_ struct merge *m = merge_new();
	_cleanup_tree_ struct tree *tree = NULL;
	struct layer l = layer_from(members);
	_cleanup_kernel_source_ struct kernel_source source = KERNEL_SOURCE_INIT;
	struct cache cache = {.dir = (char *)(uintptr_t) "/nonexistent"};
	bool found = true;
	int r;

	assert_int_equal(merge_layer(m, &l, 0, 0, err), 0);
	r = kernel_source_open(t, &cache, &source, &result->kernel, &found, err);
	if (r == 0)
		r = kernel_compose(t, &source, m, 1, result, err);
	if (r < 0)
		return r;
	tree = merge_finish(m, 1);
	*ret_text = tree_text(tree);
	return 0;
}

static void test_kernel_of_the_base(void **state)
{
	struct template t = {.init.mode = INIT_APPLIANCE};
	_cleanup_compose_ struct compose_result result = {0};
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	t.init.network = NETWORK_DHCP;
	strlist_add(&t.kernel.initrd_modules, "a");
	assert_int_equal(compose_base(&t, base, &result, &text, &err), 0);
	assert_string_equal(result.kernel.release, "6.1-test");
	assert_int_equal(result.kernel.image_len, strlen(image_text));
	assert_int_equal(result.kernel.initrd_len, 2);
	assert_string_equal(result.kernel.initrd[0].name, "b");
	assert_string_equal(result.kernel.initrd[1].path, "usr/lib/modules/6.1-test/kernel/a.ko");
	assert_memory_equal(result.kernel.initrd[1].data, "A", 1);
	/* b is loaded by then. */
	assert_int_equal(result.kernel.root_len, 2);
	assert_string_equal(result.kernel.root[0].name, "c");
	assert_string_equal(result.kernel.root[1].name, "virtio_net");
	assert_contains(text, "/boot/keep");
	assert_contains(text, "/usr/lib/modules/6.1-test/kernel/virtio_net.ko 100644 0:0 n1 1 bytes V\n");
	assert_null(strstr(text, "vmlinuz"));
	assert_null(strstr(text, "initrd.img"));
	assert_null(strstr(text, "modules.dep"));
	assert_null(strstr(text, "a.ko"));
	strlist_free(&t.kernel.initrd_modules);
}

/* A small root is read as fast without what makes SHA-256 faster; who names it has it. */
static void test_kernel_fits_the_root(void **state)
{
	static const struct member faster[] = {
		{.path = "boot/vmlinuz-6.1-test", .data = image_text},
		{.path = "lib/modules/6.1-test/modules.dep", .data = "k/sha256-ssse3.ko:\nk/dm-verity.ko:\n"},
		{.path = "lib/modules/6.1-test/k/sha256-ssse3.ko", .data = "S"},
		{.path = "lib/modules/6.1-test/k/dm-verity.ko", .data = "D"},
		{.path = NULL},
	};
	const struct template t = {.init.mode = INIT_APPLIANCE};
	_cleanup_compose_ struct compose_result result = {0};
	_cleanup_strlist_ struct strlist named = {0};
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_INIT;
	struct kernel *k = &result.kernel;

	(void)state;
	assert_int_equal(compose_base(&t, faster, &result, &text, &err), 0);
	assert_int_equal(k->initrd_len, 2);
	kernel_fit(k, &named, 4 << 20);
	assert_int_equal(k->initrd_len, 2);
	strlist_add(&named, "sha256-ssse3");
	kernel_fit(k, &named, 4096);
	assert_int_equal(k->initrd_len, 2);
	strlist_free(&named);
	kernel_fit(k, &named, (4 << 20) - 1);
	assert_int_equal(k->initrd_len, 1);
	assert_string_equal(k->initrd[0].name, "dm_verity");
}

/* dm-verity and what it needs can be loaded beside the others, unless one of these needs it too. */
static void test_kernel_beside(void **state)
{
	static const struct member members[] = {
		{.path = "boot/vmlinuz-6.1-test", .data = image_text},
		{.path = "lib/modules/6.1-test/modules.dep",
		 .data = "k/virtio_blk.ko: k/virtio.ko\nk/virtio.ko:\nk/dm-verity.ko: k/dm-mod.ko\nk/dm-mod.ko:\n"
			 "k/dm-crypt.ko: k/dm-mod.ko\n"},
		{.path = "lib/modules/6.1-test/k/virtio.ko", .data = "V"},
		{.path = "lib/modules/6.1-test/k/virtio_blk.ko", .data = "B"},
		{.path = "lib/modules/6.1-test/k/dm-mod.ko", .data = "M"},
		{.path = "lib/modules/6.1-test/k/dm-verity.ko", .data = "D"},
		{.path = "lib/modules/6.1-test/k/dm-crypt.ko", .data = "C"},
		{.path = NULL},
	};
	static const char *const names[] = {"virtio", "virtio_blk", "dm_mod", "dm_verity", "dm_crypt"};
	struct template t = {.init.mode = INIT_APPLIANCE};

	(void)state;
	for (size_t n = 4; n <= 5; n++) {
		_cleanup_compose_ struct compose_result result = {0};
		_cleanup_free_ char *text = NULL;
		struct error err = ERROR_INIT;
		const struct kernel *k = &result.kernel;

		if (n == 5)
			strlist_add(&t.kernel.initrd_modules, "dm_crypt");
		assert_int_equal(compose_base(&t, members, &result, &text, &err), 0);
		assert_int_equal(k->initrd_len, n);
		for (size_t i = 0; i < n; i++) {
			assert_string_equal(k->initrd[i].name, names[i]);
			assert_int_equal(k->initrd[i].turn, n == 4 && i >= 2 ? MODULE_SIDE : MODULE_MAIN);
		}
	}
	strlist_free(&t.kernel.initrd_modules);
}

static const struct member of_virtio[] = {
	{.path = "boot/vmlinuz-6.1-test", .data = image_text},
	{.path = "lib/modules/6.1-test/modules.dep",
	 .data = "k/crc32c_generic.ko:\nk/virtio_ring.ko:\nk/virtio.ko: k/virtio_ring.ko\nk/modern.ko:\n"
		 "k/virtio_pci.ko: k/modern.ko k/virtio.ko k/virtio_ring.ko\n"
		 "k/virtio_blk.ko: k/virtio.ko k/virtio_ring.ko\nk/dm-verity.ko:\nk/sha256-ssse3.ko:\n"
		 "k/also.ko: k/modern.ko\nk/virtio_rng.ko: k/virtio.ko k/virtio_ring.ko\n"
		 "k/virtio_net.ko: k/virtio.ko k/virtio_ring.ko k/failover.ko\nk/failover.ko:\nk/ena.ko:\n"},
	{.path = "lib/modules/6.1-test/k/crc32c_generic.ko", .data = "C"},
	{.path = "lib/modules/6.1-test/k/virtio_ring.ko", .data = "R"},
	{.path = "lib/modules/6.1-test/k/virtio.ko", .data = "V"},
	{.path = "lib/modules/6.1-test/k/modern.ko", .data = "M"},
	{.path = "lib/modules/6.1-test/k/virtio_pci.ko", .data = "P"},
	{.path = "lib/modules/6.1-test/k/virtio_blk.ko", .data = "B"},
	{.path = "lib/modules/6.1-test/k/dm-verity.ko", .data = "D"},
	{.path = "lib/modules/6.1-test/k/sha256-ssse3.ko", .data = "S"},
	{.path = "lib/modules/6.1-test/k/also.ko", .data = "A"},
	{.path = "lib/modules/6.1-test/k/virtio_rng.ko", .data = "G"},
	{.path = "lib/modules/6.1-test/k/virtio_net.ko", .data = "N"},
	{.path = "lib/modules/6.1-test/k/failover.ko", .data = "F"},
	{.path = "lib/modules/6.1-test/k/ena.ko", .data = "E"},
	{.path = NULL},
};

/* What one module alone needs can be loaded beside the chain that it needs too; it and those behind it wait for both. */
static void test_kernel_first(void **state)
{
	static const struct {
		const char *name;
		enum module_turn turn;
	} expected[] = {
		{"crc32c_generic", MODULE_MAIN}, {"modern", MODULE_FIRST},    {"virtio_ring", MODULE_MAIN},
		{"virtio", MODULE_MAIN},	 {"virtio_pci", MODULE_LAST}, {"virtio_blk", MODULE_LAST},
		{"sha256_ssse3", MODULE_HASH},	 {"dm_verity", MODULE_SIDE},  {"also", MODULE_LAST},
	};
	struct template t = {.init.mode = INIT_APPLIANCE};
	_cleanup_compose_ struct compose_result result = {0};
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_INIT;
	const struct kernel *k = &result.kernel;

	(void)state;
	strlist_add(&t.kernel.initrd_modules, "also");
	assert_int_equal(compose_base(&t, of_virtio, &result, &text, &err), 0);
	assert_int_equal(k->initrd_len, sizeof(expected) / sizeof(expected[0]));
	for (size_t i = 0; i < k->initrd_len; i++) {
		assert_string_equal(k->initrd[i].name, expected[i].name);
		assert_int_equal(k->initrd[i].turn, expected[i].turn);
	}
	strlist_free(&t.kernel.initrd_modules);
}

/* The devices of module @name; "" where it is for every machine. */
static const char *devices_of(const struct kernel_module *list, size_t len, const char *name)
{
	for (size_t i = 0; i < len; i++)
		if (strcmp(list[i].name, name) == 0)
			return list[i].devices ? list[i].devices : "";
	return "no such module";
}

#define DISKS	 "pci:v00001AF4d00001001sv* pci:v00001AF4d00001042sv*"
#define NETWORKS " pci:v00001AF4d00001000sv* pci:v00001AF4d00001041sv*"

/* A driver, and what it alone needs, is for its devices; what somebody else needs or names is for every machine. */
static void test_kernel_devices(void **state)
{
	static const struct {
		const char *named; /* [Kernel] Modules= */
		enum network_mode network;
		const char *pci, *ring, *modern, *blk, *verity;
		const char *net; /* in the root */
	} cases[] = {
		{NULL, NETWORK_NONE, DISKS, DISKS " virtio:d00000002v*", DISKS, "virtio:d00000002v*", "",
		 "no such module"},
		{NULL, NETWORK_DHCP, DISKS NETWORKS, DISKS NETWORKS " virtio:d00000002v*", DISKS NETWORKS,
		 "virtio:d00000002v*", "", "virtio:d00000001v*"},
		{"virtio_rng", NETWORK_DHCP, "", "", "", "virtio:d00000002v*", "", "virtio:d00000001v*"},
		{"also", NETWORK_NONE, DISKS, DISKS " virtio:d00000002v*", "", "virtio:d00000002v*", "",
		 "no such module"},
		{"virtio_net", NETWORK_DHCP, "", "", "", "virtio:d00000002v*", "", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct template t = {.init.mode = INIT_APPLIANCE, .init.network = cases[i].network};
		_cleanup_compose_ struct compose_result result = {0};
		_cleanup_free_ char *text = NULL;
		struct error err = ERROR_INIT;
		const struct kernel *k = &result.kernel;

		if (cases[i].named)
			strlist_add(&t.kernel.modules, cases[i].named);
		assert_int_equal(compose_base(&t, of_virtio, &result, &text, &err), 0);
		assert_string_equal(devices_of(k->initrd, k->initrd_len, "virtio_pci"), cases[i].pci);
		assert_string_equal(devices_of(k->initrd, k->initrd_len, "virtio_ring"), cases[i].ring);
		assert_string_equal(devices_of(k->initrd, k->initrd_len, "modern"), cases[i].modern);
		assert_string_equal(devices_of(k->initrd, k->initrd_len, "virtio_blk"), cases[i].blk);
		assert_string_equal(devices_of(k->initrd, k->initrd_len, "dm_verity"), cases[i].verity);
		assert_string_equal(devices_of(k->root, k->root_len, "virtio_net"), cases[i].net);
		assert_string_equal(devices_of(k->root, k->root_len, "failover"), cases[i].net);
		strlist_free(&t.kernel.modules);
	}
}

/* What nobody needs is not there. */
static void test_kernel_without_network(void **state)
{
	const struct template t = {.init.mode = INIT_APPLIANCE, .init.network = NETWORK_NONE};
	_cleanup_compose_ struct compose_result result = {0};
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(compose_base(&t, base, &result, &text, &err), 0);
	assert_int_equal(result.kernel.root_len, 0);
	assert_null(strstr(text, "virtio_net"));
}

static void test_kernel_of_a_system(void **state)
{
	struct template t = {.init.mode = INIT_SYSTEM};
	_cleanup_compose_ struct compose_result result = {0};
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(compose_base(&t, base, &result, &text, &err), 0);
	assert_int_equal(result.kernel.root_len, 0);
	assert_contains(text, "modules.dep");
	assert_contains(text, "kernel/a.ko");
	assert_null(strstr(text, "vmlinuz"));
}

/* Alpine's kernels are called by their flavour, and say themselves of which release they are. */
static void test_kernel_by_its_own_word(void **state)
{
	char first[0x340], second[0x340];
	const struct member members[] = {
		{.path = "boot/config-virt", .data = "no kernel"},
		{.path = "boot/vmlinuz-lts", .data = first},
		{.path = "boot/vmlinuz-short", .data = "short"},
		{.path = "boot/vmlinuz-virt", .data = second},
		{.path = "lib/modules/6.1-0-virt/modules.dep", .data = "k/dm-verity.ko:\n"},
		{.path = "lib/modules/6.1-0-virt/k/dm-verity.ko", .data = "D"},
		{.path = NULL},
	};
	const struct template t = {.init.mode = INIT_APPLIANCE};
	_cleanup_compose_ struct compose_result result = {0};
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	memset(first, 'x', sizeof(first));
	memcpy(first + 0x202, "HdrS", 4);
	memcpy(first + 0x20e, "\x20\x01", 2); /* the text is at 0x320 */
	memcpy(second, first, sizeof(second));
	snprintf(first + 0x320, sizeof(first) - 0x320, "6.1-0-lts (builder) #1");
	snprintf(second + 0x320, sizeof(second) - 0x320, "6.1-0-virt (builder) #1");
	assert_int_equal(compose_base(&t, members, &result, &text, &err), 0);
	assert_string_equal(result.kernel.path, "/boot/vmlinuz-virt");
	assert_int_equal(result.kernel.image_len, strlen(second));
	assert_null(strstr(text, "vmlinuz"));
}

static void assert_no_kernel(const struct template *t, const struct member *members, const char *message)
{
	_cleanup_compose_ struct compose_result result = {0};
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_INIT;

	assert_true(compose_base(t, members, &result, &text, &err) < 0);
	assert_contains(err.text, message);
}

static void test_refuses_kernels(void **state)
{
	struct template t = {.init.mode = INIT_APPLIANCE};

	(void)state;
	assert_no_kernel(&t, (const struct member[]){{.path = "a"}, {.path = NULL}},
			 "the base has no kernel");
	assert_no_kernel(&t,
			 (const struct member[]){{.path = "lib/modules/1/modules.dep"},
						 {.path = "lib/modules/2/modules.dep"},
						 {.path = NULL}},
			 "has 2 kernels ('1', '2'...)");
	assert_no_kernel(&t, (const struct member[]){{.path = "lib/modules/1/modules.dep"}, {.path = NULL}},
			 "not the kernel (boot/vmlinuz-1)");
	strlist_add(&t.kernel.modules, "wireguard");
	assert_no_kernel(&t, base, "kernel 6.1-test has no module 'wireguard'");
	strlist_free(&t.kernel.modules);
}

/* [Kernel] Image= and ModulesDirectory=, compressed modules. */
static void test_kernel_of_files(void **state)
{
	_cleanup_free_ char *image = xasprintf("%s/bzImage", (char *)*state);
	_cleanup_free_ char *dir = xasprintf("%s/6.9-files", (char *)*state);
	_cleanup_free_ char *module = xasprintf("%s/virtio_net.ko", dir), *text = NULL;
	_cleanup_free_ char *list = xasprintf("%s/modules.dep", dir);
	const char *const argv[] = {"xz", module, NULL};
	struct template t = {.init.mode = INIT_APPLIANCE, .kernel.image = image, .kernel.modules_dir = dir};
	_cleanup_compose_ struct compose_result result = {0};
	static const struct member none[] = {{.path = NULL}};
	struct error err = ERROR_INIT;
	char setup[0x300] = {0};

	t.init.network = NETWORK_DHCP;
	if (!spawn_available("xz"))
		skip();
	memcpy(setup + 0x202, "HdrS", 4);
	setup[0x20f] = 0x00;
	setup[0x20e] = 0x20;
	memcpy(setup + 0x220, "6.9-files (builder) #1", 22);
	assert_int_equal(mkdir(dir, 0755), 0);
	assert_int_equal(output_write_file(image, setup, sizeof(setup), &err), 0);
	assert_int_equal(output_write_file(module, "module", 6, &err), 0);
	assert_int_equal(output_write_file(list, "virtio_net.ko.xz:\n", 18, &err), 0);
	run_program(argv);
	assert_int_equal(compose_base(&t, none, &result, &text, &err), 0);
	assert_string_equal(result.kernel.release, "6.9-files");
	assert_int_equal(result.kernel.root_len, 1);
	assert_string_equal(result.kernel.root[0].path, "usr/lib/modules/6.9-files/virtio_net.ko");
	assert_contains(text, "/usr/lib/modules/6.9-files/virtio_net.ko 100644 0:0 n1 6 bytes module\n");
	assert_int_equal(result.input_count, 2);
	/* The image says which modules it wants. */
	setup[0x220] = '5';
	assert_int_equal(output_write_file(image, setup, sizeof(setup), &err), 0);
	assert_no_kernel(&t, none, "is of kernel 5.9-files");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loading_order),	       cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_modprobe_agrees),	       cmocka_unit_test(test_kernel_of_the_base),
		cmocka_unit_test(test_kernel_first),	       cmocka_unit_test(test_kernel_devices),
		cmocka_unit_test(test_kernel_without_network), cmocka_unit_test(test_kernel_fits_the_root),
		cmocka_unit_test(test_kernel_of_a_system),     cmocka_unit_test(test_refuses_kernels),
		cmocka_unit_test(test_kernel_by_its_own_word), cmocka_unit_test(test_kernel_beside),
		unit_test_in_dir(test_kernel_of_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
