/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NAME-VERSION.intoto.json: who made what of what. An in-toto Statement v1 (in-toto/attestation, spec/v1/statement.md) with the predicate SLSA
 * Provenance v1 (slsa.dev/provenance/v1). With a key in a DSSE envelope (secure-systems-lab/dsse, protocol.md and envelope.md), else as it
 * stands. It has no times and no invocation, so that the same build gives the same statement.
 *
 * Subjects are the files of the build. Besides files' own SHA-256 the image has "sha256_linear", SHA-256 over the SHA-256 of every 512 KiB
 * block, which commits to all of it; the plain one only when the build was asked for it. Root hash and PCRs are annotations of the image.
 */
#ifndef MKAPPLIANCE_IMAGE_PROVENANCE_H
#define MKAPPLIANCE_IMAGE_PROVENANCE_H

#include "image/manifest.h"

#define PROVENANCE_PAYLOAD_TYPE	  "application/vnd.in-toto+json"
#define PROVENANCE_STATEMENT_TYPE "https://in-toto.io/Statement/v1"
#define PROVENANCE_PREDICATE_TYPE "https://slsa.dev/provenance/v1"

/* A file beside the image. */
struct provenance_file {
	const char *name; /* without its directory */
	struct sha256 digest;
};

/* @image_sha256: of the whole image; NULL: not known. To be freed. */
char *provenance_statement(const struct manifest *m, const struct sha256 *image_sha256,
			   const struct provenance_file *files, size_t file_count);

/* A subject that need not be there. */
struct provenance_optional {
	bool there;
	struct sha256 digest;
};

/* What a statement says, as far as it is looked at here. */
struct provenance {
	struct sha256 manifest_digest;		    /* of the subject NAME-VERSION.manifest.json */
	struct sha256 blocks_digest;		    /* sha256_linear of the image */
	struct provenance_optional spdx, cyclonedx; /* NAME-VERSION.spdx.json and .cdx.json */
	bool is_signed;				    /* it came in an envelope; see @key */
};

/*
 * Reads an envelope or a bare statement of untrusted bytes. @key: public key or certificate in PEM that one of the envelope's signatures must
 * be of; NULL: signatures are not looked at. Refusals (exit code 3): not such a statement, not signed, not by that key.
 */
int provenance_read(const char *path, const char *key, struct provenance *ret, struct error *err);
int provenance_parse(const char *text, size_t len, const char *name, const char *key, struct provenance *ret,
		     struct error *err);

#endif
