/* SPDX-License-Identifier: Apache-2.0 */
/* The partition root-verity-sig: what is taken comes out the same, and the PKCS#7 in it is nobody's. */
#include <stdlib.h>
#include <string.h>

#include "image/root_signature.h"
#include "image/sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_root_signature_ struct root_signature s = {0}, again = {0};
	_cleanup_buf_ struct buf b = {0};
	struct error err = ERROR_INIT;

	if (root_signature_parse(data, len, "fuzz", &s, &err) < 0) {
		if (err.exit != EXIT_REFUSED || !err.text[0])
			abort();
		return 0;
	}
	if (verify_detached(s.der.ptr, s.der.len, "", 0, "", 0, "fuzz", &err) == 0)
		abort();
	if (root_signature_encode(&s, &b, &err) < 0)
		return 0;
	if (root_signature_parse(b.ptr, b.len, "fuzz", &again, &err) < 0 || again.der.len != s.der.len ||
	    memcmp(again.der.ptr, s.der.ptr, s.der.len) != 0)
		abort();
	return 0;
}
