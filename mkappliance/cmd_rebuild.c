/* SPDX-License-Identifier: Apache-2.0 */
/* mkappliance rebuild --manifest FILE: the proof that an image comes from what its manifest says. */
#include <stdio.h>

#include "cmd_rebuild.h"
#include "image/rebuild.h"
#include "lib/cleanup.h"

static int print_json(const struct rebuild_options *o, const struct manifest *m, const struct error *failed,
		      struct error *err)
{
	_cleanup_json_ struct json *j = js_object_new();

	js_set_string(j, "manifest", o->manifest);
	js_set_bool(j, "identical", m != NULL);
	if (m) {
		js_set_string(j, "name", m->name);
		js_set_string(j, "version", m->version);
		js_set_bytes(j, "root_hash", m->root_hash.b, sizeof(m->root_hash.b));
		js_set_bytes(j, "blocks_digest", m->blocks_digest.b, sizeof(m->blocks_digest.b));
	} else {
		js_set_string(j, "first_difference", failed->text);
	}
	return cmd_print_json(j, err);
}

/* What only a new image has. */
static int check_options(bool refreshes, const struct rebuild_options *o, const struct refresh_options *f,
			 bool no_test, struct error *err)
{
	if (!o->manifest)
		return error_usage(err, "missing argument: --manifest=FILE, of the image to build again");
	if (refreshes && (o->offline || o->attach || o->attach_root))
		return error_usage(err,
				   "--refresh asks the package managers and builds: not with --offline or "
				   "signatures from elsewhere");
	if (!refreshes && (f->output_dir || f->version || f->provenance_key || no_test))
		return error_usage(err,
				   "--output, --version, --provenance-key and --no-test go with --refresh; "
				   "without it nothing is kept");
	return 0;
}

static int run_refresh(struct refresh_options *f, const struct rebuild_options *o, bool test,
		       const struct common_options *common, struct error *err)
{
	f->manifest = o->manifest;
	f->source = o->source;
	f->cache_dir = o->cache_dir;
	f->threads = o->threads;
	if (!f->output_dir)
		f->output_dir = ".";
	return rebuild_refresh(f, test, common, err);
}

static int run_rebuild(const struct command *self, int argc, char **argv, struct error *err)
{
	struct rebuild_options o = {0};
	struct refresh_options f = {0};
	bool refreshes = false, no_test = false;
	const struct option_spec options[] = {
		{"manifest", 'm', OPTION_STRING, "FILE", "of the image that is to be built again",
		 &o.manifest},
		{"refresh", 0, OPTION_FLAG, NULL, "with newer packages: say which, build, test", &refreshes},
		{"output", 'o', OPTION_STRING, "DIR", "--refresh: where the new image goes", &f.output_dir},
		{"version", 0, OPTION_STRING, "VERSION", "--refresh: of the new image", &f.version},
		{"no-test", 0, OPTION_FLAG, NULL, "--refresh: do not boot the new image", &no_test},
		{"provenance-key", 0, OPTION_STRING, "KEY", "--refresh: as of build", &f.provenance_key},
		{"offline", 0, OPTION_FLAG, NULL, "fail rather than call a package manager", &o.offline},
		{"cache", 0, OPTION_STRING, "DIR", "use its layers (default: none, all are made anew)",
		 &o.cache_dir},
		{"attach-signature", 0, OPTION_STRING, "FILE", "the signed UKI, if it was signed elsewhere",
		 &o.attach},
		{"attach-root-signature", 0, OPTION_STRING, "FILE",
		 "the signature of the root hash, likewise", &o.attach_root},
		{"threads", 0, OPTION_NUMBER, "N", "at most N at work (default: one a processor)",
		 &o.threads},
		{0},
	};
	_cleanup_manifest_ struct manifest *m = NULL;
	struct common_options common;
	size_t count;
	int r;

	o.source = ".";
	r = cmd_parse(self, options, argc, argv, 0, 1, &o.source, &count, &common, err);
	if (r != 0)
		return r;
	r = check_options(refreshes, &o, &f, no_test, err);
	if (r < 0)
		return r;
	if (refreshes)
		return run_refresh(&f, &o, !no_test, &common, err);
	r = rebuild(&o, &m, err);
	if (r < 0 && err->exit != EXIT_REFUSED)
		return r;
	if (common.json) {
		struct error of_output = ERROR_INIT;
		int e = print_json(&o, m, err, &of_output);

		if (e < 0 && r == 0)
			*err = of_output;
		return r < 0 ? r : e;
	}
	if (r == 0 && !common.quiet)
		printf("identical: every byte of %s %s comes out again\n", m->name, m->version);
	return r;
}

const struct command cmd_rebuild = {
	.name = "rebuild",
	.arguments = "[TEMPLATE]",
	.summary = "Build an image again from its manifest's inputs and compare",
	.run = run_rebuild,
};
