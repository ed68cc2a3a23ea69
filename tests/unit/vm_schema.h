/* SPDX-License-Identifier: Apache-2.0 */
/* libvirt's RELAX NG schema of a domain, where virt-xml-validate is installed. */
#ifndef VM_SCHEMA_H
#define VM_SCHEMA_H

#include "unit.h"

#include "lib/spawn.h"

/* Leaves the test by longjmp: to be called before anything is allocated. */
static inline void schema_needed(void)
{
	if (!spawn_available("virt-xml-validate") || !spawn_available("xmllint"))
		skip();
}

/* @dir: for a file of its own. */
static inline void assert_is_domain(const char *dir, const char *xml)
{
	_cleanup_free_ char *path = xasprintf("%s/domain.xml", dir);
	const char *const argv[] = {"virt-xml-validate", path, "domain", NULL};
	struct error err = ERROR_INIT;

	assert_int_equal(output_write_file(path, xml, strlen(xml), &err), 0);
	if (spawn_run(&(struct spawn){.argv = argv}, &err) < 0)
		fail_msg("%s", err.text);
}

#endif
