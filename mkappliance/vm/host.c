/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/kvm.h"
#include "lib/spawn.h"
#include "vm/domain_xml.h"

/* Where distributions put firmware without Secure Boot: code, then the matching empty variable store. */
static const char *const firmware_x86_64[][2] = {
	{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},		/* Debian, Ubuntu */
	{"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"},		/* older ones */
	{"/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"},	/* Fedora */
	{"/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"}, /* Arch */
	{NULL, NULL},
};

static const char *const firmware_arm64[][2] = {
	{"/usr/share/AAVMF/AAVMF_CODE.no-secboot.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"},
	{"/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"},
	{NULL, NULL},
};

/* The same with Secure Boot: only code that keeps its variables from the guest by SMM. */
static const char *const secure_x86_64[][2] = {
	{"/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"}, /* Debian, Ubuntu */
	{"/usr/share/OVMF/OVMF_CODE.secboot.fd", "/usr/share/OVMF/OVMF_VARS.fd"}, /* older ones, Fedora */
	{"/usr/share/edk2/ovmf/OVMF_CODE.secboot.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"},	/* Fedora */
	{"/usr/share/edk2/x64/OVMF_CODE.secboot.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"}, /* Arch */
	{NULL, NULL},
};

static int find_firmware(const char *const (*pairs)[2], const char *package, struct platform *p,
			 struct error *err)
{
	for (size_t i = 0; pairs[i][0]; i++) {
		if (access(pairs[i][0], R_OK) < 0 || access(pairs[i][1], R_OK) < 0)
			continue;
		p->firmware_code = pairs[i][0];
		p->firmware_vars = pairs[i][1];
		return 0;
	}
	return error_set(err, -ENOENT,
			 "no UEFI firmware for virtual machines: %s is not there (apt-get install %s)",
			 pairs[0][0], package);
}

int host_secure_firmware(struct platform *p, struct error *err)
{
	if (strcmp(p->arch, "x86_64") != 0)
		return error_set(err, -ENOTSUP, "Secure Boot in a virtual machine: only for x86_64");
	return find_firmware(secure_x86_64, "ovmf", p, err);
}

int host_platform(const char *arch, struct platform *ret, struct error *err)
{
	struct platform x86_64 = {"x86_64", "q35", "qemu-system-x86_64", "qemu-system-x86", NULL, NULL};
	struct platform arm64 = {"aarch64", "virt", "qemu-system-aarch64", "qemu-system-arm", NULL, NULL};
	bool arm = strcmp(arch, "arm64") == 0;
	struct platform p = arm ? arm64 : x86_64;
	int r;

	if (!arm && strcmp(arch, "x86_64") != 0)
		return error_set(err, -EINVAL, "no virtual machine for architecture '%s'", arch);
	if (!spawn_available(p.emulator))
		return error_set(err, -ENOENT, "'%s' is not installed (apt-get install %s)", p.emulator,
				 p.package);
	r = arm ? find_firmware(firmware_arm64, "qemu-efi-aarch64", &p, err)
		: find_firmware(firmware_x86_64, "ovmf", &p, err);
	if (r < 0)
		return r;
	*ret = p;
	return 0;
}

bool host_has_kvm(const char *arch, const char **ret_why)
{
	bool arm = strcmp(arch, "arm64") == 0;
	struct utsname u;

	if (uname(&u) < 0 || strcmp(u.machine, arm ? "aarch64" : "x86_64") != 0)
		*ret_why = "TCG: the image is for another architecture";
	else if (arm ? access("/dev/kvm", R_OK | W_OK) < 0 : !kvm_is_real())
		*ret_why = "TCG: no hardware virtualisation, or /dev/kvm may not be written";
	else
		*ret_why = "KVM";
	return strcmp(*ret_why, "KVM") == 0;
}

/* A listening-capable address taken and given back at once: what bind() says is what qemu will hear. */
static int try_bind(uint16_t port, uint16_t *ret_port)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	socklen_t len = sizeof(a);
	const int on = 1;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 1) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		return -errno;
	*ret_port = ntohs(a.sin_port);
	return 0;
}

int host_free_port(uint16_t *ret, struct error *err)
{
	int r = try_bind(0, ret);

	if (r < 0)
		return error_errno(err, r, "127.0.0.1: looking for a free port");
	return 0;
}

/* Whether one of the first @count has the port that the next one was given: a free port is given to whoever asks. */
static bool is_repeated(const struct forward *forwards, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (forwards[i].host == forwards[count].host)
			return true;
	return false;
}

int host_free_ports(struct forward *forwards, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++)
		do {
			int r = host_free_port(&forwards[i].host, err);

			if (r < 0)
				return r;
		} while (is_repeated(forwards, i));
	return 0;
}

int host_check_port(uint16_t port, struct error *err)
{
	uint16_t same;
	int r = try_bind(port, &same);

	if (r == -EADDRINUSE)
		return error_set(err, r,
				 "port %u of 127.0.0.1 is in use; choose another one (--forward=HOST:GUEST)",
				 port);
	if (r < 0)
		return error_errno(err, r, "port %u of 127.0.0.1", port);
	return 0;
}
