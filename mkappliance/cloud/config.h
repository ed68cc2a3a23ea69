/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration of the AWS CLI: ~/.aws/config and ~/.aws/credentials ("Configuration and credential file settings", AWS CLI User
 * Guide), the environment, and what options of ours say before both.
 */
#ifndef MKAPPLIANCE_CLOUD_CONFIG_H
#define MKAPPLIANCE_CLOUD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"

#define CONFIG_MAX_SIZE ((size_t)4 << 20)

/* A variable of the environment; NULL when unset or empty, as the AWS CLI has it. */
const char *config_env(const char *name);

struct config_item {
	char *section; /* as it stands: "default", "profile a", "sso-session s" */
	char *key;     /* lower case; NULL: the section's header itself */
	char *sub;     /* of an indented "sub = value" below "key =", lower case; NULL: none */
	char *value;
};

/* One file, in its order. */
struct config_file {
	struct config_item *items;
	size_t len, cap;
};

/*
 * Lines as Python's RawConfigParser takes them, which is what the AWS CLI uses: '=' or ':' behind a key, '#' or ';' begin a comment line,
 * an indented line belongs to the key above it. Errors are usage errors "NAME:LINE: ..." that do not quote the line, which may
 * hold a secret. Parser of untrusted bytes.
 */
int config_parse(const char *text, size_t len, const char *name, struct config_file *ret, struct error *err);
void config_file_free(struct config_file *f);
#define _cleanup_config_file_ __attribute__((cleanup(config_file_free)))

/* NULL: not there. @sub may be NULL. */
const char *config_file_get(const struct config_file *f, const char *section, const char *key,
			    const char *sub);
bool config_file_has(const struct config_file *f, const char *section);

struct config {
	struct config_file config;	/* ~/.aws/config or AWS_CONFIG_FILE */
	struct config_file credentials; /* ~/.aws/credentials or AWS_SHARED_CREDENTIALS_FILE */
	char *config_path, *credentials_path;
	char *profile;	     /* "default" at least */
	bool profile_option; /* it was given as an option: the environment's keys do not count */
	bool profile_named;  /* by the option or the environment: it must be there */
	char *region_option;
	char *endpoint_option;
};

/* What options said; each may be NULL. */
struct config_options {
	const char *profile;
	const char *region;
	const char *endpoint_url;
};

/* Reads the files (none is fine) and the environment. A profile that was named and is in neither file is a usage error. */
int config_load(const struct config_options *options, struct config **ret, struct error *err);
void config_free(struct config *c);
void config_freep(struct config **c);
#define _cleanup_config_ __attribute__((cleanup(config_freep)))

/* A key of a profile: the credentials file's, else the config file's. @profile NULL: the chosen one. */
const char *config_get(const struct config *c, const char *profile, const char *key);
/*
 * What the config file calls a profile: "profile NAME", with quotes around a name with blanks; "default" alone may go without. To be freed; NULL:
 * it is not there ("default" always may be).
 */
char *config_section(const struct config *c, const char *profile);
bool config_has_profile(const struct config *c, const char *profile);

/* By option, AWS_REGION, AWS_DEFAULT_REGION or the profile; NULL: none of them says. */
const char *config_region(const struct config *c);

/*
 * Another endpoint than AWS's for a service, by its identifier ("EC2", "EBS", "STS", "SSM", "AUTO_SCALING"): the option,
 * AWS_ENDPOINT_URL_<ID>, AWS_ENDPOINT_URL, the profile's services section, the profile's endpoint_url. NULL: AWS's own. ("Service-specific
 * endpoints", AWS SDKs and Tools Reference Guide.)
 */
const char *config_endpoint(const struct config *c, const char *service_id);

/* PEM file with certificates to trust: AWS_CA_BUNDLE or ca_bundle of the profile; NULL: the system's. */
const char *config_ca_bundle(const struct config *c);

#endif
