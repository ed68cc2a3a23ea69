/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MKAPPLIANCE_VERSION_H
#define MKAPPLIANCE_VERSION_H

#define MKAPPLIANCE_VERSION "0.1.0"

#endif
