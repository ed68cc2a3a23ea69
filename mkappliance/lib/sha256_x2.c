/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/sha256_x2.h"

#include <stdlib.h>

const struct sha256_state sha256_start = {
	{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19},
};

void sha256_state_digest(const struct sha256_state *s, struct sha256 *ret)
{
	for (int i = 0; i < 8; i++)
		for (int j = 0; j < 4; j++)
			ret->b[4 * i + j] = (uint8_t)(s->h[i] >> (24 - 8 * j));
}

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

#define SHA_TARGET __attribute__((target("sha,sse4.1")))
#define SHA_INLINE __attribute__((target("sha,sse4.1"), always_inline)) static inline

/* FIPS 180-4, section 4.2.2. */
static const uint32_t K[64] __attribute__((aligned(16))) = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

bool sha256_x2_available(void)
{
	unsigned a, b, c, d;

	/* CPUID leaf 7: EBX bit 29 is SHA. GCC 12 has no name for it in __builtin_cpu_supports(). */
	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & 1u << 29))
		return false;
	return __builtin_cpu_supports("sse4.1");
}

/*
 * One message on its way through a block. The unit wants the eight words of the state as {a,b,e,f} and
 * {c,d,g,h}, high words first.
 */
struct lane {
	__m128i abef, cdgh;
	__m128i w[4]; /* the last 16 words of the message schedule */
};

SHA_INLINE void lane_load(struct lane *l, const struct sha256_state *s)
{
	__m128i low = _mm_loadu_si128((const __m128i *)&s->h[0]);  /* d c b a */
	__m128i high = _mm_loadu_si128((const __m128i *)&s->h[4]); /* h g f e */

	low = _mm_shuffle_epi32(low, 0xb1);   /* c d a b */
	high = _mm_shuffle_epi32(high, 0x1b); /* e f g h */
	l->abef = _mm_alignr_epi8(low, high, 8);
	l->cdgh = _mm_blend_epi16(high, low, 0xf0);
}

SHA_INLINE void lane_store(const struct lane *l, struct sha256_state *s)
{
	__m128i feba = _mm_shuffle_epi32(l->abef, 0x1b);
	__m128i dchg = _mm_shuffle_epi32(l->cdgh, 0xb1);

	_mm_storeu_si128((__m128i *)&s->h[0], _mm_blend_epi16(feba, dchg, 0xf0));
	_mm_storeu_si128((__m128i *)&s->h[4], _mm_alignr_epi8(dchg, feba, 8));
}

/* Words of the message are big endian. */
SHA_INLINE void lane_words(struct lane *l, const uint8_t *p)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bll, 0x0405060700010203ll);

	for (int i = 0; i < 4; i++)
		l->w[i] =
			_mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i)), swap);
}

/* Rounds 4 * @group to 4 * @group + 3. */
SHA_INLINE void lane_rounds(struct lane *l, int group)
{
	__m128i wk = _mm_add_epi32(l->w[group & 3], _mm_load_si128((const __m128i *)&K[4 * group]));

	l->cdgh = _mm_sha256rnds2_epu32(l->cdgh, l->abef, wk);
	l->abef = _mm_sha256rnds2_epu32(l->abef, l->cdgh, _mm_shuffle_epi32(wk, 0x0e));
}

/* The four words of the schedule that take the place of those just used. */
SHA_INLINE void lane_schedule(struct lane *l, int group)
{
	__m128i *w0 = &l->w[group & 3];
	__m128i w1 = l->w[(group + 1) & 3], w2 = l->w[(group + 2) & 3], w3 = l->w[(group + 3) & 3];
	__m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(*w0, w1), _mm_alignr_epi8(w3, w2, 4));

	*w0 = _mm_sha256msg2_epu32(sum, w3);
}

SHA_TARGET void sha256_x2(struct sha256_state *a, const void *data_a, struct sha256_state *b,
			  const void *data_b, size_t blocks)
{
	const uint8_t *pa = data_a, *pb = data_b;
	struct lane x, y;

	lane_load(&x, a);
	lane_load(&y, b);
	for (; blocks > 0; blocks--, pa += SHA256_BLOCK, pb += SHA256_BLOCK) {
		const struct lane x0 = x, y0 = y;

		lane_words(&x, pa);
		lane_words(&y, pb);
#pragma GCC unroll 16
		for (int group = 0; group < 16; group++) {
			lane_rounds(&x, group);
			lane_rounds(&y, group);
			if (group < 12) {
				lane_schedule(&x, group);
				lane_schedule(&y, group);
			}
		}
		x.abef = _mm_add_epi32(x.abef, x0.abef);
		x.cdgh = _mm_add_epi32(x.cdgh, x0.cdgh);
		y.abef = _mm_add_epi32(y.abef, y0.abef);
		y.cdgh = _mm_add_epi32(y.cdgh, y0.cdgh);
	}
	lane_store(&x, a);
	lane_store(&y, b);
}

SHA_TARGET void sha256_x1(struct sha256_state *s, const void *data, size_t blocks)
{
	const uint8_t *p = data;
	struct lane x;

	lane_load(&x, s);
	for (; blocks > 0; blocks--, p += SHA256_BLOCK) {
		const struct lane x0 = x;

		lane_words(&x, p);
#pragma GCC unroll 16
		for (int group = 0; group < 16; group++) {
			lane_rounds(&x, group);
			if (group < 12)
				lane_schedule(&x, group);
		}
		x.abef = _mm_add_epi32(x.abef, x0.abef);
		x.cdgh = _mm_add_epi32(x.cdgh, x0.cdgh);
	}
	lane_store(&x, s);
}

#else

bool sha256_x2_available(void)
{
	return false;
}

void sha256_x2(struct sha256_state *a, const void *data_a, struct sha256_state *b, const void *data_b,
	       size_t blocks)
{
	(void)a, (void)data_a, (void)b, (void)data_b, (void)blocks;
	abort();
}

void sha256_x1(struct sha256_state *s, const void *data, size_t blocks)
{
	(void)s, (void)data, (void)blocks;
	abort();
}

#endif
