/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/disk_clean.h"

#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/log.h"

#define FSTAB \
	"# Emptied by mkappliance: the root is the verified partition, and no other disk of the base is there.\n"

/* Removed with all that is below. */
static const char *const removed[] = {
	/* identity */
	"/etc/hostname",
	"/etc/machine-info",
	"/etc/ssh/ssh_host_*",
	"/etc/dropbear/dropbear_*_host_key",
	"/etc/hostid",
	"/etc/nvme/hostid",
	"/etc/nvme/hostnqn",
	"/etc/iscsi/initiatorname.iscsi",
	"/etc/krb5.keytab",
	"/etc/sysconfig/rhn/systemid*",
	"/etc/pki/consumer/*",
	"/etc/pki/entitlement/*",
	"/var/lib/rhsm/?*",
	"/var/lib/yum/uuid",
	"/var/lib/sss/db/*",
	"/var/lib/fprint/*",
	/* seeds */
	"/var/lib/systemd/random-seed",
	"/var/lib/systemd/credential.secret",
	"/var/lib/random-seed",
	"/var/lib/seedrng/*",
	"/var/lib/urandom/random-seed",
	"/var/lib/misc/random-seed",
	/* what cloud-init has done for another machine */
	"/var/lib/cloud/*",
	"/run/cloud-init",
	/* this machine's network cards and addresses */
	"/etc/udev/rules.d/*persistent-net*",
	"/etc/udev/rules.d/*persistent-cd*",
	"/etc/resolv.conf.*",
	"/var/lib/dhcp/*",
	"/var/lib/dhclient/*",
	"/var/lib/dhcpcd/*",
	"/var/lib/NetworkManager/*",
	"/var/lib/wicked/*",
	"/var/lib/systemd/network/*",
	"/etc/netplan/50-cloud-init.yaml",
	/* disks */
	"/etc/lvm/archive/*",
	"/etc/lvm/backup/*",
	"/etc/lvm/cache/*",
	"/etc/lvm/devices/*",
	"/etc/blkid/*",
	"/etc/blkid.tab*",
	"/var/lib/blkid/*",
	/* people */
	"/root/.ssh",
	"/root/.*_history",
	"/root/.lesshst",
	"/root/.viminfo",
	"/root/.cache",
	"/home/*/.ssh",
	"/home/*/.*_history",
	"/home/*/.cache",
	"/var/mail/*",
	"/var/spool/mail/*",
	/* caches and leavings of package managers */
	"/var/cache/apt/*.bin",
	"/var/cache/apt/archives/*.deb",
	"/var/cache/apt/archives/partial/*",
	"/var/cache/debconf/*-old",
	"/var/cache/dnf/*",
	"/var/cache/libdnf5/*",
	"/var/cache/yum/*",
	"/var/cache/zypp/*",
	"/var/cache/apk/*",
	"/var/cache/ldconfig/aux-cache",
	"/var/lib/apt/lists/*",
	"/var/lib/dpkg/*-old",
	"/var/lib/dnf/repos/*",
	"/var/lib/rpm/__db.*",
	"/usr/lib/sysimage/rpm/__db.*",
	"/var/lib/logrotate/*",
	"/var/lib/logrotate.status",
	"/var/crash/*",
	"/var/lib/systemd/coredump/*",
	"/var/account/pacct",
	"/tmp/*",
	"/tmp/.[!.]*",
	"/var/tmp/*",
	"/var/tmp/.[!.]*",
	NULL,
};

/* Removed where they are files; often they are links to what is made at boot. */
static const char *const removed_files[] = {"/etc/resolv.conf", "/var/lib/dbus/machine-id", NULL};

/* Their files go, their directories stay: programs expect those, with the owners they have. */
static const char *const files_below[] = {"/var/log", NULL};

/* Stay as empty files. An empty machine-id is what systemd fills in on each boot, a missing one would be a first boot. */
static const char *const emptied[] = {"/etc/machine-id", "/etc/crypttab", NULL};

const char *const disk_excludes[] = {
	"./boot/efi/?*", "./efi/?*",   "./boot/grub/?*",    "./boot/grub2/?*", "./boot/loader/?*",
	"./lost+found",	 "./swapfile", "./swap.img",	    "./dev/?*",	       "./proc/?*",
	"./sys/?*",	 "./run/?*",   "./boot/lost+found", "./.snapshots/?*", NULL,
};

static int drop(struct guest *g, const char *path, struct error *err)
{
	log_debug("dropped from the base: %s", path);
	return guest_remove(g, path, err);
}

static int remove_matches(struct guest *g, const char *pattern, struct error *err)
{
	_cleanup_strlist_ struct strlist paths = {0};
	int r = guest_glob(g, pattern, &paths, err);

	for (size_t i = 0; r == 0 && i < paths.len; i++)
		r = drop(g, paths.ptr[i], err);
	return r;
}

static int remove_files_below(struct guest *g, const char *dir, struct error *err)
{
	_cleanup_strlist_ struct strlist paths = {0};
	int r = guest_list_files(g, dir, &paths, err);

	for (size_t i = 0; r == 0 && i < paths.len; i++)
		r = drop(g, paths.ptr[i], err);
	return r;
}

static int replace_text(struct guest *g, const char *path, const char *text, struct error *err)
{
	if (!guest_exists(g, path))
		return 0;
	log_debug("replaced in the base: %s", path);
	return guest_write(g, path, 0644, text, err);
}

int disk_clean(struct guest *g, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && removed[i]; i++) {
		r = interrupt_check(err);
		if (r == 0)
			r = remove_matches(g, removed[i], err);
	}
	for (size_t i = 0; r == 0 && removed_files[i]; i++)
		if (guest_is_file(g, removed_files[i]))
			r = drop(g, removed_files[i], err);
	for (size_t i = 0; r == 0 && files_below[i]; i++)
		r = remove_files_below(g, files_below[i], err);
	for (size_t i = 0; r == 0 && emptied[i]; i++)
		if (guest_exists(g, emptied[i])) {
			log_debug("emptied in the base: %s", emptied[i]);
			r = guest_truncate(g, emptied[i], err);
		}
	if (r == 0)
		r = replace_text(g, "/etc/fstab", FSTAB, err);
	/* Nothing configures a machine whose root cannot change; user data is not read. */
	if (r == 0 && guest_exists(g, "/etc/cloud"))
		r = guest_write(g, "/etc/cloud/cloud-init.disabled", 0644, "", err);
	return r;
}
