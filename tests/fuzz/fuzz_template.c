/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: whatever is accepted has what the rest of the tool relies on. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "template/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check(const struct template *t)
{
	must(t->appliance.name && *t->appliance.name && t->appliance.version && *t->appliance.version);
	must(t->appliance.epoch >= 1);
	must(t->base.source != BASE_DEBIAN || t->base.suite);
	must(t->base.source != BASE_DISK || t->base.image);
	must((t->base.source != BASE_DIRECTORY && t->base.source != BASE_TAR) || t->base.path);
	must(t->base.source != BASE_NONE || t->kernel.package || t->kernel.image);
	must(t->base.components.len > 0);
	must(t->kernel.command_line && t->init.app.user && t->init.hostname && t->init.app.working_directory);
	must(t->init.mode == INIT_SYSTEM
		     ? t->init.init && !t->init.app.exec.len && !t->services.len
		     : t->services.len || (t->init.app.exec.len && *t->init.app.exec.ptr[0] == '/'));
	for (size_t i = 0; i < t->files.len; i++)
		must(*t->files.ptr[i].source == '/' && *t->files.ptr[i].target == '/' &&
		     t->files.ptr[i].line > 0);
	for (size_t i = 0; i < t->test.len; i++)
		must(t->test.ptr[i].port > 0 &&
		     (t->test.ptr[i].kind == PROBE_TCP || *t->test.ptr[i].path == '/'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_template_ struct template *t = NULL;
	struct error err = ERROR_INIT;
	int r = template_parse((const char *)data, len, "fuzz", "/dir", &t, &err);

	/* Every refusal is a usage error of one line that says where; nothing is handed out with it. */
	must(r == 0 ? t != NULL
		    : !t && r == -EINVAL && err.exit == EXIT_USAGE && strncmp(err.text, "fuzz:", 5) == 0);
	if (t)
		check(t);
	return 0;
}
