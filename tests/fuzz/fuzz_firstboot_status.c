/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to the init's status port: cut at any place they must not be worth more than whole. */
#include <stdint.h>
#include <stdlib.h>

#include "../../firstboot/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	unsigned status;

	if (len > STATUS_REQUEST_MAX)
		len = STATUS_REQUEST_MAX;
	status = status_judge((const char *)data, len);
	if (status != 0 && status != 200 && status != 400 && status != 405 && status != 431)
		abort();
	if (len == STATUS_REQUEST_MAX && status == 0)
		abort(); /* nobody could ever end it */
	return 0;
}
