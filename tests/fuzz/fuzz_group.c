/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of a group's state, and a step of the controller on what it let pass. */
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "rollout/controller.h"
#include "rollout/journal.h"

static int read_nothing(void *data, struct fleet_reading **ret, size_t *ret_count, struct error *err)
{
	(void)data;
	(void)err;
	*ret = NULL;
	*ret_count = 0;
	return 0;
}

static int launch(void *data, const char *id, const char *image, struct error *err)
{
	(void)data;
	return error_set(err, -1, "%s of %s", id, image);
}

static int terminate(void *data, const char *id, bool force, struct error *err)
{
	(void)data;
	(void)id;
	(void)force;
	(void)err;
	return 0;
}

/* What was read can be written, and reads the same. */
static void check(const struct group *g)
{
	_cleanup_json_ struct json *j = group_json(g);
	_cleanup_group_ struct group again = {0};
	struct error err = ERROR_INIT;

	if (group_parse(j, "again", &again, &err) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct controller c = {.fleet = {.read = read_nothing, .launch = launch, .terminate = terminate}};
	_cleanup_json_ struct json *j = NULL;
	struct error err = ERROR_INIT;

	if (js_parse((const char *)data, len, "fuzz", &j, &err) < 0 ||
	    group_parse(j, "fuzz", &c.group, &err) < 0)
		return 0;
	check(&c.group);
	for (int64_t now = 1700000000000; now < 1700000010000; now += 1000)
		(void)controller_step(&c, now, &err);
	check(&c.group);
	group_free(&c.group);
	return 0;
}
