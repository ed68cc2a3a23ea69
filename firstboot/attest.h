/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What whoever asks the machine for a TPM quote has to get beside it, in /run/mkappliance, for everybody to read and nobody to write:
 * name, version, root-hash (a line each), and eventlog, the firmware's log as it is.
 */
#ifndef FIRSTBOOT_ATTEST_H
#define FIRSTBOOT_ATTEST_H

#include "conf.h"

#define ATTEST_DIRECTORY "/run/mkappliance"

/*
 * When the drivers are there, and before the kernel is sealed. The user of the main service may use the TPM's resource manager then. With
 * Attest=tpm a machine without a TPM 2.0 or without a log ends in fail(); with auto it is recorded.
 */
void attest_start(const struct conf *c);

#endif
