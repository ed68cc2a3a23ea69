/* SPDX-License-Identifier: Apache-2.0 */
/* Disk images as bases, as far as no libguestfs is needed: headers, partition tables, commands of package managers. */
#include "compose_fixture.h"

#include "compose/apk.h"
#include "compose/disk_format.h"
#include "compose/disk_install.h"
#include "compose/disk_reason.h"

/* An image of @len bytes in memory. */
static int image_of(const void *bytes, size_t len)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	return fd;
}

static void assert_format(const void *bytes, size_t len, const char *format)
{
	_cleanup_close_ int fd = image_of(bytes, len);
	struct error err = ERROR_INIT;
	const char *found = NULL;

	if (disk_check_format(fd, "f", &found, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(found, format);
}

static void assert_refused(const void *bytes, size_t len, const char *message)
{
	_cleanup_close_ int fd = image_of(bytes, len);
	struct error err = ERROR_INIT;
	const char *found = NULL;

	assert_int_equal(disk_check_format(fd, "f", &found, &err), -EMEDIUMTYPE);
	assert_contains(err.text, message);
	assert_null(found);
}

static void test_qcow2(void **state)
{
	uint8_t h[512] = "QFI\xfb\0\0\0\3";

	(void)state;
	assert_format(h, sizeof(h), "qcow2");
	h[7] = 2;
	assert_format(h, sizeof(h), "qcow2");
	assert_refused(h, 50, "is cut off");
	h[7] = 1;
	assert_refused(h, sizeof(h), "is a qcow disk of version 1");
	h[7] = 3;
	h[15] = 1;
	assert_refused(h, sizeof(h), "is an overlay over another file");
	h[15] = 0;
	h[35] = 2;
	assert_refused(h, sizeof(h), "is encrypted (qcow2)");
	h[35] = 0;
	h[79] = 2;
	assert_refused(h, sizeof(h), "is marked as corrupt");
	h[79] = 4;
	assert_refused(h, sizeof(h), "keeps its data in another file");
	h[7] = 2; /* the field came with version 3 */
	assert_format(h, sizeof(h), "qcow2");
}

#define SPARSE "parentCID=ffffffff\ncreateType=\"monolithicSparse\"\n"

/* A sparse extent with the descriptor @text. */
static void vmdk_of(uint8_t *h, const char *text)
{
	memset(h, 0, 2048);
	memcpy(h, "KDMV", 4);
	h[12] = 8; /* capacity */
	h[28] = 1; /* the descriptor's place */
	h[36] = 2; /* and size */
	snprintf((char *)h + 512, 1024, "%s", text);
}

static void test_vmdk(void **state)
{
	uint8_t h[2048];

	(void)state;
	vmdk_of(h, SPARSE);
	assert_format(h, sizeof(h), "vmdk");
	vmdk_of(h, "parentCID=FFFFFFFF\ncreateType=\"streamOptimized\"\n");
	assert_format(h, sizeof(h), "vmdk");
	vmdk_of(h, "parentCID=12345678\ncreateType=\"monolithicSparse\"\n");
	assert_refused(h, sizeof(h), "is a snapshot over another file");
	vmdk_of(h, SPARSE "parentFileNameHint=\"/etc/shadow\"\n");
	assert_refused(h, sizeof(h), "is a snapshot over another file");
	vmdk_of(h, "parentCID=ffffffff\ncreateType=\"twoGbMaxExtentSparse\"\n");
	assert_refused(h, sizeof(h), "is one of the several files");
	vmdk_of(h, SPARSE);
	h[12] = 0; /* then qemu reads the extents that the descriptor names */
	assert_refused(h, sizeof(h), "is one of the several files");
	vmdk_of(h, SPARSE);
	h[38] = 1;
	assert_refused(h, sizeof(h), "damaged VMDK header");
	assert_refused(h, 100, "is cut off");
}

static void test_other_formats(void **state)
{
	static uint8_t big[DISK_HEAD];

	(void)state;
	assert_format("", 0, "raw");
	assert_format(big, sizeof(big), "raw");
	assert_refused("\xfd"
		       "7zXZ\0",
		       6, "is compressed; unpack it first: xz -d");
	assert_refused("\x1f\x8b\x08", 3, "is compressed; unpack it first: gzip -d");
	assert_refused("# Disk DescriptorFile\n", 22, "data is in other files");
	assert_refused("vhdxfile", 8, "is a VHDX disk");
	memcpy(big + 32769, "CD001", 5);
	assert_refused(big, sizeof(big), "is the image of a CD");
	memset(big, 0, sizeof(big));
	memcpy(big + 257, "ustar", 5);
	assert_refused(big, sizeof(big), "use Source=tar");
	memset(big, 0, sizeof(big));
}

static void assert_table(const uint8_t *head, size_t len, const char *message)
{
	struct error err = ERROR_INIT;
	int r = disk_check_table(head, len, "f", &err);

	if (!message) {
		if (r < 0)
			fail_msg("%s", err.text);
		return;
	}
	assert_int_equal(r, -EMEDIUMTYPE);
	assert_contains(err.text, message);
}

static void test_partition_tables(void **state)
{
	uint8_t h[8192] = {0};

	(void)state;
	assert_table(h, sizeof(h), "is empty");
	assert_table(h, 0, "is empty");
	assert_table((const uint8_t *)"hello", 5, "is not a disk image (5 bytes)");
	memcpy(h, "LUKS\xba\xbe", 6);
	assert_table(h, sizeof(h), "is encrypted (LUKS)");
	memset(h, 0, sizeof(h));
	h[1080] = 0x53; /* ext4's magic number: a file system and nothing else */
	h[1081] = 0xef;
	assert_table(h, sizeof(h), "has no partition table");
	h[510] = 0x55;
	h[511] = 0xaa;
	assert_table(h, sizeof(h), "has no partition table"); /* no partition in it */
	h[446 + 4] = 0x83;
	h[446 + 13] = 8;
	assert_table(h, sizeof(h), NULL);
	h[446 + 16] = 'x'; /* text, as in the boot sector of a file system */
	assert_table(h, sizeof(h), "has no partition table");
	memcpy(h + 512, "EFI PART", 8);
	assert_table(h, sizeof(h), NULL);
	memset(h + 512, 0, 8);
	memcpy(h + 4096, "EFI PART", 8);
	assert_table(h, sizeof(h), "sectors of 4096 bytes");
}

/* The lines for @manager, joined by '|'; NULL: the error is in @err. */
static char *commands(const char *manager, const char *name, const char *file, enum package_kind kind,
		      bool network, const struct installed *locked, struct error *err)
{
	_cleanup_strlist_ struct strlist names = {0}, files = {0}, lines = {0};
	_cleanup_buf_ struct buf b = {0};

	if (name)
		strlist_add(&names, name);
	if (file)
		strlist_add(&files, file);
	if (disk_install_commands(manager, &names, &files, kind, network, locked, &lines, err) < 0)
		return NULL;
	for (size_t i = 0; i < lines.len; i++)
		buf_printf(&b, "%s%s", i ? "|" : "", lines.ptr[i]);
	return buf_steal(&b);
}

static const struct {
	const char *manager, *name, *file;
	bool network;
	const char *begins, *ends;
} installs[] = {
	{"apt", "a", "/w/0.deb", true, "apt-get ", "--no-install-recommends install -- 'a' '/w/0.deb'"},
	{"apt", "a", NULL, false, "apt-get ", "install -- 'a'"},
	{"dnf", "a", "/w/0.rpm", true, "dnf -y ", "install -- 'a' '/w/0.rpm'"},
	{"dnf", "a", "/w/0.rpm", false, "dnf -y ", "--cacheonly install -- 'a' '/w/0.rpm'"},
	{"dnf", NULL, "/w/0.rpm", false, "dnf -y ", "--disablerepo='*' install -- '/w/0.rpm'"},
	{"dnf5", "a", NULL, true, "dnf5 -y ", "install -- 'a'"},
	{"dnf5", NULL, "/w/0.rpm", false, "dnf5 -y ", "--disablerepo='*' install -- '/w/0.rpm'"},
	{"yum", NULL, "/w/0.rpm", false, "yum -y --setopt=install_weak_deps=False ",
	 "--disablerepo='*' install -- '/w/0.rpm'"},
	{"yum", "a", "/w/0.rpm", true, "yum -y ", "install -- 'a' '/w/0.rpm'"},
	{"yum", "a", NULL, false, "yum -y ", " -C install -- 'a'"},
	{"zypper", "a", NULL, true, "zypper --non-interactive refresh|", "--allow-unsigned-rpm -- 'a'"},
	{"zypper", "a", NULL, false, "zypper --non-interactive --no-refresh ", "--allow-unsigned-rpm -- 'a'"},
	{"apk", "a", NULL, true, "apk update|apk add", "-- 'a'"},
	{"apk", "a", NULL, false, "apk add --no-network", "-- 'a'"},
	/* What a repository gives must be signed, with files as without. */
	{"apk", "a", "/w/0.apk", true, "apk update|apk add -- 'a'|",
	 "|apk add --allow-untrusted -- '/w/0.apk'"},
	{"apk", "a", "/w/0.apk", false, "apk add --no-network -- 'a'|",
	 "|apk add --allow-untrusted --no-network -- '/w/0.apk'"},
	{"apk", NULL, "/w/0.apk", false, "apk add --allow-untrusted --no-network -- '/w/0.apk'",
	 "-- '/w/0.apk'"},
};

static void test_package_managers(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(installs) / sizeof(installs[0]); i++) {
		enum package_kind kind = strcmp(installs[i].manager, "apt") == 0   ? PACKAGE_DEB
					 : strcmp(installs[i].manager, "apk") == 0 ? PACKAGE_APK
										   : PACKAGE_RPM;
		_cleanup_free_ char *text = commands(installs[i].manager, installs[i].name, installs[i].file,
						     kind, installs[i].network, NULL, &err);
		size_t n;

		assert_non_null(text);
		n = strlen(installs[i].ends);
		assert_memory_equal(text, installs[i].begins, strlen(installs[i].begins));
		assert_true(strlen(text) >= n);
		assert_string_equal(text + strlen(text) - n, installs[i].ends);
		/* The list of packages is fetched before, and only with network. */
		assert_int_equal(strstr(text, " update|") != NULL || strstr(text, " refresh|") != NULL,
				 installs[i].network && strncmp(installs[i].manager, "dnf", 3) != 0 &&
					 strcmp(installs[i].manager, "yum") != 0);
	}
}

/* build --locked: the version of the manifest, in the words of each. */
static void test_locked_versions(void **state)
{
	static const char *const cases[][3] = {
		{"apt", "deb", " -- 'a=2:1.0-3' '/w/0.x'"},    {"dnf", "rpm", " -- 'a-2:1.0-3' '/w/0.x'"},
		{"dnf5", "rpm", " -- 'a-2:1.0-3' '/w/0.x'"},   {"yum", "rpm", " -- 'a-2:1.0-3' '/w/0.x'"},
		{"zypper", "rpm", " -- 'a=2:1.0-3' '/w/0.x'"}, {"dnf", "deb", " -- 'a' '/w/0.x'"},
	};
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_installed_ struct installed locked = {0};
		enum package_kind kind = strcmp(cases[i][0], "apt") == 0 ? PACKAGE_DEB : PACKAGE_RPM;
		_cleanup_free_ char *text = NULL;

		installed_add(&locked, cases[i][1], "b", "9", "x");
		installed_add(&locked, cases[i][1], "a", "2:1.0-3", "x");
		text = commands(cases[i][0], "a", "/w/0.x", kind, true, &locked, &err);
		assert_non_null(text);
		assert_contains(text, cases[i][2]);
		/* Nothing of a manifest comes to a shell. */
		free(locked.list[1].version);
		locked.list[1].version = xstrdup("1';id;'");
		free(text);
		text = commands(cases[i][0], "a", "/w/0.x", kind, true, &locked, &err);
		assert_contains(text, " -- 'a' '/w/0.x'");
	}
}

static void test_package_managers_that_cannot(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_null(commands("pacman", "a", NULL, PACKAGE_OTHER, true, NULL, &err));
	assert_contains(err.text, "its package manager (pacman) is none that can be used here");
	assert_int_equal(err.exit, EXIT_USAGE);
	assert_null(commands("apt", NULL, "/w/0.rpm", PACKAGE_RPM, true, NULL, &err));
	assert_contains(err.text, "apt cannot install a .rpm file");
	assert_null(commands("apk", NULL, "/w/0.deb", PACKAGE_DEB, true, NULL, &err));
	assert_contains(err.text, "apk cannot install a .deb file");
}

/* apk keeps what it was asked for: the version of a manifest goes again. */
static void test_locked_versions_of_apk(void **state)
{
	_cleanup_installed_ struct installed locked = {0};
	struct error err = ERROR_INIT;
	_cleanup_free_ char *text = NULL;

	(void)state;
	installed_add(&locked, "apk", "a", "1.0-r0", "x86_64");
	text = commands("apk", "a", NULL, PACKAGE_OTHER, true, &locked, &err);
	assert_non_null(text);
	assert_string_equal(text, "apk update|apk add -- 'a=1.0-r0' && apk add --no-network -- 'a'");
}

/* For disk_manager(): @data is the paths, a blank behind each but the last. */
static bool is_there(void *data, const char *path)
{
	const char *at = strstr(data, path);

	return at && strchr(" ", at[strlen(path)]);
}

static void test_which_manager(void **state)
{
	static const struct {
		const char *named;
		char there[64];
		const char *expected;
	} cases[] = {
		{"dnf", "/usr/bin/dnf /usr/bin/yum", "dnf"},
		{"dnf", "/usr/bin/dnf5", "dnf5"},
		{"dnf", "/usr/bin/yum", "yum"},
		{"yum", "/usr/bin/yum /usr/bin/dnf", "yum"},
		{"unknown", "/usr/bin/yum /usr/bin/dnf", "dnf"},
		{"unknown", "/sbin/apk", "apk"},
		{"unknown", "/usr/bin/apt-get", "apt"},
		{"pacman", "/usr/bin/pacman", "pacman"},
		{"unknown", "", "unknown"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(disk_manager(cases[i].named, is_there, (void *)(uintptr_t)cases[i].there),
				    cases[i].expected);
}

static char *reason_of(disk_reason *reason, const char *output, bool failed)
{
	_cleanup_free_ char *copy = xstrdup(output);
	_cleanup_strlist_ struct strlist l = {0};

	for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n"))
		strlist_add(&l, line);
	return reason(&l, failed);
}

/* Each as its program said it; the last line would say less. NULL: that one is taken. */
static const struct {
	disk_reason *reason;
	bool failed;
	const char *output, *expected;
} reasons[] = {
	{disk_reason_any, true, "", NULL},
	{disk_reason_any, false,
	 "100% done (1) of the scriptlet failed, says a program\na) scriptlet failed, 5 %\nnothing provides b",
	 NULL},
	{disk_reason_any, false,
	 "  Installing : a-1-1.x86_64\nwarning: %post(a-1-1.x86_64) scriptlet failed, exit status 4\nComplete!",
	 "%post(a-1-1.x86_64) scriptlet failed, exit status 4"},
	{disk_reason_any, true,
	 "Error: \n Problem: conflicting requests\n  - nothing provides b needed by a-1-1.noarch\n(try to add "
	 "'--skip-broken' to skip uninstallable packages)",
	 "nothing provides b needed by a-1-1.noarch"},
	{disk_reason_any, true,
	 "Error: Transaction test error:\n  file /opt/f from install of b-1-1.noarch conflicts with file from "
	 "install of a-1-1.noarch\n ",
	 "file /opt/f from install of b-1-1.noarch conflicts with file from install of a-1-1.noarch"},
	{disk_reason_any, true,
	 "Error: Package: a-1-1.noarch (/0)\n           Requires: b\n You could try using --skip-broken",
	 "Package: a-1-1.noarch (/0) Requires: b"},
	{disk_reason_any, true,
	 "Transaction check error:\n  file /opt/f conflicts between attempted installs of b-1-1.noarch and "
	 "a-1-1.noarch\nError Summary\n-------------",
	 "file /opt/f conflicts between attempted installs of b-1-1.noarch and a-1-1.noarch"},
	{disk_reason_any, false, "No package b available.\nResolving Dependencies\nComplete!",
	 "No package b available."},
	{disk_reason_any, false, "Cannot open: /w/0.rpm. Skipping.\nComplete!",
	 "Cannot open: /w/0.rpm. Skipping."},
	{disk_reason_any, false, "No package 'b' found, says a script\nCannot open: a file", NULL},
	{disk_reason_any, true, "Error: Package: a-1-1.noarch (/0)", "Package: a-1-1.noarch (/0)"},
	{disk_reason_any, true,
	 "The following packages have unmet dependencies:\n a : Depends: b but it is not installable\nE: Unable "
	 "to correct problems, you have held broken packages.",
	 "a : Depends: b but it is not installable"},
	{disk_reason_any, true,
	 "dpkg: error processing archive /x/0.deb (--unpack):\n trying to overwrite '/opt/f', which is also in "
	 "package b 1\nE: Sub-process /usr/bin/dpkg returned an error code (1)",
	 "trying to overwrite '/opt/f', which is also in package b 1"},
	{disk_reason_apk, true,
	 "ERROR: unable to select packages:\n  b (no such package):\n    required by: a-2-r1[b]",
	 "b (no such package): required by: a-2-r1[b]"},
	{disk_reason_apk, true,
	 "WARNING: updating and opening http://h/x/APKINDEX.tar.gz: Connection refused\nERROR: unable to select "
	 "packages:\n  b (no such package):\n    required by: world[b]",
	 "b (no such package): required by: world[b] (updating and opening http://h/x/APKINDEX.tar.gz: Connection "
	 "refused)"},
	{disk_reason_apk, true,
	 "ERROR: a-1-r0: trying to overwrite opt/f owned by b-1-r0.\n1 error; 68 MiB in 62 packages",
	 "a-1-r0: trying to overwrite opt/f owned by b-1-r0."},
	{disk_reason_apk, true,
	 "WARNING: updating and opening http://h/x: Connection refused\n1 unavailable, 0 stale",
	 "updating and opening http://h/x: Connection refused"},
	{disk_reason_apk, true, "ERROR: unable to select packages:", NULL},
	{disk_reason_apk, false, "ERROR: says a script\nOK: 68 MiB in 62 packages", NULL},
	{disk_reason_apk, false, "WARNING: opening /srv/x: UNTRUSTED signature\nOK: 59 distinct packages",
	 "opening /srv/x: UNTRUSTED signature"},
};

static void test_reasons(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		_cleanup_free_ char *text =
			reason_of(reasons[i].reason, reasons[i].output, reasons[i].failed);

		if (!reasons[i].expected != !text || (text && strcmp(text, reasons[i].expected) != 0))
			fail_msg("%zu: %s", i, text ? text : "(none)");
	}
}

static void test_package_files(void **state)
{
	(void)state;
	assert_int_equal(disk_package_kind("!<arch>\ndebian-binary   ", 24), PACKAGE_DEB);
	assert_int_equal(disk_package_kind("!<arch>\ndebian-bina", 19), PACKAGE_OTHER);
	assert_int_equal(disk_package_kind("\xed\xab\xee\xdb\3\0", 6), PACKAGE_RPM);
	assert_int_equal(disk_package_kind("", 0), PACKAGE_OTHER);
}

/* A tar's header of nothing but a name, by gzip -9. */
#define SIGNED                                                                                             \
	"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xd3\xd3\x0f\x48\xac\xf0\x48\x4d\x4c\x49\x2d\x2a\xd6\xd7" \
	"\x0b\xf6\x74\xf7\xd3\x0b\x0a\x76\xd4\xcb\xd6\x2b\x2a\x4e\xd4\x2b\x28\x4d\x62\x18\x05\xc3\x1a\x00" \
	"\x00\xf5\xd1\x0d\xb9\x00\x02\x00\x00" /* ./PaxHeaders/.SIGN.RSA.k.rsa.pub */
#define UNSIGNED                                                                                           \
	"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xd3\x0b\xf0\x76\xf7\xf4\x73\xf3\x67\x18\x05\x23\x12\x00" \
	"\x00\xd3\xad\x91\xc6\x00\x02\x00\x00" /* .PKGINFO */
#define OTHER                                                                                              \
	"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x4b\x2d\x49\xd6\xd7\x0b\xf0\x76\xf7\xf4\x73\xf3\xd7\xab" \
	"\x60\x18\x05\x23\x0c\x00\x00\x39\x96\x8b\xfe\x00\x02\x00\x00" /* etc/.PKGINFO.x */

static void test_apk_files(void **state)
{
	(void)state;
	assert_int_equal(disk_package_kind(SIGNED, sizeof(SIGNED) - 1), PACKAGE_APK);
	assert_int_equal(disk_package_kind(UNSIGNED, sizeof(UNSIGNED) - 1), PACKAGE_APK);
	assert_int_equal(disk_package_kind(OTHER, sizeof(OTHER) - 1), PACKAGE_OTHER);
	assert_int_equal(disk_package_kind(UNSIGNED, 12), PACKAGE_OTHER);
	assert_int_equal(disk_package_kind("ADBd...", 7), PACKAGE_APK);
	assert_int_equal(disk_package_kind("ADB.", 4), PACKAGE_APK);
	assert_int_equal(disk_package_kind("ADBc\1", 5), PACKAGE_APK);
	assert_int_equal(disk_package_kind("ADB\0", 4), PACKAGE_OTHER);
	assert_int_equal(disk_package_kind("ADBx", 4), PACKAGE_OTHER);
	assert_int_equal(disk_package_kind("ADB", 3), PACKAGE_OTHER);
	assert_string_equal(disk_package_suffix(PACKAGE_APK), "apk");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_qcow2),
		cmocka_unit_test(test_vmdk),
		cmocka_unit_test(test_other_formats),
		cmocka_unit_test(test_partition_tables),
		cmocka_unit_test(test_package_managers),
		cmocka_unit_test(test_package_managers_that_cannot),
		cmocka_unit_test(test_locked_versions),
		cmocka_unit_test(test_locked_versions_of_apk),
		cmocka_unit_test(test_which_manager),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_package_files),
		cmocka_unit_test(test_apk_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
