/* SPDX-License-Identifier: Apache-2.0 */
/* Which kernels are believed to verify the signature of a root hash. */
#include "unit.h"

#include "image/root_sign.h"

#define OLD "dm_mod.license=GPL\0dm_verity.license=GPL\0dm_verity.parm=prefetch_cluster:Prefetch\0"
#define NEW OLD "dm_verity.parm=require_signatures:Verify the roothash\0"

/* 0: it does; what is said otherwise is compared. */
static int check(struct kernel_module *module, const char *info, size_t len)
{
	static char path[] = "t.conf", release[] = "6.9";
	struct template t = {.path = path};
	const struct root_signer s = {.enabled = true};
	struct error err = ERROR_INIT;
	struct kernel k = {.release = release, .initrd = module, .initrd_len = module ? 1 : 0};
	int r;

	t.sign.verity_required = true;
	k.builtin_info = len ? xmemdup(info, len) : NULL;
	k.builtin_info_len = len;
	r = root_signer_check(&s, &t, &k, &err);
	free(k.builtin_info);
	if (r < 0) {
		assert_int_equal(err.exit, EXIT_USAGE);
		assert_non_null(strstr(err.text, "kernel 6.9 cannot verify signatures of root hashes "
						 "(CONFIG_DM_VERITY_VERIFY_ROOTHASH_SIG is not set)"));
	}
	return r;
}

static void test_module(void **state)
{
	char name[] = "dm_verity", with[] = "..root_hash_sig_key_desc..", without[] = "..";
	struct kernel_module m = {.name = name, .data = with, .len = sizeof(with)};

	(void)state;
	assert_int_equal(check(&m, NULL, 0), 0);
	m.data = without;
	m.len = sizeof(without);
	assert_true(check(&m, NULL, 0) < 0);
	/* What is built in is another one. */
	assert_true(check(&m, NEW, sizeof(NEW) - 1) < 0);
}

static void test_built_in(void **state)
{
	static const char prefixed[] = "xdm_verity.parm=require_signatures:x\0dm_verity.license=GPL";

	(void)state;
	assert_int_equal(check(NULL, NEW, sizeof(NEW) - 1), 0);
	assert_true(check(NULL, OLD, sizeof(OLD) - 1) < 0);
	/* Cut within the name that counts, and without a 0 at its end. */
	assert_true(check(NULL, NEW, sizeof(OLD) + 20) < 0);
	assert_true(check(NULL, prefixed, sizeof(prefixed) - 1) < 0);
}

static void test_nothing_is_known(void **state)
{
	static const char other[] = "dm_mod.license=GPL";

	(void)state;
	assert_int_equal(check(NULL, NULL, 0), 0);
	assert_int_equal(check(NULL, other, sizeof(other)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_module),
		cmocka_unit_test(test_built_in),
		cmocka_unit_test(test_nothing_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
