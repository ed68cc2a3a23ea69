/* SPDX-License-Identifier: Apache-2.0 */
#include "image/document.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

#include "image/purl.h"
#include "lib/cleanup.h"

void document_time(const struct manifest *m, char ret[DOCUMENT_TIME_SIZE])
{
	time_t when = (time_t)m->epoch;
	struct tm tm;

	if (!gmtime_r(&when, &tm) || !strftime(ret, DOCUMENT_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm))
		strcpy(ret, "1970-01-01T00:00:00Z");
}

void document_uuid(const struct manifest *m, const char *kind, char ret[GUID_TEXT_SIZE])
{
	_cleanup_free_ char *text = NULL;
	char root[SHA256_HEX_SIZE], blocks[SHA256_HEX_SIZE];
	struct guid g;

	/* The root hash stands for the root only: inputs and kernel may differ under the same. */
	hex_encode(m->root_hash.b, sizeof(m->root_hash.b), root);
	hex_encode(m->blocks_digest.b, sizeof(m->blocks_digest.b), blocks);
	text = xasprintf("%s-%s-%s-%s", m->name, m->version, root, blocks);
	guid_derive(kind, text, &g);
	guid_format(&g, ret);
}

char *document_input_purl(const struct compose_input *in)
{
	static const char scheme[] = "docker://";
	_cleanup_free_ char *name = NULL, *url = NULL, *checksum = NULL;
	const char *reference, *slash;
	char hex[SHA256_HEX_SIZE];

	hex_encode(in->digest.b, sizeof(in->digest.b), hex);
	checksum = xasprintf("sha256:%s", hex);
	if (!in->repository || strncmp(in->repository, scheme, strlen(scheme)) != 0)
		return purl_of("generic", in->package ? in->package : in->name, in->version, "checksum",
			       checksum);
	reference = in->repository + strlen(scheme);
	slash = strrchr(reference, '/');
	name = xstrndup(slash ? slash + 1 : reference, strcspn(slash ? slash + 1 : reference, ":@"));
	for (char *p = name; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	url = xstrndup(reference, (size_t)((slash ? slash + 1 : reference) - reference) +
					  strcspn(slash ? slash + 1 : reference, ":@"));
	return purl_of("oci", name, checksum, "repository_url", url);
}

char *document_image_purl(const struct manifest *m)
{
	return purl_of("generic", m->name, m->version, "arch", m->arch);
}
