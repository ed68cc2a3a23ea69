/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XML answers of the Query protocols (EC2, STS, Auto Scaling). libxml2 stays inside aws_xml.c. Name spaces are ignored, and a document with
 * a DTD is refused: AWS sends none.
 */
#ifndef MKAPPLIANCE_CLOUD_AWS_XML_H
#define MKAPPLIANCE_CLOUD_AWS_XML_H

#include <stddef.h>

#include "lib/error.h"

struct xml;	 /* a document */
struct xml_node; /* one of its elements; borrowed from the document */

#define XML_MAX_SIZE ((size_t)64 << 20)

/* Parser of untrusted bytes; @name is for messages. */
int xml_parse(const char *text, size_t len, const char *name, struct xml **ret, struct error *err);
void xml_free(struct xml *x);
void xml_freep(struct xml **x);
#define _cleanup_xml_ __attribute__((cleanup(xml_freep)))

const struct xml_node *xml_root(const struct xml *x);
const char *xml_name(const struct xml_node *n);
/* The element below @n by names joined with dots ("Errors.Error"), the first of each; NULL: not there, or @n is NULL. */
const struct xml_node *xml_find(const struct xml_node *n, const char *path);
/* Its text ("" when it is empty), NULL: not there. */
const char *xml_text(const struct xml_node *n, const char *path);
/* The same into @to, "" when it is not there; what does not fit is cut, control characters are '?'. */
void xml_copy(const struct xml_node *n, const char *path, char *to, size_t size);
/* Steps through the elements "item" or "member" below @list: NULL begins, NULL ends. */
const struct xml_node *xml_each(const struct xml_node *list, const struct xml_node *previous);

#endif
