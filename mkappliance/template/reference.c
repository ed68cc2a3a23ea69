/* SPDX-License-Identifier: Apache-2.0 */
#include "template/reference.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/mem.h"

#define NAME_MAX_LENGTH 1024
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:/@+"

void reference_free(struct reference *r)
{
	free(r->path);
	free(r->name);
	*r = (struct reference){0};
}

/* What can go to skopeo as one word that is not an option. */
static int check_name(const char *name, const char *value, struct error *err)
{
	size_t len = strlen(name);

	if (len == 0 || len > NAME_MAX_LENGTH || strspn(name, NAME_CHARACTERS) != len || *name == '-')
		return error_usage(err, "'%s': '%s' is not the name of an image, such as nginx:1.27", value,
				   name);
	return 0;
}

static int parse_registry(const char *value, struct reference *ret, struct error *err)
{
	int r = check_name(value + strlen(REFERENCE_REGISTRY), value, err);

	if (r < 0)
		return r;
	*ret = (struct reference){.registry = true, .path = xstrdup(value)};
	return 0;
}

int reference_parse(const char *dir, const char *value, struct reference *ret, struct error *err)
{
	if (strncmp(value, REFERENCE_REGISTRY, strlen(REFERENCE_REGISTRY)) == 0)
		return parse_registry(value, ret, err);
	for (const char *end = value + strcspn(value, ":");; end += 1 + strcspn(end + 1, ":")) {
		_cleanup_free_ char *path = *value == '/'
						    ? xstrndup(value, (size_t)(end - value))
						    : xasprintf("%s/%.*s", dir, (int)(end - value), value);

		if (end > value && access(path, F_OK) == 0) {
			int r = *end ? check_name(end + 1, value, err) : 0;

			if (r < 0)
				return r;
			*ret = (struct reference){.path = steal_pointer(&path),
						  .name = *end ? xstrdup(end + 1) : NULL};
			return 0;
		}
		if (!*end)
			return error_usage(
				err,
				"'%s': neither an OCI layout or archive nor docker://NAME:TAG; there "
				"is no file or directory of that name",
				value);
	}
}
