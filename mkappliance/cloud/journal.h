/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NAME-VERSION.upload.jsonl beside the image: what an upload has done, so that the same command goes on where the last one was stopped,
 * however it was stopped. One JSON object a line, only ever appended to:
 *
 *   {"upload": 1, "provider": "aws", "region": R, "account": A, "blocks": HEX, "parameters": HEX, "attempt": N, "token": T, "parent": ID or null}
 *   {"snapshot": ID}            the provider's name of what is being filled
 *   {"done": [FIRST, COUNT, FIRST, COUNT, ...]}    blocks that the provider has accepted
 *   {"phase": "put" | "completed" | "verified" | "registered" | "ready"}
 *   {"image": ID}               the registered image
 *
 * A line "upload" begins an attempt; the lines below belong to it until the next one. Attempts for another region, account, image or
 * with other parameters may stand in the same file and do not concern each other. A last line without newline is one that was being
 * written when the machine stopped, and does not count. The file is locked (flock) while an upload runs.
 */
#ifndef MKAPPLIANCE_CLOUD_JOURNAL_H
#define MKAPPLIANCE_CLOUD_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"
#include "lib/hash.h"

/* What an attempt is for; strings are borrowed. */
struct journal_identity {
	const char *provider;
	const char *region;
	const char *account;
	struct sha256 blocks;	  /* of the image: what its manifest commits to */
	struct sha256 parameters; /* of all else that decides what the provider makes */
	uint64_t block_count;
};

enum journal_phase {
	JOURNAL_NONE, /* nothing yet */
	JOURNAL_PUT,
	JOURNAL_COMPLETED,  /* the provider was told that all blocks are there */
	JOURNAL_VERIFIED,   /* it has been read back */
	JOURNAL_REGISTERED, /* there is an image */
	JOURNAL_READY,	    /* nothing is left to do */
};

/* The last attempt for an identity; strings are owned, NULL as long as they are not known. */
struct journal_state {
	unsigned attempt; /* 0: none */
	enum journal_phase phase;
	char *token;
	char *parent; /* of a delta, NULL: none */
	char *snapshot;
	char *image;
	uint8_t *done; /* bitmap of block_count bits */
	uint64_t done_count;
};

void journal_state_free(struct journal_state *s);

/*
 * Parser of untrusted bytes: the state of the last attempt for @id. @ret_len: bytes of whole lines. -EBADMSG (exit code 3) with the line's
 * number when a whole line is none of the above; @name is for messages.
 */
int journal_parse(const char *text, size_t len, const char *name, const struct journal_identity *id,
		  struct journal_state *ret, size_t *ret_len, struct error *err);

struct journal;

/* IMAGE.raw gives IMAGE.upload.jsonl; to be freed. */
char *journal_path_for(const char *image_path);

/*
 * Opens or creates the file, locks and reads it, and cuts a torn last line off. -EBUSY while another process has it. @id's strings live as
 * long as the journal.
 */
int journal_open(const char *path, const struct journal_identity *id, struct journal **ret,
		 struct error *err);
const struct journal_state *journal_state(const struct journal *j);
const char *journal_path(const struct journal *j);

/* Begins attempt @attempt (@parent may be NULL): what the state held is forgotten. On the disk when it returns, like the next three. */
int journal_begin(struct journal *j, unsigned attempt, const char *token, const char *parent,
		  struct error *err);
int journal_set_snapshot(struct journal *j, const char *id, struct error *err);
int journal_set_phase(struct journal *j, enum journal_phase phase, struct error *err);
int journal_set_image(struct journal *j, const char *id, struct error *err);

/* Notes a block; in the file within 8 of them or 0.25 s (when called), on the disk within 64 or 2 s. */
int journal_block_done(struct journal *j, uint64_t index, struct error *err);
/* Writes what journal_block_done() still holds. */
int journal_flush(struct journal *j, struct error *err);

/* Unlocks and frees it; what was not flushed is lost, as after a kill. */
void journal_close(struct journal *j);
void journal_closep(struct journal **j);
#define _cleanup_journal_ __attribute__((cleanup(journal_closep)))

#endif
