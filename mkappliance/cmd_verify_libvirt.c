/* SPDX-License-Identifier: Apache-2.0 */
/* mkappliance verify libvirt:POOL/VOLUME: every byte of a volume, by one stream. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cloud/meter.h"
#include "cloud/plan.h"
#include "cmd_upload.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/io.h"
#include "lib/zero.h"
#include "vm/pool.h"

struct reading {
	struct remote_read *r;
	struct meter meter;
};

static int take(void *user, uint64_t offset, const void *buf, size_t len, struct error *err)
{
	struct reading *g = user;
	struct remote_read *r = g->r;
	uint64_t number = offset / LAYOUT_BLOCK;
	struct sha256 digest;
	int n = interrupt_check(err);

	if (n < 0)
		return n;
	r->read++;
	if (r->digests) {
		if (len == LAYOUT_BLOCK && is_zero(buf, len))
			digest = *plan_zero_digest();
		else
			sha256_of(buf, len, &digest);
		if (r->differs == REMOTE_NONE &&
		    memcmp(&digest, &r->digests->ptr[number], sizeof(digest)) != 0)
			r->differs = number;
	}
	meter_add(&g->meter, 1);
	meter_show(&g->meter, 1, NULL);
	if (r->fd < 0 || is_zero(buf, len))
		return 0;
	return io_pwrite_full(r->fd, "what was read back", buf, len, offset, err);
}

int libvirt_remote_read(struct remote_read *r, struct error *err)
{
	struct reading g = {.r = r, .meter = {.json = r->json}};
	_cleanup_pool_volume_ struct pool_volume volume = {0};
	const char *slash = strchr(r->id, '/');
	_cleanup_pool_ struct pool *pool = NULL;
	_cleanup_free_ char *name = NULL;
	bool there = false;
	int n;

	if (!slash || slash == r->id || !slash[1])
		return error_usage(err, "libvirt:%s is not libvirt:POOL/VOLUME", r->id);
	name = xstrndup(r->id, (size_t)(slash - r->id));
	n = pool_open(r->connect, name, &pool, err);
	if (n == 0)
		n = pool_find(pool, slash + 1, &there, &volume, err);
	if (n < 0)
		return n;
	if (!there)
		return error_set(err, -ENOENT, "pool '%s' of %s has no volume '%s'", name, pool_uri(pool),
				 slash + 1);
	if (volume.size < r->m->layout.size)
		return error_refuse(err, "volume '%s' has %ju bytes, the manifest's image %ju", slash + 1,
				    (uintmax_t)volume.size, (uintmax_t)r->m->layout.size);
	r->missing = r->differs = REMOTE_NONE;
	r->read = 0;
	r->there = r->m->block_count;
	snprintf(r->snapshot, sizeof(r->snapshot), "%s", slash + 1);
	meter_start(&g.meter, "reading back", r->m->block_count);
	n = pool_receive(pool, slash + 1, r->m->layout.size, take, &g, err);
	if (n == 0)
		meter_end(&g.meter, NULL, NULL);
	return n;
}
