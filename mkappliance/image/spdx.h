/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NAME-VERSION.spdx.json: the bill of materials, SPDX 2.3 in JSON. The image is what it describes; it is generated from the inputs of the
 * manifest and contains the packages of the manifest. A pure function of the manifest: no clock, and the name space comes from the root hash.
 */
#ifndef MKAPPLIANCE_IMAGE_SPDX_H
#define MKAPPLIANCE_IMAGE_SPDX_H

#include "image/manifest.h"

/* The document; to be freed. */
char *spdx_text(const struct manifest *m);

#endif
