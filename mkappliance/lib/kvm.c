/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/kvm.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"

/* Whether the flags line of /proc/cpuinfo has the word. */
static bool has_word(const char *line, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = line; (p = strstr(p, word)); p += len)
		if (p > line && p[-1] == ' ' && (p[len] == ' ' || p[len] == '\n' || p[len] == 0))
			return true;
	return false;
}

bool kvm_is_real(void)
{
	_cleanup_fclose_ FILE *f = NULL;
	_cleanup_free_ char *line = NULL;
	size_t cap = 0;

	if (access("/dev/kvm", R_OK | W_OK) < 0)
		return false;
	f = fopen("/proc/cpuinfo", "re");
	while (f && getline(&line, &cap, f) > 0)
		if (strncmp(line, "flags", 5) == 0)
			return has_word(line, "vmx") || has_word(line, "svm");
	return false;
}
