/* SPDX-License-Identifier: Apache-2.0 */
#include "template/setters.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "template/values.h"

void *setter_field(const struct parse *p, const struct key *key)
{
	return key->service ? (char *)p->service + key->field : (char *)p->t + key->field;
}

int setter_check(const struct key *key, const char *value, struct error *err)
{
	return key->check ? key->check(value, err) : 0;
}

int set_string(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	int r = setter_check(key, value, err);

	if (r < 0)
		return r;
	*(char **)setter_field(p, key) = xstrdup(value);
	return 0;
}

int set_words(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	_cleanup_strlist_ struct strlist words = {0};
	int r = value_split(value, &words, err);

	for (size_t i = 0; r >= 0 && i < words.len; i++)
		r = setter_check(key, words.ptr[i], err);
	for (size_t i = 0; r >= 0 && i < words.len; i++)
		strlist_add(setter_field(p, key), words.ptr[i]);
	return r;
}

int set_line(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	int r = setter_check(key, value, err);

	if (r < 0)
		return r;
	strlist_add(setter_field(p, key), value);
	return 0;
}

/* ---- paths of the host ---- */

static char *absolute_path(const struct parse *p, const char *value)
{
	return *value == '/' ? xstrdup(value) : xasprintf("%s/%s", p->t->dir, value);
}

static bool has_suffix(const char *s, const char *suffix)
{
	size_t len = strlen(s), n = strlen(suffix);

	return len > n && strcmp(s + len - n, suffix) == 0;
}

static bool is_package_name(const char *path)
{
	static const char *const suffixes[] = {".deb",	  ".rpm",    ".apk",	".tar",
					       ".tar.gz", ".tar.xz", ".tar.zst"};

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		if (has_suffix(path, suffixes[i]))
			return true;
	return false;
}

int path_must_be(const char *path, enum path_kind kind, struct error *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return error_usage(err, "'%s': %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return error_usage(err, "'%s' is neither a file nor a directory", path);
	if (kind == PATH_FILE && !S_ISREG(st.st_mode))
		return error_usage(err, "'%s' is a directory, a file was expected", path);
	if (kind == PATH_DIRECTORY && !S_ISDIR(st.st_mode))
		return error_usage(err, "'%s' is a file, a directory was expected", path);
	if (kind == PATH_PACKAGE && S_ISREG(st.st_mode) && !is_package_name(path))
		return error_usage(
			err,
			"'%s' is no package: .deb, .rpm, .apk, .tar, .tar.gz, .tar.xz, .tar.zst or a directory",
			path);
	if (access(path, R_OK) < 0)
		return error_usage(err, "'%s': %s", path, strerror(errno));
	return 0;
}

int setter_path(const struct parse *p, const struct key *key, const char *value, char **ret,
		struct error *err)
{
	_cleanup_free_ char *path = absolute_path(p, value);

	if (p->look_for_files) {
		int r = path_must_be(path, key->kind, err);

		if (r < 0)
			return r;
	}
	*ret = steal_pointer(&path);
	return 0;
}

int set_path(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	return setter_path(p, key, value, setter_field(p, key), err);
}

int set_private_key(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	/* RFC 7512. */
	if (strncmp(value, "pkcs11:", strlen("pkcs11:")) == 0)
		return set_string(p, key, value, err);
	return set_path(p, key, value, err);
}

int set_path_list(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	int r = setter_path(p, key, value, &path, err);

	if (r < 0)
		return r;
	strlist_add(setter_field(p, key), path);
	return 0;
}

/* ---- numbers and choices ---- */

int set_choice(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	unsigned i;
	int r;

	_Static_assert(sizeof(enum base_source) == sizeof(i), "the enums are set through unsigned");
	r = value_choice(value, key->choices, &i, err);
	if (r < 0)
		return r;
	memcpy(setter_field(p, key), &i, sizeof(i));
	return 0;
}

int set_number(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	uint64_t n;
	int r = value_number(value, key->min, key->max, &n, err);

	if (r < 0)
		return r;
	*(unsigned *)setter_field(p, key) = (unsigned)n;
	return 0;
}

int set_seconds(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	return value_seconds(value, key->min, key->max, setter_field(p, key), err);
}

int set_mebibytes(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	return value_mebibytes(value, key->min, key->max, setter_field(p, key), err);
}

int set_epoch(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	uint64_t n;
	int r = value_number(value, key->min, key->max, &n, err);

	if (r < 0)
		return r;
	*(int64_t *)setter_field(p, key) = (int64_t)n;
	return 0;
}

int set_signal(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	return value_signal(value, setter_field(p, key), err);
}

int set_answer(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	unsigned i;
	int r = value_choice(value, key->choices, &i, err);

	if (r < 0)
		return r;
	*(bool *)setter_field(p, key) = i != 0;
	return 0;
}

int set_status(struct parse *p, const struct key *key, const char *value, struct error *err)
{
	uint64_t port;
	int r = *value == ':' ? value_number(value + 1, 1, 65535, &port, err)
			      : error_usage(err, "'%s' is not :PORT, such as :9000", value);

	if (r < 0)
		return r;
	*(unsigned *)setter_field(p, key) = (unsigned)port;
	return 0;
}
