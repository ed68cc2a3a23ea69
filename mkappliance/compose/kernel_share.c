/* SPDX-License-Identifier: Apache-2.0 */
#include "compose/kernel_share.h"

#include <string.h>

#include "lib/cleanup.h"

struct share {
	struct kernel_module *list;
	size_t len;
	struct strlist *needs; /* of each: the names of what it needs, and its own; sorted */
};

static bool needs(const struct share *s, size_t module, size_t other)
{
	return module != other && strlist_has(&s->needs[module], s->list[other].name);
}

static int find_needs(struct share *s, struct modules *m, struct error *err)
{
	int r = 0;

	s->needs = xcalloc(s->len, sizeof(*s->needs));
	for (size_t i = 0; r == 0 && i < s->len; i++)
		r = modules_needs(m, s->list[i].name, false, &s->needs[i], err);
	return r;
}

static bool is_side(const struct share *s, const char *const *side, size_t module)
{
	for (; *side; side++)
		for (size_t i = 0; i < s->len; i++)
			if (strcmp(s->list[i].name, *side) == 0 && (i == module || needs(s, i, module)))
				return true;
	return false;
}

static void mark_side(struct share *s, const char *const *side)
{
	for (size_t i = 0; i < s->len; i++)
		if (is_side(s, side, i))
			s->list[i].turn = MODULE_SIDE;
	for (size_t i = 0; i < s->len; i++)
		for (size_t j = 0; j < s->len; j++)
			if (s->list[i].turn == MODULE_MAIN && s->list[j].turn == MODULE_SIDE &&
			    needs(s, i, j)) {
				for (size_t k = 0; k < s->len; k++)
					s->list[k].turn = MODULE_MAIN;
				return;
			}
}

/* @module needs @other, which needs nothing and which nothing before @module needs. */
static bool is_lonely(const struct share *s, size_t module, size_t other)
{
	if (s->list[other].turn != MODULE_MAIN || !needs(s, module, other) || s->needs[other].len != 1)
		return false;
	for (size_t i = 0; i < module; i++)
		if (needs(s, i, other))
			return false;
	return true;
}

/*
 * The first module that needs some lonely ones and others: the lonely can be loaded beside the others, and from it on all wait for both.
 * Only what it needs is taken: who asks for another by name, as for a checksum, has no line about it in modules.dep and keeps its place.
 */
static void mark_first(struct share *s)
{
	for (size_t i = 0; i < s->len; i++) {
		size_t lonely = 0, all = 0;

		for (size_t j = 0; j < i; j++) {
			lonely += is_lonely(s, i, j);
			all += needs(s, i, j);
		}
		if (s->list[i].turn != MODULE_MAIN || lonely == 0 || all == lonely)
			continue;
		for (size_t j = 0; j < i; j++)
			if (is_lonely(s, i, j))
				s->list[j].turn = MODULE_FIRST;
		for (size_t j = i; j < s->len; j++)
			if (s->list[j].turn == MODULE_MAIN)
				s->list[j].turn = MODULE_LAST;
		return;
	}
}

/* One that needs others could not be loaded before them. */
static void mark_hash(struct share *s, const char *const *hash)
{
	for (; *hash; hash++)
		for (size_t i = 0; i < s->len; i++)
			if (strcmp(s->list[i].name, *hash) == 0 && s->list[i].turn == MODULE_SIDE &&
			    s->needs[i].len == 1)
				s->list[i].turn = MODULE_HASH;
}

int kernel_share(struct modules *m, const char *const *side, const char *const *hash,
		 struct kernel_module *list, size_t len, struct error *err)
{
	struct share s = {.list = list, .len = len};
	int r = find_needs(&s, m, err);

	if (r == 0) {
		mark_side(&s, side);
		mark_first(&s);
		mark_hash(&s, hash);
	}
	for (size_t i = 0; i < len; i++)
		strlist_free(&s.needs[i]);
	free(s.needs);
	return r;
}
