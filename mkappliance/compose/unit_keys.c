/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of units that the init does not take, and what that means. Those it takes: unit_service.c. */
#include <string.h>

#include "compose/unit_service.h"

static const struct {
	const char *section;
	const char *key; /* with '*' at its end: all that begin so */
	enum unit_treatment treatment;
	const char *text;
} keys[] = {
	/* Order and dependencies: there are no other units. What is required is looked at by the caller. */
	{"Unit", "Description", UNIT_HARMLESS, NULL},
	{"Unit", "Documentation", UNIT_HARMLESS, NULL},
	{"Unit", "Condition*", UNIT_NOT_DONE, NULL},
	{"Unit", "Assert*", UNIT_NOT_DONE, NULL},
	{"Unit", "Requires", UNIT_NOT_DONE, NULL},
	{"Unit", "Requisite", UNIT_NOT_DONE, NULL},
	{"Unit", "BindsTo", UNIT_NOT_DONE, NULL},
	{"Unit", "OnFailure", UNIT_NOT_DONE, NULL},
	{"Unit", "OnSuccess", UNIT_NOT_DONE, NULL},
	{"Unit", "JoinsNamespaceOf", UNIT_NOT_DONE, NULL},
	{"Unit", "*", UNIT_HARMLESS, NULL},
	{"Install", "*", UNIT_HARMLESS, NULL},

	/* Starting: only what stays in the foreground can be supervised. */
	{"Service", "Sockets", UNIT_START,
	 "the init opens no sockets for a program; say in the template, with Exec=, how it opens its own"},
	{"Service", "PIDFile", UNIT_HARMLESS, NULL},
	{"Service", "GuessMainPID", UNIT_HARMLESS, NULL},
	{"Service", "NotifyAccess", UNIT_HARMLESS, NULL},
	{"Service", "ExitType", UNIT_HARMLESS, NULL},
	{"Service", "ExecCondition", UNIT_REFUSED, "the init has no conditions"},
	{"Service", "ExecStartPost", UNIT_REFUSED, "the init runs nothing behind the program"},
	{"Service", "ExecReload", UNIT_HARMLESS, NULL}, /* what changes is a new image */
	{"Service", "ReloadSignal", UNIT_HARMLESS, NULL},
	{"Service", "ExecStop", UNIT_NOT_DONE, NULL},
	{"Service", "ExecStopPost", UNIT_NOT_DONE, NULL},
	{"Service", "WatchdogSignal", UNIT_HARMLESS, NULL},
	{"Service", "RuntimeMaxSec", UNIT_NOT_DONE, NULL},
	{"Service", "NonBlocking", UNIT_HARMLESS, NULL},
	{"Service", "FileDescriptorStoreMax", UNIT_HARMLESS, NULL},
	{"Service", "FileDescriptorStorePreserve", UNIT_HARMLESS, NULL},
	{"Service", "OpenFile", UNIT_REFUSED, "the init opens no files for a program"},

	/* How it ends. The init waits as it thinks best before a restart, and 0 is what it takes for success. */
	{"Service", "RestartKillSignal", UNIT_HARMLESS, NULL},
	{"Service", "Restart*", UNIT_NOT_DONE, NULL},
	{"Service", "SuccessExitStatus", UNIT_NOT_DONE, NULL},
	{"Service", "StartLimitAction", UNIT_HARMLESS, NULL},
	{"Service", "FailureAction", UNIT_HARMLESS, NULL},
	{"Service", "SuccessAction", UNIT_HARMLESS, NULL},
	{"Service", "TimeoutAbortSec", UNIT_HARMLESS, NULL},
	{"Service", "TimeoutStartFailureMode", UNIT_HARMLESS, NULL},
	{"Service", "TimeoutStopFailureMode", UNIT_HARMLESS, NULL},
	{"Service", "KillMode", UNIT_HARMLESS,
	 NULL}, /* the program is asked, the rest is killed when it has ended */
	{"Service", "SendSIGHUP", UNIT_HARMLESS, NULL},
	{"Service", "SendSIGKILL", UNIT_HARMLESS, NULL},
	{"Service", "FinalKillSignal", UNIT_HARMLESS, NULL},

	/* What it sees. */
	{"Service", "RootDirectory", UNIT_REFUSED, "the program's root is that of the machine"},
	{"Service", "RootImage", UNIT_REFUSED, "the program's root is that of the machine"},
	{"Service", "BindPaths", UNIT_REFUSED,
	 "the init mounts nothing over the verified root; put the files where they are looked for with [Files] Copy="},
	{"Service", "BindReadOnlyPaths", UNIT_REFUSED,
	 "the init mounts nothing over the verified root; put the files where they are looked for with [Files] Copy="},
	{"Service", "MountImages", UNIT_REFUSED, "the init mounts no images"},
	{"Service", "ExtensionImages", UNIT_REFUSED, "the init mounts no images"},
	{"Service", "ExtensionDirectories", UNIT_REFUSED, "the init mounts no directories"},
	{"Service", "TemporaryFileSystem", UNIT_REFUSED, "say [Init] Writable= for a directory in memory"},
	{"Service", "LoadCredential*", UNIT_REFUSED, "the init has no credentials to give"},
	{"Service", "SetCredential*", UNIT_REFUSED, "the init has no credentials to give"},
	{"Service", "ImportCredential", UNIT_REFUSED, "the init has no credentials to give"},
	{"Service", "NetworkNamespacePath", UNIT_REFUSED, "there is one network, the machine's"},
	{"Service", "SupplementaryGroups", UNIT_REFUSED,
	 "the init gives the groups that /etc/group lists the user in; add the user there"},
	{"Service", "PassEnvironment", UNIT_HARMLESS, NULL},
	{"Service", "StandardOutput", UNIT_HARMLESS, NULL}, /* the console; files: unit_service.c */
	{"Service", "StandardError", UNIT_HARMLESS, NULL},
	{"Service", "TTY*", UNIT_HARMLESS, NULL},
	{"Service", "SyslogIdentifier", UNIT_HARMLESS, NULL},
	{"Service", "Syslog*", UNIT_HARMLESS, NULL},
	{"Service", "Log*", UNIT_HARMLESS, NULL},
	{"Service", "Utmp*", UNIT_HARMLESS, NULL},
	{"Service", "IgnoreSIGPIPE", UNIT_NOT_DONE, NULL},
	{"Service", "Personality", UNIT_NOT_DONE, NULL},
	{"Service", "PAMName", UNIT_NOT_DONE, NULL},
	{"Service", "TimerSlackNSec", UNIT_NOT_DONE, NULL},
	{"Service", "Slice", UNIT_HARMLESS, NULL},
	{"Service", "Delegate", UNIT_NOT_DONE, NULL},
	{"Service", "RuntimeDirectoryPreserve", UNIT_HARMLESS, NULL},
	{"Service", "ReadWritePaths", UNIT_HARMLESS, NULL}, /* takes back what ProtectSystem= took */
	{"Service", "ReadWriteDirectories", UNIT_HARMLESS, NULL},
	{"Service", "Nice", UNIT_NOT_DONE, NULL},
	{"Service", "OOM*", UNIT_NOT_DONE, NULL},
	{"Service", "CPUScheduling*", UNIT_NOT_DONE, NULL},
	{"Service", "IOScheduling*", UNIT_NOT_DONE, NULL},
	{"Service", "CPUAffinity", UNIT_NOT_DONE, NULL},
	{"Service", "NUMA*", UNIT_NOT_DONE, NULL},
	{"Service", "CoredumpFilter", UNIT_NOT_DONE, NULL},

	/* Whoever owns the machine has its CPU, memory and disk. */
	{"Service", "CPU*", UNIT_HARMLESS, NULL},
	{"Service", "IO*", UNIT_HARMLESS, NULL},
	{"Service", "BlockIO*", UNIT_HARMLESS, NULL},
	{"Service", "StartupCPU*", UNIT_HARMLESS, NULL},
	{"Service", "StartupIO*", UNIT_HARMLESS, NULL},
	{"Service", "Managed*", UNIT_HARMLESS, NULL},
	{"Service", "Allowed*", UNIT_HARMLESS, NULL},

	/* Given anyway: a root that nobody writes to, one program on the machine, no new privileges. */
	{"Service", "NoNewPrivileges", UNIT_HARMLESS, NULL},
	{"Service", "ProtectSystem", UNIT_HARMLESS, NULL},
	{"Service", "ReadOnlyPaths", UNIT_HARMLESS, NULL},
	{"Service", "ReadOnlyDirectories", UNIT_HARMLESS, NULL},
	{"Service", "PrivateTmp", UNIT_HARMLESS, NULL},
	{"Service", "RemoveIPC", UNIT_HARMLESS, NULL},
	{"Service", "PrivateMounts", UNIT_HARMLESS, NULL},
	{"Service", "PrivateIPC", UNIT_HARMLESS, NULL},
	{"Service", "MountFlags", UNIT_HARMLESS, NULL},
	{"Service", "MountAPIVFS", UNIT_HARMLESS, NULL},
	{"Service", "KeyringMode", UNIT_HARMLESS, NULL},

	/* Not given. */
	{"Service", "Protect*", UNIT_CONFINES, NULL},
	{"Service", "Private*", UNIT_CONFINES, NULL},
	{"Service", "ProcSubset", UNIT_CONFINES, NULL},
	{"Service", "Restrict*", UNIT_CONFINES, NULL},
	{"Service", "SystemCall*", UNIT_CONFINES, NULL},
	{"Service", "MemoryDenyWriteExecute", UNIT_CONFINES, NULL},
	{"Service", "LockPersonality", UNIT_CONFINES, NULL},
	{"Service", "SecureBits", UNIT_CONFINES, NULL},
	{"Service", "Device*", UNIT_CONFINES, NULL},
	{"Service", "IPAddress*", UNIT_CONFINES, NULL},
	{"Service", "IPIngress*", UNIT_CONFINES, NULL},
	{"Service", "IPEgress*", UNIT_CONFINES, NULL},
	{"Service", "SocketBind*", UNIT_CONFINES, NULL},
	{"Service", "Inaccessible*", UNIT_CONFINES, NULL},
	{"Service", "NoExecPaths", UNIT_CONFINES, NULL},
	{"Service", "ExecPaths", UNIT_CONFINES, NULL},
	{"Service", "AppArmorProfile", UNIT_CONFINES, NULL},
	{"Service", "SELinuxContext", UNIT_CONFINES, NULL},
	{"Service", "SmackProcessLabel", UNIT_CONFINES, NULL},
	{"Service", "Limit*", UNIT_CONFINES, NULL},
	{"Service", "Memory*", UNIT_CONFINES, NULL},
	{"Service", "StartupMemory*", UNIT_CONFINES, NULL},
	{"Service", "Tasks*", UNIT_CONFINES, NULL},
	{"Service", "UMask", UNIT_NOT_DONE, NULL},
};

enum unit_treatment unit_key_treatment(const char *section, const char *key, const char **ret_text)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		size_t len = strlen(keys[i].key);
		bool all = keys[i].key[len - 1] == '*';

		if (strcmp(keys[i].section, section) != 0 ||
		    (all ? strncmp(keys[i].key, key, len - 1) : strcmp(keys[i].key, key)) != 0)
			continue;
		*ret_text = keys[i].text;
		return keys[i].treatment;
	}
	return UNIT_UNKNOWN;
}
