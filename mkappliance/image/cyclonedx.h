/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NAME-VERSION.cdx.json: the bill of materials in CycloneDX 1.5, JSON (ECMA-424 has 1.6, which reads it). The image is metadata.component; what
 * it was made of and the packages in it are components, all of which it depends on. A pure function of the manifest: no clock, and the serial
 * number comes from the digests.
 */
#ifndef MKAPPLIANCE_IMAGE_CYCLONEDX_H
#define MKAPPLIANCE_IMAGE_CYCLONEDX_H

#include "image/manifest.h"

/* The document; to be freed. */
char *cyclonedx_text(const struct manifest *m);

#endif
