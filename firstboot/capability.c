/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capability.h"

#ifndef PR_CAP_AMBIENT
#define PR_CAP_AMBIENT	     47
#define PR_CAP_AMBIENT_RAISE 2
#endif

static int known(unsigned capability)
{
	return capability < 64 && prctl(PR_CAPBSET_READ, (unsigned long)capability, 0, 0, 0) >= 0;
}

int capability_bound(uint64_t mask)
{
	for (unsigned i = 0; known(i); i++)
		if (!(mask >> i & 1) && prctl(PR_CAPBSET_DROP, (unsigned long)i, 0, 0, 0) < 0)
			return -1;
	return prctl(PR_SET_KEEPCAPS, 1UL, 0, 0, 0);
}

int capability_set(uint64_t mask)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{.effective = 0}};

	for (unsigned i = 0; known(i); i++)
		if (mask >> i & 1)
			data[i / 32].effective |= UINT32_C(1) << (i % 32);
	for (int i = 0; i < 2; i++)
		data[i].permitted = data[i].inheritable = data[i].effective;
	if (syscall(SYS_capset, &head, data) < 0)
		return -1;
	for (unsigned i = 0; known(i); i++)
		if ((mask >> i & 1) &&
		    prctl(PR_CAP_AMBIENT, (unsigned long)PR_CAP_AMBIENT_RAISE, (unsigned long)i, 0, 0) < 0)
			return -1;
	return 0;
}
