/* SPDX-License-Identifier: Apache-2.0 */
/* Disks that a machine gets beside its image, and that keep what it writes to them. */
#ifndef MKAPPLIANCE_VM_DATA_DISK_H
#define MKAPPLIANCE_VM_DATA_DISK_H

#include "lib/error.h"
#include "lib/mem.h"

#define DATA_DISKS_MAX 8

/*
 * "FILE", which must be there, or "FILE:SIZE" (bytes, or with K, M, G, T), which is made when it is not: sparse, so blank.
 * Appends its absolute path to @ret. A file that is there is never made larger or smaller.
 */
int data_disk_open(const char *text, struct strlist *ret, struct error *err);
int data_disks_open(const struct strlist *texts, struct strlist *ret, struct error *err);

#endif
