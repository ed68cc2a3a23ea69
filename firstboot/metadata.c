/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "end.h"
#include "file.h"
#include "image/abi.h"
#include "iso9660.h"
#include "metadata.h"

#define SERVICE	    0xa9fea9feu /* 169.254.169.254 */
#define PORT	    80
#define ANSWER_MAX  (METADATA_MAX + 2048)
#define ATTEMPT_MS  5000
#define PATIENCE_MS 60000 /* for the source to say what we ask */
#define PAUSE_MS    500
#define TOKEN_MAX   256

static char answer[ANSWER_MAX + 1];
static char userdata[METADATA_MAX + 1];
static const char *variables[METADATA_ENV_MAX + 1];
static struct line token; /* of IMDSv2, as a header */

const char *const *metadata_env(void)
{
	return variables;
}

/* ---- over HTTP ---- */

static int connect_to_service(void)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(SERVICE)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&to, sizeof to) == 0 || errno == EINPROGRESS)
		return fd;
	close(fd);
	return -EAGAIN;
}

/* Until @fd is ready for @what; -ETIMEDOUT, or -EINTR when the machine shall stop. */
static int wait_for(int fd, short what, uint64_t deadline, struct events *e)
{
	while (!e->stop && clock_ms() < deadline) {
		struct pollfd p = {.fd = fd, .events = what};

		events_wait(e, &p, 1, deadline);
		if (p.revents)
			return 0;
	}
	return e->stop ? -EINTR : -ETIMEDOUT;
}

/* One request, one answer: the status code and the body, or -errno. */
static int exchange(int fd, const struct line *request, struct events *e, const char **ret_body,
		    size_t *ret_len)
{
	uint64_t deadline = clock_ms() + ATTEMPT_MS;
	size_t len = 0;
	int r = wait_for(fd, POLLOUT, deadline, e);

	/* Less than a fresh socket's buffer takes at once. */
	if (r == 0 && send(fd, request->text, request->len, MSG_NOSIGNAL) != (ssize_t)request->len)
		r = -EIO;
	while (r == 0) {
		ssize_t n;

		r = wait_for(fd, POLLIN, deadline, e);
		if (r < 0)
			break;
		n = recv(fd, answer + len, ANSWER_MAX - len, 0);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n == 0 && len == ANSWER_MAX)
			return -EFBIG;
		len += n > 0 ? (size_t)n : 0;
		if (n >= 0)
			r = metadata_http(answer, len, n == 0, ret_body, ret_len);
	}
	return r;
}

static int ask_once(const char *method, const char *path, const char *header, struct events *e,
		    const char **ret_body, size_t *ret_len)
{
	struct line request = {.len = 0};
	int fd = connect_to_service(), r;

	if (fd < 0)
		return fd;
	line_printf(&request, "%s %s HTTP/1.1\r\nHost: 169.254.169.254\r\n%sConnection: close\r\n", method,
		    path, header);
	if (strcmp(method, "PUT") == 0)
		line_printf(&request, "Content-Length: 0\r\n");
	line_printf(&request, "\r\n");
	r = exchange(fd, &request, e, ret_body, ret_len);
	close(fd);
	return r;
}

/* The body of @path, again and again until there is a final answer. -ENOENT: there is no such thing. */
static int ask(const char *method, const char *path, const char *header, struct events *e, uint64_t deadline,
	       const char **ret_body, size_t *ret_len)
{
	for (;;) {
		int r = ask_once(method, path, header, e, ret_body, ret_len);

		if (r == 200)
			return 0;
		if (r == 404)
			return -ENOENT;
		if (e->stop || clock_ms() >= deadline)
			return r > 0 ? -EACCES : r;
		events_wait(e, NULL, 0, clock_ms() + PAUSE_MS);
	}
}

/* IMDSv2: without the token nothing is asked (a forged version 1 has none). */
static int get_token(struct events *e, uint64_t deadline)
{
	const char *body = NULL;
	size_t len = 0;
	int r = ask("PUT", "/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds: 300\r\n", e, deadline,
		    &body, &len);

	if (r < 0)
		return r;
	if (len == 0 || len > TOKEN_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < len; i++)
		if (body[i] <= ' ' || body[i] == 0x7f)
			return -EBADMSG;
	line_reset(&token);
	line_printf(&token, "X-aws-ec2-metadata-token: ");
	line_bytes(&token, body, len);
	line_printf(&token, "\r\n");
	return 0;
}

/* ---- a disk ---- */

/* The document @name of the first cidata disk. -ENODEV: there is none yet. */
static int read_cidata(const char *name, const char **ret_body, size_t *ret_len)
{
	struct dir d;
	const char *disk;
	unsigned char type;
	int r = dir_open(&d, AT_FDCWD, "/sys/class/block"), found = -ENODEV;

	if (r < 0)
		return r;
	while (found == -ENODEV && dir_next(&d, &disk, &type) > 0) {
		struct line path = {.len = 0};
		struct iso9660 iso;
		int fd;

		line_printf(&path, "/dev/%s", disk);
		fd = open(path.text, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0)
			continue;
		if (iso9660_open(fd, "cidata", &iso) == 0) {
			found = iso9660_read(fd, &iso, name, answer, METADATA_MAX, ret_len);
			*ret_body = answer;
		}
		close(fd);
	}
	dir_close(&d);
	return found;
}

static int wait_cidata(const char *name, struct events *e, uint64_t deadline, const char **ret_body,
		       size_t *ret_len)
{
	int r;

	while ((r = read_cidata(name, ret_body, ret_len)) == -ENODEV && !e->stop && clock_ms() < deadline)
		events_wait(e, NULL, 0, clock_ms() + PAUSE_MS);
	return r;
}

/* ---- what is asked ---- */

/* The document that has the name, or is it (aws). */
static int get_document(const struct conf *c, bool user, struct events *e, uint64_t deadline,
			const char **ret_body, size_t *ret_len)
{
	if (c->metadata == CONF_METADATA_NOCLOUD)
		return wait_cidata(user ? "user-data" : "meta-data", e, deadline, ret_body, ret_len);
	if (c->metadata == CONF_METADATA_OPENSTACK)
		return ask("GET", user ? "/openstack/latest/user_data" : "/openstack/latest/meta_data.json",
			   "", e, deadline, ret_body, ret_len);
	return ask("GET", user ? "/latest/user-data" : "/latest/meta-data/local-hostname", token.text, e,
		   deadline, ret_body, ret_len);
}

/* Where the name stands in the document. False: it says none. */
static bool find_name(const struct conf *c, const char **text, size_t *len)
{
	const char *body = *text;
	size_t body_len = *len;

	if (c->metadata == CONF_METADATA_AWS)
		return true;
	if (c->metadata == CONF_METADATA_OPENSTACK)
		return metadata_json(body, body_len, "hostname", text, len);
	return metadata_yaml(body, body_len, "local-hostname", text, len) ||
	       metadata_yaml(body, body_len, "hostname", text, len);
}

static void take_name(const struct conf *c, struct events *e, uint64_t deadline)
{
	char name[METADATA_HOST_MAX + 1];
	const char *text = NULL;
	size_t len = 0;
	int r = get_document(c, false, e, deadline, &text, &len);

	if (e->stop || r == -ENOENT)
		return; /* the template's name stays */
	if (r < 0)
		fail(ABI_FAILED_METADATA, "the source does not answer: %s", strerror(-r));
	if (!find_name(c, &text, &len))
		return;
	if (!metadata_hostname(text, len, name))
		fail(ABI_FAILED_METADATA, "what it says is no host name");
	if (sethostname(name, strlen(name)) < 0)
		fail(ABI_FAILED_METADATA, "the host name '%s': %s", name, strerror(errno));
}

static void take_variables(const struct conf *c, struct events *e, uint64_t deadline)
{
	struct line why = {.len = 0};
	const char *text = NULL;
	size_t len = 0, count = 0;
	int r = get_document(c, true, e, deadline, &text, &len);

	if (e->stop || r == -ENOENT)
		return;
	if (r < 0)
		fail(ABI_FAILED_METADATA, "the user data cannot be read: %s", strerror(-r));
	if (len > METADATA_MAX)
		fail(ABI_FAILED_METADATA, "the user data has more than %d bytes", METADATA_MAX);
	memcpy(userdata, text, len);
	if (metadata_parse_env(userdata, len, variables, &count, &why) < 0)
		fail(ABI_FAILED_METADATA, "the user data is no environment file: %s", why.text);
}

void metadata_start(const struct conf *c, struct events *e)
{
	uint64_t deadline = clock_ms() + PATIENCE_MS;
	int r = c->metadata == CONF_METADATA_AWS ? get_token(e, deadline) : 0;

	if (c->metadata == CONF_METADATA_NONE || e->stop)
		return;
	if (r < 0)
		fail(ABI_FAILED_METADATA, "no token of IMDSv2: %s", strerror(-r));
	take_name(c, e, deadline);
	if (c->userdata_env && !e->stop)
		take_variables(c, e, deadline);
}
