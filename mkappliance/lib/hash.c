/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/hash.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/interrupt.h"
#include "lib/mem.h"

struct hasher {
	EVP_MD_CTX *ctx;
};

/* EVP fails only when SHA-256 is switched off or memory is gone; neither leaves anything to do. */
static void must(int ok)
{
	if (ok != 1) {
		fputs("mkappliance: libcrypto cannot compute SHA-256\n", stderr);
		abort();
	}
}

struct hasher *hasher_new(void)
{
	struct hasher *h = xcalloc(1, sizeof(*h));

	h->ctx = EVP_MD_CTX_new();
	must(h->ctx != NULL);
	must(EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL));
	return h;
}

void hasher_add(struct hasher *h, const void *data, size_t len)
{
	must(EVP_DigestUpdate(h->ctx, data, len));
}

void hasher_final(struct hasher *h, struct sha256 *ret)
{
	must(EVP_DigestFinal_ex(h->ctx, ret->b, NULL));
	must(EVP_DigestInit_ex(h->ctx, NULL, NULL));
}

void hasher_copy(struct hasher *to, const struct hasher *from)
{
	must(EVP_MD_CTX_copy_ex(to->ctx, from->ctx));
}

void hasher_free(struct hasher *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->ctx);
	free(h);
}

void hasher_freep(struct hasher **h)
{
	hasher_free(*h);
}

void sha256_of(const void *data, size_t len, struct sha256 *ret)
{
	must(EVP_Digest(data, len, ret->b, NULL, EVP_sha256(), NULL));
}

void hmac_sha256(const void *key, size_t key_len, const void *data, size_t len, struct sha256 *ret)
{
	struct sha256 mac;

	must(HMAC(EVP_sha256(), key, (int)key_len, data, len, mac.b, NULL) != NULL);
	*ret = mac;
	OPENSSL_cleanse(&mac, sizeof(mac));
}

void sha1_hex_of(const void *data, size_t len, char *hex)
{
	uint8_t digest[20];

	must(EVP_Digest(data, len, digest, NULL, EVP_sha1(), NULL));
	hex_encode(digest, sizeof(digest), hex);
}

struct sha512 {
	EVP_MD_CTX *ctx;
};

struct sha512 *sha512_new(void)
{
	struct sha512 *h = xcalloc(1, sizeof(*h));

	h->ctx = EVP_MD_CTX_new();
	must(h->ctx != NULL);
	must(EVP_DigestInit_ex(h->ctx, EVP_sha512(), NULL));
	return h;
}

void sha512_add(struct sha512 *h, const void *data, size_t len)
{
	must(EVP_DigestUpdate(h->ctx, data, len));
}

void sha512_final(struct sha512 *h, char *hex)
{
	uint8_t digest[64];

	must(EVP_DigestFinal_ex(h->ctx, digest, NULL));
	hex_encode(digest, sizeof(digest), hex);
}

void sha512_freep(struct sha512 **h)
{
	if (*h)
		EVP_MD_CTX_free((*h)->ctx);
	free(*h);
}

int sha256_of_fd(int fd, const char *name, struct sha256 *ret, uint64_t *ret_size, struct error *err)
{
	_cleanup_hasher_ struct hasher *h = hasher_new();
	_cleanup_free_ char *buf = xmalloc(256 * 1024);
	uint64_t offset = 0;

	for (;;) {
		int r = interrupt_check(err);
		ssize_t n;

		if (r < 0)
			return r;
		n = pread(fd, buf, 256 * 1024, (off_t)offset);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return error_errno(err, -errno, "%s: reading", name);
		}
		if (n == 0)
			break;
		hasher_add(h, buf, (size_t)n);
		offset += (uint64_t)n;
	}
	hasher_final(h, ret);
	if (ret_size)
		*ret_size = offset;
	return 0;
}

size_t bank_size(enum bank bank)
{
	return bank == BANK_SHA256 ? SHA256_SIZE : SHA384_SIZE;
}

const char *bank_name(enum bank bank)
{
	return bank == BANK_SHA256 ? "sha256" : "sha384";
}

void hash_parts(enum bank bank, const struct hash_part *parts, size_t count, uint8_t *ret)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	must(ctx != NULL);
	must(EVP_DigestInit_ex(ctx, bank == BANK_SHA256 ? EVP_sha256() : EVP_sha384(), NULL));
	for (size_t i = 0; i < count; i++)
		must(EVP_DigestUpdate(ctx, parts[i].data, parts[i].len));
	must(EVP_DigestFinal_ex(ctx, ret, NULL));
	EVP_MD_CTX_free(ctx);
}

void bank_digest_of(const struct hash_part *parts, size_t count, struct bank_digest *ret)
{
	*ret = (struct bank_digest){0};
	for (enum bank b = 0; b < BANK_COUNT; b++)
		hash_parts(b, parts, count, ret->b[b]);
}

void hex_encode(const void *data, size_t len, char *hex)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++) {
		hex[2 * i] = digits[p[i] >> 4];
		hex[2 * i + 1] = digits[p[i] & 15];
	}
	hex[2 * len] = 0;
}

static unsigned digit_value(char c)
{
	if (c <= '9')
		return (unsigned)(c - '0');
	return (unsigned)((c | 0x20) - 'a' + 10);
}

bool hex_decode(const char *hex, void *data, size_t len)
{
	uint8_t *p = data;

	if (strspn(hex, "0123456789abcdefABCDEF") != 2 * len || hex[2 * len])
		return false;
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(digit_value(hex[2 * i]) << 4 | digit_value(hex[2 * i + 1]));
	return true;
}
