/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EBS direct APIs, version 2019-11-02 (Amazon EBS API Reference): blocks of a snapshot are written and read without an instance.
 */
#ifndef MKAPPLIANCE_CLOUD_AWS_EBS_H
#define MKAPPLIANCE_CLOUD_AWS_EBS_H

#include <stdbool.h>
#include <stdint.h>

#include "cloud/aws.h"
#include "lib/base64.h"

#define EBS_BLOCK_SIZE 524288u /* the only one there is */
#define EBS_LAG_START_NS \
	(UINT64_C(150) * 1000000000) /* after StartSnapshot the data plane may not know it for so long */
#define EBS_LAG_LISTED_NS (UINT64_C(120) * 1000000000) /* and after CompleteSnapshot it may not list it */
#define EBS_ID_SIZE	  64

struct ebs_start {
	uint32_t volume_gib;
	const char *description;
	const char *token;  /* the same with the same parameters: the same snapshot; at most 64 characters */
	const char *parent; /* NULL: none; excludes encrypted and kms_key */
	bool encrypted;
	const char *kms_key;  /* NULL: the account's default */
	unsigned timeout_min; /* 10 to 4320: without a request for so long the snapshot fails; 0: 60 */
	const struct aws_tag *tags;
	size_t tag_count;
};

struct ebs_snapshot {
	char id[EBS_ID_SIZE];
	char status[16];   /* "pending", "completed", "error" */
	char kms_key[256]; /* "" when it is not encrypted; the account may encrypt unasked */
	char parent[EBS_ID_SIZE];
};

/* -EEXIST: the token was used with other parameters. Refuses a service whose blocks are not of 512 KiB. */
int ebs_start(struct aws *a, const struct ebs_start *s, struct ebs_snapshot *ret, struct error *err);

/* A PutSnapshotBlock for a driver: ebs_put_init(), then aws_sign() & co. with &p->call. Do not move it while it is in use. */
struct ebs_put {
	struct aws_call call;
	char path[128];
	char checksum[64];
	char progress[32];
	const char *headers[5];
	struct sha256 digest;
};

/* @data has EBS_BLOCK_SIZE bytes and stays. @progress 0 to 100, negative: not said. @lag_until_ns as in aws_call. */
void ebs_put_init(struct ebs_put *p, const char *snapshot, uint32_t block, const void *data,
		  const struct sha256 *digest, int progress, uint64_t lag_until_ns);

/*
 * @linear: SHA-256 over the raw digests of all written blocks in rising order; NULL: not said. @lag_until_ns as in aws_call: where
 * nothing had to be sent this is the first that the data plane hears of the snapshot.
 */
int ebs_complete(struct aws *a, const char *snapshot, uint32_t changed_blocks, const struct sha256 *linear,
		 uint64_t lag_until_ns, struct error *err);

/* What ListSnapshotBlocks (token) or ListChangedBlocks (first_token, token) say of one block. */
struct ebs_block {
	uint32_t index;
	char *token;	   /* NULL: the second snapshot does not have it */
	char *first_token; /* ListChangedBlocks: NULL when the first does not have it */
};

struct ebs_blocks {
	struct ebs_block *list; /* rising */
	size_t len, cap;
	uint32_t volume_gib;
};

void ebs_blocks_free(struct ebs_blocks *b);
#define _cleanup_ebs_blocks_ __attribute__((cleanup(ebs_blocks_free)))

/* All pages. A snapshot that is not known yet is asked for again until @lag_until_ns. */
int ebs_list(struct aws *a, const char *snapshot, uint64_t lag_until_ns, struct ebs_blocks *ret,
	     struct error *err);
/* -EINVAL when they are not of one lineage. */
int ebs_list_changed(struct aws *a, const char *first, const char *second, uint64_t lag_until_ns,
		     struct ebs_blocks *ret, struct error *err);

/* A GetSnapshotBlock for a driver, like ebs_put. */
struct ebs_get {
	struct aws_call call;
	char path[128];
	char *query;
};

void ebs_get_init(struct ebs_get *g, const char *snapshot, uint32_t block, const char *token);
void ebs_get_free(struct ebs_get *g);
/* Checks length and checksum of an answer that aws_judge() called done; -EAGAIN: not the bytes that were sent. @ret_digest may be NULL. */
int ebs_get_check(const struct ebs_get *g, const struct http_reply *reply, struct sha256 *ret_digest,
		  struct error *err);
/* The blocking form: @data has room for EBS_BLOCK_SIZE bytes. */
int ebs_get(struct aws *a, const char *snapshot, uint32_t block, const char *token, void *data,
	    struct error *err);

#endif
