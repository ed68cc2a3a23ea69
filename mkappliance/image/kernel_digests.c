/* SPDX-License-Identifier: Apache-2.0 */
#include "image/kernel_digests.h"

#include <stdlib.h>

#include "image/authenticode.h"
#include "image/pe.h"
#include "lib/cleanup.h"

static int work(void *user, struct error *err)
{
	struct kernel_digests *d = user;
	const struct hash_part content = {d->image, d->len};
	_cleanup_free_ struct pe *pe = xcalloc(1, sizeof(*pe));
	struct authenticode a;
	int r = pe_parse(d->image, d->len, "kernel", pe, err);

	if (r == 0)
		r = authenticode_open(pe, "kernel", &a, err);
	if (r < 0)
		return r;
	authenticode_digest(&a, &d->program);
	bank_digest_of(&content, 1, &d->content);
	return 0;
}

void kernel_hashing_of(void *user, const struct kernel *k)
{
	struct kernel_hashing *h = user;

	kernel_hashing_end(h);
	if (!k)
		return;
	h->digests = (struct kernel_digests){.image = k->image, .len = k->image_len};
	background_start(&h->work, work, &h->digests);
}

const struct kernel_digests *kernel_hashing_wait(struct kernel_hashing *h)
{
	struct error err = ERROR_INIT;

	if (background_wait(&h->work, &err) < 0)
		h->digests = (struct kernel_digests){0};
	return h->digests.image ? &h->digests : NULL;
}

void kernel_hashing_end(struct kernel_hashing *h)
{
	background_end(&h->work);
	h->digests = (struct kernel_digests){0};
}
