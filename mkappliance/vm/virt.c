/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/virt.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/mem.h"

int virt_error(struct error *err, const char *what)
{
	const char *text = virGetLastErrorMessage();
	static const char noise[] = "internal error: ";
	_cleanup_free_ char *copy = NULL;

	if (strncmp(text, noise, strlen(noise)) == 0)
		text += strlen(noise);
	copy = xstrdup(text);
	for (size_t n = strlen(copy); n > 0 && (copy[n - 1] == '\n' || copy[n - 1] == ' '); n--)
		copy[n - 1] = 0;
	for (char *p = copy; *p; p++)
		if (*p == '\n')
			*p = ' ';
	return error_set(err, -EIO, "%s: %s", what, copy);
}

static void be_silent(void *data, virErrorPtr error)
{
	(void)data;
	log_debug("libvirt: %s", error && error->message ? error->message : "unknown error");
}

void virt_silence(void)
{
	virSetErrorFunc(NULL, be_silent);
}
