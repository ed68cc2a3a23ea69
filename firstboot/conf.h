/* SPDX-License-Identifier: Apache-2.0 */
/* /appliance.conf: the only thing the init believes (format: image/abi.h). A pure parser. */
#ifndef FIRSTBOOT_CONF_H
#define FIRSTBOOT_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image/abi.h"
#include "line.h"

#define CONF_LIST_MAX ABI_CONF_LIST_MAX
#define CONF_POOL_MAX 16384 /* more than the lines of ABI_CONF_MAX bytes and the ends of their lists */

enum conf_on_corruption { CONF_POWEROFF, CONF_REBOOT, CONF_PANIC };
enum conf_network { CONF_NETWORK_NONE, CONF_NETWORK_DHCP, CONF_NETWORK_STATIC, CONF_NETWORK_IPV6 };
enum conf_restart { CONF_RESTART_NO, CONF_RESTART_ON_FAILURE, CONF_RESTART_ALWAYS };
enum conf_metadata { CONF_METADATA_NONE, CONF_METADATA_AWS, CONF_METADATA_OPENSTACK, CONF_METADATA_NOCLOUD };
enum conf_attest { CONF_ATTEST_NONE, CONF_ATTEST_AUTO, CONF_ATTEST_TPM };
enum conf_ipv6 { CONF_IPV6_AUTO, CONF_IPV6_NO };

/* All text points into the buffer that was parsed. */
struct conf_list {
	const char **ptr; /* in the pool; ends in NULL, as argv and envp do. NULL: the list is empty */
	size_t len;
};

/* A program that is supervised. */
struct conf_service {
	const char *name;
	struct conf_list after;
	uint32_t waits_for; /* the same: bit i is service i */
	struct conf_list args;
	struct conf_list before; /* checked: see conf_before() */
	struct conf_list before_args;
	uint64_t uid;
	uint64_t gid;
	struct conf_list groups; /* decimal, checked */
	struct conf_list env;
	const char *working_directory;
	uint64_t ready_port;
	const char *ready_path; /* NULL: TCP */
	const char *ready_file; /* NULL: none; at most one of port, file and notify is set */
	unsigned ready_notify;
	uint64_t ready_timeout;	 /* seconds */
	uint64_t watch_port;	 /* 0: none */
	const char *watch_path;	 /* NULL: TCP */
	unsigned watch_notify;	 /* instead of watch_port */
	uint64_t watch_interval; /* seconds; these three are set when there is a watch */
	uint64_t watch_timeout;
	uint64_t watch_failures;
	uint64_t stop_signal;
	uint64_t stop_timeout; /* seconds */
	unsigned restart;      /* enum conf_restart */
	uint64_t restart_limit;
	uint64_t restart_window;    /* seconds */
	struct conf_list limits;    /* checked: see conf_limit() */
	struct conf_list env_files; /* absolute, or behind '-' */
	uint64_t capabilities;	    /* bit i is capability i */
	unsigned new_privileges;    /* 0: no_new_privs */
	uint64_t memory_max;	    /* bytes, 0: no limit */
	uint64_t tasks_max;	    /* 0: no limit */
	const char *system_calls;   /* filter_check() takes it; NULL: all */
};

struct conf {
	const char *name;
	const char *version;
	const char *root_hash;
	const char *salt;
	uint64_t data_blocks;
	uint64_t hash_start;
	const char *root;      /* PARTUUID */
	const char *verity;    /* PARTUUID */
	const char *signature; /* PARTUUID; NULL: the kernel is not asked to verify one */
	const char *command_line;
	uint64_t device_timeout; /* seconds */
	unsigned on_corruption;	 /* enum conf_on_corruption */
	unsigned verify_full;	 /* 0 lazy, 1 full */
	struct conf_list modules;
	struct conf_list first_modules;
	struct conf_list last_modules;
	struct conf_list hash_modules;
	struct conf_list side_modules;
	unsigned system; /* 0: Mode=appliance, 1: Mode=system */

	const char *init; /* Mode=system */

	/* Mode=appliance */
	struct conf_list root_modules;
	const char *clock_module; /* NULL: none */
	const char *hostname;
	unsigned network;	     /* enum conf_network */
	struct conf_list interfaces; /* names; empty: the first one */
	struct conf_list addresses;  /* lease_parse_address() takes them */
	struct conf_list gateways;
	struct conf_list dns;	 /* addresses */
	struct conf_list search; /* domains */
	unsigned ipv6;		 /* enum conf_ipv6 */
	unsigned metadata;	 /* enum conf_metadata */
	unsigned attest;	 /* enum conf_attest */
	unsigned userdata_env;	 /* 1: user data is an environment file */
	uint64_t status_port;	 /* 0: none */
	const char *data_mount;	 /* NULL: no data volume; else data_label and data_check are there too */
	const char *data_label;
	const char *data_check; /* e2fsck */
	const char *data_make;	/* mke2fs; NULL: nothing is ever formatted */
	struct conf_list writable;
	const char *writable_size; /* of tmpfs(5); NULL: its default here */
	uint64_t max_lifetime;	   /* seconds, 0: for ever */
	uint64_t jitter;	   /* seconds at most by which it is shorter */
	uint64_t drain;		   /* seconds */
	unsigned hide_pid;
	unsigned lockdown;	  /* 0 none, 1 integrity, 2 confidentiality */
	struct conf_list sysctls; /* checked: NAME=VALUE, maybe behind '-' */

	size_t service_count;
	size_t pool_len;
	/* The last two members, of which only what is used is ever touched: it stays in memory for the machine's life. */
	struct conf_service services[ABI_SERVICES_MAX]; /* each behind those it waits for */
	const char *pool[CONF_POOL_MAX];		/* what the lists point to */
};

/*
 * Parses @text in place (line ends become NULs; @text must outlive @ret). On failure -EINVAL, and @detail
 * says which line and why; *ret may then be half filled.
 */
int conf_parse(char *text, size_t len, struct conf *ret, struct line *detail);

/* What a Before= says: how many of before_args are the program's. False: it is none. */
struct conf_before {
	size_t count;
	bool may_fail;
	bool as_root;
};
bool conf_before(const char *text, struct conf_before *ret);

/* A Limit=: a resource of setrlimit(2) and its two values, UINT64_MAX being none. False: it is none. */
bool conf_limit(const char *text, int *ret_resource, uint64_t *ret_soft, uint64_t *ret_hard);

/* A decimal number without sign, blanks or leading zeros, from @min to @max. */
bool conf_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

#endif
