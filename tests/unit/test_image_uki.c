/* SPDX-License-Identifier: Apache-2.0 */
/* The Unified Kernel Image: from a tiny stub and kernel, and (when installed) from the real stub against objcopy. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "image/uki.h"
#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/spawn.h"
#include "pe_sample.h"

#define REAL_STUB "/usr/lib/systemd/boot/efi/linuxx64.efi.stub"

static char dir[] = "/tmp/mkappliance-test-XXXXXX";

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	return io_remove_tree(dir, &err);
}

/* The path of a new file, to be freed. */
static char *put(const char *name, const void *data, size_t len)
{
	char *path = xasprintf("%s/%s", dir, name);
	struct error err = ERROR_INIT;

	if (output_write_file(path, data, len, &err) < 0)
		fail_msg("%s", err.text);
	return path;
}

/* Everything that uki_build() takes, in a form that can be altered. */
struct fixture {
	char *stub_path;
	struct kernel kernel;
	struct uki_params p;
};

static void fixture_init(struct fixture *f)
{
	_cleanup_free_ uint8_t *stub =
		sample_pe(PE_MACHINE_X86_64, PE_SUBSYSTEM_EFI_APPLICATION, SAMPLE_STUB_MAGIC);

	f->stub_path = put("stub", stub, SAMPLE_SIZE);
	f->kernel = (struct kernel){
		.release = xstrdup("6.1.0-1-amd64"),
		.path = xstrdup("/boot/vmlinuz"),
		.image = sample_pe(PE_MACHINE_X86_64, PE_SUBSYSTEM_EFI_APPLICATION, "Linux"),
		.image_len = SAMPLE_SIZE,
	};
	f->p = (struct uki_params){
		.stub_path = f->stub_path,
		.os_release = "ID=hello\n",
		.command_line = "console=ttyS0 panic=-1",
		.kernel = &f->kernel,
		.initrd = "070701...",
		.initrd_len = 9,
	};
}

static void fixture_free(struct fixture *f)
{
	free(f->stub_path);
	free(f->kernel.release);
	free(f->kernel.path);
	free(f->kernel.image);
}

static void build(const struct uki_params *p, struct buf *ret, struct sha256 *ret_stub)
{
	struct error err = ERROR_INIT;

	if (uki_build(p, ret, ret_stub, &err) < 0)
		fail_msg("%s", err.text);
}

static void assert_section(const struct pe *pe, unsigned index, const char *name, const void *data,
			   size_t len)
{
	const struct pe_section *s = &pe->sections[index];

	assert_string_equal(s->name, name);
	assert_int_equal(s->virtual_size, len);
	assert_int_equal(s->data_size, len);
	assert_memory_equal(pe_section_data(pe, s), data, len);
}

static void test_sections(void **state)
{
	_cleanup_buf_ struct buf uki = {0}, again = {0}, stub = {0};
	struct sha256 digest, expected;
	struct error err = ERROR_INIT;
	struct fixture f;
	struct pe pe;

	(void)state;
	fixture_init(&f);
	build(&f.p, &uki, &digest);
	assert_int_equal(pe_parse(uki.ptr, uki.len, "UKI", &pe, &err), 0);
	assert_int_equal(pe.section_count, SAMPLE_SECTIONS + 5);
	assert_section(&pe, SAMPLE_SECTIONS, ".osrel", "ID=hello\n", 9);
	assert_section(&pe, SAMPLE_SECTIONS + 1, ".cmdline", "console=ttyS0 panic=-1", 22);
	assert_section(&pe, SAMPLE_SECTIONS + 2, ".uname", "6.1.0-1-amd64", 13);
	assert_section(&pe, SAMPLE_SECTIONS + 3, ".initrd", "070701...", 9);
	assert_section(&pe, SAMPLE_SECTIONS + 4, ".linux", f.kernel.image, SAMPLE_SIZE);
	assert_int_equal(io_read_file(AT_FDCWD, f.stub_path, 1 << 20, &stub, &err), 0);
	sha256_of(stub.ptr, stub.len, &expected);
	assert_memory_equal(&digest, &expected, sizeof(digest));

	build(&f.p, &again, &digest);
	assert_int_equal(again.len, uki.len);
	assert_memory_equal(again.ptr, uki.ptr, uki.len);
	fixture_free(&f);
}

/* ---- refusals ---- */

static void assert_refused(const struct uki_params *p, int code, const char *why)
{
	_cleanup_buf_ struct buf uki = {0};
	struct sha256 digest = {{42}};
	struct error err = ERROR_INIT;

	assert_int_equal(uki_build(p, &uki, &digest, &err), code);
	assert_int_equal(err.code, code);
	assert_int_equal(uki.len, 0);
	assert_int_equal(digest.b[0], 42);
	if (!strstr(err.text, why))
		fail_msg("'%s' does not say '%s'", err.text, why);
}

static void test_command_line(void **state)
{
	_cleanup_free_ char *longest = xcalloc(1, UKI_COMMAND_LINE_MAX + 2);
	_cleanup_buf_ struct buf uki = {0};
	struct sha256 digest;
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.p.command_line = "";
	assert_refused(&f.p, -EINVAL, "command line is empty");
	f.p.command_line = " quiet";
	assert_refused(&f.p, -EINVAL, "begins or ends with a space");
	f.p.command_line = "quiet ";
	assert_refused(&f.p, -EINVAL, "begins or ends with a space");
	f.p.command_line = "a=b\nc=d";
	assert_refused(&f.p, -EINVAL, "not printable ASCII at 3");
	f.p.command_line = "name=J\xc3\xb6rg";
	assert_refused(&f.p, -EINVAL, "not printable ASCII at 6");

	f.p.command_line = longest;
	memset(longest, 'x', UKI_COMMAND_LINE_MAX);
	build(&f.p, &uki, &digest);
	longest[UKI_COMMAND_LINE_MAX] = 'x';
	assert_refused(&f.p, -EINVAL, "has 2048 bytes, the kernel takes 2047");
	fixture_free(&f);
}

static void test_stub(void **state)
{
	_cleanup_free_ uint8_t *loader = sample_pe(PE_MACHINE_X86_64, PE_SUBSYSTEM_EFI_APPLICATION,
						   "#### LoaderInfo: systemd-boot 252 ####");
	_cleanup_free_ char *other = put("loader", loader, SAMPLE_SIZE),
			    *text = put("text", "#!/bin/sh\n", 10);
	_cleanup_free_ char *missing = xasprintf("%s/missing", dir), *nothing = put("nothing", "", 0);
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.p.stub_path = missing;
	assert_refused(&f.p, -ENOENT,
		       "missing: the EFI stub is not installed; apt-get install systemd-boot-efi");
	f.p.stub_path = other;
	assert_refused(&f.p, -EINVAL, "loader: not a systemd-stub");
	f.p.stub_path = text;
	assert_refused(&f.p, -EBADMSG, "text: not a PE file");
	f.p.stub_path = nothing;
	assert_refused(&f.p, -EBADMSG, "nothing: not a PE file");
	fixture_free(&f);
}

static void swap_kernel(struct fixture *f, void *image, size_t len)
{
	free(f->kernel.image);
	f->kernel.image = image;
	f->kernel.image_len = len;
}

static void test_kernel(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	swap_kernel(&f, sample_pe(PE_MACHINE_ARM64, PE_SUBSYSTEM_EFI_APPLICATION, "Linux"), SAMPLE_SIZE);
	assert_refused(&f.p, -EINVAL,
		       "kernel /boot/vmlinuz is for arm64 (0xaa64), the EFI stub for x86_64 (0x8664)");
	swap_kernel(&f, sample_pe(PE_MACHINE_X86_64, 3, "Linux"), SAMPLE_SIZE);
	assert_refused(&f.p, -EINVAL, "not an EFI kernel: its PE subsystem is 3");
	swap_kernel(&f, xcalloc(1, 1024), 1024);
	assert_refused(&f.p, -EBADMSG, "kernel /boot/vmlinuz: not an EFI kernel (it needs CONFIG_EFI_STUB)");
	swap_kernel(&f, xcalloc(1, 0), 0);
	assert_refused(&f.p, -EBADMSG, "not an EFI kernel");
	swap_kernel(&f, xmemdup("\x1f\x8b\x08\x00\x00\x00\x00\x00", 8), 8);
	assert_refused(&f.p, -EINVAL, "compressed as a whole; unpack it with gunzip");
	fixture_free(&f);
}

static void test_empty_parts(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.p.initrd_len = 0;
	assert_refused(&f.p, -EINVAL, "stub: PE section .initrd would be empty");
	f.p.initrd_len = 9;
	f.p.os_release = "";
	assert_refused(&f.p, -EINVAL, "PE section .osrel would be empty");
	fixture_free(&f);
}

/* ---- objcopy ---- */

/* What objcopy makes of the same parts with our addresses; to be freed with buf_free(). */
static void objcopy(const struct pe *ours, struct buf *ret)
{
	_cleanup_strlist_ struct strlist argv = {0};
	_cleanup_free_ char *path = xasprintf("%s/objcopy.efi", dir);
	struct error err = ERROR_INIT;

	strlist_add(&argv, "objcopy");
	for (unsigned i = ours->section_count - 5; i < ours->section_count; i++) {
		const struct pe_section *s = &ours->sections[i];
		_cleanup_free_ char *part = put(s->name + 1, pe_section_data(ours, s), s->data_size);

		strlist_addf(&argv, "--add-section=%s=%s", s->name, part);
		strlist_addf(&argv, "--change-section-vma=%s=%#x", s->name, s->virtual_address);
	}
	strlist_add(&argv, REAL_STUB);
	strlist_add(&argv, path);
	if (spawn_run(&(struct spawn){.argv = (const char *const *)argv.ptr}, &err) < 0 ||
	    io_read_file(AT_FDCWD, path, 1 << 20, ret, &err) < 0)
		fail_msg("%s", err.text);
}

static void test_objcopy_agrees(void **state)
{
	_cleanup_buf_ struct buf uki = {0}, theirs = {0};
	struct sha256 digest;
	struct error err = ERROR_INIT;
	struct fixture f;
	struct pe a, b;

	(void)state;
	if (!spawn_available("objcopy") || access(REAL_STUB, R_OK) < 0)
		skip();
	fixture_init(&f);
	f.p.stub_path = REAL_STUB;
	build(&f.p, &uki, &digest);
	assert_int_equal(pe_parse(uki.ptr, uki.len, "ours", &a, &err), 0);
	objcopy(&a, &theirs);
	assert_int_equal(pe_parse(theirs.ptr, theirs.len, "objcopy", &b, &err), 0);
	assert_int_equal(a.section_count, b.section_count);
	assert_int_equal(a.size_of_image, b.size_of_image);
	for (unsigned i = 0; i < a.section_count; i++) {
		const struct pe_section *s = &a.sections[i], *t = &b.sections[i];

		assert_memory_equal(s, t, sizeof(*s));
		assert_memory_equal(pe_section_data(&a, s), pe_section_data(&b, t), s->data_size);
	}
	fixture_free(&f);
}

/* Another initrd of the same length gives what building with it would have given; of another length it is refused. */
static void test_replaced_initrd(void **state)
{
	_cleanup_buf_ struct buf uki = {0}, other = {0};
	struct sha256 digest;
	struct error err = ERROR_INIT;
	struct fixture f;

	(void)state;
	fixture_init(&f);
	build(&f.p, &uki, &digest);
	f.p.initrd = "elsewhere";
	build(&f.p, &other, &digest);
	assert_memory_not_equal(uki.ptr, other.ptr, uki.len);
	assert_int_equal(uki_replace_initrd(&uki, "elsewhere", 9, &err), 0);
	assert_int_equal(uki.len, other.len);
	assert_memory_equal(uki.ptr, other.ptr, uki.len);
	assert_int_equal(uki_replace_initrd(&uki, "elsewher", 8, &err), -EPROTO);
	fixture_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sections),
		cmocka_unit_test(test_command_line),
		cmocka_unit_test(test_stub),
		cmocka_unit_test(test_kernel),
		cmocka_unit_test(test_empty_parts),
		cmocka_unit_test(test_objcopy_agrees),
		cmocka_unit_test(test_replaced_initrd),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
