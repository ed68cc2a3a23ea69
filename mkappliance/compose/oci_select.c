/* SPDX-License-Identifier: Apache-2.0 */
/* From index.json to the one manifest that is meant. */
#include <errno.h>
#include <string.h>

#include "compose/oci_image.h"
#include "lib/cleanup.h"

#define VISITS_MAX 256u /* indexes that are read for one choice */
#define LISTED_MAX 12u	/* names in a message */

/* All manifests that indexes lead to. */
struct search {
	const struct oci_store *store;
	const struct oci_wish *wish;
	struct oci_choice *list;
	size_t len;
	size_t cap;
	unsigned visits;
};

void oci_choice_free(struct oci_choice *c)
{
	oci_descriptor_free(&c->manifest);
	*c = (struct oci_choice){0};
}

static void search_free(struct search *s)
{
	for (size_t i = 0; i < s->len; i++)
		oci_choice_free(&s->list[i]);
	free(s->list);
}

bool oci_has_checksum(const struct oci_wish *wish, const struct sha256 *digest)
{
	char hex[SHA256_HEX_SIZE];

	hex_encode(digest->b, sizeof(digest->b), hex);
	return wish->checksum && strcasecmp(wish->checksum + strlen(OCI_DIGEST_PREFIX), hex) == 0;
}

void oci_platform_text(const struct oci_platform *p, struct buf *out)
{
	buf_printf(out, "%.40s/%.40s", p->os ? p->os : "?", p->architecture ? p->architecture : "?");
	if (p->variant && *p->variant)
		buf_printf(out, "/%.40s", p->variant);
}

bool oci_platform_fits(const struct oci_platform *p, enum architecture arch)
{
	static const char *const names[] = {[ARCH_X86_64] = "amd64", [ARCH_ARM64] = "arm64"};
	static const char *const variants[] = {[ARCH_X86_64] = "v1", [ARCH_ARM64] = "v8"};

	if ((p->os && strcmp(p->os, "linux") != 0) ||
	    (p->architecture && strcmp(p->architecture, names[arch]) != 0))
		return false;
	return !p->variant || !*p->variant || strcmp(p->variant, variants[arch]) == 0;
}

static char *copy(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

/* The names of an index hold for what it leads to. */
static void add(struct search *s, const struct oci_descriptor *d, const struct oci_descriptor *named,
		bool pinned)
{
	struct oci_choice *c;

	array_grow(s->list, s->len, s->cap);
	c = &s->list[s->len++];
	*c = (struct oci_choice){.manifest = *d, .pinned = pinned};
	c->manifest.media_type = copy(d->media_type);
	c->manifest.platform = (struct oci_platform){copy(d->platform.os), copy(d->platform.architecture),
						     copy(d->platform.variant)};
	for (size_t i = 0; i < 2; i++)
		c->manifest.names[i] = copy(named->names[i]);
}

static int follow(struct search *s, const struct oci_index *index, const struct oci_descriptor *named,
		  bool pinned, unsigned depth, struct error *err);

/* Into the index @d. */
static int enter(struct search *s, const struct oci_descriptor *d, const struct oci_descriptor *named,
		 bool pinned, unsigned depth, struct error *err)
{
	_cleanup_oci_index_ struct oci_index index = {0};
	_cleanup_free_ char *path = oci_blob_path(&d->digest);
	_cleanup_buf_ struct buf text = {0};
	int r;

	if (depth >= OCI_DEPTH_MAX || s->visits++ >= VISITS_MAX)
		return error_set(err, -ELOOP,
				 "%s: its indexes lead to more than %u others, or deeper than %u",
				 s->store->name, VISITS_MAX, OCI_DEPTH_MAX);
	r = oci_store_document(s->store, d, &text, err);
	if (r == 0 && oci_index_parse(text.ptr, text.len, path, &index, err) < 0)
		r = error_prefix(err, "%s", s->store->name);
	return r < 0 ? r : follow(s, &index, named, pinned, depth + 1, err);
}

static bool is_attestation(const struct oci_descriptor *d)
{
	return d->platform.os && strcmp(d->platform.os, "unknown") == 0;
}

/* @named: whose names hold; NULL: each has its own. */
static int follow(struct search *s, const struct oci_index *index, const struct oci_descriptor *named,
		  bool pinned, unsigned depth, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < index->len; i++) {
		const struct oci_descriptor *d = &index->list[i];
		const struct oci_descriptor *name = named ? named : d;
		bool pin = pinned || oci_has_checksum(s->wish, &d->digest);

		if (d->kind == OCI_INDEX)
			r = enter(s, d, name, pin, depth, err);
		else if (d->kind == OCI_OLD_MANIFEST)
			r = error_set(err, -EINVAL,
				      "%s: holds an image in Docker's schema 1; convert it: skopeo copy "
				      "--format=oci",
				      s->store->name);
		else if (d->kind == OCI_MANIFEST && !is_attestation(d))
			add(s, d, name, pin);
	}
	return r;
}

/* "nginx" means "nginx:latest" too, as "1.0" means "docker.io/x/y:1.0". */
static bool is_called(const char *have, const char *want)
{
	size_t n = have ? strlen(have) : 0, w = strlen(want);

	if (!have)
		return false;
	if (strcmp(have, want) == 0)
		return true;
	if (n > w + 1 && strcmp(have + n - w, want) == 0 &&
	    (have[n - w - 1] == ':' || have[n - w - 1] == '/'))
		return true;
	return strncmp(have, want, w) == 0 && strcmp(have + w, ":latest") == 0;
}

static bool has_name(const struct oci_choice *c, const char *name, bool exact)
{
	for (size_t i = 0; i < 2; i++) {
		const char *have = c->manifest.names[i];

		if (exact ? have && strcmp(have, name) == 0 : is_called(have, name))
			return true;
	}
	return false;
}

/* Keeps those for which @keep is true; false, and nothing changes, when there are none. */
static bool narrow(struct search *s, bool (*keep)(const struct oci_choice *c, const struct oci_wish *wish))
{
	size_t kept = 0;

	for (size_t i = 0; i < s->len; i++)
		kept += keep(&s->list[i], s->wish);
	if (kept == 0)
		return false;
	kept = 0;
	for (size_t i = 0; i < s->len; i++) {
		if (keep(&s->list[i], s->wish))
			s->list[kept++] = s->list[i];
		else
			oci_choice_free(&s->list[i]);
	}
	s->len = kept;
	return true;
}

static bool called_exactly(const struct oci_choice *c, const struct oci_wish *wish)
{
	return has_name(c, wish->name, true);
}

static bool called(const struct oci_choice *c, const struct oci_wish *wish)
{
	return has_name(c, wish->name, false);
}

static bool is_pinned(const struct oci_choice *c, const struct oci_wish *wish)
{
	(void)wish;
	return c->pinned;
}

static bool fits(const struct oci_choice *c, const struct oci_wish *wish)
{
	return oci_platform_fits(&c->manifest.platform, wish->arch);
}

/* "'a', 'b' and others" of what there is, each once. To be freed. */
static char *list_all(const struct search *s, bool platforms)
{
	_cleanup_strlist_ struct strlist all = {0};
	_cleanup_buf_ struct buf out = {0};

	for (size_t i = 0; i < s->len; i++) {
		const struct oci_descriptor *d = &s->list[i].manifest;
		_cleanup_buf_ struct buf b = {0};
		size_t n = 0;

		if (platforms)
			oci_platform_text(&d->platform, &b);
		else if (d->names[0] || d->names[1])
			buf_printf(&b, "%.100s", d->names[d->names[1] ? 1 : 0]);
		else
			buf_printf(&b, "(no name)");
		while (n < all.len && strcmp(all.ptr[n], b.ptr) != 0)
			n++;
		if (n == all.len)
			strlist_add(&all, b.ptr);
	}
	for (size_t i = 0; i < all.len && i < LISTED_MAX; i++)
		buf_printf(&out, "%s'%s'", i ? ", " : "", all.ptr[i]);
	if (all.len > LISTED_MAX)
		buf_printf(&out, " and %zu more", all.len - LISTED_MAX);
	return buf_steal(&out);
}

static bool all_same(const struct search *s)
{
	for (size_t i = 1; i < s->len; i++)
		if (memcmp(&s->list[i].manifest.digest, &s->list[0].manifest.digest, SHA256_SIZE) != 0)
			return false;
	return true;
}

/* Of all that there is, the one that is meant. */
static int choose(struct search *s, struct error *err)
{
	const struct oci_wish *wish = s->wish;
	_cleanup_free_ char *names = list_all(s, false), *platforms = NULL;

	if (s->len == 0)
		return error_set(err, -EINVAL, "%s: holds no image", s->store->name);
	if (wish->name && !narrow(s, called_exactly) && !narrow(s, called))
		return error_usage(err, "%s: holds no image '%s', but %s", s->store->name, wish->name, names);
	if (wish->checksum && !narrow(s, is_pinned))
		return error_refuse(err, "%s: nothing in it has the digest of [Base] Checksum=%s",
				    s->store->name, wish->checksum);
	platforms = list_all(s, true);
	if (!narrow(s, fits))
		return error_usage(err, "%s: has no image for linux/%s (Architecture=%s), but for %s",
				   s->store->name, wish->arch == ARCH_ARM64 ? "arm64" : "amd64",
				   architecture_name(wish->arch), platforms);
	if (!all_same(s))
		return error_usage(err, "%s: holds several images: %s; say which: Image=PATH:NAME",
				   s->store->name, names);
	return 0;
}

int oci_select(const struct oci_store *store, const struct oci_wish *wish, struct oci_choice *ret,
	       struct error *err)
{
	_cleanup_(search_free) struct search s = {.store = store, .wish = wish};
	_cleanup_oci_index_ struct oci_index index = {0};
	_cleanup_buf_ struct buf text = {0};
	int r = oci_store_read(store, "index.json", &text, err);

	if (r == 0 && oci_index_parse(text.ptr, text.len, "index.json", &index, err) < 0)
		r = error_prefix(err, "%s", store->name);
	if (r == 0)
		r = follow(&s, &index, NULL, false, 0, err);
	if (r == 0)
		r = choose(&s, err);
	if (r < 0)
		return r;
	*ret = s.list[0];
	s.list[0] = (struct oci_choice){0};
	return 0;
}
