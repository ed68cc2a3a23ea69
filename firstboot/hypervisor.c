/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "hypervisor.h"

/* Where KVM says that it is Hyper-V too, its own leaves come behind those. */
bool hypervisor_is(const char *name)
{
#if defined(__x86_64__)
	unsigned eax, said[3];

	__cpuid(1, eax, said[0], said[1], said[2]);
	if (!(said[1] & 1u << 31)) /* no hypervisor; ECX */
		return false;
	for (unsigned leaf = 0x40000000; leaf <= 0x40000100; leaf += 0x100) {
		__cpuid(leaf, eax, said[0], said[1], said[2]);
		if (memcmp(said, name, sizeof said) == 0)
			return true;
	}
#else
	(void)name;
#endif
	return false;
}
