/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a program of the tree will start: found while the image is built rather than when it boots. */
#ifndef MKAPPLIANCE_IMAGE_PROGRAM_H
#define MKAPPLIANCE_IMAGE_PROGRAM_H

#include "compose/tree.h"
#include "image/accounts.h"
#include "lib/error.h"
#include "template/template.h"

/*
 * @path must be a regular file (through links of the tree) that @account may execute. When it is an ELF
 * program, it must be for @arch and the loader that it names must be there; of a script, the interpreter. Its
 * content is read as untrusted; what is neither is left to the kernel. Usage errors.
 */
int program_check(const struct tree *tree, const char *path, const struct account *account,
		  enum architecture arch, struct error *err);

#endif
