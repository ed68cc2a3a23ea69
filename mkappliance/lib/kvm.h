/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MKAPPLIANCE_LIB_KVM_H
#define MKAPPLIANCE_LIB_KVM_H

#include <stdbool.h>

/*
 * Whether hardware virtualisation really works here: /dev/kvm can be opened for writing *and* the processor
 * shows vmx or svm. Some nested machines have the device without the processor's help; guests hang there.
 */
bool kvm_is_real(void);

#endif
