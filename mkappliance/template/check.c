/* SPDX-License-Identifier: Apache-2.0 */
#include "template/check.h"

#include <stdarg.h>
#include <string.h>

#include "template/reference.h"
#include "template/services.h"
#include "template/setters.h"

/* "FILE: MESSAGE" for what is missing. */
static int missing(const struct parse *p, const char *what, struct error *err)
{
	return error_usage(err, "%s: %s", p->name, what);
}

/* "FILE:LINE: MESSAGE" for the line that set @key. */
static int wrong(const struct parse *p, const char *key, const char *what, struct error *err)
{
	return error_usage(err, "%s:%u: %s", p->name, key_line(p, key), what);
}

static int check_present(const struct parse *p, struct error *err)
{
	if (!p->t->appliance.name)
		return missing(p, "[Appliance] Name= is missing", err);
	if (!p->t->appliance.version)
		return missing(p, "[Appliance] Version= is missing (or give --version)", err);
	if (!key_line(p, "Base.Source"))
		return missing(p, "[Base] Source= is missing: debian, rpm, disk, directory, tar, oci or none",
			       err);
	return 0;
}

static int check_condition(const struct parse *p, const struct template_service *s, const struct key *k,
			   struct error *err)
{
	unsigned line = key_set_at(p, s, k);

	if (line && k->only && !k->only->holds(p->t))
		return error_usage(err, "%s:%u: %s= works only with %s; remove the line", p->name, line,
				   key_short_name(k), k->only->text);
	if (line && s && k->with && !k->with->holds(p->t, s))
		return error_usage(err, "%s:%u: %s= works only with %s; remove the line", p->name, line,
				   key_short_name(k), k->with->text);
	return 0;
}

/* A setting that nothing would read is an error: an ignored setting is an outage. */
static int check_conditions(const struct parse *p, struct error *err)
{
	const struct template_service *s;
	const struct key *k;
	int r = 0;

	for (size_t i = 0; r >= 0 && (k = key_at(i)); i++) {
		if (!k->service)
			r = check_condition(p, NULL, k, err);
		for (size_t j = 0; k->service && r >= 0 && (s = service_at(p->t, j)); j++)
			r = check_condition(p, s, k, err);
	}
	return r;
}

/* The names that apt knows are fewer than those of other package managers. */
static int check_debian_names(const struct parse *p, struct error *err)
{
	const struct template *t = p->t;
	int r = t->kernel.package ? name_package(t->kernel.package, err) : 0;

	if (r < 0)
		return error_prefix(err, "%s:%u: Package=", p->name, key_line(p, "Kernel.Package"));
	for (size_t i = 0; r >= 0 && i < t->base.packages.len; i++)
		r = name_package(t->base.packages.ptr[i], err);
	return r < 0 ? error_prefix(err, "%s:%u: Packages=", p->name, key_line(p, "Base.Packages")) : 0;
}

/* What is needed to fetch from a distribution's archive. */
static int check_archive(const struct parse *p, struct error *err)
{
	const struct template *t = p->t;
	bool marked = t->base.mirror && strstr(t->base.mirror, SNAPSHOT_MARK);

	if (!t->base.suite && t->base.source != BASE_OCI)
		return missing(
			p,
			t->base.source == BASE_DEBIAN
				? "[Base] Suite= is missing: which Debian, such as bookworm"
				: "[Base] Suite= is missing: which Debian [Kernel] Package= comes from",
			err);
	if (t->base.snapshot && !marked)
		return wrong(p, "Base.Snapshot",
			     "Snapshot= needs a Mirror= that says where the time goes: "
			     "http://mirror.example.org/archive/debian/" SNAPSHOT_MARK,
			     err);
	if (t->base.source == BASE_DEBIAN && t->base.repositories.len)
		return wrong(p, "Base.Repository",
			     "Repository= of Source=debian is deb [signed-by=KEYRING] URI SUITE COMPONENT...",
			     err);
	if (t->base.deb_sources.len && !t->base.mirror)
		return wrong(p, "Base.Repository",
			     "Repository= needs a Mirror=: the archive that the rest comes from", err);
	if (t->base.keyring && !t->base.mirror)
		return wrong(p, "Base.Keyring", "Keyring= needs a Mirror=: the archive that it is for", err);
	if (t->base.keyring && strpbrk(t->base.keyring, " \t[]"))
		return wrong(p, "Base.Keyring",
			     "Keyring= may have no blank and no bracket in its path: apt cannot read it",
			     err);
	if (marked && !t->base.snapshot)
		return wrong(p, "Base.Mirror",
			     "Mirror= holds " SNAPSHOT_MARK ", but there is no Snapshot=", err);
	return check_debian_names(p, err);
}

/* dnf would take such a file of this machine for what it solves, and download everything but it. */
static int check_no_file(const struct parse *p, const char *package, struct error *err)
{
	size_t len = strlen(package);

	if (len < 4 || strcmp(package + len - 4, ".rpm") != 0)
		return 0;
	return error_usage(err, "%s:%u: Packages=: '%s' is the name of a file; say [Package] Path= for it",
			   p->name, key_line(p, "Base.Packages"), package);
}

/* Suite= says that the kernel is Debian's; else it is a package of the repositories like any other. */
static int check_rpm(const struct parse *p, struct error *err)
{
	const struct template *t = p->t;
	int r = 0;

	if (t->base.deb_sources.len)
		return wrong(p, "Base.Repository",
			     "Repository=deb ... is for Source=debian; say NAME URL gpgkey=KEY", err);
	if (!t->base.repositories.len)
		return missing(p, "[Base] Repository= is missing: NAME URL gpgkey=KEY", err);
	if (!t->base.packages.len)
		return missing(p, "[Base] Packages= is missing: what to install", err);
	for (size_t i = 0; i < t->base.repositories.len && !t->base.release; i++)
		if (strstr(t->base.repositories.ptr[i].url, "$releasever"))
			return error_usage(err,
					   "%s:%u: Repository= asks for $releasever: [Base] Release= is "
					   "missing, such as 9",
					   p->name, t->base.repositories.ptr[i].line);
	for (size_t i = 0; r == 0 && i < t->base.packages.len; i++)
		r = check_no_file(p, t->base.packages.ptr[i], err);
	return r == 0 && t->base.suite ? check_archive(p, err) : r;
}

/* Source=oci. The archive is for the kernel. */
static int check_image(const struct parse *p, struct error *err)
{
	_cleanup_reference_ struct reference ref = {0};
	const struct template *t = p->t;
	int r = check_archive(p, err);

	if (r < 0)
		return r;
	if (!t->base.image)
		return missing(p,
			       "[Base] Image= is missing: an OCI layout or archive of the host, or "
			       "docker://NAME:TAG",
			       err);
	if (!p->look_for_files)
		return 0;
	r = reference_parse(t->dir, t->base.image, &ref, err);
	return r < 0 ? error_prefix(err, "%s:%u: Image=", p->name, key_line(p, "Base.Image")) : 0;
}

/* As any other path of the host. */
static int check_disk(const struct parse *p, struct error *err)
{
	struct template *t = p->t;

	if (!t->base.image)
		return missing(p, "[Base] Image= is missing: the qcow2, raw or vmdk file of the base", err);
	if (*t->base.image != '/') {
		char *path = xasprintf("%s/%s", t->dir, t->base.image);

		free(t->base.image);
		t->base.image = path;
	}
	if (p->look_for_files && path_must_be(t->base.image, PATH_FILE, err) < 0)
		return error_prefix(err, "%s:%u: Image=", p->name, key_line(p, "Base.Image"));
	return 0;
}

static int check_base(const struct parse *p, struct error *err)
{
	const struct template *t = p->t;
	enum path_kind kind = t->base.source == BASE_TAR ? PATH_FILE : PATH_DIRECTORY;
	int r;

	if (t->base.source == BASE_OCI)
		return check_image(p, err);
	if (t->base.source == BASE_RPM)
		return check_rpm(p, err);
	if (t->base.source == BASE_DEBIAN || t->kernel.package)
		return check_archive(p, err);
	if (t->base.source == BASE_NONE)
		return 0;
	if (t->base.source == BASE_DISK)
		return check_disk(p, err);
	if (!t->base.path)
		return missing(p, "[Base] Path= is missing: the directory or tar of the base", err);
	if (!p->look_for_files)
		return 0;
	r = path_must_be(t->base.path, kind, err);
	if (r < 0)
		return error_prefix(err, "%s:%u: Path=", p->name, key_line(p, "Base.Path"));
	return 0;
}

static int check_kernel(const struct parse *p, struct error *err)
{
	const struct template *t = p->t;

	if (t->kernel.package && t->kernel.image)
		return wrong(p, "Kernel.Image",
			     "Image= and Package= both choose the kernel; remove one of them", err);
	if (t->base.source == BASE_NONE && !t->kernel.package && !t->kernel.image)
		return missing(p, "with Source=none the kernel needs [Kernel] Package= or Image=", err);
	return 0;
}

/* The interface that a line of Address= or Gateway= is for must be one that is used. */
static int check_interface(const struct parse *p, const char *key, const char *line, struct error *err)
{
	const struct strlist *known = &p->t->network.interfaces;
	size_t len = strcspn(line, " ");

	if (!line[len])
		return 0;
	for (size_t i = 0; i < known->len; i++)
		if (strlen(known->ptr[i]) == len && strncmp(known->ptr[i], line, len) == 0)
			return 0;
	return error_usage(err, "%s:%u: '%.*s' is not among [Network] Interfaces=; add it there", p->name,
			   key_line(p, key), (int)len, line);
}

static int check_network(const struct parse *p, struct error *err)
{
	const struct template *t = p->t;
	int r = 0;

	if (t->network.interfaces.len > INTERFACE_LIMIT)
		return wrong(p, "Network.Interfaces", "Interfaces=: the init looks after 4 at most", err);
	for (size_t i = 0; r >= 0 && i < t->network.addresses.len; i++)
		r = check_interface(p, "Network.Address", t->network.addresses.ptr[i], err);
	for (size_t i = 0; r >= 0 && i < t->network.gateways.len; i++)
		r = check_interface(p, "Network.Gateway", t->network.gateways.ptr[i], err);
	if (r >= 0 && (t->metadata.use == METADATA_AWS || t->metadata.use == METADATA_OPENSTACK) &&
	    t->init.network == NETWORK_NONE)
		return wrong(p, "Metadata.Use",
			     "Use=: aws and openstack are asked over the network, and Network=none", err);
	if (r >= 0 && t->init.network == NETWORK_STATIC && t->network.addresses.len == 0)
		return wrong(p, "Init.Network", "Network=static needs [Network] Address=", err);
	return r;
}

static int check_init(const struct parse *p, struct error *err)
{
	/* What an OCI image or a unit says of it is known only after compose. */
	return template_starts_later(p->t) ? 0 : template_check_start(p->t, err);
}

static int check_sign(const struct parse *p, struct error *err)
{
	const struct template *t = p->t;

	if (t->sign.secure_boot_key && !t->sign.secure_boot_certificate)
		return wrong(p, "Sign.SecureBootKey", "SecureBootKey= needs its SecureBootCertificate=", err);
	if (t->sign.secure_boot_certificate && !t->sign.secure_boot_key)
		return wrong(p, "Sign.SecureBootCertificate",
			     "SecureBootCertificate= needs its SecureBootKey=", err);
	/* The certificate alone: the root hash is signed elsewhere. */
	if (t->sign.verity_key && !t->sign.verity_certificate)
		return wrong(p, "Sign.VerityKey", "VerityKey= needs its VerityCertificate=", err);
	return 0;
}

int check_template(const struct parse *p, struct error *err)
{
	int r = check_present(p, err);

	if (r >= 0)
		r = check_conditions(p, err);
	if (r >= 0)
		r = check_base(p, err);
	if (r >= 0)
		r = check_kernel(p, err);
	if (r >= 0)
		r = check_network(p, err);
	if (r >= 0)
		r = check_init(p, err);
	if (r >= 0)
		r = check_sign(p, err);
	if (r >= 0)
		r = services_check(p, err);
	return r;
}
