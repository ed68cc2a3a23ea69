/* SPDX-License-Identifier: Apache-2.0 */
/* What the documents beside a manifest (SPDX, CycloneDX, provenance) say alike. Pure functions of the manifest. */
#ifndef MKAPPLIANCE_IMAGE_DOCUMENT_H
#define MKAPPLIANCE_IMAGE_DOCUMENT_H

#include "image/manifest.h"

#define DOCUMENT_TIME_SIZE 32

/* The epoch as "2020-09-13T12:26:40Z". */
void document_time(const struct manifest *m, char ret[DOCUMENT_TIME_SIZE]);

/* The UUID of the document @kind ("spdx") of this image: another one when any byte of the image is another. */
void document_uuid(const struct manifest *m, const char *kind, char ret[GUID_TEXT_SIZE]);

/* The package URL of an input: of an image of a container registry what follows from its reference. To be freed. */
char *document_input_purl(const struct compose_input *in);

/* The package URL of the image. To be freed. */
char *document_image_purl(const struct manifest *m);

#endif
