/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session with AWS: configuration, credentials that are renewed, the clock's offset, connections, and the count of what was tried again.
 * It belongs to one thread, like the struct http in it.
 *
 * Control-plane calls are made with aws_perform(). A driver that has many requests in flight does the same in parts:
 *
 *   aws_sign(a, &call, &state, &request, err)		for every attempt anew
 *   http_submit(aws_http(a), &request.http, ...)
 *   aws_judge(a, &call, &state, reply, &failure, &delay_ns)	done, again after a delay, or fatal
 */
#ifndef MKAPPLIANCE_CLOUD_AWS_H
#define MKAPPLIANCE_CLOUD_AWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cloud/config.h"
#include "cloud/credentials.h"
#include "cloud/http.h"
#include "cloud/retry.h"
#include "lib/error.h"
#include "lib/hash.h"

struct aws;

struct aws_options {
	struct config_options config;
	unsigned connections; /* of http_options */
	unsigned buffer;
};

/* Reads the configuration and finds region and credentials. Without a region: a usage error that says how to name one. */
int aws_open(const struct aws_options *options, struct aws **ret, struct error *err);
/*
 * One with given credentials and another's configuration, connections and clock, all borrowed: to assume a role. @credentials NULL:
 * only anonymous calls.
 */
struct aws *aws_open_with(const struct config *config, struct http *http, const char *region,
			  const struct credentials *credentials);
void aws_close(struct aws *a);
void aws_closep(struct aws **a);
#define _cleanup_aws_ __attribute__((cleanup(aws_closep)))

const char *aws_region(const struct aws *a);
/* Whether @text can be the name of a region: it becomes a part of host names. */
bool aws_is_region(const char *text);
struct http *aws_http(struct aws *a);
/* What was tried again so far, by reason. */
const struct retry_stats *aws_retries(const struct aws *a);
/* retry_again() by the session's policy and counts, for a failure that only the caller can see. */
bool aws_again(struct aws *a, struct retry *state, enum retry_reason reason, uint64_t *ret_delay_ns);
/* NULL: retry_policy_default. Copied. */
void aws_set_policy(struct aws *a, const struct retry_policy *policy);
/* The time as AWS has it: ours plus the offset that an answer's Date showed. */
time_t aws_now(const struct aws *a);

/* What a resource is marked with. */
struct aws_tag {
	const char *key, *value;
};

/* A call, as often as it takes. Everything is borrowed and must stay until the call is over. */
struct aws_call {
	const char *service;	    /* as in the signature: "ebs", "ec2", "sts", "ssm", "autoscaling" */
	const char *action;	    /* "PutSnapshotBlock" */
	const char *resource;	    /* what it is about, for messages: "snap-..."; NULL: nothing */
	const char *method;	    /* "PUT" */
	const char *path;	    /* encoded, from '/' */
	const char *query;	    /* pairs, encoded, without '?'; NULL: none */
	const char *const *headers; /* more of them, ends in NULL; may be NULL */
	const void *body;
	size_t body_len;
	const struct sha256 *body_digest; /* NULL: computed for each attempt */
	bool unsigned_payload;		  /* over TLS the payload is not signed (EBS PutSnapshotBlock) */
	bool anonymous;			  /* not signed at all (AssumeRoleWithWebIdentity) */
	const char *region;		  /* NULL: the session's */
	size_t response_max;		  /* as in http_request */
	unsigned timeout_ms;
	uint64_t lag_until_ns; /* clock_ns() until when "not found" means "not yet"; 0: never */
};

struct aws_request {
	struct http_request http; /* for http_submit() or http_perform() */
	char *url;
	struct strlist headers;
};

/* Signs one attempt; renews credentials that are about to expire. @state may be NULL. */
int aws_sign(struct aws *a, const struct aws_call *call, struct retry *state, struct aws_request *ret,
	     struct error *err);
void aws_request_free(struct aws_request *r);
#define _cleanup_aws_request_ __attribute__((cleanup(aws_request_free)))

/* What went wrong, in AWS's words. */
struct aws_failure {
	enum http_outcome outcome; /* HTTP_ANSWERED: the rest is from an answer */
	int status;
	char code[96];	       /* "AccessDeniedException" */
	char reason[64];       /* EBS: "SNAPSHOT_NOT_FOUND"; "" otherwise */
	char message[512];     /* one line */
	char request_id[64];   /* "" when there is none */
	enum retry_reason why; /* with AWS_AGAIN */
};

enum aws_verdict { AWS_DONE, AWS_AGAIN, AWS_FATAL };

/*
 * The class of an answer (the table is in aws_judge.c) and whether its request is worth another attempt. Renews expired credentials and sets the clock, each once, before it says AWS_AGAIN.
 * @ret is filled unless AWS_DONE, @ret_delay_ns with AWS_AGAIN.
 */
enum aws_verdict aws_judge(struct aws *a, const struct aws_call *call, struct retry *state,
			   const struct http_reply *reply, struct aws_failure *ret, uint64_t *ret_delay_ns);

/*
 * Sets the error for a failure: "ebs:PutSnapshotBlock snap-1: AccessDeniedException: ... (request id ...)". The code is -EACCES not permitted,
 * -EKEYREJECTED bad credentials, -EDQUOT a quota, -ENOENT not found, -EEXIST a name or token already in use, -EINVAL not accepted,
 * -EPROTO TLS, -EINTR, -EIO anything else.
 */
int aws_fail(const struct aws_call *call, const struct aws_failure *failure, struct error *err);

/*
 * Signs, sends and tries again until there is an answer with a status below 300. @ret is always to be freed; @ret_failure may be NULL.
 */
int aws_perform(struct aws *a, const struct aws_call *call, struct http_reply *ret,
		struct aws_failure *ret_failure, struct error *err);

#endif
