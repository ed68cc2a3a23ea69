/* SPDX-License-Identifier: Apache-2.0 */
/* What a service, or whoever stands in its place, may answer; the first byte says which reader gets it. */
#include <assert.h>
#include <string.h>

#include "cloud/aws_ebs_internal.h"
#include "cloud/aws_ec2_internal.h"
#include "cloud/aws_internal.h"
#include "cloud/credentials_internal.h"
#include "lib/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void try_failure(const char *text, size_t len)
{
	_cleanup_reply_ struct http_reply reply = {.status = 400};
	struct aws_failure f = {.status = 400};

	buf_add(&reply.body, text, len);
	strlist_addf(&reply.headers, "x-amzn-ErrorType: %.*s", (int)(len < 40 ? len : 40), text);
	aws_failure_parse(&reply, &f);
	assert(f.message[0]);
	assert(strlen(f.code) < sizeof(f.code) && !strchr(f.message, '\n'));
}

static void try_xml(const char *text, size_t len)
{
	_cleanup_images_ struct ec2_images images = {0};
	_cleanup_snapshots_ struct ec2_snapshots snapshots = {0};
	_cleanup_xml_ struct xml *x = NULL;
	struct error err = ERROR_INIT;

	if (xml_parse(text, len, "fuzz", &x, &err) < 0) {
		assert(err.text[0]);
		return;
	}
	ec2_images_read(xml_root(x), &images);
	ec2_snapshots_read(xml_root(x), &snapshots);
	for (size_t i = 0; i < images.len; i++)
		assert(images.list[i].tags.keys.len == images.list[i].tags.values.len);
}

static void try_credentials(const char *text, size_t len)
{
	static const struct credential_names *const names[] = {
		&credential_names_process, &credential_names_local, &credential_names_sso};

	for (size_t i = 0; i < 3; i++) {
		_cleanup_credentials_ struct credentials c = {0};
		struct error err = ERROR_INIT;

		if (credentials_parse(text, len, names[i], "fuzz", &c, &err) == 0)
			assert(c.access_key[0] && c.secret_key[0]);
		else
			assert(err.text[0]);
	}
}

static void try_page(const char *text, size_t len)
{
	for (int changed = 0; changed < 2; changed++) {
		_cleanup_ebs_blocks_ struct ebs_blocks blocks = {0};
		_cleanup_reply_ struct http_reply reply = {0};
		_cleanup_free_ char *next = NULL;
		struct error err = ERROR_INIT;

		buf_add(&reply.body, text, len);
		if (ebs_page_read(&reply, changed, &blocks, &next, &err) < 0)
			continue;
		for (size_t i = 1; i < blocks.len; i++)
			assert(blocks.list[i].index > blocks.list[i - 1].index);
	}
}

static void try_start(const char *text, size_t len)
{
	_cleanup_reply_ struct http_reply reply = {0};
	struct error err = ERROR_INIT;
	struct ebs_snapshot s;

	buf_add(&reply.body, text, len);
	if (ebs_start_read(&reply, &s, &err) == 0)
		assert(s.id[0] && !strchr(s.id, '/'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static void (*const tries[])(const char *text, size_t len) = {try_failure, try_xml, try_credentials,
								      try_page, try_start};
	const char *text = (const char *)data + 1;

	if (len == 0)
		return 0;
	tries[*data % 5](text, len - 1);
	return 0;
}
