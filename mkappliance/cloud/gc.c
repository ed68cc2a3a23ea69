/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/gc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/aws_sts.h"
#include "cloud/aws_upload.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"

#define IN_USE_TRIES 6 /* a snapshot is in use for a moment after its image went */

const char *gc_verdict_name(enum gc_verdict v)
{
	static const char *const names[] = {"keep", "remove", "removed", "failed"};

	return names[v];
}

void gc_plan_free(struct gc_plan *p)
{
	for (size_t i = 0; i < p->len; i++) {
		struct gc_item *it = &p->items[i];

		free(it->region);
		free(it->id);
		free(it->name);
		free(it->version);
		free(it->created);
		free(it->why);
		strlist_free(&it->snapshots);
	}
	free(p->items);
	*p = (struct gc_plan){0};
}

/* ---- deciding ---- */

static bool is_ours(const struct aws_tags *tags, const struct gc_options *o)
{
	const char *ours = aws_tags_get(tags, TAG_OURS), *name = aws_tags_get(tags, TAG_NAME);

	return ours && strcmp(ours, "1") == 0 && (!o->name || (name && strcmp(name, o->name) == 0));
}

static struct gc_item *add_item(struct gc_plan *p, const char *region, const char *id,
				const struct aws_tags *tags, const char *created, uint32_t gib)
{
	const char *name = aws_tags_get(tags, TAG_NAME), *version = aws_tags_get(tags, TAG_VERSION);

	array_grow(p->items, p->len, p->cap);
	p->items[p->len] = (struct gc_item){.region = xstrdup(region),
					    .id = xstrdup(id),
					    .name = xstrdup(name ? name : ""),
					    .version = xstrdup(version ? version : ""),
					    .created = xstrdup(created),
					    .gib = gib};
	return &p->items[p->len++];
}

/* What cannot be read is new. */
static bool is_old(const char *created, const struct gc_options *o, time_t now)
{
	time_t t;

	return aws_time_parse(created, &t) && now - t >= (time_t)o->older_h * 3600;
}

static bool is_lost(const struct ec2_image *i)
{
	return strcmp(i->state, "failed") == 0 || strcmp(i->state, "error") == 0 ||
	       strcmp(i->state, "invalid") == 0;
}

static const char *user_of(const struct ec2_uses *uses, const char *image)
{
	for (size_t i = 0; i < uses->images.len; i++)
		if (strcmp(uses->images.ptr[i], image) == 0)
			return uses->by.ptr[i];
	return NULL;
}

/* How many usable ones of the same appliance and architecture are newer than @n. */
static unsigned rank_of(const struct ec2_images *images, size_t n, const struct gc_options *o)
{
	const char *name = aws_tags_get(&images->list[n].tags, TAG_NAME);
	unsigned rank = 0;

	for (size_t i = 0; i < n; i++) {
		const struct ec2_image *other = &images->list[i];
		const char *its = aws_tags_get(&other->tags, TAG_NAME);

		if (is_ours(&other->tags, o) && its && name && strcmp(its, name) == 0 &&
		    strcmp(other->architecture, images->list[n].architecture) == 0 &&
		    strcmp(other->state, "available") == 0)
			rank++;
	}
	return rank;
}

/* Every reason to keep it comes before the ones to remove it. */
static enum gc_verdict judge_image(const struct ec2_images *images, size_t n, const struct ec2_uses *uses,
				   const struct gc_options *o, time_t now, char **ret_why)
{
	const struct ec2_image *i = &images->list[n];
	const char *user = user_of(uses, i->id);
	unsigned rank = rank_of(images, n, o);

	*ret_why = NULL;
	if (user)
		*ret_why = xasprintf("%s refers to it", user);
	else if (i->protected)
		*ret_why = xstrdup("protected from deregistration");
	else if (!aws_tags_get(&i->tags, TAG_NAME))
		*ret_why = xstrdup("no tag " TAG_NAME " says what it is");
	else if (is_lost(i) && !is_old(i->created, o, now))
		*ret_why = xasprintf("failed less than %u h ago", o->older_h);
	else if (!is_lost(i) && strcmp(i->state, "available") != 0)
		*ret_why = xasprintf("its state is '%s'", i->state);
	else if (!is_lost(i) && rank < o->keep)
		*ret_why = xasprintf("one of the newest %u", o->keep);
	if (*ret_why)
		return GC_KEEP;
	*ret_why = is_lost(i) ? xasprintf("its state is '%s'", i->state)
			      : xasprintf("%u newer ones, and nothing refers to it", rank);
	return GC_REMOVE;
}

/* Whether an image that stays has the snapshot. */
static bool snapshot_stays(const struct ec2_images *images, const bool *goes, const char *snapshot)
{
	for (size_t i = 0; i < images->len; i++)
		for (size_t n = 0; !goes[i] && n < images->list[i].snapshots.len; n++)
			if (strcmp(images->list[i].snapshots.ptr[n], snapshot) == 0)
				return true;
	return false;
}

static bool has_image(const struct ec2_images *images, const char *snapshot)
{
	for (size_t i = 0; i < images->len; i++)
		for (size_t n = 0; n < images->list[i].snapshots.len; n++)
			if (strcmp(images->list[i].snapshots.ptr[n], snapshot) == 0)
				return true;
	return false;
}

static void decide_snapshot(const char *region, const struct ec2_snapshot *s, const struct gc_options *o,
			    time_t now, struct gc_plan *ret)
{
	struct gc_item *it = add_item(ret, region, s->id, &s->tags, s->started, s->volume_gib);
	const char *state = aws_tags_get(&s->tags, TAG_STATE);

	if (!is_old(s->started, o, now)) {
		it->why = xasprintf("younger than %u h: its upload may go on", o->older_h);
		return;
	}
	it->verdict = GC_REMOVE;
	it->why = state && strcmp(state, STATE_READY) == 0 ? xstrdup("its image is gone")
							   : xstrdup("an upload that never became an image");
}

static int compare_items(const void *x, const void *y)
{
	const struct gc_item *a = x, *b = y;
	int r = (int)b->image - (int)a->image;

	if (r == 0)
		r = strcmp(a->name, b->name);
	if (r == 0)
		r = strcmp(b->created, a->created);
	return r ? r : strcmp(a->id, b->id);
}

void gc_decide(const char *region, const struct ec2_images *images, const struct ec2_snapshots *snapshots,
	       const struct ec2_uses *uses, const struct gc_options *o, time_t now, struct gc_plan *ret)
{
	_cleanup_free_ bool *goes = xcalloc(images->len, sizeof(*goes));
	size_t first = ret->len;

	for (size_t i = 0; i < images->len; i++) {
		const struct ec2_image *image = &images->list[i];
		struct gc_item *it;

		if (!is_ours(&image->tags, o))
			continue;
		it = add_item(ret, region, image->id, &image->tags, image->created, image->volume_gib);
		it->image = true;
		it->verdict = judge_image(images, i, uses, o, now, &it->why);
		goes[i] = it->verdict == GC_REMOVE;
	}
	for (size_t n = first, i = 0; i < images->len; i++) {
		if (!is_ours(&images->list[i].tags, o))
			continue;
		for (size_t k = 0; goes[i] && k < images->list[i].snapshots.len; k++)
			if (!snapshot_stays(images, goes, images->list[i].snapshots.ptr[k]))
				strlist_add(&ret->items[n].snapshots, images->list[i].snapshots.ptr[k]);
		n++;
	}
	for (size_t i = 0; i < snapshots->len; i++)
		if (is_ours(&snapshots->list[i].tags, o) && !has_image(images, snapshots->list[i].id))
			decide_snapshot(region, &snapshots->list[i], o, now, ret);
	if (ret->len > first)
		qsort(ret->items + first, ret->len - first, sizeof(*ret->items), compare_items);
}

/* What other accounts may launch they may use, and nobody sees that from here. Asked of what would go only. */
static int add_shares(struct aws *a, const struct gc_plan *p, struct ec2_uses *uses, struct error *err)
{
	for (size_t i = 0; i < p->len; i++) {
		_cleanup_strlist_ struct strlist who = {0};
		struct error first = ERROR_INIT;
		int r;

		if (!p->items[i].image || p->items[i].verdict != GC_REMOVE)
			continue;
		r = ec2_image_shares(a, p->items[i].region, p->items[i].id, &who, &first);
		/* Of one that failed AWS may not say it, and nobody launches it. */
		if (r < 0 && !strstr(first.text, "InvalidAMIID")) {
			*err = first;
			return r;
		}
		if (who.len == 0)
			continue;
		strlist_add(&uses->images, p->items[i].id);
		strlist_addf(&uses->by, "perhaps '%s'%s, who may launch it (--shared),", who.ptr[0],
			     who.len > 1 ? " or another" : "");
	}
	return 0;
}

int gc_region(struct aws *a, const char *region, const struct gc_options *o, struct gc_plan *ret,
	      struct error *err)
{
	const struct ec2_filter ours = {"tag:" TAG_OURS, "1"};
	_cleanup_snapshots_ struct ec2_snapshots snapshots = {0};
	_cleanup_images_ struct ec2_images images = {0};
	_cleanup_uses_ struct ec2_uses uses = {0};
	_cleanup_gc_plan_ struct gc_plan first = {0};
	const char *where = region ? region : aws_region(a);
	/* Snapshots first: an image that is registered meanwhile is seen. All of our images, also of others' making. */
	int r = ec2_describe_snapshots(
		a, &(struct ec2_search){.region = region, .filters = &ours, .filter_count = 1}, &snapshots,
		err);

	if (r == 0)
		r = ec2_describe_images(a, &(struct ec2_search){.region = region}, &images, err);
	if (r == 0)
		r = ec2_images_in_use(a, region, &uses, err);
	if (r == 0 && !o->shared) {
		gc_decide(where, &images, &snapshots, &uses, o, aws_now(a), &first);
		r = add_shares(a, &first, &uses, err);
	}
	if (r < 0)
		return error_prefix(err, "region %s", where);
	gc_decide(where, &images, &snapshots, &uses, o, aws_now(a), ret);
	return 0;
}

size_t gc_count(const struct gc_plan *p, enum gc_verdict v)
{
	size_t n = 0;

	for (size_t i = 0; i < p->len; i++)
		n += p->items[i].verdict == v;
	return n;
}

/* ---- removing ---- */

static int delete_snapshot(struct aws *a, const char *region, const char *snapshot, struct error *err)
{
	for (unsigned i = 1;; i++) {
		int r = ec2_delete_snapshot(a, region, snapshot, err);

		if (r == 0 || i == IN_USE_TRIES || !strstr(err->text, "InvalidSnapshot.InUse"))
			return r;
		r = interrupt_sleep(i * UINT64_C(500000000), err);
		if (r < 0)
			return r;
	}
}

static int remove_item(struct aws *a, const struct gc_item *it, struct error *err)
{
	int r = it->image ? ec2_deregister(a, it->region, it->id, err)
			  : delete_snapshot(a, it->region, it->id, err);

	for (size_t i = 0; r == 0 && i < it->snapshots.len; i++)
		r = delete_snapshot(a, it->region, it->snapshots.ptr[i], err);
	return r;
}

int gc_carry_out(struct aws *a, struct gc_plan *p, struct error *err)
{
	int first = 0;

	for (size_t i = 0; i < p->len; i++) {
		struct gc_item *it = &p->items[i];
		struct error e = ERROR_INIT;
		int r;

		if (it->verdict != GC_REMOVE)
			continue;
		r = remove_item(a, it, &e);
		it->verdict = r < 0 ? GC_FAILED : GC_REMOVED;
		if (r == 0)
			continue;
		free(it->why);
		it->why = xstrdup(e.text);
		if (first == 0) {
			first = r;
			*err = e;
		}
		if (r == -EACCES || r == -EKEYREJECTED || r == -EINTR)
			break;
	}
	return first;
}
