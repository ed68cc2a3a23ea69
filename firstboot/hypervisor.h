/* SPDX-License-Identifier: Apache-2.0 */
/* What runs this machine, by what the processor says. */
#ifndef FIRSTBOOT_HYPERVISOR_H
#define FIRSTBOOT_HYPERVISOR_H

#include <stdbool.h>

#define HYPERVISOR_KVM "KVMKVMKVM\0\0\0" /* Linux Documentation/virt/kvm/x86/cpuid.rst */
#define HYPERVISOR_TCG "TCGTCGTCGTCG"	 /* QEMU's own processor, in software */

/* Whether it is the one whose signature, 12 bytes, is @name. False on other processors than x86_64, which have none. */
bool hypervisor_is(const char *name);

#endif
