/* SPDX-License-Identifier: Apache-2.0 */
/* mkappliance rebuild --manifest FILE: the proof that an image comes from what its manifest says. */
#include <stdio.h>

#include "cmd.h"
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

static int run_rebuild(const struct command *self, int argc, char **argv, struct error *err)
{
	struct rebuild_options o = {0};
	const struct option_spec options[] = {
		{"manifest", 'm', OPTION_STRING, "FILE", "of the image that is to be built again",
		 &o.manifest},
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
	if (!o.manifest)
		return error_usage(err, "missing argument: --manifest=FILE, of the image to build again");
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
