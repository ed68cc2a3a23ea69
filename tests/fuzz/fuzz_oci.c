/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of container images: the first byte says which. What is taken of them is within its limits, and goes into a template. */
#include <assert.h>
#include <string.h>

#include "compose/oci_json.h"
#include "compose/oci_start.h"
#include "lib/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void try_index(const char *text, size_t len)
{
	_cleanup_oci_index_ struct oci_index index = {0};
	struct error err = ERROR_INIT;

	if (oci_index_parse(text, len, "fuzz", &index, &err) < 0)
		assert(err.text[0]);
	assert(index.len <= OCI_DESCRIPTORS_MAX);
}

static void try_manifest(const char *text, size_t len)
{
	_cleanup_oci_manifest_ struct oci_manifest m = {0};
	struct error err = ERROR_INIT;

	if (oci_manifest_parse(text, len, "fuzz", &m, &err) < 0)
		return;
	assert(m.config.kind == OCI_CONFIG && m.layers.len <= OCI_LAYERS_MAX);
	for (size_t i = 0; i < m.layers.len; i++)
		assert(m.layers.list[i].kind == OCI_LAYER);
}

static void try_config(const char *text, size_t len)
{
	static const char conf[] =
		"[Appliance]\nName=n\nVersion=1\n[Base]\nSource=oci\nImage=x\n[Init]\nExec=/x\n";
	_cleanup_template_ struct template *t = NULL;
	_cleanup_oci_config_ struct oci_config c = {0};
	_cleanup_merge_ struct merge *m = NULL;
	struct error err = ERROR_INIT;

	if (oci_config_parse(text, len, "fuzz", &c, &err) < 0)
		return;
	assert(c.diff_id_count <= OCI_LAYERS_MAX);
	m = merge_new();
	if (template_parse(conf, strlen(conf), "fuzz", "/", &t, &err) < 0)
		abort();
	if (oci_start(t, &c, "fuzz", m, &err) == 0)
		assert(t->init.app.working_directory[0] == '/' && t->init.app.exec.len == 1);
}

static void try_archive(const char *text, size_t len)
{
	_cleanup_docker_archive_ struct docker_archive a = {0};
	struct error err = ERROR_INIT;

	if (docker_archive_parse(text, len, "fuzz", &a, &err) == 0)
		assert(a.len <= OCI_DESCRIPTORS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static void (*const tries[])(const char *text, size_t len) = {try_index, try_manifest, try_config,
								      try_archive};
	const char *text = (const char *)data + 1;

	if (len == 0)
		return 0;
	tries[*data % 4](text, len - 1);
	return 0;
}
