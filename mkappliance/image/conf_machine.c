/* SPDX-License-Identifier: Apache-2.0 */
/* The network and the data volume of /appliance.conf. */
#include <string.h>

#include "image/abi.h"
#include "image/conf_internal.h"

_Static_assert(INTERFACE_LIMIT == ABI_INTERFACES_MAX, "the template takes as many as the init");

void conf_put_network(struct render *r, const struct template *t)
{
	static const char *const networks[] = {[NETWORK_NONE] = "none",
					       [NETWORK_DHCP] = "dhcp",
					       [NETWORK_STATIC] = "static",
					       [NETWORK_IPV6] = "ipv6"};

	static const char *const sources[] = {[METADATA_NONE] = "none",
					      [METADATA_AWS] = "aws",
					      [METADATA_OPENSTACK] = "openstack",
					      [METADATA_NOCLOUD] = "nocloud"};

	render(r, "Network", "%s", networks[t->init.network]);
	render_list(r, "Interface", &t->network.interfaces);
	render_list(r, "Address", &t->network.addresses);
	render_list(r, "Gateway", &t->network.gateways);
	render_list(r, "DNS", &t->network.dns);
	render_list(r, "Search", &t->network.search);
	if (t->network.ipv6 == IPV6_NO)
		render(r, "IPv6", "no");
	if (t->metadata.use != METADATA_NONE)
		render(r, "Metadata", "%s", sources[t->metadata.use]);
	if (t->metadata.userdata == USERDATA_ENV)
		render(r, "UserData", "env");
	if (t->attest.use != ATTEST_NONE)
		render(r, "Attest", "%s", t->attest.use == ATTEST_TPM ? "tpm" : "auto");
	if (t->init.status_port)
		render(r, "StatusPort", "%u", t->init.status_port);
}

/* Where the root has a program of e2fsprogs. */
static int find_tool(const struct template *t, const struct tree *tree, const char *const paths[2],
		     const char **ret, struct error *err)
{
	const struct account root = {0};

	for (int i = 0; i < 2; i++) {
		struct error ignored = ERROR_INIT;

		if (conf_check_program(t, tree, "[Data]", paths[i], &root, &ignored) < 0)
			continue;
		*ret = paths[i];
		return 0;
	}
	return error_usage(
		err,
		"[Data] Mount=: the root has no program %s; add the package e2fsprogs to [Base] Packages=",
		paths[0]);
}

int conf_put_data(struct render *r, const struct template *t, const struct tree *tree, struct error *err)
{
	static const char *const check[2] = {"/usr/sbin/e2fsck", "/sbin/e2fsck"};
	static const char *const make[2] = {"/usr/sbin/mke2fs", "/sbin/mke2fs"};
	const char *check_path = NULL, *make_path = NULL;
	int e;

	if (!t->data.mount)
		return 0;
	e = conf_check_directory(tree, "[Data] Mount", t->data.mount, err);
	if (e >= 0)
		e = find_tool(t, tree, check, &check_path, err);
	if (e >= 0 && t->data.format == FORMAT_BLANK)
		e = find_tool(t, tree, make, &make_path, err);
	if (e < 0)
		return e;
	render(r, "DataMount", "%s", t->data.mount);
	render(r, "DataLabel", "%s", t->data.label);
	render(r, "DataCheck", "%s", check_path);
	if (make_path)
		render(r, "DataMake", "%s", make_path);
	return 0;
}
