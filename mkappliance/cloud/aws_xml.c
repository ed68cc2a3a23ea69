/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/aws_xml.h"

#include <errno.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* Neither struct is ever defined: they are libxml2's under names that the rest may see. */
static xmlNodePtr in(const struct xml_node *n)
{
	return (xmlNodePtr)(uintptr_t)n;
}

static const struct xml_node *out(const xmlNode *n)
{
	return (const struct xml_node *)n;
}

static const char *text(const xmlChar *s)
{
	return (const char *)s;
}

static void init_parser(void)
{
	xmlInitParser();
}

int xml_parse(const char *data, size_t len, const char *name, struct xml **ret, struct error *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	xmlParserCtxtPtr ctx;
	xmlDocPtr doc;
	int line;

	(void)pthread_once(&once, init_parser);
	if (len > XML_MAX_SIZE)
		return error_set(err, -EFBIG, "%s: more than %zu bytes of XML", name, XML_MAX_SIZE);
	ctx = xmlNewParserCtxt();
	if (!ctx)
		abort();
	doc = xmlCtxtReadMemory(ctx, data ? data : "", (int)len, NULL, NULL,
				XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
					XML_PARSE_NOCDATA | XML_PARSE_NOBLANKS);
	line = ctx->lastError.line;
	xmlFreeParserCtxt(ctx);
	if (!doc)
		return error_set(err, -EBADMSG, "%s: not well-formed XML (line %d)", name, line);
	if (doc->intSubset || doc->extSubset || !xmlDocGetRootElement(doc)) {
		xmlFreeDoc(doc);
		return error_set(err, -EBADMSG, "%s: XML with a document type", name);
	}
	*ret = (struct xml *)doc;
	return 0;
}

void xml_free(struct xml *x)
{
	if (x)
		xmlFreeDoc((xmlDocPtr)x);
}

void xml_freep(struct xml **x)
{
	xml_free(*x);
}

const struct xml_node *xml_root(const struct xml *x)
{
	return out(xmlDocGetRootElement((xmlDocPtr)(uintptr_t)x));
}

const char *xml_name(const struct xml_node *n)
{
	return text(in(n)->name);
}

static xmlNodePtr child(xmlNodePtr n, const char *name, size_t len)
{
	for (n = n->children; n; n = n->next)
		if (n->type == XML_ELEMENT_NODE && strlen(text(n->name)) == len &&
		    memcmp(n->name, name, len) == 0)
			return n;
	return NULL;
}

const struct xml_node *xml_find(const struct xml_node *node, const char *path)
{
	xmlNodePtr n = in(node);

	while (n && *path) {
		size_t len = strcspn(path, ".");

		n = child(n, path, len);
		path += len + (path[len] == '.');
	}
	return out(n);
}

/* With predefined entities only, and CDATA taken as text, the text of an element is one node. */
const char *xml_text(const struct xml_node *node, const char *path)
{
	const xmlNode *n = in(xml_find(node, path));

	if (!n)
		return NULL;
	n = n->children;
	return n && n->type == XML_TEXT_NODE && n->content ? text(n->content) : "";
}

void xml_copy(const struct xml_node *n, const char *path, char *to, size_t size)
{
	const char *value = xml_text(n, path);

	snprintf(to, size, "%s", value ? value : "");
	error_one_line(to);
}

const struct xml_node *xml_each(const struct xml_node *list, const struct xml_node *previous)
{
	xmlNodePtr n = previous ? in(previous)->next : list ? in(list)->children : NULL;

	for (; n; n = n->next)
		if (n->type == XML_ELEMENT_NODE &&
		    (strcmp(text(n->name), "item") == 0 || strcmp(text(n->name), "member") == 0))
			return out(n);
	return NULL;
}
