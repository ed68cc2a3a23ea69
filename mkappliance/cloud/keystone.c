/* SPDX-License-Identifier: Apache-2.0 */
/* OpenStack's identity service: a token, and where the image service is. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/credentials.h"
#include "cloud/openstack_internal.h"
#include "lib/cleanup.h"

static void set_domain(struct json *of, const char *id, const char *name)
{
	struct json *domain = js_object_new();

	if (id)
		js_set_string(domain, "id", id);
	else if (name)
		js_set_string(domain, "name", name);
	else
		js_set_string(domain, "id", "default");
	js_set(of, "domain", domain);
}

static struct json *user_json(const struct openstack_config *c)
{
	struct json *user = js_object_new();

	if (c->user_id) {
		js_set_string(user, "id", c->user_id);
	} else {
		js_set_string(user, "name", c->username);
		set_domain(user, c->user_domain_id, c->user_domain_name);
	}
	return user;
}

static void set_method(struct json *identity, const char *method, struct json *value)
{
	struct json *methods = js_array_new();

	js_append_string(methods, method);
	js_set(identity, "methods", methods);
	js_set(identity, method, value);
}

static struct json *credential_json(const struct openstack_config *c)
{
	struct json *credential = js_object_new();

	if (c->credential_id) {
		js_set_string(credential, "id", c->credential_id);
	} else {
		js_set_string(credential, "name", c->credential_name);
		js_set(credential, "user", user_json(c));
	}
	js_set_string(credential, "secret", c->credential_secret);
	return credential;
}

/* An application credential is of one project already; a user must say for which one the token is to be. */
static struct json *auth_json(const struct openstack_config *c)
{
	struct json *root = js_object_new(), *auth = js_object_new(), *identity = js_object_new();

	if (c->credential_secret) {
		set_method(identity, "application_credential", credential_json(c));
	} else {
		struct json *password = js_object_new(), *user = user_json(c), *scope = js_object_new(),
			    *project = js_object_new();

		js_set_string(user, "password", c->password);
		js_set(password, "user", user);
		set_method(identity, "password", password);
		if (c->project_id) {
			js_set_string(project, "id", c->project_id);
		} else {
			js_set_string(project, "name", c->project_name);
			set_domain(project, c->project_domain_id, c->project_domain_name);
		}
		js_set(scope, "project", project);
		js_set(auth, "scope", scope);
	}
	js_set(auth, "identity", identity);
	js_set(root, "auth", auth);
	return root;
}

/* "2026-11-26T15:04:05.000000Z" */
static time_t parse_time(const char *text)
{
	struct tm tm = {0};

	return text && strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) ? timegm(&tm) : 0;
}

/* The image service in the region and by the interface that are wanted. */
static int find_endpoint(struct openstack *o, const struct json *catalog, struct error *err)
{
	const char *url = NULL, *region = NULL;
	size_t len;

	for (size_t i = 0; i < js_array_len(catalog); i++) {
		const struct json *service = js_array_get(catalog, i);
		const struct json *list = js_member(service, "endpoints");
		const char *type = js_string(js_member(service, "type"));

		for (size_t k = 0; type && strcmp(type, "image") == 0 && k < js_array_len(list); k++) {
			const struct json *e = js_array_get(list, k);
			const char *interface = js_string(js_member(e, "interface"));
			const char *in = js_string(js_member(e, "region_id"));

			if (!url && interface && strcmp(interface, o->config.interface) == 0 &&
			    (!o->config.region || (in && strcmp(in, o->config.region) == 0))) {
				url = js_string(js_member(e, "url"));
				region = in;
			}
		}
	}
	if (o->config.image_endpoint)
		url = o->config.image_endpoint;
	if (!url)
		return error_usage(err, "%s: the catalog has no image service with interface '%s'%s%s",
				   o->config.source, o->config.interface,
				   o->config.region ? " in region " : "",
				   o->config.region ? o->config.region : "");
	len = strlen(url);
	while (len && url[len - 1] == '/')
		len--;
	if (len > 3 && memcmp(url + len - 3, "/v2", 3) == 0)
		len -= 3;
	o->endpoint = xstrndup(url, len);
	o->region = xstrdup(region ? region : o->config.region ? o->config.region : "RegionOne");
	return 0;
}

static int take_token(struct openstack *o, const struct http_reply *reply, struct error *err)
{
	const char *token = http_header(reply, "X-Subject-Token");
	_cleanup_json_ struct json *j = NULL;
	const char *project, *user;
	int r = js_parse(reply->body.ptr ? reply->body.ptr : "", reply->body.len, "Keystone's answer", &j,
			 err);

	if (r < 0)
		return r;
	project = js_string(js_get(j, "token.project.id"));
	user = js_string(js_get(j, "token.user.name"));
	if (!token || !project)
		return error_set(err, -EBADMSG, "%s: no token of a project in Keystone's answer",
				 o->config.source);
	secret_free(o->token);
	free(o->project);
	free(o->user);
	free(o->endpoint);
	free(o->region);
	o->token = xstrdup(token);
	o->project = xstrdup(project);
	o->user = xstrdup(user ? user : "?");
	o->endpoint = o->region = NULL;
	o->expires = parse_time(js_string(js_get(j, "token.expires_at")));
	return find_endpoint(o, js_get(j, "token.catalog"), err);
}

static int request_token(struct openstack *o, struct http_reply *reply, struct error *err)
{
	const char *base = o->config.auth_url;
	size_t len = strlen(base);
	_cleanup_free_ char *url = NULL, *text = NULL;
	_cleanup_json_ struct json *body = auth_json(&o->config);
	const char *headers[] = {"Content-Type: application/json", NULL};
	struct retry state = {0};
	bool again = true;
	int r = 0;

	while (len && base[len - 1] == '/')
		len--;
	url = xasprintf("%.*s%s/auth/tokens", (int)len, base,
			len > 3 && memcmp(base + len - 3, "/v3", 3) == 0 ? "" : "/v3");
	text = js_text(body, true);
	while (r == 0 && again) {
		struct error ignored = ERROR_INIT;

		http_reply_free(reply);
		(void)http_perform(o->http,
				   &(struct http_request){.method = "POST",
							  .url = url,
							  .headers = headers,
							  .body = text,
							  .body_len = strlen(text)},
				   reply, &ignored);
		r = openstack_wait_again(o, &state, reply, &again, err);
	}
	explicit_bzero(text, strlen(text));
	return r;
}

int openstack_authenticate(struct openstack *o, unsigned seconds, struct error *err)
{
	_cleanup_reply_ struct http_reply reply = {0};
	int r;

	if (o->token && o->expires > time(NULL) + (time_t)seconds)
		return 0;
	r = request_token(o, &reply, err);
	if (r < 0)
		return r;
	if (reply.outcome != HTTP_ANSWERED || reply.status / 100 != 2) {
		(void)!openstack_fail("identity:create_token", &reply, err);
		return error_prefix(err, "%s", o->config.source);
	}
	return take_token(o, &reply, err);
}
