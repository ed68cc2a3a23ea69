/* SPDX-License-Identifier: Apache-2.0 */
#include "template/starter_text.h"

#include <stdbool.h>
#include <string.h>

/* clang-format off */
const char starter_nginx_conf[] =
	"# The root is read only: all that nginx writes goes to /run, /tmp and the console.\n"
	"daemon off;\n"
	"user www-data;\n"
	"worker_processes auto;\n"
	"pid /run/nginx.pid;\n"
	"error_log stderr warn;\n"
	"\n"
	"events {\n"
	"\tworker_connections 768;\n"
	"}\n"
	"\n"
	"http {\n"
	"\tinclude /etc/nginx/mime.types;\n"
	"\tdefault_type application/octet-stream;\n"
	"\tserver_tokens off;\n"
	"\tsendfile on;\n"
	"\taccess_log /dev/stdout;\n"
	"\n"
	"\tclient_body_temp_path /tmp/nginx-body;\n"
	"\tproxy_temp_path /tmp/nginx-proxy;\n"
	"\tfastcgi_temp_path /tmp/nginx-fastcgi;\n"
	"\tuwsgi_temp_path /tmp/nginx-uwsgi;\n"
	"\tscgi_temp_path /tmp/nginx-scgi;\n"
	"\n"
	"\tserver {\n"
	"\t\tlisten 80 default_server;\n"
	"\t\tlisten [::]:80 default_server;\n"
	"\t\troot /srv/www;\n"
	"\t}\n"
	"}\n";

const char starter_index_html[] =
	"<!doctype html>\n"
	"<html lang=\"en\">\n"
	"<meta charset=\"utf-8\">\n"
	"<title>mkappliance</title>\n"
	"<h1>Hello from a verified root</h1>\n"
	"<p>Every block that this page was read from was checked against one root hash.</p>\n"
	"</html>\n";
/* clang-format on */

#define CONSOLE "CommandLine=console=ttyS0\n\n"
#define DEBIAN_KERNEL                                                                           \
	"[Kernel]\n# Of Debian's archive; Image= and ModulesDirectory= take one of your own.\n" \
	"Package=linux-image-cloud-amd64\n" CONSOLE
#define BASE_KERNEL "[Kernel]\n# The base's own kernel is taken.\n" CONSOLE

static void base_debian(const struct starter *s, bool example, struct buf *b)
{
	(void)s;
	buf_printf(b,
		   "# Debian's archive, fetched once and cached. Snapshot= with Mirror= pins it to a day.\n"
		   "Source=debian\nSuite=bookworm\n");
	if (example)
		buf_printf(b, "Packages=nginx-light\n");
}

static void base_rpm(const struct starter *s, bool example, struct buf *b)
{
	(void)example;
	buf_printf(
		b,
		"# The packages are resolved and installed by dnf. One Repository= for each repository: a name and where it is,\n"
		"# with gpgkey=FILE to check signatures by. For CentOS Stream these are BaseOS and AppStream of a mirror.\n"
		"Source=rpm\nRepository=base %s %s%s\n"
		"# What every machine has; the application's own dependencies come by themselves.\n"
		"Packages=bash coreutils kernel-core\n",
		s->repository, s->gpgkey ? "gpgkey=" : "gpgcheck=no", s->gpgkey ? s->gpgkey : "");
}

static void base_disk(const struct starter *s, bool example, struct buf *b)
{
	(void)example;
	buf_printf(
		b,
		"# A vendor's disk image. It is never written to. Checksum=sha256:... makes it the only one that is built upon.\n"
		"Source=disk\nImage=%s\n"
		"# Installed by the base's own package manager, from the archives that it names:\n"
		"#   Packages=nginx\n#   Network=yes\n",
		s->image);
}

static void base_oci(const struct starter *s, bool example, struct buf *b)
{
	(void)example;
	buf_printf(
		b,
		"# A container image: a layout directory, an archive, or docker://HOST/NAME:TAG through skopeo. It says what runs,\n"
		"# as whom, with which environment and on which port.\n"
		"Source=oci\nImage=%s\n",
		s->image);
}

static void base_path(const struct starter *s, const char *source, struct buf *b)
{
	buf_printf(b, "# %s\nSource=%s\nPath=%s\n",
		   strcmp(source, "tar") == 0
			   ? "A root file system as a tar, plain or compressed; Checksum=sha256:... pins it."
			   : "A root file system as it lies there, owners and modes too.",
		   source, s->image);
}

static void base_none(const struct starter *s, bool example, struct buf *b)
{
	(void)s;
	(void)example;
	buf_printf(b, "# No distribution: what is named below is all that there is.\nSource=none\n"
		      "# Where the kernel below comes from.\nSuite=bookworm\n");
}

static void base(const struct starter *s, const char *source, bool example, struct buf *b)
{
	static const struct {
		const char *source;
		void (*add)(const struct starter *s, bool example, struct buf *b);
	} bases[] = {
		{"debian", base_debian}, {"rpm", base_rpm},   {"disk", base_disk},
		{"oci", base_oci},	 {"none", base_none},
	};

	buf_printf(b, "[Base]\n");
	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++)
		if (strcmp(bases[i].source, source) == 0) {
			bases[i].add(s, example, b);
			buf_printf(b, "\n");
			return;
		}
	base_path(s, source, b);
	buf_printf(b, "\n");
}

static void files(const char *source, bool example, struct buf *b)
{
	if (!example)
		return;
	if (strcmp(source, "debian") == 0)
		buf_printf(b, "[Files]\n# From beside this file, over what the package brought.\n"
			      "Copy=nginx.conf:/etc/nginx/nginx.conf mode=0644\n"
			      "Copy=index.html:/srv/www/index.html mode=0644\n\n");
	else if (strcmp(source, "none") == 0)
		buf_printf(b, "[Files]\n# A static program that serves one page; put yours in its place.\n"
			      "Copy=hello:/usr/bin/hello mode=0755\n\n");
}

static void kernel(const char *source, struct buf *b)
{
	if (strcmp(source, "debian") == 0 || strcmp(source, "none") == 0)
		buf_printf(b, DEBIAN_KERNEL);
	else if (strcmp(source, "disk") == 0)
		buf_printf(
			b,
			"[Kernel]\n# The kernel is that of the base. /var is a tmpfs; nobody can log in on the console.\n"
			"CommandLine=console=ttyS0 systemd.volatile=state systemd.getty_auto=no\n\n");
	else if (strcmp(source, "oci") == 0)
		buf_printf(b, "# The kernel is Debian's unless a section [Kernel] says another.\n\n");
	else
		buf_printf(b, BASE_KERNEL);
}

static void start_example(const char *source, struct buf *b)
{
	if (strcmp(source, "debian") == 0)
		buf_printf(
			b,
			"# As root, for port 80; nginx gives its workers to www-data.\nExec=/usr/sbin/nginx\nNetwork=dhcp\n"
			"Ready=http://:80/\n# Lets requests under way end.\nStopSignal=SIGQUIT\n");
	else
		buf_printf(
			b,
			"Exec=/usr/bin/hello 8080\n# nobody; there is no /etc/passwd to look up a name in\n"
			"User=65534\nGroup=65534\nNetwork=dhcp\nReady=http://:8080/healthz\n");
}

static void start(const struct starter *s, const char *source, bool example, struct buf *b)
{
	bool disk = strcmp(source, "disk") == 0, oci = strcmp(source, "oci") == 0;

	buf_printf(b, "[Init]\n");
	if (disk)
		buf_printf(
			b,
			"# The base's own init, with the units that are enabled in it.\nMode=system\nInit=/sbin/init\n");
	else if (!oci || s->exec || s->unit)
		buf_printf(
			b,
			"# One program under mkappliance's own init: no shell, no login, nothing else that listens.\n"
			"Mode=appliance\n");
	if (s->exec)
		buf_printf(b, "Exec=%s\nNetwork=dhcp\n", s->exec);
	else if (s->unit)
		buf_printf(b, "# Exec, user and environment as that unit has them.\nUnit=%s\nNetwork=dhcp\n",
			   s->unit);
	else if (example && !disk && !oci)
		start_example(source, b);
	if (!example)
		buf_printf(b, "# When it answers there, it is ready:\n#   Ready=http://:8080/healthz\n");
	buf_printf(
		b,
		"# poweroff, reboot or panic when a byte is not what was built\nOnCorruption=poweroff\n\n");
}

static void test(const char *source, bool example, struct buf *b)
{
	buf_printf(b, "# What 'mkappliance test' asks the machine.\n[Test]\n");
	if (example && strcmp(source, "debian") == 0)
		buf_printf(b, "Get=http://:80/ 200 \"verified root\"\n");
	else if (example && strcmp(source, "none") == 0)
		buf_printf(b, "Get=http://:8080/ 200\n");
	else
		buf_printf(b, "#   Get=http://:8080/ 200\nTimeout=%u\n",
			   strcmp(source, "disk") == 0 ? 240u : 120u);
}

void starter_text(const struct starter *s, const char *source, bool example, struct buf *ret)
{
	bool own = strcmp(source, "oci") == 0 || strcmp(source, "disk") == 0;

	buf_printf(
		ret,
		"# A golden image: 'mkappliance build .' here; appliance.conf(5) explains every setting.\n\n"
		"[Appliance]\nName=%s\nVersion=1.0.0\n\n",
		s->name);
	base(s, source, example, ret);
	if (s->package)
		buf_printf(ret, "[Package]\n# The application. Repeat the line for more.\nPath=%s\n\n",
			   s->package);
	files(source, example && !own, ret);
	kernel(source, ret);
	start(s, source, example && !own, ret);
	test(source, example && !own, ret);
}
