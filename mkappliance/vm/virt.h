/* SPDX-License-Identifier: Apache-2.0 */
/* libvirt's own way of saying errors, turned into ours. */
#ifndef MKAPPLIANCE_VM_VIRT_H
#define MKAPPLIANCE_VM_VIRT_H

#include "lib/error.h"

/*
 * libvirt's last error of this thread as one line of ours, "@what: ..."; returns -EIO. Its texts may have many lines: qemu's standard
 * error is quoted in them.
 */
int virt_error(struct error *err, const char *what) __attribute__((warn_unused_result));

/* libvirt would print its errors itself; they go to the log of --verbose. */
void virt_silence(void);

#endif
