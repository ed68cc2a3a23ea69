/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "resolv.h"

#define RESOLV_CONF "/run/resolv.conf"
#define ETC_CONF    "/etc/resolv.conf"
#define SEARCH_MAX  1024 /* bytes */

static bool resolv_shown; /* /etc/resolv.conf leads to ours */

/* Whether @word stands in @text between blanks or line ends. */
static bool has_word(const char *text, const char *word, size_t len)
{
	for (const char *at = text; *at;) {
		size_t n;

		at += strspn(at, " \n");
		n = strcspn(at, " \n");
		if (n == len && memcmp(at, word, len) == 0)
			return true;
		at += n;
	}
	return false;
}

void resolv_server(struct resolv *r, const char *address)
{
	if (r->count >= RESOLV_SERVERS_MAX || has_word(r->servers.text, address, strlen(address)))
		return;
	line_printf(&r->servers, "nameserver %s\n", address);
	r->count++;
}

void resolv_search(struct resolv *r, const char *domains)
{
	while (*domains) {
		size_t len;

		domains += strspn(domains, " ");
		len = strcspn(domains, " ");
		if (len && r->search.len + len + 1 <= SEARCH_MAX && !has_word(r->search.text, domains, len)) {
			line_bytes(&r->search, " ", 1);
			line_bytes(&r->search, domains, len);
		}
		domains += len;
	}
}

/* @path is below /run: the directories that lead to it. */
static int make_parents(char *path)
{
	for (char *slash = strchr(path + sizeof "/run", '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return 0;
}

/* /etc/resolv.conf is a link: when it leads to /run and to nothing there, ours is put where it leads. */
static int show_by_link(void)
{
	char target[PATH_MAX];
	ssize_t n = readlink(ETC_CONF, target, sizeof target - 1);
	char *path = target;
	int r;

	if (n < 0)
		return -errno;
	target[n] = '\0';
	if (strncmp(path, "../run/", 7) == 0)
		path += 2;
	if (strncmp(path, "/run/", 5) != 0 || strstr(path, "/../") || strcmp(path, RESOLV_CONF) == 0)
		return 0;
	r = make_parents(path);
	if (r < 0)
		return r;
	return symlink(RESOLV_CONF, path) < 0 && errno != EEXIST ? -errno : 0;
}

/* A root without that file has no resolver that would read it. */
static int show(void)
{
	struct stat st;

	if (lstat(ETC_CONF, &st) < 0)
		return 0;
	if (S_ISLNK(st.st_mode))
		return show_by_link();
	if (!S_ISREG(st.st_mode))
		return 0;
	return mount(RESOLV_CONF, ETC_CONF, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
}

/* In place, since a bind mount shows this inode and no other; without a moment in which it is empty. */
int resolv_write(const struct resolv *r)
{
	struct line text = {.len = 0};
	int fd, e;

	line_bytes(&text, r->servers.text, r->servers.len);
	if (r->search.len)
		line_printf(&text, "search%s\n", r->search.text);
	fd = open(RESOLV_CONF, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	e = file_write(fd, text.text, text.len);
	if (e == 0 && ftruncate(fd, (off_t)text.len) < 0)
		e = -errno;
	close(fd);
	if (e < 0 || resolv_shown)
		return e;
	e = show();
	resolv_shown = e == 0;
	return e;
}
