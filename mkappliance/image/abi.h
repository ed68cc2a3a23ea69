/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract between the builder and the init: the one header that firstboot/ shares with the rest.
 * Constants only, no types of the tool and no includes.
 *
 * /appliance.conf in the initrd: lines "Key=value\n", UTF-8 or bytes, no quoting, no comments, no blank lines, at most
 * ABI_CONF_MAX bytes. The value is everything after the first '='. Keys in capitals below; an unknown key, a missing
 * one or a second one where not said "repeats" makes the init refuse. The order of the repeated ones counts.
 *
 *   Format=1                 always the first line
 *   Name= Version=           of the appliance
 *   RootHash=                64 hex digits: the dm-verity root hash (SHA-256, format 1)
 *   Salt=                    hex digits of the salt, 64
 *   DataBlocks=              number of 4096-byte data blocks
 *   HashStart=               first 4096-byte block of the tree on the hash device (1: behind the superblock)
 *   Root= Verity=            PARTUUIDs of the two partitions, lower case
 *   Signature=               optional: PARTUUID of the partition with the signature of the root hash (image/root_signature.h, at
 *                            most ABI_SIGNATURE_MAX bytes of JSON), which the kernel must accept
 *   CommandLine=             what /proc/cmdline must say, to the byte
 *   DeviceTimeout=           seconds to wait for the partitions
 *   OnCorruption=            poweroff | reboot | panic
 *   Verify=                  lazy | full
 *   Module=                  repeats: path in the initrd, in loading order. Behind a blank may stand what it is for, modaliases with
 *                            '*' between blanks: it is loaded only where a device of the machine is one of these. So for all these keys
 *   FirstModule=             repeats: the same. It needs none of Module=, nor does one of them need it: a second processor loads it
 *                            beside them, and where there is none it is loaded behind them
 *   LastModule=              repeats: the same, behind Module= and FirstModule=, which it may need
 *   SideModule=              repeats: the same. It needs none of the others, nor does one of them need it: the second processor loads
 *                            it behind FirstModule=, and where there is none it is the last
 *   HashModule=              repeats: the same, before SideModule=, and it needs no other: what only makes SHA-256 faster. Left out where
 *                            the processor is QEMU's in software, whose vectors are slower than plain code
 *   Mode=                    appliance | system
 *   Init=                    Mode=system: path in the root
 *                            The root must have /dev /proc /sys in either mode, and /run in Mode=appliance
 * Mode=appliance:
 *   RootModule=              repeats: absolute path in the root, in loading order. The power button needs the
 *                            kernel's button.ko (where it is a module), and nothing else: no evdev
 *   ClockModule=             optional: the same, the driver of KVM's clock; behind the others, and on KVM only
 *   Hostname=
 *   Network=                 dhcp | static | ipv6 | none. dhcp: an interface without a fixed IPv4 address gets one by
 *                            DHCP; ipv6: waits for an address by router advertisement instead. The others only
 *                            where it is not none:
 *   Interface=               repeats: names, at most ABI_INTERFACES_MAX; absent: the first Ethernet interface
 *   Address=                 repeats: "[INTERFACE ]ADDRESS/BITS", IPv4 or IPv6; without a name the first interface's
 *   Gateway=                 repeats: "[INTERFACE ]ADDRESS"
 *   DNS= Search=             repeat: addresses of servers, domains
 *   IPv6=                    auto (absent) | no
 *   Metadata=                none (absent) | aws | openstack | nocloud: who is asked for the host name
 *   UserData=                no (absent) | env: its user data are variables for every service
 *   Attest=                  none (absent) | auto | tpm: what goes with a TPM quote lies in /run/mkappliance (name, version, root-hash,
 *                            eventlog), and the user of the service "main", else of the first one, may use /dev/tpmrm0.
 *                            tpm: a machine without a TPM 2.0 and its firmware's event log fails
 *   StatusPort=              optional: decimal, where the state is told over HTTP
 *   DataMount=               optional: directory of the root where the data volume goes; then also
 *   DataLabel=               of its ext4 file system,
 *   DataCheck=               path of e2fsck in the root, and
 *   DataMake=                optional: path of mke2fs; absent: nothing is ever formatted
 *   Writable=                repeats: directory of the root that gets a tmpfs with the directories and links, not
 *                            the files, that the root has there; besides /run /tmp /var/tmp /var/log
 *   WritableSize=            of all that is writable in memory together but /run, as size= of tmpfs (25%)
 *   MaxLifetime= Jitter=     seconds since the kernel started after which the machine stops, a random part of Jitter= earlier
 *                            (0: never)
 *   Drain=                   seconds between "draining" and "stopping" of a planned end (0)
 *   HidePid=                 no | yes: /proc shows a user its own processes only (no)
 *   Lockdown=                none | integrity | confidentiality, where the kernel has it (none)
 *   Sysctl=                  repeats: NAME=VALUE, behind '-' when the kernel need not have it
 *   Service=                 repeats: at least one, at most ABI_SERVICES_MAX: a program that is supervised, a name of at most
 *                            ABI_SERVICE_NAME_MAX bytes; "main" is the one of [Init]. The keys below are those of the Service=
 *                            before them
 *   After=                   repeats: a Service= before this one, which must be ready before this one starts
 *   Arg=                     repeats: the argv of the application; the first is an absolute path
 *   Before=                  repeats: a program that runs to its end before the application, as its user: how many of the
 *                            BeforeArg= are its argv, behind '-' when it may fail, behind '+' when it runs as root ("-+2").
 *                            All of them together have ReadyTimeout=
 *   BeforeArg=               repeats: the argvs of all of them, one behind the other
 *   Uid= Gid=                decimal
 *   GroupId=                 repeats: supplementary groups
 *   Env=                     repeats: NAME=value
 *   WorkingDirectory=        absolute
 *   ReadyPort=               decimal; 0: ready when started
 *   ReadyPath=               of the HTTP probe, at most ABI_READY_PATH_MAX bytes; absent: TCP
 *   ReadyFile=               instead of a port: ready when this regular file is there
 *   ReadyNotify=             no (absent) | yes: instead of both: ready when it says READY=1 (sd_notify)
 *   WatchPort= WatchPath=    optional: the same kind of probe, repeated once it is ready
 *   WatchNotify=             no (absent) | yes: instead it must say WATCHDOG=1
 *   WatchInterval= WatchTimeout= WatchFailures=   with a watch: seconds between two probes, seconds for one, how many
 *                            may fail in a row. WatchNotify=: silence of WatchInterval times WatchFailures has failed
 *   ReadyTimeout=            seconds
 *   StopSignal=              decimal
 *   StopTimeout=             seconds
 * Optional, each with what holds without it:
 *   Restart=                 no | on-failure | always (no)
 *   RestartLimit=            restarts in RestartWindow= seconds at most (0)
 *   Limit=                   repeats: "RESOURCE SOFT HARD" of setrlimit(2), decimal; 18446744073709551615 is none
 *   EnvFile=                 repeats: a file of NAME=value lines, behind '-' when it need not be there
 *   Capabilities=            decimal: bit i is capability i (0); a program of Before= behind '+' has them all
 *   NewPrivileges=           no | yes: no is no_new_privs (no)
 *   SystemCalls=             "allow ERRNO RANGE..." or "deny ERRNO RANGE...": the system calls, by their numbers on this machine, that
 *                            it may make and no others, or may not make: these are refused with ERRNO, or, when that is 0, end
 *                            it by SIGSYS. "N" or "N-M", rising, at most ABI_SYSTEM_CALL_RANGES. Not for what runs as root
 *                            before it (absent: all)
 *   MemoryMax= TasksMax=     bytes and tasks of its control group (0: no limit)
 *
 * Console records. Each is one line that begins with ABI_RECORD_PREFIX followed by one JSON object with at least
 *   "event"  one of the names below,
 *   "t"      seconds since the kernel started (CLOCK_MONOTONIC), three decimals.
 *
 *   init      the init runs: "name", "version"
 *   verified  root is mounted through dm-verity: "root_hash", "ms" since init, "verify" ("lazy"|"full"), "signature"
 *             ("kernel": it accepted it) with Signature=, and of these ms
 *             "modules_ms", "disk_ms" (until both partitions were there), "verity_ms", with "full" "read_ms", "mount_ms"
 *   clock     the clock was set by the hypervisor's: "source" ("ptp_kvm"), "state" ("set"), "behind_us" or "ahead_us"
 *   data      the data volume is mounted: "device", "state" ("clean"|"repaired"|"formatted")
 *   network   an interface has got or lost an address: "interface", "state" ("up"|"lost"), with "up" "address" (with
 *             its bits). A lease that is renewed as it was makes no record
 *   started   the application runs: "service", "pid"; the first one also has "total_ms" since init, and of these ms behind
 *             "verified" "setup_ms" (memory file systems, control groups), "drivers_ms" (RootModule=), "data_ms", "network_ms",
 *             "metadata_ms" (of these three what there is), "seal_ms" (sysctls, lockdown), "exec_ms"; and "processors". Where there
 *             are two, some is done beside the rest: a step takes as long as it is waited for, so that they still add up
 *   ready     the readiness probe answers: "ms" since started
 *   up        where there are several services: one of them is ready: "service", "ms" since it started
 *   ended     a service ended and nobody had asked it to: "service", "status" (exit code) or "signal", "cause" where it is
 *             known ("oom", "system-call"), "restart_ms" when it is started again, after so many milliseconds
 *   forbidden a program made a system call that SystemCalls= forbids: "program", "pid", "call" (its number), "action"
 *             ("killed"|"refused"); the first ABI_FORBIDDEN_RECORDS only
 *   draining  the machine will stop, and says so to who asks, but its services still run: "reason", "seconds"
 *   stopping  "reason": "power-button" | "signal" | "lifetime"
 *   stopped   the application ended: "reason" as above or "exited", "status" (exit code) or "signal", neither
 *             when it never ran or not even SIGKILL ended it, "cause" ("system-call") as above; the machine goes off
 *   failed    the application, or a program of Before=, could not be started or failed, or the application never became
 *             ready: "reason" (a name below), "detail";
 *             the machine goes off
 *   refused   integrity: "reason" (a name below), "detail", with "corruption" and "read-error" also "block" where
 *             it is known; the machine goes the way of OnCorruption
 *
 * With OnCorruption=reboot and panic the kernel itself acts on a corrupted block, before any record can be
 * written; then its own line "device-mapper: verity: ... block N is corrupted" is all there is. From 6.12 it acts
 * on a read error too: "dm-verity device has I/O error". Every other refusal has its record.
 *
 * What the application writes to standard output and error comes out line by line behind ABI_APP_PREFIX, with
 * control characters and the colon of ABI_RECORD_PREFIX replaced, so that no line of its own can be taken for a
 * record, not even one that a message of the kernel cuts in two. That holds for an application that is not root:
 * root can write to /dev/console. Other lines on the console are the kernel's (and in Mode=system those of the
 * base, which is as trusted as the init and not held back).
 */
#ifndef MKAPPLIANCE_IMAGE_ABI_H
#define MKAPPLIANCE_IMAGE_ABI_H

#define ABI_FORMAT	       1
#define ABI_CONF_PATH	       "/appliance.conf"
#define ABI_CONF_MAX	       65536
#define ABI_CONF_LIST_MAX      96 /* a repeated key comes at most so often */
#define ABI_READY_PATH_MAX     1024
#define ABI_INTERFACES_MAX     4
#define ABI_SERVICES_MAX       16
#define ABI_ENV_FILE_MAX       32768 /* bytes of all files of EnvFile= of a service, one less than that */
#define ABI_SERVICE_NAME_MAX   32
#define ABI_SYSTEM_CALL_RANGES 256
#define ABI_SERVICE_MAIN       "main"
#define ABI_BLOCK_SIZE	       4096
#define ABI_SALT_SIZE	       32
#define ABI_SIGNATURE_MAX      16384
#define ABI_FORBIDDEN_RECORDS  20
#define ABI_RECORD_PREFIX      "mkappliance: "
#define ABI_APP_PREFIX	       "app: "

#define ABI_EVENT_INIT	    "init"
#define ABI_EVENT_VERIFIED  "verified"
#define ABI_EVENT_CLOCK	    "clock"
#define ABI_EVENT_ATTEST    "attest"
#define ABI_EVENT_DATA	    "data"
#define ABI_EVENT_NETWORK   "network"
#define ABI_EVENT_STARTED   "started"
#define ABI_EVENT_UP	    "up"
#define ABI_EVENT_ENDED	    "ended"
#define ABI_EVENT_READY	    "ready"
#define ABI_EVENT_FORBIDDEN "forbidden"
#define ABI_EVENT_DRAINING  "draining"
#define ABI_EVENT_STOPPING  "stopping"
#define ABI_EVENT_STOPPED   "stopped"
#define ABI_EVENT_FAILED    "failed"
#define ABI_EVENT_REFUSED   "refused"

#define ABI_NETWORK_UP	 "up"
#define ABI_NETWORK_LOST "lost"

/* Reasons of "refused". */
#define ABI_REFUSED_CONFIG     "config"	      /* /appliance.conf is not what this init understands */
#define ABI_REFUSED_CMDLINE    "command-line" /* /proc/cmdline differs */
#define ABI_REFUSED_MODULE     "module"	      /* a kernel module does not load */
#define ABI_REFUSED_NO_ROOT    "no-root"      /* the partitions did not appear in time */
#define ABI_REFUSED_AMBIGUOUS  "ambiguous"    /* two disks have such a partition */
#define ABI_REFUSED_SIZE       "size"	      /* a partition is smaller than the table needs */
#define ABI_REFUSED_VERITY     "verity"	      /* the kernel refuses the dm-verity table */
#define ABI_REFUSED_SIGNATURE  "signature"    /* the kernel does not accept the signature of the root hash */
#define ABI_REFUSED_MOUNT      "mount"	      /* the root does not mount */
#define ABI_REFUSED_CORRUPTION "corruption"   /* a block does not match the root hash: "block" */
#define ABI_REFUSED_READ_ERROR \
	"read-error" /* the disk does not give a block of the root or of the hash tree */

/* Reasons of "stopping" and "stopped". */
#define ABI_STOP_BUTTON	  "power-button"
#define ABI_STOP_SIGNAL	  "signal"
#define ABI_STOP_LIFETIME "lifetime" /* MaxLifetime= is over */
#define ABI_STOP_EXITED	  "exited"   /* by itself, after it was ready */

/* "cause" of "ended". */
#define ABI_CAUSE_OOM	      "oom"	    /* the kernel killed it because memory ran out */
#define ABI_CAUSE_SYSTEM_CALL "system-call" /* it made one that SystemCalls= forbids */

/* Reasons of "failed". */
#define ABI_FAILED_SETUP    "setup"    /* a mount, the hostname or another preparation */
#define ABI_FAILED_MODULE   "module"   /* a RootModule= does not load */
#define ABI_FAILED_NETWORK  "network"  /* no interface, or no address in time */
#define ABI_FAILED_DATA	    "data"     /* no data volume, or more than one, or a damaged one */
#define ABI_FAILED_METADATA "metadata" /* Metadata= does not answer, or says what cannot be */
#define ABI_FAILED_EXEC	    "exec"     /* the application, or Init=, cannot be executed */
#define ABI_FAILED_EXITED \
	"exited" /* the application ended before it was ready, or a program of Before= failed */
#define ABI_FAILED_RESTARTS "restart-limit" /* the application ended once more than RestartLimit= allows */
#define ABI_FAILED_OOM	    "oom"	    /* memory ran out, and Restart= does not start it again */
#define ABI_FAILED_WATCH    "watch"	    /* it was ready and answers no more */
#define ABI_FAILED_TIMEOUT  "timeout"	    /* not ready within ReadyTimeout */

#endif
