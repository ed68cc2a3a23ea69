/* SPDX-License-Identifier: Apache-2.0 */
/* The member "test" of the manifest: what 'mkappliance test' does with the image. */
#include <errno.h>
#include <string.h>

#include "image/manifest.h"

#define DEFAULT_TIMEOUT 120
#define DEFAULT_MEMORY	512
#define DEFAULT_CPUS	1
#define MAX_PROBES	64
#define NVME		"nvme"

static const char *kind_name(const struct template_probe *p)
{
	return p->kind == PROBE_HTTP ? "http" : "tcp";
}

void manifest_set_test(struct manifest *m, const struct template *t)
{
	struct manifest_test test = {.timeout = t->test.timeout,
				     .memory = t->test.memory,
				     .cpus = t->test.cpus,
				     .nvme = t->test.disk == TEST_DISK_NVME};

	test.probes = xcalloc(t->test.len + 1, sizeof(*test.probes));
	for (; test.count < t->test.len; test.count++) {
		struct template_probe *p = &test.probes[test.count];

		*p = t->test.ptr[test.count];
		p->line = 0;
		p->path = p->path ? xstrdup(p->path) : NULL;
		p->body = p->body ? xstrdup(p->body) : NULL;
	}
	manifest_test_free(&m->test);
	m->test = test;
}

struct json *manifest_test_json(const struct manifest_test *t)
{
	struct json *j, *list;

	if (!t->timeout)
		return NULL;
	j = js_object_new();
	list = js_array_new();
	js_set_int(j, "timeout", t->timeout);
	js_set_int(j, "memory", t->memory);
	js_set_int(j, "cpus", t->cpus);
	if (t->nvme)
		js_set_string(j, "disk", NVME);
	for (size_t i = 0; i < t->count; i++) {
		const struct template_probe *p = &t->probes[i];
		struct json *probe = js_object_new();

		js_set_string(probe, "kind", kind_name(p));
		js_set_int(probe, "port", p->port);
		if (p->kind == PROBE_HTTP) {
			js_set_string(probe, "path", p->path);
			js_set_int(probe, "status", p->status);
			if (p->body)
				js_set_string(probe, "body", p->body);
		}
		js_append(list, probe);
	}
	js_set(j, "probes", list);
	return j;
}

/* A path goes into a URL and a request: printable ASCII that begins with a slash. */
static int check_path(const char *path, struct error *err)
{
	bool ok = path[0] == '/';

	for (const char *p = path; *p; p++)
		ok &= *p > ' ' && *p < 0x7f;
	return ok ? 0 : error_set(err, -EINVAL, "'path' is '%s', not the path of a URL", path);
}

static int read_probe(const struct json *j, struct template_probe *p, struct error *err)
{
	const char *kind = NULL, *path = NULL;
	int64_t port = 0, status = 200;
	int r;

	if ((r = js_need_string(j, "kind", &kind, err)) < 0 ||
	    (r = js_need_int(j, "port", 1, 65535, &port, err)) < 0)
		return r;
	p->port = (uint16_t)port;
	p->kind = PROBE_TCP;
	if (strcmp(kind, "tcp") == 0)
		return 0;
	p->kind = PROBE_HTTP;
	if (strcmp(kind, "http") != 0)
		return error_set(err, -EINVAL, "'kind' is '%s', known are http and tcp", kind);
	if ((r = js_need_string(j, "path", &path, err)) < 0 || (r = check_path(path, err)) < 0 ||
	    (r = js_need_int(j, "status", 100, 599, &status, err)) < 0)
		return r;
	p->path = xstrdup(path);
	p->status = (int)status;
	if (js_string(js_get(j, "body")))
		p->body = xstrdup(js_string(js_get(j, "body")));
	return 0;
}

static int read_numbers(const struct json *j, struct manifest_test *t, struct error *err)
{
	int64_t timeout = 0, memory = 0, cpus = 0;
	int r;

	if ((r = js_need_int(j, "timeout", 1, 86400, &timeout, err)) < 0 ||
	    (r = js_need_int(j, "memory", 32, 1 << 20, &memory, err)) < 0 ||
	    (r = js_need_int(j, "cpus", 1, 256, &cpus, err)) < 0)
		return r;
	t->timeout = (unsigned)timeout;
	t->memory = (unsigned)memory;
	t->cpus = (unsigned)cpus;
	return 0;
}

/* Who says nothing means virtio. */
static int read_disk(const struct json *j, struct manifest_test *t, struct error *err)
{
	const char *disk = NULL;
	int r = js_get(j, "disk") ? js_need_string(j, "disk", &disk, err) : 0;

	if (r < 0 || !disk)
		return r;
	t->nvme = strcmp(disk, NVME) == 0;
	if (!t->nvme && strcmp(disk, "virtio") != 0)
		return error_set(err, -EINVAL, "'disk' is '%s', known are virtio and nvme", disk);
	return 0;
}

int manifest_test_read(const struct json *j, struct manifest_test *ret, struct error *err)
{
	struct manifest_test t = {.timeout = DEFAULT_TIMEOUT, .memory = DEFAULT_MEMORY, .cpus = DEFAULT_CPUS};
	const struct json *list = js_get(j, "probes");
	int r = 0;

	if (!j) {
		*ret = t;
		return 0;
	}
	if (!js_is_object(j) || !js_is_array(list) || js_array_len(list) > MAX_PROBES)
		return error_set(err, -EINVAL, "'test' is not an object with at most %d 'probes'",
				 MAX_PROBES);
	r = read_numbers(j, &t, err);
	if (r == 0)
		r = read_disk(j, &t, err);
	t.probes = xcalloc(js_array_len(list) + 1, sizeof(*t.probes));
	for (size_t i = 0; r == 0 && i < js_array_len(list); i++) {
		t.count++;
		r = read_probe(js_array_get(list, i), &t.probes[i], err);
		if (r < 0)
			(void)error_prefix(err, "probe %zu", i + 1);
	}
	if (r < 0) {
		manifest_test_free(&t);
		return error_prefix(err, "test");
	}
	*ret = t;
	return 0;
}

void manifest_test_free(struct manifest_test *t)
{
	for (size_t i = 0; i < t->count; i++) {
		free(t->probes[i].path);
		free(t->probes[i].body);
	}
	free(t->probes);
	*t = (struct manifest_test){0};
}
