/* SPDX-License-Identifier: Apache-2.0 */
/* The words of the templates that starter.c writes. */
#ifndef MKAPPLIANCE_TEMPLATE_STARTER_TEXT_H
#define MKAPPLIANCE_TEMPLATE_STARTER_TEXT_H

#include "template/starter.h"

extern const char starter_nginx_conf[];
extern const char starter_index_html[];

/* appliance.conf of @source; @example: with an application of ours, because none was named. Appended to @ret. */
void starter_text(const struct starter *s, const char *source, bool example, struct buf *ret);

#endif
