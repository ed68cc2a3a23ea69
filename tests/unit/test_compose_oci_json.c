/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of container images: what is taken from them, and what is refused. */
#include "unit.h"

#include <errno.h>

#include "compose/oci_image.h"
#include "compose/oci_json.h"
#include "compose/oci_layer.h"

#define HEX_A	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_B	    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define DIGEST_A    "sha256:" HEX_A
#define DIGEST_B    "sha256:" HEX_B
#define OCI	    "application/vnd.oci.image."
#define DOCKER	    "application/vnd.docker."
#define CONFIG	    "\"config\":{\"mediaType\":\"" OCI "config.v1+json\",\"digest\":\"" DIGEST_A "\",\"size\":7}"
#define LAYER(type) "{\"mediaType\":\"" type "\",\"digest\":\"" DIGEST_B "\",\"size\":9}"

static void test_kinds(void **state)
{
	static const struct {
		const char *type;
		enum oci_kind kind;
	} cases[] = {
		{OCI "index.v1+json", OCI_INDEX},
		{DOCKER "distribution.manifest.list.v2+json", OCI_INDEX},
		{OCI "manifest.v1+json", OCI_MANIFEST},
		{OCI "manifest.v1+json; charset=utf-8", OCI_MANIFEST},
		{DOCKER "distribution.manifest.v2+json", OCI_MANIFEST},
		{DOCKER "distribution.manifest.v1+prettyjws", OCI_OLD_MANIFEST},
		{OCI "config.v1+json", OCI_CONFIG},
		{DOCKER "container.image.v1+json", OCI_CONFIG},
		{OCI "layer.v1.tar", OCI_LAYER},
		{OCI "layer.v1.tar+gzip", OCI_LAYER},
		{OCI "layer.v1.tar+zstd", OCI_LAYER},
		{OCI "layer.nondistributable.v1.tar+gzip", OCI_LAYER},
		{DOCKER "image.rootfs.diff.tar.gzip", OCI_LAYER},
		{OCI "layer.v1.tar+gzip+encrypted", OCI_OTHER},
		{OCI "manifest.v1+jsonx", OCI_OTHER},
		{"application/vnd.cncf.helm.config.v1+json", OCI_OTHER},
		{"", OCI_OTHER},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (oci_kind_of(cases[i].type) != cases[i].kind)
			fail_msg("%s", cases[i].type);
	assert_int_equal(oci_kind_of(NULL), OCI_OTHER);
}

static void test_index(void **state)
{
	static const char text[] =
		"{\"schemaVersion\":2,\"extra\":1,\"manifests\":["
		"{\"mediaType\":\"" OCI "manifest.v1+json\",\"digest\":\"" DIGEST_A "\",\"size\":3,"
		"\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\",\"variant\":\"v8\"},"
		"\"annotations\":{\"org.opencontainers.image.ref.name\":\"1.0\",\"io.containerd.image.name\":\"x/y:1.0\"}},"
		"{\"mediaType\":\"" OCI "index.v1+json\",\"digest\":\"" DIGEST_B "\",\"size\":0}]}";
	_cleanup_oci_index_ struct oci_index index = {0};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(oci_index_parse(text, strlen(text), "f", &index, &err), 0);
	assert_int_equal(index.len, 2);
	assert_int_equal(index.list[0].kind, OCI_MANIFEST);
	assert_int_equal(index.list[0].size, 3);
	assert_int_equal(index.list[0].digest.b[31], 0xaa);
	assert_string_equal(index.list[0].platform.variant, "v8");
	assert_string_equal(index.list[0].names[0], "1.0");
	assert_string_equal(index.list[0].names[1], "x/y:1.0");
	assert_int_equal(index.list[1].kind, OCI_INDEX);
	assert_null(index.list[1].names[0]);
	assert_null(index.list[1].platform.os);
}

/* Docker 25 saves an image without a name so. */
static void test_index_of_nothing(void **state)
{
	static const char text[] = "{\"schemaVersion\":2,\"manifests\":null}";
	_cleanup_oci_index_ struct oci_index index = {0};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(oci_index_parse(text, strlen(text), "f", &index, &err), 0);
	assert_int_equal(index.len, 0);
}

static void test_manifest(void **state)
{
	static const char text[] =
		"{\"schemaVersion\":2," CONFIG ",\"layers\":[" LAYER(OCI "layer.v1.tar+zstd") "]}";
	_cleanup_oci_manifest_ struct oci_manifest m = {0};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(oci_manifest_parse(text, strlen(text), "f", &m, &err), 0);
	assert_int_equal(m.config.size, 7);
	assert_int_equal(m.layers.len, 1);
	assert_int_equal(m.layers.list[0].digest.b[0], 0xbb);
}

static void test_config(void **state)
{
	static const char text[] =
		"{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" DIGEST_A
		"\",\"" DIGEST_B
		"\"]},\"config\":{\"User\":\"app:7\",\"Env\":[\"A=b=c\"],\"Entrypoint\":[\"x\",\"\"],"
		"\"Cmd\":null,\"ExposedPorts\":{\"80/tcp\":{},\"53/udp\":{}},\"Volumes\":{\"/data\":{}},"
		"\"WorkingDir\":\"/srv\",\"StopSignal\":\"SIGQUIT\",\"Healthcheck\":{\"Test\":[\"CMD\"]},"
		"\"Labels\":{\"org.opencontainers.image.title\":\"t\"},\"Unknown\":1},\"history\":[1,2]}";
	_cleanup_oci_config_ struct oci_config c = {0};
	struct error err = ERROR_INIT;

	(void)state;
	if (oci_config_parse(text, strlen(text), "f", &c, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(c.diff_id_count, 2);
	assert_int_equal(c.diff_ids[1].b[5], 0xbb);
	assert_string_equal(c.user, "app:7");
	assert_string_equal(c.env.ptr[0], "A=b=c");
	assert_int_equal(c.entrypoint.len, 2);
	assert_int_equal(c.cmd.len, 0);
	assert_int_equal(c.ports.len, 2);
	assert_string_equal(c.ports.ptr[0], "80/tcp");
	assert_string_equal(c.volumes.ptr[0], "/data");
	assert_true(c.healthcheck);
	assert_string_equal(c.labels.list[0].name, "org.opencontainers.image.title");
}

static void test_config_without_start(void **state)
{
	static const char text[] = "{\"rootfs\":{\"diff_ids\":[]}}";
	_cleanup_oci_config_ struct oci_config c = {0};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(oci_config_parse(text, strlen(text), "f", &c, &err), 0);
	assert_null(c.user);
	assert_false(c.healthcheck);
}

static void test_docker_archive(void **state)
{
	static const char text[] =
		"[{\"Config\":\"x.json\",\"RepoTags\":[\"a:1\"],\"Layers\":[\"1/layer.tar\"]},"
		"{\"Config\":\"y.json\",\"RepoTags\":null,\"Layers\":[]}]";
	_cleanup_docker_archive_ struct docker_archive a = {0};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(docker_archive_parse(text, strlen(text), "f", &a, &err), 0);
	assert_int_equal(a.len, 2);
	assert_string_equal(a.list[0].tags.ptr[0], "a:1");
	assert_string_equal(a.list[0].layers.ptr[0], "1/layer.tar");
	assert_int_equal(a.list[1].tags.len, 0);
}

static int parse_index(const char *text, struct error *err)
{
	_cleanup_oci_index_ struct oci_index x = {0};

	return oci_index_parse(text, strlen(text), "f", &x, err);
}

static int parse_manifest(const char *text, struct error *err)
{
	_cleanup_oci_manifest_ struct oci_manifest x = {0};

	return oci_manifest_parse(text, strlen(text), "f", &x, err);
}

static int parse_config(const char *text, struct error *err)
{
	_cleanup_oci_config_ struct oci_config x = {0};

	return oci_config_parse(text, strlen(text), "f", &x, err);
}

static int parse_archive(const char *text, struct error *err)
{
	_cleanup_docker_archive_ struct docker_archive x = {0};

	return docker_archive_parse(text, strlen(text), "f", &x, err);
}

#define INDEX(descriptor) "{\"schemaVersion\":2,\"manifests\":[" descriptor "]}"
#define ROOTFS		  "\"rootfs\":{\"diff_ids\":[]}"

static void test_refusals(void **state)
{
	static const struct {
		int (*parse)(const char *text, struct error *err);
		const char *text;
		const char *message;
	} cases[] = {
		{parse_index, "", "f:1:0: not valid JSON"},
		{parse_index, "1", "f:1:1: not valid JSON"},
		{parse_index, "[]", "f: 'schemaVersion' is missing"},
		{parse_index, "{\"schemaVersion\":1,\"manifests\":[]}", "f: 'schemaVersion' is 1"},
		{parse_index, "{\"schemaVersion\":2}", "f: 'manifests' is missing or not an array"},
		{parse_index, INDEX("1"), "f: 'manifests', number 0: a descriptor is not an object"},
		{parse_index, INDEX("{\"size\":1}"), "'digest' is missing"},
		{parse_index, INDEX("{\"digest\":\"sha256:../../../etc/passwd\",\"size\":1}"),
		 "'sha256:../../../etc/passwd' is not sha256: and 64 hexadecimal digits"},
		{parse_index, INDEX("{\"digest\":\"sha512:00\",\"size\":1}"),
		 "'sha512:00' is not a digest of the form sha256:HEX"},
		{parse_index, INDEX("{\"digest\":\"" DIGEST_A "\",\"size\":-1}"), "'size' is -1"},
		{parse_index, INDEX("{\"digest\":\"" DIGEST_A "\",\"size\":1,\"mediaType\":2}"),
		 "'mediaType' is not a string"},
		{parse_manifest, "{\"schemaVersion\":2,\"layers\":[]}", "f: 'config' is missing"},
		{parse_manifest, "{\"schemaVersion\":2," CONFIG "}", "f: 'layers' is missing"},
		{parse_manifest,
		 "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/vnd.cncf.helm.config.v1+json\",\"digest\":"
		 "\"" DIGEST_A "\",\"size\":1},\"layers\":[]}",
		 "f: is not a container image: its configuration is of type 'application/vnd.cncf.helm.config.v1+json'"},
		{parse_manifest,
		 "{\"schemaVersion\":2," CONFIG ",\"layers\":[" LAYER(OCI "layer.v1.tar+gzip+encrypted") "]}",
		 "f: layer 1 is of type '" OCI "layer.v1.tar+gzip+encrypted', which is not a layer of files"},
		{parse_config, "{}", "f: 'rootfs.diff_ids' is missing"},
		{parse_config, "{\"rootfs\":{\"diff_ids\":[\"x\"]}}",
		 "f: 'rootfs.diff_ids': 'x' is not a digest"},
		{parse_config, "{" ROOTFS ",\"config\":[]}", "f: 'config' is not an object"},
		{parse_config, "{" ROOTFS ",\"config\":{\"Env\":\"A=b\"}}", "f: 'Env' is not an array"},
		{parse_config, "{" ROOTFS ",\"config\":{\"Cmd\":[1]}}",
		 "f: 'Cmd' holds something that is not a string"},
		{parse_config, "{" ROOTFS ",\"config\":{\"User\":1}}", "f: 'User' is not a string"},
		{parse_config, "{" ROOTFS ",\"config\":{\"Volumes\":[]}}", "f: 'Volumes' is not an object"},
		{parse_config, "{" ROOTFS ",\"config\":{\"Labels\":{\"a\":1}}}",
		 "f: 'Labels' is not an object of"},
		{parse_archive, "{}", "f: is not an array of at most 1024 images"},
		{parse_archive, "[{}]", "f: image 1: 'Config' is missing"},
		{parse_archive, "[{\"Config\":\"x\",\"Layers\":\"y\"}]",
		 "f: image 1: 'Layers' is not an array"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = ERROR_INIT;

		if (cases[i].parse(cases[i].text, &err) == 0)
			fail_msg("'%s' is accepted", cases[i].text);
		assert_contains(err.text, cases[i].message);
	}
}

/* More than a document may hold of anything. */
static void test_limits(void **state)
{
	_cleanup_buf_ struct buf b = {0}, large = {0};
	struct error err = ERROR_INIT;

	(void)state;
	buf_printf(&b, "{\"schemaVersion\":2,\"manifests\":[1");
	for (unsigned i = 0; i < OCI_DESCRIPTORS_MAX; i++)
		buf_printf(&b, ",1");
	buf_printf(&b, "]}");
	assert_int_equal(parse_index(b.ptr, &err), -EFBIG);
	assert_contains(err.text, "f: 'manifests' has 1025 members, more than 1024");
	b.len = 0;
	buf_printf(&b, "{\"rootfs\":{\"diff_ids\":[\"\"");
	for (unsigned i = 0; i < OCI_LAYERS_MAX; i++)
		buf_printf(&b, ",\"\"");
	buf_printf(&b, "]}}");
	assert_int_equal(parse_config(b.ptr, &err), -EFBIG);
	assert_contains(err.text, "has 513 members, more than 512");
	buf_add_zero(&large, OCI_JSON_MAX + 1);
	memset(large.ptr, ' ', OCI_JSON_MAX);
	assert_int_equal(parse_index(large.ptr, &err), -EINVAL); /* exactly as much: read, and empty */
	memset(large.ptr, ' ', large.len);
	assert_int_equal(parse_index(large.ptr, &err), -EFBIG);
}

static void test_expansion(void **state)
{
	(void)state;
	assert_int_equal(oci_expand_limit(0), OCI_EXPAND_FREE);
	assert_int_equal(oci_expand_limit(1000), OCI_EXPAND_FREE + 256000);
	assert_int_equal(oci_expand_limit((uint64_t)1 << 40), OCI_EXPAND_MAX);
	assert_int_equal(oci_expand_limit(UINT64_MAX), OCI_EXPAND_MAX);
}

static void test_platforms(void **state)
{
	static char os[] = "linux", windows[] = "windows", amd64[] = "amd64", arm64[] = "arm64",
		    arm[] = "arm", v8[] = "v8", v3[] = "v3";
	_cleanup_buf_ struct buf b = {0};

	(void)state;
	assert_true(oci_platform_fits(&(struct oci_platform){os, amd64, NULL}, ARCH_X86_64));
	assert_true(oci_platform_fits(&(struct oci_platform){os, arm64, v8}, ARCH_ARM64));
	assert_true(oci_platform_fits(&(struct oci_platform){0}, ARCH_ARM64));
	assert_false(oci_platform_fits(&(struct oci_platform){os, amd64, v3}, ARCH_X86_64));
	assert_false(oci_platform_fits(&(struct oci_platform){os, arm, v8}, ARCH_ARM64));
	assert_false(oci_platform_fits(&(struct oci_platform){windows, amd64, NULL}, ARCH_X86_64));
	assert_false(oci_platform_fits(&(struct oci_platform){os, amd64, NULL}, ARCH_ARM64));
	oci_platform_text(&(struct oci_platform){os, arm64, v8}, &b);
	oci_platform_text(&(struct oci_platform){0}, &b);
	assert_string_equal(b.ptr, "linux/arm64/v8?/?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),	       cmocka_unit_test(test_index),
		cmocka_unit_test(test_manifest),       cmocka_unit_test(test_index_of_nothing),
		cmocka_unit_test(test_config),	       cmocka_unit_test(test_config_without_start),
		cmocka_unit_test(test_docker_archive), cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_limits),	       cmocka_unit_test(test_expansion),
		cmocka_unit_test(test_platforms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
