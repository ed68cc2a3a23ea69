/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a template to what the image is made of: base, packages and files merged to one tree, and the kernel.
 */
#ifndef MKAPPLIANCE_COMPOSE_COMPOSE_H
#define MKAPPLIANCE_COMPOSE_COMPOSE_H

#include "compose/installed.h"
#include "compose/oci_json.h"
#include "compose/tree.h"
#include "lib/hash.h"
#include "template/template.h"

/* When the init loads a module of the initrd: image/abi.h, Module= and those behind it. */
enum module_turn { MODULE_MAIN, MODULE_FIRST, MODULE_LAST, MODULE_HASH, MODULE_SIDE };

/* A kernel module, in loading order. */
struct kernel_module {
	char *name; /* "virtio_blk" */
	char *path; /* in the tree that has it: "usr/lib/modules/6.1.0-1-amd64/kernel/.../virtio_blk.ko" */
	void *data; /* its content (uncompressed) */
	size_t len;
	enum module_turn turn;
	char *devices; /* modaliases of those that it is for, between blanks, as the init's Module= has them; NULL: for every machine */
};

struct kernel {
	char *release; /* "6.1.0-56-cloud-amd64" */
	char *path;    /* of the image, for messages: on the host, or in the tree of base or package */
	void *image;   /* bytes of the PE kernel (bzImage with EFI stub) */
	size_t image_len;
	struct kernel_module *initrd; /* to find the disk: stage 1 loads them in this order */
	size_t initrd_len;
	struct kernel_module
		*root; /* Mode=appliance: loaded by stage 2 from the verified root; they are in the tree */
	size_t root_len;
	/*
	 * [Sign] VerityRequired= alone: modules.builtin.modinfo, what the modules that are built in say of themselves as "NAME.KEY=VALUE", each
	 * with a 0 at its end. NULL: the kernel comes without.
	 */
	void *builtin_info;
	size_t builtin_info_len;
};

/* Something that went into the image, for the manifest. */
struct compose_input {
	char *kind; /* "template", "base", "package", "config", "layer", "file", "kernel", "init", "stub" */
	char *name; /* path as the template says it, or "bookworm" */
	struct sha256 digest; /* of the file, of the layer's tar, or of a directory's listing */
	uint64_t size;
	/* NULL where it has none, or it is not known. */
	char *package;	  /* the name that it gives itself: "nginx-light", "library/nginx" */
	char *version;	  /* as it says it itself */
	char *arch;	  /* as it says it itself: "amd64", "noarch" */
	char *repository; /* where it was fetched from: URL or image reference ("docker://...") */
	char *license;	  /* as it says it itself */
	char *vendor;	  /* who made it, as it says itself */
};

struct compose_result {
	struct tree *tree;
	char *os_id;	  /* of its os-release: "debian"; NULL: it is no distribution */
	char *os_version; /* "12"; NULL: it does not say */
	struct kernel kernel;
	struct compose_input *inputs;
	size_t input_count;
	size_t input_cap;
	struct installed packages; /* of every package database in the tree, and beside it; sorted by name */
	struct installed
		notes; /* what the sources know of packages that they installed; joined into packages */
	struct oci_labels labels; /* of container images: "org.opencontainers.image.licenses" and others */
};

struct compose_options {
	const char *cache_dir; /* NULL: $XDG_CACHE_HOME/mkappliance or ~/.cache/mkappliance */
	bool refresh;	       /* do not use cached layers */
	/* Package managers that are asked for a layer anew are to give these versions; NULL: any. */
	const struct installed *locked;
	const struct compose_input *locked_inputs; /* and its inputs */
	size_t locked_input_count;
	bool offline; /* fail rather than call a package manager */
	/*
	 * Called as soon as path and image of the kernel are known, which then stay as they are: one that is not in the base is found before the
	 * base is. After a failure called again, with NULL, before they are freed. NULL: nobody wants to know.
	 */
	void (*kernel_found)(void *user, const struct kernel *k);
	void *user;
};

/*
 * What a base or a package says of its start-up fills those fields of @t's [Init] that the template does not set. Everything is
 * freed by compose_result_free(), which accepts a zeroed one.
 */
int compose_run(struct template *t, const struct compose_options *options, struct compose_result *ret,
		struct error *err);
void compose_result_free(struct compose_result *r);
void compose_input_free(struct compose_input *i);
#define _cleanup_compose_ __attribute__((cleanup(compose_result_free)))

#endif
