/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns of modaliases; this machine's own PCI bus, where it has one. */
#include "unit.h"

#include <dirent.h>

#include "../../firstboot/device.h"

#define DISK	"pci:v00001AF4d00001042sv00001AF4sd00001100bc01sc80i00"
#define NVME	"pci:v00001D0Fd00008061sv00000000sd00000000bc01sc08i02"
#define NETWORK "pci:v00001D0Fd0000EC20sv00001D0Fsd0000EC20bc02sc00i00"

static void test_patterns(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} cases[] = {
		{"pci:v00001AF4d00001042sv*", DISK, true},
		{"pci:v00001AF4d00001001sv*", DISK, false},
		{"pci:v*bc01sc08i02*", NVME, true},
		{"pci:v*bc01sc08i02*", DISK, false},
		{"pci:v*bc01sc08i02*", NETWORK, false},
		{"pci:v00001D0Fd*bc02sc*", NETWORK, true},
		{"pci:v00001D0Fd*bc02sc*", NVME, false},
		{"virtio:d00000002v*", "virtio:d00000002v00001AF4", true},
		{"virtio:d00000002v*", "virtio:d00000001v00001AF4", false},
		{"virtio:d00000002v*", "virtio:d00000002v", true},
		{"a*b*c", "aXbXbXc", true},
		{"a*b*c", "aXbXbX", false},
		{"a*", "a", true},
		{"a", "ab", false},
		{"ab", "a", false},
		{"*", "", true},
		{"", "", true},
		{"", "a", false},
		{"***a***", "bab", true},
		{"*aab", "aaaaaaab", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(device_matches(cases[i].pattern, strlen(cases[i].pattern), cases[i].text),
				 cases[i].matches);
	/* No more of the pattern than is said. */
	assert_true(device_matches("ab*nothing", 2, "ab"));
	assert_false(device_matches("ab*", 2, "abc"));
}

static void test_this_machine(void **state)
{
	DIR *d = opendir("/sys/bus/pci/devices");
	struct dirent *e;
	bool some = false;

	(void)state;
	while (d && (e = readdir(d)))
		some |= e->d_name[0] != '.';
	if (d)
		closedir(d);
	assert_int_equal(device_is_here("pci:*"), some);
	assert_int_equal(device_is_here("pci:none pci:* pci:none"), some);
	assert_false(device_is_here("pci:none"));
	assert_false(device_is_here("nosuchbus:*"));
	assert_false(device_is_here(" "));
	/* What cannot be asked is not left out. */
	assert_true(device_is_here("nobus"));
	assert_true(device_is_here("a-bus-whose-name-is-longer-than-any-other:*"));
	device_forget();
	assert_int_equal(device_is_here("pci:*"), some);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
