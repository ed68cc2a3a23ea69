/* SPDX-License-Identifier: Apache-2.0 */
/* The init's reader of the kernel's messages. */
#include <stdlib.h>
#include <string.h>

#include "../../firstboot/forbidden.h"
#include "../../firstboot/kmsg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1);
	struct kmsg_error e;
	struct forbidden f;

	if (!text)
		abort();
	if (len)
		memcpy(text, data, len);
	text[len] = '\0';
	if (kmsg_read_error(text, &e) && (!e.device[0] || !memchr(e.device, '\0', sizeof(e.device))))
		abort();
	if (forbidden_parse(text, &f) && (!f.program[0] || !memchr(f.program, '\0', sizeof(f.program))))
		abort();
	free(text);
	return 0;
}
