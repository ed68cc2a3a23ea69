/* SPDX-License-Identifier: Apache-2.0 */
/* libguestfs lives here and nowhere else in this room. */
#include "check/inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <guestfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/kvm.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/scratch.h"

#define DISK	  "/dev/sda"
#define MAX_FILES ((size_t)4 << 20)
#define MAX_DEPTH 256

/* UEFI 2.10, table 5.5 */
#define GPT_HEADER_OFFSET 512
#define GPT_SIGNATURE	  "EFI PART"
#define GPT_SIGNATURE_LEN (sizeof(GPT_SIGNATURE) - 1)

static void close_guest(guestfs_h **g)
{
	if (*g)
		guestfs_close(*g);
}

static void free_list(char ***list)
{
	for (char **p = *list; p && *p; p++)
		free(*p);
	free(*list);
}

/* Its first line: advice for whoever looks for a mistake in libguestfs follows. */
static int guest_error(guestfs_h *g, const char *what, struct error *err)
{
	const char *text = guestfs_last_error(g);
	int number = guestfs_last_errno(g);

	if (!text)
		text = "failed";
	return error_set(err, number > 0 ? -number : -EIO, "libguestfs: %s: %.*s", what,
			 (int)strcspn(text, "\n"), text);
}

/* Names of an image are untrusted; an absent answer is no error. */
static char *own(char *s)
{
	char *copy = xstrdup(s ? s : "");

	free(s);
	return copy;
}

/* GUIDs as the manifest writes them. */
static char *lower(char *s)
{
	for (char *p = s; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return s;
}

/* Ctrl-C ends whatever the appliance is doing. */
static void on_progress(guestfs_h *g, void *opaque, uint64_t event, int handle, int flags, const char *buf,
			size_t buf_len, const uint64_t *array, size_t array_len)
{
	(void)opaque, (void)event, (void)handle, (void)flags, (void)buf, (void)buf_len, (void)array,
		(void)array_len;
	if (interrupt_pending())
		guestfs_user_cancel(g);
}

/* Said before libguestfs takes its ten seconds to say it worse. */
static int check_disk(const char *image, struct error *err)
{
	_cleanup_close_ int fd = open(image, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char header[GPT_SIGNATURE_LEN];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, -errno, "%s", image);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return error_set(err, -EINVAL, "%s: is neither a file nor a block device", image);
	if (pread(fd, header, sizeof(header), GPT_HEADER_OFFSET) != (ssize_t)sizeof(header) ||
	    memcmp(header, GPT_SIGNATURE, sizeof(header)) != 0)
		return error_set(err, -EINVAL, "%s: has no GPT partition table, so it is no image of ours",
				 image);
	return 0;
}

static int guest_start(const char *image, guestfs_h **ret, struct error *err)
{
	_cleanup_(close_guest) guestfs_h *g = guestfs_create_flags(GUESTFS_CREATE_NO_CLOSE_ON_EXIT);
	struct progress p;

	if (!g)
		return error_set(err, -ENOMEM, "libguestfs: no handle");
	guestfs_set_error_handler(g, NULL, NULL);
	(void)guestfs_set_event_callback(g, on_progress, GUESTFS_EVENT_PROGRESS, 0, NULL);
	if (!getenv("LIBGUESTFS_BACKEND") && guestfs_set_backend(g, "direct") < 0)
		return guest_error(g, "backend 'direct'", err);
	/* libguestfs itself looks at /dev/kvm only, and hangs where the processor does not help. */
	if (!kvm_is_real() && guestfs_set_backend_setting(g, "force_tcg", "1") < 0)
		return guest_error(g, "force_tcg", err);
	if (guestfs_add_drive_opts(g, image, GUESTFS_ADD_DRIVE_OPTS_READONLY, 1,
				   GUESTFS_ADD_DRIVE_OPTS_FORMAT, "raw", -1) < 0)
		return guest_error(g, image, err);
	progress_start(&p, "starting libguestfs", NULL, 0);
	if (guestfs_launch(g) < 0)
		return guest_error(g, "starting its appliance (LIBGUESTFS_DEBUG=1 says more)", err);
	progress_end(&p, NULL);
	*ret = steal_pointer(&g);
	return 0;
}

static int read_partitions(guestfs_h *g, struct inspection *ret, struct error *err)
{
	struct guestfs_partition_list *list = guestfs_part_list(g, DISK);

	if (!list)
		return guest_error(g, "reading the partition table", err);
	ret->partitions = xcalloc(list->len, sizeof(*ret->partitions));
	for (uint32_t i = 0; i < list->len; i++) {
		const struct guestfs_partition *from = &list->val[i];
		struct inspect_partition *to = &ret->partitions[ret->partition_count++];
		char device[32];

		snprintf(device, sizeof(device), DISK "%d", from->part_num);
		to->number = from->part_num;
		to->offset = from->part_start;
		to->size = from->part_size;
		to->name = own(guestfs_part_get_name(g, DISK, from->part_num));
		to->uuid = lower(own(guestfs_part_get_gpt_guid(g, DISK, from->part_num)));
		to->type = lower(own(guestfs_part_get_gpt_type(g, DISK, from->part_num)));
		to->filesystem = own(guestfs_vfs_type(g, device));
	}
	guestfs_free_partition_list(list);
	return 0;
}

/* Mounts the partition named "root". */
static int mount_root(guestfs_h *g, const struct inspection *in, struct error *err)
{
	for (size_t i = 0; i < in->partition_count; i++) {
		char device[32];

		if (strcmp(in->partitions[i].name, "root") != 0)
			continue;
		snprintf(device, sizeof(device), DISK "%d", in->partitions[i].number);
		if (guestfs_mount_ro(g, device, "/") < 0)
			return guest_error(g, "mounting the root", err);
		return 0;
	}
	return error_set(err, -ENOENT,
			 "the image has no partition named 'root'; was it built by mkappliance?");
}

static struct inspect_file *add_file(struct inspection *in, char *path, const struct guestfs_statns *st)
{
	array_grow(in->files, in->file_count, in->file_cap);
	in->files[in->file_count] = (struct inspect_file){
		.path = path,
		.mode = (uint32_t)st->st_mode,
		.uid = (uint32_t)st->st_uid,
		.gid = (uint32_t)st->st_gid,
		.size = (uint64_t)st->st_size,
	};
	return &in->files[in->file_count++];
}

/* The names in @dir without "." and "..", to be freed. */
static int list_names(guestfs_h *g, const char *dir, struct strlist *ret, struct error *err)
{
	struct guestfs_dirent_list *list = guestfs_readdir(g, dir);

	if (!list)
		return guest_error(g, dir, err);
	for (uint32_t i = 0; i < list->len; i++)
		if (strcmp(list->val[i].name, ".") != 0 && strcmp(list->val[i].name, "..") != 0)
			strlist_add(ret, list->val[i].name);
	guestfs_free_dirent_list(list);
	return 0;
}

static int read_files(guestfs_h *g, const char *dir, unsigned depth, struct inspection *in, struct error *err)
{
	_cleanup_strlist_ struct strlist names = {0};
	struct guestfs_statns_list *stats;
	int r;

	r = interrupt_check(err);
	if (r >= 0)
		r = list_names(g, dir, &names, err);
	if (r < 0 || names.len == 0)
		return r;
	if (depth > MAX_DEPTH || in->file_count + names.len > MAX_FILES)
		return error_set(err, -ELOOP, "%s: more files, or deeper, than any image of ours", dir);
	stats = guestfs_lstatnslist(g, dir, names.ptr);
	if (!stats)
		return guest_error(g, dir, err);
	for (size_t i = 0; r >= 0 && i < names.len && i < stats->len; i++) {
		char *path = xasprintf("%s/%s", strcmp(dir, "/") == 0 ? "" : dir, names.ptr[i]);
		bool is_dir = S_ISDIR((mode_t)stats->val[i].st_mode);

		add_file(in, path, &stats->val[i]);
		if (is_dir)
			r = read_files(g, path, depth + 1, in, err);
	}
	guestfs_free_statns_list(stats);
	return r;
}

static int compare_files(const void *a, const void *b)
{
	return strcmp(((const struct inspect_file *)a)->path, ((const struct inspect_file *)b)->path);
}

/* How sha256sum writes names with a newline or a backslash in them; such a line begins with a backslash. */
static void unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (*s == '\\' && s[1])
			s++, *s = *s == 'n' ? '\n' : *s == 'r' ? '\r' : *s;
		*out++ = *s;
	}
	*out = 0;
}

/* @dir: for the list on its way, which has a line a file. */
static int read_checksums(guestfs_h *g, const char *dir, struct inspection *in, struct error *err)
{
	_cleanup_free_ char *temp = xasprintf("%s/sha256", dir), *line = NULL;
	_cleanup_fclose_ FILE *f = NULL;
	size_t cap = 0;
	ssize_t len;

	if (guestfs_checksums_out(g, "sha256", "/", temp) < 0)
		return guest_error(g, "sha256 of the files", err);
	f = fopen(temp, "re");
	if (!f)
		return error_errno(err, -errno, "%s", temp);
	/* "HEX  ./path" as sha256sum prints it */
	while ((len = getline(&line, &cap, f)) > 0) {
		struct inspect_file key = {0}, *found;
		char *hex = line;

		if (len < 69)
			continue;
		line[len - 1] = 0;
		if (*line == '\\')
			unescape(++hex);
		hex[64] = 0;
		key.path = hex + 67;
		found = bsearch(&key, in->files, in->file_count, sizeof(key), compare_files);
		if (found && !found->sha256)
			found->sha256 = xstrdup(hex);
	}
	return 0;
}

static int read_packages(guestfs_h *g, const char *root, struct inspection *ret, struct error *err)
{
	struct guestfs_application2_list *list = guestfs_inspect_list_applications2(g, root);

	if (!list)
		return guest_error(g, "reading the package database", err);
	ret->packages = xcalloc(list->len, sizeof(*ret->packages));
	for (uint32_t i = 0; i < list->len; i++) {
		const struct guestfs_application2 *a = &list->val[i];
		struct inspect_package *p = &ret->packages[ret->package_count++];

		p->name = xstrdup(a->app2_name);
		p->version =
			xasprintf("%s%s%s", a->app2_version, *a->app2_release ? "-" : "", a->app2_release);
		p->arch = xstrdup(a->app2_arch);
	}
	guestfs_free_application2_list(list);
	return 0;
}

/* What distribution it is, if any. Its packages only when asked for. */
static int read_os(guestfs_h *g, bool packages, struct inspection *ret, struct error *err)
{
	_cleanup_(free_list) char **roots = guestfs_inspect_os(g);
	_cleanup_free_ char *distribution = NULL, *product = NULL;

	if (!roots)
		return guest_error(g, "looking for a distribution", err);
	if (!roots[0])
		return 0;
	distribution = own(guestfs_inspect_get_distro(g, roots[0]));
	product = own(guestfs_inspect_get_product_name(g, roots[0]));
	ret->os = xasprintf("%s %s", distribution, product);
	return packages ? read_packages(g, roots[0], ret, err) : 0;
}

static int inspect_guest(guestfs_h *g, const struct inspect_options *options, const char *dir,
			 struct inspection *ret, struct error *err)
{
	int r;

	r = read_partitions(g, ret, err);
	/* Inspection mounts and unmounts by itself, so it comes before our own mount. */
	if (r >= 0)
		r = read_os(g, options->packages, ret, err);
	if (r < 0 || !options->files)
		return r;
	if (guestfs_umount_all(g) < 0)
		return guest_error(g, "unmounting", err);
	r = mount_root(g, ret, err);
	if (r >= 0)
		r = read_files(g, "/", 0, ret, err);
	if (r < 0)
		return r;
	qsort(ret->files, ret->file_count, sizeof(*ret->files), compare_files);
	return options->checksums ? read_checksums(g, dir, ret, err) : 0;
}

int inspect_image(const char *image, const struct inspect_options *options, struct inspection *ret,
		  struct error *err)
{
	_cleanup_scratch_ struct scratch scratch = SCRATCH_INIT;
	_cleanup_(close_guest) guestfs_h *g = NULL;
	int r;

	r = check_disk(image, err);
	if (r == 0 && options->checksums)
		r = scratch_open(NULL, "mkappliance-inspect-", NULL, &scratch, err);
	if (r < 0)
		return r;
	r = guest_start(image, &g, err);
	if (r < 0)
		return r;
	r = inspect_guest(g, options, scratch.path, ret, err);
	return r < 0 ? error_prefix(err, "%s", image) : 0;
}

void inspection_free(struct inspection *in)
{
	for (size_t i = 0; i < in->partition_count; i++) {
		free(in->partitions[i].name);
		free(in->partitions[i].uuid);
		free(in->partitions[i].type);
		free(in->partitions[i].filesystem);
	}
	for (size_t i = 0; i < in->file_count; i++) {
		free(in->files[i].path);
		free(in->files[i].sha256);
	}
	for (size_t i = 0; i < in->package_count; i++) {
		free(in->packages[i].name);
		free(in->packages[i].version);
		free(in->packages[i].arch);
	}
	free(in->partitions);
	free(in->files);
	free(in->packages);
	free(in->os);
	*in = (struct inspection){0};
}
