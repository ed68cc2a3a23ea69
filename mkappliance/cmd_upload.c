/* SPDX-License-Identifier: Apache-2.0 */
/* mkappliance upload IMAGE: from a raw image to a registered machine image. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cloud/aws_upload.h"
#include "cloud/openstack_upload.h"
#include "cloud/provider.h"
#include "cmd.h"
#include "cmd_upload.h"
#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/log.h"

#define CONNECTIONS_MAX 1024u

static const struct provider *const providers[] = {
	&provider_aws,
	&provider_openstack,
#ifdef WITH_LIBVIRT
	&provider_libvirt,
#endif
	NULL,
};

struct upload_arguments {
	const char *image, *to, *manifest, *check;
	struct strlist regions, kms_keys, share;
	bool yes;
};

static void free_arguments(struct upload_arguments *a)
{
	strlist_free(&a->regions);
	strlist_free(&a->kms_keys);
	strlist_free(&a->share);
}

static int parse_check(const char *text, enum upload_check *ret, struct error *err)
{
	static const char *const names[] = {
		[UPLOAD_CHECK_SAMPLE] = "sample", [UPLOAD_CHECK_NONE] = "none", [UPLOAD_CHECK_FULL] = "full"};

	for (size_t i = 0; text && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i]) == 0) {
			*ret = (enum upload_check)i;
			return 0;
		}
	return text ? error_usage(err, "--check: '%s' is none of sample, none, full", text) : 0;
}

/* An option that the provider would pass over in silence is an error. */
static int check_options(const struct provider *p, const struct option_spec *options, struct error *err)
{
	static const char *const general[] = {"to",	"manifest", "name",  "description",
					      "region", "dry-run",  "check", NULL};

	for (const struct option_spec *o = options; o->name; o++) {
		bool set = o->kind == OPTION_FLAG     ? *(bool *)o->value
			   : o->kind == OPTION_NUMBER ? *(unsigned *)o->value != 0
			   : o->kind == OPTION_LIST   ? ((struct strlist *)o->value)->len > 0
						      : *(const char **)o->value != NULL;
		const char *const *known = general;

		while (*known && strcmp(*known, o->name) != 0)
			known++;
		if (!*known)
			for (known = p->options; *known && strcmp(*known, o->name) != 0;)
				known++;
		if (set && !*known)
			return error_usage(err, "--%s means nothing for provider '%s'", o->name, p->name);
	}
	return 0;
}

/* Each of them has a block in memory. */
static int check_connections(const struct upload_settings *s, struct error *err)
{
	return s->connections > CONNECTIONS_MAX
		       ? error_usage(err, "--connections=%u: at most %u", s->connections, CONNECTIONS_MAX)
		       : 0;
}

static int check_share(const struct upload_arguments *a, struct error *err)
{
	for (size_t i = 0; i < a->share.len; i++)
		if (strcmp(a->share.ptr[i], "all") == 0 && !a->yes)
			return error_usage(err, "--share=all makes the image public; say --yes as well");
	return 0;
}

static struct json *places_json(const struct upload_result *r)
{
	struct json *list = js_array_new();

	for (size_t i = 0; i < r->place_count; i++) {
		struct json *place = js_object_new();

		js_set_string(place, "region", r->places[i].region);
		js_set_string(place, "image", r->places[i].image);
		js_set_string(place, "snapshot", r->places[i].snapshot);
		js_set_bool(place, "made", r->places[i].made);
		js_append(list, place);
	}
	return list;
}

static struct json *plan_json(const struct plan *p)
{
	struct json *j = js_object_new();

	js_set_int(j, "blocks", (int64_t)p->count);
	js_set_int(j, "send", (int64_t)p->send);
	js_set_int(j, "send_zero", (int64_t)p->send_zero);
	js_set_int(j, "unchanged", (int64_t)p->unchanged);
	js_set_int(j, "dont_care", (int64_t)p->dont_care);
	return j;
}

static struct json *result_json(const struct provider *p, const struct upload *u, double seconds)
{
	const struct upload_result *r = &u->result;
	struct json *j = js_object_new(), *retries = js_object_new();

	js_set_string(j, "provider", p->name);
	js_set_string(j, "name", r->name);
	js_set_string(j, "account", r->account);
	if (r->domain)
		js_set_string(j, "domain", r->domain);
	js_set_string(j, "digest", u->image.digest);
	js_set_bool(j, "dry_run", u->settings.dry_run);
	js_set_bool(j, "already", r->already);
	js_set(j, "images", places_json(r));
	js_set_string(j, "parent", r->parent);
	js_set_string(j, "full_because", r->why_full);
	if (r->plan.count > 0)
		js_set(j, "plan", plan_json(&r->plan));
	js_set_int(j, "sent_bytes", (int64_t)r->sent_bytes);
	js_set_int(j, "resumed_blocks", (int64_t)r->resumed);
	js_set_int(j, "checked_blocks", (int64_t)r->checked);
	js_set_real(j, "cost_usd", r->cost);
	for (int i = 0; i < RETRY_REASONS; i++)
		if (r->retries.count[i] > 0)
			js_set_int(retries, retry_reason_name((enum retry_reason)i),
				   (int64_t)r->retries.count[i]);
	js_set(j, "retries", retries);
	js_set_real(j, "seconds", seconds);
	return j;
}

static void print_result(const struct upload *u)
{
	const struct upload_result *r = &u->result;

	for (size_t i = 0; i < r->place_count; i++)
		printf("%-24s %s%s%s\n", r->places[i].region, r->places[i].image,
		       r->places[i].snapshot ? " " : "", r->places[i].snapshot ? r->places[i].snapshot : "");
}

/* A word for a shell. */
static void add_word(struct buf *b, const char *word)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./:@%+,";

	buf_printf(b, " ");
	if (*word && word[strspn(word, plain)] == 0) {
		buf_printf(b, "%s", word);
		return;
	}
	buf_printf(b, "'");
	for (; *word; word++)
		if (*word == '\'')
			buf_printf(b, "'\\''");
		else
			buf_add(b, word, 1);
	buf_printf(b, "'");
}

/* What was sent is not lost; the command line is the one that was given. */
static void say_how_to_go_on(const struct upload *u, int argc, char **argv)
{
	_cleanup_buf_ struct buf b = {0};

	if (!u->resume)
		return;
	buf_printf(&b, "mkappliance");
	for (int i = 0; i < argc; i++)
		add_word(&b, argv[i]);
	log_note("what was sent is noted in %s; this goes on with the rest:", u->resume);
	log_note("  %s", b.ptr);
}

/* [Upload] of the template, where no option says otherwise. */
static void take_manifest(struct upload_arguments *a, struct upload_settings *s,
			  const struct manifest_upload *m)
{
	struct strlist *lists[] = {&a->regions, &a->kms_keys, &a->share};
	const struct strlist *said[] = {&m->regions, &m->kms_keys, &m->share};

	for (size_t i = 0; i < 3; i++)
		if (lists[i]->len == 0)
			for (size_t k = 0; k < said[i]->len; k++)
				strlist_add(lists[i], said[i]->ptr[k]);
	s->parameter = s->parameter ? s->parameter : m->parameter;
	s->connect = s->connect ? s->connect : m->connect;
	s->pool = s->pool ? s->pool : m->pool;
	s->encrypt = s->encrypt || m->encrypt;
	s->protect = s->protect || m->protect;
	s->deprecate_days = s->deprecate_days ? s->deprecate_days : m->deprecate_days;
}

static int finish(const struct provider *p, struct upload *u, uint64_t started_ns, struct error *err)
{
	_cleanup_json_ struct json *j = NULL;

	if (!u->settings.json) {
		print_result(u);
		return 0;
	}
	j = result_json(p, u, (double)(clock_ns() - started_ns) / 1e9);
	return cmd_print_json(j, err);
}

/* Everything behind the manifest. */
static int upload_with(struct upload_arguments *a, const struct option_spec *options,
		       const struct manifest *m, struct upload *u, const struct provider **ret,
		       struct error *err)
{
	const char *to = a->to ? a->to : m->upload.provider ? m->upload.provider : "aws";
	int r;

	r = provider_find(providers, to, ret, err);
	if (r == 0)
		r = check_options(*ret, options, err);
	if (r == 0)
		r = parse_check(a->check, &u->settings.check, err);
	if (r == 0)
		r = check_connections(&u->settings, err);
	if (r < 0)
		return r;
	/* What one provider is told means nothing to another. */
	if (!m->upload.provider || strcmp(to, m->upload.provider) == 0)
		take_manifest(a, &u->settings, &m->upload);
	u->settings.regions = &a->regions;
	u->settings.kms_keys = &a->kms_keys;
	u->settings.share = &a->share;
	r = check_share(a, err);
	if (r == 0)
		r = upload_open_image(a->image, m, &u->image, err);
	return r < 0 ? r : upload_run(*ret, u, err);
}

static int run(struct upload_arguments *a, const struct option_spec *options, int argc, char **argv,
	       struct upload *u, struct error *err)
{
	_cleanup_free_ char *beside = manifest_path_for(a->image);
	_cleanup_manifest_ struct manifest *m = NULL;
	const struct provider *p;
	uint64_t started = clock_ns();
	int r;

	r = manifest_read(a->manifest ? a->manifest : beside, &m, err);
	if (r < 0)
		return a->manifest
			       ? r
			       : error_prefix(err, "%s: its manifest is needed (--manifest=FILE)", a->image);
	r = upload_with(a, options, m, u, &p, err);
	u->image.m = NULL;
	if (r == 0)
		return finish(p, u, started, err);
	say_how_to_go_on(u, argc, argv);
	return r;
}

static int run_upload(const struct command *self, int argc, char **argv, struct error *err)
{
	_cleanup_(free_arguments) struct upload_arguments a = {.to = NULL};
	_cleanup_upload_ struct upload u = {.image.fd = -1};
	struct upload_settings *s = &u.settings;
	const struct option_spec options[] = {
		{"to", 0, OPTION_STRING, "PROVIDER", "where: aws (default), openstack or libvirt", &a.to},
		{"manifest", 'm', OPTION_STRING, "FILE", "the manifest, if it does not lie beside the image",
		 &a.manifest},
		{"name", 0, OPTION_STRING, "NAME", "of the machine image (default: NAME-VERSION)", &s->name},
		{"description", 0, OPTION_STRING, "TEXT", "of the machine image", &s->description},
		{"region", 0, OPTION_LIST, "REGION", "where to; further ones get copies", &a.regions},
		{"parent", 0, OPTION_STRING, "SNAPSHOT",
		 "send only what differs from it; none; auto (default)", &s->parent},
		{"parent-blocks", 0, OPTION_STRING, "FILE",
		 "its .blocks, if it does not lie beside the image", &s->parent_blocks},
		{"connections", 0, OPTION_NUMBER, "N", "at most so many blocks at a time", &s->connections},
		{"check", 0, OPTION_STRING, "HOW", "what is read back: sample (default), full, none",
		 &a.check},
		{"dry-run", 'n', OPTION_FLAG, NULL, "try permissions and say what would be sent",
		 &s->dry_run},
		{"encrypt", 0, OPTION_FLAG, NULL, "encrypt with the account's default key", &s->encrypt},
		{"kms-key", 0, OPTION_LIST, "KEY", "encrypt with it; REGION=KEY for one region", &a.kms_keys},
		{"uefi-data", 0, OPTION_STRING, "FILE",
		 "Secure Boot: variables of 'uefi-vars --format aws'; libvirt: of --format ovmf",
		 &s->uefi_data},
		{"no-tpm", 0, OPTION_FLAG, NULL, "the image does not say that it wants a TPM", &s->no_tpm},
		{"secure-boot", 0, OPTION_FLAG, NULL, "OpenStack: only on firmware that verifies it",
		 &s->secure_boot},
		{"volume-size", 0, OPTION_NUMBER, "GIB", "of the root volume (default: the image's)",
		 &s->volume_gib},
		{"iops", 0, OPTION_NUMBER, "N", "of the root volume", &s->iops},
		{"throughput", 0, OPTION_NUMBER, "MIB/S", "of the root volume", &s->throughput},
		{"share", 0, OPTION_LIST, "WHO", "account, ARN of an organisation or unit, or all", &a.share},
		{"yes", 'y', OPTION_FLAG, NULL, "really share with all", &a.yes},
		{"parameter", 0, OPTION_STRING, "NAME",
		 "SSM parameter that gets the image's id in each region", &s->parameter},
		{"deprecate-after", 0, OPTION_NUMBER, "DAYS", "when the image counts as deprecated",
		 &s->deprecate_days},
		{"protect", 0, OPTION_FLAG, NULL, "protect the image against deregistration", &s->protect},
		{"profile", 0, OPTION_STRING, "NAME", "of the provider's configuration", &s->profile},
		{"endpoint-url", 0, OPTION_STRING, "URL", "another service than the provider's own",
		 &s->endpoint_url},
		{"connect", 0, OPTION_STRING, "URI",
		 "libvirt: its host (default: $LIBVIRT_DEFAULT_URI, or qemu:///system)", &s->connect},
		{"pool", 0, OPTION_STRING, "NAME", "libvirt: the storage pool (default: default)", &s->pool},
		{"domain", 0, OPTION_STRING, "NAME", "libvirt: of the domain (default: the appliance's name)",
		 &s->domain},
		{"network", 0, OPTION_STRING, "NAME",
		 "libvirt: its network, or user (default: default, where there is one)", &s->network},
		{"memory", 0, OPTION_NUMBER, "MIB", "libvirt: of the domain (default: [Test] Memory=)",
		 &s->memory},
		{"cpus", 0, OPTION_NUMBER, "N", "libvirt: of the domain (default: [Test] CPUs=)", &s->cpus},
		{0},
	};
	struct common_options common = {.json = false};
	size_t count;
	int r = cmd_parse(self, options, argc, argv, 1, 1, &a.image, &count, &common, err);

	s->json = common.json;
	return r != 0 ? r : run(&a, options, argc, argv, &u, err);
}

const struct command cmd_upload = {
	.name = "upload",
	.arguments = "IMAGE",
	.summary = "Send an image to a cloud and register it, only what changed, going on after any stop",
	.run = run_upload,
};
