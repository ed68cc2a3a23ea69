/* SPDX-License-Identifier: Apache-2.0 */
#include "template/starter.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/io.h"
#include "template/starter_text.h"
#include "template/template.h"

#define FILE_NAME    "appliance.conf"
#define PROGRAM_MAX  ((size_t)64 << 20)
#define NAME_LONGEST 63 /* name_appliance() */

/* ---- what was asked for ---- */

static bool ends_in(const char *s, const char *suffix)
{
	size_t len = strlen(s), n = strlen(suffix);

	return len > n && strcmp(s + len - n, suffix) == 0;
}

static const char *source_of(const struct starter *s)
{
	if (s->source)
		return s->source;
	if (s->package && ends_in(s->package, ".rpm"))
		return "rpm";
	if (s->package && ends_in(s->package, ".apk"))
		return "disk";
	return "debian";
}

/* A value of the template is one line. */
static int check_value(const char *option, const char *value, struct error *err)
{
	for (const char *p = value; p && *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return error_usage(err, "--%s: has a control character in it", option);
	if (value && !*value)
		return error_usage(err, "--%s: is empty", option);
	return 0;
}

/* A file of this machine by its absolute path; a URL or a reference as it is. To be freed. */
static int absolute(const char *option, const char *value, char **ret, struct error *err)
{
	if (!value)
		return 0;
	if (strstr(value, "://")) {
		*ret = xstrdup(value);
		return 0;
	}
	*ret = realpath(value, NULL);
	if (!*ret && strchr(value, ':')) { /* DIRECTORY:TAG of an OCI layout */
		_cleanup_free_ char *directory = xstrndup(value, (size_t)(strrchr(value, ':') - value));
		_cleanup_free_ char *real = realpath(directory, NULL);

		if (real)
			*ret = xasprintf("%s%s", real, strrchr(value, ':'));
	}
	return *ret ? 0 : error_usage(err, "--%s=%s: %s", option, value, strerror(errno));
}

/* The last part of @dir, which may be ".", in the letters and the length that Name= may have. To be freed. */
static char *name_of(const char *dir)
{
	_cleanup_free_ char *real = realpath(dir, NULL), *copy = real ? steal_pointer(&real) : xstrdup(dir);
	char *name = basename(copy);
	size_t len;

	for (char *p = name; *p; p++)
		*p = isalnum((unsigned char)*p) ? (char)tolower((unsigned char)*p) : '-';
	name += strspn(name, "-");
	len = strnlen(name, NAME_LONGEST);
	while (len && name[len - 1] == '-')
		len--;
	return len ? xstrndup(name, len) : xstrdup("appliance");
}

/* What the source needs to be told, and what would have no effect. */
static int check_options(const struct starter *s, const char *source, struct error *err)
{
	bool needs_image = strcmp(source, "oci") == 0 || strcmp(source, "disk") == 0 ||
			   strcmp(source, "tar") == 0 || strcmp(source, "directory") == 0;
	bool is_rpm = strcmp(source, "rpm") == 0;
	bool starts_itself = strcmp(source, "oci") == 0 || strcmp(source, "disk") == 0;

	if (needs_image && !s->image)
		return error_usage(err, "--source=%s: --image= must say which", source);
	if (!needs_image && s->image)
		return error_usage(err, "--image=: goes with --source=oci, disk, tar or directory");
	if (is_rpm && !s->repository)
		return error_usage(err, "--source=rpm: --repository= must name one, such as "
					"https://mirror.example.org/9/BaseOS/x86_64/os");
	if (is_rpm && !s->gpgkey)
		return error_usage(err, "--source=rpm: --gpgkey=FILE must name the key of the repository's "
					"signatures (none: they are not checked)");
	if (!is_rpm && (s->repository || s->gpgkey))
		return error_usage(err, "--repository= and --gpgkey=: go with --source=rpm");
	if (s->exec && s->unit)
		return error_usage(err, "--exec= and --unit=: one of the two starts the application");
	if (strcmp(source, "disk") == 0 && (s->exec || s->unit))
		return error_usage(err, "--source=disk: the base's own init starts what its units say");
	if ((s->package || is_rpm || (needs_image && !starts_itself)) && !starts_itself && !s->exec &&
	    !s->unit)
		return error_usage(
			err, "--exec=COMMAND or --unit=NAME.service must say what starts the application");
	return 0;
}

/* ---- files ---- */

static int write_text(const char *dir, const char *name, mode_t mode, const void *data, size_t len,
		      struct strlist *files, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
	int r = output_write_file(path, data, len, err);

	if (r == 0 && chmod(path, mode) < 0)
		r = error_errno(err, -errno, "%s", path);
	if (r == 0)
		strlist_add(files, name);
	return r;
}

static int copy_program(const char *dir, const char *program, struct strlist *files, struct error *err)
{
	_cleanup_buf_ struct buf b = {0};
	int r = io_read_file(AT_FDCWD, program, PROGRAM_MAX, &b, err);

	return r < 0 ? error_prefix(
			       err,
			       "the program that --source=none starts with; name another with --package= "
			       "and --exec=")
		     : write_text(dir, "hello", 0755, b.ptr ? b.ptr : "", b.len, files, err);
}

static int write_files(const char *dir, const struct starter *s, const char *source, struct strlist *files,
		       struct error *err)
{
	_cleanup_buf_ struct buf text = {0};
	bool example = !s->package && !s->exec && !s->unit;
	int r = 0;

	starter_text(s, source, example, &text);
	if (example && strcmp(source, "debian") == 0) {
		r = write_text(dir, "nginx.conf", 0644, starter_nginx_conf, strlen(starter_nginx_conf), files,
			       err);
		if (r == 0)
			r = write_text(dir, "index.html", 0644, starter_index_html,
				       strlen(starter_index_html), files, err);
	} else if (example && strcmp(source, "none") == 0) {
		r = copy_program(dir, s->program, files, err);
	}
	return r < 0 ? r : write_text(dir, FILE_NAME, 0644, text.ptr, text.len, files, err);
}

/* It must not hold anything; that it is there is no matter. */
static int check_target(const char *dir, struct error *err)
{
	_cleanup_closedir_ DIR *d = opendir(dir);
	struct dirent *de;

	if (!d)
		return errno == ENOENT ? 0 : error_errno(err, -errno, "%s", dir);
	while ((de = readdir(d)))
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			return error_usage(err, "%s: is not empty ('%s' is in it); nothing is overwritten",
					   dir, de->d_name);
	return 0;
}

/* Whether build would take it. What is wrong is a value that was asked for: the file and the line of the message will not be there. */
static int try_template(const char *temp, struct error *err)
{
	_cleanup_template_ struct template *t = NULL;
	_cleanup_free_ char *text = NULL;
	const char *rest;

	if (template_load(temp, NULL, &t, err) == 0)
		return 0;
	text = xstrdup(err->text);
	rest = strncmp(text, temp, strlen(temp)) == 0 ? strstr(text + strlen(temp), ": ") : NULL;
	return rest ? error_usage(err, "%s", rest + 2) : err->code;
}

/* Into the directory @dir, which is there: the template itself, which makes it one, last. */
static int move_files(const char *temp, const char *dir, const struct strlist *files, struct error *err)
{
	for (size_t i = 0; i < files->len; i++) {
		_cleanup_free_ char *from = xasprintf("%s/%s", temp, files->ptr[i]);
		_cleanup_free_ char *to = xasprintf("%s/%s", dir, files->ptr[i]);

		if (rename(from, to) < 0)
			return error_errno(err, -errno, "%s", to);
	}
	return rmdir(temp) < 0 ? error_errno(err, -errno, "%s", temp) : 0;
}

/* In a directory beside @dir that becomes @dir, or, where there is one, in it: somebody may be at work in there. */
static int write_template(const char *dir, const struct starter *s, const char *source, struct strlist *files,
			  struct error *err)
{
	bool there = access(dir, F_OK) == 0;
	_cleanup_free_ char *temp = there ? xasprintf("%s/.new.XXXXXX", dir) : xasprintf("%s.XXXXXX", dir);
	struct error ignored = ERROR_INIT;
	int r;

	if (!mkdtemp(temp))
		return error_errno(err, -errno, "%s", dir);
	r = write_files(temp, s, source, files, err);
	if (r == 0)
		r = try_template(temp, err);
	if (r == 0 && there)
		r = move_files(temp, dir, files, err);
	else if (r == 0 && (chmod(temp, 0755) < 0 || rename(temp, dir) < 0))
		r = error_errno(err, -errno, "%s", dir);
	if (r < 0)
		(void)io_remove_tree(temp, &ignored);
	return r;
}

int starter_write(const char *dir, const struct starter *asked, struct strlist *ret_files, struct error *err)
{
	_cleanup_free_ char *image = NULL, *package = NULL, *repository = NULL, *gpgkey = NULL, *name = NULL,
			    *target = xstrdup(dir);
	struct starter s = *asked;
	const char *source = source_of(asked);
	int r;

	for (size_t len = strlen(target); len > 1 && target[len - 1] == '/'; len--)
		target[len - 1] = 0;
	if ((r = check_options(&s, source, err)) < 0 || (r = check_value("image", s.image, err)) < 0 ||
	    (r = check_value("package", s.package, err)) < 0 || (r = check_value("exec", s.exec, err)) < 0 ||
	    (r = check_value("unit", s.unit, err)) < 0 || (r = check_value("name", s.name, err)) < 0 ||
	    (r = check_value("repository", s.repository, err)) < 0 ||
	    (r = check_value("source", s.source, err)) < 0 || (r = check_target(target, err)) < 0 ||
	    (r = absolute("image", s.image, &image, err)) < 0 ||
	    (r = absolute("package", s.package, &package, err)) < 0 ||
	    (r = absolute("repository", s.repository, &repository, err)) < 0)
		return r;
	if (s.gpgkey && strcmp(s.gpgkey, "none") != 0) {
		if ((r = check_value("gpgkey", s.gpgkey, err)) < 0 ||
		    (r = absolute("gpgkey", s.gpgkey, &gpgkey, err)) < 0)
			return r;
	}
	s.gpgkey = gpgkey;
	name = name_of(target);
	s.image = image;
	s.package = package;
	s.repository = repository;
	s.name = s.name ? s.name : name;
	return write_template(target, &s, source, ret_files, err);
}
