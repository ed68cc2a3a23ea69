/* SPDX-License-Identifier: Apache-2.0 */
/* DescribeSnapshots and DescribeImages: what there is. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/aws_ec2_internal.h"
#include "lib/cleanup.h"

#define ITEMS_MAX 100000

const char *aws_tags_get(const struct aws_tags *tags, const char *key)
{
	for (size_t i = 0; i < tags->keys.len; i++)
		if (strcmp(tags->keys.ptr[i], key) == 0)
			return tags->values.ptr[i];
	return NULL;
}

static void tags_free(struct aws_tags *t)
{
	strlist_free(&t->keys);
	strlist_free(&t->values);
}

static void snapshot_free(struct ec2_snapshot *s)
{
	free(s->message);
	free(s->kms_key);
	free(s->description);
	tags_free(&s->tags);
}

void ec2_snapshots_free(struct ec2_snapshots *s)
{
	for (size_t i = 0; i < s->len; i++)
		snapshot_free(&s->list[i]);
	free(s->list);
	*s = (struct ec2_snapshots){0};
}

static void image_free(struct ec2_image *i)
{
	free(i->name);
	free(i->reason);
	strlist_free(&i->snapshots);
	tags_free(&i->tags);
}

void ec2_images_free(struct ec2_images *l)
{
	for (size_t i = 0; i < l->len; i++)
		image_free(&l->list[i]);
	free(l->list);
	*l = (struct ec2_images){0};
}

/* ---- reading ---- */

/* Cuts what is longer than it should be: it cannot be an id that we know then. */
static void copy_text(const struct xml_node *n, const char *path, char *to, size_t size)
{
	const char *value = xml_text(n, path);

	snprintf(to, size, "%s", value ? value : "");
	error_one_line(to);
}

#define COPY(n, path, field) copy_text((n), (path), (field), sizeof(field))

static char *dup_text(const struct xml_node *n, const char *path)
{
	const char *value = xml_text(n, path);
	char *copy = value && *value ? xstrdup(value) : NULL;

	if (copy)
		error_one_line(copy);
	return copy;
}

static bool is_true(const struct xml_node *n, const char *path)
{
	const char *value = xml_text(n, path);

	return value && strcmp(value, "true") == 0;
}

static uint32_t number(const struct xml_node *n, const char *path)
{
	const char *value = xml_text(n, path);

	return value ? (uint32_t)strtoul(value, NULL, 10) : 0;
}

static void read_tags(const struct xml_node *n, struct aws_tags *ret)
{
	const struct xml_node *list = xml_find(n, "tagSet");

	for (const struct xml_node *i = xml_each(list, NULL); i; i = xml_each(list, i)) {
		const char *key = xml_text(i, "key"), *value = xml_text(i, "value");

		strlist_add(&ret->keys, key ? key : "");
		strlist_add(&ret->values, value ? value : "");
	}
}

static void read_snapshot(const struct xml_node *n, struct ec2_snapshot *s)
{
	COPY(n, "snapshotId", s->id);
	COPY(n, "status", s->state);
	COPY(n, "progress", s->progress);
	COPY(n, "ownerId", s->owner);
	COPY(n, "startTime", s->started);
	s->message = dup_text(n, "statusMessage");
	s->kms_key = dup_text(n, "kmsKeyId");
	s->description = dup_text(n, "description");
	s->volume_gib = number(n, "volumeSize");
	s->encrypted = is_true(n, "encrypted");
	read_tags(n, &s->tags);
}

/* All devices' snapshots, and more of the root's. */
static void read_devices(const struct xml_node *n, struct ec2_image *i)
{
	const struct xml_node *list = xml_find(n, "blockDeviceMapping");

	for (const struct xml_node *d = xml_each(list, NULL); d; d = xml_each(list, d)) {
		const struct xml_node *ebs = xml_find(d, "ebs");
		const char *name = xml_text(d, "deviceName"), *snapshot = xml_text(ebs, "snapshotId");

		if (snapshot && *snapshot)
			strlist_add(&i->snapshots, snapshot);
		if (!ebs || !name || strcmp(name, i->root_device) != 0)
			continue;
		COPY(ebs, "snapshotId", i->snapshot);
		COPY(ebs, "volumeType", i->volume_type);
		i->volume_gib = number(ebs, "volumeSize");
		i->encrypted = is_true(ebs, "encrypted");
	}
}

static void read_image(const struct xml_node *n, struct ec2_image *i)
{
	const char *protection = xml_text(n, "deregistrationProtection");

	COPY(n, "imageId", i->id);
	COPY(n, "imageState", i->state);
	COPY(n, "imageOwnerId", i->owner);
	COPY(n, "creationDate", i->created);
	COPY(n, "architecture", i->architecture);
	COPY(n, "virtualizationType", i->virtualization);
	COPY(n, "bootMode", i->boot_mode);
	COPY(n, "tpmSupport", i->tpm);
	COPY(n, "imdsSupport", i->imds);
	COPY(n, "rootDeviceName", i->root_device);
	COPY(n, "deprecationTime", i->deprecation);
	i->name = dup_text(n, "name");
	i->reason = dup_text(n, "stateReason.message");
	i->ena = is_true(n, "enaSupport");
	i->is_public = is_true(n, "isPublic");
	i->protected = protection && strncmp(protection, "enabled", 7) == 0;
	read_devices(n, i);
	read_tags(n, &i->tags);
}

/* ISO 8601 in UTC sorts as text; the id decides between those of one moment. */
static int newest_first(const char *time_a, const char *id_a, const char *time_b, const char *id_b)
{
	int r = strcmp(time_b, time_a);

	return r ? r : strcmp(id_a, id_b);
}

static int compare_snapshots(const void *x, const void *y)
{
	const struct ec2_snapshot *a = x, *b = y;

	return newest_first(a->started, a->id, b->started, b->id);
}

static int compare_images(const void *x, const void *y)
{
	const struct ec2_image *a = x, *b = y;

	return newest_first(a->created, a->id, b->created, b->id);
}

void ec2_snapshots_read(const struct xml_node *root, struct ec2_snapshots *ret)
{
	const struct xml_node *list = xml_find(root, "snapshotSet");

	for (const struct xml_node *n = xml_each(list, NULL); n; n = xml_each(list, n)) {
		array_grow(ret->list, ret->len, ret->cap);
		ret->list[ret->len] = (struct ec2_snapshot){0};
		read_snapshot(n, &ret->list[ret->len++]);
	}
}

void ec2_images_read(const struct xml_node *root, struct ec2_images *ret)
{
	const struct xml_node *list = xml_find(root, "imagesSet");

	for (const struct xml_node *n = xml_each(list, NULL); n; n = xml_each(list, n)) {
		array_grow(ret->list, ret->len, ret->cap);
		ret->list[ret->len] = (struct ec2_image){0};
		read_image(n, &ret->list[ret->len++]);
	}
}

/* ---- asking ---- */

static void search_form(const struct ec2_search *s, const char *id_name, const char *token, struct buf *form)
{
	if (s->id) {
		form_add(form, s->id, "%s.1", id_name);
	} else {
		form_add(form, "self", "Owner.1");
		form_add_number(form, 1000, "MaxResults");
	}
	for (size_t i = 0; i < s->filter_count; i++) {
		form_add(form, s->filters[i].name, "Filter.%zu.Name", i + 1);
		form_add(form, s->filters[i].value, "Filter.%zu.Value.1", i + 1);
	}
	form_add(form, token, "NextToken");
}

/* One page; @ret_token is what the next one begins with, NULL at the end. */
static int page(struct aws *a, const struct aws_query *q, const struct ec2_search *s, bool images,
		char **token, struct xml **ret, struct error *err)
{
	_cleanup_buf_ struct buf form = {0};
	const char *next;
	int r;

	search_form(s, images ? "ImageId" : "SnapshotId", *token, &form);
	if (images) {
		form_add(&form, "true", "IncludeDeprecated");
		form_add(&form, "true", "IncludeDisabled");
	}
	r = aws_query(a, q, &form, ret, NULL, err);
	if (r < 0)
		return r;
	next = xml_text(xml_root(*ret), "nextToken");
	free(*token);
	*token = next && *next ? xstrdup(next) : NULL;
	return 0;
}

static int too_many(const char *action, struct error *err)
{
	return error_set(err, -EFBIG, "ec2:%s: more than %d answers", action, ITEMS_MAX);
}

int ec2_describe_snapshots(struct aws *a, const struct ec2_search *s, struct ec2_snapshots *ret,
			   struct error *err)
{
	const struct aws_query q = {.service = "ec2",
				    .action = "DescribeSnapshots",
				    .resource = s->id,
				    .region = s->region,
				    .lag_until_ns = s->lag_until_ns};
	_cleanup_snapshots_ struct ec2_snapshots found = {0};
	_cleanup_free_ char *token = NULL;

	do {
		_cleanup_xml_ struct xml *x = NULL;
		int r = page(a, &q, s, false, &token, &x, err);

		if (r < 0)
			return r;
		ec2_snapshots_read(xml_root(x), &found);
		if (found.len > ITEMS_MAX)
			return too_many(q.action, err);
	} while (token);
	if (s->id && found.len == 0)
		return error_set(err, -ENOENT, "ec2:DescribeSnapshots %s: not there", s->id);
	if (found.len)
		qsort(found.list, found.len, sizeof(*found.list), compare_snapshots);
	*ret = found;
	found = (struct ec2_snapshots){0};
	return 0;
}

int ec2_describe_images(struct aws *a, const struct ec2_search *s, struct ec2_images *ret, struct error *err)
{
	const struct aws_query q = {.service = "ec2",
				    .action = "DescribeImages",
				    .resource = s->id,
				    .region = s->region,
				    .lag_until_ns = s->lag_until_ns};
	_cleanup_images_ struct ec2_images found = {0};
	_cleanup_free_ char *token = NULL;

	do {
		_cleanup_xml_ struct xml *x = NULL;
		int r = page(a, &q, s, true, &token, &x, err);

		if (r < 0)
			return r;
		ec2_images_read(xml_root(x), &found);
		if (found.len > ITEMS_MAX)
			return too_many(q.action, err);
	} while (token);
	if (s->id && found.len == 0)
		return error_set(err, -ENOENT, "ec2:DescribeImages %s: not there", s->id);
	if (found.len)
		qsort(found.list, found.len, sizeof(*found.list), compare_images);
	*ret = found;
	found = (struct ec2_images){0};
	return 0;
}
