/* SPDX-License-Identifier: Apache-2.0 */
/* Behind the registered image: copies, shares, protection, parameters; in every region, and last of all that it is ready. */
#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cloud/aws_publish.h"
#include "cloud/aws_sts.h"
#include "cloud/aws_upload.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define LAG_NS	  (UINT64_C(60) * 1000000000)
#define DAY_S	  86400
#define SOON_S	  180 /* EnableImageDeprecation rounds down to the minute */
#define DATE_SIZE 32

/* What --share says, sorted by kind; strings are owned. */
struct shares {
	struct strlist accounts, organizations, units;
	bool everyone;
};

static void free_shares(struct shares *s)
{
	strlist_free(&s->accounts);
	strlist_free(&s->organizations);
	strlist_free(&s->units);
}

static bool is_account(const char *text)
{
	return strlen(text) == 12 && strspn(text, "0123456789") == 12;
}

/* AWS Organizations API Reference: types OrganizationId and OrganizationalUnitId. */
#define ARN_BEGIN	 "^arn:aws[a-z-]*:organizations::[0-9]{12}:"
#define ARN_ORGANIZATION ARN_BEGIN "organization/o-[a-z0-9]{10,32}$"
#define ARN_UNIT	 ARN_BEGIN "ou/o-[a-z0-9]{10,32}/ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}$"

static bool is_like(const char *text, const char *pattern)
{
	regex_t compiled;
	bool like;

	if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		abort(); /* only for lack of memory */
	like = !strchr(text, '\n') && regexec(&compiled, text, 0, NULL, 0) == 0;
	regfree(&compiled);
	return like;
}

static int sort_shares(const struct strlist *who, struct shares *ret, struct error *err)
{
	for (size_t i = 0; i < who->len; i++) {
		const char *text = who->ptr[i];

		if (strcmp(text, "all") == 0)
			ret->everyone = true;
		else if (is_account(text))
			strlist_add(&ret->accounts, text);
		else if (is_like(text, ARN_UNIT))
			strlist_add(&ret->units, text);
		else if (is_like(text, ARN_ORGANIZATION))
			strlist_add(&ret->organizations, text);
		else
			return error_usage(
				err,
				"--share: '%s' is neither an account of 12 digits, nor the ARN of an "
				"organisation or unit, nor 'all'",
				text);
	}
	return 0;
}

int aws_finish_check(const struct upload *u, struct error *err)
{
	const struct upload_settings *set = &u->settings;
	struct shares shares = {.everyone = false};
	char *name = NULL;
	int r;

	r = sort_shares(set->share, &shares, err);
	free_shares(&shares);
	if (r == 0 && set->parameter)
		r = publish_parameter_name(set->parameter, u->image.m->name, u->image.m->arch,
					   u->image.m->version, &name, err);
	free(name);
	return r;
}

static void say(const char *phase, const char *region, const char *what, void *user)
{
	(void)user;
	log_note("  %-24s %s %s", phase, region, what);
}

/* The regions behind the first, with their keys; to be freed. */
static struct publish_region *list_regions(const struct aws_upload *s, size_t *ret_count)
{
	const struct upload_settings *set = &s->u->settings;
	struct publish_region *list = xcalloc(set->regions->len, sizeof(*list));
	size_t n = 0;

	for (size_t i = 1; i < set->regions->len; i++)
		list[n++] =
			(struct publish_region){.region = set->regions->ptr[i],
						.kms_key = aws_kms_key(set->kms_keys, set->regions->ptr[i])};
	*ret_count = n;
	return list;
}

/* Counted from when the image was made, so that doing it again changes nothing. */
static int set_deprecation(const struct aws_upload *s, const struct publish_places *places, struct publish *p,
			   char date[DATE_SIZE], struct error *err)
{
	time_t when, soon;
	struct tm tm;

	if (!s->u->settings.deprecate_days || places->len == 0)
		return 0;
	if (!aws_time_parse(places->list[0].image.created, &when))
		return error_set(err, -EBADMSG, "%s: made at '%s', which is no time", s->image,
				 places->list[0].image.created);
	when += (time_t)s->u->settings.deprecate_days * DAY_S;
	/* AWS takes no day that has passed. */
	soon = aws_now(s->aws) + SOON_S;
	p->overdue = when < soon;
	when = p->overdue ? soon : when;
	gmtime_r(&when, &tm);
	strftime(date, DATE_SIZE, "%Y-%m-%dT%H:%M:00Z", &tm);
	p->deprecate = date;
	return 0;
}

/* Last in each region: whoever looks for a parent or for the newest image goes by it. */
static int tag_ready(struct aws_upload *s, const struct publish_places *places, struct error *err)
{
	const struct aws_tag ready = {TAG_STATE, STATE_READY};
	int r = 0;

	for (size_t i = 0; r == 0 && i < places->len; i++) {
		const struct publish_place *place = &places->list[i];
		const char *const ids[] = {place->image.id, place->image.snapshot};

		r = ec2_create_tags(s->aws, place->region, ids, place->image.snapshot[0] ? 2 : 1, &ready, 1,
				    clock_ns() + LAG_NS, err);
	}
	return r;
}

static int publish(struct aws_upload *s, struct publish *p, struct publish_places *places, struct error *err)
{
	char date[DATE_SIZE];
	int r;

	/* Ready goes before the parameters: they are what the world follows. */
	if ((r = publish_copies(s->aws, p, places, err)) < 0 ||
	    (r = publish_share(s->aws, p, places, err)) < 0 ||
	    (r = set_deprecation(s, places, p, date, err)) < 0 ||
	    (r = publish_deprecate(s->aws, p, places, err)) < 0 ||
	    (r = publish_protect(s->aws, p, places, err)) < 0 || (r = tag_ready(s, places, err)) < 0 ||
	    (r = publish_parameters(s->aws, p, places, err)) < 0)
		return r;
	for (size_t i = 0; i < places->len; i++)
		upload_add_place(s->u, places->list[i].region, places->list[i].image.id,
				 places->list[i].image.snapshot)
			->made = !s->u->result.already;
	return s->journal ? journal_set_phase(s->journal, JOURNAL_READY, err) : 0;
}

int aws_finish(struct aws_upload *s, struct error *err)
{
	const struct upload_settings *set = &s->u->settings;
	_cleanup_places_ struct publish_places places = {0};
	_cleanup_(free_shares) struct shares shares = {.everyone = false};
	_cleanup_strlist_ struct strlist parameters = {0};
	_cleanup_free_ struct publish_region *regions = NULL;
	_cleanup_free_ char *parameter = NULL;
	struct publish p = {.image = s->image,
			    .name = s->u->result.name,
			    .description = set->description,
			    .tags = s->tags,
			    .tag_count = AWS_TAG_COUNT,
			    .protect = set->protect,
			    .parameters = &parameters,
			    .on_event = say};
	int r;

	r = sort_shares(set->share, &shares, err);
	if (r == 0 && set->parameter)
		r = publish_parameter_name(set->parameter, s->u->image.m->name, s->u->image.m->arch,
					   s->u->image.m->version, &parameter, err);
	if (r < 0)
		return r;
	if (parameter)
		strlist_add(&parameters, parameter);
	regions = list_regions(s, &p.region_count);
	p.regions = regions;
	p.share = (struct ec2_share){&shares.accounts, &shares.organizations, &shares.units, shares.everyone};
	return publish(s, &p, &places, err);
}
