/* SPDX-License-Identifier: Apache-2.0 */
#include "image/root_signature.h"

#include <errno.h>
#include <string.h>

#include "image/abi.h"
#include "lib/base64.h"
#include "lib/cleanup.h"
#include "lib/json.h"

static bool only_zeros(const uint8_t *p, size_t len)
{
	while (len > 0 && p[len - 1] == 0)
		len--;
	return len == 0;
}

void root_signature_free(struct root_signature *s)
{
	buf_free(&s->der);
	*s = (struct root_signature){0};
}

int root_signature_encode(const struct root_signature *s, struct buf *ret, struct error *err)
{
	_cleanup_json_ struct json *j = js_object_new();
	_cleanup_buf_ struct buf base64 = {0};
	_cleanup_free_ char *text = NULL;
	size_t len;

	base64_add(&base64, s->der.ptr, s->der.len);
	js_set_bytes(j, "rootHash", s->root_hash.b, SHA256_SIZE);
	js_set_bytes(j, "certificateFingerprint", s->certificate.b, SHA256_SIZE);
	js_set_string(j, "signature", base64.ptr);
	text = js_text(j, true);
	len = strlen(text);
	if (len > ABI_SIGNATURE_MAX)
		return error_set(err, -EFBIG,
				 "the signature of the root hash needs %zu bytes, at most %d are possible",
				 len, ABI_SIGNATURE_MAX);
	buf_add(ret, text, len);
	buf_add_zero(ret, (ROOT_SIGNATURE_UNIT - len % ROOT_SIGNATURE_UNIT) % ROOT_SIGNATURE_UNIT);
	return 0;
}

static int read_members(const struct json *j, struct root_signature *s, struct error *err)
{
	const char *base64 = NULL;
	int r;

	if ((r = js_need_bytes(j, "rootHash", s->root_hash.b, SHA256_SIZE, err)) < 0 ||
	    (r = js_need_bytes(j, "certificateFingerprint", s->certificate.b, SHA256_SIZE, err)) < 0 ||
	    (r = js_need_string(j, "signature", &base64, err)) < 0)
		return r;
	if (!base64_decode(base64, strlen(base64), &s->der) || s->der.len == 0)
		return error_set(err, -EBADMSG, "'signature' is not base64");
	return 0;
}

int root_signature_parse(const void *data, size_t len, const char *name, struct root_signature *ret,
			 struct error *err)
{
	_cleanup_root_signature_ struct root_signature s = {0};
	_cleanup_json_ struct json *j = NULL;
	size_t text = strnlen(data, len);
	int r;

	if (text > ABI_SIGNATURE_MAX)
		return error_refuse(err, "%s: more than %d bytes", name, ABI_SIGNATURE_MAX);
	if (!only_zeros((const uint8_t *)data + text, len - text))
		return error_refuse(err, "%s: bytes behind the NUL that ends it", name);
	if (text == 0)
		return error_refuse(err, "%s: is empty", name);
	r = js_parse(data, text, name, &j, err);
	if (r == 0) {
		r = read_members(j, &s, err);
		if (r < 0)
			r = error_prefix(err, "%s", name);
	}
	if (r < 0) {
		err->exit = EXIT_REFUSED;
		err->code = -EBADMSG;
		return -EBADMSG;
	}
	*ret = s;
	s = (struct root_signature){0};
	return 0;
}
