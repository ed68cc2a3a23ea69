/* SPDX-License-Identifier: Apache-2.0 */
#include "image/authenticode.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "image/pe_format.h"

#define CERTIFICATE_ALIGN 8u

static int bad(struct error *err, const char *name, const char *what)
{
	return error_set(err, -EBADMSG, "%s: %s", name, what);
}

static void add(struct authenticode *a, const void *data, size_t len)
{
	if (len)
		a->parts[a->count++] = (struct hash_part){data, len};
}

/* Where the certificate table begins, or where it would: the end. */
static int find_certificates(const struct pe *pe, const char *name, struct authenticode *a, struct error *err)
{
	struct pe_directory d;
	uint32_t at, size;

	memcpy(&d, pe->data + a->directory_at, sizeof(d));
	at = le32toh(d.address);
	size = le32toh(d.size);
	a->content_len = pe->len;
	if (size == 0)
		return 0;
	if (at > pe->len || size != pe->len - at || at % CERTIFICATE_ALIGN)
		return bad(err, name, "the PE certificate table is not the end of the file");
	if (at < pe->size_of_headers)
		return bad(err, name, "the PE certificate table lies over the headers");
	for (unsigned i = 0; i < pe->section_count; i++)
		if ((uint64_t)pe->sections[i].file_offset + pe->sections[i].file_size > at)
			return bad(err, name, "a PE section reaches into the certificate table");
	a->content_len = at;
	return 0;
}

/*
 * The specification hashes the headers, then the sections by their place in the file, then what lies behind them. With
 * sections that do not overlap and nothing between them that is all bytes in their order; firmware leaves gaps out, and so
 * a file with gaps is refused: no two programs agree on its digest.
 */
static int check_gaps(const struct pe *pe, const char *name, const struct authenticode *a, struct error *err)
{
	uint64_t at = pe->size_of_headers;

	for (unsigned found = 1; found;) {
		found = 0;
		for (unsigned i = 0; i < pe->section_count; i++) {
			const struct pe_section *s = &pe->sections[i];

			if (s->file_size && s->file_offset == at) {
				at += s->file_size;
				found = 1;
			}
		}
	}
	for (unsigned i = 0; i < pe->section_count; i++)
		if (pe->sections[i].file_size && pe->sections[i].file_offset >= at)
			return bad(err, name,
				   "there are bytes between the PE sections; they would not be measured");
	if (at > a->content_len)
		return bad(err, name, "the PE sections reach behind the file");
	return 0;
}

int authenticode_open(const struct pe *pe, const char *name, struct authenticode *ret, struct error *err)
{
	struct authenticode a = {0};
	size_t optional = pe->header_offset + sizeof(struct pe_coff), behind;
	struct pe_optional opt;
	int r;

	memcpy(&opt, pe->data + optional, sizeof(opt));
	if (le32toh(opt.directory_count) <= PE_DIRECTORY_CERTIFICATES)
		return bad(err, name, "the PE header has no place for signatures");
	a.checksum_at = optional + offsetof(struct pe_optional, checksum);
	a.directory_at = optional + sizeof(opt) + PE_DIRECTORY_CERTIFICATES * sizeof(struct pe_directory);
	behind = a.directory_at + sizeof(struct pe_directory);
	r = find_certificates(pe, name, &a, err);
	if (r == 0)
		r = check_gaps(pe, name, &a, err);
	if (r < 0)
		return r;
	add(&a, pe->data, a.checksum_at);
	add(&a, pe->data + a.checksum_at + sizeof(opt.checksum),
	    a.directory_at - a.checksum_at - sizeof(opt.checksum));
	add(&a, pe->data + behind, a.content_len - behind);
	*ret = a;
	return 0;
}

bool authenticode_signed(const struct authenticode *a, const struct pe *pe)
{
	return a->content_len < pe->len;
}

void authenticode_digest(const struct authenticode *a, struct bank_digest *ret)
{
	bank_digest_of(a->parts, a->count, ret);
}
