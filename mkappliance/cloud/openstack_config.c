/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/openstack_config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cloud/config.h"
#include "cloud/credentials.h"
#include "cloud/yaml.h"
#include "lib/cleanup.h"
#include "lib/io.h"

#define SITE_DIRECTORY "/etc/openstack"

/* Where each value stands: in clouds.yaml below the cloud (with "auth." below its auth), and as a variable. */
static const struct field {
	size_t offset;
	const char *path;     /* in clouds.yaml */
	const char *variable; /* NULL: only in files */
} fields[] = {
#define FIELD(member) offsetof(struct openstack_config, member)
	{FIELD(auth_url), "auth.auth_url", "OS_AUTH_URL"},
	{FIELD(credential_id), "auth.application_credential_id", "OS_APPLICATION_CREDENTIAL_ID"},
	{FIELD(credential_name), "auth.application_credential_name", "OS_APPLICATION_CREDENTIAL_NAME"},
	{FIELD(credential_secret), "auth.application_credential_secret", "OS_APPLICATION_CREDENTIAL_SECRET"},
	{FIELD(user_id), "auth.user_id", "OS_USER_ID"},
	{FIELD(username), "auth.username", "OS_USERNAME"},
	{FIELD(password), "auth.password", "OS_PASSWORD"},
	{FIELD(user_domain_id), "auth.user_domain_id", "OS_USER_DOMAIN_ID"},
	{FIELD(user_domain_name), "auth.user_domain_name", "OS_USER_DOMAIN_NAME"},
	{FIELD(project_id), "auth.project_id", "OS_PROJECT_ID"},
	{FIELD(project_name), "auth.project_name", "OS_PROJECT_NAME"},
	{FIELD(project_domain_id), "auth.project_domain_id", "OS_PROJECT_DOMAIN_ID"},
	{FIELD(project_domain_name), "auth.project_domain_name", "OS_PROJECT_DOMAIN_NAME"},
	{FIELD(region), "region_name", "OS_REGION_NAME"},
	{FIELD(interface), "interface", "OS_INTERFACE"},
	{FIELD(ca_file), "cacert", "OS_CACERT"},
	{FIELD(image_endpoint), "image_endpoint_override", "OS_IMAGE_ENDPOINT_OVERRIDE"},
#undef FIELD
};
#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

static char **field_of(struct openstack_config *c, const struct field *f)
{
	return (char **)((char *)c + f->offset);
}

void openstack_config_free(struct openstack_config *c)
{
	for (size_t i = 0; i < FIELD_COUNT; i++)
		secret_free(*field_of(c, &fields[i]));
	free(c->source);
	*c = (struct openstack_config){0};
}

/* ---- files ---- */

/* The first of them that is there; NULL: none. To be freed. */
static char *find_file(const char *variable, const char *name)
{
	const char *given = config_env(variable), *home = config_env("HOME");
	const char *xdg = config_env("XDG_CONFIG_HOME");
	_cleanup_strlist_ struct strlist places = {0};

	if (given)
		return xstrdup(given);
	strlist_add(&places, name);
	if (xdg)
		strlist_addf(&places, "%s/openstack/%s", xdg, name);
	else if (home)
		strlist_addf(&places, "%s/.config/openstack/%s", home, name);
	strlist_addf(&places, SITE_DIRECTORY "/%s", name);
	for (size_t i = 0; i < places.len; i++)
		if (access(places.ptr[i], R_OK) == 0)
			return xstrdup(places.ptr[i]);
	return NULL;
}

/* The member "clouds" of a file; NULL in *@ret when there is no file. */
static int read_clouds(const char *path, struct json **ret, struct error *err)
{
	_cleanup_buf_ struct buf b = {0};
	int r;

	if (!path)
		return 0;
	r = io_read_file(AT_FDCWD, path, CONFIG_MAX_SIZE, &b, err);
	if (r == 0)
		r = yaml_parse(b.ptr ? b.ptr : "", b.len, path, ret, err);
	if (b.ptr)
		explicit_bzero(b.ptr, b.len);
	if (r == 0 && !js_is_object(js_member(*ret, "clouds")))
		r = error_usage(err, "%s: no 'clouds:' in it", path);
	return r;
}

/* The cloud's name: as asked for, or of the only one. */
static int choose(const struct json *clouds, const char *path, const char **name, struct error *err)
{
	_cleanup_buf_ struct buf known = {0};
	const struct json *value;
	const char *member, *only = NULL;
	size_t count = 0;
	void *it = NULL;

	while (js_next(clouds, &it, &member, &value)) {
		buf_printf(&known, "%s%s", count++ ? ", " : "", member);
		only = member;
	}
	if (*name && js_is_object(js_member(clouds, *name)))
		return 0;
	if (*name)
		return error_usage(err, "%s: no cloud '%s' (there are: %s)", path, *name,
				   count ? known.ptr : "none");
	if (count != 1)
		return error_usage(err, "%s: has %zu clouds (%s): name one by --profile or OS_CLOUD", path,
				   count, count ? known.ptr : "none");
	*name = only;
	return 0;
}

/* A member below a cloud: "auth.password". */
static const struct json *member_at(const struct json *cloud, const char *path)
{
	return cloud ? js_get(cloud, path) : NULL;
}

static int refuse_what_we_cannot(const struct json *cloud, const char *where, struct error *err)
{
	static const char *const off[] = {"false", "no", "off", "False", "FALSE", "No", "NO", "Off", "OFF"};
	const char *verify = js_string(member_at(cloud, "verify"));
	const char *version = js_string(member_at(cloud, "identity_api_version"));

	for (size_t i = 0; verify && i < sizeof(off) / sizeof(off[0]); i++)
		if (strcmp(verify, off[i]) == 0)
			return error_usage(
				err,
				"%s: verify: %s is not done here: TLS is always verified; name the "
				"certificate by cacert:",
				where, verify);
	if (member_at(cloud, "profile"))
		return error_usage(err, "%s: vendor profiles are not known here; write auth_url: out", where);
	if (version && *version != '3')
		return error_usage(err, "%s: identity_api_version: %s: only 3 is known", where, version);
	return 0;
}

static int take_file(const char *path, const struct json *clouds, const struct json *secure, const char *name,
		     struct openstack_config *c, struct error *err)
{
	const struct json *cloud = js_member(clouds, name);
	const struct json *secrets =
		secure ? js_member(js_member(secure, "clouds"), name) : NULL; /* has the last word */

	free(c->source);
	c->source = xasprintf("cloud '%s' of %s", name, path);
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const char *value = js_string(member_at(secrets, fields[i].path));

		if (!value)
			value = js_string(member_at(cloud, fields[i].path));
		if (value && *value)
			*field_of(c, &fields[i]) = xstrdup(value);
	}
	return refuse_what_we_cannot(cloud, c->source, err);
}

static int from_files(const char *name, struct openstack_config *c, struct error *err)
{
	_cleanup_free_ char *path = find_file("OS_CLIENT_CONFIG_FILE", "clouds.yaml");
	_cleanup_free_ char *secure_path = find_file("OS_CLIENT_SECURE_FILE", "secure.yaml");
	_cleanup_json_ struct json *file = NULL, *secure = NULL;
	int r;

	if (!path)
		return error_usage(err,
				   "%s%s%s: no clouds.yaml here, in ~/.config/openstack or in " SITE_DIRECTORY
				   ", and OS_AUTH_URL is not set",
				   name ? "cloud '" : "no OpenStack cloud", name ? name : "",
				   name ? "'" : "");
	r = read_clouds(path, &file, err);
	if (r == 0)
		r = choose(js_member(file, "clouds"), path, &name, err);
	if (r == 0)
		r = read_clouds(secure_path, &secure, err);
	return r < 0 ? r : take_file(path, js_member(file, "clouds"), secure, name, c, err);
}

/* ---- the environment ---- */

static void from_environment(struct openstack_config *c)
{
	c->source = xstrdup("the environment (OS_*)");
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const char *value = fields[i].variable ? config_env(fields[i].variable) : NULL;

		if (value)
			*field_of(c, &fields[i]) = xstrdup(value);
	}
}

/* ---- both ---- */

static int check_interface(struct openstack_config *c, struct error *err)
{
	char *dash;

	if (!c->interface)
		c->interface = xstrdup("public");
	dash = strstr(c->interface, "URL"); /* "publicURL" is the older name */
	if (dash)
		*dash = 0;
	if (strcmp(c->interface, "public") != 0 && strcmp(c->interface, "internal") != 0 &&
	    strcmp(c->interface, "admin") != 0)
		return error_usage(err, "%s: interface '%s' is none of public, internal, admin", c->source,
				   c->interface);
	return 0;
}

static int check(struct openstack_config *c, struct error *err)
{
	bool credential = c->credential_id || c->credential_name;

	if (!c->auth_url)
		return error_usage(err, "%s: no auth_url (OS_AUTH_URL)", c->source);
	if (strncmp(c->auth_url, "https://", 8) != 0 && strncmp(c->auth_url, "http://", 7) != 0)
		return error_usage(err, "%s: auth_url '%s' is no http or https URL", c->source, c->auth_url);
	if (credential && !c->credential_secret)
		return error_usage(err, "%s: an application credential without its secret", c->source);
	if (c->credential_name && !c->credential_id && !c->user_id && !c->username)
		return error_usage(err,
				   "%s: an application credential by name needs the user too; or give its id",
				   c->source);
	if (!credential && (!c->password || (!c->user_id && !c->username)))
		return error_usage(
			err,
			"%s: neither an application credential nor user name and password (OS_USERNAME, "
			"OS_PASSWORD)",
			c->source);
	if (!credential && !c->project_id && !c->project_name)
		return error_usage(err, "%s: no project (OS_PROJECT_NAME)", c->source);
	return check_interface(c, err);
}

int openstack_config_load(const char *cloud, const char *region, struct openstack_config *ret,
			  struct error *err)
{
	_cleanup_openstack_config_ struct openstack_config c = {0};
	const char *name = cloud ? cloud : config_env("OS_CLOUD");
	int r = 0;

	if (!name && config_env("OS_AUTH_URL"))
		from_environment(&c);
	else
		r = from_files(name, &c, err);
	if (r == 0)
		r = check(&c, err);
	if (r < 0)
		return r;
	if (region) {
		free(c.region);
		c.region = xstrdup(region);
	}
	*ret = c;
	c = (struct openstack_config){0};
	return 0;
}
