/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams that a service sends to the init. */
#include <stdint.h>
#include <stdlib.h>

#include "../../firstboot/notify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (notify_parse((const char *)data, len) &
	    ~(unsigned)(NOTIFY_READY | NOTIFY_STOPPING | NOTIFY_WATCHDOG))
		abort();
	return 0;
}
