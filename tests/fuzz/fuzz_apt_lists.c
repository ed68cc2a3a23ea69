/* SPDX-License-Identifier: Apache-2.0 */
/* An index of packages; its first line is the name of its file. What is found has a digest and lies in its repository. */
#include <assert.h>
#include <string.h>

#include "compose/apt_lists.h"
#include "lib/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char status[] =
		"Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n"
		"Package: app\nStatus: install ok installed\nVersion: 2\nArchitecture: amd64\n";
	_cleanup_free_ char *text = xstrndup((const char *)data, len);
	_cleanup_free_ char *name = xstrndup(text, strcspn(text, "\n"));
	_cleanup_free_ char *uri = apt_lists_uri(name, "deb https://x/debian s main\n");
	_cleanup_installed_ struct installed l = {0};
	_cleanup_dpkg_ struct dpkg d = {0};
	struct error err = ERROR_INIT;

	if (dpkg_parse(status, strlen(status), "s", &d, &err) < 0)
		abort();
	apt_lists_scan(text + strlen(name), &d, uri, &l);
	for (size_t i = 0; i < l.len; i++) {
		assert(strlen(l.list[i].sha256) == 64);
		assert(strncmp(l.list[i].repository, uri, strlen(uri)) == 0);
	}
	return 0;
}
