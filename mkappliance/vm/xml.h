/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XML documents for libvirt: written node by node, and single values read out of its answers. libxml2 stays inside xml.c and does the
 * escaping; writing can fail for lack of memory only, which ends the program.
 */
#ifndef MKAPPLIANCE_VM_XML_H
#define MKAPPLIANCE_VM_XML_H

#include <stdbool.h>

/* An element; belongs to its document, which lives until xml_finish(). */
struct xml_node;

/* A document with one element. */
struct xml_node *xml_new(const char *root);
struct xml_node *xml_add(struct xml_node *parent, const char *name);
struct xml_node *xml_add_text(struct xml_node *parent, const char *name, const char *text);
struct xml_node *xml_add_number(struct xml_node *parent, const char *name, unsigned long long n);
void xml_set(struct xml_node *node, const char *name, const char *value);

/* Makes @prefix known below @node as the name space @uri; xml_add_in() puts elements into it. @prefix NULL: that of all elements without one. */
void xml_declare(struct xml_node *node, const char *prefix, const char *uri);
struct xml_node *xml_add_in(struct xml_node *parent, const char *prefix, const char *name);

/* The text, to be freed; the document of @root is gone afterwards. */
char *xml_finish(struct xml_node *root);

/* Whether a text can be written in XML at all: UTF-8 without control characters. */
bool xml_can_hold(const char *text);

/*
 * The value of the first node that @path (XPath 1.0) finds in the document @text, to be freed: "/pool/@type", "//value[. = 'efi']".
 * NULL: there is none, or @text is no XML. What @text names outside itself is not read.
 */
char *xml_value(const char *text, const char *path);

#endif
