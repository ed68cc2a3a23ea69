/* SPDX-License-Identifier: Apache-2.0 */
/* The providers. Each returns 1 and fills @ret, 0 when it is not configured, -errno when it is but does not work. */
#ifndef MKAPPLIANCE_CLOUD_CREDENTIALS_INTERNAL_H
#define MKAPPLIANCE_CLOUD_CREDENTIALS_INTERNAL_H

#include "cloud/credentials.h"
#include "lib/mem.h"

int credentials_from_env(struct credentials *ret, struct error *err);
int credentials_from_credentials_file(const struct config *c, const char *profile, struct credentials *ret,
				      struct error *err);
int credentials_from_config_file(const struct config *c, const char *profile, struct credentials *ret,
				 struct error *err);
/* credential_process of a profile. */
int credentials_from_process(const struct config *c, const char *profile, struct credentials *ret,
			     struct error *err);
/* role_arn of a profile with source_profile or credential_source. */
int credentials_from_role(const struct config *c, struct http *http, struct credentials *ret,
			  struct error *err);
/* A token file, of the environment (@use_env) or of a profile. */
int credentials_from_web_identity(const struct config *c, struct http *http, const char *profile,
				  bool use_env, struct credentials *ret, struct error *err);
/* The token that "aws sso login" left. */
int credentials_from_sso(const struct config *c, struct http *http, const char *profile,
			 struct credentials *ret, struct error *err);
int credentials_from_container(struct http *http, struct credentials *ret, struct error *err);
/* Nobody answering is 0; @ret_note (to be freed, may become NULL) says what was found out then. */
int credentials_from_instance(const struct config *c, struct http *http, struct credentials *ret,
			      char **ret_note, struct error *err);

/* What a profile by itself has: web identity, SSO, keys, process; not a role. */
int credentials_of_profile(const struct config *c, struct http *http, const char *profile, bool use_env,
			   struct credentials *ret, struct error *err);

/* Names of the members of a JSON answer. */
struct credential_names {
	const char *access_key, *secret_key, *token, *expires;
	const char *inside; /* the object that has them; NULL: the document */
};

extern const struct credential_names credential_names_process, credential_names_local, credential_names_sso;

/* @ret->source stays. Parser of untrusted bytes. */
int credentials_parse(const char *text, size_t len, const struct credential_names *names, const char *what,
		      struct credentials *ret, struct error *err);

/* Whether they can stand in a header. */
bool credentials_clean(const struct credentials *c);

/*
 * A GET or PUT of something that is near (container, instance) or needs no signature (SSO): up to @attempts. A status of 300 or more is -EIO with
 * @ret filled.
 */
int credentials_fetch(struct http *http, const struct http_request *request, unsigned attempts,
		      const char *what, struct http_reply *ret, struct error *err);

#endif
