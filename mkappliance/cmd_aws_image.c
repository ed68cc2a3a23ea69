/* SPDX-License-Identifier: Apache-2.0 */
/* Which AMI is meant: its id, or what 'upload' made of an image; declared in cmd_aws_internal.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cloud/aws_upload.h"
#include "cmd_aws_internal.h"
#include "image/manifest.h"
#include "lib/cleanup.h"
#include "lib/hash.h"

bool aws_group_is_image(const char *text)
{
	return strncmp(text, "ami-", 4) == 0 && text[4] && !text[4 + strspn(text + 4, "0123456789abcdef")];
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), k = strlen(end);

	return n > k && strcmp(text + n - k, end) == 0;
}

static int read_manifest(const char *text, struct manifest **ret, struct error *err)
{
	_cleanup_free_ char *path = ends_with(text, ".json") ? xstrdup(text) : manifest_path_for(text);

	if (access(path, F_OK) < 0)
		return error_usage(err,
				   "'%s' is neither the id of an AMI nor an image with a manifest (no %s)",
				   text, path);
	return manifest_read(path, ret, err);
}

/* The file of the image, for the command that is to be typed. */
static char *image_path(const char *text)
{
	return ends_with(text, ".manifest.json")
		       ? xasprintf("%.*s.raw", (int)(strlen(text) - strlen(".manifest.json")), text)
		       : xstrdup(text);
}

/* Proved ones first, then the newest: the list is sorted by that. */
static const struct ec2_image *choose(const struct ec2_images *found)
{
	const struct ec2_image *best = NULL;

	for (size_t i = 0; i < found->len; i++) {
		const char *state = aws_tags_get(&found->list[i].tags, TAG_STATE);

		if (state && strcmp(state, STATE_READY) == 0 &&
		    strcmp(found->list[i].state, "available") == 0)
			return &found->list[i];
		if (!best)
			best = &found->list[i];
	}
	return best;
}

static int not_there(struct aws *a, const struct manifest *m, const char *text, struct error *err)
{
	const struct ec2_filter named[] = {{"tag:" TAG_NAME, m->name}, {"tag:" TAG_VERSION, m->version}};
	_cleanup_images_ struct ec2_images others = {0};
	_cleanup_free_ char *path = image_path(text);
	char other[EC2_ID_SIZE + 64] = "";
	int r = ec2_describe_images(a, &(const struct ec2_search){.filters = named, .filter_count = 2},
				    &others, err);

	if (r < 0)
		return r;
	if (others.len)
		snprintf(other, sizeof(other), "; %s of that version holds other bytes", others.list[0].id);
	return error_set(err, -ENOENT,
			 "%s %s is no image in %s%s: mkappliance upload %s --to aws --region %s", m->name,
			 m->version, aws_region(a), other, path, aws_region(a));
}

/* By the digest over all blocks, which commits to every byte, so to the root hash too. */
int aws_group_image(struct aws *a, const char *text, char ret[EC2_ID_SIZE], struct error *err)
{
	_cleanup_manifest_ struct manifest *m = NULL;
	_cleanup_images_ struct ec2_images found = {0};
	char digest[SHA256_HEX_SIZE];
	const struct ec2_filter filters[] = {{"tag:" TAG_BLOCKS, digest}};
	const struct ec2_image *image;
	int r;

	if (aws_group_is_image(text)) {
		if (strlen(text) >= EC2_ID_SIZE)
			return error_usage(err, "'%s' is too long for the id of an AMI", text);
		snprintf(ret, EC2_ID_SIZE, "%s", text);
		return 0;
	}
	r = read_manifest(text, &m, err);
	if (r < 0)
		return r;
	hex_encode(m->blocks_digest.b, SHA256_SIZE, digest);
	r = ec2_describe_images(a, &(const struct ec2_search){.filters = filters, .filter_count = 1}, &found,
				err);
	if (r < 0)
		return r;
	image = choose(&found);
	if (!image)
		return not_there(a, m, text, err);
	snprintf(ret, EC2_ID_SIZE, "%s", image->id);
	return 0;
}
