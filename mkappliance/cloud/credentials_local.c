/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials that the surroundings hand out: of a container ("Container credential provider", AWS SDKs and Tools Reference Guide) and of an instance
 * ("Use IMDSv2", Amazon EC2 User Guide; never v1).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cloud/credentials_internal.h"
#include "lib/cleanup.h"
#include "lib/io.h"

#define CONTAINER_HOST	"http://169.254.170.2"
#define INSTANCE_HOST	"http://169.254.169.254"
#define INSTANCE_HOST_6 "http://[fd00:ec2::254]"
#define TOKEN_MAX	65536

/* ---- container ---- */

/* Over plain HTTP only to the machine itself and to the addresses of ECS and EKS. */
static bool may_ask(const char *url)
{
	static const char *const hosts[] = {"localhost",     "127.0.0.1",      "[::1]",
					    "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"};
	const char *host = url + strlen("http://");
	size_t len;

	if (strncmp(url, "https://", 8) == 0)
		return true;
	/* What stands before an '@' is a name and a password, and the host is another one. */
	if (strncmp(url, "http://", 7) != 0 || memchr(host, '@', strcspn(host, "/?#")))
		return false;
	len = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?");
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		if (strlen(hosts[i]) == len && strncasecmp(host, hosts[i], len) == 0)
			return true;
	/* 127.0.0.0/8: digits and dots only, or it is a name. */
	return strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == len;
}

/* The Authorization header, NULL when there is none to send; to be freed with secret_free(). The file is read each time. */
static int authorization(char **ret, struct error *err)
{
	const char *file = config_env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
		   *token = config_env("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	struct buf text = {0};
	int r = 0;

	*ret = NULL;
	if (file) {
		r = io_read_file(AT_FDCWD, file, TOKEN_MAX, &text, err);
		if (r == 0 && text.len)
			token = text.ptr;
	}
	if (r == 0 && token && strpbrk(token, "\r\n"))
		r = error_usage(err, "the container's authorization token has more than one line");
	if (r == 0 && token)
		*ret = xasprintf("Authorization: %s", token);
	if (text.ptr)
		explicit_bzero(text.ptr, text.len);
	buf_free(&text);
	return r;
}

static int ask_container(struct http *http, const char *url, struct credentials *ret, struct error *err)
{
	static const char what[] = "credentials of the container";
	_cleanup_reply_ struct http_reply reply = {0};
	char *header;
	int r = authorization(&header, err);

	if (r < 0)
		return r;
	r = credentials_fetch(http,
			      &(struct http_request){.method = "GET",
						     .url = url,
						     .headers = (const char *const[]){header, NULL},
						     .timeout_ms = 2000,
						     .connect_ms = 2000,
						     .no_proxy = true},
			      3, what, &reply, err);
	secret_free(header);
	return r < 0 ? r
		     : credentials_parse(reply.body.ptr, reply.body.len, &credential_names_local, what, ret,
					 err);
}

int credentials_from_container(struct http *http, struct credentials *ret, struct error *err)
{
	const char *relative = config_env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
		   *full = config_env("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	_cleanup_free_ char *url = NULL;
	int r;

	if (!relative && !full)
		return 0;
	url = relative ? xasprintf(CONTAINER_HOST "%s", relative) : xstrdup(full);
	if (!may_ask(url))
		return error_usage(err,
				   "AWS_CONTAINER_CREDENTIALS_FULL_URI=%s: neither https nor an address that "
				   "container services have",
				   url);
	r = ask_container(http, url, ret, err);
	if (r < 0)
		return r;
	ret->source = xstrdup("the container");
	return 1;
}

/* ---- instance ---- */

struct instance {
	struct http *http;
	char *host;
	unsigned timeout_ms, attempts;
	char *token; /* the header "X-aws-ec2-metadata-token: ..." */
};

static void instance_free(struct instance *i)
{
	free(i->host);
	secret_free(i->token);
}

static unsigned env_number(const char *name, unsigned otherwise)
{
	const char *text = config_env(name);
	char *end;
	unsigned long n = text ? strtoul(text, &end, 10) : 0;

	return text && !*end && n >= 1 && n <= 1000 ? (unsigned)n : otherwise;
}

static char *instance_host(const struct config *c)
{
	const char *host = config_env("AWS_EC2_METADATA_SERVICE_ENDPOINT"),
		   *mode = config_env("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
	char *copy;

	if (!host)
		host = config_get(c, NULL, "ec2_metadata_service_endpoint");
	if (!mode)
		mode = config_get(c, NULL, "ec2_metadata_service_endpoint_mode");
	if (!host)
		host = mode && strcasecmp(mode, "ipv6") == 0 ? INSTANCE_HOST_6 : INSTANCE_HOST;
	copy = xstrdup(host);
	while (*copy && copy[strlen(copy) - 1] == '/')
		copy[strlen(copy) - 1] = 0;
	return copy;
}

static int ask_instance(const struct instance *i, const char *method, const char *path, const char *header,
			struct http_reply *ret, struct error *err)
{
	_cleanup_free_ char *url = xasprintf("%s/latest/%s", i->host, path);

	return credentials_fetch(i->http,
				 &(struct http_request){.method = method,
							.url = url,
							.headers = (const char *const[]){header, NULL},
							.response_max = 65536,
							.timeout_ms = i->timeout_ms,
							.connect_ms = i->timeout_ms,
							.no_proxy = true},
				 i->attempts, "instance metadata", ret, err);
}

/* One word of an answer, to be freed; NULL when it is none. */
static char *word_of(const struct http_reply *reply)
{
	const char *text = reply->body.len ? reply->body.ptr : "";
	size_t len = strcspn(text, " \t\r\n");

	for (size_t i = 0; i < len; i++)
		if (text[i] < 0x21 || text[i] > 0x7e)
			return NULL;
	return len ? xstrndup(text, len) : NULL;
}

/* A session of IMDSv2. 0 when there is no such service, with a note. */
static int open_instance(const struct config *c, struct http *http, struct instance *i, char **ret_note,
			 struct error *err)
{
	const char *off = config_env("AWS_EC2_METADATA_DISABLED");
	_cleanup_reply_ struct http_reply reply = {0};
	struct error ignored = ERROR_INIT;
	char *token;
	int r;

	if (off && strcasecmp(off, "true") == 0)
		return 0;
	i->http = http;
	i->host = instance_host(c);
	i->timeout_ms = 1000 * env_number("AWS_METADATA_SERVICE_TIMEOUT", 1);
	i->attempts = env_number("AWS_METADATA_SERVICE_NUM_ATTEMPTS", 1);
	r = ask_instance(i, "PUT", "api/token", "X-aws-ec2-metadata-token-ttl-seconds: 21600", &reply,
			 &ignored);
	token = r == 0 ? word_of(&reply) : NULL;
	if (r == -EINTR) {
		*err = ignored;
		return r;
	}
	if (!token) {
		*ret_note = xstrdup(r < 0 ? ignored.text : "instance metadata: no token");
		return 0;
	}
	i->token = xasprintf("X-aws-ec2-metadata-token: %s", token);
	secret_free(token);
	return 1;
}

/* The role's name, then its credentials. Without a role: 0 with a note. */
static int instance_role(const struct instance *i, struct credentials *ret, char **ret_note,
			 struct error *err)
{
	static const char base[] = "meta-data/iam/security-credentials/";
	_cleanup_reply_ struct http_reply list = {0}, reply = {0};
	_cleanup_free_ char *role = NULL, *path = NULL;
	int r = ask_instance(i, "GET", base, i->token, &list, err);

	if (r == -EIO && list.status == 404) {
		*ret_note = xstrdup("the instance has no role");
		return 0;
	}
	if (r < 0)
		return r;
	role = word_of(&list);
	if (!role) {
		*ret_note = xstrdup("the instance has no role");
		return 0;
	}
	path = xasprintf("%s%s", base, role);
	r = ask_instance(i, "GET", path, i->token, &reply, err);
	if (r == 0)
		r = credentials_parse(reply.body.ptr, reply.body.len, &credential_names_local,
				      "credentials of the instance", ret, err);
	if (r < 0)
		return r;
	ret->source = xasprintf("the instance's role '%s'", role);
	return 1;
}

int credentials_from_instance(const struct config *c, struct http *http, struct credentials *ret,
			      char **ret_note, struct error *err)
{
	_cleanup_(instance_free) struct instance i = {0};
	int r = open_instance(c, http, &i, ret_note, err);

	return r <= 0 ? r : instance_role(&i, ret, ret_note, err);
}

int credentials_instance_region(const struct config *c, struct http *http, char **ret, struct error *err)
{
	_cleanup_(instance_free) struct instance i = {0};
	_cleanup_reply_ struct http_reply reply = {0};
	_cleanup_free_ char *note = NULL;
	struct error ignored = ERROR_INIT;
	int r = open_instance(c, http, &i, &note, err);

	if (r <= 0)
		return r;
	r = ask_instance(&i, "GET", "meta-data/placement/region", i.token, &reply, &ignored);
	if (r == -EINTR) {
		*err = ignored;
		return r;
	}
	*ret = r == 0 ? word_of(&reply) : NULL;
	return *ret != NULL;
}
