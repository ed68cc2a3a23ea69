/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which names, paths and addresses are allowed. Strict: what passes can stand in a file name, an argv
 * (nothing begins with '-'), an apt source or /appliance.conf without quoting. All errors are usage errors.
 */
#ifndef MKAPPLIANCE_TEMPLATE_NAMES_H
#define MKAPPLIANCE_TEMPLATE_NAMES_H

#include "lib/error.h"

typedef int name_check(const char *value, struct error *err);

name_check name_appliance; /* [a-z0-9-], at most 63, no '-' at either end: a host name's label */
name_check name_version;   /* [A-Za-z0-9.+~_-], at most 64, begins with a letter or a digit */
name_check name_host;	   /* labels parted by dots, at most 64 (HOST_NAME_MAX) */
name_check name_account;   /* a user or group: a name of at most 32, or a number */
name_check name_service;   /* [a-z0-9-], at most 32, no '-' at either end, not "main" */
name_check name_service_or_main;
name_check name_suite;	     /* "bookworm", "bookworm-backports" */
name_check name_unit;	     /* "app.service", "app", "app@blue.service" */
name_check name_component;   /* "main", "non-free-firmware" */
name_check name_package;     /* "nginx-light", "nginx=1.22.1-9", "libc6:amd64" */
name_check name_any_package; /* of any distribution: also "ImageMagick", "@core", "/usr/bin/vi" */
name_check name_release;     /* "9", "40", "9-stream" */
name_check name_repository;  /* "baseos", "updates-testing" */
name_check name_module;	     /* of the kernel, without ".ko" */
name_check name_mirror;	     /* http://, https:// or file:/// */
name_check name_snapshot;    /* YYYYMMDDTHHMMSSZ */
name_check name_checksum;    /* sha256:HEX */
name_check name_environment; /* NAME=value */
name_check name_kernel_command_line;

name_check name_interface;    /* "eth0" */
name_check name_ip;	      /* IPv4 or IPv6, without bits */
name_check name_address_line; /* "[INTERFACE ]ADDRESS/BITS" */
name_check name_gateway_line; /* "[INTERFACE ]ADDRESS" */
name_check name_label;	      /* of an ext4 file system */

/* A path in the image: absolute, no "." nor "..", no double and no closing '/'. "/" is one. */
name_check name_image_path;

/* The same for a directory that gets a tmpfs: not the root, nor where the kernel's own file systems are. */
name_check name_writable;

#endif
