/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel Documentation/admin-guide/device-mapper/verity.rst; ioctls of linux/dm-ioctl.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "end.h"
#include "file.h"
#include "image/abi.h"
#include "signature.h"
#include "verity.h"

#define DM_NAME		 "root"
#define HASHES_PER_BLOCK (ABI_BLOCK_SIZE / 32)

/* The ioctl's header and what comes behind it, in and out. */
static union {
	struct dm_ioctl head;
	char bytes[4096];
} dm;

static int dm_control = -1;

/* A fresh header for device DM_NAME. */
static void dm_prepare(uint32_t flags)
{
	memset(&dm, 0, sizeof dm);
	dm.head.version[0] = DM_VERSION_MAJOR;
	dm.head.data_size = sizeof dm;
	dm.head.data_start = sizeof dm.head;
	dm.head.flags = flags;
	memcpy(dm.head.name, DM_NAME, sizeof DM_NAME);
}

static int dm_call(unsigned long command)
{
	return ioctl(dm_control, (int)command, &dm) < 0 ? -errno : 0;
}

bool verity_sizes(uint64_t data_blocks, uint64_t hash_start, uint64_t *ret_data, uint64_t *ret_hash)
{
	uint64_t blocks = hash_start;
	uint64_t level = data_blocks;

	while (level > 1) {
		level = level / HASHES_PER_BLOCK + (level % HASHES_PER_BLOCK != 0);
		if (__builtin_add_overflow(blocks, level, &blocks))
			return false;
	}
	return !__builtin_mul_overflow(data_blocks, ABI_BLOCK_SIZE, ret_data) &&
	       !__builtin_mul_overflow(blocks, ABI_BLOCK_SIZE, ret_hash);
}

static void check_sizes(const struct conf *c, const struct disk_partition *data,
			const struct disk_partition *hash)
{
	uint64_t data_size, hash_size;

	if (!verity_sizes(c->data_blocks, c->hash_start, &data_size, &hash_size))
		refuse(ABI_REFUSED_SIZE, "DataBlocks= and HashStart= are beyond any disk");
	if (data->size < data_size)
		refuse(ABI_REFUSED_SIZE, "root partition %s has %llu bytes, the table needs %llu", data->name,
		       (unsigned long long)data->size, (unsigned long long)data_size);
	if (hash->size < hash_size)
		refuse(ABI_REFUSED_SIZE, "verity partition %s has %llu bytes, the table needs %llu",
		       hash->name, (unsigned long long)hash->size, (unsigned long long)hash_size);
}

/* Whether the verity target treats read errors as corruption: restart_on_error, panic_on_error (Linux 6.12).
 */
static bool kernel_has_on_error(void)
{
	struct utsname u;
	unsigned version[2] = {0, 0};
	const char *p = u.release;

	if (uname(&u) < 0)
		return false;
	for (int i = 0; i < 2; i++) {
		while (*p >= '0' && *p <= '9' && version[i] < 10000)
			version[i] = version[i] * 10 + (unsigned)(*p++ - '0');
		if (*p == '.')
			p++;
	}
	return version[0] > 6 || (version[0] == 6 && version[1] >= 12);
}

bool verity_ends_by_itself(unsigned on_corruption)
{
	return on_corruption != CONF_POWEROFF && kernel_has_on_error();
}

/*
 * The optional arguments of the policy. With OnCorruption=poweroff the kernel fails the read, so that bad
 * data is never delivered, and the guard (guard.h) ends the machine; as it does for read errors where the
 * kernel does not. Returns their number.
 */
static unsigned policy_arguments(unsigned on_corruption, const char **ret)
{
	bool on_error = kernel_has_on_error();

	*ret = "";
	if (on_corruption == CONF_POWEROFF)
		return 0;
	if (on_corruption == CONF_REBOOT)
		*ret = on_error ? " restart_on_corruption restart_on_error" : " restart_on_corruption";
	else
		*ret = on_error ? " panic_on_corruption panic_on_error" : " panic_on_corruption";
	return on_error ? 2 : 1;
}

/* Why the kernel does not take the table. */
static _Noreturn void refuse_table(const struct conf *c, const char *table, int error)
{
	if (c->signature && error == -ENOKEY)
		refuse(ABI_REFUSED_SIGNATURE,
		       "no key that the kernel trusts made the signature of the root hash (is Secure Boot on, with its certificate?)");
	if (c->signature && (error == -EKEYREJECTED || error == -EBADMSG))
		refuse(ABI_REFUSED_SIGNATURE, "the signature is not of this root hash: %s", strerror(-error));
	if (c->signature && error == -EINVAL)
		refuse(ABI_REFUSED_SIGNATURE,
		       "the kernel does not take the table '%s': Invalid argument (is CONFIG_DM_VERITY_VERIFY_ROOTHASH_SIG set?)",
		       table);
	refuse(ABI_REFUSED_VERITY, "the kernel does not take the table '%s': %s", table, strerror(-error));
}

static void load_table(const struct conf *c, const struct disk_partition *data,
		       const struct disk_partition *hash)
{
	struct dm_target_spec *spec = (void *)(dm.bytes + sizeof dm.head);
	char *arguments = dm.bytes + sizeof dm.head + sizeof *spec;
	struct line table = {.len = 0};
	const char *policy;
	unsigned count = policy_arguments(c->on_corruption, &policy);
	int r;

	line_printf(&table, "1 %s %s %u %u %llu %llu sha256 %s %s %u%s%s", data->device, hash->device,
		    ABI_BLOCK_SIZE, ABI_BLOCK_SIZE, (unsigned long long)c->data_blocks,
		    (unsigned long long)c->hash_start, c->root_hash, c->salt,
		    c->signature ? count + 2 : count, policy,
		    c->signature ? " root_hash_sig_key_desc " SIGNATURE_KEY : "");
	dm_prepare(DM_READONLY_FLAG);
	dm.head.target_count = 1;
	spec->length = c->data_blocks * (ABI_BLOCK_SIZE / 512);
	memcpy(spec->target_type, "verity", sizeof "verity");
	memcpy(arguments, table.text, table.len + 1); /* 2048 bytes at most: fits behind both headers */
	r = dm_call(DM_TABLE_LOAD);
	if (r < 0)
		refuse_table(c, table.text, r);
}

void verity_open(const struct conf *c, const struct disk_partition *data, const struct disk_partition *hash,
		 struct verity_device *ret)
{
	struct line name = {.len = 0};
	int r;

	check_sizes(c, data, hash);
	dm_control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	if (dm_control < 0)
		refuse(ABI_REFUSED_VERITY, "/dev/mapper/control: %s (is dm-mod among the modules?)",
		       strerror(errno));
	dm_prepare(DM_READONLY_FLAG);
	r = dm_call(DM_DEV_CREATE);
	if (r < 0)
		refuse(ABI_REFUSED_VERITY, "device-mapper makes no device: %s", strerror(-r));
	ret->major = major(dm.head.dev);
	ret->minor = minor(dm.head.dev);
	line_printf(&name, "dm-%u", ret->minor);
	memcpy(ret->name, name.text, name.len + 1);
	memcpy(ret->path, "/dev/", 5);
	memcpy(ret->path + 5, name.text, name.len + 1);

	load_table(c, data, hash);
	dm_prepare(0);
	r = dm_call(DM_DEV_SUSPEND); /* without DM_SUSPEND_FLAG: resumes, the table becomes live */
	if (r < 0)
		refuse(ABI_REFUSED_VERITY, "the dm-verity device does not start: %s", strerror(-r));
}

int verity_is_corrupted(void)
{
	const struct dm_target_spec *spec = (const void *)(dm.bytes + sizeof dm.head);
	int r;

	dm_prepare(0);
	r = dm_call(DM_TABLE_STATUS);
	if (r < 0)
		return r;
	if (dm.head.target_count != 1)
		return -EIO;
	/* "V" or "C" behind the specification. */
	return dm.bytes[sizeof dm.head + sizeof *spec] == 'C';
}
