/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of aws_ec2.h, and for the tests of their parsers. */
#ifndef MKAPPLIANCE_CLOUD_AWS_EC2_INTERNAL_H
#define MKAPPLIANCE_CLOUD_AWS_EC2_INTERNAL_H

#include "cloud/aws_ec2.h"
#include "cloud/aws_query.h"

/* Append what an answer's root lists. */
void ec2_snapshots_read(const struct xml_node *root, struct ec2_snapshots *ret);
void ec2_images_read(const struct xml_node *root, struct ec2_images *ret);

/* The form of RegisterImage without DryRun. */
void ec2_register_form(const struct ec2_register *r, struct buf *form);

#endif
