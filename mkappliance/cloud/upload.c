/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of every upload; what they do is in the providers. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloud/provider.h"
#include "lib/cleanup.h"
#include "lib/log.h"

int provider_find(const struct provider *const *table, const char *name, const struct provider **ret,
		  struct error *err)
{
	_cleanup_buf_ struct buf known = {0};

	for (size_t i = 0; table[i]; i++) {
		if (strcmp(table[i]->name, name) == 0) {
			*ret = table[i];
			return 0;
		}
		buf_printf(&known, "%s%s", i ? ", " : "", table[i]->name);
	}
	return error_usage(err, "no provider '%s' (known: %s)", name, known.ptr);
}

static int check_size(const char *path, int fd, const struct manifest *m, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, -errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "%s: not a regular file", path);
	if ((uint64_t)st.st_size != m->layout.size)
		return error_refuse(err, "%s: has %jd bytes, the manifest says %ju: of another image?", path,
				    (intmax_t)st.st_size, (uintmax_t)m->layout.size);
	return 0;
}

int upload_open_image(const char *path, const struct manifest *m, struct upload_image *ret, struct error *err)
{
	_cleanup_free_ char *blocks_path = blocks_path_for(path);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct block_digests blocks;
	int r;

	if (fd < 0)
		return error_errno(err, -errno, "%s", path);
	r = check_size(path, fd, m, err);
	if (r < 0)
		return r;
	r = blocks_read(blocks_path, &blocks, err);
	if (r < 0)
		return error_prefix(err, "the list of blocks that the build wrote is needed");
	r = plan_check_blocks(m, &blocks, blocks_path, err);
	if (r < 0) {
		block_digests_free(&blocks);
		return r;
	}
	*ret = (struct upload_image){.path = path, .fd = steal_fd(&fd), .m = m, .blocks = blocks};
	hex_encode(m->blocks_digest.b, SHA256_SIZE, ret->digest);
	return 0;
}

struct upload_place *upload_add_place(struct upload *u, const char *region, const char *image,
				      const char *snapshot)
{
	struct upload_result *r = &u->result;
	struct upload_place *place;

	array_grow(r->places, r->place_count, r->place_cap);
	place = &r->places[r->place_count++];
	*place = (struct upload_place){.region = xstrdup(region),
				       .image = xstrdup(image),
				       .snapshot = snapshot ? xstrdup(snapshot) : NULL};
	return place;
}

void upload_free(struct upload *u)
{
	struct upload_result *r = &u->result;

	cleanup_closep(&u->image.fd);
	block_digests_free(&u->image.blocks);
	for (size_t i = 0; i < r->place_count; i++) {
		free(r->places[i].region);
		free(r->places[i].image);
		free(r->places[i].snapshot);
	}
	free(r->places);
	free(r->account);
	free(r->name);
	free(r->domain);
	free(r->parent);
	free(r->why_full);
	plan_free(&r->plan);
	free(u->resume);
}

static int run_steps(const struct provider *p, void *session, struct upload *u, struct error *err)
{
	bool there = false;
	int r;

	r = p->preflight(session, u, &there, err);
	if (r < 0 || u->settings.dry_run)
		return r;
	u->result.already = there;
	if (!there) {
		r = p->transfer(session, u, err);
		if (r < 0)
			return r;
	}
	return p->publish(session, u, err);
}

int upload_run(const struct provider *p, struct upload *u, struct error *err)
{
	void *session = NULL;
	int r;

	u->meter.json = u->settings.json;
	r = p->open(u, &session, err);
	if (r == 0)
		r = run_steps(p, session, u, err);
	p->close(session);
	return r;
}
