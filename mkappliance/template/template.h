/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A template (appliance.conf, see appliance.conf(5)): parsed, defaults filled in, paths made absolute
 * against the template's directory, and checked. After template_load() nothing below has to check a value
 * again.
 */
#ifndef MKAPPLIANCE_TEMPLATE_TEMPLATE_H
#define MKAPPLIANCE_TEMPLATE_TEMPLATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/error.h"
#include "lib/hash.h"
#include "lib/mem.h"

/* [Network] Interfaces= and the init (ABI_INTERFACES_MAX). */
#define INTERFACE_LIMIT 4

/* At least the number of keys; keys.c checks. */
#define KEY_LIMIT 192

/* How many programs the init supervises, [Init]'s among them (ABI_SERVICES_MAX of image/abi.h). */
#define SERVICE_LIMIT 16
#define LIMIT_COUNT   16 /* resources of setrlimit(2), by their numbers on Linux */
#define SERVICE_MAIN  "main"

/* In Mirror=: where the time of Snapshot= goes. */
#define SNAPSHOT_MARK "@SNAPSHOT@"

enum base_source { BASE_NONE, BASE_DEBIAN, BASE_RPM, BASE_DIRECTORY, BASE_TAR, BASE_OCI, BASE_DISK };
enum init_mode { INIT_APPLIANCE, INIT_SYSTEM };
enum on_corruption { ON_CORRUPTION_POWEROFF, ON_CORRUPTION_REBOOT, ON_CORRUPTION_PANIC };
/* READY_PORT also when there is none; READY_FILE: ready_path is the file. */
enum ready_kind { READY_PORT, READY_FILE, READY_NOTIFY };
enum network_mode { NETWORK_NONE, NETWORK_DHCP, NETWORK_STATIC, NETWORK_IPV6 };
enum ipv6_mode { IPV6_AUTO, IPV6_NO };
enum metadata_source { METADATA_NONE, METADATA_AWS, METADATA_OPENSTACK, METADATA_NOCLOUD };
enum attest_use { ATTEST_NONE, ATTEST_AUTO, ATTEST_TPM };
enum userdata_use { USERDATA_NO, USERDATA_ENV };
enum data_format { FORMAT_NONE, FORMAT_BLANK };
enum verify_mode { VERIFY_LAZY, VERIFY_FULL };
enum restart_policy { RESTART_NO, RESTART_ON_FAILURE, RESTART_ALWAYS };
enum lockdown { LOCKDOWN_NONE, LOCKDOWN_INTEGRITY, LOCKDOWN_CONFIDENTIALITY };
enum test_disk { TEST_DISK_VIRTIO, TEST_DISK_NVME };
enum architecture { ARCH_X86_64, ARCH_ARM64 };

/* One Copy= line of [Files]: "SOURCE:TARGET [mode=0644] [owner=root|0] [group=root|0]". */
struct template_file {
	char *source; /* absolute path on the host: a file or a directory */
	char *target; /* absolute path in the image; with a '/' at its end a file keeps its name below it */
	bool has_mode;
	mode_t mode; /* 07777; of the files below when source is a directory */
	char *owner; /* name (looked up in the image's /etc/passwd) or number; NULL: 0 */
	char *group;
	unsigned line; /* of the template, for messages */
};

/* A program that runs to its end before the application: ExecStartPre=. */
struct template_before {
	struct strlist argv;
	bool may_fail; /* "-" in front */
	bool as_root;  /* "+" in front */
};

/* One Repository= of [Base]: "NAME URL [gpgkey=KEY]... [gpgcheck=yes|no] [priority=N]". */
struct template_repository {
	char *name;
	enum { REPOSITORY_BASEURL, REPOSITORY_METALINK, REPOSITORY_MIRRORLIST } kind;
	char *url;	     /* http, https or file; may hold $releasever and $basearch */
	struct strlist keys; /* of those who sign its packages: absolute paths, or URLs */
	bool check;	     /* refuse packages without a good signature */
	unsigned priority;   /* 1 is taken first, 99 unless said */
	unsigned line;
};

/* One Repository= of Source=debian: "deb [signed-by=KEYRING] URI SUITE COMPONENT...". */
struct template_deb_source {
	char *keyring; /* absolute path; NULL: the host's keys */
	bool trusted;  /* without a signature */
	char *uri;     /* http, https or file */
	char *suite;   /* "./" and others with '/' at the end: all in one directory, without components */
	struct strlist components;
	unsigned line;
};

/* One probe of [Test]. */
struct template_probe {
	enum { PROBE_HTTP, PROBE_TCP } kind;
	uint16_t port; /* in the guest */
	char *path;    /* of the URL, "/" at least */
	int status;    /* expected, 200 unless said */
	char *body;    /* text that the body must contain; NULL: anything */
	unsigned line;
};

/* Limit*=: two values of setrlimit(2). */
struct template_limit {
	bool set;
	uint64_t soft;
	uint64_t hard; /* UINT64_MAX: infinity */
};

/*
 * One program that the init supervises: [Init] has one, and each [Service NAME] is another. Keys of it are those with
 * .service in keys_init.c.
 */
struct template_service {
	char *name;		    /* "main" or [a-z0-9-]{1,32} */
	unsigned line;		    /* of the [Service NAME]; 0: [Init] */
	unsigned set_at[KEY_LIMIT]; /* by the key's index: the line that set it last, 0: it has its default */

	char *unit;	     /* Unit=: "app.service" of the tree, which fills what is not set here; NULL */
	struct strlist exec; /* the argv */
	struct {
		struct template_before *ptr;
		size_t len;
		size_t cap;
	} before;		    /* ExecStartPre=, in the order of running */
	char *user;		    /* name or number, "0" */
	char *group;		    /* NULL: the user's */
	struct strlist environment; /* "NAME=value" */
	char *working_directory;    /* "/" */
	struct strlist after; /* names of the services that must be ready before; known, without a circle */
	char *ready_path;     /* Ready=http://:PORT/PATH: path; NULL when tcp or none */
	uint16_t ready_port;  /* Ready=http or tcp; 0: ready as soon as it was started */
	enum ready_kind ready_kind;
	unsigned ready_timeout; /* seconds, 60 */
	char *watch_path;	/* Watch=, as with Ready=; of the kinds only READY_PORT and READY_NOTIFY */
	uint16_t watch_port;
	enum ready_kind watch_kind;
	unsigned watch_interval; /* seconds, 10 */
	unsigned watch_timeout;	 /* seconds for one probe, 5 */
	unsigned watch_failures; /* in a row, 3 */
	unsigned stop_timeout;	 /* seconds, 10 */
	int stop_signal;	 /* SIGTERM */
	enum restart_policy restart;
	unsigned restart_limit;	  /* restarts in restart_window at most: 5 */
	unsigned restart_window;  /* seconds: 60 */
	struct strlist env_files; /* absolute paths in the image, behind '-' when they need not be there */
	bool has_capabilities;	  /* Capabilities= was said */
	uint64_t capabilities;	  /* bit i is capability i */
	bool new_privileges;	  /* NoNewPrivileges=no */
	struct strlist
		system_calls; /* SystemCallFilter=: words as system_calls_check() takes them; none: no filter */
	unsigned system_call_error; /* errno of what it forbids; 0: that is killed */
	uint64_t memory_max;	    /* bytes, 0: no limit */
	uint64_t tasks_max;	    /* 4096; 0: no limit */
	struct template_limit limits[LIMIT_COUNT];
};

struct template
{
	char *path;	      /* of the file itself */
	char *dir;	      /* absolute, where relative paths start */
	struct sha256 digest; /* of the file */
	uint64_t size;
	bool set[KEY_LIMIT]; /* by the index in template_known_keys(): the template says it; see template_has() */

	struct {
		char *name;    /* [a-z0-9-]{1,63}, no '-' at either end: also the hostname */
		char *version; /* [A-Za-z0-9.+~_-]{1,64} */
		enum architecture arch;
		int64_t epoch; /* seconds; SOURCE_DATE_EPOCH of the environment, else Epoch=, else 1 */
	} appliance;

	struct {
		enum base_source source;
		char *suite;	/* debian; "bookworm" */
		char *mirror;	/* NULL: what the host's package manager uses */
		char *snapshot; /* YYYYMMDDTHHMMSSZ; NULL: none. Needs mirror with @SNAPSHOT@ in it */
		char *keyring;	/* absolute path; NULL: the host's */
		char *release;	/* rpm: $releasever; NULL: none */
		struct {
			struct template_repository *ptr;
			size_t len;
			size_t cap;
		} repositories;		/* rpm */
		bool weak_dependencies; /* rpm: what packages merely recommend */
		struct {
			struct template_deb_source *ptr;
			size_t len;
			size_t cap;
		} deb_sources; /* debian: besides the mirror */
		struct strlist packages;
		struct strlist components; /* "main" */
		char *path;		   /* directory, tar */
		char *image; /* oci: as written, see reference.h; disk: absolute path of a qcow2, raw or vmdk file */
		char *checksum; /* "sha256:HEX" of the tar, the disk image or the image's manifest, NULL: not checked */
		bool network; /* disk: packages may be fetched from the network */
	} base;

	struct {
		struct strlist
			run; /* disk: absolute paths of programs of the host, run inside the base in this order */
		bool network; /* they may use the network */
	} scripts;

	struct strlist
		package_paths; /* [Package] Path=, absolute: .rpm, .deb, .apk, .tar(.gz|.zst|.xz), directory */
	struct strlist
		package_keys; /* [Package] GPGKey=: absolute paths or URLs; the .rpms must be signed by one of them */

	struct {
		struct template_file *ptr;
		size_t len;
		size_t cap;
	} files;

	struct {
		char *package;	    /* of the base's distribution; NULL */
		char *image;	    /* absolute path of a bzImage/PE kernel; NULL */
		char *modules_dir;  /* absolute path of lib/modules/RELEASE that goes with image; NULL */
		char *command_line; /* "" at least; what else the tool needs is put after it */
		struct strlist initrd_modules; /* names; the tool's defaults come first */
		struct strlist modules;	       /* for the running system (Mode=appliance), from the root */
		char *stub;		       /* absolute path of the systemd-stub; NULL: the host's */
	} kernel;

	struct {
		enum init_mode mode;
		char *init;		     /* Mode=system: "/sbin/init" */
		struct template_service app; /* Mode=appliance: what [Init] starts; "main" to the others */
		char *hostname;		     /* the name unless said */
		enum network_mode network;
		unsigned status_port;	 /* Status=:PORT; 0: none */
		unsigned max_lifetime;	 /* seconds, 0: for ever */
		unsigned jitter;	 /* seconds */
		unsigned drain;		 /* seconds, 0 */
		unsigned device_timeout; /* seconds to wait for the disk, 30 */
		enum on_corruption on_corruption;
		enum verify_mode verify;
		struct strlist writable; /* directories that get a tmpfs besides /tmp /run /var/tmp ... */
	} init;

	struct {
		bool harden;		/* Sysctls=hardened: the tool's own set */
		struct strlist sysctls; /* "NAME=VALUE" */
		bool module_loading;	/* after the start */
		bool kexec;
		bool hide_processes;
		enum lockdown lockdown;
		unsigned writable_size; /* MiB, 0: a quarter of the memory */
	} sandbox;

	/* [Service NAME], in the order of the template; each is allocated. */
	struct {
		struct template_service **ptr;
		size_t len;
		size_t cap;
	} services;

	struct {
		struct strlist interfaces; /* empty: the first one */
		struct strlist addresses;  /* "[INTERFACE ]ADDRESS/BITS" */
		struct strlist gateways;   /* "[INTERFACE ]ADDRESS" */
		struct strlist dns;
		struct strlist search;
		enum ipv6_mode ipv6;
	} network;

	struct {
		enum metadata_source use;
		enum userdata_use userdata;
	} metadata;

	struct {
		enum attest_use use;
	} attest;

	struct {
		char *mount; /* a directory of the image; NULL: there is no data volume */
		char *label; /* "data" unless said */
		enum data_format format;
	} data;

	struct {
		char *secure_boot_key; /* absolute path of a PEM file, or "pkcs11:..."; NULL: the UKI is not signed */
		char *secure_boot_certificate; /* absolute path; NULL */
		char *provenance_key; /* as the first, of any kind that DSSE takes; NULL: provenance is not signed */
		char *secure_boot_variables; /* directory of 'mkappliance keygen': what the machines' firmware holds; NULL */
		char *verity_key; /* as secure_boot_key, of the root hash; NULL: it is signed elsewhere, or not at all */
		char *verity_certificate; /* absolute path; NULL: the root hash is not signed */
		bool verity_required;	  /* the kernel must accept the signature */
	} sign;

	struct {
		struct template_probe *ptr;
		size_t len;
		size_t cap;
		unsigned timeout; /* seconds for the whole boot and all probes, 120 */
		unsigned memory;  /* MiB, 512 */
		unsigned cpus;	  /* 1 */
		enum test_disk disk;
	} test;
	/* What 'mkappliance upload' does unless its options say otherwise; NULL, empty and 0: nothing was said. */
	struct {
		char *provider;
		struct strlist regions;	 /* the first is where it is sent to, the others get copies */
		struct strlist kms_keys; /* KEY, or REGION=KEY */
		struct strlist share;	 /* accounts, organisations, units, "all" */
		char *parameter;	 /* that gets the image's id */
		char *connect, *pool;	 /* libvirt: URI, storage pool */
		bool encrypt;
		bool protect; /* against deregistration */
		unsigned deprecate_days;
	} upload;
};

/*
 * Loads @path: the file, or a directory that holds appliance.conf. @version, when not NULL, replaces
 * Version=. Every error has file:line and, for an unknown key or section, the nearest known name. Warnings:
 * none; what is not right is an error. The result is freed by template_free().
 */
int template_load(const char *path, const char *version, struct template **ret, struct error *err);

/*
 * The same from memory: @dir is where relative paths start, @name stands in messages. Files named are not
 * looked for.
 */
int template_parse(const char *text, size_t len, const char *name, const char *dir, struct template **ret,
		   struct error *err);

/*
 * Whether the template itself sets "Section.Key". What a base or a package says of its start-up (an OCI configuration, a
 * unit) is put into the fields of [Init] by compose only where this is false.
 */
bool template_has(const struct template *t, const char *key);

/*
 * Whether what is to be started may be said by something that compose opens: the configuration of an OCI image, which the base
 * or a package that is a directory or a tar may be.
 */
bool template_starts_later(const struct template *t);

/* After compose: whether there is something to start. Usage error that names the template. */
int template_check_start(const struct template *t, struct error *err);

/*
 * The services in the order in which they start, each behind those of its After=, otherwise as the template has them, [Init]'s
 * first where it has an Exec=. The circle that cannot be was refused by template_load().
 */
size_t template_services(const struct template *t, const struct template_service *ret[SERVICE_LIMIT]);

void template_free(struct template *t);
void template_freep(struct template **t);
#define _cleanup_template_ __attribute__((cleanup(template_freep)))

/*
 * Every "Section.Key" that the parser knows, in the order of the manual; ends in NULL. The tests compare it
 * with appliance.conf(5).
 */
const char *const *template_known_keys(void);

const char *architecture_name(enum architecture arch); /* "x86_64", "arm64" */
const char *capability_name(unsigned number);	       /* "CAP_CHOWN" of 0; NULL: not known */

#endif
