/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which OpenStack cloud, and who we are there, as its own clients find it (openstacksdk, "Configuring OpenStack SDK Applications"):
 * --profile or OS_CLOUD names a cloud of clouds.yaml, whose secrets may stand in secure.yaml beside it; without a name the variables OS_AUTH_URL
 * and so on; without those the only cloud of clouds.yaml.
 */
#ifndef MKAPPLIANCE_CLOUD_OPENSTACK_CONFIG_H
#define MKAPPLIANCE_CLOUD_OPENSTACK_CONFIG_H

#include "lib/error.h"

struct openstack_config {
	char *source;	/* for messages: "cloud 'dev' of /etc/openstack/clouds.yaml", "the environment" */
	char *auth_url; /* of Keystone, "https://cloud.example.org:5000/v3" */
	/* An application credential; NULL: a user with a password. */
	char *credential_id, *credential_name, *credential_secret;
	char *user_id, *username, *password;
	char *user_domain_id, *user_domain_name;
	char *project_id, *project_name;
	char *project_domain_id, *project_domain_name;
	char *region;	      /* NULL: the catalog's first */
	char *interface;      /* "public", "internal" or "admin" */
	char *ca_file;	      /* NULL: the system's certificates */
	char *image_endpoint; /* instead of the catalog's; NULL */
};

/*
 * @cloud, @region: of the command line, NULL: not said. What is missing or contradicts itself is a usage error that names the key and
 * where it was looked for; a configuration that switches the verification of TLS off is refused.
 */
int openstack_config_load(const char *cloud, const char *region, struct openstack_config *ret,
			  struct error *err);
void openstack_config_free(struct openstack_config *c);
#define _cleanup_openstack_config_ __attribute__((cleanup(openstack_config_free)))

#endif
