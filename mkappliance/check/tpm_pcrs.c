/* SPDX-License-Identifier: Apache-2.0 */
/* The PCRs beside a quote; declared in tpm_quote.h. */
#include <string.h>

#include "check/bytes.h"
#include "check/tpm_quote.h"

/* TPML_PCR_SELECTION and TPML_DIGEST as tpm2-tss has them in memory: tss2_tpm2_types.h. */
#define SELECTIONS     16u /* TPM2_NUM_PCR_BANKS */
#define SELECTION_SIZE 8u  /* u16 hash, u8 size, 4 bytes of mask, one of padding */
#define LIST_DIGESTS   8u  /* in a TPML_DIGEST */
#define DIGEST_ROOM    64u
#define LISTS_MAX      16u

/* Digests in the order of the quote, wherever they come from. */
struct source {
	struct bytes b;
	unsigned left; /* of the list at hand */
	bool bare;     /* no lists: one after the other */
};

static const uint8_t *next_digest(struct source *s, size_t size)
{
	const uint8_t *room;

	if (s->bare)
		return bytes_take(&s->b, size);
	if (s->left == 0) {
		(void)bytes_le(&s->b, 4); /* how many of the list are used; the rest of it is there too */
		s->left = LIST_DIGESTS;
	}
	s->left--;
	if (bytes_le(&s->b, 2) != size)
		s->b.ended = true;
	room = bytes_take(&s->b, DIGEST_ROOM);
	return room;
}

static size_t bare_size(const struct tpm_quote *q)
{
	size_t size = 0;

	for (size_t i = 0; i < q->selection_count; i++)
		size += bank_size(q->selection[i].bank) * (size_t)__builtin_popcount(q->selection[i].mask);
	return size;
}

/* The selection in front of the digests must be the quote's. */
static int check_selection(struct bytes *b, const char *name, const struct tpm_quote *q, struct error *err)
{
	uint64_t count = bytes_le(b, 4);
	size_t at = 0;
	bool same = true;

	for (uint64_t i = 0; i < SELECTIONS; i++) {
		struct bytes s = {.ptr = bytes_take(b, SELECTION_SIZE), .left = SELECTION_SIZE};
		uint64_t hash, mask;
		enum bank bank;

		if (!s.ptr)
			break;
		hash = bytes_le(&s, 2);
		(void)bytes_le(&s, 1);
		mask = bytes_le(&s, 4);
		if (i >= count || !mask)
			continue;
		bank = hash == 0x000c ? BANK_SHA384 : BANK_SHA256;
		same = same && (hash == 0x000b || hash == 0x000c) && at < q->selection_count &&
		       q->selection[at].bank == bank && q->selection[at].mask == mask;
		at++;
	}
	if (b->ended || count > SELECTIONS || bytes_le(b, 4) > LISTS_MAX)
		return error_refuse(err, "%s: not the PCRs that tpm2_quote -o writes", name);
	if (!same || at != q->selection_count)
		return error_refuse(err, "%s: has other PCRs than the quote", name);
	return 0;
}

int tpm_pcrs_parse(const void *data, size_t len, const char *name, const struct tpm_quote *q,
		   struct pcr_values *ret, struct error *err)
{
	struct source s = {.b = {.ptr = data, .left = len}, .bare = len == bare_size(q)};
	struct pcr_values v = {0};
	int r = s.bare ? 0 : check_selection(&s.b, name, q, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < q->selection_count; i++)
		for (unsigned pcr = 0; pcr < TPM_PCRS; pcr++) {
			enum bank bank = q->selection[i].bank;
			const uint8_t *digest;

			if (!(q->selection[i].mask >> pcr & 1))
				continue;
			digest = next_digest(&s, bank_size(bank));
			if (!digest)
				return error_refuse(err, "%s: truncated, or not what tpm2_quote -o writes",
						    name);
			memcpy(v.value[pcr].b[bank], digest, bank_size(bank));
			v.known[bank] |= UINT32_C(1) << pcr;
		}
	*ret = v;
	return 0;
}

bool tpm_pcrs_digest(const struct tpm_quote *q, const struct pcr_values *v, enum bank hash,
		     uint8_t ret[SHA384_SIZE])
{
	struct hash_part parts[TPM_SELECTIONS_MAX * TPM_PCRS];
	size_t count = 0;

	for (size_t i = 0; i < q->selection_count; i++) {
		enum bank bank = q->selection[i].bank;

		if (q->selection[i].mask & ~v->known[bank])
			return false;
		for (unsigned pcr = 0; pcr < TPM_PCRS; pcr++)
			if (q->selection[i].mask >> pcr & 1)
				parts[count++] = (struct hash_part){v->value[pcr].b[bank], bank_size(bank)};
	}
	hash_parts(hash, parts, count, ret);
	return true;
}
