/* SPDX-License-Identifier: Apache-2.0 */
/* mkappliance aws-policy: what an account has to allow. */
#include "cloud/aws_policy.h"
#include "cmd.h"
#include "lib/cleanup.h"

struct lists {
	struct strlist regions, kms_keys, parameters, groups;
};

static void free_lists(struct lists *l)
{
	strlist_free(&l->regions);
	strlist_free(&l->kms_keys);
	strlist_free(&l->parameters);
	strlist_free(&l->groups);
}

static int run_aws_policy(const struct command *self, int argc, char **argv, struct error *err)
{
	_cleanup_(free_lists) struct lists l = {0};
	struct aws_policy p = {.regions = &l.regions,
			       .kms_keys = &l.kms_keys,
			       .parameters = &l.parameters,
			       .groups = &l.groups};
	bool gc_only = false, no_upload = false;
	const struct option_spec options[] = {
		{"region", 0, OPTION_LIST, "REGION", "only there (default: anywhere); several: copies too",
		 &l.regions},
		{"kms-key", 0, OPTION_LIST, "ARN", "snapshots are encrypted with it", &l.kms_keys},
		{"parameter", 0, OPTION_LIST, "NAME",
		 "an SSM parameter that will hold the image's id; may hold *", &l.parameters},
		{"account", 0, OPTION_STRING, "ID", "of the parameters (default: any)", &p.account},
		{"share", 0, OPTION_FLAG, NULL, "sharing with other accounts", &p.share},
		{"deprecate", 0, OPTION_FLAG, NULL, "a date of deprecation", &p.deprecate},
		{"protect", 0, OPTION_FLAG, NULL, "protection from deregistration", &p.protect},
		{"gc", 0, OPTION_FLAG, NULL, "'mkappliance gc' too", &p.gc},
		{"deploy", 0, OPTION_FLAG, NULL, "'mkappliance deploy', status and rollback too", &p.deploy},
		{"drill", 0, OPTION_FLAG, NULL, "'mkappliance drill' too, and what deploy needs", &p.drill},
		{"create", 0, OPTION_FLAG, NULL, "deploy --create and --strategy blue-green too", &p.create},
		{"group", 0, OPTION_LIST, "NAME", "only these groups; may hold * (default: any)", &l.groups},
		{"no-upload", 0, OPTION_FLAG, NULL, "not what upload needs", &no_upload},
		{"gc-only", 0, OPTION_FLAG, NULL, "'mkappliance gc' alone", &gc_only},
		{0},
	};
	_cleanup_json_ struct json *j = NULL;
	struct common_options common;
	const char *none[1];
	size_t count;
	int r = cmd_parse(self, options, argc, argv, 0, 0, none, &count, &common, err);

	if (r != 0)
		return r;
	if (gc_only && (p.share || p.deprecate || p.protect || l.kms_keys.len || l.parameters.len))
		return error_usage(err, "--gc-only goes with --region alone");
	if (gc_only && (p.deploy || p.create || p.drill))
		return error_usage(err, "--gc-only goes with --region alone; --no-upload --gc takes more");
	p.deploy = p.deploy || p.create || p.drill;
	if (l.groups.len && !p.deploy)
		return error_usage(err, "--group goes with --deploy, --create or --drill");
	if (no_upload && !p.deploy && !p.gc)
		return error_usage(err,
				   "--no-upload leaves nothing: say --deploy, --create, --drill or --gc");
	p.upload = !gc_only && !no_upload;
	p.gc = p.gc || gc_only;
	p.copy = p.upload && l.regions.len > 1;
	r = aws_policy_json(&p, &j, err);
	return r < 0 ? r : cmd_print_json(j, err);
}

const struct command cmd_aws_policy = {
	.name = "aws-policy",
	.arguments = "",
	.summary = "Print the IAM policy that upload, gc, deploy and drill need, and nothing more",
	.run = run_aws_policy,
};
