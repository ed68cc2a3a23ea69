/* SPDX-License-Identifier: Apache-2.0 */
/* How the lines of the tables of keys are written. To be included by those tables alone. */
#ifndef MKAPPLIANCE_TEMPLATE_TABLE_H
#define MKAPPLIANCE_TEMPLATE_TABLE_H

#include <stddef.h>

#include "template/keys.h"
#include "template/setters.h"

#define KEY(name, member, setter) name, offsetof(struct template, member), .set = setter
#define STRING(name, member)	  KEY(name, member, set_string), .release = release_string
#define PATH(name, member)	  KEY(name, member, set_path), .release = release_string
#define WORDS(name, member)	  KEY(name, member, set_words), .release = release_strlist, .list = true
#define CHOICE(name, member)	  KEY(name, member, set_choice)
#define SECONDS(name, member)	  KEY(name, member, set_seconds)

/* Of [Init] and of each [Service NAME]; @member is one of struct template_service. */
#define SERVICE_KEY(name, member, setter)                                                        \
	"Init." name, offsetof(struct template_service, member), .service = true, .set = setter, \
								 .only = &key_only_appliance
#define SERVICE_STRING(name, member) SERVICE_KEY(name, member, set_string), .release = release_string
#define SERVICE_WORDS(name, member) \
	SERVICE_KEY(name, member, set_words), .release = release_strlist, .list = true
#define SERVICE_CHOICE(name, member)  SERVICE_KEY(name, member, set_choice)
#define SERVICE_SECONDS(name, member) SERVICE_KEY(name, member, set_seconds)

#define HOUR 3600

#endif
