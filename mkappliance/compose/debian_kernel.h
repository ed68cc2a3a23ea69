/* SPDX-License-Identifier: Apache-2.0 */
/* What an image needs of an unpacked kernel package. */
#ifndef MKAPPLIANCE_COMPOSE_DEBIAN_KERNEL_H
#define MKAPPLIANCE_COMPOSE_DEBIAN_KERNEL_H

#include "lib/error.h"

/*
 * From the tar @all, in which @package and its dependencies were unpacked, writes the layer of the kernel
 * (see debian_kernel()) as a tar to @fd. Works in the empty directory @dir, which the caller removes.
 */
int kernel_layer_write(int all, const char *package, const char *dir, int fd, struct error *err);

#endif
