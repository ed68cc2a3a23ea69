/* SPDX-License-Identifier: Apache-2.0 */
/* What changes something: images are registered, copied, shared, protected; snapshots are deleted. */
#include "cloud/aws_ec2.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cloud/aws_ec2_internal.h"
#include "lib/cleanup.h"

static int query(struct aws *a, const char *action, const char *region, const char *resource,
		 const struct buf *form, struct xml **ret, struct aws_failure *failure, struct error *err)
{
	const struct aws_query q = {
		.service = "ec2", .action = action, .resource = resource, .region = region};

	return aws_query(a, &q, form, ret, failure, err);
}

/* One that says "return: true". */
static int command(struct aws *a, const char *action, const char *region, const char *resource,
		   const struct buf *form, struct aws_failure *failure, struct error *err)
{
	_cleanup_xml_ struct xml *x = NULL;
	const char *value;
	int r = query(a, action, region, resource, form, &x, failure, err);

	if (r < 0)
		return r;
	value = xml_text(xml_root(x), "return");
	if (value && strcmp(value, "true") != 0)
		return error_set(err, -EIO, "ec2:%s %s: the answer says '%s'", action, resource, value);
	return 0;
}

static void add_tags(struct buf *form, unsigned n, const char *type, const struct aws_tag *tags, size_t count)
{
	if (count == 0)
		return;
	form_add(form, type, "TagSpecification.%u.ResourceType", n);
	for (size_t i = 0; i < count; i++) {
		form_add(form, tags[i].key, "TagSpecification.%u.Tag.%zu.Key", n, i + 1);
		form_add(form, tags[i].value, "TagSpecification.%u.Tag.%zu.Value", n, i + 1);
	}
}

/* The new image's id. */
static int take_image_id(const struct xml *x, const char *action, char *ret, struct error *err)
{
	const char *id = xml_text(xml_root(x), "imageId");

	if (!id || !*id || strlen(id) >= EC2_ID_SIZE)
		return error_set(err, -EBADMSG, "ec2:%s: the answer has no image's id", action);
	strcpy(ret, id);
	return 0;
}

/* ---- RegisterImage ---- */

static void add_device(const struct ec2_register *r, struct buf *form)
{
	static const char device[] = "BlockDeviceMapping.1";

	form_add(form, r->root_device, "%s.DeviceName", device);
	form_add(form, r->snapshot, "%s.Ebs.SnapshotId", device);
	if (r->volume_gib)
		form_add_number(form, r->volume_gib, "BlockDeviceMapping.1.Ebs.VolumeSize");
	form_add(form, r->volume_type, "%s.Ebs.VolumeType", device);
	if (r->iops)
		form_add_number(form, r->iops, "BlockDeviceMapping.1.Ebs.Iops");
	if (r->throughput)
		form_add_number(form, r->throughput, "BlockDeviceMapping.1.Ebs.Throughput");
	form_add(form, "true", "%s.Ebs.DeleteOnTermination", device);
}

/* Architecture and VirtualizationType must be said: the defaults are i386 and paravirtual. */
void ec2_register_form(const struct ec2_register *r, struct buf *form)
{
	form_add(form, r->name, "Name");
	form_add(form, r->description, "Description");
	form_add(form, r->architecture, "Architecture");
	form_add(form, "hvm", "VirtualizationType");
	form_add(form, r->root_device, "RootDeviceName");
	form_add(form, r->boot_mode, "BootMode");
	form_add(form, r->tpm ? "v2.0" : NULL, "TpmSupport");
	form_add(form, r->uefi_data, "UefiData");
	form_add(form, r->imds_v2 ? "v2.0" : NULL, "ImdsSupport");
	form_add(form, "true", "EnaSupport");
	form_add(form, "simple", "SriovNetSupport");
	add_device(r, form);
	add_tags(form, 1, "image", r->tags, r->tag_count);
}

int ec2_register(struct aws *a, const char *region, const struct ec2_register *r, char *ret,
		 struct error *err)
{
	_cleanup_buf_ struct buf form = {0};
	_cleanup_xml_ struct xml *x = NULL;
	int code;

	ec2_register_form(r, &form);
	code = query(a, "RegisterImage", region, r->name, &form, &x, NULL, err);
	return code < 0 ? code : take_image_id(x, "RegisterImage", ret, err);
}

int ec2_register_dry_run(struct aws *a, const char *region, const struct ec2_register *r, struct error *err)
{
	_cleanup_buf_ struct buf form = {0};
	_cleanup_xml_ struct xml *x = NULL;
	struct aws_failure failure = {0};
	int code;

	ec2_register_form(r, &form);
	form_add(&form, "true", "DryRun");
	code = query(a, "RegisterImage", region, r->name, &form, &x, &failure, err);
	if (code < 0 && strcmp(failure.code, "DryRunOperation") == 0)
		return 0;
	if (code == 0)
		return error_set(err, -EIO, "ec2:RegisterImage %s: a dry run was carried out", r->name);
	return code;
}

/* ---- CopyImage ---- */

int ec2_copy_image(struct aws *a, const struct ec2_copy *c, char *ret, struct error *err)
{
	_cleanup_buf_ struct buf form = {0};
	_cleanup_xml_ struct xml *x = NULL;
	int r;

	form_add(&form, c->name, "Name");
	form_add(&form, c->description, "Description");
	form_add(&form, c->image, "SourceImageId");
	form_add(&form, c->from_region, "SourceRegion");
	form_add(&form, c->token, "ClientToken");
	form_add(&form, c->kms_key ? "true" : NULL, "Encrypted");
	form_add(&form, c->kms_key, "KmsKeyId");
	add_tags(&form, 1, "image", c->tags, c->tag_count);
	add_tags(&form, 2, "snapshot", c->tags, c->tag_count);
	r = query(a, "CopyImage", c->to_region, c->image, &form, &x, NULL, err);
	return r < 0 ? r : take_image_id(x, "CopyImage", ret, err);
}

/* ---- sharing ---- */

static void add_shares(struct buf *form, const struct strlist *list, const char *prefix, const char *name,
		       unsigned *n)
{
	for (size_t i = 0; list && i < list->len; i++)
		form_add(form, list->ptr[i], "%s.Add.%u.%s", prefix, ++*n, name);
}

int ec2_share_image(struct aws *a, const char *region, const char *image, const struct ec2_share *share,
		    struct error *err)
{
	static const char prefix[] = "LaunchPermission";
	_cleanup_buf_ struct buf form = {0};
	unsigned n = 0;

	form_add(&form, image, "ImageId");
	add_shares(&form, share->accounts, prefix, "UserId", &n);
	add_shares(&form, share->organizations, prefix, "OrganizationArn", &n);
	add_shares(&form, share->units, prefix, "OrganizationalUnitArn", &n);
	if (share->everyone)
		form_add(&form, "all", "%s.Add.%u.Group", prefix, ++n);
	return n ? command(a, "ModifyImageAttribute", region, image, &form, NULL, err) : 0;
}

int ec2_share_snapshot(struct aws *a, const char *region, const char *snapshot, const struct ec2_share *share,
		       struct error *err)
{
	static const char prefix[] = "CreateVolumePermission";
	_cleanup_buf_ struct buf form = {0};
	unsigned n = 0;

	form_add(&form, snapshot, "SnapshotId");
	form_add(&form, "createVolumePermission", "Attribute");
	add_shares(&form, share->accounts, prefix, "UserId", &n);
	if (share->everyone)
		form_add(&form, "all", "%s.Add.%u.Group", prefix, ++n);
	return n ? command(a, "ModifySnapshotAttribute", region, snapshot, &form, NULL, err) : 0;
}

static int describe_attribute(struct aws *a, const char *region, const char *image, const char *attribute,
			      struct xml **ret, struct error *err)
{
	_cleanup_buf_ struct buf form = {0};

	form_add(&form, image, "ImageId");
	form_add(&form, attribute, "Attribute");
	return query(a, "DescribeImageAttribute", region, image, &form, ret, NULL, err);
}

int ec2_image_shares(struct aws *a, const char *region, const char *image, struct strlist *ret,
		     struct error *err)
{
	static const char *const kinds[] = {"userId", "group", "organizationArn", "organizationalUnitArn"};
	_cleanup_xml_ struct xml *x = NULL;
	const struct xml_node *list;
	int r = describe_attribute(a, region, image, "launchPermission", &x, err);

	if (r < 0)
		return r;
	list = xml_find(xml_root(x), "launchPermission");
	for (const struct xml_node *i = xml_each(list, NULL); i; i = xml_each(list, i))
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
			if (xml_text(i, kinds[k]))
				strlist_add(ret, xml_text(i, kinds[k]));
	return 0;
}

int ec2_image_uefi_data(struct aws *a, const char *region, const char *image, char **ret, struct error *err)
{
	_cleanup_xml_ struct xml *x = NULL;
	const char *value;
	int r = describe_attribute(a, region, image, "uefiData", &x, err);

	if (r < 0)
		return r;
	value = xml_text(xml_root(x), "uefiData.value");
	*ret = xstrdup(value ? value : "");
	return 0;
}

/* ---- the rest ---- */

int ec2_create_tags(struct aws *a, const char *region, const char *const *ids, size_t id_count,
		    const struct aws_tag *tags, size_t tag_count, uint64_t lag_until_ns, struct error *err)
{
	const struct aws_query q = {.service = "ec2",
				    .action = "CreateTags",
				    .resource = ids[0],
				    .region = region,
				    .lag_until_ns = lag_until_ns};
	_cleanup_buf_ struct buf form = {0};
	_cleanup_xml_ struct xml *x = NULL;

	for (size_t i = 0; i < id_count; i++)
		form_add(&form, ids[i], "ResourceId.%zu", i + 1);
	for (size_t i = 0; i < tag_count; i++) {
		form_add(&form, tags[i].key, "Tag.%zu.Key", i + 1);
		form_add(&form, tags[i].value, "Tag.%zu.Value", i + 1);
	}
	return aws_query(a, &q, &form, &x, NULL, err);
}

/* A command about one thing that may be gone already. */
static int remove_one(struct aws *a, const char *action, const char *region, const char *name, const char *id,
		      struct error *err)
{
	struct error first = ERROR_INIT;
	_cleanup_buf_ struct buf form = {0};
	int r;

	form_add(&form, id, "%s", name);
	r = command(a, action, region, id, &form, NULL, &first);
	if (r == 0 || r == -ENOENT)
		return 0;
	*err = first;
	return r;
}

int ec2_delete_snapshot(struct aws *a, const char *region, const char *snapshot, struct error *err)
{
	return remove_one(a, "DeleteSnapshot", region, "SnapshotId", snapshot, err);
}

int ec2_deregister(struct aws *a, const char *region, const char *image, struct error *err)
{
	struct error first = ERROR_INIT;
	int r = remove_one(a, "DeregisterImage", region, "ImageId", image, &first);

	if (r == 0 || strstr(first.text, "InvalidAMIID.Unavailable"))
		return 0;
	*err = first;
	return r;
}

int ec2_deprecate(struct aws *a, const char *region, const char *image, const char *when, struct error *err)
{
	_cleanup_buf_ struct buf form = {0};

	form_add(&form, image, "ImageId");
	form_add(&form, when, "DeprecateAt");
	return command(a, "EnableImageDeprecation", region, image, &form, NULL, err);
}

/* Here "return" is a word, not a truth value. */
int ec2_protect(struct aws *a, const char *region, const char *image, bool cooldown, struct error *err)
{
	_cleanup_buf_ struct buf form = {0};
	_cleanup_xml_ struct xml *x = NULL;

	form_add(&form, image, "ImageId");
	form_add(&form, cooldown ? "true" : NULL, "WithCooldown");
	return query(a, "EnableImageDeregistrationProtection", region, image, &form, &x, NULL, err);
}

int ec2_encryption_by_default(struct aws *a, const char *region, bool *ret, struct error *err)
{
	_cleanup_xml_ struct xml *x = NULL;
	const char *value;
	int r = query(a, "GetEbsEncryptionByDefault", region, NULL, NULL, &x, NULL, err);

	if (r < 0)
		return r;
	value = xml_text(xml_root(x), "ebsEncryptionByDefault");
	if (!value)
		return error_set(err, -EBADMSG, "ec2:GetEbsEncryptionByDefault: the answer does not say");
	*ret = strcmp(value, "true") == 0;
	return 0;
}

int ec2_regions(struct aws *a, struct strlist *ret, struct error *err)
{
	_cleanup_xml_ struct xml *x = NULL;
	const struct xml_node *list;
	int r = query(a, "DescribeRegions", NULL, NULL, NULL, &x, NULL, err);

	if (r < 0)
		return r;
	list = xml_find(xml_root(x), "regionInfo");
	for (const struct xml_node *i = xml_each(list, NULL); i; i = xml_each(list, i))
		if (xml_text(i, "regionName"))
			strlist_add(ret, xml_text(i, "regionName"));
	return 0;
}
