/* SPDX-License-Identifier: Apache-2.0 */
/* Systems Manager Parameter Store (AWS Systems Manager API Reference, version 2014-11-06): names that point at images. */
#ifndef MKAPPLIANCE_CLOUD_AWS_SSM_H
#define MKAPPLIANCE_CLOUD_AWS_SSM_H

#include "cloud/aws.h"

#define SSM_NAME_MAX   1011
#define SSM_LEVELS_MAX 15u

/*
 * Sets a parameter to an image's id, whatever it held before. With data type aws:ec2:image SSM checks asynchronously that the image is there; that is left
 * out for other values. @region NULL: the session's.
 */
int ssm_put_image(struct aws *a, const char *region, const char *name, const char *image, struct error *err);

/* What a parameter holds, to be freed. -ENOENT when it is not there. */
int ssm_get(struct aws *a, const char *region, const char *name, char **ret, struct error *err);

#endif
