/* SPDX-License-Identifier: Apache-2.0 */
/* What a template must fulfil as a whole, once every line was read. */
#ifndef MKAPPLIANCE_TEMPLATE_CHECK_H
#define MKAPPLIANCE_TEMPLATE_CHECK_H

#include "template/keys.h"

/* Usage errors begin with "FILE:LINE: " where one line is to blame, with "FILE: " where one is missing. */
int check_template(const struct parse *p, struct error *err);

#endif
