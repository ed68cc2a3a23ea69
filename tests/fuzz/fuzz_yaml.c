/* SPDX-License-Identifier: Apache-2.0 */
/* clouds.yaml: what was read can be written as JSON and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/yaml.h"
#include "lib/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_json_ struct json *j = NULL, *again = NULL;
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_INIT;

	if (yaml_parse((const char *)data, size, "input", &j, &err) < 0)
		return 0;
	text = js_text(j, true);
	if (js_is_object(j) && js_parse(text, strlen(text), "again", &again, &err) < 0)
		abort();
	return 0;
}
