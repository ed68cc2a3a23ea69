/* SPDX-License-Identifier: Apache-2.0 */
/* [Upload]: where an image goes. */
#include <string.h>

#include "template/table.h"

static const char *const answers[] = {"no", "yes", NULL};

/* Those of cmd_upload.c. */
static int name_provider(const char *value, struct error *err)
{
	if (strcmp(value, "aws") == 0 || strcmp(value, "openstack") == 0 || strcmp(value, "libvirt") == 0)
		return 0;
	return error_usage(err, "'%s' is no provider (known: aws, openstack, libvirt)", value);
}

static bool is_libvirt(const struct template *t)
{
	return t->upload.provider && strcmp(t->upload.provider, "libvirt") == 0;
}

static bool is_cloud(const struct template *t)
{
	return !is_libvirt(t);
}

static const struct condition libvirt = {is_libvirt, "Provider=libvirt"};
static const struct condition cloud = {is_cloud, "a provider other than libvirt"};

/* Names of the provider's, that go into requests and messages: printable and without quotes. */
static int name_remote(const char *value, struct error *err)
{
	size_t len = strlen(value);

	for (const char *p = value; *p; p++)
		if (*p <= ' ' || *p > '~' || *p == '"')
			return error_usage(err, "'%s' has a character that no such name has", value);
	if (len == 0 || len > 512)
		return error_usage(err, "a name of 1 to 512 characters is expected");
	return 0;
}

const struct key keys_upload[] = {
	{STRING("Upload.Provider", upload.provider), .check = name_provider},
	{STRING("Upload.Connect", upload.connect), .check = name_remote, .only = &libvirt},
	{STRING("Upload.Pool", upload.pool), .check = name_remote, .only = &libvirt},
	{WORDS("Upload.Region", upload.regions), .check = name_remote, .only = &cloud},
	{KEY("Upload.Encrypt", upload.encrypt, set_answer), .choices = answers, .only = &cloud},
	{WORDS("Upload.KMSKey", upload.kms_keys), .check = name_remote, .only = &cloud},
	{WORDS("Upload.Share", upload.share), .check = name_remote, .only = &cloud},
	{STRING("Upload.Parameter", upload.parameter), .check = name_remote, .only = &cloud},
	{KEY("Upload.DeprecateAfterDays", upload.deprecate_days, set_number), .min = 1, .max = 3650,
	 .only = &cloud},
	{KEY("Upload.Protect", upload.protect, set_answer), .choices = answers, .only = &cloud},
	{0},
};
