/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One of each control-plane call in the order of an upload, against a server that knows the image already:
 *
 *   control_calls [--endpoint-url U] NAME SNAPSHOT [deprecate]
 *
 * Registers NAME of SNAPSHOT, tags, shares, copies to eu-west-1, sets a parameter, reads everything back, and cleans up. Prints one
 * JSON document of what was read back. deprecate: also what moto has not (deprecation, deregistration protection, DryRun of a name).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/aws_ec2.h"
#include "cloud/aws_ssm.h"
#include "cloud/aws_sts.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/json.h"
#include "lib/log.h"

#define FAR	    "eu-west-1"
#define LAG	    (clock_ns() + UINT64_C(10000000000))
#define AN_ACCOUNT  "444455556666"
#define DEPRECATION "2030-01-01T00:00:00.000Z"

static const struct aws_tag tags[] = {{"mkappliance", "1"}, {"mkappliance:name", "a/b+c=d&e%f~g"}};

static int ask_account(struct aws *a, struct json *j, struct error *err)
{
	_cleanup_strlist_ struct strlist regions = {0};
	struct sts_identity id;
	bool encrypted;
	int r = sts_caller_identity(a, &id, err);

	if (r == 0)
		r = ec2_encryption_by_default(a, NULL, &encrypted, err);
	if (r == 0)
		r = ec2_regions(a, &regions, err);
	if (r < 0)
		return r;
	js_set_string(j, "account", id.account);
	js_set_bool(j, "encrypted_by_default", encrypted);
	js_set_bool(j, "regions", regions.len > 1);
	return 0;
}

static int make_image(struct aws *a, const char *name, const char *snapshot, char *ret, struct error *err)
{
	const struct ec2_register reg = {.name = name,
					 .description = "of-the-tests",
					 .architecture = "x86_64",
					 .boot_mode = "uefi",
					 .tpm = true,
					 .imds_v2 = true,
					 .root_device = "/dev/xvda",
					 .snapshot = snapshot,
					 .volume_gib = 2,
					 .volume_type = "gp3",
					 .iops = 3000,
					 .throughput = 125,
					 .tags = tags,
					 .tag_count = 2};
	int r = ec2_register_dry_run(a, NULL, &reg, err);

	return r < 0 ? r : ec2_register(a, NULL, &reg, ret, err);
}

/* Tags image and snapshot, shares the image, and reads that back. */
static int use_image(struct aws *a, const char *image, const char *snapshot, struct json *j,
		     struct error *err)
{
	_cleanup_strlist_ struct strlist accounts = {0}, shares = {0};
	_cleanup_snapshots_ struct ec2_snapshots snapshots = {0};
	_cleanup_images_ struct ec2_images images = {0};
	const char *const ids[] = {image, snapshot};
	const struct ec2_filter filter = {"tag:mkappliance:name", tags[1].value};
	int r = ec2_create_tags(a, NULL, ids, 2, tags, 2, LAG, err);

	strlist_add(&accounts, AN_ACCOUNT);
	if (r == 0)
		r = ec2_share_image(a, NULL, image, &(struct ec2_share){.accounts = &accounts}, err);
	if (r == 0)
		r = ec2_share_snapshot(a, NULL, snapshot, &(struct ec2_share){.accounts = &accounts}, err);
	if (r == 0)
		r = ec2_image_shares(a, NULL, image, &shares, err);
	if (r == 0)
		r = ec2_describe_images(a, &(struct ec2_search){.filters = &filter, .filter_count = 1},
					&images, err);
	if (r == 0)
		r = ec2_describe_snapshots(a, &(struct ec2_search){.filters = &filter, .filter_count = 1},
					   &snapshots, err);
	if (r < 0)
		return r;
	js_set_string(j, "shared_with", shares.len == 1 ? shares.ptr[0] : "");
	for (size_t i = 0; i < images.len; i++) {
		if (strcmp(images.list[i].id, image) != 0)
			continue;
		js_set_string(j, "state", images.list[i].state);
		js_set_string(j, "tag", aws_tags_get(&images.list[i].tags, "mkappliance:name"));
	}
	for (size_t i = 0; i < snapshots.len; i++)
		if (strcmp(snapshots.list[i].id, snapshot) == 0)
			js_set_string(j, "snapshot_state", snapshots.list[i].state);
	return 0;
}

static int copy_and_point(struct aws *a, const char *name, const char *image, char *ret_copy, struct json *j,
			  struct error *err)
{
	_cleanup_free_ char *parameter = xasprintf("/tests/%zu", strlen(name)), *value = NULL;
	_cleanup_images_ struct ec2_images images = {0};
	int r = ec2_copy_image(a,
			       &(struct ec2_copy){.from_region = aws_region(a),
						  .image = image,
						  .to_region = FAR,
						  .name = name,
						  .token = name,
						  .tags = tags,
						  .tag_count = 2},
			       ret_copy, err);

	if (r == 0)
		r = ec2_describe_images(
			a, &(struct ec2_search){.region = FAR, .id = ret_copy, .lag_until_ns = LAG}, &images,
			err);
	if (r == 0)
		r = ssm_put_image(a, NULL, parameter, image, err);
	if (r == 0)
		r = ssm_get(a, NULL, parameter, &value, err);
	if (r < 0)
		return r;
	js_set_string(j, "copy_name", images.list[0].name);
	js_set_bool(j, "parameter", strcmp(value, image) == 0);
	return 0;
}

static int run(struct aws *a, char **arg, struct json *j, struct error *err)
{
	char image[EC2_ID_SIZE] = "", copy[EC2_ID_SIZE] = "";
	int r = ask_account(a, j, err);

	if (r == 0)
		r = make_image(a, arg[0], arg[1], image, err);
	if (r == 0)
		r = use_image(a, image, arg[1], j, err);
	if (r == 0)
		r = copy_and_point(a, arg[0], image, copy, j, err);
	if (r == 0 && arg[2])
		r = ec2_deprecate(a, NULL, image, DEPRECATION, err);
	if (r == 0 && arg[2])
		r = ec2_protect(a, NULL, image, false, err);
	if (r == 0 && !arg[2])
		r = ec2_deregister(a, NULL, image, err);
	if (r == 0)
		r = ec2_deregister(a, FAR, copy, err);
	if (r == 0 && !arg[2])
		r = ec2_delete_snapshot(a, NULL, arg[1], err);
	return r;
}

int main(int argc, char **argv)
{
	struct aws_options o = {0};
	struct error err = ERROR_INIT;
	_cleanup_aws_ struct aws *a = NULL;
	_cleanup_json_ struct json *j = js_object_new();
	_cleanup_free_ char *text = NULL;
	int i = 1;

	interrupt_setup();
	log_setup(LOG_NORMAL);
	if (argc > 2 && strcmp(argv[1], "--endpoint-url") == 0) {
		o.config.endpoint_url = argv[2];
		i = 3;
	}
	if (argc - i < 2 || aws_open(&o, &a, &err) < 0 || run(a, argv + i, j, &err) < 0) {
		log_error(argc - i < 2 ? "control_calls NAME SNAPSHOT" : err.text);
		return 1;
	}
	text = js_text(j, false);
	printf("%s\n", text);
	return 0;
}
