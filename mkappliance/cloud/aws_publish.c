/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/aws_publish.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cloud/aws_ssm.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/log.h"

#define TAGS_MAX 50 /* of a resource, Amazon EC2 User Guide */
#define LOST_MAX 4u

void publish_places_free(struct publish_places *p)
{
	for (size_t i = 0; i < p->len; i++) {
		struct ec2_images one = {.list = xmemdup(&p->list[i].image, sizeof(p->list[i].image)),
					 .len = 1};

		ec2_images_free(&one);
		free(p->list[i].region);
	}
	free(p->list);
	*p = (struct publish_places){0};
}

/* Takes over the one image of @images. */
static void add_place(struct publish_places *p, const char *region, struct ec2_images *images)
{
	array_grow(p->list, p->len, p->cap);
	p->list[p->len++] = (struct publish_place){.region = xstrdup(region), .image = images->list[0]};
	images->len = 0;
}

static void event(const struct publish *p, const char *phase, const char *region, const char *what)
{
	if (p->on_event)
		p->on_event(phase, region, what, p->user);
	else
		log_debug("%s: %s: %s", phase, region, what);
}

static bool is_lost(const struct ec2_image *i)
{
	return strcmp(i->state, "failed") == 0 || strcmp(i->state, "error") == 0 ||
	       strcmp(i->state, "invalid") == 0 || strcmp(i->state, "deregistered") == 0;
}

/* @p: its times count. */
static int wait_image(struct aws *a, const char *region, const char *image, const struct publish *p,
		      struct ec2_images *ret, struct error *err)
{
	const uint64_t start = clock_ns(), poll = (p->poll_ms ? p->poll_ms : 5000) * UINT64_C(1000000),
		       end = start + (p->timeout_s ? p->timeout_s : 7200) * UINT64_C(1000000000);
	const struct ec2_search s = {.region = region,
				     .id = image,
				     .lag_until_ns =
					     start + (p->lag_s ? p->lag_s : 60) * UINT64_C(1000000000)};

	for (;;) {
		_cleanup_images_ struct ec2_images found = {0};
		const struct ec2_image *i;
		int r = ec2_describe_images(a, &s, &found, err);

		if (r < 0)
			return r;
		i = &found.list[0];
		if (strcmp(i->state, "available") == 0) {
			*ret = found;
			found = (struct ec2_images){0};
			return 0;
		}
		if (is_lost(i))
			return error_set(err, -EIO, "image %s in %s: %s: %s", image,
					 region ? region : aws_region(a), i->state,
					 i->reason ? i->reason : "AWS gives no reason");
		if (clock_ns() + poll > end)
			return error_set(err, -ETIMEDOUT, "image %s in %s is still '%s'", image,
					 region ? region : aws_region(a), i->state);
		r = interrupt_sleep(poll, err);
		if (r < 0)
			return r;
	}
}

int publish_wait(struct aws *a, const char *region, const char *image, unsigned poll_ms, unsigned timeout_s,
		 struct ec2_images *ret, struct error *err)
{
	const struct publish p = {.poll_ms = poll_ms, .timeout_s = timeout_s};

	return wait_image(a, region, image, &p, ret, err);
}

/* ---- copies ---- */

/*
 * The same token is the same copy for AWS; it holds the number of copies that failed before, so that another one can be made. Image ids are unique over all regions.
 */
static void copy_token(const struct publish *p, const struct publish_region *to, unsigned failed, char *ret)
{
	_cleanup_free_ char *text =
		xasprintf("%s\n%s\n%s\n%u", p->image, to->region, to->kms_key ? to->kms_key : "", failed);
	struct sha256 digest;

	sha256_of(text, strlen(text), &digest);
	hex_encode(digest.b, SHA256_SIZE, ret);
}

/* A copy that was made before, by its tag; NULL when there is none. @ret_failed counts those that failed. */
static int find_copy(struct aws *a, const struct publish *p, const char *region, char *ret,
		     unsigned *ret_failed, struct error *err)
{
	const struct ec2_filter filter = {"tag:" PUBLISH_SOURCE_TAG, p->image};
	_cleanup_images_ struct ec2_images found = {0};
	int r = ec2_describe_images(
		a, &(struct ec2_search){.region = region, .filters = &filter, .filter_count = 1}, &found,
		err);

	if (r < 0)
		return r;
	*ret = 0;
	*ret_failed = 0;
	for (size_t i = 0; i < found.len; i++) {
		if (is_lost(&found.list[i]))
			++*ret_failed;
		else
			snprintf(ret, EC2_ID_SIZE, "%s", found.list[i].id);
	}
	return 0;
}

/* @lost: how many more went by than are seen as failed. */
static int start_copy(struct aws *a, const struct publish *p, const struct publish_region *to, unsigned lost,
		      char *ret, struct error *err)
{
	struct aws_tag tags[TAGS_MAX];
	char token[SHA256_HEX_SIZE];
	unsigned failed;
	size_t n = 0;
	int r = find_copy(a, p, to->region, ret, &failed, err);

	if (r < 0 || *ret)
		return r;
	if (p->tag_count >= TAGS_MAX)
		return error_usage(err, "%zu tags; AWS takes %d", p->tag_count + 1, TAGS_MAX);
	for (; n < p->tag_count; n++)
		tags[n] = p->tags[n];
	tags[n++] = (struct aws_tag){PUBLISH_SOURCE_TAG, p->image};
	copy_token(p, to, failed + lost, token);
	r = ec2_copy_image(a,
			   &(struct ec2_copy){.from_region = aws_region(a),
					      .image = p->image,
					      .to_region = to->region,
					      .name = p->name,
					      .description = p->description,
					      .token = token,
					      .kms_key = to->kms_key,
					      .tags = tags,
					      .tag_count = n},
			   ret, err);
	if (r == 0)
		event(p, "copy", to->region, ret);
	return r;
}

/* For a while a token gives back the copy that was made by it, also when somebody has deregistered that: then another one is made. */
static int wait_copy(struct aws *a, const struct publish *p, const struct publish_region *to, char *id,
		     struct ec2_images *ret, struct error *err)
{
	struct error gone = ERROR_INIT;
	int r = wait_image(a, to->region, id, p, ret, &gone);

	for (unsigned lost = 1; r == -ENOENT && lost <= LOST_MAX; lost++) {
		event(p, "copy is gone", to->region, id);
		gone = ERROR_INIT;
		r = start_copy(a, p, to, lost, id, &gone);
		if (r == 0)
			r = wait_image(a, to->region, id, p, ret, &gone);
	}
	if (r == 0 && to->kms_key && !ret->list[0].encrypted) {
		ec2_images_free(ret);
		return error_refuse(
			err,
			"image %s in %s: was copied before, without encryption; deregister it to have another copy",
			id, to->region);
	}
	if (r < 0)
		*err = gone;
	return r;
}

/* All are started before the first is waited for: AWS makes them at the same time. */
int publish_copies(struct aws *a, const struct publish *p, struct publish_places *ret, struct error *err)
{
	_cleanup_places_ struct publish_places places = {0};
	_cleanup_images_ struct ec2_images own = {0};
	char(*ids)[EC2_ID_SIZE] = xcalloc(p->region_count, sizeof(*ids));
	_cleanup_free_ void *guard = ids;
	int r = wait_image(a, NULL, p->image, p, &own, err);

	if (r < 0)
		return r;
	add_place(&places, aws_region(a), &own);
	for (size_t i = 0; i < p->region_count; i++) {
		if (strcmp(p->regions[i].region, aws_region(a)) == 0)
			continue;
		r = start_copy(a, p, &p->regions[i], 0, ids[i], err);
		if (r < 0)
			return error_prefix(err, "copy to %s", p->regions[i].region);
	}
	for (size_t i = 0; i < p->region_count; i++) {
		_cleanup_images_ struct ec2_images copy = {0};

		if (!ids[i][0])
			continue;
		r = wait_copy(a, p, &p->regions[i], ids[i], &copy, err);
		if (r < 0)
			return r;
		add_place(&places, p->regions[i].region, &copy);
	}
	(void)guard;
	*ret = places;
	places = (struct publish_places){0};
	return 0;
}

/* ---- the rest ---- */

static bool shares_anything(const struct ec2_share *s)
{
	return (s->accounts && s->accounts->len) || (s->organizations && s->organizations->len) ||
	       (s->units && s->units->len) || s->everyone;
}

/* The snapshot too: whoever may launch an image may want to copy it. Organisations cannot be given a snapshot. */
int publish_share(struct aws *a, const struct publish *p, const struct publish_places *places,
		  struct error *err)
{
	for (size_t i = 0; shares_anything(&p->share) && i < places->len; i++) {
		const struct publish_place *at = &places->list[i];
		int r = ec2_share_image(a, at->region, at->image.id, &p->share, err);

		for (size_t n = 0; r == 0 && n < at->image.snapshots.len; n++)
			r = ec2_share_snapshot(a, at->region, at->image.snapshots.ptr[n], &p->share, err);
		if (r < 0)
			return error_prefix(err, "sharing in %s", at->region);
		event(p, "share", at->region, at->image.id);
	}
	return 0;
}

int publish_deprecate(struct aws *a, const struct publish *p, const struct publish_places *places,
		      struct error *err)
{
	for (size_t i = 0; p->deprecate && i < places->len; i++) {
		const struct publish_place *at = &places->list[i];
		int r = p->overdue && at->image.deprecation[0]
				? 0
				: ec2_deprecate(a, at->region, at->image.id, p->deprecate, err);

		if (r < 0)
			return error_prefix(err, "deprecation in %s", at->region);
		event(p, "deprecate", at->region, at->image.id);
	}
	return 0;
}

int publish_protect(struct aws *a, const struct publish *p, const struct publish_places *places,
		    struct error *err)
{
	for (size_t i = 0; p->protect && i < places->len; i++) {
		const struct publish_place *at = &places->list[i];
		int r = at->image.protected ? 0 : ec2_protect(a, at->region, at->image.id, p->cooldown, err);

		if (r < 0)
			return error_prefix(err, "protection in %s", at->region);
		event(p, "protect", at->region, at->image.id);
	}
	return 0;
}

static int put_parameter(struct aws *a, const struct publish_place *at, const char *name, struct error *err)
{
	_cleanup_free_ char *now = NULL;
	int r = ssm_get(a, at->region, name, &now, err);

	if (r == 0 && strcmp(now, at->image.id) == 0)
		return 0;
	if (r < 0 && r != -ENOENT)
		return r;
	return ssm_put_image(a, at->region, name, at->image.id, err);
}

int publish_parameters(struct aws *a, const struct publish *p, const struct publish_places *places,
		       struct error *err)
{
	for (size_t n = 0; p->parameters && n < p->parameters->len; n++) {
		for (size_t i = 0; i < places->len; i++) {
			int r = put_parameter(a, &places->list[i], p->parameters->ptr[n], err);

			if (r < 0)
				return error_prefix(err, "parameter in %s", places->list[i].region);
			event(p, "parameter", places->list[i].region, p->parameters->ptr[n]);
		}
	}
	return 0;
}

int publish_all(struct aws *a, const struct publish *p, struct publish_places *ret, struct error *err)
{
	_cleanup_places_ struct publish_places places = {0};
	int r = publish_copies(a, p, &places, err);

	if (r == 0)
		r = publish_share(a, p, &places, err);
	if (r == 0)
		r = publish_deprecate(a, p, &places, err);
	if (r == 0)
		r = publish_protect(a, p, &places, err);
	/* Last: whoever follows a parameter finds an image that is whole. */
	if (r == 0)
		r = publish_parameters(a, p, &places, err);
	if (r < 0)
		return r;
	*ret = places;
	places = (struct publish_places){0};
	return 0;
}

int publish_parameter_name(const char *pattern, const char *name, const char *arch, const char *version,
			   char **ret, struct error *err)
{
	const char *const table[][2] = {{"{name}", name}, {"{arch}", arch}, {"{version}", version}};
	_cleanup_buf_ struct buf b = {0};
	unsigned levels = 0;

	for (const char *p = pattern; *p;) {
		size_t plain = strcspn(p, "{"), i = 0;

		buf_add(&b, p, plain);
		p += plain;
		if (!*p)
			break;
		while (i < 3 && strncmp(p, table[i][0], strlen(table[i][0])) != 0)
			i++;
		if (i == 3)
			return error_usage(
				err, "parameter '%s': only {name}, {arch} and {version} may stand in braces",
				pattern);
		buf_add(&b, table[i][1], strlen(table[i][1]));
		p += strlen(table[i][0]);
	}
	if (b.len < 2 || b.len > SSM_NAME_MAX || b.ptr[0] != '/' || b.ptr[b.len - 1] == '/' ||
	    strstr(b.ptr, "//") ||
	    b.ptr[strspn(b.ptr, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/")])
		return error_usage(err, "parameter '%s': SSM takes /PART/PART, of letters, digits and ._-",
				   pattern);
	if (strncasecmp(b.ptr, "/aws", 4) == 0 || strncasecmp(b.ptr, "/ssm", 4) == 0)
		return error_usage(err, "parameter '%s': names that begin with /aws or /ssm are SSM's own",
				   pattern);
	for (const char *p = b.ptr; *p; p++)
		levels += *p == '/';
	if (levels > SSM_LEVELS_MAX)
		return error_usage(err, "parameter '%s': SSM takes at most %u levels", pattern,
				   SSM_LEVELS_MAX);
	*ret = buf_steal(&b);
	return 0;
}
