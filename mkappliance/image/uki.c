/* SPDX-License-Identifier: Apache-2.0 */
#include "image/uki.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "image/pe.h"
#include "lib/io.h"

#define STUB_MAX  ((size_t)16 << 20)
#define STUB_MARK "systemd-stub" /* in .sdmagic: "#### LoaderInfo: systemd-stub 252 ####" */

static int read_stub(const char *path, struct buf *ret, struct pe *ret_pe, struct error *err)
{
	const struct pe_section *magic;
	int r = io_read_file(AT_FDCWD, path, STUB_MAX, ret, err);

	if (r == -ENOENT)
		return error_set(err, r,
				 "%s: the EFI stub is not installed; apt-get install systemd-boot-efi", path);
	if (r < 0)
		return r;
	r = pe_parse(ret->ptr ? ret->ptr : "", ret->len, path, ret_pe, err);
	if (r < 0)
		return r;
	magic = pe_find(ret_pe, ".sdmagic");
	if (!magic || !memmem(pe_section_data(ret_pe, magic), magic->data_size, STUB_MARK, strlen(STUB_MARK)))
		return error_set(
			err, -EINVAL,
			"%s: not a systemd-stub; linuxx64.efi.stub of systemd-boot-efi is one, and linuxaa64.efi.stub of the one in Debian 13",
			path);
	return 0;
}

static const char *machine_name(uint16_t machine)
{
	return machine == PE_MACHINE_X86_64  ? "x86_64"
	       : machine == PE_MACHINE_ARM64 ? "arm64"
					     : "another architecture";
}

/* The stub starts the kernel through the firmware's LoadImage(), so it must be an EFI program itself. */
static int check_kernel(const struct kernel *kernel, const struct pe *stub, struct error *err)
{
	static const uint8_t gzip[] = {0x1f, 0x8b};
	struct pe pe;

	if (kernel->image_len > sizeof(gzip) && memcmp(kernel->image, gzip, sizeof(gzip)) == 0)
		return error_set(
			err, -EINVAL,
			"kernel %s: not an EFI kernel: it is compressed as a whole; unpack it with gunzip",
			kernel->path);
	if (pe_parse(kernel->image, kernel->image_len, "not an EFI kernel (it needs CONFIG_EFI_STUB)", &pe,
		     err) < 0)
		return error_prefix(err, "kernel %s", kernel->path);
	if (pe.subsystem != PE_SUBSYSTEM_EFI_APPLICATION)
		return error_set(err, -EINVAL, "kernel %s: not an EFI kernel: its PE subsystem is %u, not %u",
				 kernel->path, pe.subsystem, PE_SUBSYSTEM_EFI_APPLICATION);
	if (pe.machine != stub->machine)
		return error_set(err, -EINVAL, "kernel %s is for %s (0x%04x), the EFI stub for %s (0x%04x)",
				 kernel->path, machine_name(pe.machine), pe.machine,
				 machine_name(stub->machine), stub->machine);
	return 0;
}

/*
 * The stub must hand over exactly this text, for the init compares it to the byte. An empty one would make
 * the stub take whatever the firmware passes; the kernel and newer stubs trim spaces and replace control
 * characters.
 */
static int check_command_line(const char *text, struct error *err)
{
	size_t n = strlen(text);

	if (n == 0)
		return error_set(
			err, -EINVAL,
			"the kernel command line is empty: the EFI stub would take one from outside");
	if (n > UKI_COMMAND_LINE_MAX)
		return error_set(err, -EINVAL, "the kernel command line has %zu bytes, the kernel takes %u",
				 n, UKI_COMMAND_LINE_MAX);
	for (size_t i = 0; i < n; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			return error_set(
				err, -EINVAL,
				"the kernel command line has a byte that is not printable ASCII at %zu", i);
	if (text[0] == ' ' || text[n - 1] == ' ')
		return error_set(err, -EINVAL, "the kernel command line begins or ends with a space");
	return 0;
}

int uki_build(const struct uki_params *p, struct buf *ret, struct sha256 *ret_stub_digest, struct error *err)
{
	/* .linux comes last, so that a stub which starts it in place may extend it in memory. */
	const struct pe_addition add[] = {
		{".osrel", p->os_release, strlen(p->os_release)},
		{".cmdline", p->command_line, strlen(p->command_line)},
		{".uname", p->kernel->release, strlen(p->kernel->release)},
		{".initrd", p->initrd, p->initrd_len},
		{".linux", p->kernel->image, p->kernel->image_len},
	};
	_cleanup_buf_ struct buf stub = {0};
	struct pe pe;
	int r = check_command_line(p->command_line, err);

	if (r < 0)
		return r;
	r = read_stub(p->stub_path, &stub, &pe, err);
	if (r < 0)
		return r;
	r = check_kernel(p->kernel, &pe, err);
	if (r < 0)
		return r;
	if (pe_add_sections(&pe, add, sizeof(add) / sizeof(add[0]), ret, err) < 0)
		return error_prefix(err, "%s", p->stub_path);
	sha256_of(stub.ptr, stub.len, ret_stub_digest);
	return 0;
}

int uki_replace_initrd(struct buf *uki, const void *initrd, size_t len, struct error *err)
{
	const struct pe_section *s;
	struct pe pe;
	int r = pe_parse(uki->ptr, uki->len, "UKI", &pe, err);

	if (r < 0)
		return r;
	s = pe_find(&pe, ".initrd");
	if (!s || s->data_size != len)
		return error_set(err, -EPROTO, "UKI: no section .initrd of %zu bytes", len);
	memcpy(uki->ptr + s->file_offset, initrd, len);
	return 0;
}
