/* SPDX-License-Identifier: Apache-2.0 */
/* Forms as botocore 1.43 writes them, answers as EC2 gives them, and small readers. */
#include "unit.h"

#include "cloud/aws_ec2_internal.h"
#include "cloud/aws_publish.h"
#include "cloud/aws_sts.h"
#include "cloud/http.h"

/* botocore.serialize.create_serializer("ec2"), RegisterImage with the same parameters. */
static void register_form(void **state)
{
	static const struct aws_tag tags[] = {{"a", "b"}, {"c", "d e"}};
	const struct ec2_register r = {.name = "na me",
				       .description = "d",
				       .architecture = "x86_64",
				       .boot_mode = "uefi",
				       .tpm = true,
				       .imds_v2 = true,
				       .uefi_data = "AA==",
				       .root_device = "/dev/xvda",
				       .snapshot = "snap-1",
				       .volume_gib = 8,
				       .volume_type = "gp3",
				       .iops = 3000,
				       .throughput = 125,
				       .tags = tags,
				       .tag_count = 2};
	_cleanup_buf_ struct buf form = {0};

	(void)state;
	ec2_register_form(&r, &form);
	assert_string_equal(
		form.ptr,
		"&Name=na%20me&Description=d&Architecture=x86_64&VirtualizationType=hvm"
		"&RootDeviceName=%2Fdev%2Fxvda&BootMode=uefi&TpmSupport=v2.0&UefiData=AA%3D%3D&ImdsSupport=v2.0"
		"&EnaSupport=true&SriovNetSupport=simple&BlockDeviceMapping.1.DeviceName=%2Fdev%2Fxvda"
		"&BlockDeviceMapping.1.Ebs.SnapshotId=snap-1&BlockDeviceMapping.1.Ebs.VolumeSize=8"
		"&BlockDeviceMapping.1.Ebs.VolumeType=gp3&BlockDeviceMapping.1.Ebs.Iops=3000"
		"&BlockDeviceMapping.1.Ebs.Throughput=125&BlockDeviceMapping.1.Ebs.DeleteOnTermination=true"
		"&TagSpecification.1.ResourceType=image&TagSpecification.1.Tag.1.Key=a"
		"&TagSpecification.1.Tag.1.Value=b&TagSpecification.1.Tag.2.Key=c"
		"&TagSpecification.1.Tag.2.Value=d%20e");
}

/* What is not asked for is not said. */
static void register_least(void **state)
{
	const struct ec2_register r = {
		.name = "n", .architecture = "arm64", .root_device = "/dev/xvda", .snapshot = "snap-1"};
	_cleanup_buf_ struct buf form = {0};

	(void)state;
	ec2_register_form(&r, &form);
	assert_contains(form.ptr, "Architecture=arm64");
	assert_null(strstr(form.ptr, "TpmSupport"));
	assert_null(strstr(form.ptr, "UefiData"));
	assert_null(strstr(form.ptr, "Iops"));
	assert_null(strstr(form.ptr, "TagSpecification"));
}

static void images_answer(void **state)
{
	static const char text[] =
		"<DescribeImagesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><imagesSet><item>"
		"<imageId>ami-1</imageId><imageState>available</imageState><name>a&lt;b</name>"
		"<creationDate>2026-01-02T03:04:05.000Z</creationDate><architecture>x86_64</architecture>"
		"<enaSupport>true</enaSupport><rootDeviceName>/dev/xvda</rootDeviceName>"
		"<deregistrationProtection>enabled-with-cooldown</deregistrationProtection>"
		"<blockDeviceMapping><item><deviceName>/dev/sdb</deviceName><ebs><snapshotId>snap-2</snapshotId></ebs>"
		"</item><item><deviceName>/dev/xvda</deviceName><ebs><snapshotId>snap-1</snapshotId>"
		"<volumeSize>2</volumeSize><encrypted>true</encrypted></ebs></item></blockDeviceMapping>"
		"<tagSet><item><key>k</key><value>v</value></item><item><key>e</key><value/></item></tagSet>"
		"</item></imagesSet></DescribeImagesResponse>";
	_cleanup_images_ struct ec2_images found = {0};
	_cleanup_xml_ struct xml *x = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(xml_parse(text, sizeof(text) - 1, "test", &x, &err), 0);
	ec2_images_read(xml_root(x), &found);
	assert_int_equal(found.len, 1);
	assert_string_equal(found.list[0].name, "a<b");
	assert_string_equal(found.list[0].snapshot, "snap-1");
	assert_int_equal(found.list[0].volume_gib, 2);
	assert_int_equal(found.list[0].snapshots.len, 2);
	assert_true(found.list[0].encrypted && found.list[0].ena && found.list[0].protected);
	assert_string_equal(aws_tags_get(&found.list[0].tags, "k"), "v");
	assert_string_equal(aws_tags_get(&found.list[0].tags, "e"), "");
	assert_null(aws_tags_get(&found.list[0].tags, "none"));
}

static void bad_xml(void **state)
{
	static const char *const texts[] = {
		"",
		"<a>",
		"<a></b>",
		"<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
		"<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>",
		"text",
		"{\"json\": 1}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct error err = ERROR_INIT;
		struct xml *x = NULL;

		if (xml_parse(texts[i], strlen(texts[i]), "test", &x, &err) == 0)
			fail_msg("'%s' was taken", texts[i]);
		assert_contains(err.text, "test: ");
	}
}

static void parameter_names(void **state)
{
	static const char *const bad[] = {"",	    "/",    "name", "/a//b",  "/a/", "/{region}/x",
					  "/a b/c", "/a/{", "/ä",   "/{name", "/a}"};
	_cleanup_free_ char *name = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(
		publish_parameter_name("/x/{name}/{arch}/{version}-l", "hello", "arm64", "1.2", &name, &err),
		0);
	assert_string_equal(name, "/x/hello/arm64/1.2-l");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *none = NULL;

		err = ERROR_INIT;
		if (publish_parameter_name(bad[i], "n", "a", "v", &none, &err) == 0)
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(err.exit, EXIT_USAGE);
	}
}

static void times(void **state)
{
	static const char *const good[] = {"2015-08-30T12:36:00Z", "2015-08-30T12:36:00.123Z",
					   "2015-08-30T12:36:00+00:00", "2015-08-30T12:36:00UTC"};
	static const char *const bad[] = {"", "2015-08-30", "2015-08-30T12:36:00+02:00",
					  "2015-08-30T12:36:00Zx", "soon"};
	time_t t;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(aws_time_parse(good[i], &t));
		assert_int_equal(t, 1440938160);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (aws_time_parse(bad[i], &t))
			fail_msg("'%s' was taken", bad[i]);
}

static void reply_headers(void **state)
{
	_cleanup_reply_ struct http_reply r = {0};
	time_t t;

	(void)state;
	assert_null(http_header(&r, "Date"));
	assert_int_equal(http_retry_after(&r), 0);
	strlist_add(&r.headers, "retry-AFTER:  9999 ");
	strlist_add(&r.headers, "Date: Sun, 30 Aug 2015 12:36:00 GMT");
	assert_int_equal(http_retry_after(&r), 0); /* a blank behind it is not a number */
	free(r.headers.ptr[0]);
	r.headers.ptr[0] = xstrdup("retry-AFTER:  9999");
	assert_int_equal(http_retry_after(&r), 3600);
	assert_true(http_date(&r, &t));
	assert_int_equal(t, 1440938160);
	free(r.headers.ptr[1]);
	r.headers.ptr[1] = xstrdup("Date: yesterday");
	assert_false(http_date(&r, &t));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(register_form),   cmocka_unit_test(register_least),
		cmocka_unit_test(images_answer),   cmocka_unit_test(bad_xml),
		cmocka_unit_test(parameter_names), cmocka_unit_test(times),
		cmocka_unit_test(reply_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
