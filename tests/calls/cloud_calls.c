/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of the cloud room one by one, for the integration tests:
 *
 *   cloud_calls [--profile P] [--region R] [--endpoint-url U] CALL [ARGUMENT...]
 *
 * Prints one JSON document, or "mkappliance: MESSAGE" and exits with the error's code.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/aws_ebs.h"
#include "cloud/aws_ec2.h"
#include "cloud/aws_publish.h"
#include "cloud/aws_ssm.h"
#include "cloud/aws_sts.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/json.h"
#include "lib/log.h"

static void set_digest(struct json *j, const char *name, const char *text)
{
	struct sha256 digest;

	if (!text)
		return;
	sha256_of(text, strlen(text), &digest);
	js_set_bytes(j, name, digest.b, SHA256_SIZE);
}

/* Secrets are shown as digests. */
static int call_credentials(const struct config_options *o, struct json *j, struct error *err)
{
	_cleanup_credentials_ struct credentials c = {0};
	_cleanup_config_ struct config *config = NULL;
	_cleanup_http_ struct http *http = NULL;
	int r = config_load(o, &config, err);

	if (r == 0)
		r = http_new(&(struct http_options){.ca_file = config_ca_bundle(config)}, &http, err);
	if (r == 0)
		r = credentials_find(config, http, &c, err);
	if (r < 0)
		return r;
	js_set_string(j, "access_key", c.access_key);
	set_digest(j, "secret_key", c.secret_key);
	set_digest(j, "token", c.session_token);
	js_set_int(j, "expires", c.expires);
	js_set_string(j, "source", c.source);
	if (config_region(config))
		js_set_string(j, "region", config_region(config));
	if (config_endpoint(config, "EC2"))
		js_set_string(j, "ec2", config_endpoint(config, "EC2"));
	if (config_endpoint(config, "EBS"))
		js_set_string(j, "ebs", config_endpoint(config, "EBS"));
	return 0;
}

/* identity [TIMES [MILLISECONDS]]: the same question so often. */
static int call_identity(struct aws *a, char **arg, struct json *j, struct error *err)
{
	unsigned times = *arg ? (unsigned)atoi(*arg) : 1, pause = *arg && arg[1] ? (unsigned)atoi(arg[1]) : 0;
	struct sts_identity id;

	for (unsigned i = 0; i < times; i++) {
		int r = i ? interrupt_sleep(pause * UINT64_C(1000000), err) : 0;

		if (r == 0)
			r = sts_caller_identity(a, &id, err);
		if (r < 0)
			return r;
	}
	js_set_string(j, "account", id.account);
	js_set_string(j, "arn", id.arn);
	js_set_string(j, "region", aws_region(a));
	return 0;
}

/* snapshot GIB BLOCKS: BLOCKS blocks of bytes that count up from 1, completed. */
static int call_snapshot(struct aws *a, char **arg, struct json *j, struct error *err)
{
	const struct aws_tag tags[] = {{"mkappliance", "1"}, {"mkappliance:state", "uploading"}};
	_cleanup_free_ char *data = xmalloc(EBS_BLOCK_SIZE),
			    *token = xasprintf("calls-%ju", (uintmax_t)clock_ns());
	_cleanup_hasher_ struct hasher *all = hasher_new();
	uint64_t lag = clock_ns() + EBS_LAG_START_NS;
	unsigned count = (unsigned)atoi(arg[1]);
	struct ebs_snapshot s;
	struct sha256 digest;
	int r = ebs_start(
		a,
		&(struct ebs_start){
			.volume_gib = (unsigned)atoi(arg[0]), .token = token, .tags = tags, .tag_count = 2},
		&s, err);

	for (unsigned i = 0; r == 0 && i < count; i++) {
		_cleanup_reply_ struct http_reply reply = {0};
		struct ebs_put put;

		memset(data, (int)i + 1, EBS_BLOCK_SIZE);
		sha256_of(data, EBS_BLOCK_SIZE, &digest);
		hasher_add(all, digest.b, SHA256_SIZE);
		ebs_put_init(&put, s.id, i, data, &digest, (int)(100 * i / count), lag);
		r = aws_perform(a, &put.call, &reply, NULL, err);
	}
	if (r < 0)
		return r;
	hasher_final(all, &digest);
	js_set_string(j, "id", s.id);
	js_set_string(j, "status", s.status);
	return ebs_complete(a, s.id, count, &digest, clock_ns() + EBS_LAG_START_NS, err);
}

/* read SNAPSHOT: the blocks' indexes, and the first byte of each. */
static int call_read(struct aws *a, char **arg, struct json *j, struct error *err)
{
	_cleanup_ebs_blocks_ struct ebs_blocks blocks = {0};
	_cleanup_free_ char *data = xmalloc(EBS_BLOCK_SIZE);
	struct json *list = js_array_new();
	int r = ebs_list(a, arg[0], clock_ns() + EBS_LAG_LISTED_NS, &blocks, err);

	js_set(j, "blocks", list);
	for (size_t i = 0; r == 0 && i < blocks.len; i++) {
		r = ebs_get(a, arg[0], blocks.list[i].index, blocks.list[i].token, data, err);
		js_append_int(list, blocks.list[i].index);
		js_append_int(list, data[0]);
	}
	return r;
}

static const struct aws_tag image_tags[] = {{"mkappliance", "1"}, {"mkappliance:name", "hello"}};

/* register NAME SNAPSHOT [dry-run] */
static int call_register(struct aws *a, char **arg, struct json *j, struct error *err)
{
	const struct ec2_register reg = {.name = arg[0],
					 .description = "of the tests",
					 .architecture = "x86_64",
					 .boot_mode = "uefi",
					 .tpm = true,
					 .imds_v2 = true,
					 .uefi_data = "QU1aTg==",
					 .root_device = "/dev/xvda",
					 .snapshot = arg[1],
					 .volume_gib = 2,
					 .volume_type = "gp3",
					 .iops = 3000,
					 .throughput = 125,
					 .tags = image_tags,
					 .tag_count = 2};
	char id[EC2_ID_SIZE] = "";
	int r = arg[2] ? ec2_register_dry_run(a, NULL, &reg, err) : ec2_register(a, NULL, &reg, id, err);

	js_set_string(j, "id", id);
	return r;
}

static void image_json(const struct ec2_image *i, struct json *j)
{
	const char *source = aws_tags_get(&i->tags, PUBLISH_SOURCE_TAG),
		   *name = aws_tags_get(&i->tags, "mkappliance:name");

	js_set_string(j, "id", i->id);
	js_set_string(j, "name", i->name);
	js_set_string(j, "state", i->state);
	js_set_string(j, "reason", i->reason);
	js_set_string(j, "architecture", i->architecture);
	js_set_string(j, "virtualization", i->virtualization);
	js_set_string(j, "boot_mode", i->boot_mode);
	js_set_string(j, "tpm", i->tpm);
	js_set_string(j, "imds", i->imds);
	js_set_string(j, "root_device", i->root_device);
	js_set_string(j, "snapshot", i->snapshot);
	js_set_int(j, "volume_gib", i->volume_gib);
	js_set_string(j, "volume_type", i->volume_type);
	js_set_string(j, "deprecation", i->deprecation);
	js_set_bool(j, "ena", i->ena);
	js_set_bool(j, "encrypted", i->encrypted);
	js_set_bool(j, "protected", i->protected);
	js_set_string(j, "tag", name);
	js_set_string(j, "source", source);
}

/* image ID [REGION] */
static int call_image(struct aws *a, char **arg, struct json *j, struct error *err)
{
	_cleanup_images_ struct ec2_images found = {0};
	int r = ec2_describe_images(a, &(struct ec2_search){.id = arg[0], .region = arg[1]}, &found, err);

	if (r == 0)
		image_json(&found.list[0], j);
	return r;
}

/* publish IMAGE NAME KMS REGION...: shared with an account, deprecated at $DEPRECATE, protected, /tests/NAME set. KMS "-": none. */
static int call_publish(struct aws *a, char **arg, struct json *j, struct error *err)
{
	_cleanup_strlist_ struct strlist accounts = {0}, parameters = {0};
	_cleanup_places_ struct publish_places places = {0};
	struct publish_region regions[8] = {0};
	struct publish p = {.lag_s = 3, /* the fake's are shorter */
			    .image = arg[0],
			    .name = arg[1],
			    .regions = regions,
			    .tags = image_tags,
			    .tag_count = 2,
			    .deprecate = getenv("DEPRECATE"),
			    .protect = true,
			    .parameters = &parameters,
			    .poll_ms = 50,
			    .timeout_s = 60};
	struct json *list = js_array_new();
	int r;

	strlist_add(&accounts, "444455556666");
	strlist_addf(&parameters, "/tests/%s", arg[1]);
	p.share.accounts = &accounts;
	for (char **region = arg + 3; *region; region++)
		regions[p.region_count++] =
			(struct publish_region){*region, strcmp(arg[2], "-") ? arg[2] : NULL};
	js_set(j, "places", list);
	r = publish_all(a, &p, &places, err);
	for (size_t i = 0; i < places.len; i++) {
		struct json *at = js_object_new();

		js_set_string(at, "region", places.list[i].region);
		image_json(&places.list[i].image, at);
		js_append(list, at);
	}
	return r;
}

/* protect IMAGE */
static int call_protect(struct aws *a, char **arg, struct json *j, struct error *err)
{
	(void)j;
	return ec2_protect(a, NULL, arg[0], false, err);
}

/* in-use: what ec2_images_in_use() finds. */
static int call_in_use(struct aws *a, char **arg, struct json *j, struct error *err)
{
	_cleanup_uses_ struct ec2_uses uses = {0};
	struct json *list = js_array_new();
	int r = ec2_images_in_use(a, NULL, &uses, err);

	(void)arg;
	for (size_t i = 0; i < uses.images.len; i++) {
		js_append_string(list, uses.images.ptr[i]);
		js_append_string(list, uses.by.ptr[i]);
	}
	js_set(j, "images", list);
	return r;
}

static const struct {
	const char *name;
	int arguments; /* at least */
	int (*run)(struct aws *a, char **arg, struct json *j, struct error *err);
} calls[] = {
	{"identity", 0, call_identity}, {"snapshot", 2, call_snapshot}, {"read", 1, call_read},
	{"register", 2, call_register}, {"image", 1, call_image},	{"publish", 3, call_publish},
	{"in-use", 0, call_in_use},	{"protect", 1, call_protect},
};

/* With what was tried again. RETRY_MS: the first pause at most. */
static int run_call(size_t i, const struct config_options *o, char **argv, struct json *j, struct error *err)
{
	const char *pause = getenv("RETRY_MS");
	struct retry_policy policy = retry_policy_default;
	_cleanup_aws_ struct aws *a = NULL;
	_cleanup_buf_ struct buf b = {0};
	int r = aws_open(&(struct aws_options){.config = *o}, &a, err);

	if (r < 0)
		return r;
	if (pause)
		policy.base_ms = (unsigned)atoi(pause);
	aws_set_policy(a, &policy);
	r = calls[i].run(a, argv + 1, j, err);
	retry_stats_text(aws_retries(a), &b);
	js_set_string(j, "retries", b.len ? b.ptr : "");
	return r;
}

static int run(const struct config_options *o, int argc, char **argv, struct json *j, struct error *err)
{
	if (argc > 0 && strcmp(argv[0], "credentials") == 0)
		return call_credentials(o, j, err);
	for (size_t i = 0; argc > 0 && i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (strcmp(calls[i].name, argv[0]) == 0 && argc > calls[i].arguments)
			return run_call(i, o, argv, j, err);
	}
	return error_usage(err, "cloud_calls CALL ARGUMENT...");
}

int main(int argc, char **argv)
{
	struct error err = ERROR_INIT;
	struct config_options o = {0};
	_cleanup_json_ struct json *j = js_object_new();
	_cleanup_free_ char *text = NULL;
	int i = 1;

	interrupt_setup();
	log_setup(getenv("VERBOSE") ? LOG_VERBOSE : LOG_NORMAL);
	for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
		if (strcmp(argv[i], "--profile") == 0)
			o.profile = argv[i + 1];
		else if (strcmp(argv[i], "--region") == 0)
			o.region = argv[i + 1];
		else
			o.endpoint_url = argv[i + 1];
	}
	if (run(&o, argc - i, argv + i, j, &err) < 0) {
		log_error(err.text);
		return (int)err.exit;
	}
	text = js_text(j, false);
	fputs(text, stdout);
	return 0;
}
