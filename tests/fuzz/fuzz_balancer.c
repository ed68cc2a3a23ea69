/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of the balancer's answers. */
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/mem.h"
#include "vm/balancer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_free_ char *text = xstrndup((const char *)data, len);
	_cleanup_balancer_report_ struct balancer_report r = {0};

	balancer_parse(text, &r);
	for (size_t i = 0; i < r.count; i++)
		if (strlen(r.servers[i].name) >= sizeof(r.servers[i].name) ||
		    strlen(r.servers[i].reason) >= sizeof(r.servers[i].reason))
			abort();
	return 0;
}
