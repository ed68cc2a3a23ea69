/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of 'mkappliance upload' and 'mkappliance verify' that need two rooms share. */
#ifndef MKAPPLIANCE_CMD_UPLOAD_H
#define MKAPPLIANCE_CMD_UPLOAD_H

#ifdef WITH_LIBVIRT
#include "cloud/provider.h"
#include "cloud/remote.h"

/*
 * cmd_upload_libvirt.c: libvirt lives in vm/, which does not see cloud/, so its table of steps stands here.
 *
 * libvirt cannot rename a volume, and to clone one costs every byte again and room for two. So what says that a volume is not whole is a second,
 * tiny one, VOLUME.uploading: made before it, deleted when all of it was read back. While that is there, whatever killed an upload, the
 * next one deletes both and begins anew; a volume without it is either whole or somebody else's. Of two uploads of one volume at the same
 * time the later one takes it from the earlier, and neither reads back what it sent: both fail, and nothing stays.
 */
extern const struct provider provider_libvirt;

/* cmd_verify_libvirt.c: as aws_remote_read(); r->id is POOL/VOLUME, r->connect the URI. */
int libvirt_remote_read(struct remote_read *r, struct error *err);
#endif

#endif
