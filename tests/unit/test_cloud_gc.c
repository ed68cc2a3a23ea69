/* SPDX-License-Identifier: Apache-2.0 */
/* What may go and what stays: each reason by itself. */
#include "unit.h"

#include "cloud/aws_upload.h"
#include "cloud/gc.h"

#define NOW 1767225600 /* 2026-01-01T00:00:00Z */

struct world {
	struct ec2_images images;
	struct ec2_snapshots snapshots;
	struct ec2_uses uses;
	struct gc_plan plan;
};

static int setup(void **state)
{
	*state = xcalloc(1, sizeof(struct world));
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	ec2_images_free(&w->images);
	ec2_snapshots_free(&w->snapshots);
	strlist_free(&w->uses.images);
	strlist_free(&w->uses.by);
	gc_plan_free(&w->plan);
	free(w);
	return 0;
}

static void tag(struct aws_tags *tags, const char *key, const char *value)
{
	strlist_add(&tags->keys, key);
	strlist_add(&tags->values, value);
}

/* An image of ours that is available, older than the one before; @name NULL: without that tag. */
static struct ec2_image *add_image(struct world *w, const char *id, const char *name, const char *snapshot)
{
	struct ec2_image *i;

	array_grow(w->images.list, w->images.len, w->images.cap);
	i = &w->images.list[w->images.len++];
	*i = (struct ec2_image){.state = "available", .architecture = "x86_64"};
	snprintf(i->id, sizeof(i->id), "%s", id);
	snprintf(i->created, sizeof(i->created), "2025-06-%02zuT00:00:00.000Z", 30 - w->images.len);
	tag(&i->tags, TAG_OURS, "1");
	if (name)
		tag(&i->tags, TAG_NAME, name);
	strlist_add(&i->snapshots, snapshot);
	return i;
}

static struct ec2_snapshot *add_snapshot(struct world *w, const char *id, const char *started)
{
	struct ec2_snapshot *s;

	array_grow(w->snapshots.list, w->snapshots.len, w->snapshots.cap);
	s = &w->snapshots.list[w->snapshots.len++];
	*s = (struct ec2_snapshot){.state = "completed"};
	snprintf(s->id, sizeof(s->id), "%s", id);
	snprintf(s->started, sizeof(s->started), "%s", started);
	tag(&s->tags, TAG_OURS, "1");
	tag(&s->tags, TAG_NAME, "app");
	return s;
}

static void decide(struct world *w, unsigned keep, const char *name)
{
	const struct gc_options o = {.keep = keep, .older_h = 24, .name = name};

	gc_decide("r", &w->images, &w->snapshots, &w->uses, &o, NOW, &w->plan);
}

/* NULL: not listed. */
static const struct gc_item *find(const struct world *w, const char *id)
{
	for (size_t i = 0; i < w->plan.len; i++)
		if (strcmp(w->plan.items[i].id, id) == 0)
			return &w->plan.items[i];
	return NULL;
}

/* It must be there. */
static struct gc_item item(const struct world *w, const char *id)
{
	const struct gc_item *it = find(w, id);

	if (!it)
		fail_msg("%s is not in the plan", id);
	return it ? *it : (struct gc_item){0};
}

static void expect(const struct world *w, const char *id, enum gc_verdict verdict, const char *why)
{
	struct gc_item it = item(w, id);

	assert_int_equal(it.verdict, verdict);
	assert_contains(it.why, why);
}

static void newest_stay(void **state)
{
	struct world *w = *state;

	add_image(w, "ami-4", "app", "snap-4");
	add_image(w, "ami-3", "other", "snap-3");
	add_image(w, "ami-2", "app", "snap-2");
	add_image(w, "ami-1", "app", "snap-1");
	decide(w, 2, NULL);
	expect(w, "ami-4", GC_KEEP, "one of the newest 2");
	expect(w, "ami-3", GC_KEEP, "one of the newest 2");
	expect(w, "ami-2", GC_KEEP, "one of the newest 2");
	expect(w, "ami-1", GC_REMOVE, "2 newer ones");
	assert_int_equal(gc_count(&w->plan, GC_REMOVE), 1);
	assert_int_equal(item(w, "ami-1").snapshots.len, 1);
}

/* Another architecture is another series, and what failed is no newer one. */
static void series(void **state)
{
	struct world *w = *state;

	snprintf(add_image(w, "ami-3", "app", "snap-3")->state, 24, "failed");
	snprintf(add_image(w, "ami-2", "app", "snap-2")->architecture, 16, "arm64");
	add_image(w, "ami-1", "app", "snap-1");
	decide(w, 1, NULL);
	expect(w, "ami-3", GC_REMOVE, "'failed'");
	expect(w, "ami-2", GC_KEEP, "newest 1");
	expect(w, "ami-1", GC_KEEP, "newest 1");
}

static void reasons_to_stay(void **state)
{
	struct world *w = *state;
	struct ec2_image *young;

	add_image(w, "ami-used", "app", "snap-1");
	add_image(w, "ami-protected", "app", "snap-2")->protected = true;
	add_image(w, "ami-nameless", NULL, "snap-3");
	snprintf(add_image(w, "ami-pending", "app", "snap-4")->state, 24, "pending");
	young = add_image(w, "ami-young", "app", "snap-5");
	snprintf(young->state, sizeof(young->state), "failed");
	snprintf(young->created, sizeof(young->created), "2025-12-31T12:00:00.000Z");
	strlist_add(&w->uses.images, "ami-used");
	strlist_add(&w->uses.by, "launch template lt-1");
	decide(w, 0, NULL);
	expect(w, "ami-used", GC_KEEP, "launch template lt-1 refers to it");
	expect(w, "ami-protected", GC_KEEP, "protected");
	expect(w, "ami-nameless", GC_KEEP, "no tag");
	expect(w, "ami-pending", GC_KEEP, "'pending'");
	expect(w, "ami-young", GC_KEEP, "less than 24 h ago");
	assert_int_equal(gc_count(&w->plan, GC_REMOVE), 0);
}

/* What is not marked as ours, or is of another appliance, is not even listed. */
static void of_others(void **state)
{
	struct world *w = *state;
	struct ec2_image *foreign = add_image(w, "ami-foreign", "app", "snap-1");

	free(foreign->tags.values.ptr[0]);
	foreign->tags.values.ptr[0] = xstrdup("0");
	add_image(w, "ami-other", "other", "snap-2");
	add_image(w, "ami-app", "app", "snap-3");
	decide(w, 0, "app");
	assert_null(find(w, "ami-foreign"));
	assert_null(find(w, "ami-other"));
	expect(w, "ami-app", GC_REMOVE, "nothing refers to it");
}

/* A snapshot that an image still has stays, whoever's image that is. */
static void shared_snapshot(void **state)
{
	struct world *w = *state;

	add_image(w, "ami-2", "app", "snap-shared");
	strlist_add(&add_image(w, "ami-1", "app", "snap-shared")->snapshots, "snap-own");
	decide(w, 1, NULL);
	expect(w, "ami-1", GC_REMOVE, "");
	assert_int_equal(item(w, "ami-1").snapshots.len, 1);
	assert_string_equal(item(w, "ami-1").snapshots.ptr[0], "snap-own");
}

static void snapshots_alone(void **state)
{
	struct world *w = *state;

	add_image(w, "ami-1", "app", "snap-has");
	add_snapshot(w, "snap-has", "2025-06-01T00:00:00.000Z");
	add_snapshot(w, "snap-old", "2025-06-01T00:00:00.000Z");
	tag(&add_snapshot(w, "snap-gone", "2025-06-01T00:00:00.000Z")->tags, TAG_STATE, STATE_READY);
	add_snapshot(w, "snap-young", "2025-12-31T00:00:01.000Z");
	add_snapshot(w, "snap-odd", "yesterday");
	decide(w, 1, NULL);
	assert_null(find(w, "snap-has"));
	expect(w, "snap-old", GC_REMOVE, "never became an image");
	expect(w, "snap-gone", GC_REMOVE, "its image is gone");
	expect(w, "snap-young", GC_KEEP, "younger than 24 h");
	expect(w, "snap-odd", GC_KEEP, "younger than 24 h");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(newest_stay, setup, teardown),
		cmocka_unit_test_setup_teardown(series, setup, teardown),
		cmocka_unit_test_setup_teardown(reasons_to_stay, setup, teardown),
		cmocka_unit_test_setup_teardown(of_others, setup, teardown),
		cmocka_unit_test_setup_teardown(shared_snapshot, setup, teardown),
		cmocka_unit_test_setup_teardown(snapshots_alone, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
