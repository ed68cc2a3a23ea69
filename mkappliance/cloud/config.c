/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/cleanup.h"
#include "lib/io.h"
#include "lib/mem.h"

const char *config_env(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

/* What @variable says, else ~/@below; "~" at its beginning is the home directory. */
static char *path_of(const char *variable, const char *below)
{
	const char *path = config_env(variable), *home = config_env("HOME");

	if (path && !(path[0] == '~' && path[1] == '/'))
		return xstrdup(path);
	return xasprintf("%s/%s", home ? home : "", path ? path + 2 : below);
}

/* A file that is not there is an empty one. */
static int load(const char *path, struct config_file *ret, struct error *err)
{
	struct buf text = {0};
	int r = io_read_file(AT_FDCWD, path, CONFIG_MAX_SIZE, &text, err);

	if (r == -ENOENT || r == -ENOTDIR)
		r = 0;
	else if (r == 0)
		r = config_parse(text.ptr ? text.ptr : "", text.len, path, ret, err);
	if (text.ptr)
		explicit_bzero(text.ptr, text.len);
	buf_free(&text);
	return r;
}

char *config_section(const struct config *c, const char *profile)
{
	static const char *const quotes[] = {"", "\"", "'"};

	for (size_t i = 0; i < sizeof(quotes) / sizeof(quotes[0]); i++) {
		char *text = xasprintf("profile %s%s%s", quotes[i], profile, quotes[i]);

		if (config_file_has(&c->config, text))
			return text;
		free(text);
	}
	return strcmp(profile, "default") == 0 ? xstrdup(profile) : NULL;
}

bool config_has_profile(const struct config *c, const char *profile)
{
	_cleanup_free_ char *section = config_section(c, profile);

	return (section && config_file_has(&c->config, section)) || config_file_has(&c->credentials, profile);
}

const char *config_get(const struct config *c, const char *profile, const char *key)
{
	const char *name = profile ? profile : c->profile, *value;
	_cleanup_free_ char *section = config_section(c, name);

	value = config_file_get(&c->credentials, name, key, NULL);
	if (!value && section)
		value = config_file_get(&c->config, section, key, NULL);
	return value && *value ? value : NULL;
}

/* AWS_DEFAULT_PROFILE before AWS_PROFILE: botocore, BOTOCORE_DEFAUT_SESSION_VARIABLES. */
static const char *env_profile(void)
{
	const char *profile = config_env("AWS_DEFAULT_PROFILE");

	return profile ? profile : config_env("AWS_PROFILE");
}

int config_load(const struct config_options *options, struct config **ret, struct error *err)
{
	_cleanup_config_ struct config *c = xcalloc(1, sizeof(*c));
	const char *profile = options->profile ? options->profile : env_profile();
	int r;

	c->config_path = path_of("AWS_CONFIG_FILE", ".aws/config");
	c->credentials_path = path_of("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials");
	c->profile_option = options->profile != NULL;
	c->profile_named = profile != NULL;
	c->profile = xstrdup(profile ? profile : "default");
	c->region_option = options->region ? xstrdup(options->region) : NULL;
	c->endpoint_option = options->endpoint_url ? xstrdup(options->endpoint_url) : NULL;
	r = load(c->config_path, &c->config, err);
	if (r < 0)
		return r;
	r = load(c->credentials_path, &c->credentials, err);
	if (r < 0)
		return r;
	if (c->profile_named && !config_has_profile(c, c->profile))
		return error_usage(err, "profile '%s' is neither in %s nor in %s", c->profile, c->config_path,
				   c->credentials_path);
	*ret = steal_pointer(&c);
	return 0;
}

void config_free(struct config *c)
{
	if (!c)
		return;
	config_file_free(&c->config);
	config_file_free(&c->credentials);
	free(c->config_path);
	free(c->credentials_path);
	free(c->profile);
	free(c->region_option);
	free(c->endpoint_option);
	free(c);
}

void config_freep(struct config **c)
{
	config_free(*c);
}

const char *config_region(const struct config *c)
{
	const char *region = c->region_option;

	if (!region)
		region = config_env("AWS_REGION");
	if (!region)
		region = config_env("AWS_DEFAULT_REGION");
	return region ? region : config_get(c, NULL, "region");
}

/* "AUTO_SCALING" is "auto_scaling" in a services section. */
static const char *service_endpoint(const struct config *c, const char *service_id)
{
	const char *services = config_get(c, NULL, "services"), *value;
	_cleanup_free_ char *section = NULL, *key = xstrdup(service_id);

	if (!services)
		return NULL;
	for (char *p = key; *p; p++)
		*p = (char)(*p >= 'A' && *p <= 'Z' ? *p | 0x20 : *p);
	section = xasprintf("services %s", services);
	value = config_file_get(&c->config, section, key, "endpoint_url");
	return value && *value ? value : NULL;
}

const char *config_endpoint(const struct config *c, const char *service_id)
{
	_cleanup_free_ char *name = xasprintf("AWS_ENDPOINT_URL_%s", service_id);
	const char *ignore = config_env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), *value;

	if (c->endpoint_option)
		return c->endpoint_option;
	if (!ignore)
		ignore = config_get(c, NULL, "ignore_configured_endpoint_urls");
	if (ignore && strcasecmp(ignore, "true") == 0)
		return NULL;
	value = config_env(name);
	if (!value)
		value = service_endpoint(c, service_id);
	if (!value)
		value = config_env("AWS_ENDPOINT_URL");
	return value ? value : config_get(c, NULL, "endpoint_url");
}

const char *config_ca_bundle(const struct config *c)
{
	const char *file = config_env("AWS_CA_BUNDLE");

	return file ? file : config_get(c, NULL, "ca_bundle");
}
