/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A unit, read as [Init] Unit= reads it. What lies behind the first NUL byte is the file of its EnvironmentFile=. Whatever it says,
 * the result is one that a template could have said.
 */
#include <assert.h>
#include <string.h>

#include "compose/unit_start.h"
#include "lib/cleanup.h"

#define TEMPLATE \
	"[Appliance]\nName=f\nVersion=1\n[Base]\nSource=none\n[Kernel]\nImage=k\n[Init]\nUnit=f-uzz@x.service\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void add_file(struct layer *l, const char *path, const void *data, size_t len, mode_t mode)
{
	layer_add(l, entry_new_file(path, mode, data, len), NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char passwd[] = "root:x:0:0::/root:/bin/sh\napp:x:101:102::/srv:/bin/sh\n",
			  group[] = "app:x:102:\n";
	const uint8_t *end = len ? memchr(data, 0, len) : NULL;
	size_t unit_len = end ? (size_t)(end - data) : len;
	_cleanup_template_ struct template *t = NULL;
	_cleanup_merge_ struct merge *m = merge_new();
	_cleanup_layer_ struct layer l = LAYER_INIT;
	struct error err = ERROR_INIT;

	l.name = xstrdup("fuzz");
	add_file(&l, "etc/passwd", passwd, strlen(passwd), 0644);
	add_file(&l, "etc/group", group, strlen(group), 0644);
	add_file(&l, "etc/env", end ? end + 1 : data, end ? len - unit_len - 1 : 0, 0644);
	add_file(&l, "usr/bin/app", "x", 1, 0755);
	add_file(&l, "usr/lib/systemd/system/f-uzz@.service", data, unit_len, 0644);
	if (merge_layer(m, &l, 0, 0, &err) < 0 ||
	    template_parse(TEMPLATE, strlen(TEMPLATE), "f", "/", &t, &err) < 0)
		abort();
	if (unit_start(t, m, 1, &err) < 0) {
		assert(err.text[0]);
		return 0;
	}
	assert(t->init.app.exec.len > 0 && t->init.app.exec.ptr[0][0] == '/');
	assert(t->init.app.working_directory[0] == '/' && t->init.app.stop_signal > 0 &&
	       t->init.app.stop_signal <= 64);
	for (size_t i = 0; i < t->init.app.before.len; i++)
		assert(t->init.app.before.ptr[i].argv.ptr[0][0] == '/');
	for (size_t i = 0; i < t->init.app.environment.len; i++)
		assert(strchr(t->init.app.environment.ptr[i], '='));
	return 0;
}
