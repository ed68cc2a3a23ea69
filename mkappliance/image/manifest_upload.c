/* SPDX-License-Identifier: Apache-2.0 */
/* The member "upload" of the manifest: where 'mkappliance upload' sends the image unless its options say otherwise. */
#include <errno.h>
#include <string.h>

#include "image/manifest.h"
#include "lib/cleanup.h"

#define MAX_NAMES 64
#define MAX_NAME  512
#define MAX_DAYS  3650

static char *copy_string(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

static void copy_list(const struct strlist *from, struct strlist *to)
{
	for (size_t i = 0; i < from->len; i++)
		strlist_add(to, from->ptr[i]);
}

void manifest_set_upload(struct manifest *m, const struct template *t)
{
	struct manifest_upload *u = &m->upload;

	manifest_upload_free(u);
	u->provider = copy_string(t->upload.provider);
	u->parameter = copy_string(t->upload.parameter);
	u->connect = copy_string(t->upload.connect);
	u->pool = copy_string(t->upload.pool);
	copy_list(&t->upload.regions, &u->regions);
	copy_list(&t->upload.kms_keys, &u->kms_keys);
	copy_list(&t->upload.share, &u->share);
	u->encrypt = t->upload.encrypt;
	u->protect = t->upload.protect;
	u->deprecate_days = t->upload.deprecate_days;
}

static void set_list(struct json *j, const char *key, const struct strlist *list)
{
	struct json *array;

	if (list->len == 0)
		return;
	array = js_array_new();
	for (size_t i = 0; i < list->len; i++)
		js_append_string(array, list->ptr[i]);
	js_set(j, key, array);
}

struct json *manifest_upload_json(const struct manifest_upload *u)
{
	struct json *j;

	if (!u->provider && !u->parameter && !u->connect && !u->pool && !u->encrypt && !u->protect &&
	    !u->deprecate_days && u->regions.len + u->kms_keys.len + u->share.len == 0)
		return NULL;
	j = js_object_new();
	if (u->provider)
		js_set_string(j, "provider", u->provider);
	set_list(j, "regions", &u->regions);
	set_list(j, "kms_keys", &u->kms_keys);
	set_list(j, "share", &u->share);
	if (u->parameter)
		js_set_string(j, "parameter", u->parameter);
	if (u->connect)
		js_set_string(j, "connect", u->connect);
	if (u->pool)
		js_set_string(j, "pool", u->pool);
	if (u->encrypt)
		js_set_bool(j, "encrypt", true);
	if (u->protect)
		js_set_bool(j, "protect", true);
	if (u->deprecate_days)
		js_set_int(j, "deprecate_days", u->deprecate_days);
	return j;
}

/* What the template lets through too: it goes into requests. */
static int check_name(const char *key, const char *text, struct error *err)
{
	size_t len = text ? strlen(text) : 0;

	if (len == 0 || len > MAX_NAME)
		return error_set(err, -EINVAL, "'%s': names of 1 to %d characters are expected", key,
				 MAX_NAME);
	for (const char *p = text; *p; p++)
		if (*p <= ' ' || *p > '~' || *p == '"')
			return error_set(err, -EINVAL, "'%s': '%s' is no name", key, text);
	return 0;
}

static int read_name(const struct json *j, const char *key, char **ret, struct error *err)
{
	const struct json *value = js_member(j, key);
	int r;

	if (!value)
		return 0;
	r = check_name(key, js_string(value), err);
	if (r == 0)
		*ret = xstrdup(js_string(value));
	return r;
}

static int read_list(const struct json *j, const char *key, struct strlist *ret, struct error *err)
{
	const struct json *list = js_member(j, key);

	if (!list)
		return 0;
	if (!js_is_array(list) || js_array_len(list) == 0 || js_array_len(list) > MAX_NAMES)
		return error_set(err, -EINVAL, "'%s': a list of 1 to %d names is expected", key, MAX_NAMES);
	for (size_t i = 0; i < js_array_len(list); i++) {
		const char *text = js_string(js_array_get(list, i));
		int r = check_name(key, text, err);

		if (r < 0)
			return r;
		strlist_add(ret, text);
	}
	return 0;
}

/* Only true is written. */
static int read_flag(const struct json *j, const char *key, bool *ret, struct error *err)
{
	const struct json *value = js_member(j, key);

	if (value && (!js_bool(value, ret) || !*ret))
		return error_set(err, -EINVAL, "'%s': true is expected, or nothing", key);
	return 0;
}

static int read_days(const struct json *j, unsigned *ret, struct error *err)
{
	int64_t days;
	int r;

	if (!js_member(j, "deprecate_days"))
		return 0;
	r = js_need_int(j, "deprecate_days", 1, MAX_DAYS, &days, err);
	if (r == 0)
		*ret = (unsigned)days;
	return r;
}

int manifest_upload_read(const struct json *j, struct manifest_upload *ret, struct error *err)
{
	struct manifest_upload u = {0};
	int r = 0;

	if (!j)
		return 0;
	if (!js_is_object(j))
		return error_set(err, -EINVAL, "'upload' is not an object");
	if ((r = read_name(j, "provider", &u.provider, err)) < 0 ||
	    (r = read_list(j, "regions", &u.regions, err)) < 0 ||
	    (r = read_list(j, "kms_keys", &u.kms_keys, err)) < 0 ||
	    (r = read_list(j, "share", &u.share, err)) < 0 ||
	    (r = read_name(j, "parameter", &u.parameter, err)) < 0 ||
	    (r = read_name(j, "connect", &u.connect, err)) < 0 ||
	    (r = read_name(j, "pool", &u.pool, err)) < 0 ||
	    (r = read_flag(j, "encrypt", &u.encrypt, err)) < 0 ||
	    (r = read_flag(j, "protect", &u.protect, err)) < 0 ||
	    (r = read_days(j, &u.deprecate_days, err)) < 0) {
		manifest_upload_free(&u);
		return error_prefix(err, "upload");
	}
	*ret = u;
	return 0;
}

void manifest_upload_free(struct manifest_upload *u)
{
	free(u->provider);
	free(u->parameter);
	free(u->connect);
	free(u->pool);
	strlist_free(&u->regions);
	strlist_free(&u->kms_keys);
	strlist_free(&u->share);
	*u = (struct manifest_upload){0};
}
