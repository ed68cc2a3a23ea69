/* SPDX-License-Identifier: Apache-2.0 */
/* The member "inputs" of the manifest, both ways. */
#include <errno.h>
#include <stddef.h>

#include "image/manifest.h"
#include "lib/cleanup.h"

#define SIZE_MAX_ (INT64_C(1) << 50)

/* The texts of an input. */
static const struct field {
	const char *name;
	size_t offset;
	bool needed;
} fields[] = {
	{"kind", offsetof(struct compose_input, kind), true},
	{"name", offsetof(struct compose_input, name), true},
	{"package", offsetof(struct compose_input, package), false},
	{"version", offsetof(struct compose_input, version), false},
	{"arch", offsetof(struct compose_input, arch), false},
	{"repository", offsetof(struct compose_input, repository), false},
	{"license", offsetof(struct compose_input, license), false},
	{"vendor", offsetof(struct compose_input, vendor), false},
};
#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

static char **field_of(struct compose_input *in, size_t i)
{
	return (char **)((char *)in + fields[i].offset);
}

struct json *manifest_inputs_json(const struct manifest *m)
{
	struct json *list = js_array_new();

	for (size_t i = 0; i < m->input_count; i++) {
		struct json *j = js_object_new();

		for (size_t f = 0; f < FIELD_COUNT; f++)
			if (*field_of(&m->inputs[i], f))
				js_set_string(j, fields[f].name, *field_of(&m->inputs[i], f));
		js_set_bytes(j, "sha256", m->inputs[i].digest.b, SHA256_SIZE);
		js_set_int(j, "size", (int64_t)m->inputs[i].size);
		js_append(list, j);
	}
	return list;
}

static int read_input(const struct json *j, struct compose_input *in, struct error *err)
{
	int64_t size = 0;
	int r = 0;

	for (size_t f = 0; r == 0 && f < FIELD_COUNT; f++) {
		const char *value = NULL;

		if (!fields[f].needed && !js_get(j, fields[f].name))
			continue;
		r = js_need_string(j, fields[f].name, &value, err);
		if (r == 0)
			*field_of(in, f) = xstrdup(value);
	}
	if (r < 0 || (r = js_need_bytes(j, "sha256", in->digest.b, SHA256_SIZE, err)) < 0 ||
	    (r = js_need_int(j, "size", 0, SIZE_MAX_, &size, err)) < 0)
		return r;
	in->size = (uint64_t)size;
	return 0;
}

int manifest_inputs_read(const struct json *list, struct manifest *m, struct error *err)
{
	if (!js_is_array(list))
		return error_set(err, -EINVAL, "'inputs' is missing or not a list");
	m->inputs = xcalloc(js_array_len(list) + 1, sizeof(*m->inputs));
	for (size_t i = 0; i < js_array_len(list); i++) {
		int r = read_input(js_array_get(list, i), &m->inputs[m->input_count++], err);

		if (r < 0)
			return error_prefix(err, "inputs[%zu]", i);
	}
	return 0;
}

void manifest_add_input(struct manifest *m, const struct compose_input *from, const char *name)
{
	struct compose_input *to = &m->inputs[m->input_count++];

	*to = (struct compose_input){.digest = from->digest, .size = from->size};
	for (size_t f = 0; f < FIELD_COUNT; f++) {
		const char *value = *field_of((struct compose_input *)(uintptr_t)from, f);

		*field_of(to, f) = value ? xstrdup(value) : NULL;
	}
	free(to->name);
	to->name = xstrdup(name);
}
