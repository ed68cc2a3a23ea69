/* SPDX-License-Identifier: Apache-2.0 */
/* The partition root-verity-sig. */
#include <string.h>

#include "check/verify_internal.h"
#include "image/root_signature.h"
#include "image/sign.h"
#include "lib/cleanup.h"
#include "lib/io.h"

#define NAME "root signature"

/* What is wrong with it, to be freed; NULL: nothing. */
static char *difference(const struct verify *v, const struct root_signature *s)
{
	if (memcmp(&s->root_hash, &v->m->root_hash, sizeof(s->root_hash)) != 0)
		return xstrdup("it is of another root hash");
	if (memcmp(&s->certificate, &v->m->signature.certificate, sizeof(s->certificate)) != 0)
		return xstrdup("it is by another certificate than the manifest says");
	return NULL;
}

/* As it was built, but by whom? */
static void report_signer(struct verify *v, const struct root_signature *s)
{
	struct error bad = ERROR_INIT;
	char hex[SHA256_HEX_SIZE];

	hex_encode(v->m->root_hash.b, SHA256_SIZE, hex);
	if (v->certificate && verify_detached(s->der.ptr, s->der.len, hex, strlen(hex), v->certificate->ptr,
					      v->certificate->len, "PKCS#7", &bad) < 0) {
		report_bad(v, NAME, "%s", bad.text);
		return;
	}
	hex_encode(s->certificate.b, SHA256_SIZE, hex);
	report_ok(v, NAME, v->certificate ? "by the key of the certificate %s" : "names the certificate %s",
		  hex);
}

int verify_signature(struct verify *v, struct error *err)
{
	const struct partition *p = &v->m->layout.part[PART_SIGNATURE];
	_cleanup_root_signature_ struct root_signature s = {0};
	_cleanup_free_ char *what = NULL, *bytes = NULL;
	struct error bad = ERROR_INIT;
	int r;

	if (!v->m->signature.there) {
		if (v->certificate)
			report_bad(v, NAME, "the root hash is not signed");
		return 0;
	}
	bytes = xmalloc(p->used); /* at most ABI_SIGNATURE_MAX: manifest_read() */
	r = io_pread_full(v->fd, v->name, bytes, p->used, p->offset, err);
	if (r < 0)
		return r;
	if (root_signature_parse(bytes, p->used, p->name, &s, &bad) < 0)
		what = xstrdup(bad.text);
	else
		what = difference(v, &s);
	if (what) {
		report_bad(v, NAME, "%s", what);
		report_place(v, p->name, 0, NULL);
		return 0;
	}
	report_signer(v, &s);
	return 0;
}
