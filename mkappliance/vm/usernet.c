/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/usernet.h"

#include <stdio.h>
#include <string.h>

/* "  TCP[ESTABLISHED]   15       127.0.0.1 18080       10.0.2.15  8080     0     0" */
static bool is_established(const char *line, uint16_t host_port)
{
	unsigned port = 0;

	return sscanf(line, " TCP[ESTABLISHED] %*d %*s %u", &port) == 1 && port == host_port;
}

bool usernet_is_established(const char *info, uint16_t host_port)
{
	for (const char *line = info; *line; line += strcspn(line, "\n"), line += *line == '\n')
		if (is_established(line, host_port))
			return true;
	return false;
}
