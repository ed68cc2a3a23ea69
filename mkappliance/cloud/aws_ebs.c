/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/aws_ebs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cloud/aws_ebs_internal.h"
#include "cloud/sigv4.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/json.h"
#include "lib/percent.h"

#define LIST_ANSWER_MAX ((size_t)16 << 20) /* 10000 blocks with their tokens */
#define LIST_PAGE	"10000"
#define BLOCKS_MAX	(65536u * 2048u) /* 64 TiB */

/* ---- StartSnapshot ---- */

static char *start_body(const struct ebs_start *s)
{
	_cleanup_json_ struct json *j = js_object_new();
	struct json *tags = js_array_new();

	js_set_int(j, "VolumeSize", s->volume_gib);
	if (s->description)
		js_set_string(j, "Description", s->description);
	js_set_string(j, "ClientToken", s->token);
	js_set_int(j, "Timeout", s->timeout_min ? s->timeout_min : 60);
	if (s->parent)
		js_set_string(j, "ParentSnapshotId", s->parent);
	if (s->encrypted)
		js_set_bool(j, "Encrypted", true);
	if (s->kms_key)
		js_set_string(j, "KmsKeyArn", s->kms_key);
	for (size_t i = 0; i < s->tag_count; i++) {
		struct json *tag = js_object_new();

		js_set_string(tag, "Key", s->tags[i].key);
		js_set_string(tag, "Value", s->tags[i].value);
		js_append(tags, tag);
	}
	js_set(j, "Tags", tags);
	return js_text(j, true);
}

static int copy_member(const struct json *j, const char *name, bool needed, char *to, size_t size,
		       struct error *err)
{
	const char *value = js_string(js_member(j, name));

	if (!value && !needed)
		return 0;
	if (!value || strlen(value) >= size)
		return error_set(err, -EBADMSG, "ebs:StartSnapshot: the answer has no usable %s", name);
	strcpy(to, value);
	return 0;
}

/* Identifiers go into paths. */
static bool plain_id(const char *id)
{
	return *id && id[strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")] == 0;
}

int ebs_start_read(const struct http_reply *reply, struct ebs_snapshot *ret, struct error *err)
{
	_cleanup_json_ struct json *j = NULL;
	struct ebs_snapshot s = {0};
	int64_t block;
	int r = js_parse(reply->body.len ? reply->body.ptr : "", reply->body.len, "ebs:StartSnapshot", &j,
			 err);

	if (r < 0)
		return r;
	r = js_need_int(j, "BlockSize", 1, INT32_MAX, &block, err);
	if (r < 0)
		return error_prefix(err, "ebs:StartSnapshot");
	if (block != EBS_BLOCK_SIZE)
		return error_set(err, -EBADMSG, "ebs:StartSnapshot: blocks of %lld bytes; EBS has %u only",
				 (long long)block, EBS_BLOCK_SIZE);
	r = copy_member(j, "SnapshotId", true, s.id, sizeof(s.id), err);
	if (r == 0)
		r = copy_member(j, "Status", true, s.status, sizeof(s.status), err);
	if (r == 0)
		r = copy_member(j, "KmsKeyArn", false, s.kms_key, sizeof(s.kms_key), err);
	if (r == 0)
		r = copy_member(j, "ParentSnapshotId", false, s.parent, sizeof(s.parent), err);
	if (r < 0)
		return r;
	if (!plain_id(s.id))
		return error_set(err, -EBADMSG, "ebs:StartSnapshot: '%s' is no snapshot's id", s.id);
	*ret = s;
	return 0;
}

int ebs_start(struct aws *a, const struct ebs_start *s, struct ebs_snapshot *ret, struct error *err)
{
	static const char *const headers[] = {"Content-Type: application/json", NULL};
	_cleanup_reply_ struct http_reply reply = {0};
	_cleanup_free_ char *body = start_body(s);
	struct aws_call call = {.service = "ebs",
				.action = "StartSnapshot",
				.method = "POST",
				.path = "/snapshots",
				.headers = headers,
				.body = body,
				.body_len = strlen(body)};
	int r = aws_perform(a, &call, &reply, NULL, err);

	return r < 0 ? r : ebs_start_read(&reply, ret, err);
}

/* ---- PutSnapshotBlock ---- */

void ebs_put_init(struct ebs_put *p, const char *snapshot, uint32_t block, const void *data,
		  const struct sha256 *digest, int progress, uint64_t lag_until_ns)
{
	static const char name[] = "x-amz-Checksum: ";
	size_t n = 0;

	*p = (struct ebs_put){.digest = *digest};
	snprintf(p->path, sizeof(p->path), "/snapshots/%s/blocks/%u", snapshot, block);
	memcpy(p->checksum, name, sizeof(name) - 1);
	base64_encode(digest->b, SHA256_SIZE, p->checksum + sizeof(name) - 1);
	p->headers[n++] = "x-amz-Data-Length: 524288";
	p->headers[n++] = p->checksum;
	p->headers[n++] = "x-amz-Checksum-Algorithm: SHA256";
	if (progress >= 0) {
		snprintf(p->progress, sizeof(p->progress), "x-amz-Progress: %d", progress);
		p->headers[n++] = p->progress;
	}
	p->call = (struct aws_call){.service = "ebs",
				    .action = "PutSnapshotBlock",
				    .resource = snapshot,
				    .method = "PUT",
				    .path = p->path,
				    .headers = p->headers,
				    .body = data,
				    .body_len = EBS_BLOCK_SIZE,
				    .body_digest = &p->digest,
				    .unsigned_payload = true,
				    .lag_until_ns = lag_until_ns};
}

/* ---- CompleteSnapshot ---- */

int ebs_complete(struct aws *a, const char *snapshot, uint32_t changed_blocks, const struct sha256 *linear,
		 uint64_t lag_until_ns, struct error *err)
{
	_cleanup_reply_ struct http_reply reply = {0};
	char path[128], count[64], checksum[64] = "x-amz-Checksum: ";
	const char *headers[5] = {count};
	struct aws_call call = {.service = "ebs",
				.action = "CompleteSnapshot",
				.resource = snapshot,
				.method = "POST",
				.path = path,
				.headers = headers,
				.lag_until_ns = lag_until_ns};

	snprintf(path, sizeof(path), "/snapshots/completion/%s", snapshot);
	snprintf(count, sizeof(count), "x-amz-ChangedBlocksCount: %u", changed_blocks);
	if (linear) {
		base64_encode(linear->b, SHA256_SIZE, checksum + strlen(checksum));
		headers[1] = checksum;
		headers[2] = "x-amz-Checksum-Algorithm: SHA256";
		headers[3] = "x-amz-Checksum-Aggregation-Method: LINEAR";
	}
	return aws_perform(a, &call, &reply, NULL, err);
}

/* ---- ListSnapshotBlocks, ListChangedBlocks ---- */

void ebs_blocks_free(struct ebs_blocks *b)
{
	for (size_t i = 0; i < b->len; i++) {
		free(b->list[i].token);
		free(b->list[i].first_token);
	}
	free(b->list);
	*b = (struct ebs_blocks){0};
}

static char *copy_string(const struct json *j, const char *name)
{
	const char *value = js_string(js_member(j, name));

	return value ? xstrdup(value) : NULL;
}

static int add_block(const struct json *j, bool changed, struct ebs_blocks *ret, struct error *err)
{
	struct ebs_block *b;
	int64_t index;
	int r = js_need_int(j, "BlockIndex", 0, BLOCKS_MAX - 1, &index, err);

	if (r < 0)
		return r;
	if (ret->len && ret->list[ret->len - 1].index >= index)
		return error_set(err, -EBADMSG, "block %lld after block %u", (long long)index,
				 ret->list[ret->len - 1].index);
	array_grow(ret->list, ret->len, ret->cap);
	b = &ret->list[ret->len++];
	b->index = (uint32_t)index;
	b->token = copy_string(j, changed ? "SecondBlockToken" : "BlockToken");
	b->first_token = changed ? copy_string(j, "FirstBlockToken") : NULL;
	return 0;
}

int ebs_page_read(const struct http_reply *reply, bool changed, struct ebs_blocks *ret, char **ret_next,
		  struct error *err)
{
	_cleanup_json_ struct json *j = NULL;
	const struct json *blocks;
	int64_t size;
	int r = js_parse(reply->body.len ? reply->body.ptr : "", reply->body.len, "the answer", &j, err);

	if (r < 0)
		return r;
	r = js_need_int(j, "BlockSize", EBS_BLOCK_SIZE, EBS_BLOCK_SIZE, &size, err);
	if (r < 0)
		return r;
	r = js_need_int(j, "VolumeSize", 1, 65536, &size, err);
	if (r < 0)
		return r;
	ret->volume_gib = (uint32_t)size;
	blocks = js_member(j, changed ? "ChangedBlocks" : "Blocks");
	for (size_t i = 0; i < js_array_len(blocks); i++) {
		r = add_block(js_array_get(blocks, i), changed, ret, err);
		if (r < 0)
			return r;
	}
	*ret_next = copy_string(j, "NextToken");
	return 0;
}

static int list_page(struct aws *a, struct aws_call *call, const char *first, const char *token,
		     struct ebs_blocks *ret, char **ret_next, struct error *err)
{
	_cleanup_reply_ struct http_reply reply = {0};
	_cleanup_buf_ struct buf query = {0};
	int r;

	if (first)
		buf_printf(&query, "firstSnapshotId=%s&", first);
	buf_printf(&query, "maxResults=" LIST_PAGE);
	if (token) {
		buf_printf(&query, "&pageToken=");
		percent_encode(&query, token, "");
	}
	call->query = query.ptr;
	r = aws_perform(a, call, &reply, NULL, err);
	if (r < 0)
		return r;
	r = ebs_page_read(&reply, first != NULL, ret, ret_next, err);
	return r < 0 ? error_prefix(err, "ebs:%s %s", call->action, call->resource) : 0;
}

/* An empty page is not the last one: only a page without a token is. */
static int list(struct aws *a, const char *action, const char *first, const char *snapshot, const char *path,
		uint64_t lag_until_ns, struct ebs_blocks *ret, struct error *err)
{
	struct aws_call call = {.service = "ebs",
				.action = action,
				.resource = snapshot,
				.method = "GET",
				.path = path,
				.response_max = LIST_ANSWER_MAX,
				.lag_until_ns = lag_until_ns};
	_cleanup_ebs_blocks_ struct ebs_blocks blocks = {0};
	_cleanup_free_ char *token = NULL;

	do {
		char *next = NULL;
		int r = list_page(a, &call, first, token, &blocks, &next, err);

		if (r < 0)
			return r;
		free(token);
		token = next;
	} while (token);
	*ret = blocks;
	blocks = (struct ebs_blocks){0};
	return 0;
}

int ebs_list(struct aws *a, const char *snapshot, uint64_t lag_until_ns, struct ebs_blocks *ret,
	     struct error *err)
{
	char path[128];

	snprintf(path, sizeof(path), "/snapshots/%s/blocks", snapshot);
	return list(a, "ListSnapshotBlocks", NULL, snapshot, path, lag_until_ns, ret, err);
}

int ebs_list_changed(struct aws *a, const char *first, const char *second, uint64_t lag_until_ns,
		     struct ebs_blocks *ret, struct error *err)
{
	char path[128];

	snprintf(path, sizeof(path), "/snapshots/%s/changedblocks", second);
	return list(a, "ListChangedBlocks", first, second, path, lag_until_ns, ret, err);
}

/* ---- GetSnapshotBlock ---- */

void ebs_get_init(struct ebs_get *g, const char *snapshot, uint32_t block, const char *token)
{
	struct buf query = {0};

	buf_printf(&query, "blockToken=");
	percent_encode(&query, token, "");
	*g = (struct ebs_get){.query = buf_steal(&query)};
	snprintf(g->path, sizeof(g->path), "/snapshots/%s/blocks/%u", snapshot, block);
	g->call = (struct aws_call){.service = "ebs",
				    .action = "GetSnapshotBlock",
				    .resource = snapshot,
				    .method = "GET",
				    .path = g->path,
				    .query = g->query,
				    .response_max = EBS_BLOCK_SIZE};
}

void ebs_get_free(struct ebs_get *g)
{
	free(g->query);
	*g = (struct ebs_get){0};
}

int ebs_get_check(const struct ebs_get *g, const struct http_reply *reply, struct sha256 *ret_digest,
		  struct error *err)
{
	const char *want = http_header(reply, "x-amz-Checksum");
	char have[BASE64_SIZE(SHA256_SIZE)];
	struct sha256 digest;

	if (reply->body.len != EBS_BLOCK_SIZE)
		return error_set(err, -EAGAIN, "ebs:GetSnapshotBlock %s: %zu bytes instead of %u",
				 g->call.resource, reply->body.len, EBS_BLOCK_SIZE);
	sha256_of(reply->body.ptr, reply->body.len, &digest);
	base64_encode(digest.b, SHA256_SIZE, have);
	if (!want || strcmp(want, have) != 0)
		return error_set(err, -EAGAIN,
				 "ebs:GetSnapshotBlock %s: %s: the checksum does not match the bytes",
				 g->call.resource, g->path);
	if (ret_digest)
		*ret_digest = digest;
	return 0;
}

int ebs_get(struct aws *a, const char *snapshot, uint32_t block, const char *token, void *data,
	    struct error *err)
{
	struct retry state = {0};
	uint64_t delay = 0;
	struct ebs_get g;
	int r;

	ebs_get_init(&g, snapshot, block, token);
	do {
		_cleanup_reply_ struct http_reply reply = {0};

		r = delay ? interrupt_sleep(delay, err) : 0;
		if (r == 0)
			r = aws_perform(a, &g.call, &reply, NULL, err);
		if (r == 0)
			r = ebs_get_check(&g, &reply, NULL, err);
		if (r == 0)
			memcpy(data, reply.body.ptr, EBS_BLOCK_SIZE);
	} while (r == -EAGAIN && aws_again(a, &state, RETRY_CHECKSUM, &delay));
	ebs_get_free(&g);
	return r;
}
