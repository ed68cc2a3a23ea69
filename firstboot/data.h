/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data volume: the only thing that survives the machine. An ext4 file system with the label of the template, on a
 * whole disk or a partition; or, when there is none and the template says so, the only blank disk, formatted.
 * Whatever else there is stops the boot: two of them, a disk that holds something else, damage that e2fsck does not
 * repair by itself.
 */
#ifndef FIRSTBOOT_DATA_H
#define FIRSTBOOT_DATA_H

#include <stddef.h>

#include "conf.h"
#include "events.h"

/* What a disk is for the data volume. */
enum data_kind { DATA_OURS, DATA_LOCKED /* ours, but it is read only */, DATA_BLANK, DATA_OTHER };

struct data_disk {
	char name[32]; /* "vdb" */
	enum data_kind kind;
	const char *what; /* DATA_OTHER: what it holds */
};

/* What is to be done with what was found. */
enum data_choice {
	DATA_MOUNT,	/* disks[*ret_index] */
	DATA_FORMAT,	/* disks[*ret_index] */
	DATA_AMBIGUOUS, /* more than one would do */
	DATA_NONE,	/* nothing that may be used: another disk may still come */
};

/* The rule. Pure. @may_format: Format=blank. */
enum data_choice data_choose(const struct data_disk *disks, size_t count, bool may_format, size_t *ret_index);

/* Finds, formats where that is due, checks and mounts it. Fails the boot otherwise; returns before when the machine
 * shall stop (e->stop). Does nothing without DataMount=. */
void data_start(const struct conf *c, struct events *e);

/* At the end, when nothing runs any more: unmounts it, or at least makes it read only. To be called in a child: it can
 * hang with the disk. */
void data_end(const struct conf *c);

#endif
