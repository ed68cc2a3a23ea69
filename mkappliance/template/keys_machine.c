/* SPDX-License-Identifier: Apache-2.0 */
/* [Network] and [Data]: what the machine has beside its root. */
#include "template/table.h"

static bool has_network(const struct template *t)
{
	return t->init.mode == INIT_APPLIANCE && t->init.network != NETWORK_NONE;
}

static bool has_data(const struct template *t)
{
	return t->data.mount != NULL;
}

static const struct condition network = {has_network, "Mode=appliance and a Network= that is not none"};
static bool has_metadata(const struct template *t)
{
	return t->metadata.use != METADATA_NONE;
}

static const struct condition metadata = {has_metadata, "Use="};
static const struct condition data = {has_data, "Mount="};

static const char *const ipv6s[] = {[IPV6_AUTO] = "auto", [IPV6_NO] = "no", NULL};
static const char *const metadata_sources[] = {[METADATA_NONE] = "none",
					       [METADATA_AWS] = "aws",
					       [METADATA_OPENSTACK] = "openstack",
					       [METADATA_NOCLOUD] = "nocloud",
					       NULL};
static const char *const userdata_uses[] = {[USERDATA_NO] = "no", [USERDATA_ENV] = "env", NULL};
static const char *const attest_uses[] = {
	[ATTEST_NONE] = "none", [ATTEST_AUTO] = "auto", [ATTEST_TPM] = "tpm", NULL};
static const char *const formats[] = {[FORMAT_NONE] = "none", [FORMAT_BLANK] = "blank", NULL};

const struct key keys_machine[] = {
	{WORDS("Network.Interfaces", network.interfaces), .check = name_interface, .only = &network},
	{KEY("Network.Address", network.addresses, set_line), .release = release_strlist, .list = true,
	 .check = name_address_line, .only = &network},
	{KEY("Network.Gateway", network.gateways, set_line), .release = release_strlist, .list = true,
	 .check = name_gateway_line, .only = &network},
	{WORDS("Network.DNS", network.dns), .check = name_ip, .only = &network},
	{WORDS("Network.Search", network.search), .check = name_host, .only = &network},
	{CHOICE("Network.IPv6", network.ipv6), .choices = ipv6s, .only = &network},

	{CHOICE("Metadata.Use", metadata.use), .choices = metadata_sources, .only = &key_only_appliance},
	{CHOICE("Metadata.UserData", metadata.userdata), .choices = userdata_uses, .only = &metadata},

	{CHOICE("Attest.Use", attest.use), .choices = attest_uses, .only = &key_only_appliance},

	{STRING("Data.Mount", data.mount), .check = name_writable, .only = &key_only_appliance},
	{STRING("Data.Label", data.label), .check = name_label, .only = &data},
	{CHOICE("Data.Format", data.format), .choices = formats, .only = &data},
	{0},
};
