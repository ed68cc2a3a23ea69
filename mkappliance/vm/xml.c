/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/xml.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xpath.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

/* libxml2 says NULL only for lack of memory where nothing is read from outside. */
static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static const xmlChar *x(const char *s)
{
	return (const xmlChar *)s;
}

static xmlNodePtr inner(struct xml_node *node)
{
	return (xmlNodePtr)node;
}

static struct xml_node *outer(void *node)
{
	return must(node);
}

struct xml_node *xml_new(const char *root)
{
	xmlDocPtr doc = must(xmlNewDoc(x("1.0")));
	xmlNodePtr node = must(xmlNewNode(NULL, x(root)));

	xmlDocSetRootElement(doc, node);
	return outer(node);
}

struct xml_node *xml_add(struct xml_node *parent, const char *name)
{
	return outer(xmlNewChild(inner(parent), NULL, x(name), NULL));
}

struct xml_node *xml_add_text(struct xml_node *parent, const char *name, const char *text)
{
	return outer(xmlNewTextChild(inner(parent), NULL, x(name), x(text)));
}

struct xml_node *xml_add_number(struct xml_node *parent, const char *name, unsigned long long n)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", n);
	return xml_add_text(parent, name, text);
}

void xml_set(struct xml_node *node, const char *name, const char *value)
{
	must(xmlNewProp(inner(node), x(name), x(value)));
}

void xml_declare(struct xml_node *node, const char *prefix, const char *uri)
{
	must(xmlNewNs(inner(node), x(uri), x(prefix)));
}

struct xml_node *xml_add_in(struct xml_node *parent, const char *prefix, const char *name)
{
	xmlNsPtr ns = must(xmlSearchNs(inner(parent)->doc, inner(parent), x(prefix)));

	return outer(xmlNewChild(inner(parent), ns, x(name), NULL));
}

char *xml_finish(struct xml_node *root)
{
	xmlDocPtr doc = inner(root)->doc;
	xmlChar *text = NULL;
	char *copy;
	int len;

	xmlDocDumpFormatMemory(doc, &text, &len, 1);
	copy = xstrndup(must(text), (size_t)len);
	xmlFree(text);
	xmlFreeDoc(doc);
	return copy;
}

bool xml_can_hold(const char *text)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20)
			return false;
	return xmlCheckUTF8((const unsigned char *)text);
}

char *xml_value(const char *text, const char *path)
{
	const int quiet = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING;
	xmlDocPtr doc = xmlReadMemory(text, (int)strlen(text), "answer", NULL, quiet);
	xmlXPathContextPtr context = doc ? xmlXPathNewContext(doc) : NULL;
	xmlXPathObjectPtr found = context ? xmlXPathEvalExpression(x(path), context) : NULL;
	xmlChar *value = NULL;
	char *copy = NULL;

	if (found && found->nodesetval && found->nodesetval->nodeNr > 0)
		value = xmlNodeGetContent(found->nodesetval->nodeTab[0]);
	if (value)
		copy = xstrdup((const char *)value);
	xmlFree(value);
	xmlXPathFreeObject(found);
	xmlXPathFreeContext(context);
	xmlFreeDoc(doc);
	return copy;
}
